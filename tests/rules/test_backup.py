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
COUNT = "rack-r01/bbu/modules/count"


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


def _derived(
    shelf: list[list[Reading]], required: int | None = None, silent: int = 0
) -> dict[str, Reading]:
    """What the metric engine makes of it, with so many more modules that were never heard of."""
    count = len(shelf) + silent
    own = [Device(f"bbu-{n}", "rack-r01", kind="bbu", address="") for n in range(1, count + 1)]
    site = small_site()
    racks = {**site.racks, "rack-r01": replace(site.racks["rack-r01"], bbu_required=required)}
    site = replace(site, racks=racks, devices={**site.devices, **{d.id: d for d in own}})
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
        ({158: 1}, "bbu-4 at the end of its life"),
        ({105: 1 << 5}, "bbu-4 failed for good: discharge fet"),
        ({105: 1 << 1}, "bbu-4 failed for good: cell undervoltage"),
        ({105: 1 << 13}, "bbu-4 failed for good: unnamed"),  # no bit the map names
        ({104: 1 << 2}, "bbu-4 discharge fuse blown"),
        ({104: 1 << 3}, "bbu-4 electronics failed"),
        ({153: 1 << 1}, "bbu-4 boost converter failed"),
        ({154: 1 << 4}, "bbu-4 boost converter failed"),
        ({162: 1 << 14}, "bbu-4 self-test failed"),
        ({162: 1 << 15}, "bbu-4 self-test failed"),
        ({164: 1 << 14}, "bbu-4 switched off by its kill line"),
        ({108: 1 << 4}, "bbu-4 empty"),
        ({126: 20, 94: 20}, "bbu-4 charge 20 %, 90 % needed"),
        ({142: 45}, "bbu-4 health 45 %, 70 % needed"),
    ],
)
async def test_one_that_cannot_carry_load_takes_the_spare_and_is_named(profile, words, why):
    found = _derived(await _shelf(profile, [{}, {}, {}, words, {}, {}]))
    assert found[READY].value == 5
    redundancy = found[REDUNDANCY]
    assert (redundancy.state, redundancy.quality) == ("lost", Quality.GOOD)
    assert redundancy.reason == f"modules_unable: 1 of 6 cannot carry load: {why}"


@pytest.mark.parametrize(
    "words",
    [
        {104: 1 << 1},  # cannot be charged, but is
        {162: 1 << 8 | 1 << 9 | 1 << 10},  # what kept the self-test from running
        {153: 1 << 4 | 1 << 3},
        {142: 70},
        {126: 90, 94: 90},
    ],
)
async def test_what_does_not_stop_a_discharge_takes_no_spare(words):
    found = _derived(await _shelf("orv3_bbu", [{}, {}, words]))
    assert (found[READY].value, found[REDUNDANCY].state) == (3, "full")


async def test_several_that_cannot_are_counted_and_named_each():
    shelf = [{}, {104: 1 << 15}, {}, {105: 1 << 5}, {}, {}]
    found = _derived(await _shelf("orv3_bbu", shelf))
    assert (found[READY].value, found[COUNT].value) == (4, 6)
    assert found[REDUNDANCY].state == "lost"
    assert found[REDUNDANCY].reason == (
        "modules_unable: 2 of 6 cannot carry load: "
        "bbu-2 discharge not allowed; bbu-4 failed for good: discharge fet"
    )
    assert found["bbu-4/backup/status"].reason == "unable: failed for good: discharge fet"


async def test_fewer_modules_than_the_shelf_counts_are_no_full_shelf():
    found = _derived(await _shelf("orv3_bbu", [{163: 6}] * 3))
    assert (found[READY].value, found[COUNT].value) == (3, 6)
    redundancy = found[REDUNDANCY]
    assert (redundancy.state, redundancy.quality) == ("unknown", Quality.UNCERTAIN)
    assert redundancy.reason == "no_data: the shelf counts 6 modules, 3 are configured"
    unable = _derived(await _shelf("orv3_bbu", [{163: 6}, {163: 6, 142: 45}]))
    assert unable[REDUNDANCY].state == "lost"  # five are needed, and one of six cannot


async def test_one_module_alone_has_no_spare_to_lose():
    found = _derived(await _shelf("orv3_bbu", [{163: 1}]))
    assert found[REDUNDANCY].state == "none"


async def test_the_site_may_say_how_many_carry_the_load():
    shelf = await _shelf("orv3_bbu", [{}, {142: 45}, {}, {}])
    degraded = _derived(shelf, required=2)[REDUNDANCY]
    assert (degraded.state, degraded.reason) == (
        "degraded",
        "modules_unable: 1 of 4 cannot carry load: bbu-2 health 45 %, 70 % needed",
    )
    assert _derived(shelf, required=3)[REDUNDANCY].state == "lost"
    assert _derived(await _shelf("orv3_bbu", [{}] * 2), required=2)[REDUNDANCY].reason == (
        "modules_few: 2 modules, 2 needed and a spare"
    )


async def test_a_module_never_heard_of_is_not_counted_on():
    found = _derived(await _shelf("orv3_bbu", [{}] * 5), silent=1)
    assert (found[READY].value, found[COUNT].value) == (5, 6)
    assert (found[REDUNDANCY].state, found[REDUNDANCY].reason) == (
        "unknown",
        "no_data: bbu-6 does not answer",
    )


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


@pytest.mark.parametrize(
    ("point", "value", "rule", "priority"),
    [
        ("bbu-r01/charge", 3, "bbu-charge-low", 2),
        ("bbu-r01/module/3/charge", 35, "bbu-charge-low", 3),
        ("bbu-r01/health", 45, "bbu-health-low", 3),
        ("bbu-r01/module/3/health", 75, "bbu-health-low", 4),
    ],
)
def test_an_empty_or_worn_out_module_is_an_alarm(point, value, rule, priority):
    plant = Plant(load(builtin()))
    plant.engine.identified(Identity("bbu-r01", "bbu", "", "", ()))
    for second in range(70):
        plant.say(point, value)
        plant.until(second)
    assert plant.alarm(f"{rule}@{point}").priority == priority
