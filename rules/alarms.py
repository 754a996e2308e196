"""The alarm engine: readings, outages, people and time in; ISA-18.2 alarm events out."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

from dcim.model.alarm import Alarm, AlarmEvent, AlarmState, EventType
from dcim.model.asset import Site
from dcim.model.metric import Registry
from dcim.model.reading import Batch, Identity, OutageKind, Quality, Reading
from rules import machine
from rules.consequence import Consequences, because
from rules.delay import Delay
from rules.machine import Event, Outcome
from rules.rule import RuleSet
from rules.topology import Topology
from rules.watch import NONE_HOLDS, LimitSource, Starter, Watcher
from rules.watchlist import Watch, Watchlist

RECOVERY_S = 60.0  # ALARMS section 6: a consequence that outlives its cause by so much stands alone
SILENT_POLLS = 3
T = TypeVar("T")


class Result(StrEnum):
    """What became of a person's action."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    RETURNED = "returned"  # that occurrence is over: another one stands, or none
    REFUSED = "refused"


Action = tuple[Result, tuple[AlarmEvent, ...]]


class AlarmEngine:
    """All alarms of a site. Pure but for its own state: `now` is passed in."""

    def __init__(self, rules: RuleSet, site: Site, registry: Registry) -> None:
        self._list = Watchlist(rules, site, registry)
        self._consequences = Consequences(rules, Topology(site))
        self._open: dict[str, Watcher] = {}  # not normal, or shelved
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._events: list[AlarmEvent] = []
        self._named: set[str] = set()  # devices whose last outage is of a kind that a rule names
        self._answers: dict[str, tuple[float, float]] = {}  # device: last answer, usual interval

    # --- what the hub calls -------------------------------------------------------------------

    def meet(self, points: Iterable[str]) -> None:
        """New points: who watches them? Before their first reading, and again after a reload."""
        for point in points:
            self._list.compile(point)

    def identified(self, identity: Identity) -> None:
        self._list.identified(identity.device, identity.kind)

    def update(self, readings: Sequence[Reading], now: float) -> Sequence[AlarmEvent]:
        watches = self._list.watches
        for reading in [r for r in readings if r.point in watches]:
            watch = watches[reading.point]
            for watcher in watch.watchers:
                if watcher.sample(reading, now):
                    self._changed(watcher, now)
            if watch.sources:
                self._sources(watch, reading, now)
        return self._take()

    def outage(self, batch: Batch, now: float) -> Sequence[AlarmEvent]:
        """Every batch of a device, well or not: silence raises, one good poll clears.

        Rules that name kinds of outages hold from one of these to the next answer without.
        """
        device = batch.device
        kind = batch.outage.kind if batch.outage else None
        # stale readings that come with an outage are no answer
        silent = batch.outage is not None and all(
            reading.quality is Quality.STALE for reading in batch.readings
        )
        was_silent = self._consequences.silent(device, silent)
        if not silent:
            self._answered(device, now)
            named = self._is_named(device, kind)
            if not was_silent and not named:
                return self._take()
        for watcher in self._list.outage_watchers(device):
            kinds = watcher.rule.outages
            if kinds and silent and kind not in kinds:
                continue  # no answer: what it was told to be, it may be still
            holds = kind in kinds if kinds else silent
            if batch.outage is not None and holds:
                watcher.reason = f"{batch.outage.kind}: {batch.outage.detail}"
            if silent and not kinds:
                watcher.delays = [self._silence(watcher, delay) for delay in watcher.delays]
            if watcher.outage(holds, now):
                self._changed(watcher, now)
            elif watcher.tells_another_kind:
                watcher.alarm = watcher.seen_now()
                self._put(watcher, now, EventType.UPDATED, watcher.state, notify=False)
        return self._take()

    def tick(self, now: float) -> Sequence[AlarmEvent]:
        """Let delays, shelves and recovery times run out."""
        while self._due and self._due[0][0] <= now:
            _, _, job = heapq.heappop(self._due)
            job(now)
        for parent in self._consequences.take_counted():
            if parent.alarm is not None and parent.id in self._open:
                self._put(parent, now, EventType.UPDATED, parent.state, notify=False)
        return self._take()

    # --- what people ask ----------------------------------------------------------------------

    def alarms(self) -> Iterable[Alarm]:
        """All that are not normal, and those normal but shelved."""
        return [w.alarm for w in self._open.values() if w.alarm is not None]

    def get(self, alarm_id: str) -> Alarm | None:
        """One alarm as it stands, normal or not, if it ever stood."""
        watcher = self._list.watchers.get(alarm_id)
        return watcher.alarm if watcher else None

    def rules_for(self, point: str) -> list[str]:
        return [rule.id for rule in self._list.rules_for(point)]

    # --- what people do -----------------------------------------------------------------------

    def ack(self, alarm_id: str, occurrence: int, user: str, comment: str, now: float) -> Action:
        """Acknowledge one occurrence; a second time is `already`."""

        def change(watcher: Watcher, alarm: Alarm) -> Result:
            step = machine.step(alarm.state, Event.ACK)
            if step.outcome is Outcome.NOOP:
                return Result.ALREADY
            after = replace(
                alarm, state=step.state, acked_at=now, ack_by=user, comment=comment or None
            )
            self._person(watcher, after, EventType.ACKNOWLEDGED, now, user, comment)
            return Result.ACCEPTED

        return self._act(alarm_id, occurrence, change)

    def reset(self, alarm_id: str, occurrence: int, user: str, comment: str, now: float) -> Action:
        """Un-latch an acknowledged alarm whose condition is gone."""

        def change(watcher: Watcher, alarm: Alarm) -> Result:
            step = machine.step(alarm.state, Event.RESET)
            if step.outcome is Outcome.REFUSED:
                return Result.REFUSED
            after = replace(alarm, state=step.state)
            self._person(watcher, after, EventType.RESET, now, user, comment)
            return Result.ACCEPTED

        return self._act(alarm_id, occurrence, change)

    def shelve(
        self,
        alarm_id: str,
        occurrence: int,
        *,
        duration_s: float,
        reason: str,
        user: str,
        role: str,
        now: float,
    ) -> Action:
        """Put an alarm aside for a time, within what the role may do for its priority."""

        def change(watcher: Watcher, alarm: Alarm) -> Result:
            longest_s = machine.longest_shelf_s(alarm.priority, role)
            if not reason.strip() or not 0 < duration_s <= longest_s:
                return Result.REFUSED
            after = replace(alarm, shelved_until=now + duration_s)
            self._person(watcher, after, EventType.SHELVED, now, user, reason)
            self._at(now + duration_s, self._shelf_over, watcher)
            return Result.ACCEPTED

        return self._act(alarm_id, occurrence, change)

    def unshelve(self, alarm_id: str, occurrence: int, user: str, now: float) -> Action:
        def change(watcher: Watcher, alarm: Alarm) -> Result:
            if alarm.shelved_until is None:
                return Result.ALREADY
            self._unshelve(watcher, now, user)
            return Result.ACCEPTED

        return self._act(alarm_id, occurrence, change)

    def restore(self, alarms: Iterable[Alarm], now: float) -> Sequence[AlarmEvent]:
        """Take over what stood before a restart; nobody is notified of it again.

        Normal alarms may be among them: they keep the count of occurrences. An alarm whose rule
        or object is gone gives a last event `cleared`. Shelves that have expired end at next tick.
        """
        known: list[Watcher] = []
        for alarm in alarms:
            watcher = self._list.restore(alarm.rule, alarm.address)
            if watcher is None:
                self._forget(alarm, now)
                continue
            watcher.alarm, watcher.occurrence = alarm, alarm.occurrence
            if alarm.state is AlarmState.NORM and alarm.shelved_until is None:
                continue
            self._open[watcher.id] = watcher
            if alarm.state.active:
                watcher.assume(alarm.priority)
                self._consequences.active(watcher, True)
                if watcher.rule.outages:
                    self._named.add(watcher.address)
                elif watcher.rule.condition == "outage":
                    self._consequences.silent(watcher.address, True)
            if alarm.shelved_until is not None:
                self._at(alarm.shelved_until, self._shelf_over, watcher)
            known.append(watcher)
        for watcher in known:
            self._readopt(watcher, now)
        return self._take()

    # --- inside -------------------------------------------------------------------------------

    def _sources(self, watch: Watch, reading: Reading, now: float) -> None:
        if watch.limit is not None and reading.value is not None:
            self._new_limit(watch.limit, reading.value, now)
        for starter in watch.starters:
            if starter.sample(reading, now):
                self._started(starter, now)
        for gate in watch.gates:
            if gate.sample(reading):
                for watcher in gate.dependents:
                    self._resample(watcher, now)

    def _new_limit(self, source: LimitSource, value: float, now: float) -> None:
        if source.value == value:
            return
        source.value = value
        source.apply()
        for watcher, _, _ in source.dependents:
            self._resample(watcher, now)

    def _started(self, starter: Starter, now: float) -> None:
        starter.inhibiting = True
        self._at(now + starter.for_s, self._inhibit_over, starter)

    def _inhibit_over(self, starter: Starter, now: float) -> None:
        starter.inhibiting = False
        for watcher in starter.dependents:
            self._resample(watcher, now)

    def _resample(self, watcher: Watcher, now: float) -> None:
        if watcher.last is not None and watcher.sample(watcher.last, now):
            self._changed(watcher, now)

    def _is_named(self, device: str, kind: OutageKind | None) -> bool:
        """Whether a rule names the outage of a device that answers, or named its last one."""
        before = device in self._named
        if kind in self._list.outage_kinds:
            self._named.add(device)
            return True
        self._named.discard(device)
        return before

    def _answered(self, device: str, now: float) -> None:
        last, usual_s = self._answers.get(device, (now, 0.0))
        gap_s = now - last
        self._answers[device] = now, gap_s if not usual_s else 0.8 * usual_s + 0.2 * gap_s

    def _silence(self, watcher: Watcher, delay: Delay) -> Delay:
        """No answer counts after the rule's delay, but not before so many polls were missed."""
        usual_s = self._answers.get(watcher.address, (0.0, 0.0))[1]
        on_s = watcher.rule.delays_of(watcher.rule.level[0])[0]
        return Delay(max(on_s, SILENT_POLLS * usual_s), delay.off_s)

    def _expire(self, watcher: Watcher, now: float) -> None:
        if watcher.expire(now):
            self._changed(watcher, now)

    def _changed(self, watcher: Watcher, now: float) -> None:
        """A delay began, or a level came or went."""
        for timing, delay in zip(watcher.timings, watcher.delays, strict=True):
            deadline = timing.deadline(delay)
            if deadline is not None and timing.since == now:
                self._at(deadline, self._expire, watcher)
        before, watcher.level = watcher.level, watcher.highest()
        if watcher.level == before:
            return
        if before == NONE_HOLDS:
            self._set(watcher, now)
        elif watcher.level == NONE_HOLDS:
            self._clear(watcher, now)
        else:
            self._shift(watcher, Event.RAISE if watcher.level > before else Event.LOWER, now)

    def _set(self, watcher: Watcher, now: float) -> None:
        previous = watcher.state
        step = machine.step(previous, Event.SET, latching=watcher.rule.latching)
        if step.new_occurrence or watcher.alarm is None:
            watcher.alarm = watcher.new_occurrence(now)
        watcher.alarm = after = replace(watcher.observed(), state=step.state, cleared_at=None)
        if step.new_occurrence:
            watcher.alarm = replace(after, raised_value=after.value, raised_state=after.value_state)
        self._consequences.active(watcher, True)
        self._consequences.adopt(watcher)
        self._put(watcher, now, EventType.RAISED, previous, notify=step.announce)
        for child in self._consequences.explained_by(watcher, self._open.values()):
            self._consequences.adopt(child)
            self._put(child, now, EventType.UPDATED, child.state, notify=False)

    def _clear(self, watcher: Watcher, now: float) -> None:
        previous = watcher.state
        step = machine.step(previous, Event.CLEAR, latching=watcher.rule.latching)
        if step.outcome is Outcome.NOOP or watcher.alarm is None:
            return
        watcher.alarm = replace(watcher.seen_now(), state=step.state, cleared_at=now)
        self._consequences.active(watcher, False)
        self._put(watcher, now, EventType.CLEARED, previous, notify=True)
        for child in list(watcher.children):
            if child.state.active:
                self._at(now + RECOVERY_S, self._recover, child)
            else:
                self._release(child, now)

    def _shift(self, watcher: Watcher, event: Event, now: float) -> None:
        previous = watcher.state
        step = machine.step(previous, event)
        watcher.alarm = replace(watcher.observed(), state=step.state)
        kind = EventType.ESCALATED if event is Event.RAISE else EventType.UPDATED
        self._put(watcher, now, kind, previous, notify=step.announce)

    def _recover(self, child: Watcher, now: float) -> None:
        """The cause has been gone for a while: is there another, or does the child stand alone?"""
        parent = child.parent
        if parent is None or parent.state.active:
            return
        self._consequences.release(child)
        self._consequences.adopt(child)
        if child.parent is not None:
            self._put(child, now, EventType.UPDATED, child.state, notify=False)
            return
        self._release(child, now)

    def _release(self, child: Watcher, now: float) -> None:
        """It stands alone now, and may be the cause of those that came up with it."""
        self._consequences.release(child)
        self._renew(child, now, EventType.RAISED if child.state.active else EventType.UPDATED)

    def _shelf_over(self, watcher: Watcher, now: float) -> None:
        until = watcher.alarm.shelved_until if watcher.alarm else None
        if until is not None and now >= until:
            self._unshelve(watcher, now, "")

    def _unshelve(self, watcher: Watcher, now: float, user: str) -> None:
        if watcher.alarm is not None:
            watcher.alarm = replace(watcher.alarm, shelved_until=None)
        self._renew(watcher, now, EventType.UNSHELVED, user)

    def _renew(self, watcher: Watcher, now: float, kind: EventType, user: str = "") -> None:
        """The shelf-expiry rule: what an overlay leaves behind."""
        previous = watcher.state
        step = machine.step(previous, Event.RENEW)
        if watcher.alarm is not None:
            watcher.alarm = replace(watcher.alarm, state=step.state)
        self._put(watcher, now, kind, previous, notify=step.announce, actor=user)

    def _readopt(self, watcher: Watcher, now: float) -> None:
        """After a restart: tie a suppressed alarm to its cause again, if that still stands."""
        alarm = watcher.alarm
        if alarm is None or alarm.suppressed_by is None:
            return
        parent = self._list.watchers.get(alarm.suppressed_by)
        if parent is not None and parent.id in self._open:
            self._consequences.tie(watcher, parent)
            return
        watcher.alarm = replace(alarm, suppressed_by=None)

    def _forget(self, alarm: Alarm, now: float) -> None:
        after = replace(alarm, state=AlarmState.NORM, seq=alarm.seq + 1, cleared_at=now)
        after = replace(after, reason="its rule or object is no longer configured")
        self._events.append(AlarmEvent(EventType.CLEARED, after, alarm.state, now, notify=False))

    def _act(
        self, alarm_id: str, occurrence: int, change: Callable[[Watcher, Alarm], Result]
    ) -> Action:
        watcher = self._list.watchers.get(alarm_id)
        if watcher is None or watcher.alarm is None:
            return Result.REFUSED, ()
        if watcher.alarm.occurrence != occurrence:
            return Result.RETURNED, ()
        result = change(watcher, watcher.alarm)
        return result, tuple(self._take())

    def _person(
        self, watcher: Watcher, after: Alarm, kind: EventType, now: float, user: str, comment: str
    ) -> None:
        previous = watcher.state
        watcher.alarm = after
        self._put(watcher, now, kind, previous, notify=True, actor=user, comment=comment)

    def _put(
        self,
        watcher: Watcher,
        now: float,
        kind: EventType,
        previous: AlarmState,
        *,
        notify: bool,
        actor: str = "",
        comment: str = "",
    ) -> None:
        """Publish the alarm as it now stands; whoever is shelved or explained stays quiet."""
        assert watcher.alarm is not None
        en, zh = because(watcher, self._list.causes.get(watcher.object, ()))
        alarm = replace(
            watcher.alarm,
            seq=watcher.alarm.seq + 1,
            suppressed_by=watcher.parent.id if watcher.parent else None,
            suppressed_children=len(watcher.children),
            because=en or watcher.alarm.because,
            because_zh=zh or watcher.alarm.because_zh,
        )
        watcher.alarm = alarm
        if alarm.state is AlarmState.NORM and alarm.shelved_until is None:
            self._open.pop(watcher.id, None)
            self._consequences.release(watcher)
        else:
            self._open[watcher.id] = watcher
        quiet = alarm.suppressed_by is not None or (
            alarm.shelved_until is not None and kind is not EventType.SHELVED
        )
        self._events.append(
            AlarmEvent(kind, alarm, previous, now, actor, comment, notify and not quiet)
        )

    def _at(self, when: float, job: Callable[[T, float], None], subject: T) -> None:
        due: Callable[[float], None] = partial(job, subject)
        heapq.heappush(self._due, (when, next(self._order), due))

    def _take(self) -> Sequence[AlarmEvent]:
        if not self._events:
            return ()
        events, self._events = self._events, []
        return events
