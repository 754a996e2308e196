"""Messages of SNMP v1 and v2c: a community around a PDU. v3 has a message layer of its own.

Source: RFC 1157 section 4 (v1), RFC 1901 section 3 (v2c).
"""

from dataclasses import dataclass

from collectors.snmp.ber import (
    OCTETS,
    SEQUENCE,
    Malformed,
    encode_integer,
    header,
    read_integer,
    tlv,
)
from collectors.snmp.pdu import Request, Response, decode_response

V1, V2C = 0, 1


@dataclass(frozen=True, slots=True)
class Template:
    """A ready message with a gap of four bytes for the request id."""

    head: bytes
    tail: bytes

    def message(self, request_id: int) -> bytes:
        return self.head + request_id.to_bytes(4, "big") + self.tail


@dataclass(frozen=True, slots=True)
class Community:
    """Wraps requests as v1 or v2c."""

    version: int  # V1 or V2C
    name: bytes

    def template(self, request: Request) -> Template:
        """The message of a request, ready for any id."""
        inner = encode_integer(self.version) + tlv(OCTETS, self.name)
        whole = tlv(SEQUENCE, inner + request.encode(0))
        cut = len(whole) - len(request.body)
        return Template(whole[: cut - 4], whole[cut:])


def request_id_of(data: bytes) -> int:
    """The id by which a response finds its request; Malformed where there is none."""
    at, end = _pdu(data)
    _, at, end = header(data, at, end)
    return read_integer(data, at, end)[0]


def decode_message(data: bytes) -> Response:
    """The response in a v1 or v2c message."""
    return decode_response(data, *_pdu(data))


def _pdu(data: bytes) -> tuple[int, int]:
    """Where the PDU of a community message lies."""
    tag, at, end = header(data, 0, len(data))
    if tag != SEQUENCE:
        raise Malformed("not an SNMP message")
    version, at = read_integer(data, at, end)
    if version not in (V1, V2C):
        raise Malformed(f"SNMP version number {version} was not asked for")
    tag, _, at = header(data, at, end)
    if tag != OCTETS:
        raise Malformed("message without a community")
    return at, end
