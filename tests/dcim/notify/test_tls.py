"""Delivery over TLS: the name is checked though the connection goes to the address."""

import datetime
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fixtures.peers.receiver import Receiver, serving
from tests.dcim.notify.samples import SECRET, webhook, webhooks


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for one host name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


@pytest.mark.parametrize(("name", "ok"), [("localhost", True), ("other.example", False)])
async def test_a_certificate_must_bear_the_name_in_the_url(
    tmp_path: Path, name: str, ok: bool
) -> None:
    cert_file, key_file = certificate(tmp_path, name)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(cert_file, key_file)
    trusted = ssl.create_default_context(cafile=str(cert_file))

    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=trusted, trust_env=False)

    async with serving(Receiver(SECRET), tls=served) as receiver:
        hook = webhook(f"https://localhost:{receiver.port}/hook")
        result = await webhooks([hook], client=client).test("oncall")
        assert (result.ok, len(receiver.deliveries)) == (ok, int(ok))
        if ok:
            assert receiver.deliveries[0].headers["host"] == f"localhost:{receiver.port}"
        else:
            assert "certificate" in (result.error or "").lower()
