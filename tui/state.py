"""What the console knows of the agent: the last snapshot, kept current by the event stream."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from dcim.model.alarm import AlarmState
from dcim.model.wire import AlarmOut, Event, PointOut, SiteOut, StatusOut, TrendOut

FRESH_S = 5.0  # a stream silent for longer shows nothing as fresh: it speaks every second


class Link(Enum):
    NEVER = "never"  # no answer since the console started
    UP = "up"
    LOST = "lost"


@dataclass
class State:
    """Everything a screen may draw. Times are UTC seconds of the console's clock."""

    site: SiteOut | None = None
    status: StatusOut | None = None
    points: dict[str, PointOut] = field(default_factory=dict)
    alarms: dict[str, AlarmOut] = field(default_factory=dict)
    trends: dict[str, TrendOut] = field(default_factory=dict)
    link: Link = Link.NEVER
    error: str = ""  # why there is no connection
    since: float = 0.0  # of the present link state
    heard: float = 0.0  # last event
    offset_s: float = 0.0  # agent's clock minus ours
    live: "State | None" = None  # of a frozen copy: what goes on

    def apply(self, event: Event, now: float) -> list[AlarmOut]:
        """Take an event over; the alarms whose occurrence was not known before."""
        if event.kind == "resync":
            return []
        fresh = [alarm for alarm in event.alarms if self._is_new(alarm)]
        if event.kind == "snapshot":
            self.points.clear()
            self.alarms.clear()
        self.points.update((point.point, point) for point in event.points)
        for alarm in event.alarms:
            if alarm.state is AlarmState.NORM:
                self.alarms.pop(alarm.id, None)
            else:
                self.alarms[alarm.id] = alarm
        if event.status is not None:
            self.status = event.status
            self.offset_s = seconds(event.status.now) - now
        if self.link is not Link.UP:
            self.link, self.since, self.error = Link.UP, now, ""
        self.heard = now
        return fresh

    def lose(self, error: str, now: float) -> None:
        """No connection from now on, or still none."""
        self.error = error
        if self.link is Link.UP:
            self.link, self.since = Link.LOST, now
        elif not self.since:
            self.since = now

    def frozen(self) -> "State":
        """A copy that later events leave alone; it knows the state that goes on."""
        return replace(self, points=dict(self.points), alarms=dict(self.alarms), live=self)

    def missed(self) -> list[AlarmOut]:
        """Alarms that this copy does not know yet, of the state that goes on."""
        return [a for a in self.live.alarms.values() if self._is_new(a)] if self.live else []

    def silent(self, now: float) -> bool:
        """Nothing may be shown as fresh."""
        return self.link is not Link.UP and now - self.heard > FRESH_S

    def age_s(self, ts: str, now: float) -> float:
        """Age of an agent's time stamp."""
        return max(0.0, now + self.offset_s - seconds(ts))

    def _is_new(self, alarm: AlarmOut) -> bool:
        known = self.alarms.get(alarm.id)
        return alarm.state is not AlarmState.NORM and (
            known is None or known.occurrence != alarm.occurrence
        )


def seconds(ts: str) -> float:
    """UTC seconds of an RFC 3339 time."""
    return datetime.fromisoformat(ts).timestamp()


def annunciated(alarm: AlarmOut) -> bool:
    """Shown and counted: neither shelved nor the consequence of another alarm."""
    return (
        alarm.state is not AlarmState.NORM
        and alarm.shelved_until is None
        and alarm.suppressed_by is None
    )


def stands(alarm: AlarmOut) -> bool:
    """Its condition holds, or it is latched: the object itself is marked."""
    return annunciated(alarm) and alarm.state is not AlarmState.RTN_UNACK
