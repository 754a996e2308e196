"""From the hub to the store: batches, the spool while the store is down, and the counts."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import TypeVar

from dcim import log
from dcim.clock import Clock
from dcim.model.alarm import AlarmEvent
from dcim.model.reading import Quality, Reading
from dcim.model.wire import StoreOut
from dcim.storage.spool import Spool, SpoolError
from dcim.storage.store import Store, StoreDown, StoreRefused

A = TypeVar("A")
_state, _quality = attrgetter("state"), attrgetter("quality")

_MAINTAIN_EVERY_S = 3600.0
_LOOK_EVERY_S = 30.0  # how often the clock is asked whether it is time
_STATE_EVERY_S = 900.0  # a state that does not change is stored this often
_BACKOFF_S = (1.0, 30.0)  # first and longest wait before a store that is down is asked again


class StoreWriter:
    """An outlet of the hub; `run` moves what it collects into the store.

    Order holds: what waits in the spool arrives before anything newer. A batch leaves memory for
    the store or for the spool, and the spool when the store has it.
    """

    def __init__(
        self,
        store: Store,
        spool: Spool,
        clock: Clock,
        *,
        batch: int = 10_000,
        every_s: float = 1.0,
        queue: int = 500_000,
    ) -> None:
        self.store = store
        self._spool = spool
        self._clock = clock
        self._batch = batch
        self._every_s = every_s
        self._limit = queue
        self._queue: deque[Reading] = deque()
        self._states: dict[str, tuple[str, Quality, float]] = {}  # code, quality, stored at
        self._full = asyncio.Event()
        self._stored = 0
        self._lost = 0  # dropped here, not yet counted on disk
        self._down: str | None = None
        self._down_since = 0.0
        self._detail: str | None = None
        self._retry_at = 0.0
        self._backoff_s = 0.0
        self._log = log.get("storage")

    # --- outlet of the hub --------------------------------------------------------------------

    def readings(self, readings: Sequence[Reading]) -> None:
        """Collect; where the queue is full, the newcomers are dropped and counted."""
        queue = self._queue
        numbers = {*map(_state, readings)} <= {None}
        fresh = Quality.STALE not in {*map(_quality, readings)}
        if numbers and fresh and len(readings) <= self._limit - len(queue):
            queue.extend(readings)
        else:
            self._sift(readings)
        if len(queue) >= self._batch:
            self._full.set()

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        """Alarms are the journal's."""

    def _sift(self, readings: Sequence[Reading]) -> None:
        queue = self._queue
        for reading in readings:
            if reading.quality is Quality.STALE:
                # what is new is the silence, and that is now; the value's own time is stored
                reading = reading._replace(ts=self._clock.now())
            if reading.state is not None and not self._news(reading):
                continue
            if len(queue) >= self._limit:
                self._lost += 1
                self._states.pop(reading.point, None)  # so that its next reading is news again
                continue
            queue.append(reading)

    def _news(self, reading: Reading) -> bool:
        assert reading.state is not None
        state, quality, at = self._states.get(reading.point, ("", Quality.BAD, -_STATE_EVERY_S))
        if (
            reading.state == state
            and reading.quality is quality
            and 0 <= reading.ts - at < _STATE_EVERY_S
        ):
            return False
        self._states[reading.point] = (reading.state, reading.quality, reading.ts)
        return True

    # --- the way into the store ---------------------------------------------------------------

    async def run(self) -> None:
        """Write until cancelled; then write or spool what is left."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(), name="store writer")
            group.create_task(self._maintain(), name="store maintenance")

    def status(self) -> StoreOut:
        return StoreOut(
            kind=self.store.kind,
            ok=self._down is None,
            detail=self._down or self._detail,
            stored=self._stored,
            queued=len(self._queue),
            spooled=self._spool.pending,
            dropped=self._spool.dropped + self._lost,
        )

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._full.wait()
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                await self._finish()
                raise
            self._full.clear()
            turn = asyncio.create_task(self._turn(), name="store turn")
            try:
                await asyncio.shield(turn)
            except asyncio.CancelledError:
                await turn  # a batch on its way arrives, or is spooled
                await self._finish()
                raise

    async def _turn(self) -> None:
        """Everything collected so far: into the store, or behind what waits in the spool."""
        if self._spool.pending:
            await self._park()
            if self._clock.now() >= self._retry_at:
                await self._drain()
        while self._queue and not self._spool.pending and self._clock.now() >= self._retry_at:
            batch = list(islice(self._queue, self._batch))
            if await self._deliver(batch):
                self._forget(len(batch))
            else:
                await self._park()
        if self._lost:
            lost, self._lost = self._lost, 0
            if not await self._on_disk(self._spool.drop, lost):
                self._lost += lost

    async def _finish(self) -> None:
        """The last turn: what the store does not take is left in the spool."""
        self._retry_at = 0.0
        while self._queue and not self._spool.pending and self._down is None:
            await self._turn()
        await self._park()

    async def _drain(self) -> None:
        while True:
            try:
                first = await asyncio.to_thread(self._spool.first)
            except SpoolError as error:
                self._detail = f"spool: {error}"
                return
            if first is None:
                return
            mark, batch = first
            if not await self._deliver(batch, mark):
                return
            if not await self._on_disk(self._spool.remove, mark):
                return  # the store knows the mark and takes the batch only once
            if len(self._queue) >= self._batch:
                await self._park()

    async def _park(self) -> None:
        """Move the queue to the end of the spool."""
        while self._queue:
            batch = list(islice(self._queue, self._batch))
            if not await self._on_disk(self._spool.push, batch):
                return  # stays in memory, where what does not fit is counted
            self._forget(len(batch))

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._queue.popleft()

    async def _on_disk(self, job: Callable[[A], None], argument: A) -> bool:
        try:
            await asyncio.to_thread(job, argument)
        except SpoolError as error:
            self._detail = f"spool: {error}"
            return False
        return True

    async def _deliver(self, batch: Sequence[Reading], mark: str = "") -> bool:
        """Give a batch to the store; False where it must be given again."""
        dropped = 0
        try:
            await self.store.write(batch, mark)
        except StoreDown as error:
            self._went_down(str(error))
            return False
        except StoreRefused as refused:
            dropped = refused.dropped
            self._detail = f"refused: {refused.reason}"
            self._log.warning("store refused readings", count=dropped, reason=refused.reason)
        self._stored += len(batch) - dropped
        self._lost += dropped
        if self._down is not None:
            self._log.info("store back", outage_s=round(self._clock.now() - self._down_since))
            self._down = None
        self._backoff_s = 0.0
        return True

    def _went_down(self, reason: str) -> None:
        now = self._clock.now()
        if self._down is None:
            self._down_since = now
            self._log.warning("store down", kind=self.store.kind, reason=reason)
        self._down = reason
        first, longest = _BACKOFF_S
        self._backoff_s = min(max(first, 2 * self._backoff_s), longest)
        self._retry_at = now + self._backoff_s

    async def _maintain(self) -> None:
        due = self._clock.now()
        while True:
            if self._clock.now() >= due:
                due = self._clock.now() + _MAINTAIN_EVERY_S
                try:
                    await self.store.maintain()
                except StoreDown as error:
                    self._log.warning("store maintenance failed", reason=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)
