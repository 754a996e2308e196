"""The way of one batch: live, metrics and alarms at once and in this order; then the outlets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from dcim.clock import Clock
from dcim.live import Live
from dcim.model.alarm import AlarmEvent
from dcim.model.reading import Batch, Identity, Reading


class Metrics(Protocol):
    """Derived readings (rules.metrics)."""

    def meet(self, points: Iterable[str]) -> None: ...

    def identified(self, identity: Identity) -> None: ...

    def update(self, readings: Sequence[Reading], now: float) -> Sequence[Reading]: ...

    def tick(self, now: float) -> Sequence[Reading]: ...


class Alarms(Protocol):
    """Alarm states (rules.alarms)."""

    def meet(self, points: Iterable[str]) -> None: ...

    def identified(self, identity: Identity) -> None: ...

    def update(self, readings: Sequence[Reading], now: float) -> Sequence[AlarmEvent]: ...

    def outage(self, batch: Batch, now: float) -> Sequence[AlarmEvent]: ...

    def tick(self, now: float) -> Sequence[AlarmEvent]: ...


class Outlet(Protocol):
    """A way out behind a bounded queue of its own; must return at once and counts what it drops."""

    def readings(self, readings: Sequence[Reading]) -> None: ...

    def alarms(self, events: Sequence[AlarmEvent]) -> None: ...


class Hub:
    """Where every reading passes, synchronously, on the agent's one loop."""

    def __init__(
        self,
        clock: Clock,
        live: Live,
        metrics: Metrics,
        alarms: Alarms,
        outlets: Sequence[Outlet] = (),
    ) -> None:
        self._clock = clock
        self._live = live
        self._metrics = metrics
        self._alarms = alarms
        self._outlets = outlets
        self.counts: dict[str, int] = {}  # readings by protocol since the start
        self.published_at: float | None = None  # the last batch or outage of a device
        self.ticked_at: float | None = None
        self._meet(live.readings)  # after a reload there are some

    def identified(self, identity: Identity) -> None:
        self._live.identified(identity)
        self._metrics.identified(identity)
        self._alarms.identified(identity)

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        self._live.expect(device, points, self._clock.now())

    def publish(self, batch: Batch) -> None:
        now = self._clock.now()
        self._meet(self._live.update(batch, now))
        self.published_at = now
        if batch.protocol:
            self.counts[batch.protocol] = self.counts.get(batch.protocol, 0) + len(batch.readings)
        events = list(self._alarms.outage(batch, now)) if batch.device else []
        self._process(batch.readings, self._metrics.update(batch.readings, now), events, now)

    def tick(self) -> None:
        """Once a second: what has gone stale, what a window gives, what a delay ends."""
        now = self.ticked_at = self._clock.now()
        stale = list(self._live.stale(now))
        self._meet(self._live.mark(stale))
        derived = [*self._metrics.update(stale, now), *self._metrics.tick(now)]
        self._process(stale, derived, [], now)
        self._emit((), self._alarms.tick(now))

    def announce(self, events: Sequence[AlarmEvent]) -> None:
        """Changes that a person made (acknowledge, shelve, reset), by way of the API."""
        self._emit((), events)

    def _meet(self, points: Iterable[str]) -> None:
        """Points that are new here, and some that are not."""
        self._metrics.meet(points)
        self._alarms.meet(points)

    def _process(
        self,
        readings: Sequence[Reading],
        derived: Sequence[Reading],
        events: list[AlarmEvent],
        now: float,
    ) -> None:
        if derived:
            self._alarms.meet(self._live.update(Batch("", now, derived), now))
            readings = [*readings, *derived]
        events.extend(self._alarms.update(readings, now))
        self._emit(readings, events)

    def _emit(self, readings: Sequence[Reading], events: Sequence[AlarmEvent]) -> None:
        for outlet in self._outlets:
            if readings:
                outlet.readings(readings)
            if events:
                outlet.alarms(events)
