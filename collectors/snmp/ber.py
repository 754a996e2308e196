"""BER as SNMP uses it: object identifiers, and the SMI's types to plain Python and back.

Source: ITU-T X.690 section 8; RFC 3416 section 3 (types, exceptions); the Opaque float and double
are net-snmp's (tags 9F 78 and 9F 79 inside an Opaque).
"""

import struct
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

INTEGER, OCTETS, NULL, OBJECT_ID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW = 0x80, 0x81, 0x82
_UNSIGNED = frozenset([COUNTER32, GAUGE32, TIME_TICKS, COUNTER64])
_LONGEST_INTEGER = 9  # octets: 64 bits and a sign
_OPAQUE_FLOAT, _OPAQUE_DOUBLE = b"\x9f\x78\x04", b"\x9f\x79\x08"


class Malformed(ValueError):
    """Bytes that are not what SNMP puts on the wire."""


class Missing(Enum):
    """Why a varbind has no value."""

    NO_SUCH_OBJECT = "noSuchObject"
    NO_SUCH_INSTANCE = "noSuchInstance"
    END_OF_MIB_VIEW = "endOfMibView"


_MISSING = {
    NO_SUCH_OBJECT: Missing.NO_SUCH_OBJECT,
    NO_SUCH_INSTANCE: Missing.NO_SUCH_INSTANCE,
    END_OF_MIB_VIEW: Missing.END_OF_MIB_VIEW,
}

# int, float (Opaque), octets, dotted text of an address or object identifier, NULL, or nothing
Value = int | float | bytes | str | None | Missing


class Varbind(NamedTuple):
    oid: bytes  # BER content: what `encode_oid` gives
    tag: int
    value: Value


def tlv(tag: int, body: bytes) -> bytes:
    """Tag, length and content."""
    n = len(body)
    if n < 0x80:
        return bytes((tag, n)) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + body


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    return tlv(tag, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


@lru_cache(maxsize=65536)
def encode_oid(dotted: str) -> bytes:
    """The BER content of a dotted object identifier; ValueError where it is none."""
    parts = [int(part) for part in dotted.strip(".").split(".")]
    if len(parts) < 2 or not (
        parts[0] < 3 and min(parts) >= 0 and (parts[0] == 2 or parts[1] < 40)
    ):
        raise ValueError(f"not an object identifier: {dotted!r}")
    out = bytearray()
    for part in (parts[0] * 40 + parts[1], *parts[2:]):
        septets = [part & 0x7F]
        while part := part >> 7:
            septets.append(0x80 | part & 0x7F)
        out += bytes(reversed(septets))
    return bytes(out)


def oid_parts(body: bytes) -> tuple[int, ...]:
    """The numbers of an object identifier; Malformed where it breaks off."""
    parts: list[int] = []
    value = 0
    for byte in body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(value)
            value = 0
        elif value >> 64:
            raise Malformed("object identifier with a number beyond 64 bits")
    if not body or body[-1] & 0x80:
        raise Malformed("object identifier breaks off")
    first = min(parts[0] // 40, 2)
    return (first, parts[0] - 40 * first, *parts[1:])


def decode_oid(body: bytes) -> str:
    """Dotted text without a leading dot."""
    return ".".join(map(str, oid_parts(body)))


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """(tag, start, stop) of the element at `at`, which must end by `end`."""
    if at + 2 > end:
        raise Malformed(f"breaks off at byte {at}")
    tag, n = data[at], data[at + 1]
    start = at + 2
    if n & 0x80:
        size = n & 0x7F
        if not 1 <= size <= 4 or start + size > end:
            raise Malformed(f"bad length at byte {at + 1}")
        n = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + n > end:
        raise Malformed(f"element at byte {at} is longer than what holds it")
    return tag, start, start + n


def read_integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(value, position behind it) of the INTEGER at `at`."""
    if at + 2 < end and data[at] == INTEGER and 0 < (size := data[at + 1]) <= _LONGEST_INTEGER:
        stop = at + 2 + size
        if stop <= end:
            return int.from_bytes(data[at + 2 : stop], "big", signed=True), stop
    tag, start, stop = header(data, at, end)
    if tag != INTEGER or not 0 < stop - start <= _LONGEST_INTEGER:
        raise Malformed(f"no integer at byte {at}")
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def decode_value(tag: int, body: bytes) -> Value:
    """A varbind's value; Malformed for tags that SNMP does not have."""
    if tag == INTEGER or tag in _UNSIGNED:
        if not 0 < len(body) <= _LONGEST_INTEGER:
            raise Malformed(f"integer of {len(body)} octets")
        return int.from_bytes(body, "big", signed=tag == INTEGER)
    if tag == OCTETS:
        return body
    if tag in _MISSING:
        return _MISSING[tag]
    if tag == NULL:
        return None
    if tag == OBJECT_ID:
        return decode_oid(body) if body else ""
    if tag == IP_ADDRESS:
        return ".".join(map(str, body))
    if tag == OPAQUE:
        return _opaque(body)
    raise Malformed(f"type {tag:#x} is not of SNMP")


def _opaque(body: bytes) -> float | bytes:
    if body.startswith(_OPAQUE_FLOAT) and len(body) == 7:
        return float(struct.unpack(">f", body[3:])[0])
    if body.startswith(_OPAQUE_DOUBLE) and len(body) == 11:
        return float(struct.unpack(">d", body[3:])[0])
    return body


def decode_varbinds(data: bytes, at: int, end: int) -> list[Varbind]:
    """The variable bindings between two positions. The hot path: short lengths are read in line."""
    out: list[Varbind] = []
    new = tuple.__new__
    while at < end:
        if data[at] != SEQUENCE:
            raise Malformed(f"no varbind at byte {at}")
        if end - at > 1 and data[at + 1] < 0x80:
            start = at + 2
            stop = start + data[at + 1]
        else:
            _, start, stop = header(data, at, end)
        if stop > end or stop - start < 4:
            raise Malformed(f"varbind at byte {at} breaks off")
        if data[start] == OBJECT_ID and data[start + 1] < 0x80:
            start += 2
            at = start + data[start - 1]
        else:
            tag, start, at = header(data, start, stop)
            if tag != OBJECT_ID:
                raise Malformed(f"varbind without a name at byte {start}")
        oid = data[start:at]
        if at + 2 > stop:
            raise Malformed(f"varbind without a value at byte {at}")
        tag = data[at]
        if data[at + 1] < 0x80:
            start = at + 2
            at = start + data[start - 1]
        else:
            _, start, at = header(data, at, stop)
        if at != stop:
            raise Malformed(f"varbind ends at byte {stop}, its value at byte {at}")
        value: Value
        if tag == INTEGER and 0 < at - start <= _LONGEST_INTEGER:
            value = int.from_bytes(data[start:at], "big", signed=True)
        elif tag in _UNSIGNED and 0 < at - start <= _LONGEST_INTEGER:
            value = int.from_bytes(data[start:at], "big")
        else:
            value = decode_value(tag, data[start:at])
        out.append(new(Varbind, (oid, tag, value)))  # half the price of calling the class
    return out
