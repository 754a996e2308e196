"""The event stream: changes of each second, kept in a ring from which every client reads.

The ring is the only buffer: a client that is slower merges what it has missed, and one that has
fallen out of the ring is told to start anew. Alarms are not held back for the second to end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from dcim.clock import Clock
from dcim.model.alarm import Alarm, AlarmEvent
from dcim.model.reading import Reading

T = TypeVar("T")

_FLUSH_S = 1.0
_KEPT_S = 60.0  # after the last client has gone, for its return
_SEQ_PER_S = 1000  # a restarted agent counts on from above every number it has ever used


@dataclass(frozen=True)
class Delta:
    """What has changed: latest readings by point, alarms in order; `tick`: a second is over."""

    seq: int
    batches: Sequence[Sequence[Reading]]  # as they came
    alarms: tuple[Alarm, ...]
    tick: bool = False

    @property
    def readings(self) -> int:
        return sum(map(len, self.batches))

    @cached_property
    def points(self) -> dict[str, Reading]:
        """Made when the first client asks: mostly there is none."""
        return {reading.point: reading for batch in self.batches for reading in batch}


class Resync(Exception):
    """The client's place is no longer in the ring."""


class Stream:
    """An outlet of the hub. Bounded: the oldest changes leave the ring."""

    def __init__(
        self, clock: Clock, *, readings: int = 100_000, deltas: int = 2_000, clients: int = 64
    ) -> None:
        self.seq = int(clock.now()) * _SEQ_PER_S
        self.resyncs = 0  # clients that were too slow
        self.closed = False
        self.max_clients = clients
        self._pending: list[Sequence[Reading]] = []
        self._ring: deque[Delta] = deque()
        self._held = 0  # readings in the ring
        self._most_readings, self._most_deltas = readings, deltas
        self._waiting: set[asyncio.Event] = set()
        self._clients = 0
        self._clock = clock
        self._left_at = clock.now()  # when a client was last seen
        self._shared: tuple[int, object] = (0, None)

    # --- outlet of the hub --------------------------------------------------------------------

    def readings(self, readings: Sequence[Reading]) -> None:
        self._pending.append(readings)

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        self._append((), tuple(event.alarm for event in events))

    # --- the agent's side ---------------------------------------------------------------------

    async def run(self) -> None:
        """Send on, each second, what has changed within it."""
        while not self.closed:
            await asyncio.sleep(_FLUSH_S)
            self.flush()

    def flush(self) -> None:
        """End a second: its latest readings become one delta."""
        batches, self._pending = self._pending, []
        self._append(batches, (), tick=True)
        if self._clients:
            self._left_at = self._clock.now()
        elif self._clock.now() - self._left_at > _KEPT_S:
            self._ring.clear()
            self._held = 0

    def close(self) -> None:
        """End every client's stream."""
        self.closed = True
        self._wake()

    # --- the clients' side --------------------------------------------------------------------

    @property
    def clients(self) -> int:
        return self._clients

    def holds(self, seq: int) -> bool:
        """Whether everything after `seq` is still in the ring."""
        oldest = self._ring[0].seq if self._ring else self.seq + 1
        return oldest - 1 <= seq <= self.seq

    def open(self) -> "Subscription":
        """A client's place in the stream, from now on; close it."""
        self._clients += 1
        return Subscription(self, self.seq)

    def after(self, seq: int) -> Iterator[Delta]:
        """What came after `seq`, oldest first. Raises Resync where some of it is gone."""
        if not self.holds(seq):
            self.resyncs += 1
            raise Resync
        return (delta for delta in list(self._ring) if delta.seq > seq)

    async def wait(self, seq: int) -> None:
        """Until there is something after `seq`, or the stream is closed."""
        while self.seq <= seq and not self.closed:
            event = asyncio.Event()
            self._waiting.add(event)
            try:
                await event.wait()
            finally:
                self._waiting.discard(event)

    def once(self, seq: int, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all clients that have come to `seq`."""
        if self._shared[0] != seq:
            self._shared = (seq, make())
        return cast(T, self._shared[1])

    def left(self) -> None:
        self._clients -= 1

    def _append(
        self, batches: Sequence[Sequence[Reading]], alarms: tuple[Alarm, ...], tick: bool = False
    ) -> None:
        self.seq += 1
        delta = Delta(self.seq, batches, alarms, tick)
        self._ring.append(delta)
        self._held += delta.readings
        while len(self._ring) > self._most_deltas or (
            self._held > self._most_readings and len(self._ring) > 1
        ):
            self._held -= self._ring.popleft().readings
        self._wake()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


class Subscription:
    """One client's way through the stream."""

    def __init__(self, stream: Stream, seq: int) -> None:
        self._stream = stream
        self.seq = seq
        self._open = True

    async def next(self) -> Delta | None:
        """All that has changed since, merged; None where the stream ends. Raises Resync."""
        await self._stream.wait(self.seq)
        if self._stream.closed:
            return None
        merged = merge(self._stream.after(self.seq))
        self.seq = merged.seq
        return merged

    def close(self) -> None:
        if self._open:
            self._open = False
            self._stream.left()


def merge(deltas: Iterable[Delta]) -> Delta:
    """Several deltas as one: the latest of each point and of each alarm."""
    batches: list[Sequence[Reading]] = []
    alarms: dict[str, Alarm] = {}
    seq, tick = 0, False
    for delta in deltas:
        batches += delta.batches
        for alarm in delta.alarms:
            alarms.pop(alarm.id, None)
            alarms[alarm.id] = alarm
        seq, tick = delta.seq, tick or delta.tick
    return Delta(seq, batches, tuple(alarms.values()), tick)
