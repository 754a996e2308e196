"""Battery modules of a rack, from their registers on a real socket to the rack's readiness."""

from dataclasses import replace

import pytest

from collectors.modbus.collector import probe
from dcim.clock import SystemClock
from dcim.model.asset import Device
from dcim.model.metric import registry
from dcim.model.reading import Identity, Quality, Reading
from rules.metrics import MetricEngine
from rules.rule import builtin, load
from tests.collectors.modbus.peers import (
    Peer,
    answer,
    framed,
    modbus_profiles,
    peer,
    readings_of,
    target,
)
from tests.rules.conftest import Plant, small_site

PROFILES = modbus_profiles()
ABLE = dict.fromkeys(range(400), 0) | {165: 0b10, 126: 100, 94: 100, 142: 99, 311: 1}
READY, REDUNDANCY = "rack-r01/bbu/modules/ready/count", "rack-r01/bbu/redundancy"


async def _shelf(profile: str, modules: list[dict[int, int]]) -> list[list[Reading]]:
    """What the modules of a shelf say, each a unit behind one gateway."""

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        words = {"holding": ABLE | modules[unit - 1]}
        return framed(transaction, unit, answer(words, pdu))

    async with peer(reply) as server:
        return [
            (
                await probe(
                    target(f"modbus://127.0.0.1:{server.port}/{unit}", profile, f"bbu-{unit}"),
                    PROFILES,
                    SystemClock(),
                )
            ).readings
            for unit in range(1, len(modules) + 1)
        ]


def _derived(shelf: list[list[Reading]]) -> dict[str, Reading]:
    """What the metric engine makes of it."""
    own = [Device(f"bbu-{n}", "rack-r01", kind="bbu", address="") for n in range(1, len(shelf) + 1)]
    site = small_site()
    site = replace(site, devices={**site.devices, **{d.id: d for d in own}})
    latest = {reading.point: reading for readings in shelf for reading in readings}
    engine = MetricEngine(site, registry(), latest)
    engine.meet(latest)
    engine.update(list(latest.values()), 1000.0)
    return {reading.point: reading for reading in engine.tick(1000.0)}


@pytest.mark.parametrize("profile", ["orv3_bbu", "orv3_hpr_bbu"])
async def test_six_able_modules_are_five_and_a_spare(profile: str):
    found = _derived(await _shelf(profile, [{}] * 6))
    assert (found[READY].value, found[READY].quality) == (6, Quality.GOOD)
    assert (found[REDUNDANCY].state, found[REDUNDANCY].reason) == ("full", None)


@pytest.mark.parametrize("profile", ["orv3_bbu", "orv3_hpr_bbu"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({165: 0b11}, "bbu-4 may not discharge"),
        ({104: 1 << 15}, "bbu-4 discharge not allowed"),
        ({165: 0b10 | 1 << 7}, "bbu-4 no battery in it"),
        ({165: 0b10 | 1 << 4}, "bbu-4 battery failed"),
        ({104: 1 << 7}, "bbu-4 at the end of its life"),
    ],
)
async def test_one_that_cannot_carry_load_takes_the_spare_and_is_named(profile, words, why):
    found = _derived(await _shelf(profile, [{}, {}, {}, words, {}, {}]))
    assert found[READY].value == 5
    redundancy = found[REDUNDANCY]
    assert (redundancy.state, redundancy.quality) == ("lost", Quality.GOOD)
    assert redundancy.reason == f"modules_unable: 1 of 6 cannot carry load: {why}"


async def test_the_worst_cell_of_a_module_is_told():
    cells = dict.fromkeys(range(109, 120), 4010) | {113: 3875}
    worst = _derived(await _shelf("orv3_bbu", [cells]))["bbu-1/cell/worst/voltage"]
    assert worst.value == pytest.approx(3.875)
    assert worst.reason == "lowest: cell/5"
    assert worst.quality is Quality.UNCERTAIN  # as its cells: the map gives no unit


async def test_a_module_that_does_not_answer_is_not_counted_on():
    shelf = await _shelf("orv3_bbu", [{}] * 6)
    shelf[2] = [r._replace(quality=Quality.STALE, reason="no answer") for r in shelf[2]]
    found = _derived(shelf)
    assert found[READY].value == 5
    assert (found[REDUNDANCY].state, found[REDUNDANCY].quality) == ("unknown", Quality.UNCERTAIN)
    assert "bbu-3 does not answer" in str(found[REDUNDANCY].reason)


def test_a_shelf_that_speaks_for_its_modules_names_the_one_that_is_barred():
    words = {22: 6, 23: 5, 24: 1}
    for module in range(6):
        words |= {32 + 12 * module: 2, 33 + 12 * module: 1000, 40 + 12 * module: 0b11}
    words[40 + 12 * 2] = 0b01  # the third may charge, but not discharge
    plant = Plant(load(builtin()))
    plant.engine.identified(Identity("bbu-r01", "bbu", "", "", ()))
    for point, reading in readings_of(PROFILES["bbu_shelf_generic"], {"input": words}).items():
        if reading.state is not None:
            plant.say(f"bbu-r01/{point}", reading.state)
    plant.until(12)
    lost = plant.alarm("redundancy-lost@bbu-r01/modules/redundancy")
    assert lost.because == "battery module may not discharge: module/3/discharging"


def test_a_lost_spare_is_an_alarm():
    plant = Plant(load(builtin()))
    plant.say(REDUNDANCY, "lost")
    plant.until(6)
    assert plant.alarm(f"backup-redundancy-lost@{REDUNDANCY}").priority == 2
