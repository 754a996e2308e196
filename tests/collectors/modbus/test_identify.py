"""Which profile a device turns out to be of, and what is said where that is not clear."""

import struct

import pytest

from collectors.base import ProbeResult
from collectors.modbus.collector import probe
from dcim.clock import SystemClock
from dcim.model.reading import OutageKind
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


async def test_where_no_profile_fits_the_nearest_are_named():
    result = await _probe({"holding": text(0x188, "Delta") | {0x101: 1}})
    assert result.outage is not None
    assert result.outage.kind is OutageKind.UNIDENTIFIED
    said = result.outage.detail
    assert "delta_ecd68000047 (but holding 257 is 1)" in said
    assert "?profile=" in said
    assert "no identity on the wire" in said
