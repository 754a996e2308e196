"""Wrong addresses and wrong word orders: no power figure comes of them, and it is said."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from pydantic import ValidationError

from collectors.base import Intervals, Override, ProbeResult
from collectors.modbus.collector import probe
from collectors.modbus.plausible import Plausibility
from collectors.modbus.profile import Profile
from dcim.clock import SystemClock
from dcim.model.reading import OutageKind, Quality, Reading
from tests.collectors.modbus.peers import (
    Memory,
    Peer,
    Words,
    answer,
    collecting,
    framed,
    modbus_profiles,
    peer,
    profile,
    target,
)
from tests.collectors.modbus.test_every_profile import Device

PROFILES = {name: one for name, one in modbus_profiles().items() if not one.models}


def wide(one: Profile) -> list[tuple[str, Sequence[int]]]:
    """The neighbouring registers of every number that takes two or more."""
    return [
        (placed.at.table, placed.at.addresses)
        for placed in one.placed
        if not placed.at.bits_only and placed.at.size > 1
    ]


WIDE_POWER = [
    name
    for name, one in PROFILES.items()
    if name != "aalc_rpu2"  # a beta map: none of its numbers is better than uncertain
    and any(p.at.size > 1 and p.point.metric == "power.active" for p in one.placed)
]


def swapped(one: Profile, words: Words) -> Words:
    """With the words of every wide number in the other order, as a gateway does."""
    held = {table: dict(cells) for table, cells in words.items()}
    for table, addresses in wide(one):
        for here, there in zip(addresses, reversed(addresses), strict=True):
            held[table][here] = words[table][there]
    return held


async def probed(name: str, words: Words) -> ProbeResult:
    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer(words, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1?request_delay_s=0"
        return await probe(target(url, name), PROFILES, SystemClock())


def numbers(result: ProbeResult) -> list[Reading]:
    return [reading for reading in result.readings if reading.value is not None]


def test_every_profile_with_a_wide_power_is_looked_at():
    assert len(WIDE_POWER) >= 18
    assert {"abb_b23", "acrel_adw300", "sdm630", "hvdc_generic", "cdu_generic"} <= {*WIDE_POWER}


@pytest.mark.parametrize("name", WIDE_POWER)
async def test_a_wrong_word_order_becomes_no_power_figure(name: str):
    device = Device(PROFILES[name], seed=zlib.crc32(name.encode()))
    result = await probed(name, swapped(PROFILES[name], device.words))
    assert result.outage is not None
    assert result.outage.kind is OutageKind.MISIDENTIFIED
    assert "words in another order?" in result.outage.detail
    assert not [r for r in numbers(result) if r.metric.startswith(("power.", "energy."))]
    assert Quality.GOOD not in {reading.quality for reading in result.readings}


@pytest.mark.parametrize("name", WIDE_POWER)
async def test_the_right_word_order_is_not_doubted(name: str):
    device = Device(PROFILES[name], seed=zlib.crc32(name.encode()))
    result = await probed(name, device.words)
    powers = {r.point for r in numbers(result) if r.metric == "power.active"}
    assert powers == {
        f"dev-1/{one.key}"
        for one in device.profile.placed
        if one.point.metric == "power.active" and device.expected(one) is not None
    }


METER = profile(
    point=[
        {"metric": "power.active", "at": {"address": 0, "type": "i32"}, "group": "fast"},
        {"metric": "voltage", "component": "L1", "at": {"address": 2}, "scale": 0.1},
        {"metric": "current", "component": "L1", "at": {"address": 3}, "scale": 0.1},
        {"metric": "frequency", "at": {"address": 4}, "scale": 0.01},
        {"metric": "energy.active", "at": {"address": 5}},
        {"metric": "leak", "at": {"address": 6}, "states": {0: "dry", 1: "wet"}},
    ],
    plausible=[
        {"point": "frequency", "range": [45, 65]},
        {"point": "L1/voltage", "range": [1, 60000]},
        {"point": "power.active", "balance": ["L1"]},
    ],
)
WELL = {"power.active": 2000.0, "L1/voltage": 230.0, "L1/current": 9.0, "frequency": 50.0}


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"point": "power.active"}, "either `range` or `balance`"),
        ({"point": "power.active", "balance": ["L1"], "range": [0, 1]}, "either `range`"),
        ({"point": "frequency", "balance": ["L1"]}, "is about a power.active, not frequency"),
        ({"point": "power.active", "balance": ["L2"]}, "no point 'L2/voltage'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: dict[str, object], fault: str):
    with pytest.raises(ValidationError, match=fault):
        Profile.model_validate(METER.model_dump() | {"plausible": [rule]})


def said(values: Mapping[str, float | None]) -> list[Reading]:
    return [
        Reading(f"m/{point}", value, 0.0, Quality.GOOD if value is not None else Quality.BAD)
        for point, value in values.items()
    ]


def test_what_is_plausible_once_may_leave_its_range_later():
    rules = Plausibility(METER, "m")
    assert rules.weigh(said(WELL)) is None
    assert rules.weigh(said(dict.fromkeys(WELL, 0.0))) is None  # a feed that has gone dead


def test_a_dead_feed_at_first_contact_is_doubted_but_its_power_is_not_wrong():
    rules = Plausibility(METER, "m")
    doubt = rules.weigh(said(dict.fromkeys(WELL, 0.0)))
    assert doubt is not None
    readings = doubt.cast_on(said(dict.fromkeys(WELL, 0.0)))
    assert {(r.value, r.quality) for r in readings} == {(0.0, Quality.UNCERTAIN)}
    assert str(readings[0].reason).startswith("misidentified: frequency is 0, expected 45..65")
    assert rules.weigh(said(WELL)) is None


@pytest.mark.parametrize(("volts", "power"), [(0.4, False), (2.4e-41, True), (-3.0, True)])
def test_next_to_no_voltage_is_a_dead_feed_and_less_than_that_is_none(volts: float, power: bool):
    doubt = Plausibility(METER, "m").weigh(said(WELL | {"L1/voltage": volts}))
    assert doubt is not None
    assert doubt.power is power


def test_what_a_device_says_that_it_does_not_have_speaks_for_nothing():
    """A phase that is not wired reads as not a number, or as the device's own `not available`."""
    rules = Plausibility(METER, "m")
    assert rules.weigh(said(WELL | {"L1/voltage": None, "frequency": None})) is None


