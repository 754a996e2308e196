"""Tables of like parts are read as far as they go, without asking for what is not there."""

from collections.abc import Mapping

import pytest

from collectors.base import ProbeResult
from collectors.modbus.collector import probe
from dcim.clock import SystemClock
from tests.collectors.modbus.peers import Peer, answer, framed, modbus_profiles, peer, target

PROFILES = modbus_profiles()


async def _probe(profile: str, holding: Mapping[int, int]) -> tuple[ProbeResult, int]:
    """What a device with these registers and no others says, and the requests it took."""

    async def reply(one: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer({"holding": holding}, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/101"
        result = await probe(target(url, profile), PROFILES, SystemClock())
        return result, len(server.requests)


def string(cells: int, told: int) -> dict[int, int]:
    words = dict.fromkeys(range(15), 1) | {10: told}
    for cell in range(1, cells + 1):
        words |= dict.fromkeys(range(100 * cell, 100 * cell + 5), 1)
    return words


def cells_of(result: ProbeResult) -> int:
    return sum("/cell/" in r.point and r.point.endswith("/voltage") for r in result.readings)


@pytest.mark.parametrize(
    ("cells", "told", "most"),
    [
        (0, 0, 7),  # 845 before there was a count
        (24, 24, 32),
        (120, 120, 127),
        (24, 200, 37),  # no such count: the end is looked for
        (24, 6, 39),  # a seventh cell answers: the count is wrong
        (24, 40, 39),  # fewer than it says
    ],
)
async def test_a_string_has_as_many_cells_as_it_says_or_answers(cells, told, most):
    result, requests = await _probe("robotina_string", string(cells, told))
    assert cells_of(result) == cells
    assert requests <= most
    assert result.outage is None


async def test_zeros_after_the_last_cell_do_not_contradict_the_count():
    words = dict.fromkeys(range(12100), 0) | string(24, 24)
    result, _ = await _probe("robotina_string", words)
    assert cells_of(result) == 24


def pdu(loops: int, outlets: int) -> dict[int, int]:
    spans = [(0, 24), (101, 131), (131, 131 + 10 * loops), (201, 201 + 5 * outlets)]
    spans += [(1001, 1001 + loops), (1011, 1020), (1021, 1021 + 3 * loops)]
    words = {address: 1 for first, end in spans for address in range(first, end)}
    return words | {11: 3, 12: loops, 13: outlets, 101: 2300}


@pytest.mark.parametrize(("loops", "outlets", "most"), [(0, 0, 39), (2, 24, 47), (6, 48, 54)])
async def test_a_pdu_is_asked_for_the_outlets_it_has(loops, outlets, most):
    result, requests = await _probe("clever_pdu", pdu(loops, outlets))
    points = {r.point.removeprefix("dev-1/") for r in result.readings}
    assert sum(p.startswith("outlet/") and p.endswith("/current") for p in points) == outlets
    assert sum(p.startswith("branch/") and p.endswith("/breaker/alarm") for p in points) == loops
    assert requests <= most


async def test_a_pdus_alarm_words_are_seen():
    result, _ = await _probe("clever_pdu", pdu(2, 24) | {1022: 4, 1011: 0})
    said = {r.point.removeprefix("dev-1/"): (r.state, r.raw) for r in result.readings}
    assert said["branch/1/current/alarm"] == ("active", 4)
    assert said["input/L1/voltage/alarm"] == ("inactive", 0)
