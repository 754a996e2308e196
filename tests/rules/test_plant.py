"""The rules against the simulated hall, without sockets: quiet in normal operation, right in faults."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dcim.clock import ManualClock
from dcim.config import load as load_config
from dcim.hub import Hub
from dcim.live import Live
from dcim.model.alarm import AlarmEvent, EventType
from dcim.model.asset import Site
from dcim.model.metric import MetricKind, registry
from dcim.model.reading import Batch, Outage, OutageKind, Reading
from fixtures.plant.devices import IDS, MODBUS, SNMP
from fixtures.plant.expected import expected
from fixtures.plant.plant import Plant
from fixtures.plant.points import Getter, Points, Value
from fixtures.site import demo_config
from rules.alarms import AlarmEngine
from rules.metrics import MetricEngine
from rules.rule import RuleSet

START = 1_763_800_000.0
STEP_S = 0.5


def demo_site(folder: Path) -> Site:
    file = folder / "dcim.toml"
    targets = {device.id: f"snmp://127.0.0.1:{n + 2000}" for n, device in enumerate(SNMP)}
    targets |= {d.id: f"modbus://127.0.0.1:{1500 + n}/1" for n, d in enumerate(MODBUS)}
    file.write_text(demo_config(targets, ("127.0.0.1", 1883), folder), "utf-8")
    return load_config(file).site


class Journal:
    """An outlet that keeps the events."""

    def __init__(self) -> None:
        self.events: list[AlarmEvent] = []

    def readings(self, readings: Sequence[Reading]) -> None:
        pass

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        self.events.extend(events)


class Hall:
    """The plant, and the agent's inner way of a reading behind it; every device polled each second."""

    def __init__(self, rules: RuleSet, site: Site) -> None:
        self.plant = Plant(1, START)
        self.points = Points(self.plant)
        self.clock = ManualClock(START)
        self.alarms = AlarmEngine(rules, site, registry())
        self.live = Live()
        self.metrics = MetricEngine(site, registry(), self.live.readings)
        self.journal = Journal()
        self.hub = Hub(self.clock, self.live, self.metrics, self.alarms, [self.journal])
        self._devices = {device: self.points.of(device) for device in IDS}

    def raised(self) -> list[AlarmEvent]:
        return [e for e in self.journal.events if e.type is EventType.RAISED]

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            for _ in range(round(1 / STEP_S)):
                self.plant.step(STEP_S)
            self.points.follow_faults()
            now = self.clock.advance(1.0)
            for device, getters in self._devices.items():
                self.hub.publish(self._poll(device, getters, now))
            self.hub.tick()

    def _poll(self, device: str, getters: Mapping[str, Getter], now: float) -> Batch:
        if self.plant.faults.has("device_dead", device):
            return Batch(device, now, outage=Outage(OutageKind.TIMEOUT, "no answer"))
        values = {f"{device}/{tail}": getter() for tail, getter in getters.items()}
        return Batch(device, now, [_reading(p, v, now) for p, v in values.items() if v is not None])


def _reading(point: str, value: Value, now: float) -> Reading:
    if registry().of(point).kind is MetricKind.STATE:
        return Reading(point, None, now, state=str(value))
    assert not isinstance(value, str | None)
    return Reading(point, float(value), now)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return demo_site(tmp_path_factory.mktemp("site"))


def test_normal_operation_raises_nothing_and_agrees_with_the_plants_own_books(builtin_rules, site):
    hall = Hall(builtin_rules, site)
    hall.run(300)
    assert [event.alarm.id for event in hall.raised()] == []
    found = hall.metrics.window(START + 60, START + 290)
    truth = hall.plant.truth(START + 60, START + 290)
    assert found.pue == pytest.approx(truth.pue, rel=0.002)
    assert found.wue == pytest.approx(truth.wue_l_per_kwh, rel=0.005)
    assert found.coverage > 0.99
    live = hall.live.readings
    for rack in site.racks:
        assert live[f"{rack}/power.active"].value is not None
        assert live[f"{rack}/feed.failover"].state == "ok"
    heat = live["loop-tcs-1/heat"].value
    assert heat is not None
    rejected = sum(cdu.heat_w for cdu in hall.plant.secondary.cdus.values())
    assert heat == pytest.approx(rejected, rel=0.05)


@pytest.mark.parametrize(
    ("fault", "at", "seconds"),
    [
        ("leak", "row-1", 20),
        ("leak", "cdu-1", 20),
        ("pump_trip", "cdu-1/pump/1", 30),
        ("pump_trip", "cdu-1", 30),
        ("feed_a_loss", "hall-1", 120),
        ("bbu_module_missing", "bbu-r03/module/2", 30),
        ("device_dead", "cdu-1", 120),
        ("device_dead", "pdu-r01-a", 120),
        ("job_end", "row-1", 120),
    ],
)
def test_a_fault_raises_what_it_must_and_nothing_else(builtin_rules, site, fault, at, seconds):
    hall = Hall(builtin_rules, site)
    hall.run(10)
    hall.plant.faults.set(fault, at, hall.plant.now)
    since = hall.clock.now()
    hall.run(seconds)
    wanted = expected(fault, at)
    raised = [(e.alarm.rule, e.alarm.address, e.ts) for e in hall.raised()]
    for one in wanted:
        if one.always:
            in_time = [r for r, a, ts in raised if one.matches(r, a) and ts <= since + one.after_s]
            assert in_time, (one, raised)
    strange = [(r, a) for r, a, _ in raised if not any(one.matches(r, a) for one in wanted)]
    assert strange == []
    alone = [e.alarm.address for e in hall.raised() if e.alarm.rule == "device-alarm" and e.notify]
    assert alone == []  # what the device says of it besides is folded under what the suite says


def test_two_tripped_pumps_are_one_call_that_names_them(builtin_rules, site):
    hall = Hall(builtin_rules, site)
    hall.run(10)
    hall.plant.faults.set("pump_trip", "cdu-1", hall.plant.now)
    hall.run(30)
    (told,) = (event for event in hall.raised() if event.notify)
    assert told.alarm.rule == "coolant-flow-lost"
    assert told.alarm.because == "coolant pump failed: pump/1, pump/2"
    folded = {e.alarm.address for e in hall.raised() if e.alarm.suppressed_by == told.alarm.id}
    assert folded == {
        "cdu-1/pump/1/run",
        "cdu-1/pump/2/run",
        "cdu-1/pump/1/alarm",
        "cdu-1/pump/2/alarm",
        "cdu-1/loop/secondary/flow_low/alarm",
    }
