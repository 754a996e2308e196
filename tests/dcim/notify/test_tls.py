"""Delivery over TLS: the name is checked though the connection goes to the address."""

import ssl
from pathlib import Path

import httpx
import pytest

from fixtures.peers.receiver import Receiver, serving
from tests.dcim.notify.certificate import certificate
from tests.dcim.notify.samples import SECRET, webhook, webhooks


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
