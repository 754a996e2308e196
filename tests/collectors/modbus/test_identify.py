"""Which profile a device turns out to be of, and what is said where that is not clear."""

import struct
from collections.abc import Generator

import pytest

from collectors.base import ProbeResult
from collectors.modbus.collector import probe
from collectors.modbus.decode import Answer
from collectors.modbus.frame import Read
from collectors.modbus.identify import identify
from dcim.clock import SystemClock
from dcim.model.reading import Outage, OutageKind
from tests.collectors.modbus.peers import (
    Peer,
    Words,
    answer,
    framed,
    modbus_profiles,
    peer,
    target,
)

PROFILES = modbus_profiles()


async def _probe(words: Words, unit: int = 1) -> ProbeResult:
    async def reply(one: Peer, transaction: int, asked: int, pdu: bytes) -> bytes:
        return framed(transaction, asked, answer(words, pdu))

    async with peer(reply) as server:
        return await probe(
            target(f"modbus://127.0.0.1:{server.port}/{unit}"), PROFILES, SystemClock()
        )


def floats(**values: float) -> dict[int, int]:
    words: dict[int, int] = {}
    for name, value in values.items():
        first = int(name.removeprefix("at"))
        words |= dict(enumerate(struct.unpack(">2H", struct.pack(">f", value)), first))
    return words


def text(address: int, said: str, length: int = 8) -> dict[int, int]:
    return dict(
        enumerate(struct.unpack(f">{length}H", said.encode().ljust(2 * length, b"\0")), address)
    )


async def test_janitzas_meters_are_told_apart_by_what_one_of_them_lacks():
    small = floats(at19000=230.0, at19050=50.0)
    result = await _probe({"holding": small})
    assert (result.identity.profiles, result.identity.candidates) == (
        ("janitza_b23",),
        ("janitza_umg",),
    )
    result = await _probe({"holding": small | floats(at19006=400.0)})
    assert (result.identity.profiles, result.identity.candidates) == (
        ("janitza_umg",),
        ("janitza_b23",),
    )


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("ECD68000047", "delta_ecd68000047"),
        ("BBUBS723AE000", "delta_bbubs723ae000"),
        ("another", "delta_bbubs723ae000"),  # either: the other is named
    ],
)
async def test_shelves_of_one_maker_are_told_apart_by_their_model(model: str, profile: str):
    shelf = text(0x188, "Delta") | text(0x198, model) | {0x101: 2981}
    result = await _probe({"holding": shelf})
    assert result.identity.profiles == (profile,)
    both = {"delta_ecd68000047", "delta_bbubs723ae000"}
    assert {profile, *result.identity.candidates} >= both


def among_zeros(unit: int) -> Generator[Read, Answer | Outage, None]:
    """What answers 0 for registers it does not have says nothing by it."""
    found = yield from identify(tuple(PROFILES.values()), unit)
    assert found.profiles == ()


def test_a_device_of_zeros_is_taken_for_none():
    for unit in {unit for one in PROFILES.values() for unit in one.link.units} | {1}:
        script = among_zeros(unit)
        read = next(script, None)
        while read is not None:
            try:
                read = script.send(Answer(bytes(2 * read.quantity), 0.0))
            except StopIteration:
                break


async def test_a_meter_shifted_by_one_is_not_taken_for_another_make():
    """SDM630 read one register late looked like a PAC2200, whose map is shifted by one."""
    meter = dict.fromkeys(range(1000), 0)
    meter |= floats(at1=230.0, at3=231.0, at5=229.0, at7=9.0, at53=5000.0, at71=50.0, at73=7777.0)
    result = await _probe({"input": meter})
    assert result.outage is not None
    assert result.outage.kind is OutageKind.UNIDENTIFIED
    assert "siemens_pac2200 (but input 801 is 0" in result.outage.detail


async def test_where_no_profile_fits_the_nearest_are_named():
    result = await _probe({"holding": text(0x188, "Delta") | {0x101: 1}})
    assert result.outage is not None
    assert result.outage.kind is OutageKind.UNIDENTIFIED
    said = result.outage.detail
    assert "delta_ecd68000047 (but holding 257 is 1)" in said
    assert "?profile=" in said
    assert "no identity on the wire" in said
