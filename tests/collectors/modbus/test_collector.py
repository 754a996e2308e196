"""The collector: by hand on a line of the test's own, and for real against servers."""

import contextlib
import itertools
import struct
from collections.abc import Callable, Mapping, Sequence

import pytest

from collectors.base import CollectError, ProbeResult
from collectors.modbus.collector import probe
from collectors.modbus.decode import Answer
from collectors.modbus.device import Context, Device
from collectors.modbus.endpoint import Script
from collectors.modbus.frame import Read, data_of
from collectors.modbus.profile import Link, Profile
from collectors.probe import probe_all
from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock, SystemClock
from dcim.model.reading import Outage, OutageKind, Quality
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
    pymodbus_server,
    target,
)

PROFILES = modbus_profiles()
SILENT = Outage(OutageKind.TIMEOUT, "no answer")


class Line:
    """An endpoint without a network: answers every script at once, from words a test holds."""

    def __init__(self, units: dict[int, Words]) -> None:
        self.held = units  # units that are not here are silent
        self.units: set[int] = {1, 2}
        self.on_revival: list[Callable[[], None]] = []
        self.asked: list[tuple[int, Read]] = []
        self.clock = ManualClock()

    def submit(
        self,
        deadline: float,
        unit: int,
        link: Link,
        script: Script,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        with contextlib.suppress(StopIteration):
            read = next(script)
            while True:
                self.asked.append((unit, read))
                read = script.send(self.reply(unit, read))

    def reply(self, unit: int, read: Read) -> Answer | Outage:
        if unit not in self.held:
            return SILENT
        try:
            data = data_of(read, answer(self.held[unit], read.pdu()))
        except CollectError as error:
            return error.outage
        return Answer(data, self.clock.now())


class Bench:
    """One device on such a line, its time moved by hand."""

    def __init__(self, line: Line, profiles: Mapping[str, Profile], name: str = "auto") -> None:
        self.line = line
        self.sink = Memory()
        self.wheel = Wheel(line.clock)
        self.counters = Counters()
        context = Context(profiles, self.sink, line.clock, self.wheel, self.counters)
        self.device = Device(target("modbus://gw/1", name), line, context, 0)
        self.device.prepare()
        self.device.start()
        self.wheel.run_due()

    def run(self, seconds: float, step_s: float = 0.5) -> None:
        for _ in range(int(seconds / step_s)):
            self.line.clock.advance(step_s)
            self.wheel.run_due()


def registers(first: int, *words: int) -> dict[int, int]:
    return {first + index: word for index, word in enumerate(words)}


METER = profile(
    point=[
        {"metric": "frequency", "at": {"address": 10}, "scale": 0.01, "group": "fast"},
        {"metric": "voltage", "at": {"address": 11}, "scale": 0.1},
        {"metric": "current", "at": {"address": 12}},
        {"metric": "load", "at": {"address": 20}},
    ],
    plausible=[{"point": "frequency", "range": [45, 65]}],
    link={"gap": 10},
)
METER_WORDS = {"holding": registers(10, 5000, 2301, 7) | {20: 55}}


def test_first_contact_identifies_expects_and_reads_everything():
    bench = Bench(Line({1: METER_WORDS}), {"test": METER}, "test")
    assert bench.sink.identities[-1].profiles == ("test",)
    assert bench.sink.expected["dev-1"] == {
        "dev-1/frequency": 5.0,
        "dev-1/voltage": 30.0,
        "dev-1/current": 30.0,
        "dev-1/load": 30.0,
    }
    assert bench.sink.latest["dev-1/voltage"].value == pytest.approx(230.1)
    assert {batch.protocol for batch in bench.sink.batches} == {"modbus"}


def test_groups_are_polled_at_their_own_pace():
    bench = Bench(Line({1: METER_WORDS}), {"test": METER}, "test")
    bench.line.asked.clear()
    bench.run(20)
    fast = [read for _, read in bench.line.asked if read.address == 10]
    normal = [read for _, read in bench.line.asked if read.address == 11]
    assert (len(fast), len(normal)) == (20, 2)
    assert bench.counters.skipped == 0


def test_a_register_that_is_not_there_is_found_once_and_costs_nothing_afterwards():
    words = {"holding": {k: v for k, v in METER_WORDS["holding"].items() if k != 12}}
    bench = Bench(Line({1: words}), {"test": METER}, "test")
    assert "dev-1/current" not in bench.sink.expected["dev-1"]
    assert bench.sink.latest["dev-1/load"].value == 55
    outages = [batch.outage.kind for batch in bench.sink.batches if batch.outage]
    assert outages == [OutageKind.ILLEGAL_ADDRESS]
    bench.line.asked.clear()
    bench.run(20)
    assert not [read for _, read in bench.line.asked if read.address == 12]
    assert [batch.outage for batch in bench.sink.batches[2:]] == [None] * 22


def test_parts_are_expected_as_many_as_the_device_counts():
    cells = profile(
        point=[
            {"metric": "voltage", "component": "cell/{index}", "at": {"address": 10}}
            | {"repeat": {"count": 40, "stride": 1, "count_at": 1}}
        ]
    )
    line = Line({1: {"holding": registers(10, 4, 4, 4) | {1: 3}}})
    bench = Bench(line, {"test": cells}, "test")
    assert sorted(bench.sink.expected["dev-1"]) == [f"dev-1/cell/{n}/voltage" for n in (1, 2, 3)]
    assert all(batch.outage is None for batch in bench.sink.batches)
    line.asked.clear()
    bench.run(10)
    assert {read for _, read in line.asked} == {Read("holding", 10, 3)}


def test_a_hole_between_values_costs_no_value():
    bench = Bench(Line({1: METER_WORDS}), {"test": METER}, "test")
    assert all(batch.outage is None for batch in bench.sink.batches)
    assert bench.sink.latest["dev-1/load"].value == 55


def test_a_dead_unit_costs_its_time_out_once_a_back_off_and_less_and_less_often():
    line = Line({})
    bench = Bench(line, {"test": METER}, "test")
    bench.run(700)
    assert len(line.asked) == 10  # at 0, 1, 3, 7, 15, 31, 63, 127, 255, 511 s
    line.asked.clear()
    bench.run(3000)
    assert len(line.asked) == 10  # every 300 s
    assert {batch.outage for batch in bench.sink.batches} == {SILENT}


def test_a_device_alone_on_its_line_is_asked_every_ten_seconds():
    line = Line({})
    line.units = {1}
    bench = Bench(line, {"test": METER}, "test")
    bench.run(100)
    line.asked.clear()
    bench.run(100)
    assert len(line.asked) == 10


def test_a_dormant_unit_comes_back_whole():
    line = Line({1: {"holding": registers(10, 5000, 2301) | {20: 55}}})
    bench = Bench(line, {"test": METER}, "test")
    assert "dev-1/current" not in bench.sink.expected["dev-1"]
    line.held.clear()
    bench.run(400)
    line.held[1] = METER_WORDS
    bench.run(300)
    assert "dev-1/current" in bench.sink.expected["dev-1"]
    assert bench.sink.latest["dev-1/current"].value == 7


def test_a_short_silence_is_no_reason_to_begin_anew():
    line = Line({1: METER_WORDS})
    bench = Bench(line, {"test": METER}, "test")
    contacts = len(bench.sink.identities)
    line.held.clear()
    bench.run(1)
    line.held[1] = METER_WORDS
    bench.run(5)
    assert len(bench.sink.identities) == contacts
    assert bench.sink.batches[-1].outage is None


def test_when_the_whole_line_answers_again_nobody_waits_any_longer():
    line = Line({})
    bench = Bench(line, {"test": METER}, "test")
    bench.run(600)
    line.held[1] = METER_WORDS
    line.on_revival[0]()
    bench.run(1)
    assert bench.sink.latest["dev-1/frequency"].value == 50.0


def test_addresses_off_by_one_are_said_at_first_contact():
    line = Line({1: {"holding": registers(9, 5000, 2301, 7, 7) | {20: 55}}})
    bench = Bench(line, {"test": METER}, "test")
    doubt = bench.sink.batches[-1].outage
    assert doubt is not None
    assert doubt.kind is OutageKind.MISIDENTIFIED
    assert "frequency is 23.01, expected 45..65" in doubt.detail
    assert "off by one" in doubt.detail


def test_a_doubt_of_first_contact_stands_until_what_speaks_for_it_has_changed():
    line = Line({1: {"holding": registers(9, 5000, 2301, 7, 7) | {20: 55}}})
    bench = Bench(line, {"test": METER}, "test")
    bench.run(30)
    kinds = {batch.outage.kind if batch.outage else None for batch in bench.sink.batches}
    assert kinds == {OutageKind.MISIDENTIFIED}
    line.held[1] = METER_WORDS
    bench.run(30)
    assert bench.sink.batches[-1].outage is None
    line.held[1] = {"holding": registers(10, 0, 2301, 7) | {20: 55}}  # mains fails: no doubt now
    bench.run(30)
    assert bench.sink.batches[-1].outage is None


def test_a_value_the_device_cannot_give_is_bad_and_the_rest_intact():
    line = Line({1: METER_WORDS})

    line.reply = failing_at(line, 12)  # type: ignore[method-assign, assignment]
    bench = Bench(line, {"test": METER}, "test")
    latest = bench.sink.latest
    assert latest["dev-1/voltage"].quality is Quality.GOOD
    assert latest["dev-1/load"].quality is Quality.GOOD
    assert latest["dev-1/current"].quality is Quality.BAD
    assert latest["dev-1/current"].reason == "device failure (exception 4)"
    assert "dev-1/current" in bench.sink.expected["dev-1"]


def failing_at(line: Line, *addresses: int) -> Callable[[int, Read], Answer | Outage]:
    """The line's replies, but exception 4 for reads that touch one of the addresses."""

    def reply(unit: int, read: Read) -> Answer | Outage:
        if any(read.address <= one < read.address + read.quantity for one in addresses):
            return Outage(OutageKind.DEVICE_FAILURE, "device failure (exception 4)")
        return Line.reply(line, unit, read)

    return reply


def test_what_can_be_read_again_is_read_in_as_few_requests_as_at_first():
    line = Line({1: {"holding": dict.fromkeys(range(10, 21), 5000)}})
    line.reply = failing_at(line, 12)  # type: ignore[method-assign, assignment]
    bench = Bench(line, {"test": METER}, "test")
    line.asked.clear()
    bench.run(10)
    assert len([read for _, read in line.asked if read.address != 10]) > 1
    line.reply = failing_at(line)  # type: ignore[method-assign, assignment]
    bench.run(10)
    line.asked.clear()
    bench.run(10)
    assert [read for _, read in line.asked if read.address != 10] == [Read("holding", 11, 10)]
    assert bench.sink.latest["dev-1/current"].quality is Quality.GOOD


def test_a_device_that_fails_to_give_anything_is_not_asked_for_every_value():
    line = Line({1: METER_WORDS})
    line.reply = failing_at(line, *range(1000))  # type: ignore[method-assign, assignment]
    points = [{"metric": "value", "component": f"p/{n}", "at": {"address": n}} for n in range(100)]
    bench = Bench(line, {"test": profile(point=points)}, "test")
    assert len(line.asked) < 20
    assert {batch.outage.kind for batch in bench.sink.batches if batch.outage} == {
        OutageKind.DEVICE_FAILURE
    }
    assert bench.sink.latest == {}


def test_a_value_torn_between_two_reads_is_uncertain_when_it_moved():
    split = profile(point=[{"metric": "cooling.power", "at": {"words": [900, 100], "type": "u32"}}])
    line = Line({1: {"holding": {100: 0xFFFF, 900: 1}}})
    still = Bench(line, {"test": split}, "test").sink.latest["dev-1/cooling.power"]
    assert (still.value, still.quality) == (0x1FFFF, Quality.GOOD)

    def moves(unit: int, read: Read) -> Answer | Outage:
        given = Line.reply(line, unit, read)
        line.held[1] = {"holding": {100: 0, 900: len(line.asked)}}
        return given

    line.reply = moves  # type: ignore[method-assign]
    torn = Bench(line, {"test": split}, "test").sink.latest["dev-1/cooling.power"]
    assert (torn.quality, torn.reason) == (Quality.UNCERTAIN, "changed while it was read")


def shelf(present: Sequence[bool]) -> Words:
    words = registers(0, *struct.unpack(">8H", b"GENERIC BBU".ljust(16, b"\0")))
    words |= registers(16, 1, 5000, 0, 0, 0, 0, sum(present), sum(present), 0, 300)
    for index, there in enumerate(present):
        state, charge = (2, 990) if there else (0, 0)
        words |= registers(32 + 12 * index, state, charge, 1000, 5010, 0, 251, 3990, 1, 3)
        words |= registers(41 + 12 * index, 0, 0, 0)
    return {"input": words}


def test_a_module_that_is_pulled_is_absent_and_no_longer_expected():
    line = Line({1: shelf([True] * 6)})
    bench = Bench(line, PROFILES)
    assert bench.sink.identities[-1].profiles == ("bbu_shelf_generic",)
    assert bench.sink.latest["dev-1/module/5/charge"].value == pytest.approx(99)
    line.held[1] = shelf([True] * 4 + [False, True])
    bench.run(12)
    assert bench.sink.latest["dev-1/module/5/state"].state == "absent"
    assert "dev-1/module/5/charge" not in bench.sink.expected["dev-1"]
    assert "dev-1/module/6/charge" in bench.sink.expected["dev-1"]
    line.held[1] = shelf([True] * 6)
    bench.run(12)
    assert "dev-1/module/5/charge" in bench.sink.expected["dev-1"]


def test_a_device_nobody_knows_says_so():
    bench = Bench(Line({1: {"holding": {0: 1}}}), PROFILES)
    outage = bench.sink.batches[-1].outage
    assert outage is not None
    assert outage.kind is OutageKind.UNIDENTIFIED
    assert bench.sink.identities == []


# --- real servers -----------------------------------------------------------------------------


def f32(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def seahawk(status: int) -> Words:
    low, high = reversed(f32(17.5)), reversed(f32(100.0))
    return {
        "holding": registers(0, 100, 50) | {3: 0},
        "input": registers(0, status, 0, 0, 12, 300, 40, 41, 0, 3) | registers(8000, *low, *high),
    }


async def test_devices_behind_one_gateway_are_identified_and_read():
    meter = {"input": dict.fromkeys(range(80), 0)}
    for address, value in ((0, 230.0), (2, 231.0), (4, 229.0), (52, 90e3), (70, 50.02), (72, 12.5)):
        meter["input"] |= registers(address, *f32(value))
    async with pymodbus_server({1: meter, 2: seahawk(1)}) as port:
        where = f"modbus://127.0.0.1:{port}"
        targets = [target(f"{where}/1", device="m"), target(f"{where}/2", device="leak")]
        async with collecting(targets, PROFILES) as (collector, sink):
            wanted = {"m/energy.active", "leak/zone/1/cable/length"}
            await sink.until(lambda: wanted <= sink.latest.keys())
            await sink.until(lambda: len(sink.of("leak")) >= 5)
        assert len(collector.endpoints) == 1
    by_device = {i.device: i.profiles[0] for i in sink.identities}
    assert by_device == {"m": "sdm630", "leak": "rle_seahawk"}
    latest = sink.latest
    assert latest["m/power.active"].value == pytest.approx(90e3)
    assert latest["m/L2/voltage"].value == pytest.approx(231)
    assert latest["m/L2/voltage"].source == "1:input:2"
    assert latest["leak/zone/1/leak"].state == "wet"
    assert latest["leak/zone/1/leak"].source == "2:input:0#0"
    distance = latest["leak/zone/1/leak.distance"]
    assert (distance.value, distance.quality) == (17.5, Quality.GOOD)
    assert latest["leak/zone/1/cable_break/alarm"].state == "inactive"
    assert "m/voltage.thd" not in sink.expected["m"]  # this server has no such register


async def test_a_probe_reads_once_and_says_what_it_is():
    async with pymodbus_server({7: seahawk(0)}) as port:
        result = await probe(target(f"modbus://127.0.0.1:{port}/7"), PROFILES, SystemClock())
    assert result.outage is None
    assert result.identity.kind == "leak_detector"
    assert result.identity.inventory == {"firmware": "3"}
    readings = {reading.point: reading for reading in result.readings}
    assert len({reading.source for reading in result.readings}) == len(result.readings)
    distance = readings["dev-1/zone/1/leak.distance"]
    assert distance.quality is Quality.UNCERTAIN
    assert readings["dev-1/zone/1/leak"].state == "dry"


@pytest.mark.parametrize(
    ("status", "leak", "cable_break"),
    [
        (0b0000, "dry", "inactive"),
        (0b1001, "wet", "inactive"),
        (0b1010, "fault", "active"),
        (0b1011, "wet", "active"),
        (0b0100, "fault", "inactive"),
    ],
)
async def test_a_broken_leak_cable_is_not_dry(status: int, leak: str, cable_break: str):
    async with pymodbus_server({1: seahawk(status)}) as port:
        url = f"modbus://127.0.0.1:{port}/1"
        result = await probe(target(url, "rle_seahawk"), PROFILES, SystemClock())
    readings = {reading.point: reading for reading in result.readings}
    assert len({reading.source for reading in result.readings}) == len(result.readings)
    assert readings["dev-1/zone/1/leak"].state == leak
    assert readings["dev-1/zone/1/cable_break/alarm"].state == cable_break
    contamination = readings["dev-1/zone/1/contamination/alarm"].state
    assert contamination == ("active" if status & 0b100 else "inactive")


async def test_a_dead_unit_behind_a_gateway_delays_the_others_by_one_time_out_at_most():
    words = dict.fromkeys((1, 2, 4), METER_WORDS)

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        return framed(transaction, unit, answer(words[unit], pdu)) if unit in words else b""

    meter = METER.model_copy(update={"link": Link(gap=10, timeout_s=0.3)})
    async with peer(reply) as server:
        targets = [
            target(f"modbus://127.0.0.1:{server.port}/{unit}", "test", f"u{unit}", fast_s=0.1)
            for unit in (1, 2, 3, 4)
        ]
        async with collecting(targets, {"test": meter}) as (_, sink):
            await sink.until(lambda: len(sink.of("u4")) >= 25)
    dead = [request for request in server.requests if request[0] == 3]
    assert 1 <= len(dead) <= 4
    assert all(batch.outage is None for unit in (1, 2, 4) for batch in sink.of(f"u{unit}"))
    for unit in (1, 2, 4):
        times = [batch.ts for batch in sink.of(f"u{unit}")]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(gaps) < 0.3 + 0.25
    assert next(batch.outage.kind for batch in sink.of("u3") if batch.outage) is OutageKind.TIMEOUT


async def test_a_server_that_goes_away_is_an_outage_and_comes_back():
    async with pymodbus_server({1: METER_WORDS}) as port:
        targets = [target(f"modbus://127.0.0.1:{port}/1", "test", fast_s=0.1)]
        async with collecting(targets, {"test": METER}) as (_, sink):
            await sink.until(lambda: bool(sink.latest))
            assert [batch for batch in sink.batches if batch.outage] == []
    async with collecting(targets, {"test": METER}) as (_, sink):
        await sink.until(lambda: bool(sink.batches))
        first = sink.batches[0].outage
        assert first is not None
        assert first.kind is OutageKind.REFUSED
        async with pymodbus_server({1: METER_WORDS}, port):
            await sink.until(lambda: bool(sink.latest))
            assert sink.batches[-1].outage is None


async def test_probes_of_units_behind_one_gateway_share_its_connection():
    async def reply(one: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer({"input": {unit: unit}}, pdu))

    meters = {
        f"m{unit}": profile(
            name=f"m{unit}",
            point=[{"metric": "voltage", "at": {"table": "input", "address": unit}}],
        )
        for unit in range(1, 9)
    }
    async with peer(reply) as server:
        targets = [
            target(f"modbus://127.0.0.1:{server.port}/{unit}", f"m{unit}", f"dev-{unit}")
            for unit in range(1, 9)
        ]
        found = {t.device: r async for t, r in probe_all(targets, meters, SystemClock())}
    assert [found[f"dev-{unit}"].readings[0].value for unit in range(1, 9)] == list(range(1, 9))
    assert server.connections == 1


async def _refusing(kind: int, at: int) -> ProbeResult:
    """A probe of the meter by a device that gives this exception for one of its registers."""

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        function, address, count = struct.unpack(">BHH", pdu)
        if address <= at < address + count:
            return framed(transaction, unit, bytes((function | 0x80, kind)))
        return framed(transaction, unit, answer(METER_WORDS, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1?gap=0&timeout_s=0.2"
        return await probe(target(url, "test"), {"test": METER}, SystemClock())


@pytest.mark.parametrize(
    ("kind", "at", "lost", "said"),
    [
        (6, 20, {"load"}, "busy (exception 6)"),
        (6, 11, {"voltage", "current"}, "busy (exception 6)"),
        (6, 10, {"frequency"}, "busy (exception 6)"),
        (4, 10, {"frequency"}, "device failure (exception 4)"),
        (11, 11, {"voltage", "current", "load"}, "exception 11"),
    ],
)
async def test_what_a_probe_could_not_read_keeps_its_place(kind, at, lost, said):
    result = await _refusing(kind, at)
    assert result.outage is not None
    by_metric = {reading.metric: reading for reading in result.readings}
    assert by_metric.keys() == {"frequency", "voltage", "current", "load"}
    assert {m for m, r in by_metric.items() if r.quality is Quality.BAD} == lost
    assert all(said in str(by_metric[metric].reason) for metric in lost)
    assert all(by_metric[metric].source for metric in lost)


async def test_a_device_that_gives_nothing_is_an_error_and_no_list_of_bad_readings():
    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, bytes((pdu[0] | 0x80, 6)))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1?gap=0"
        result = await probe(target(url, "test"), {"test": METER}, SystemClock())
    assert (result.readings, result.outage and result.outage.kind) == ([], OutageKind.BUSY)
