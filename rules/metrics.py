"""The metric engine: inputs noted as they come, derived readings computed once a second."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dcim.model.asset import Site
from dcim.model.metric import Registry
from dcim.model.reading import Identity, Quality, Reading, component_of, metric_of, object_of
from rules import backup, cooling, racks
from rules.boundary import Boundary, Leaf
from rules.derive import Formula, Known
from rules.usage import Ratios, Usage, window

INPUTS = frozenset(
    [
        "power.active",
        "energy.active",
        "current",
        "voltage",
        "flow",
        "volume",
        "heat",
        "temperature.supply",
        "temperature.return",
        "temperature",
        "humidity",
        "mode",
    ]
)
_PARTS = ("outlet/", "branch/", "module/", "pump/", "fan/", "cell/")  # enter no formula
WINDOW_EVERY_S = 10.0


@dataclass(slots=True)
class Cadence:
    """How often a point answers."""

    last: float = 0.0
    interval_s: float = 0.0

    def note(self, ts: float) -> None:
        last = self.last
        if ts <= last:
            return
        self.last = ts
        if last:
            gap_s = ts - last
            self.interval_s = 0.8 * self.interval_s + 0.2 * gap_s if self.interval_s else gap_s


class MetricEngine:
    """All derived readings of a site. Pure but for its own state: `now` is passed in.

    `readings` are the latest of all points, from which a new layout takes what it starts with.
    """

    def __init__(
        self,
        site: Site,
        registry: Registry,
        readings: Mapping[str, Reading],
        history_s: float = 4 * 3600.0,
    ) -> None:
        self._site, self._registry, self._readings = site, registry, readings
        self._kinds = {d.id: d.kind for d in site.devices.values() if d.kind}
        self._inputs: set[str] = set()  # of formulas and ratios
        self._latest: dict[str, Reading] = {}  # of the inputs, and what the formulas gave
        self._cadence: dict[str, Cadence] = {}  # of the meters' points
        self._points: dict[str, set[str]] = {}  # what may enter a formula, by object
        self._fresh: set[str] = set()
        self._boundary = Boundary(history_s)
        self._plan: list[Formula] = []
        self._dependents: dict[str, list[str]] = {}
        self._ratios: Ratios | None = None
        self._window_at = 0.0

    def meet(self, points: Iterable[str]) -> None:
        """New points: those that may enter a formula make a new layout."""
        for point in points:
            tail = point.partition("/")[2]
            enters = metric_of(point) in INPUTS and not component_of(point).startswith(_PARTS)
            if not enters and not backup.enters(tail):
                continue
            known = self._points.setdefault(object_of(point), set())
            if tail not in known:
                known.add(tail)
                self._ratios = None

    def identified(self, identity: Identity) -> None:
        if self._kinds.get(identity.device) != identity.kind:
            self._kinds[identity.device] = identity.kind
            self._ratios = None

    def update(self, readings: Sequence[Reading], now: float) -> Sequence[Reading]:
        """Note what may enter a formula. Derived readings come with the next tick."""
        inputs, metered = self._inputs, self._boundary.by_point
        for reading in [r for r in readings if r.point in inputs]:
            point = reading.point
            self._latest[point] = reading
            self._fresh.add(point)
            if point in metered:
                self._take(metered[point], reading)
        return ()

    def tick(self, now: float) -> Sequence[Reading]:
        if self._ratios is None:
            self._ratios = self._lay_out()
        derived = self._formulas(now)
        derived.extend(self._ratios.live(self._latest, now))
        if now - self._window_at >= WINDOW_EVERY_S:
            self._window_at = now
            derived.extend(self._ratios.windowed(self._latest, now))
        return derived

    def window(self, start: float, end: float) -> Usage:
        """PUE, WUE and CUE of any window of the last hours, by energy."""
        if self._ratios is None:
            self._ratios = self._lay_out()
        return window(self._boundary, self._site, start, end)

    def _take(self, leaf: Leaf, reading: Reading) -> None:
        leaf.take(reading)
        self._cadence.setdefault(reading.point, Cadence()).note(reading.ts)

    def _lay_out(self) -> Ratios:
        """Find anew what can be computed; accounts of meters already open stay open."""
        known = Known(self._site, self._kinds, self._points)
        racks.lay_out(known)
        backup.lay_out(known)
        cooling.lay_out(known)
        self._boundary.lay_out(known)
        self._plan = list(known.formulas.values())
        self._dependents = {}
        for formula in self._plan:
            for point in formula.inputs:
                self._dependents.setdefault(point, []).append(formula.point)
        ratios = Ratios(known, self._boundary, self._interval_of)
        self._inputs = {*self._dependents, *self._boundary.by_point, *ratios.inputs}
        self._latest |= {p: self._readings[p] for p in self._inputs & self._readings.keys()}
        for point, leaf in self._boundary.by_point.items():
            if point in self._latest:
                self._take(leaf, self._latest[point])
        self._fresh.update(self._dependents.keys() & self._latest.keys())
        return ratios

    def _formulas(self, now: float) -> list[Reading]:
        """Evaluate what depends on anything new, in the order laid out."""
        fresh, self._fresh = self._fresh, set()
        due = {point for new in fresh for point in self._dependents.get(new, ())}
        derived = []
        for formula in self._plan:
            if formula.point not in due:
                continue
            reading = self._in_range(formula.evaluate(self._latest, now))
            self._latest[formula.point] = reading
            due.update(self._dependents.get(formula.point, ()))
            derived.append(reading)
        return derived

    def _in_range(self, reading: Reading) -> Reading:
        span = self._registry.of(reading.point).range
        if reading.value is None or span is None or span[0] <= reading.value <= span[1]:
            return reading
        reason = f"out_of_range: {reading.value:g}"
        return reading._replace(value=None, quality=Quality.BAD, reason=reason)

    def _interval_of(self, point: str) -> float:
        cadence = self._cadence.get(point)
        return cadence.interval_s if cadence else 0.0
