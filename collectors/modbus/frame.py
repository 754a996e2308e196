"""Modbus frames without any I/O: requests of function 1-4, and what answers say. Nothing here writes.

Source: MODBUS Application Protocol V1.1b3 (sections 6.1-6.4, 7), MODBUS Messaging on TCP/IP V1.0b
section 3.1, MODBUS over Serial Line V1.02 section 2.5.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from collectors.base import CollectError
from dcim.model.reading import OutageKind

FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
EXCEPTIONS = {  # section 7
    1: (OutageKind.ILLEGAL_FUNCTION, "illegal function"),
    2: (OutageKind.ILLEGAL_ADDRESS, "illegal data address"),
    3: (OutageKind.ILLEGAL_VALUE, "illegal data value"),
    4: (OutageKind.DEVICE_FAILURE, "device failure"),
    5: (OutageKind.BUSY, "acknowledged, still at work"),
    6: (OutageKind.BUSY, "busy"),
    8: (OutageKind.DEVICE_FAILURE, "memory parity error"),
    10: (OutageKind.GATEWAY_PATH, "gateway path unavailable"),
    11: (OutageKind.GATEWAY_TARGET, "gateway's target does not respond"),
}
SENT_BY_UNIT = frozenset(  # outages that the unit itself sends: it is alive
    kind
    for kind, _ in EXCEPTIONS.values()
    if kind not in (OutageKind.GATEWAY_PATH, OutageKind.GATEWAY_TARGET)
)
_EXCEPTION_BIT = 0x80
_LONGEST_PDU = 253
_MBAP = struct.Struct(">HHHB")
_REQUEST = struct.Struct(">BHH")


class Read(NamedTuple):
    """One read request: `quantity` addresses of a table."""

    table: str
    address: int
    quantity: int

    @property
    def function(self) -> int:
        return FUNCTIONS[self.table]

    @property
    def data_size(self) -> int:
        """Bytes of data in the answer."""
        return (self.quantity + 7) // 8 if self.function <= 2 else 2 * self.quantity

    def pdu(self) -> bytes:
        return _REQUEST.pack(self.function, self.address, self.quantity)

    def __str__(self) -> str:
        last = self.address + self.quantity - 1
        span = f"{self.address}" if self.quantity == 1 else f"{self.address}..{last}"
        return f"{self.table} {span}"


class Frame(NamedTuple):
    """One answer as it came: which request it belongs to, who sent it, and what it holds."""

    transaction: int  # 0 on serial framing, which has none
    unit: int
    pdu: bytes


def data_of(read: Read, pdu: bytes) -> bytes:
    """The data of the answer to `read`; CollectError says what else it was."""
    if len(pdu) < 2:
        raise CollectError(OutageKind.SHORT_FRAME, f"{read}: answer of {len(pdu)} bytes")
    function, size = pdu[0], pdu[1]
    if function == read.function | _EXCEPTION_BIT:
        kind, text = EXCEPTIONS.get(size, (OutageKind.DEVICE_FAILURE, "unknown exception"))
        raise CollectError(kind, f"{read}: {text} (exception {size})")
    if function != read.function:
        wanted = f"asked for function {read.function}, the answer is of {function}"
        raise CollectError(OutageKind.WRONG_FUNCTION, f"{read}: {wanted}")
    found = min(size, len(pdu) - 2)
    if found < read.data_size:
        text = f"{found} of {read.data_size} bytes of data"
        raise CollectError(OutageKind.SHORT_FRAME, f"{read}: {text}")
    if size != read.data_size or len(pdu) - 2 != read.data_size:
        text = f"{max(size, len(pdu) - 2)} bytes of data, expected {read.data_size}"
        raise CollectError(OutageKind.OVERSIZED_FRAME, f"{read}: {text}")
    return pdu[2:]


class Framing(Protocol):
    """How frames stand in a stream of bytes."""

    def request(self, transaction: int, unit: int, read: Read) -> bytes: ...

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Whole frames so far; CollectError where the stream makes no sense, and it is emptied."""
        ...

    def reset(self) -> bool:
        """Forget what is incomplete; whether there was any."""
        ...


class TcpFraming:
    """The header of Modbus TCP: transaction, protocol 0, length, unit."""

    def __init__(self) -> None:
        self._buffer = b""

    def request(self, transaction: int, unit: int, read: Read) -> bytes:
        return _MBAP.pack(transaction, 0, 6, unit) + read.pdu()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= _MBAP.size:
            transaction, protocol, length, unit = _MBAP.unpack_from(self._buffer)
            fault = _header_fault(protocol, length)
            if fault is not None:
                self._buffer = b""
                raise fault
            end = 6 + length
            if len(self._buffer) < end:
                return
            pdu, self._buffer = self._buffer[7:end], self._buffer[end:]
            yield Frame(transaction, unit, pdu)

    def reset(self) -> bool:
        partial, self._buffer = bool(self._buffer), b""
        return partial


def _header_fault(protocol: int, length: int) -> CollectError | None:
    if protocol != 0:
        return CollectError(
            OutageKind.MALFORMED, f"protocol {protocol} instead of 0: not Modbus TCP"
        )
    if length < 3:
        return CollectError(OutageKind.SHORT_FRAME, f"header announces {length} bytes")
    if length > _LONGEST_PDU + 1:
        text = f"header announces {length} bytes, at most {_LONGEST_PDU + 1} are allowed"
        return CollectError(OutageKind.OVERSIZED_FRAME, text)
    return None


class RtuFraming:
    """Serial framing (also over TCP): unit, answer, CRC; its length follows from the answer."""

    def __init__(self) -> None:
        self._buffer = b""

    def request(self, transaction: int, unit: int, read: Read) -> bytes:
        body = bytes((unit,)) + read.pdu()
        return body + crc16(body)

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= 3:
            end = _rtu_length(self._buffer)
            if end is None or end > _LONGEST_PDU + 3:
                function = self._buffer[1]
                self._buffer = b""
                if end is None:
                    text = f"answer of function {function}, which nobody asked for"
                    raise CollectError(OutageKind.WRONG_FUNCTION, text)
                raise CollectError(OutageKind.OVERSIZED_FRAME, f"frame announces {end} bytes")
            if len(self._buffer) < end:
                return
            frame, self._buffer = self._buffer[:end], self._buffer[end:]
            if crc16(frame[:-2]) != frame[-2:]:
                self._buffer = b""
                raise CollectError(OutageKind.BAD_CHECKSUM, f"bad checksum in {end} bytes")
            yield Frame(0, frame[0], frame[1:-2])

    def reset(self) -> bool:
        partial, self._buffer = bool(self._buffer), b""
        return partial


def _rtu_length(buffer: bytes) -> int | None:
    """Length of the frame at the start of the buffer; None where the function is not ours."""
    if buffer[1] & _EXCEPTION_BIT:
        return 5
    return 5 + buffer[2] if buffer[1] in FUNCTIONS.values() else None


def crc16(data: bytes) -> bytes:
    """Checksum of a serial frame, low byte first. Source: Serial Line V1.02 section 6.2.2."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return bytes((crc & 0xFF, crc >> 8))


def _crc_of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC_TABLE = tuple(map(_crc_of_byte, range(256)))
