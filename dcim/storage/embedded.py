"""The embedded history: DuckDB for the recent 48 hours, Parquet for every sealed UTC day.

One agent owns the directory. Rows of a day go into one DuckDB table, a chunk; 24 hours after a
day's end its chunks are closed, sealed into Parquet and dropped (dropping a table gives its space
back, deleting rows does not reliably). Later readings of that day open a new chunk, which the next
housekeeping seals into a new generation of the day's files. The catalogue in DuckDB names the
generation that holds, so dropping chunks and taking up files is one transaction.
"""

import asyncio
import contextlib
import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dcim import log
from dcim.clock import Clock
from dcim.model.metric import Registry
from dcim.model.reading import Quality, Reading
from dcim.model.wire import TrendBucket
from dcim.storage import parquet
from dcim.storage.parquet import DAY_S, QUALITIES, RAW, RESOLUTIONS, Resolution
from dcim.storage.store import (
    LATEST_TS,
    Grid,
    Part,
    Sample,
    StoreDown,
    StoreLocked,
    StoreRefused,
    grid,
    number,
)

P = ParamSpec("P")
T = TypeVar("T")

_CODES = {Quality(name): code for code, name in enumerate(QUALITIES)}
_NAMES = "(['" + "', '".join(QUALITIES) + "'])"
_GIVEN = "select point, ts, value, 'good' as quality, null::varchar as reason from given"
_SCHEMA = """
create table if not exists series (id integer not null, point varchar not null);
create table if not exists chunk (id integer not null, day integer not null, closed bool not null);
create table if not exists sealed (day integer not null, generation integer not null);
create table if not exists mark (text varchar not null);
create sequence if not exists chunk_id;
"""


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
        self._registry = registry
        self._keep_d = keep_d
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._series: dict[str, int] = {}
        self._chunks: dict[int, int] = {}  # day -> the chunk that takes its rows
        self._writes = ThreadPoolExecutor(1, "store-write")
        self._reads = ThreadPoolExecutor(1, "store-read")
        self._seals = ThreadPoolExecutor(1, "store-seal")
        self._child: ProcessPoolExecutor | None = None
        self._log = log.get("storage")

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
            await store._run(store._writes, store._connect)
        except BaseException:
            await store.close()
            raise
        return store

    async def write(self, readings: Sequence[Reading], mark: str = "") -> None:
        refused = await self._run(self._writes, self._write, readings, mark)
        if refused:
            raise StoreRefused(refused, "a state or time that the registry does not know")

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        steps = grid(start_s, end_s, step_s)
        parts, files = await self._run(self._reads, self._recent_parts, point, steps)
        raw = [path for resolution, path in files if resolution is RAW]
        coarse = [path for resolution, path in files if resolution is not RAW]
        if files:
            span = (steps.start_ms, steps.end_ms)
            parts += await self._ask(parquet.trend, raw, coarse, point, span, steps.step_ms)
        return steps.buckets(parts)

    async def raw(self, point: str, start_s: float, end_s: float) -> list[Sample]:
        span = (round(start_s * 1000), round(end_s * 1000))
        recent, files = await self._run(self._reads, self._recent_samples, point, span)
        if not files:
            return recent
        return sorted([*await self._ask(parquet.samples, files, point, span), *recent])

    async def backfill(self, rows: pa.Table) -> int:
        """Take a written past: columns point, ts (UTC timestamp) and value; returns its rows.

        Days that are due are sealed at once, the rest goes into DuckDB. For numbers only; every
        row counts as good. Not guarded against being given twice.
        """
        due = self._due(self._clock.now())
        days = await self._run(self._seals, self._split, rows)
        for day, part in days.items():
            if day <= due:
                await self._seal(day, part)
            else:
                await self._run(self._writes, self._take, day, part)
        return int(rows.num_rows)

    async def maintain(self) -> None:
        """Seal the days that are due, delete files beyond their time and superseded ones."""
        now = self._clock.now()
        await self._run(self._seals, self._clear, now)
        for day in await self._run(self._writes, self._close_chunks, self._due(now)):
            await self._seal(day, None)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()
        for executor in (self._seals, self._reads):
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(self._writes, self._disconnect)
        self._writes.shutdown()
        if self._child is not None:
            await asyncio.to_thread(self._child.shutdown, wait=True, cancel_futures=True)

    # --- threads ------------------------------------------------------------------------------

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

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise StoreDown("the history is being reopened")
        return self._connection.cursor()

    # --- on the write thread ------------------------------------------------------------------

    def _connect(self) -> duckdb.DuckDBPyConnection:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / "recent.duckdb"
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "memory_limit": "512MB",
            "temp_directory": str(self._directory / "tmp"),
        }
        try:
            connection = duckdb.connect(str(path), config=config)
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise StoreLocked(_locked(self._directory, str(error))) from None
            raise
        connection.execute("set timezone = 'UTC'")
        connection.execute(_SCHEMA)
        self._adopt(connection)
        self._series = {point: id_ for id_, point in connection.execute("from series").fetchall()}
        chunks = connection.execute("select day, id from chunk where not closed").fetchall()
        self._chunks = dict(chunks)
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _adopt(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take up sealed files of a directory whose DuckDB file is new."""
        if connection.execute("select count(*) from sealed").fetchall() != [(0,)]:
            return
        latest: dict[int, int] = {}
        for _, _, day, generation in parquet.day_files(self._directory):
            latest[day] = max(generation, latest.get(day, 0))
        for row in latest.items():
            connection.execute("insert into sealed values (?, ?)", row)

    def _write(self, readings: Sequence[Reading], mark: str) -> int:
        connection = self._connection or self._connect()
        days, refused = self._by_day(readings)
        try:
            with _transaction(connection):
                if mark:
                    if connection.execute("from mark").fetchall() == [(mark,)]:
                        return 0
                    connection.execute("delete from mark")
                    connection.execute("insert into mark values (?)", [mark])
                for day, columns in days.items():
                    self._insert(connection, day, columns)
        except duckdb.Error:
            # what memory knows of the catalogue may be ahead of it: the next write reads it anew
            self._disconnect()
            raise
        return refused

    def _by_day(self, readings: Sequence[Reading]) -> tuple[dict[int, "_Columns"], int]:
        days: dict[int, _Columns] = {}
        refused = 0
        for reading in readings:
            ts = reading.ts
            if not 0 <= ts < LATEST_TS:
                refused += 1
                continue
            try:
                value = number(reading, self._registry)
            except KeyError:
                refused += 1
                continue
            day = int(ts // DAY_S)
            columns = days.get(day)
            if columns is None:
                columns = days[day] = _Columns()
            columns.points.append(reading.point)
            columns.ts_ms.append(int(ts * 1000 + 0.5))
            columns.values.append(value)
            columns.qualities.append(_CODES[reading.quality])
            columns.reasons.append(reading.reason)
        return days, refused

    def _insert(self, connection: duckdb.DuckDBPyConnection, day: int, columns: "_Columns") -> None:
        ids = self._intern(connection, columns.points)
        with _given(connection, columns.table(ids)):
            connection.execute(f"insert into {self._chunk(connection, day)} from given")

    def _intern(self, connection: duckdb.DuckDBPyConnection, points: list[str]) -> list[int]:
        series = self._series
        try:
            return [series[point] for point in points]
        except KeyError:
            fresh = {
                p: len(series) + i
                for i, p in enumerate(dict.fromkeys(points).keys() - series.keys())
            }
            table = pa.table({"id": pa.array(fresh.values(), pa.int32()), "point": [*fresh]})
            with _given(connection, table):
                connection.execute("insert into series from given")
            series.update(fresh)
            return [series[point] for point in points]

    def _chunk(self, connection: duckdb.DuckDBPyConnection, day: int) -> str:
        """The table that takes a day's rows."""
        if day not in self._chunks:
            ((id_,),) = connection.execute("select nextval('chunk_id')").fetchall()
            connection.execute(
                f"create table chunk_{id_} (series integer not null, ts timestamptz not null,"
                " value double, quality utinyint not null, reason varchar)"
            )
            connection.execute("insert into chunk values (?, ?, false)", [id_, day])
            self._chunks[day] = id_
        return f"chunk_{self._chunks[day]}"

    def _take(self, day: int, rows: pa.Table) -> None:
        """Backfilled rows of a day that is not due."""
        connection = self._connection or self._connect()
        try:
            with _transaction(connection):
                self._intern(connection, rows["point"].unique().to_pylist())
                with _given(connection, rows):
                    connection.execute(
                        f"insert into {self._chunk(connection, day)} select s.id, g.ts, g.value,"
                        f" {_CODES[Quality.GOOD]}, null from given g join series s using (point)"
                    )
        except duckdb.Error:
            self._disconnect()
            raise

    def _close_chunks(self, due: int) -> list[int]:
        """Days up to `due` with rows in DuckDB; from now on their rows open new chunks."""
        connection = self._connection or self._connect()
        with _transaction(connection):
            connection.execute("update chunk set closed = true where day <= ?", [due])
            days = connection.execute(
                "select distinct day from chunk where closed order by day"
            ).fetchall()
        for day in [day for day in self._chunks if day <= due]:
            del self._chunks[day]
        return [day for (day,) in days]

    def _sealed(self, day: int, generation: int, chunks: Sequence[int]) -> None:
        """The files of a generation hold from here on, and the chunks in them are gone."""
        connection = self._connection or self._connect()
        with _transaction(connection):
            for id_ in chunks:
                connection.execute(f"drop table chunk_{id_}")
                connection.execute("delete from chunk where id = ?", [id_])
            connection.execute("delete from sealed where day = ?", [day])
            connection.execute("insert into sealed values (?, ?)", [day, generation])

    # --- on the seal thread -------------------------------------------------------------------

    def _due(self, now: float) -> int:
        """The last day whose end is 24 hours past: DuckDB holds the 48 hours before now."""
        return parquet.day_of(now) - 2

    def _split(self, rows: pa.Table) -> dict[int, pa.Table]:
        """Backfilled rows by day."""
        with duckdb.connect() as connection, _given(connection, rows):
            connection.execute("set timezone = 'UTC'")
            typed: pa.Table = connection.sql(
                "select point::varchar as point, ts::timestamptz as ts, value::double as value,"
                f" epoch_ms(ts::timestamptz) // {DAY_S * 1000} as day from given"
            ).to_arrow_table()
        days = typed["day"].unique().to_pylist()
        return {
            day: typed.filter(pc.equal(typed["day"], day)).drop_columns(["day"]) for day in days
        }

    async def _seal(self, day: int, rows: pa.Table | None) -> None:
        """Write a day's closed chunks, or backfilled rows of it, into its next generation."""
        generation, chunks = await self._run(self._seals, self._write_day, day, rows)
        await self._run(self._writes, self._sealed, day, generation, chunks)

    def _write_day(self, day: int, rows: pa.Table | None) -> tuple[int, list[int]]:
        with self._cursor() as cursor:
            chunks = [] if rows is not None else _chunks(cursor, day, "closed")
            old_generation = _generations(cursor, day, day).get(day, 0)
            old = {
                resolution: path
                for resolution in RESOLUTIONS
                if (path := self._file(resolution, day, old_generation)).exists()
            }
            new = {
                resolution: self._file(resolution, day, old_generation + 1)
                for resolution in RESOLUTIONS
                if not self._expired(resolution, day, self._clock.now())
            }
            if rows is None:
                parquet.seal(cursor, _union(chunks), old, new)
            else:
                with _given(cursor, rows):
                    parquet.seal(cursor, _GIVEN, old, new)
        return old_generation + 1, chunks

    def _clear(self, now: float) -> None:
        """Delete files beyond their time, and those that a later generation has replaced."""
        with self._cursor() as cursor:
            holds = _generations(cursor, 0, parquet.day_of(LATEST_TS))
        for path, resolution, day, generation in list(parquet.day_files(self._directory)):
            if generation != holds.get(day) or self._expired(resolution, day, now):
                path.unlink()

    def _expired(self, resolution: Resolution, day: int, now: float) -> bool:
        keep_d = self._keep_d[resolution]
        return keep_d is not None and day < parquet.day_of(now) - keep_d

    def _file(self, resolution: Resolution, day: int, generation: int) -> Path:
        return parquet.day_file(self._directory, resolution, day, generation)

    # --- on the read thread -------------------------------------------------------------------

    def _recent_parts(
        self, point: str, steps: Grid
    ) -> tuple[list[Part], list[tuple[Resolution, Path]]]:
        """What DuckDB knows of a trend, and the files that know the rest."""
        span = (steps.start_ms, steps.end_ms)
        with self._cursor() as cursor, _transaction(cursor):
            query = self._recent(cursor, point, span)
            rows = cursor.execute(parquet.parts_query(query, steps.step_ms)).fetchall()
            return [Part._make(row) for row in rows], self._files(cursor, span, steps.step_ms)

    def _recent_samples(self, point: str, span: tuple[int, int]) -> tuple[list[Sample], list[Path]]:
        with self._cursor() as cursor, _transaction(cursor):
            query = self._recent(cursor, point, span)
            rows = cursor.execute(
                f"select epoch_ms(ts), value, quality from ({query}) order by ts"
            ).fetchall()
            files = self._files(cursor, span, RAW.step_ms)
        found = [Sample(ts / 1000, value, Quality(quality)) for ts, value, quality in rows]
        return found, [path for resolution, path in files if resolution is RAW]

    def _recent(self, cursor: duckdb.DuckDBPyConnection, point: str, span: tuple[int, int]) -> str:
        """A query for the rows (ts, value, quality) of a point that are still in DuckDB."""
        first, last = (parquet.day_of(ms / 1000) for ms in span)
        where = (
            f"where series = {self._series.get(point, -1)}"
            f" and ts >= {parquet.at(span[0])} and ts < {parquet.at(span[1])}"
        )
        chunks = _chunks(cursor, first, "true", last)
        tables = [
            f"select ts, value, {_NAMES}[quality + 1] as quality from chunk_{id_} {where}"
            for id_ in chunks
        ]
        none = "select null::timestamptz as ts, null::double as value, '' as quality where false"
        return " union all ".join([none, *tables])

    def _files(
        self, cursor: duckdb.DuckDBPyConnection, span: tuple[int, int], step_ms: int
    ) -> list[tuple[Resolution, Path]]:
        """One file a sealed day: the coarsest that fits into the step, else the finest there is."""
        days = _generations(cursor, *(parquet.day_of(ms / 1000) for ms in span))
        chosen = []
        for day, generation in days.items():
            there = [
                (resolution, path)
                for resolution in RESOLUTIONS
                if (path := self._file(resolution, day, generation)).exists()
            ]
            fits = [
                (resolution, path)
                for resolution, path in there
                if resolution is RAW or (step_ms and step_ms % resolution.step_ms == 0)
            ]
            chosen += fits[-1:] or there[:1]
        return chosen


@dataclass(slots=True)
class _Columns:
    """Rows of one day on their way into DuckDB."""

    points: list[str] = field(default_factory=list)
    ts_ms: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    qualities: list[int] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    def table(self, series: list[int]) -> pa.Table:
        return pa.table(
            {
                "series": pa.array(series, pa.int32()),
                "ts": pa.array(self.ts_ms, pa.timestamp("ms", "UTC")),
                "value": pa.array(self.values, pa.float64()),
                "quality": pa.array(self.qualities, pa.uint8()),
                "reason": pa.array(self.reasons, pa.string()),
            }
        )


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a failed commit has rolled back already
            connection.rollback()
        raise
    connection.commit()


@contextlib.contextmanager
def _given(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """An Arrow table by the name `given`."""
    connection.register("given", rows)
    try:
        yield
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.unregister("given")


def _chunks(
    cursor: duckdb.DuckDBPyConnection, first: int, where: str, last: int | None = None
) -> list[int]:
    """Chunks of the days first..last, both included."""
    rows = cursor.execute(
        f"select id from chunk where day between ? and ? and {where} order by id",
        [first, first if last is None else last],
    ).fetchall()
    return [id_ for (id_,) in rows]


def _generations(cursor: duckdb.DuckDBPyConnection, first: int, last: int) -> dict[int, int]:
    """The generation that holds of each sealed day first..last, both included."""
    rows = cursor.execute(
        "select day, generation from sealed where day between ? and ? order by day", [first, last]
    ).fetchall()
    return dict(rows)


def _union(chunks: Sequence[int]) -> str:
    return " union all ".join(
        f"select s.point, c.ts, c.value, {_NAMES}[c.quality + 1] as quality, c.reason"
        f" from chunk_{id_} c join series s on s.id = c.series"
        for id_ in chunks
    )


def _locked(directory: Path, error: str) -> str:
    pid = re.search(r"PID (\d+)", error)
    who = f" (process {pid[1]})" if pid else ""
    return f"the history in {directory} is in use by another agent{who}; one agent a directory"


def _line(error: Exception) -> str:
    """The first line of a library's message."""
    return str(error).strip().partition("\n")[0]
