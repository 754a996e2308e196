"""What a store of readings is, and the ways in which it says no."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from dcim.model.metric import Registry
from dcim.model.reading import Quality, Reading, rfc3339
from dcim.model.wire import TrendBucket

USABLE = (Quality.GOOD, Quality.UNCERTAIN)  # the samples that count in a trend
MAX_BUCKETS = 20_000
LATEST_TS = 4e9  # a time beyond 2096 is a fault


class StoreError(Exception):
    """Something about the store; the message is one line for people, without secrets."""


class StoreDown(StoreError):
    """The store does not take or give anything now; trying again later makes sense."""


class StoreLocked(StoreError):
    """Another agent uses this history; trying again makes no sense."""


class StoreRefused(StoreError):
    """So many readings of the write will never be taken; the rest of it is stored."""

    def __init__(self, dropped: int, reason: str) -> None:
        super().__init__(reason)
        self.dropped = dropped
        self.reason = reason


class Sample(NamedTuple):
    """One stored reading; a state's value is its registry integer."""

    ts: float
    value: float | None
    quality: Quality


class Store(Protocol):
    """Where readings are kept."""

    kind: str

    async def write(self, readings: Sequence[Reading], mark: str = "") -> None:
        """Keep readings, in any order of time.

        A write whose non-empty `mark` is that of the last marked write is a repetition and
        changes nothing. Raises StoreDown (nothing is lost: write again) or StoreRefused.
        """

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        """All steps of `grid`, those without a sample with count 0. Raises StoreDown."""

    async def raw(self, point: str, start_s: float, end_s: float) -> list[Sample]:
        """Everything stored of a point in [start, end), in order of time. Raises StoreDown."""

    async def maintain(self) -> None:
        """Hourly housekeeping; may take minutes and holds up neither writes nor queries."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps of a trend: whole multiples of the step since 1970, in milliseconds."""

    start_ms: int
    end_ms: int
    step_ms: int

    def buckets(self, rows: Sequence["Part"]) -> list[TrendBucket]:
        """Partial aggregates, several to a step, become one bucket a step."""
        steps: dict[int, list[Part]] = {}
        for row in rows:
            steps.setdefault(row.step, []).append(row)
        return [
            self._bucket(step, steps.get(step, []))
            for step in range(self.start_ms // self.step_ms, self.end_ms // self.step_ms)
        ]

    def _bucket(self, step: int, parts: list["Part"]) -> TrendBucket:
        ts = rfc3339(step * self.step_ms / 1000)
        if not parts:
            return TrendBucket(ts=ts)
        count = sum(part.samples for part in parts)
        return TrendBucket(
            ts=ts,
            mean=sum(part.mean * part.samples for part in parts) / count,
            min=min(part.min for part in parts),
            max=max(part.max for part in parts),
            last=max(parts, key=lambda part: part.last_ms).last,
            count=count,
        )


class Part(NamedTuple):
    """What one source knows of one step: `step` is its start over the step's length."""

    step: int
    mean: float
    min: float
    max: float
    last_ms: int
    last: float
    samples: int


def grid(start_s: float, end_s: float, step_s: float) -> Grid:
    """The steps that cover [start, end); ValueError where there are too many, or none."""
    if not (0 <= start_s < end_s < LATEST_TS and 0.001 <= step_s < LATEST_TS):
        raise ValueError("a trend needs an end after its start, and a step of 1 ms or more")
    step_ms = round(step_s * 1000)
    start = math.floor(start_s * 1000 / step_ms) * step_ms
    end = math.ceil(end_s * 1000 / step_ms) * step_ms
    if (end - start) // step_ms > MAX_BUCKETS:
        raise ValueError(f"a trend has at most {MAX_BUCKETS} steps; choose a longer step")
    return Grid(start, end, step_ms)


def number(reading: Reading, registry: Registry) -> float | None:
    """What is stored of a reading's value; KeyError for a state that the registry lacks."""
    if reading.state is not None:
        return float(registry.of(reading.point).states[reading.state])
    value = reading.value
    return value if value is None or math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A store as the user names it: `embedded:DIR` or `influx[s]://HOST:PORT/ORG/BUCKET`."""

    kind: str
    directory: str = ""
    url: str = ""
    org: str = ""
    bucket: str = ""
    text: str = field(default="", compare=False)


def parse_store(text: str) -> StoreAddress:
    """Take a store's name apart; ValueError says what is wrong with it."""
    kind, colon, rest = text.partition(":")
    if kind == "embedded" and rest:
        return StoreAddress("embedded", directory=rest, text=text)
    if kind in ("influx", "influxs") and rest.startswith("//"):
        host, _, path = rest.removeprefix("//").partition("/")
        org, _, bucket = path.partition("/")
        if host and org and bucket and "@" not in host:
            scheme = "https" if kind == "influxs" else "http"
            return StoreAddress("influx", "", f"{scheme}://{host}", org, bucket, text)
    found = text if "@" not in text else kind + colon + "//***"
    raise ValueError(
        f"not a store: {found!r}; expected embedded:DIR or influx://HOST:PORT/ORG/BUCKET"
        " (influxs:// for TLS); the token comes from token_env"
    )
