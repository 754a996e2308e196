"""InfluxDB 2: readings as line protocol, trends by Flux.

A line is `METRIC,object=ID[,component=PATH][,site=ID] FIELDS MILLISECONDS`. Tags are only what
names a point, so there is one series a point and field. Fields:

- `value`: the number, or a state's registry integer; written only for good and uncertain
  readings, so that every query on it is right without asking for the quality;
- `state`: a state's code, beside its value;
- `quality` and `reason`: written only where the quality is not good. As a tag, quality would
  make a second series of every point and double each other's samples on a rewrite.

The same point and time written again overwrites itself: delivering a batch twice changes nothing.
"""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import isfinite
from typing import Any, TypeVar

import urllib3
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from dcim.model.metric import Registry
from dcim.model.reading import Quality, Reading, component_of, metric_of, object_of, rfc3339
from dcim.model.wire import TrendBucket
from dcim.storage.store import USABLE, Sample, StoreDown, StoreRefused, grid, number

T = TypeVar("T")

_TIMEOUT_MS = 10_000
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\ "})
_TAG = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\n": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\", "\n": " "})
_AGGREGATES = ("mean", "min", "max", "last", "count")


class InfluxStore:
    """History in a bucket of an InfluxDB; see the module."""

    kind = "influx"

    def __init__(
        self, url: str, org: str, bucket: str, token: str, registry: Registry, *, site: str = ""
    ) -> None:
        self._bucket = bucket
        self._registry = registry
        self._site = site
        self._keys: dict[str, str] = {}
        self._client = InfluxDBClient(url=url, token=token, org=org, timeout=_TIMEOUT_MS)
        self._write_api = self._client.write_api(write_options=SYNCHRONOUS)
        self._query_api = self._client.query_api()
        self._writes = ThreadPoolExecutor(1, "influx-write")
        self._reads = ThreadPoolExecutor(1, "influx-read")

    async def write(self, readings: Sequence[Reading], mark: str = "") -> None:
        await self._run(self._writes, self._write, readings)

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        steps = grid(start_s, end_s, step_s)
        found: dict[int, dict[str, float]] = {}
        for row in await self._run(
            self._reads,
            self._ask,
            self._trend_query(point, steps.start_ms, steps.end_ms, steps.step_ms),
        ):
            step_ms = round(row["_time"].timestamp() * 1000)
            found.setdefault(step_ms, {})[row["result"]] = row["_value"]
        return [
            TrendBucket.model_validate({"ts": rfc3339(ms / 1000), **found.get(ms, {})})
            for ms in range(steps.start_ms, steps.end_ms, steps.step_ms)
        ]

    async def raw(self, point: str, start_s: float, end_s: float) -> list[Sample]:
        query = (
            self._select(point, round(start_s * 1000), round(end_s * 1000))
            + ' |> filter(fn: (r) => r._field == "value" or r._field == "quality")'
            + ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            + ' |> sort(columns: ["_time"])'
        )
        return [
            Sample(
                row["_time"].timestamp(), row.get("value"), Quality(row.get("quality") or "good")
            )
            for row in await self._run(self._reads, self._ask, query)
        ]

    async def maintain(self) -> None:
        """InfluxDB keeps house itself: retention is the bucket's."""

    async def close(self) -> None:
        for executor in (self._writes, self._reads):
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        self._write_api.close()
        self._client.close()

    async def _run(self, executor: ThreadPoolExecutor, job: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, partial(job, *args))
        except ApiException as error:
            raise StoreDown(_reason(error)) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreDown(_unreachable(error)) from None

    # --- on the write thread ------------------------------------------------------------------

    def _write(self, readings: Sequence[Reading]) -> None:
        lines: list[str] = []
        refused, reason = 0, ""
        for reading in readings:
            try:
                lines.append(self.line(reading))
            except KeyError:
                refused += 1
                reason = f"{reading.point}: state {reading.state!r} is not in the registry"
        for dropped, why in self._send(lines):
            refused += dropped
            reason = why
        if refused:
            raise StoreRefused(refused, reason)

    def _send(self, lines: list[str]) -> list[tuple[int, str]]:
        """Write lines; gives what was refused. A line that cannot be read is found by halving."""
        if not lines:
            return []
        try:
            self._write_api.write(
                self._bucket, record="\n".join(lines), write_precision=WritePrecision.MS
            )
        except ApiException as error:
            reason = _reason(error)
            if error.status == 422 and (partial_write := re.search(r"dropped=(\d+)", reason)):
                return [(int(partial_write[1]), reason)]  # the rest of the batch is written
            unreadable = error.status == 400 and "unable to parse" in reason
            if not unreadable and error.status != 413:
                raise
            if len(lines) == 1:
                return [(1, reason)]
            half = len(lines) // 2
            return self._send(lines[:half]) + self._send(lines[half:])
        return []

    def line(self, reading: Reading) -> str:
        """A reading as one line; KeyError for a state that the registry lacks."""
        key = self._keys.get(reading.point)
        if key is None:
            key = self._keys[reading.point] = self._key(reading.point)
        if reading.state is None and reading.quality is Quality.GOOD:  # nearly all of them
            value = reading.value
            if value is not None and isfinite(value):
                return f"{key} value={value!r} {int(reading.ts * 1000 + 0.5)}"
        value = number(reading, self._registry)
        fields = []
        if value is not None and reading.quality in USABLE:
            fields.append(f"value={value!r}")
            if reading.state is not None:
                fields.append(f'state="{reading.state}"')
        if reading.quality is not Quality.GOOD or not fields:
            fields.append(f'quality="{reading.quality}"')
            if reading.reason is not None:
                fields.append(f'reason="{reading.reason.translate(_STRING)}"')
        return f"{key} {','.join(fields)} {int(reading.ts * 1000 + 0.5)}"

    def _key(self, point: str) -> str:
        tags = {"component": component_of(point), "object": object_of(point), "site": self._site}
        pairs = [f"{name}={value.translate(_TAG)}" for name, value in tags.items() if value]
        return ",".join([metric_of(point).translate(_MEASUREMENT), *pairs])

    # --- on the read thread -------------------------------------------------------------------

    def _ask(self, query: str) -> list[dict[str, Any]]:
        tables = self._query_api.query(query)
        return [record.values for table in tables for record in table.records]

    def _select(self, point: str, start_ms: int, end_ms: int) -> str:
        component = component_of(point)
        part = f"r.component == {_flux(component)}" if component else "not exists r.component"
        site = f" and r.site == {_flux(self._site)}" if self._site else ""
        return (
            f"from(bucket: {_flux(self._bucket)})"
            f" |> range(start: {rfc3339(start_ms / 1000)}, stop: {rfc3339(end_ms / 1000)})"
            f" |> filter(fn: (r) => r._measurement == {_flux(metric_of(point))}"
            f" and r.object == {_flux(object_of(point))} and {part}{site})"
        )

    def _trend_query(self, point: str, start_ms: int, end_ms: int, step_ms: int) -> str:
        windows = "\n".join(
            f"data |> aggregateWindow(every: {step_ms}ms, fn: {name}, createEmpty: false,"
            f' timeSrc: "_start") |> yield(name: "{name}")'
            for name in _AGGREGATES
        )
        select = self._select(point, start_ms, end_ms)
        return f'data = {select} |> filter(fn: (r) => r._field == "value")\n{windows}'


def _flux(text: str) -> str:
    """A Flux string literal."""
    return json.dumps(text, ensure_ascii=False).replace("${", r"\${")


def _reason(error: ApiException) -> str:
    """What InfluxDB says, in one line: `404: bucket "x" not found`."""
    try:
        text = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        text = error.reason or "no reason given"
    return f"InfluxDB answers {error.status}: {' '.join(str(text).split())[:400]}"


def _unreachable(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return f"InfluxDB does not answer: {' '.join(str(cause).split())[:200]}"
