"""Protocol data units: what is asked and what came back, whatever message carries them.

Source: RFC 3416 section 3 and 4.2; RFC 1157 section 4.1 (the same layout for v1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from collectors.snmp.ber import (
    SEQUENCE,
    Malformed,
    Varbind,
    decode_varbinds,
    encode_integer,
    header,
    read_integer,
    tlv,
)

GET, GET_NEXT, RESPONSE, GET_BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA5, 0xA8
# Request ids always take four bytes, so that one can be patched into a ready request.
FIRST_ID, LAST_ID = 0x0100_0000, 0x7FFF_FFFF
_NULL = b"\x05\x00"


class ErrorStatus(IntEnum):
    """Error-status of a response, as far as reading can meet it."""

    NO_ERROR = 0
    TOO_BIG = 1
    NO_SUCH_NAME = 2  # v1
    BAD_VALUE = 3
    READ_ONLY = 4
    GEN_ERR = 5
    NO_ACCESS = 6
    AUTHORIZATION_ERROR = 16


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its id: the kind, and everything behind the id."""

    kind: int
    body: bytes

    def encode(self, request_id: int) -> bytes:
        return tlv(self.kind, b"\x02\x04" + request_id.to_bytes(4, "big") + self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it came; `varbinds` are decoded."""

    request_id: int
    status: int
    index: int
    varbinds: list[Varbind]


def get(oids: Sequence[bytes]) -> Request:
    """GET of these instances."""
    return Request(GET, b"\x02\x01\x00\x02\x01\x00" + _names(oids))


def get_next(oids: Sequence[bytes]) -> Request:
    """GETNEXT behind each of these."""
    return Request(GET_NEXT, b"\x02\x01\x00\x02\x01\x00" + _names(oids))


def get_bulk(oids: Sequence[bytes], max_repetitions: int, non_repeaters: int = 0) -> Request:
    """GETBULK (v2c and later)."""
    head = encode_integer(non_repeaters) + encode_integer(max_repetitions)
    return Request(GET_BULK, head + _names(oids))


def _names(oids: Sequence[bytes]) -> bytes:
    return tlv(SEQUENCE, b"".join(tlv(SEQUENCE, tlv(6, oid) + _NULL) for oid in oids))


def decode_response(data: bytes, at: int, end: int, wanted: int = RESPONSE) -> Response:
    """The response at `at`, or another PDU of the same layout; Malformed where it is none."""
    kind, at, end = header(data, at, end)
    if kind != wanted:
        raise Malformed(f"PDU {kind:#x} is not {wanted:#x}")
    request_id, at = read_integer(data, at, end)
    status, at = read_integer(data, at, end)
    index, at = read_integer(data, at, end)
    tag, at, stop = header(data, at, end)
    if tag != SEQUENCE:
        raise Malformed("response without a list of varbinds")
    return Response(request_id, status, index, decode_varbinds(data, at, stop))
