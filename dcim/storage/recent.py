"""The recent days: DuckDB, fed by Arrow batches, and the catalogue of what has been sealed."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dcim.model.metric import Registry
from dcim.model.reading import Quality, Reading
from dcim.storage import parquet
from dcim.storage.parquet import DAY_S, QUALITIES
from dcim.storage.store import LATEST_TS, Grid, Part, Sample, StoreDown, StoreLocked, number

_point, _value, _ts = attrgetter("point"), attrgetter("value"), attrgetter("ts")
_quality, _reason, _state = attrgetter("quality"), attrgetter("reason"), attrgetter("state")
_CODES = {Quality(name): code for code, name in enumerate(QUALITIES)}
_NAMES = "(['" + "', '".join(QUALITIES) + "'])"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "256MB"}
_SCHEMA = """
create table if not exists series (id integer not null, point varchar not null);
create table if not exists chunk (id integer not null, day integer not null, closed bool not null);
create table if not exists sealed (day integer not null, generation integer not null);
create table if not exists mark (text varchar not null);
create sequence if not exists chunk_id;
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings that no store takes, and why the first of them."""

    count: int = 0
    reason: str = ""


class Recent:
    """The DuckDB file of a history. Changed by one thread alone, asked by any.

    `sealed` says which generation of its files holds for a day: a change of it and the end of the
    chunks that went into the files are one transaction.
    """

    def __init__(self, directory: Path, registry: Registry) -> None:
        self._directory = directory
        self._registry = registry
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._series: dict[str, int] = {}
        self._chunks: dict[int, int] = {}  # day -> the chunk that takes its rows

    # --- on the write thread ------------------------------------------------------------------

    def open(self) -> duckdb.DuckDBPyConnection:
        """Open the file, or make it; StoreLocked where another process has it."""
        if self._connection is not None:
            return self._connection
        self._directory.mkdir(parents=True, exist_ok=True)
        config = _CONFIG | {"temp_directory": str(self._directory / "tmp")}
        try:
            connection = duckdb.connect(str(self._directory / "recent.duckdb"), config=config)
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise StoreLocked(_locked(self._directory, str(error))) from None
            raise
        connection.execute("set timezone = 'UTC'")
        connection.execute(_SCHEMA)
        self._adopt(connection)
        self._series = {point: id_ for id_, point in connection.execute("from series").fetchall()}
        self._chunks = dict(
            connection.execute("select day, id from chunk where not closed").fetchall()
        )
        self._connection = connection
        return connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def write(self, readings: Sequence[Reading], mark: str) -> Refused:
        """Keep readings, once a mark, in one transaction."""
        readings, refused = self._storable(readings)
        with self._change() as connection:
            if mark:
                if connection.execute("from mark").fetchall() == [(mark,)]:
                    return Refused()
                connection.execute("delete from mark")
                connection.execute("insert into mark values (?)", [mark])
            for day, rows in _by_day(readings).items():
                self._insert(connection, day, rows)
        return refused

    def take(self, day: int, rows: pa.Table) -> None:
        """Keep good rows (point, ts, value) of one day."""
        with self._change() as connection:
            self._intern(connection, rows["point"].unique().to_pylist())
            with given(connection, rows):
                connection.execute(
                    f"insert into {self._chunk(connection, day)} select s.id, g.ts, g.value,"
                    f" {_CODES[Quality.GOOD]}, null from given g join series s using (point)"
                )

    def close_chunks(self, due: int) -> list[int]:
        """Days up to `due` with rows here; later rows of theirs open new chunks."""
        with self._change() as connection:
            connection.execute("update chunk set closed = true where day <= ?", [due])
            days = connection.execute(
                "select distinct day from chunk where closed order by day"
            ).fetchall()
            self._chunks = {day: id_ for day, id_ in self._chunks.items() if day > due}
        return [day for (day,) in days]

    def seal(self, day: int, generation: int, chunks: Sequence[int]) -> None:
        """The files of a generation hold from here on; the chunks that went into them end."""
        with self._change() as connection:
            for id_ in chunks:
                connection.execute(f"drop table chunk_{id_}")
                connection.execute("delete from chunk where id = ?", [id_])
            connection.execute("delete from sealed where day = ?", [day])
            connection.execute("insert into sealed values (?, ?)", [day, generation])

    @contextlib.contextmanager
    def _change(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction. After a failure the file is opened anew: DuckDB may have given it up,
        and what memory knows of the catalogue may be ahead of it."""
        connection = self.open()
        try:
            with _transaction(connection):
                yield connection
        except duckdb.Error:
            self.close()
            raise

    def _adopt(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take up sealed files of a directory whose DuckDB file is new."""
        if connection.execute("select count(*) from sealed").fetchall() != [(0,)]:
            return
        latest: dict[int, int] = {}
        for _, _, day, generation in parquet.day_files(self._directory):
            latest[day] = max(generation, latest.get(day, 0))
        for row in latest.items():
            connection.execute("insert into sealed values (?, ?)", row)

    def _storable(self, readings: Sequence[Reading]) -> tuple[Sequence[Reading], Refused]:
        """Without those whose time or state no store takes."""
        unfit = [r for r in readings if not (0 <= r.ts < LATEST_TS and self._has_number(r))]
        if not unfit:
            return readings, Refused()
        first = unfit[0]
        reason = f"{first.point}: state {first.state!r} at {first.ts}"
        fit = [r for r in readings if 0 <= r.ts < LATEST_TS and self._has_number(r)]
        return fit, Refused(len(unfit), reason)

    def _has_number(self, reading: Reading) -> bool:
        if reading.state is None:
            return True
        try:
            return reading.state in self._registry.of(reading.point).states
        except KeyError:
            return False

    def _insert(
        self, connection: duckdb.DuckDBPyConnection, day: int, readings: Sequence[Reading]
    ) -> None:
        ids = self._intern(connection, list(map(_point, readings)))
        with given(connection, self._table(ids, readings)):
            connection.execute(f"insert into {self._chunk(connection, day)} from given")

    def _table(self, ids: list[int], readings: Sequence[Reading]) -> pa.Table:
        """Readings as a chunk's columns."""
        numbers = list(map(_value, readings))
        if {*map(_state, readings)} != {None}:
            numbers = [number(reading, self._registry) for reading in readings]
        values = pa.array(numbers, pa.float64())
        stamps = pa.array(list(map(_ts, readings)), pa.float64())
        ms = pc.floor(pc.add(pc.multiply(stamps, 1000.0), 0.5))
        codes = list(map(_CODES.__getitem__, map(_quality, readings)))
        return pa.table(
            {
                "series": pa.array(ids, pa.int32()),
                "ts": pc.cast(ms, pa.int64()).cast(pa.timestamp("ms", "UTC")),
                "value": pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64())),
                "quality": pa.array(codes, pa.uint8()),
                "reason": pa.array(list(map(_reason, readings)), pa.string()),
            }
        )

    def _intern(self, connection: duckdb.DuckDBPyConnection, points: list[str]) -> list[int]:
        series = self._series
        try:
            return list(map(series.__getitem__, points))
        except KeyError:
            fresh = {
                p: len(series) + i
                for i, p in enumerate(dict.fromkeys(points).keys() - series.keys())
            }
            table = pa.table({"id": pa.array(fresh.values(), pa.int32()), "point": [*fresh]})
            with given(connection, table):
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

    # --- on any thread ------------------------------------------------------------------------

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A way of one's own into the file, for one thread."""
        connection = self._connection
        if connection is None:
            raise StoreDown("the history is being opened anew")
        with connection.cursor() as cursor:
            self._cursors.add(cursor)
            try:
                yield cursor
            finally:
                self._cursors.discard(cursor)

    def interrupt(self) -> None:
        """End what runs on cursors."""
        for cursor in list(self._cursors):
            cursor.interrupt()

    def parts(self, point: str, steps: Grid) -> tuple[list[Part], dict[int, int]]:
        """What is here of a trend, and the generations of the sealed days that have the rest."""
        span = (steps.start_ms, steps.end_ms)
        with self.cursor() as cursor, _transaction(cursor):
            query = parquet.parts_query(self._rows(cursor, point, span), steps.step_ms)
            rows = cursor.execute(query).fetchall()
            return [Part._make(row) for row in rows], _generations(cursor, span)

    def samples(self, point: str, span: tuple[int, int]) -> tuple[list[Sample], dict[int, int]]:
        """What is here of a point in a span of milliseconds, and the sealed days of the rest."""
        with self.cursor() as cursor, _transaction(cursor):
            query = self._rows(cursor, point, span)
            rows = cursor.execute(
                f"select epoch_ms(ts), value, quality from ({query}) order by ts"
            ).fetchall()
            found = [Sample(ts / 1000, value, Quality(quality)) for ts, value, quality in rows]
            return found, _generations(cursor, span)

    def generations(self) -> dict[int, int]:
        """The generation that holds of every sealed day."""
        with self.cursor() as cursor:
            return _generations(cursor, (0, round(LATEST_TS * 1000)))

    def closed(self, day: int) -> list[int]:
        """The closed chunks of a day."""
        with self.cursor() as cursor:
            rows = cursor.execute("select id from chunk where day = ? and closed", [day]).fetchall()
            return [id_ for (id_,) in rows]

    def _rows(self, cursor: duckdb.DuckDBPyConnection, point: str, span: tuple[int, int]) -> str:
        """A query for the rows (ts, value, quality) of a point that are here."""
        chunks = cursor.execute(
            "select id from chunk where day between ? and ?",
            [parquet.day_of(ms / 1000) for ms in span],
        ).fetchall()
        where = (
            f"where series = {self._series.get(point, -1)}"
            f" and ts >= {parquet.at(span[0])} and ts < {parquet.at(span[1])}"
        )
        none = "select null::timestamptz as ts, null::double as value, '' as quality where false"
        tables = [
            f"select ts, value, {_NAMES}[quality + 1] as quality from chunk_{id_} {where}"
            for (id_,) in chunks
        ]
        return " union all ".join([none, *tables])


