"""One rule at one address: from samples to the level of severity that holds."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dcim.model.alarm import Alarm, AlarmState, Priority
from dcim.model.reading import Quality, Reading, metric_of, object_of
from rules.delay import ACTIVE, IDLE, Delay, Timing, beyond, expire, sample, usable
from rules.rule import AlarmRule, Limit

NONE_HOLDS = -1
UNKNOWN = "unknown"  # a code of many states


@dataclass(slots=True, eq=False)
class Watcher:
    """The state of one possible alarm. Its id is `rule@address`, its life that of the point."""

    rule: AlarmRule
    address: str
    unit: str
    limits: list[float | None]  # by level; None: unknown, the level is not evaluated
    delays: list[Delay]
    timings: list[Timing]
    level: int = NONE_HOLDS  # the most severe that holds, index into the rule's levels
    occurrence: int = 0
    alarm: Alarm | None = None
    last: Reading | None = None
    reason: str | None = None  # where there is no reading to give one: an outage
    starter: "Starter | None" = None
    gates: list["Gate"] = field(default_factory=list)
    parent: "Watcher | None" = None
    children: list["Watcher"] = field(default_factory=list)

    @classmethod
    def of(cls, rule: AlarmRule, address: str, unit: str) -> "Watcher":
        return cls(
            rule,
            address,
            unit,
            [level.limit if isinstance(level.limit, float) else None for level in rule.level],
            [Delay(*rule.delays_of(level)) for level in rule.level],
            [IDLE] * len(rule.level),
        )

    @property
    def id(self) -> str:
        return f"{self.rule.id}@{self.address}"

    @property
    def object(self) -> str:
        return object_of(self.address)

    @property
    def stirs(self) -> bool:
        """Whether the condition holds, be it only that its delay runs."""
        return any(t.active is (t.since is None) for t in self.timings)

    @property
    def tells_another_kind(self) -> bool:
        """Whether the outage of an alarm that stands has become one of another kind."""
        if self.alarm is None or not self.state.active or self.reason is None:
            return False
        return self.reason.partition(":")[0] != (self.alarm.reason or "").partition(":")[0]

    @property
    def state(self) -> AlarmState:
        return self.alarm.state if self.alarm else AlarmState.NORM

    def sample(self, reading: Reading, now: float) -> bool:
        """Take one reading; whether anything changed, be it only that a delay began."""
        last, self.last = self.last, reading
        condition = self.rule.condition
        if condition == "state" and last is not None and self._says_the_same(last, reading):
            return False  # nothing new, and delays run out by themselves
        if condition == "no_data":
            return self._sample_quality(reading, now)
        if not usable(reading.quality):
            return reading.quality is Quality.STALE and self._hold()
        if self.gates and any(gate.closed for gate in self.gates):
            return self._weigh(lambda _: False, now)
        if self.starter is not None and self.starter.inhibiting and self.level == NONE_HOLDS:
            return self._hold()  # one that stands runs on
        if condition == "state":
            return self._sample_state(reading, now)
        return self._sample_value(reading.value, now)

    def _says_the_same(self, last: Reading, reading: Reading) -> bool:
        same = reading.state == last.state and reading.quality is last.quality
        return same and not self.gates and self.starter is None

    def outage(self, holds: bool, now: float) -> bool:
        """Whether the device of an outage rule gives nothing, or what the rule names."""
        return self._weigh(lambda _: holds, now)

    def expire(self, now: float) -> bool:
        """Let time pass without a sample."""
        changed = False
        for index, timing in enumerate(self.timings):
            after = expire(timing, self.delays[index], now)
            if after is not timing:
                self.timings[index] = after
                changed = True
        return changed

    def highest(self) -> int:
        """The most severe level that now holds."""
        for index in range(len(self.timings) - 1, -1, -1):
            if self.timings[index].active:
                return index
        return NONE_HOLDS

    def assume(self, priority: Priority) -> None:
        """Stand at the level of a priority without a sample, after a restart."""
        levels = enumerate(self.rule.level)
        level = max((i for i, level in levels if level.priority == priority), default=0)
        self.level = level
        self.timings = [ACTIVE if index <= level else IDLE for index in range(len(self.timings))]

    def new_occurrence(self, now: float) -> Alarm:
        """A fresh alarm, not yet set; a shelf outlives the occurrence it was made for."""
        rule = self.rule
        self.occurrence += 1
        return Alarm(
            rule=rule.id,
            address=self.address,
            occurrence=self.occurrence,
            seq=0,
            state=AlarmState.NORM,
            priority=rule.level[0].priority,
            title=rule.title,
            title_zh=rule.title_zh,
            unit=self.unit,
            raised_at=now,
            latching=rule.latching,
            shelved_until=self.alarm.shelved_until if self.alarm else None,
            cause=rule.cause,
            consequence=rule.consequence,
            action=rule.action,
            runbook_url=rule.runbook,
        )

    def observed(self) -> Alarm:
        """The alarm with what is seen now: value, limit, quality, priority of its level."""
        assert self.alarm is not None
        index = max(self.level, 0)
        return replace(
            self.seen_now(),
            priority=self.rule.level[index].priority,
            limit=self.limits[index],
            condition=self.condition(),
        )

    def seen_now(self) -> Alarm:
        """The alarm with the point's present value; limit and priority stay those of its level."""
        assert self.alarm is not None
        last = self.last
        return replace(
            self.alarm,
            value=last.value if last else None,
            value_state=last.state if last else None,
            quality=last.quality if last else Quality.GOOD,
            reason=last.reason if last else self.reason,
        )

    def condition(self) -> str:
        """What was tested, for people: `temperature.supply >= 45 degC for 120 s`."""
        index = max(self.level, 0)
        level, on_s = self.rule.level[index], self.delays[index].on_s
        limit = self.limits[index]
        match self.rule.condition:
            case "outage" if self.rule.outages:
                text = " or ".join(sorted(self.rule.outages))
            case "outage":
                text = "no answer"
            case "no_data":
                text = f"no usable {metric_of(self.address)}"
            case "state":
                text = f"{metric_of(self.address)} is {' or '.join(sorted(level.states))}"
            case relation:
                unit = f" {self.unit}" if self.unit not in ("", "1") else ""
                shown = f"{limit:g}" if limit is not None else "?"
                text = f"{metric_of(self.address)} {relation} {shown}{unit}"
        return f"{text} for {on_s:g} s" if on_s else text

    def _sample_quality(self, reading: Reading, now: float) -> bool:
        missing = not usable(reading.quality)
        reasons = self.rule.level[0].reasons
        if missing and reasons and (reading.reason or "").partition(":")[0] not in reasons:
            return False  # missing for another reason, which says nothing about this one
        return self._weigh(lambda _: missing, now)

    def _sample_state(self, reading: Reading, now: float) -> bool:
        state = reading.state
        if state is None:
            return False
        levels = self.rule.level
        meant = any(state in level.states for level in levels)
        if state == UNKNOWN and not meant:
            return self._hold()  # says nothing, neither that it came nor that it went
        if self.rule.safety and reading.quality is not Quality.GOOD and not meant:
            return False  # a retained `dry` says nothing
        return self._weigh(lambda index: state in levels[index].states, now)

    def _sample_value(self, value: float | None, now: float) -> bool:
        if value is None:
            return False
        high = self.rule.condition == ">="
        changed = False
        for index, limit in enumerate(self.limits):
            if limit is None:
                continue
            timing = self.timings[index]
            deadband = self.rule.deadband_of(limit) if timing.active else 0.0
            holds = beyond(value, limit, deadband, high=high, active=timing.active)
            after = sample(timing, holds, self.delays[index], now)
            if after is not timing:
                self.timings[index] = after
                changed = True
        return changed

    def _weigh(self, holds: Callable[[int], bool], now: float) -> bool:
        changed = False
        for index, timing in enumerate(self.timings):
            after = sample(timing, holds(index), self.delays[index], now)
            if after is not timing:
                self.timings[index] = after
                changed = True
        return changed

    def _hold(self) -> bool:
        """Keep what holds and forget what was under way: the data are gone."""
        changed = False
        for index, timing in enumerate(self.timings):
            if timing.since is not None:
                self.timings[index] = ACTIVE if timing.active else IDLE
                changed = True
        return changed


