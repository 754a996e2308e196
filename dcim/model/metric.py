"""The registry of metrics: every quantity the suite knows, with unit, range and meaning."""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UNITS = frozenset(
    [
        "W",
        "VA",
        "var",
        "kWh",
        "kVAh",
        "kvarh",
        "V",
        "A",
        "Ah",
        "Hz",
        "ohm",
        "degC",
        "K",
        "%",
        "%RH",
        "s",
        "l/min",
        "m3",
        "kPa",
        "rpm",
        "m3/h",
        "m/s",
        "m",
        "uS/cm",
        "pH",
        "NTU",
        "l/kWh",
        "kg/kWh",
        "kg",
        "1",
    ]
)


class MetricKind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    STATE = "state"


class Aggregate(StrEnum):
    """How samples over time become one."""

    MEAN = "mean"
    LAST = "last"
    MAX = "max"
    MIN = "min"


class Metric(BaseModel):
    """One quantity. Names the quantity, never the electrical side or the part of the device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    unit: str = "1"
    kind: MetricKind = MetricKind.GAUGE
    range: tuple[float, float] | None = None  # values outside are `bad`
    aggregate: Aggregate = Aggregate.MEAN
    digits: Annotated[int, Field(ge=0, le=6)] = 1  # decimals shown to people
    states: dict[str, int] = {}  # stable code -> stored integer; only for kind state
    safety: bool = False  # polled in the fast group whatever the profile says
    meaning: str


class Registry(Mapping[str, Metric]):
    """Metrics by name. A site's own stand under `x.` and are added by `extended`."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = dict(metrics)

    def __getitem__(self, name: str) -> Metric:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def of(self, point: str) -> Metric:
        """The metric of an address; KeyError where the registry has none."""
        return self._metrics[point.rpartition("/")[2]]

    def unit(self, point: str) -> str:
        return self.of(point).unit

    def extended(self, metrics: Mapping[str, Metric]) -> "Registry":
        return Registry(self._metrics | dict(metrics))


def parse_registry(text: str) -> Registry:
    """Metrics from TOML text: one table a metric, named by the metric in quotes."""
    tables = tomllib.loads(text)
    return Registry({name: Metric(name=name, **table) for name, table in tables.items()})


@cache
def registry() -> Registry:
    """The suite's own registry, `dcim/model/metrics.toml`."""
    return parse_registry(resources.files("dcim.model").joinpath("metrics.toml").read_text("utf-8"))