def rows_of(chunks: Sequence[int]) -> str:
    """A query for all rows of chunks, as `parquet.seal` wants them."""
    return " union all ".join(
        f"select s.point, c.ts, c.value, {_NAMES}[c.quality + 1] as quality, c.reason"
        f" from chunk_{id_} c join series s on s.id = c.series"
        for id_ in chunks
    )


def _by_day(readings: Sequence[Reading]) -> dict[int, Sequence[Reading]]:
    """Readings by the day of their time, in days since 1970."""
    if not readings:
        return {}
    stamps = list(map(_ts, readings))
    first, last = int(min(stamps) // DAY_S), int(max(stamps) // DAY_S)
    if first == last:
        return {first: readings}
    days: dict[int, list[Reading]] = {}
    for reading in readings:
        days.setdefault(int(reading.ts // DAY_S), []).append(reading)
    return dict(days)


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
def given(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """An Arrow table by the name `given`."""
    connection.register("given", rows)
    try:
        yield
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.unregister("given")


def _generations(cursor: duckdb.DuckDBPyConnection, span: tuple[int, int]) -> dict[int, int]:
    days = [parquet.day_of(ms / 1000) for ms in span]
    rows = cursor.execute(
        "select day, generation from sealed where day between ? and ? order by day", days
    ).fetchall()
    return dict(rows)


def _locked(directory: Path, error: str) -> str:
    pid = re.search(r"PID (\d+)", error)
    who = f" (process {pid[1]})" if pid else ""
    return f"the history in {directory} is in use by another agent{who}; one agent a directory"
