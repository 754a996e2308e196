"""Framing against pymodbus's, and every way in which an answer can be wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
)

from collectors.base import CollectError
from collectors.modbus import frame
from collectors.modbus.frame import (
    Frame,
    Framing,
    Read,
    RtuFraming,
    TcpFraming,
    crc16,
    data_of,
)
from dcim.model.reading import OutageKind

REQUESTS = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
READ = Read("holding", 10, 2)
words = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125)
units = st.integers(0, 255)
transactions = st.integers(0, 0xFFFF)


@given(st.sampled_from(sorted(REQUESTS)), st.integers(0, 65000), st.integers(1, 125), units)
def test_requests_are_those_of_pymodbus(table: str, address: int, count: int, unit: int):
    theirs = REQUESTS[table](address=address, count=count, dev_id=unit, transaction_id=7)
    read = Read(table, address, count)
    assert TcpFraming().request(7, unit, read) == FramerSocket(DecodePDU(True)).buildFrame(theirs)
    assert RtuFraming().request(7, unit, read) == FramerRTU(DecodePDU(True)).buildFrame(theirs)


@given(words, units, transactions, st.lists(st.integers(1, 40), max_size=8), st.booleans())
def test_answers_of_pymodbus_are_understood_in_whatever_pieces_they_come(
    values: list[int], unit: int, transaction: int, cuts: list[int], serial: bool
):
    response = ReadHoldingRegistersResponse(
        registers=values, dev_id=unit, transaction_id=transaction
    )
    framer = FramerRTU(DecodePDU(False)) if serial else FramerSocket(DecodePDU(False))
    stream = framer.buildFrame(response)
    framing: Framing = RtuFraming() if serial else TcpFraming()
    frames: list[Frame] = []
    for cut in cuts:
        frames += framing.feed(stream[:cut])
        stream = stream[cut:]
    frames += framing.feed(stream)
    (got,) = frames
    assert (got.transaction, got.unit) == (0 if serial else transaction, unit)
    data = data_of(Read("holding", 0, len(values)), got.pdu)
    assert data == b"".join(value.to_bytes(2, "big") for value in values)


@given(st.integers(1, 11), st.sampled_from([1, 2, 3, 4]))
def test_exceptions_of_pymodbus_are_told_apart(code: int, function: int):
    theirs = FramerSocket(DecodePDU(False)).buildFrame(ExceptionResponse(function, code))
    (got,) = TcpFraming().feed(theirs)
    table = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}[function]
    with pytest.raises(CollectError) as error:
        data_of(Read(table, 0, 1), got.pdu)
    kind = frame.EXCEPTIONS.get(code, (OutageKind.DEVICE_FAILURE, ""))[0]
    assert error.value.outage.kind is kind
    assert f"exception {code}" in error.value.outage.detail


@pytest.mark.parametrize(
    ("pdu", "kind"),
    [
        (b"", OutageKind.SHORT_FRAME),
        (b"\x03", OutageKind.SHORT_FRAME),
        (b"\x03\x02\x00\x01", OutageKind.SHORT_FRAME),
        (b"\x03\x04\x00\x01", OutageKind.SHORT_FRAME),
        (b"\x03\x06\x00\x01\x00\x02\x00\x03", OutageKind.OVERSIZED_FRAME),
        (b"\x03\x04\x00\x01\x00\x02\x00", OutageKind.OVERSIZED_FRAME),
        (b"\x03\x06\x00\x01\x00\x02", OutageKind.OVERSIZED_FRAME),
        (b"\x04\x04\x00\x01\x00\x02", OutageKind.WRONG_FUNCTION),
        (b"\x84\x02", OutageKind.WRONG_FUNCTION),
        (b"\x83\x01", OutageKind.ILLEGAL_FUNCTION),
        (b"\x83\x02", OutageKind.ILLEGAL_ADDRESS),
        (b"\x83\x03", OutageKind.ILLEGAL_VALUE),
        (b"\x83\x04", OutageKind.DEVICE_FAILURE),
        (b"\x83\x06", OutageKind.BUSY),
        (b"\x83\x0a", OutageKind.GATEWAY_PATH),
        (b"\x83\x0b", OutageKind.GATEWAY_TARGET),
    ],
)
def test_each_wrong_answer_has_its_own_kind(pdu: bytes, kind: OutageKind):
    with pytest.raises(CollectError) as error:
        data_of(READ, pdu)
    assert error.value.outage.kind is kind


@pytest.mark.parametrize(
    ("framing", "stream", "kind"),
    [
        (TcpFraming(), b"\0\1\0\0\0\x01\x01", OutageKind.SHORT_FRAME),
        (TcpFraming(), b"\0\1\0\0\1\0\x01", OutageKind.OVERSIZED_FRAME),
        (TcpFraming(), b"HTTP/1.1 400", OutageKind.MALFORMED),
        (RtuFraming(), b"\x01\x03\x02\x00\x01\x00\x00", OutageKind.BAD_CHECKSUM),
        (RtuFraming(), b"\x01\x10\x00", OutageKind.WRONG_FUNCTION),
        (RtuFraming(), b"\x01\x03\xff", OutageKind.OVERSIZED_FRAME),
    ],
)
def test_a_stream_that_makes_no_sense_says_so_and_is_emptied(
    framing: Framing, stream: bytes, kind: OutageKind
):
    with pytest.raises(CollectError) as error:
        list(framing.feed(stream))
    assert error.value.outage.kind is kind
    assert framing.reset() is False


@given(st.binary(min_size=1, max_size=300))
def test_no_stream_of_bytes_breaks_the_framing(noise: bytes):
    for framing in (TcpFraming(), RtuFraming()):
        frames: list[Frame] = []
        with contextlib.suppress(CollectError):
            frames.extend(framing.feed(noise))
        assert all(len(got.pdu) <= 253 for got in frames)


def test_the_checksum_is_the_standards():
    assert crc16(b"\x02\x07") == b"\x41\x12"  # Serial Line V1.02 section 6.2.2


def test_there_is_no_way_to_write():
    assert set(frame.FUNCTIONS.values()) == {1, 2, 3, 4}
