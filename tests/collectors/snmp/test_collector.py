"""The collector against an agent that goes away, comes back and turns into something else."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from collectors.base import Intervals, Target
from collectors.profile import Profile
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.survey import probe
from collectors.wheel import Counters, Wheel
from dcim.clock import SystemClock
from dcim.model.reading import OutageKind, Quality
from fixtures.peers.replay import Recording, ReplayAgent
from tests.collectors.snmp.peers import UPS, Sink, target

OFTEN = Intervals(0.05, 0.1, 5)


@contextlib.asynccontextmanager
async def collecting(
    targets: Sequence[Target], profiles: Mapping[str, Profile], sink: Sink
) -> AsyncIterator[SnmpCollector]:
    clock, counters = SystemClock(), Counters()
    wheel = Wheel(clock)
    collector = SnmpCollector(targets, profiles, sink, clock, wheel, counters)
    tasks = [asyncio.create_task(wheel.run()), asyncio.create_task(collector.run())]
    try:
        yield collector
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def outages(sink: Sink, device: str) -> list[OutageKind]:
    return [b.outage.kind for b in sink.batches if b.device == device and b.outage is not None]


async def test_a_device_is_identified_expected_and_polled(agent, profiles, sink):
    one = target("ups", agent.port, intervals=OFTEN)
    async with collecting([one], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 5)
    identity = sink.identities[0]
    assert (identity.kind, identity.vendor, identity.model) == ("ups", "Acme", "Power 3000")
    assert identity.profiles == ("ups_mib",)
    assert sink.expected["ups"]["ups/mode"] == 5.0
    assert sink.expected["ups"]["ups/battery/charge"] == 5.0
    assert "ups/battery/runtime" not in sink.expected["ups"]  # 65535: it cannot tell
    first = {r.point: r.value for r in sink.batches[0].readings}
    assert first["ups/battery/charge"] == 97
    assert first["ups/input/L1/voltage"] == pytest.approx(230.4)
    assert {b.protocol for b in sink.batches} == {"snmp"}


async def test_a_changed_value_arrives(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: sink.last("ups/mode") is not None)
        agent.recordings["ups"].set("1.3.6.1.2.1.33.1.4.1.0", "2", "5")
        await sink.until(lambda: sink.last("ups/mode").state == "on_battery")


async def test_a_part_that_was_absent_is_expected_once_it_tells(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: sink.last("ups/mode") is not None)
        agent.recordings["ups"].set("1.3.6.1.2.1.33.1.2.3.0", "2", "42")
        await sink.until(lambda: "ups/battery/runtime" in sink.expected["ups"])
        assert sink.last("ups/battery/runtime").value == 42 * 60
        agent.recordings["ups"].set("1.3.6.1.2.1.33.1.2.3.0", "2", "65535")
        await sink.until(lambda: sink.last("ups/battery/runtime").quality is Quality.BAD)


async def test_a_device_that_falls_silent_is_an_outage_and_delays_nobody(agent, profiles, sink):
    agent.recordings["well"] = Recording.parse(UPS.splitlines())
    targets = [target(n, agent.port, intervals=OFTEN) for n in ("ups", "well", "never there")]
    agent.behaviour.dead = {"never there"}
    async with collecting(targets, profiles, sink) as collector:
        await sink.until(lambda: len(sink.identities) == 2)
        agent.behaviour.dead = {"never there", "ups"}
        await sink.until(lambda: len(outages(sink, "ups")) > 1)
        polled = [b.ts for b in sink.batches if b.device == "well"]
        assert max(b - a for a, b in itertools.pairwise(polled)) < 0.5
        assert collector.stats()["ups"].timeouts >= 2
    assert set(outages(sink, "ups")) == {OutageKind.TIMEOUT}
    assert outages(sink, "well") == []


async def test_a_device_that_comes_back_is_planned_anew(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.identities) == 1)
        agent.behaviour.dead = {"ups"}
        await sink.until(lambda: len(outages(sink, "ups")) >= 2)
        agent.recordings["ups"].set("1.3.6.1.2.1.33.1.1.2.0", "4", "Power 6000")
        agent.behaviour.dead = set()
        await sink.until(lambda: len(sink.identities) == 2)
    assert sink.identities[1].model == "Power 6000"


async def test_a_restarted_device_is_looked_at_again(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 4)
        agent.recordings["ups"].set("1.3.6.1.2.1.1.3.0", "67", "12")
        await sink.until(lambda: len(sink.identities) == 2)


async def test_an_object_that_vanishes_is_bad_not_frozen(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: sink.last("ups/battery/charge") is not None)
        agent.recordings["ups"].remove("1.3.6.1.2.1.33.1.2.4.0")
        await sink.until(lambda: sink.last("ups/battery/charge").quality is Quality.BAD)
    assert sink.last("ups/battery/charge").reason == "not answered: noSuchInstance"


async def test_a_failing_object_is_an_outage_beside_intact_readings(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 4)
        agent.behaviour.gen_err = {"1.3.6.1.2.1.33.1.2.4.0"}
        await sink.until(lambda: OutageKind.GEN_ERR in outages(sink, "ups"))
    batch = next(b for b in sink.batches if b.outage is not None)
    assert "1.3.6.1.2.1.33.1.2.4.0" in batch.outage.detail
    told = {r.point for r in batch.readings}
    assert "ups/battery/voltage" in told
    assert "ups/battery/charge" not in told


async def test_a_device_that_takes_less_than_before_is_asked_for_less(agent, profiles, sink):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 2)
        agent.behaviour.max_varbinds = 3
        before = len(sink.batches)
        await sink.until(lambda: len(sink.batches) > before + 10)
    late = sink.batches[before + 3 :]
    assert all(b.outage is None for b in late)
    assert any(r.point == "ups/battery/voltage" for b in late for r in b.readings)


async def test_long_tables_are_polled_whole_by_getbulk(agent, profiles, sink):
    lines = [b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.4.6", b"1.3.6.1.2.1.1.3.0|67|1"]
    root = "1.3.6.1.4.1.318.1.1.26.9.4.3.1"
    for n in range(1, 49):
        for column, value in ((2, 1), (4, n), (6, n), (7, 10 * n)):
            lines.append(f"{root}.{column}.{n}|2|{value}".encode())
    lines.append(b"1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2|100")
    agent.recordings["pdu"] = Recording.parse(lines)
    async with collecting([target("pdu", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 3)
    batch = sink.batches[-1]
    power = {r.point: r.value for r in batch.readings if r.point.endswith("/power.active")}
    assert power == {f"pdu/outlet/{n}/power.active": 10 * n for n in range(1, 49)} | {
        "pdu/power.active": 1000
    }


async def test_an_unknown_device_is_unidentified(agent, profiles, sink):
    agent.recordings["odd"] = Recording.parse([b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.1"])
    async with collecting([target("odd", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: outages(sink, "odd") == [OutageKind.UNIDENTIFIED])


async def test_a_device_without_its_tables_is_what_it_calls_itself(agent, profiles, sink):
    agent.recordings["odd"] = Recording.parse([b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.4.6"])
    async with collecting([target("odd", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: outages(sink, "odd") == [OutageKind.UNIDENTIFIED])
    [identity] = sink.identities
    assert (identity.kind, identity.vendor, identity.profiles) == ("rack_pdu", "APC", ())


async def test_probe_reads_a_device_once(agent, profiles, transport):
    found = await probe(target("ups", agent.port), profiles, SystemClock(), transport)
    sources = [r.source for r in found.readings]
    assert found.outage is None
    assert found.identity.inventory["model"] == "Power 3000"
    assert len(sources) == len(set(sources)) == 10


@pytest.mark.parametrize(
    ("tenths", "quality"), [(53, "good"), (530, "uncertain"), (5, "uncertain")]
)
async def test_a_wrong_scale_is_uncertain(agent, profiles, transport, tenths, quality):
    agent.recordings["ups"].set("1.3.6.1.2.1.33.1.4.4.1.3.1", "2", str(tenths))
    found = await probe(target("ups", agent.port), profiles, SystemClock(), transport)
    current = next(r for r in found.readings if r.point == "ups/output/L1/current")
    assert current.quality == quality
    assert ("230 V x" in (current.reason or "")) is (quality == "uncertain")


async def test_probe_of_a_silent_device_gives_the_outage(agent, profiles, transport):
    agent.behaviour.dead = {"ups"}
    found = await probe(target("ups", agent.port), profiles, SystemClock(), transport)
    assert found.readings == []
    assert found.outage is not None
    assert found.outage.kind is OutageKind.TIMEOUT


async def test_a_counter_that_goes_back_is_uncertain(agent, profiles, sink):
    head = b"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.318.1.3.4.6\n1.3.6.1.2.1.1.3.0|67|1\n"
    energy = "1.3.6.1.4.1.318.1.1.26.4.3.1.9.1"
    agent.recordings["pdu"] = Recording.parse((head + f"{energy}|66|90".encode()).splitlines())
    async with collecting([target("pdu", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 3)
        agent.recordings["pdu"].set(energy, "66", "10")
        await sink.until(lambda: any(b.readings[0].value == 1.0 for b in sink.batches))
    reading = next(b.readings[0] for b in sink.batches if b.readings[0].value == 1.0)
    assert reading.quality is Quality.UNCERTAIN
    assert "went back" in str(reading.reason)
    assert sink.batches[0].readings[0].quality is Quality.GOOD


async def test_loss_of_one_datagram_in_ten_costs_no_poll_a_value(agent, profiles, sink):
    names = [f"ups-{n}" for n in range(20)]
    agent.recordings = {name: Recording.parse(UPS.splitlines()) for name in names}
    targets = [target(name, agent.port, intervals=Intervals(1, 0.5, 5)) for name in names]
    async with collecting(targets, profiles, sink):
        await sink.until(lambda: len(sink.identities) == len(names))
        agent.behaviour.drop_share = 0.1
        before = len(sink.batches)
        await sink.until(lambda: len(sink.batches) > before + 150)
    assert agent.dropped > 10
    assert [b.outage for b in sink.batches[before:]] == [None] * (len(sink.batches) - before)
    assert {len(b.readings) for b in sink.batches[before:]} == {1, 9}


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"dead": {"ups"}}, OutageKind.TIMEOUT),
        ({"max_bytes": 1}, OutageKind.TOO_BIG),  # even one varbind
        ({"gen_err": {"1.3.6.1.2.1.33.1.2.4.0"}}, OutageKind.GEN_ERR),
        ({"truncate": True}, OutageKind.MALFORMED),
    ],
)
async def test_what_a_polled_device_does_wrong_has_a_name(agent, profiles, sink, wrong, kind):
    async with collecting([target("ups", agent.port, intervals=OFTEN)], profiles, sink):
        await sink.until(lambda: len(sink.batches) > 2)
        for name, value in wrong.items():
            setattr(agent.behaviour, name, value)
        await sink.until(lambda: bool(outages(sink, "ups")))
    assert outages(sink, "ups")[0] is kind


async def test_agents_that_refuse_stop_nobody_else(agent, profiles, sink):
    """ICMP errors of ports that closed come up in the middle of sending to others."""
    names = [f"gone-{n}" for n in range(8)]
    others = [
        await ReplayAgent({name: Recording.parse(UPS.splitlines())}).start() for name in names
    ]
    targets = [
        target(name, one.port, intervals=OFTEN)
        for name, one in zip(["ups", *names], [agent, *others], strict=True)
    ]
    async with collecting(targets, profiles, sink):
        await sink.until(lambda: {b.device for b in sink.batches} >= {"ups", *names})
        for one in others:
            one.close()
        await sink.until(lambda: all(outages(sink, name) for name in names))
        polled = len(sink.batches)
        await sink.until(lambda: sum(b.device == "ups" for b in sink.batches[polled:]) > 20)
    kinds = {kind for name in names for kind in outages(sink, name)}
    assert kinds <= {OutageKind.REFUSED, OutageKind.TIMEOUT}
    assert outages(sink, "ups") == []
