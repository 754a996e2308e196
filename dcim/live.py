"""The latest reading of every point, and how each device is doing; knows what has gone stale."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from dcim import log
from dcim.model.reading import Batch, Identity, Outage, Quality, Reading, rfc3339

_log = log.get("devices")
_point = attrgetter("point")


@dataclass(frozen=True, slots=True)
class DeviceState:
    """How a device is doing, as seen from here."""

    device: str
    identity: Identity | None = None
    outage: Outage | None = None
    since: float | None = None  # UTC seconds when it began to be well, degraded or silent
    last_answer: float | None = None
    outages: int = 0  # spells of silence since the agent started
    silent: bool = False  # the outage is a whole one: nothing was answered


class Live:
    """Latest values. Written by the hub alone, read by everyone."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}
        self.devices: dict[str, DeviceState] = {}
        self._stale_after: dict[str, float] = {}
        self._seen: dict[str, float] = {}  # when a point last had an answer, engine clock
        self._points_of: dict[str, frozenset[str]] = {}

    def add_device(self, device: str) -> None:
        self.devices.setdefault(device, DeviceState(device))

    def identified(self, identity: Identity) -> None:
        state = self.devices.get(identity.device, DeviceState(identity.device))
        self.devices[identity.device] = replace(state, identity=identity)

    def expect(self, device: str, points: Mapping[str, float], now: float) -> None:
        """From now on `points` of `device` go stale after so many seconds without an answer.

        Replaces what was expected of the device before; points no longer expected are forgotten.
        """
        gone = self._points_of.get(device, frozenset()) - points.keys()
        for point in gone:
            self._forget(point)
        self._points_of[device] = frozenset(points)
        self._stale_after.update(points)
        for point in points:
            self._seen.setdefault(point, now)

    def remove_device(self, device: str) -> None:
        for point in self._points_of.pop(device, frozenset()):
            self._forget(point)
        self.devices.pop(device, None)

    def update(self, batch: Batch, now: float) -> Sequence[str]:
        """Take over a batch; gives its points where any of them is new here."""
        points = list(map(_point, batch.readings))
        known = len(self.readings)
        self.readings.update(zip(points, batch.readings, strict=True))
        self._seen.update(dict.fromkeys(points, now))
        if batch.device:
            self._note(batch)
        return points if len(self.readings) > known else ()

    def stale(self, now: float) -> Iterable[Reading]:
        """Readings that have just gone stale: old value, old time, and the reason."""
        for point, after_s in self._stale_after.items():
            silent_s = now - self._seen[point]
            if silent_s <= after_s:
                continue
            old = self.readings.get(point)
            if old is None:
                yield Reading(point, None, now, Quality.STALE, "no answer yet")
            elif old.quality is not Quality.STALE:
                since = rfc3339(self._seen[point])[11:19]
                yield old._replace(quality=Quality.STALE, reason=f"no answer since {since}Z")

    def mark(self, readings: Sequence[Reading]) -> Sequence[str]:
        """Take over stale readings, which are not answers; gives their points where any is new here."""
        points = list(map(_point, readings))
        known = len(self.readings)
        self.readings.update(zip(points, readings, strict=True))
        return points if len(self.readings) > known else ()

    def points_of(self, device: str) -> frozenset[str]:
        return self._points_of.get(device, frozenset())

    def stale_after_s(self, point: str) -> float | None:
        """Seconds without an answer after which a point is stale; None where none is expected."""
        return self._stale_after.get(point)

    def _forget(self, point: str) -> None:
        for table in (self.readings, self._stale_after, self._seen):
            table.pop(point, None)

    def _note(self, batch: Batch) -> None:
        before = self.devices.get(batch.device, DeviceState(batch.device))
        silent = batch.outage is not None and all(
            reading.quality is Quality.STALE for reading in batch.readings
        )
        changed = (before.outage is None, before.silent) != (batch.outage is None, silent)
        after = replace(
            before,
            outage=batch.outage,
            silent=silent,
            since=batch.ts if changed or before.since is None else before.since,
            last_answer=before.last_answer if silent else batch.ts,
            outages=before.outages + (silent and not before.silent),
        )
        self.devices[batch.device] = after
        _tell(before, after, batch.ts)


def _tell(before: DeviceState, after: DeviceState, now: float) -> None:
    """A line in the log for every change, none for a repetition."""
    spell_s = round(now - before.since, 1) if before.since is not None else 0.0
    if before.silent and not after.silent:
        _log.info("device back", device=after.device, out_s=spell_s)
    if after.outage is None:
        if before.outage is not None and not before.silent:
            _log.info("device well again", device=after.device, degraded_s=spell_s)
    elif before.outage is None or (before.outage.kind, before.silent) != (
        after.outage.kind,
        after.silent,
    ):
        event = "device out" if after.silent else "device degraded"
        kind, detail = after.outage.kind.value, after.outage.detail
        _log.warning(event, device=after.device, kind=kind, reason=detail)
