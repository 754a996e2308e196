"""What stands around a PDU: the contract of a message layer, and that of v1 and v2c (a community).

Source: RFC 1157 section 4 (v1), RFC 1901 section 3 (v2c). v3 is in `v3`.
"""

from dataclasses import dataclass
from typing import Protocol

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
from dcim.model.reading import Outage

V1, V2C, V3 = 0, 1, 3


class Refused(Exception):
    """The device will not answer this request: it says why."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(outage.detail)
        self.outage = outage


class Unauthentic(Refused):
    """A datagram that is not from the device, or not of now: to be ignored, the answer may come."""


class Again(Refused):
    """The device told what a message must heed: ask anew. `outage`: when that leads nowhere."""


class Message(Protocol):
    """A request in the message layer of its device."""

    def message(self, request_id: int) -> bytes:
        """The datagram, made anew for every try."""

    def open(self, data: bytes) -> bytes:
        """The response PDU of a datagram with this request's id.

        Raises Malformed, Refused, Unauthentic or Again.
        """

    def unanswered(self) -> None:
        """A try went unanswered, another one follows."""

    def silent(self) -> Outage | None:
        """Why there is no answer, where that can be told."""

    def stray(self, data: bytes) -> Outage | None:
        """What is wrong with a datagram of the device that answers nothing we wait for, if it is."""

    @property
    def away(self) -> str:
        """What may be the matter where nothing comes."""


class Access(Protocol):
    """How one device is spoken to."""

    @property
    def version(self) -> int: ...

    @property
    def warning(self) -> Outage | None:
        """What is wrong although the device answers."""

    def template(self, request: Request) -> Message: ...


@dataclass(frozen=True, slots=True)
class Template:
    """A ready message with a gap of four bytes for the request id."""

    head: bytes
    tail: bytes

    def message(self, request_id: int) -> bytes:
        return self.head + request_id.to_bytes(4, "big") + self.tail

    def open(self, data: bytes) -> bytes:
        at, end = _pdu(data)
        return data[at:end]

    def unanswered(self) -> None:
        """Nothing to change."""

    def silent(self) -> Outage | None:
        return None

    def stray(self, data: bytes) -> Outage | None:
        return None

    @property
    def away(self) -> str:
        return "device away, or wrong community"


@dataclass(frozen=True, slots=True)
class Community:
    """Wraps requests as v1 or v2c."""

    version: int  # V1 or V2C
    name: bytes

    @property
    def warning(self) -> Outage | None:
        return None

    def template(self, request: Request) -> Template:
        """The message of a request, ready for any id."""
        inner = encode_integer(self.version) + tlv(OCTETS, self.name)
        whole = tlv(SEQUENCE, inner + request.encode(0))
        cut = len(whole) - len(request.body)
        return Template(whole[: cut - 4], whole[cut:])


def request_id_of(data: bytes) -> int:
    """The id by which a response finds its request (v3: the message's); Malformed without one."""
    version, at, end = inside(data)
    if version != V3:
        at = _behind_community(data, at, end)
    _, at, end = header(data, at, end)
    return read_integer(data, at, end)[0]


def decode_pdu(data: bytes) -> Response:
    """The response PDU that `Message.open` gave."""
    return decode_response(data, 0, len(data))


def decode_message(data: bytes) -> Response:
    """The response in a v1 or v2c message."""
    return decode_response(data, *_pdu(data))


def inside(data: bytes) -> tuple[int, int, int]:
    """(version, position behind it, end) of any SNMP message."""
    tag, at, end = header(data, 0, len(data))
    if tag != SEQUENCE:
        raise Malformed("not an SNMP message")
    version, at = read_integer(data, at, end)
    if version not in (V1, V2C, V3):
        raise Malformed(f"there is no SNMP version number {version}")
    return version, at, end


def _pdu(data: bytes) -> tuple[int, int]:
    """Where the PDU of a community message lies."""
    version, at, end = inside(data)
    if version == V3:
        raise Malformed("a message of SNMPv3, which was not asked for")
    return _behind_community(data, at, end), end


def _behind_community(data: bytes, at: int, end: int) -> int:
    tag, _, at = header(data, at, end)
    if tag != OCTETS:
        raise Malformed("message without a community")
    return at
