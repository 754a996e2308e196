"""Signatures against published vectors and the reference package."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from dcim.notify.sign import headers, key_of, signature

# Source: reference/standards/NOTIFY.md section 1, vectors 1 and 2
VECTORS = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
        "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        1674087231,
        b'{"type":"alarm.raised","timestamp":"2023-01-19T00:13:51Z","data":{"id":"A-1"}}',
        "v1,8YzQOmIdo/vXF3yqBrlbUGWj9iAy12xUIXyKgK4nxh8=",
    ),
]


@pytest.mark.parametrize(("secret", "message_id", "ts", "body", "expected"), VECTORS)
def test_published_vectors(
    secret: str, message_id: str, ts: int, body: bytes, expected: str
) -> None:
    assert signature(key_of(secret), message_id, ts, body) == expected


@given(key=st.binary(min_size=24, max_size=64), body=st.text(), ts=st.integers(0, 2**33))
def test_the_reference_package_computes_the_same(key: bytes, body: str, ts: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    theirs = Webhook(secret).sign("msg_1", datetime.fromtimestamp(ts, UTC), body)
    assert signature(key_of(secret), "msg_1", ts, body.encode()) == theirs


def test_a_message_is_signed_with_old_and_new_key_while_a_secret_changes() -> None:
    keys = [key_of(VECTORS[0][0]), key_of(VECTORS[1][0])]
    signed = headers(keys, "msg_1", 7, b"{}")
    assert signed["webhook-signature"].split() == [signature(k, "msg_1", 7, b"{}") for k in keys]


@pytest.mark.parametrize("secret", ["whsec_not base64!", "whsec_AQID", "", "whsec_" + "A" * 400])
def test_a_faulty_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook's secret") as caught:
        key_of(secret)
    assert not secret or secret not in str(caught.value)
