"""PUE, WUE and CUE: live from power, and over a window from energy, divided once.

Source: METRICS sections 1, 2 (live rules 1 to 5), 4, 5 and 10.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dcim.model.asset import MeterRole, Site
from dcim.model.reading import Quality, Reading
from rules.batteries import batteries
from rules.boundary import Boundary, Group
from rules.derive import Formula, Known, Result, derived, fit, why
from rules.ledger import Span, length_s, without

WINDOW_S = 900.0
LIVE_LEAST_S = 10.0  # of it, before a live ratio says anything; before half of it, it is uncertain
POWER_S = 10.0  # sums of meters read at different moments are of the last seconds
LIVE_S = 60.0  # live ratios are of the last minute: meters are not read at the same moment
LEAST_S = 30.0  # covered, before a window says anything
FULL = 0.9  # coverage below which a window is uncertain
PUE_MIN, PUE_MAX = 1.0, 5.0
IT_MIN_SHARE = 0.01  # of the IT capacity
STORAGE_SHARE = 0.01  # of IT power: less in or out of batteries is float charge
CLASS_1 = 0.01  # relative uncertainty of a meter


@dataclass(frozen=True, slots=True)
class Usage:
    """What a window gave. A ratio that could not be computed is None, and `reasons` says why."""

    start: float
    end: float
    pue: float | None
    wue: float | None  # l/kWh
    cue: float | None  # kg/kWh
    total_kwh: float
    it_kwh: float
    water_l: float
    coverage: float  # of PUE
    coverage_wue: float
    category: int | None
    reasons: Mapping[str, str]


def window(boundary: Boundary, site: Site, start: float, end: float) -> Usage:
    """Energy and water over the part of a window that all meters cover."""
    groups = boundary.groups
    total, it = groups[MeterRole.SITE_TOTAL], groups[MeterRole.IT]
    water = groups.get(MeterRole.WATER, Group(missing="no_meter: no point has the role water"))
    reasons: dict[str, str] = {}
    spans = _covered((total, it), start, end)
    total_kwh, it_kwh = (group.grown((start, end), spans) for group in (total, it))
    pue = _ratio("pue", (total, it), total_kwh, it_kwh, spans, reasons)
    if pue is not None and (reason := out_of_range(pue)) is not None:
        pue, reasons["pue"] = None, reason
    wet = _covered((water, it), start, end)
    water_l, wet_kwh = (group.grown((start, end), wet) for group in (water, it))
    wue = _ratio("wue", (water, it), water_l, wet_kwh, wet, reasons)
    if wue is not None and (step := _coarse(water, start, end)) and step > 0.1 * water_l > 0:
        wue, reasons["wue"] = None, f"too_coarse: steps of {step:g} l, {water_l:g} l used"
    factor = site.grid_kg_per_kwh
    cue = None if factor is None or pue is None else factor * pue
    length = end - start
    return Usage(
        start,
        end,
        pue,
        wue,
        cue,
        total_kwh,
        it_kwh,
        water_l,
        length_s(spans) / length if length > 0 else 0.0,
        length_s(wet) / length if length > 0 else 0.0,
        it.category,
        reasons,
    )


def out_of_range(pue: float) -> str | None:
    """Why a PUE is not published though it could be computed."""
    if pue < PUE_MIN:
        return f"below_1: {pue:.3f}, the meters disagree"
    return f"above_5: {pue:.3f}, the meters disagree" if pue > PUE_MAX else None


def _covered(groups: Sequence[Group], start: float, end: float) -> list[Span]:
    if any(group.missing for group in groups):
        return []
    holes = [hole for group in groups for hole in group.holes(start, end)]
    return without((start, end), holes)


def _ratio(
    name: str,
    groups: Sequence[Group],
    above: float,
    below: float,
    spans: Sequence[Span],
    reasons: dict[str, str],
) -> float | None:
    missing = next((group.missing for group in groups if group.missing), None)
    if missing is not None:
        reasons[name] = missing
    elif length_s(spans) < LEAST_S:
        reasons[name] = f"no_data: {length_s(spans):.0f} s of the window are covered"
    elif below <= 0:
        reasons[name] = "no_load: no IT energy in the window"
    elif above < 0:
        reasons[name] = "negative: a meter runs backwards"
    else:
        return above / below
    return None


def _coarse(group: Group, start: float, end: float) -> float | None:
    steps = [step for leaf in group.leaves if (step := leaf.coarse(start, end))]
    return max(steps, default=None)


class Mean:
    """A ratio of two powers over the last minute (or so), from one sample of both a tick."""

    def __init__(self, span_s: float = LIVE_S) -> None:
        self._span_s = span_s
        self._samples: deque[tuple[float, float, float]] = deque()
        self._above = self._below = 0.0

    def add(self, now: float, above: float, below: float) -> None:
        """Take this tick's powers in; what is older than a minute goes."""
        self._samples.append((now, above, below))
        self._above += above
        self._below += below
        while now - self._samples[0][0] >= self._span_s:
            _, old_above, old_below = self._samples.popleft()
            self._above -= old_above
            self._below -= old_below

    @property
    def ratio(self) -> float:
        return self._above / self._below

    def result(self, category: int | None) -> Result:
        """The sum above over the sum below, as far as it may be said yet."""
        span_s = self._samples[-1][0] - self._samples[0][0] if self._samples else 0.0
        if span_s < LIVE_LEAST_S:
            reason = f"no_data: {span_s:.0f} s of power so far"
            return Result(reason=reason, quality=Quality.BAD, category=category)
        ratio = self.ratio
        if (reason_out := out_of_range(ratio)) is not None:
            return Result(reason=reason_out, quality=Quality.BAD, category=category)
        if span_s < LIVE_S / 2:
            reason = f"partial: {span_s:.0f} s of power so far"
            return Result(ratio, reason=reason, quality=Quality.UNCERTAIN, category=category)
        return Result(ratio, category=category)