@dataclass(slots=True, eq=False)
class LimitSource:
    """A point that is the limit of others, such as a setpoint."""

    value: float | None = None
    dependents: list[tuple[Watcher, int, Limit]] = field(default_factory=list)

    def apply(self) -> None:
        """Give the dependents their limit, or its default as long as there is none."""
        for watcher, index, limit in self.dependents:
            base = limit.default if self.value is None else limit.factor * self.value + limit.offset
            watcher.limits[index] = base


@dataclass(slots=True, eq=False)
class Gate:
    """A state in which the conditions of other points do not count: a CDU on standby."""

    states: frozenset[str]
    closed: bool = False
    dependents: list[Watcher] = field(default_factory=list)

    def sample(self, reading: Reading) -> bool:
        """Whether the gate has just opened or closed."""
        if not usable(reading.quality) or reading.state is None:
            return False
        was, self.closed = self.closed, reading.state in self.states
        return was is not self.closed


@dataclass(slots=True, eq=False)
class Starter:
    """The parts of one object whose start inhibits alarms: a CDU's pumps."""

    for_s: float
    inhibiting: bool = False
    running: dict[str, bool] = field(default_factory=dict)  # by point
    stopped_at: float | None = None
    dependents: list[Watcher] = field(default_factory=list)

    def sample(self, reading: Reading, now: float, settle_s: float = 60.0) -> bool:
        """Whether the object has just started: none ran for `settle_s`, now one does."""
        if not usable(reading.quality) or reading.state is None:
            return False
        self.running[reading.point] = reading.state == "running"
        if not any(self.running.values()):
            self.stopped_at = now if self.stopped_at is None else self.stopped_at
            return False
        started = self.stopped_at is not None and now - self.stopped_at >= settle_s
        self.stopped_at = None
        return started
