"""Cases as data: what devices say by time, and the alarms that must come of it, no more.

`cases/*.toml`: steps `at` a second (repeated every `every_s` until `until`), with readings (`say`),
silence (`silent`) or a bare answer (`answers`) of devices; then `expect`, one line an event:
`TIME TYPE ALARM PRIORITY`, `quiet` appended where nobody is told, `by ALARM` where it is suppressed.
The built-in rules are loaded, the metric engine runs, the hub ticks every second.
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dcim.clock import ManualClock
from dcim.hub import Hub
from dcim.live import Live
from dcim.model.alarm import AlarmEvent, EventType
from dcim.model.metric import registry
from dcim.model.reading import Batch, Outage, OutageKind, Quality, Reading, object_of
from rules.alarms import AlarmEngine
from rules.metrics import MetricEngine
from rules.rule import RuleSet
from tests.rules.conftest import small_site

CASES = sorted((Path(__file__).parent / "cases").glob("*.toml"))


class Journal:
    """An outlet that keeps the events."""

    def __init__(self) -> None:
        self.events: list[AlarmEvent] = []

    def readings(self, readings: Sequence[Reading]) -> None:
        pass

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        self.events.extend(events)


def all_cases() -> Iterator[Any]:
    for path in CASES:
        for case in tomllib.loads(path.read_text("utf-8"))["case"]:
            yield pytest.param(case, id=f"{path.stem}: {case['name']}")


def batches(step: dict[str, Any], now: float) -> Iterator[Batch]:
    quality = Quality(step.get("quality", "good"))
    by_device: dict[str, list[Reading]] = {}
    for point, what in step.get("say", {}).items():
        state = what if isinstance(what, str) else None
        value = None if isinstance(what, str) else float(what)
        reading = Reading(point, value, now, quality, step.get("reason"), state)
        device = "" if quality is Quality.STALE else object_of(point)  # stale is no answer
        by_device.setdefault(device, []).append(reading)
    for device, readings in by_device.items():
        yield Batch(device, now, readings)
    for device in step.get("answers", ()):
        yield Batch(device, now)
    for device in step.get("silent", ()):
        outage = Outage(OutageKind(step.get("kind", "timeout")), "no answer")
        yield Batch(device, now, outage=outage)


def due(step: dict[str, Any], now: int) -> bool:
    if "until" not in step:
        return bool(now == step["at"])
    turn = (now - step["at"]) % step.get("every_s", 1) == 0
    return bool(turn and step["at"] <= now <= step["until"])


def line(event: AlarmEvent) -> str:
    alarm = event.alarm
    kind, priority = event.type.removeprefix("alarm."), alarm.priority.name.lower()
    quiet = "" if event.notify else " quiet"
    return f"{event.ts:.0f} {kind} {alarm.id} {priority}{quiet}" + (
        f" by {alarm.suppressed_by}" if alarm.suppressed_by else ""
    )


@pytest.mark.parametrize("case", list(all_cases()))
def test_case(case: dict[str, Any], builtin_rules: RuleSet) -> None:
    clock, journal, site = ManualClock(0.0), Journal(), small_site()
    alarms = AlarmEngine(builtin_rules, site, registry())
    live = Live()
    metrics = MetricEngine(site, registry(), live.readings)
    hub = Hub(clock, live, metrics, alarms, [journal])
    for now in range(case["for_s"] + 1):
        for step in case["step"]:
            if due(step, now):
                for batch in batches(step, clock.now()):
                    hub.publish(batch)
        hub.tick()
        clock.advance(1.0)
    shown = [e for e in journal.events if e.type is not EventType.UPDATED or e.alarm.suppressed_by]
    assert [line(event) for event in shown] == case["expect"]
