"""Derived readings: formulas over points, with what went into them and why there is no value."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dcim.model.asset import Feed, Site
from dcim.model.reading import (
    Derivation,
    Input,
    Quality,
    Reading,
    component_of,
    metric_of,
    object_of,
    worst,
)
from rules.delay import usable

AGENT = "derived"


class Result(NamedTuple):
    """What a formula gives. Without a value, `reason` says why: `code: text`."""

    value: float | None = None
    state: str | None = None
    reason: str | None = None
    quality: Quality = Quality.GOOD  # the formula's own doubt, on top of its inputs'
    uncertainty: float | None = None
    coverage: float | None = None
    category: int | None = None


Compute = Callable[[Sequence[Reading | None]], Result]


@dataclass(frozen=True, slots=True)
class Formula:
    """One derived point. With `complete`, any input missing or unusable means no value."""

    point: str
    id: str
    inputs: tuple[str, ...]
    compute: Compute
    complete: bool = True
    version: int = 1

    def evaluate(self, latest: Mapping[str, Reading], now: float) -> Reading:
        readings = [latest.get(point) for point in self.inputs]
        used = [r if r is not None and fit(r) else None for r in readings]
        missing = [p for p, r in zip(self.inputs, used, strict=True) if r is None]
        if missing and self.complete:
            result = Result(reason=why(missing[0], latest), quality=gone(missing, latest))
        else:
            result = self.compute(used)
        coverage = 1 - len(missing) / len(self.inputs) if self.inputs else 0.0
        return derived(self, result, readings, coverage, now)


def derived(
    formula: Formula,
    result: Result,
    readings: Sequence[Reading | None],
    coverage: float,
    now: float,
) -> Reading:
    """A derived reading with its derivation; its quality is the worst of what it was made of."""
    seen = [r for r in readings if r is not None]
    answered = result.value is not None or result.state is not None
    qualities = [r.quality for r in seen if fit(r)] if answered else []
    return Reading(
        point=formula.point,
        value=result.value,
        ts=now,
        quality=worst([result.quality, *qualities]),
        reason=result.reason,
        state=result.state,
        source=AGENT,
        derivation=Derivation(
            formula=formula.id,
            version=formula.version,
            inputs=tuple(Input(r.point, r.value, now - r.ts, r.quality) for r in seen),
            coverage=coverage if result.coverage is None else result.coverage,
            uncertainty=result.uncertainty,
            category=result.category,
        ),
    )


def fit(reading: Reading) -> bool:
    """Whether a reading may go into a formula."""
    return usable(reading.quality) and (reading.value is not None or reading.state is not None)


def why(point: str, latest: Mapping[str, Reading]) -> str:
    """Why a point cannot be used: `stale: pdu-r01-a/power.active`."""
    reading = latest.get(point)
    if reading is None:
        return f"no_data: {point}"
    return f"stale: {point}" if reading.quality is Quality.STALE else f"bad: {point}"


def gone(points: Iterable[str], latest: Mapping[str, Reading]) -> Quality:
    """Quality of a value that lacks these inputs: stale if that is all that ails them."""
    known = [latest[point].quality for point in points if point in latest]
    return Quality.BAD if any(q is not Quality.STALE for q in known) else Quality.STALE


def values(readings: Sequence[Reading | None]) -> list[float]:
    return [r.value for r in readings if r is not None and r.value is not None]


def total(readings: Sequence[Reading | None]) -> Result:
    return Result(sum(values(readings)))


@dataclass(slots=True)
class Known:
    """What is known of the site's points when formulas are laid out."""

    site: Site
    kinds: Mapping[str, str]
    points: Mapping[str, set[str]]  # by object: `component/metric`
    formulas: dict[str, Formula] = field(default_factory=dict)  # by point, in order of evaluation
    standing: dict[str, list[str]] = field(default_factory=dict)  # devices by place
    feeds_to: dict[str, list[Feed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for device in self.site.devices.values():
            self.standing.setdefault(device.place, []).append(device.id)
        for feed in self.site.feeds:
            self.feeds_to.setdefault(feed.target, []).append(feed)

    def kind(self, device: str) -> str:
        return self.kinds.get(device, "")

    def has(self, point: str) -> bool:
        """Whether a device gives the point or a formula will."""
        return point in self.formulas or self.gives(point)

    def gives(self, point: str) -> bool:
        """Whether a device itself gives the point."""
        return point.partition("/")[2] in self.points.get(object_of(point), ())

    def components(self, device: str, metric: str) -> list[str]:
        """Where on a device a metric is."""
        tails = self.points.get(device, ())
        return sorted(component_of(f"{device}/{t}") for t in tails if metric_of(t) == metric)

    def add(self, formula: Formula) -> None:
        """Lay out a formula, unless a device gives the point itself."""
        if not self.gives(formula.point):
            self.formulas[formula.point] = formula
