"""Signatures of webhooks. Source: Standard Webhooks 1.0.0, reference/standards/NOTIFY.md section 1."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


def key_of(secret: str) -> bytes:
    """The HMAC key in a secret as people write it, `whsec_` and base64; ValueError says what ails it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret is whsec_ followed by base64") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook's secret holds 24 to 64 bytes, found {len(key)}")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of the HMAC-SHA256 over id, time and body."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers of one attempt, signed with every key (old and new while a secret is changed)."""
    marks = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if keys:
        signatures = (signature(key, message_id, timestamp, body) for key in keys)
        marks["webhook-signature"] = " ".join(signatures)
    return marks