class Ratios:
    """The site's derived ratios, tick by tick."""

    def __init__(
        self, known: Known, boundary: Boundary, interval_of: Callable[[str], float]
    ) -> None:
        self._known, self._boundary = known, boundary
        self._interval_of = interval_of
        self._site = known.site
        self._batteries = batteries(known, boundary, WINDOW_S)
        self._means: defaultdict[str, Mean] = defaultdict(Mean)  # by the ratio's address
        self._powers: defaultdict[MeterRole, Mean] = defaultdict(lambda: Mean(POWER_S))
        racks = known.site.racks.values()
        capacity_kw = known.site.it_capacity_kw
        if capacity_kw is None:
            capacity_kw = sum(rack.limit_kw or 0.0 for rack in racks)
        self._least_w = max(1000 * IT_MIN_SHARE * capacity_kw, 1.0)

    @property
    def inputs(self) -> set[str]:
        """All points that are looked up."""
        rates = {
            rate
            for groups in (self._boundary.groups, self._boundary.halls)
            for group in groups.values()
            for rate in group.rates
        }
        return rates | self._batteries.inputs

    def live(self, latest: Mapping[str, Reading], now: float) -> list[Reading]:
        """Power of the last seconds: total, by role; PUE of the site and partial PUE of its halls."""
        readings = []
        for role, name in (
            (MeterRole.SITE_TOTAL, ""),
            (MeterRole.IT, "it/"),
            (MeterRole.COOLING, "cooling/"),
        ):
            group = self._boundary.groups.get(role)
            if group is not None and group.leaves:
                formula = self._formula(f"{name}power.active", f"{role}_power", group.rates)
                power, reason, quality = self._sum(group, latest, now)
                if power is not None:
                    self._powers[role].add(now, power, 1.0)
                    power = self._powers[role].ratio
                result = Result(power, reason=reason, quality=quality)
                readings.append(self._reading(formula, result, latest, now))
        readings.append(self._pue(latest, now))
        readings.extend(self._partial(hall, latest, now) for hall in self._partial_halls())
        return readings

    def windowed(self, latest: Mapping[str, Reading], now: float) -> list[Reading]:
        """The last 15 minutes by energy."""
        usage = window(self._boundary, self._site, now - WINDOW_S, now)
        groups = self._boundary.groups
        pue = [groups[MeterRole.SITE_TOTAL], groups[MeterRole.IT]]
        readings = [self._windowed("pue.window", "pue", usage, pue, usage.pue, latest)]
        if MeterRole.WATER in groups:
            wue = [groups[MeterRole.WATER], groups[MeterRole.IT]]
            readings.append(self._windowed("wue", "wue", usage, wue, usage.wue, latest))
        if self._site.grid_kg_per_kwh is not None:
            readings.append(self._windowed("cue", "pue", usage, pue, usage.cue, latest))
        return readings

    def _windowed(
        self,
        metric: str,
        key: str,
        usage: Usage,
        groups: Sequence[Group],
        value: float | None,
        latest: Mapping[str, Reading],
    ) -> Reading:
        coverage = usage.coverage_wue if key == "wue" else usage.coverage
        points = tuple(
            point
            for group in groups
            for leaf in group.leaves
            for point in (leaf.counter_point, leaf.rate_point)
            if point in latest
        )
        reason, quality = usage.reasons.get(key), Quality.GOOD
        if value is None:
            quality = Quality.BAD
        elif coverage < FULL:
            reason, quality = f"partial: {coverage:.0%} of the window covered", Quality.UNCERTAIN
        through_kwh = self._batteries.through_kwh()
        if key == "pue" and usage.it_kwh > 0 and through_kwh > STORAGE_SHARE * usage.it_kwh:
            # without a value: what batteries gave makes the ratio impossible, not the meters
            reason = f"storage_active: {through_kwh:.1f} kWh through batteries in the window"
            quality = Quality.BAD if value is None else Quality.UNCERTAIN
        result = Result(value, None, reason, quality, coverage=coverage, category=usage.category)
        formula = self._formula(metric, metric, points)
        # what a window rests on is its coverage, not how its meters are at this moment
        reading = derived(formula, result, [latest[p] for p in points], coverage, usage.end)
        return reading._replace(quality=quality)

    def _pue(self, latest: Mapping[str, Reading], now: float) -> Reading:
        groups = self._boundary.groups
        total, it = groups[MeterRole.SITE_TOTAL], groups[MeterRole.IT]
        points = (*total.rates, *it.rates, *self._batteries.points)
        formula = self._formula("pue", "pue", points)
        return self._reading(formula, self._pue_result(total, it, latest, now), latest, now)

    def _pue_result(
        self, total: Group, it: Group, latest: Mapping[str, Reading], now: float
    ) -> Result:
        total_w, reason, quality = self._sum(total, latest, now)
        if total_w is None:
            return Result(reason=reason, quality=quality, category=it.category)
        it_w, reason, quality = self._sum(it, latest, now)
        if it_w is None:
            return Result(reason=reason, quality=quality, category=it.category)
        if it_w < self._least_w:
            reason = "no_load: IT power below 1 % of its capacity"
            return Result(reason=reason, quality=Quality.BAD, category=it.category)
        charge_w = self._batteries.charge_w(latest)
        self._batteries.tick(charge_w, now)
        mean = self._means["pue"]
        unread = self._batteries.unread(latest, now)
        if unread is None:
            mean.add(now, total_w - charge_w, it_w)
        result = mean.result(it.category)
        if unread is not None:
            reason = f"storage_active: {unread}"
            quality = Quality.BAD if result.value is None else Quality.UNCERTAIN
            return result._replace(reason=reason, quality=quality)
        if result.value is None:
            return result
        if abs(charge_w) > STORAGE_SHARE * it_w:
            reason = f"storage_active: {charge_w / 1000:.1f} kW into batteries"
            result = result._replace(reason=reason)
        return result._replace(uncertainty=result.value * (2 * CLASS_1**2) ** 0.5)

    def _partial_halls(self) -> list[str]:
        halls = self._boundary.halls
        return [
            h
            for h in self._site.halls
            if {(h, MeterRole.IT), (h, MeterRole.COOLING)} <= halls.keys()
        ]

    def _partial(self, hall: str, latest: Mapping[str, Reading], now: float) -> Reading:
        roles = (MeterRole.IT, MeterRole.COOLING, MeterRole.LOSS)
        groups = [g for role in roles if (g := self._boundary.halls.get((hall, role)))]
        formula = Formula(
            f"{hall}/ppue", "ppue", tuple(p for g in groups for p in g.rates), lambda _: Result()
        )
        powers: list[float] = []
        for group in groups:
            power, reason, quality = self._sum(group, latest, now)
            if power is None:
                return self._reading(formula, Result(reason=reason, quality=quality), latest, now)
            powers.append(power)
        if powers[0] < 1.0:
            result = Result(reason="no_load: no IT power", quality=Quality.BAD)
            return self._reading(formula, result, latest, now)
        mean = self._means[hall]
        mean.add(now, sum(powers), powers[0])
        return self._reading(formula, mean.result(groups[0].category), latest, now)

    def _sum(
        self, group: Group, latest: Mapping[str, Reading], now: float
    ) -> tuple[float | None, str | None, Quality]:
        """The group's power, or why there is none: never a half sum, never an old one."""
        if group.missing is not None:
            return None, group.missing, Quality.BAD
        total_w = 0.0
        for point in group.rates:
            reading = latest.get(point)
            if reading is None or not fit(reading) or reading.value is None:
                stale = reading is None or reading.quality is Quality.STALE
                return None, why(point, latest), Quality.STALE if stale else Quality.BAD
            if now - reading.ts > max(2 * self._interval_of(point), 5.0):
                return None, f"stale: {point}", Quality.STALE
            total_w += reading.value
        return total_w, None, Quality.GOOD

    def _formula(self, tail: str, name: str, points: Sequence[str]) -> Formula:
        return Formula(f"{self._site.id}/{tail}", name, tuple(points), lambda _: Result())

    def _reading(
        self, formula: Formula, result: Result, latest: Mapping[str, Reading], now: float
    ) -> Reading:
        readings = [latest.get(point) for point in formula.inputs]
        used = sum(1 for r in readings if r is not None and fit(r))
        return derived(formula, result, readings, used / len(readings) if readings else 0.0, now)
