"""Sealed days: one Parquet file a UTC day and resolution, which any tool may read.

`raw/2026-11-21.1.parquet` has point, ts (UTC), value (a state's registry integer), quality and
reason; `1min/` and `1h/` have point, ts (start of the step), mean, min, max, last, last_ts and
count of the good and uncertain samples. The number before the suffix is the generation: a day
is rewritten as a whole when late readings come, and the catalogue says which one holds.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from dcim.model.reading import Quality
from dcim.storage.store import USABLE, Part, Sample

DAY_S = 86_400
QUALITIES = tuple(quality.value for quality in Quality)
_USABLE = ", ".join(f"'{quality.value}'" for quality in USABLE)
_EPOCH = date(1970, 1, 1)
_QUERY_LIMIT_S = 60.0
_NICE = 10  # a planner's question yields to the agent


@dataclass(frozen=True, slots=True)
class Resolution:
    """One folder of sealed days, and how long it is kept by default (None: for ever)."""

    name: str
    step_ms: int  # 0: as it came
    keep_d: int | None


RAW = Resolution("raw", 0, 7)
MINUTE = Resolution("1min", 60_000, 400)
HOUR = Resolution("1h", 3_600_000, None)
RESOLUTIONS = (RAW, MINUTE, HOUR)


def day_of(ts: float) -> int:
    """The UTC day of a time, in days since 1970."""
    return int(ts // DAY_S)


def day_file(directory: Path, resolution: Resolution, day: int, generation: int) -> Path:
    name = f"{(_EPOCH + timedelta(day)).isoformat()}.{generation}.parquet"
    return directory / resolution.name / name


def day_files(directory: Path) -> Iterable[tuple[Path, Resolution, int, int]]:
    """Every sealed file with its resolution, day and generation."""
    for resolution in RESOLUTIONS:
        for path in sorted((directory / resolution.name).glob("????-??-??.*.parquet")):
            day, generation, _ = path.name.split(".")
            number = (date.fromisoformat(day) - _EPOCH).days
            yield path, resolution, number, int(generation)


def seal(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    old: dict[Resolution, Path],
    new: dict[Resolution, Path],
) -> None:
    """Write one day: the rows of a query (point, ts, value, quality, reason) and its old files."""
    for resolution, path in new.items():
        before = old.get(resolution)
        query = _raw(rows, before) if resolution is RAW else _steps(rows, before, resolution)
        draft = path.with_suffix(".draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"copy ({query}) to {_quoted(draft)}"
            " (format parquet, compression zstd, row_group_size 100_000)"
        )
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)


def parts_query(rows: str, step_ms: int) -> str:
    """The parts of a trend, from rows with ts, value and quality."""
    return (
        f"select epoch_ms(ts) // {step_ms}, avg(value), min(value), max(value),"
        " epoch_ms(max(ts)), max_by(value, ts), count(*) from "
        f"({rows}) where value is not null and quality in ({_USABLE}) group by 1"
    )


def trend(
    raw: Sequence[Path], steps: Sequence[Path], point: str, span_ms: tuple[int, int], step_ms: int
) -> list[Part]:
    """The parts of a trend that sealed days hold. Runs in the child process."""
    found: list[Part] = []
    where = f"point = $point and ts >= {at(span_ms[0])} and ts < {at(span_ms[1])}"
    if raw:
        rows = f"select ts, value, quality from {_files(raw)} where {where}"
        found += map(Part._make, _ask(parts_query(rows, step_ms), point))
    if steps:
        found += map(Part._make, _ask(_coarser(_files(steps), where, step_ms), point))
    return found


def samples(raw: Sequence[Path], point: str, span_ms: tuple[int, int]) -> list[Sample]:
    """What sealed raw days hold of a point. Runs in the child process."""
    rows = _ask(
        f"select epoch_ms(ts), value, quality from {_files(raw)} where point = $point"
        f" and ts >= {at(span_ms[0])} and ts < {at(span_ms[1])} order by ts",
        point,
    )
    return [Sample(ts / 1000, value, Quality(quality)) for ts, value, quality in rows]


def at(ms: int) -> str:
    """A time as a constant, so that files and row groups outside it are not read."""
    return f"timestamptz '{datetime.fromtimestamp(ms / 1000, UTC).isoformat()}'"


def yield_to_agent() -> None:
    """Initialise the child process: behind the agent while it lives, gone when it dies."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    threading.Thread(target=_end_with_agent, name="agent watch", daemon=True).start()


def _end_with_agent() -> None:
    """Even kill -9 closes the agent's end of the sentinel; an executor's worker would not notice."""
    agent = multiprocessing.parent_process()
    if agent is not None:
        agent.join()
        os._exit(1)


def _ask(query: str, point: str) -> list[Any]:
    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
        watch = threading.Timer(_QUERY_LIMIT_S, connection.interrupt)
        watch.start()
        try:
            return connection.execute(query, {"point": point}).fetchall()
        finally:
            watch.cancel()


def _raw(rows: str, before: Path | None) -> str:
    columns = "point, ts, value, quality, reason"
    union = f" union all select {columns} from {_files([before])}" if before else ""
    return f"select * from (select {columns} from ({rows}){union}) order by point, ts"


def _steps(rows: str, before: Path | None, resolution: Resolution) -> str:
    step = f"to_timestamp(epoch_ms(ts) // {resolution.step_ms} * {resolution.step_ms // 1000})"
    query = (
        f"select point, {step} as ts, avg(value) as mean, min(value) as min, max(value) as max,"
        f" max_by(value, ts) as last, max(ts) as last_ts, count(*) as count from ({rows})"
        f" where value is not null and quality in ({_USABLE}) group by all"
    )
    if before:
        query = (
            "select point, ts, sum(mean * count) / sum(count) as mean, min(min) as min,"
            " max(max) as max, max_by(last, last_ts) as last, max(last_ts) as last_ts,"
            f" sum(count)::bigint as count from ({query} union all select * from"
            f" {_files([before])}) group by all"
        )
    return f"{query} order by point, ts"


def _coarser(source: str, where: str, step_ms: int) -> str:
    return (
        f"select epoch_ms(ts) // {step_ms}, sum(mean * count) / sum(count), min(min), max(max),"
        " epoch_ms(max(last_ts)), max_by(last, last_ts), sum(count)::bigint"
        f" from {source} where {where} group by 1"
    )


def _files(paths: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(_quoted(path) for path in paths)}])"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
