"""What the tests of rules share: a small site and its alarm engine, driven by hand."""

from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

import pytest

from dcim.model.alarm import Alarm, AlarmEvent
from dcim.model.asset import Device, Feed, Hall, Loop, Metering, MeterRole, Rack, Row, Serve, Site
from dcim.model.metric import registry
from dcim.model.reading import Batch, Outage, OutageKind, Quality, Reading
from rules.alarms import AlarmEngine
from rules.rule import RuleSet, builtin, load


def small_site() -> Site:
    """One hall, two racks with PDUs on feeds A and B, two UPS, an HVDC system, a CDU, ropes."""
    devices = [
        Device("meter-main", "site-1", kind="meter", address="modbus://10.0.0.1/1"),
        Device("ups-a", "hall-1", kind="ups", address="snmp://10.0.0.11"),
        Device("ups-b", "hall-1", kind="ups", address="snmp://10.0.0.12"),
        Device("hvdc-1", "hall-1", kind="hvdc", address="snmp://10.0.0.13"),
        Device("cdu-1", "hall-1", kind="cdu", address="modbus://10.0.2.5/1"),
        Device("leak-row1", "row-1", kind="leak_detector", address="modbus://10.0.2.5/2"),
        Device("env-1", "row-1", kind="environment", address="modbus://10.0.2.5/3"),
        Device("water-1", "site-1", kind="meter", address="modbus://10.0.2.6/1"),
    ]
    feeds: list[Feed] = []
    for rack in ("r01", "r02"):
        for side in ("a", "b"):
            pdu = f"pdu-{rack}-{side}"
            devices.append(
                Device(pdu, f"rack-{rack}", kind="rack_pdu", address=f"snmp://10.0.1.{len(feeds)}")
            )
            feeds.append(Feed(f"ups-{side}", pdu, side.upper(), 32))
    return Site(
        id="site-1",
        halls={"hall-1": Hall("hall-1")},
        rows={"row-1": Row("row-1", "hall-1")},
        racks={
            r: Rack(r, "row-1", limit_kw=20, limit_kw_feed=10) for r in ("rack-r01", "rack-r02")
        },
        loops={"loop-1": Loop("loop-1")},
        devices={device.id: device for device in devices},
        feeds=tuple(feeds),
        serves=(Serve("cdu-1", "rack-r01", "loop-1"), Serve("cdu-1", "rack-r02", "loop-1")),
        metering=(
            Metering(MeterRole.SITE_TOTAL, "meter-main/energy.active"),
            Metering(MeterRole.WATER, "water-1/volume"),
        ),
    )


class Plant:
    """An alarm engine and the hand that feeds it. Times are seconds from 0."""

    def __init__(self, rules: RuleSet, site: Site | None = None) -> None:
        self.engine = AlarmEngine(rules, site or small_site(), registry())
        self.events: list[AlarmEvent] = []
        self.now = 0.0

    def until(self, now: float) -> None:
        """Tick every second up to `now`."""
        while self.now < now:
            self.now = min(now, self.now + 1.0)
            self.events.extend(self.engine.tick(self.now))

    def say(
        self,
        point: str,
        what: float | str | None,
        quality: Quality = Quality.GOOD,
        reason: str | None = None,
    ) -> None:
        """One reading, a number or a state code."""
        state = what if isinstance(what, str) else None
        value = None if isinstance(what, str) else what
        reading = Reading(point, value, self.now, quality, reason, state)
        self.engine.meet([point])
        self.events.extend(self.engine.update([reading], self.now))

    def silent(self, device: str, kind: OutageKind = OutageKind.TIMEOUT) -> None:
        batch = Batch(device, self.now, outage=Outage(kind, "no answer"))
        self.events.extend(self.engine.outage(batch, self.now))

    def answers(self, device: str) -> None:
        self.events.extend(self.engine.outage(Batch(device, self.now), self.now))

    def ack(self, alarm_id: str, occurrence: int = 1, user: str = "lin") -> str:
        result, events = self.engine.ack(alarm_id, occurrence, user, "seen", self.now)
        self.events.extend(events)
        return result

    def reset(self, alarm_id: str, occurrence: int = 1) -> str:
        result, events = self.engine.reset(alarm_id, occurrence, "lin", "dry", self.now)
        self.events.extend(events)
        return result

    def shelve(
        self, alarm_id: str, duration_s: float, role: str = "operator", reason: str = "known"
    ) -> str:
        result, events = self.engine.shelve(
            alarm_id,
            1,
            duration_s=duration_s,
            reason=reason,
            user="lin",
            role=role,
            now=self.now,
        )
        self.events.extend(events)
        return result

    def alarm(self, alarm_id: str) -> Alarm:
        alarm = self.engine.get(alarm_id)
        assert alarm is not None, f"{alarm_id} never stood"
        return alarm

    def standing(self) -> list[str]:
        return sorted(alarm.id for alarm in self.engine.alarms())

    def notified(self) -> list[tuple[str, str]]:
        """Type and alarm of what people were told."""
        return [(event.type.value, event.alarm.id) for event in self.events if event.notify]


def rules_of(tmp_path: Path, text: str) -> RuleSet:
    file = tmp_path / "rules.toml"
    file.write_text(text, "utf-8")
    paths: Sequence[Traversable] = [file]
    return load(paths)


@pytest.fixture(scope="session")
def builtin_rules() -> RuleSet:
    return load(builtin())


@pytest.fixture
def plant(builtin_rules: RuleSet) -> Plant:
    return Plant(builtin_rules)
