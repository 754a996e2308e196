"""The embedded history: DuckDB for the recent 48 hours, Parquet for every sealed UTC day.

One agent owns the directory. Rows of a day go into one DuckDB table, a chunk; 24 hours after a
day's end its chunks are closed, sealed into Parquet and dropped (dropping a table gives its space
back, deleting rows does not reliably). Later readings of that day open a new chunk, which the next
housekeeping seals into a new generation of the day's files.
"""

import asyncio
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dcim.clock import Clock
from dcim.model.metric import Registry
from dcim.model.reading import Reading
from dcim.model.wire import TrendBucket
from dcim.storage import parquet
from dcim.storage.parquet import DAY_S, RAW, RESOLUTIONS, Resolution
from dcim.storage.recent import Recent, given, rows_of
from dcim.storage.store import Sample, StoreDown, StoreRefused, grid

P = ParamSpec("P")
T = TypeVar("T")

_GIVEN = "select point, ts, value, 'good' as quality, null::varchar as reason from given"


class EmbeddedStore:
    """History in a directory of its own; see the module."""

    kind = "embedded"

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        registry: Registry,
        keep_d: Mapping[Resolution, int | None],
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._keep_d = keep_d
        self._recent = Recent(directory, registry)
        self._writes = ThreadPoolExecutor(1, "store-write")
        self._reads = ThreadPoolExecutor(1, "store-read")
        self._seals = ThreadPoolExecutor(1, "store-seal")
        self._sealing = asyncio.Lock()
        self._child: ProcessPoolExecutor | None = None

    @classmethod
    async def open(
        cls,
        directory: Path,
        clock: Clock,
        registry: Registry,
        keep_d: Mapping[Resolution, int | None] | None = None,
    ) -> Self:
        """Open or make the history; StoreLocked where another agent has it, StoreDown else."""
        keep = {resolution: resolution.keep_d for resolution in RESOLUTIONS} | dict(keep_d or {})
        store = cls(directory, clock, registry, keep)
        try:
            await store._run(store._writes, store._recent.open)
        except BaseException:
            await store.close()
            raise
        return store

    async def write(self, readings: Sequence[Reading], mark: str = "") -> None:
        refused = await self._run(self._writes, self._recent.write, readings, mark)
        if refused.count:
            raise StoreRefused(refused.count, refused.reason)

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        steps = grid(start_s, end_s, step_s)
        parts, generations = await self._run(self._reads, self._recent.parts, point, steps)
        files = [self._choose(*day, steps.step_ms) for day in generations.items()]
        raw = [path for resolution, path in filter(None, files) if resolution is RAW]
        coarse = [path for resolution, path in filter(None, files) if resolution is not RAW]
        if raw or coarse:
            span = (steps.start_ms, steps.end_ms)
            parts += await self._ask(parquet.trend, raw, coarse, point, span, steps.step_ms)
        return steps.buckets(parts)

    async def raw(self, point: str, start_s: float, end_s: float) -> list[Sample]:
        span = (round(start_s * 1000), round(end_s * 1000))
        found, generations = await self._run(self._reads, self._recent.samples, point, span)
        files = [path for day in generations.items() if (path := self._file(RAW, *day)).exists()]
        if files:
            found += await self._ask(parquet.samples, files, point, span)
        return sorted(found, key=lambda sample: sample.ts)

    async def backfill(self, rows: pa.Table) -> int:
        """Take a written past: columns point, ts (UTC timestamp) and value; returns its rows.

        Days that are due are sealed at once, the rest goes into DuckDB. For numbers only (a
        state's is its registry integer); every row counts as good. Not guarded against being
        given twice.
        """
        due = self._due()
        days = await self._run(self._seals, _split, rows)
        for day, part in days.items():
            if day <= due:
                await self._seal(day, part)
            else:
                await self._run(self._writes, self._recent.take, day, part)
        return int(rows.num_rows)

    async def maintain(self) -> None:
        """Seal the days that are due, delete files beyond their time and superseded ones."""
        async with self._sealing:
            await self._run(self._seals, self._clear)
        for day in await self._run(self._writes, self._recent.close_chunks, self._due()):
            await self._seal(day, None)

    async def close(self) -> None:
        self._recent.interrupt()
        for executor in (self._seals, self._reads):
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(self._writes, self._recent.close)
        self._writes.shutdown()
        if self._child is not None:
            await asyncio.to_thread(self._child.shutdown, wait=True, cancel_futures=True)

    # --- who does the work --------------------------------------------------------------------

    async def _run(
        self, executor: Executor, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(
                executor, partial(job, *args, **kwargs)
            )
        except duckdb.Error as error:
            raise StoreDown(_line(error)) from error
        except OSError as error:
            raise StoreDown(f"{self._directory}: {error.strerror or error}") from error

    async def _ask(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A question to sealed days, answered by a child process that stands behind the agent."""
        if self._child is None:
            self._child = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), parquet.yield_to_agent
            )
        try:
            return await self._run(self._child, job, *args, **kwargs)
        except BrokenProcessPool:
            self._child = None
            raise StoreDown("the process that reads sealed days died; ask again") from None

    async def _seal(self, day: int, rows: pa.Table | None) -> None:
        """Bring a day's closed chunks, or backfilled rows of it, into its next generation."""
        async with self._sealing:
            generation, chunks = await self._run(self._seals, self._write_day, day, rows)
            await self._run(self._writes, self._recent.seal, day, generation, chunks)

    # --- files, on the seal thread ------------------------------------------------------------

    def _write_day(self, day: int, rows: pa.Table | None) -> tuple[int, list[int]]:
        """Write the next generation of a day; gives it and the chunks that went into it."""
        generation = self._recent.generations().get(day, 0)
        old = dict(self._files(day, generation))
        new = {
            resolution: self._file(resolution, day, generation + 1)
            for resolution in RESOLUTIONS
            if not self._expired(resolution, day)
        }
        with self._recent.cursor() as cursor:
            if rows is not None:
                with given(cursor, rows):
                    parquet.seal(cursor, _GIVEN, old, new)
                return generation + 1, []
            chunks = self._recent.closed(day)
            parquet.seal(cursor, rows_of(chunks), old, new)
            return generation + 1, chunks

    def _clear(self) -> None:
        """Delete files beyond their time, and those that a later generation has replaced."""
        holds = self._recent.generations()
        for draft in self._directory.glob("*/*.draft"):  # of a process that was killed
            draft.unlink()
        for path, resolution, day, generation in list(parquet.day_files(self._directory)):
            if generation != holds.get(day) or self._expired(resolution, day):
                path.unlink()

    def _due(self) -> int:
        """The last day whose end is 24 hours past: DuckDB holds the 48 hours before now."""
        return parquet.day_of(self._clock.now()) - 2

    def _expired(self, resolution: Resolution, day: int) -> bool:
        keep_d = self._keep_d[resolution]
        return keep_d is not None and day < parquet.day_of(self._clock.now()) - keep_d

    def _file(self, resolution: Resolution, day: int, generation: int) -> Path:
        return parquet.day_file(self._directory, resolution, day, generation)

    def _files(self, day: int, generation: int) -> list[tuple[Resolution, Path]]:
        """What there is of a day, the finest first."""
        return [
            (resolution, path)
            for resolution in RESOLUTIONS
            if (path := self._file(resolution, day, generation)).exists()
        ]

    def _choose(self, day: int, generation: int, step_ms: int) -> tuple[Resolution, Path] | None:
        """The coarsest file of a day that fits into the step, else the finest there is."""
        there = self._files(day, generation)
        fits = [file for file in there if file[0] is RAW or step_ms % file[0].step_ms == 0]
        return next(iter(fits[-1:] or there[:1]), None)


def _split(rows: pa.Table) -> dict[int, pa.Table]:
    """Backfilled rows by day."""
    ts = rows["ts"].cast(pa.timestamp("ms", "UTC"))
    rows = pa.table({"point": rows["point"], "ts": ts, "value": rows["value"].cast(pa.float64())})
    days = pc.divide(ts.cast(pa.int64()), DAY_S * 1000)
    return {day: rows.filter(pc.equal(days, day)) for day in sorted(days.unique().to_pylist())}


def _line(error: Exception) -> str:
    """The first line of a library's message."""
    return str(error).strip().partition("\n")[0]