def test_a_balance_is_held_at_every_poll_but_a_load_may_come_at_once():
    rules = Plausibility(METER, "m")
    assert rules.weigh(said(WELL)) is None
    assert rules.weigh(said({"power.active": 900_000.0})) is None  # V and I are older
    doubt = rules.weigh(said({"L1/voltage": 230.0, "L1/current": 9.0}))
    assert doubt is not None
    assert doubt.power
    assert "power.active is 900000 W, but V x I 2070 VA" in doubt.outage.detail
    assert rules.weigh(said(WELL)) is None


def test_a_site_that_corrects_one_of_the_three_is_not_held_to_their_balance():
    rules = Plausibility(METER, "m", {"power.active": Override(scale=1000)})
    assert rules.weigh(said(WELL | {"power.active": 2e6})) is None


def test_a_power_within_a_range_is_held_to_it_always_but_not_where_there_is_none():
    plant = profile(
        point=[{"metric": "power.active", "at": {"address": 0, "type": "u32"}}],
        plausible=[{"point": "power.active", "range": [0, 500_000]}],
    )
    rules = Plausibility(plant, "m")
    assert rules.weigh(said({"power.active": 8000.0})) is None
    assert rules.weigh(said({"power.active": None})) is None  # a device that fails to give it
    doubt = rules.weigh(said({"power.active": 5e8}))
    assert doubt is not None
    assert doubt.power
    assert "power.active is 5e+08, expected 0..500000" in doubt.outage.detail


def test_a_phase_without_a_value_does_not_count():
    rules = Plausibility(METER, "m")
    assert rules.weigh(said(WELL | {"L1/current": None, "power.active": 2e6})) is None


def held(power: int, *others: int) -> Words:
    return {"holding": dict(enumerate((power >> 16, power & 0xFFFF, *others)))}


RIGHT = held(2000, 2300, 90, 5000, 7, 1)
SHIFTED = held(2000, 90, 5000, 7, 1, 1)


async def test_all_that_a_misidentified_device_says_is_uncertain_until_it_is_plausible():
    words = {"holding": dict(SHIFTED["holding"])}

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer(words, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1"
        one = replace(target(url, "test"), intervals=Intervals(0.05, 0.05, 0.05))
        async with collecting([one], {"test": METER}) as (_, sink):
            await sink.until(lambda: "dev-1/leak" in sink.latest)
            first = dict(sink.latest)
            assert {r.quality for r in first.values()} == {Quality.UNCERTAIN}
            assert first["dev-1/leak"].state == "wet"
            assert first["dev-1/power.active"].value == 2000
            words["holding"].update(RIGHT["holding"])
            await sink.until(lambda: _qualities(sink) == {Quality.GOOD})
            assert sink.batches[-1].outage is None
            assert sink.latest["dev-1/L1/voltage"].value == 230
            words["holding"].update(held(2000 << 16)["holding"])
            await sink.until(lambda: Quality.BAD in _qualities(sink))
            bad = {p for p, r in sink.latest.items() if r.quality is Quality.BAD}
            assert bad <= {"dev-1/power.active", "dev-1/energy.active"}


def _qualities(sink: Memory) -> set[Quality]:
    return {reading.quality for reading in sink.latest.values()}
