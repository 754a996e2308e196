"""The metering boundary: which meters are the site's total, its IT, its cooling and its water."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dcim.model.asset import Metering, MeterRole
from dcim.model.reading import Reading, metric_of, object_of
from rules.delay import usable
from rules.derive import Known
from rules.ledger import CounterLedger, Ledger, RateLedger, Span
from rules.racks import entries, power_points

COUNTER_OF = {"power.active": "energy.active", "flow": "volume"}
RATE_OF = {counter: rate for rate, counter in COUNTER_OF.items()}
PER_S = {"power.active": 1 / 3.6e6, "flow": 1 / 60}  # kWh per W s, l per l/min s
SCALE = {"energy.active": 1.0, "volume": 1000.0}  # kWh, l
FINE = 0.005  # a counter's step as a share of what it counted, to be good enough for a window


@dataclass(slots=True)
class Leaf:
    """One metered quantity: its register, its rate, or both."""

    counter_point: str
    rate_point: str
    counter: CounterLedger
    rate: RateLedger
    device: str

    def take(self, reading: Reading) -> None:
        if reading.value is None or not usable(reading.quality):
            return
        if reading.point == self.rate_point:
            self.rate.add(reading.ts, reading.value)
        elif reading.point == self.counter_point:
            rating = self.rate.highest * self.rate.per_s
            self.counter.add(reading.ts, reading.value, rating or None)

    def ledger(self, start: float, end: float) -> Ledger | None:
        """The better account of a window: the register where it is fine enough, else the rate."""
        counter, rate = self.counter.ledger, self.rate.ledger
        if not rate.times:
            return counter if counter.times else None
        resolution = self.counter.resolution
        if resolution is None or resolution > FINE * counter.grown(start, end):
            return rate
        often = counter.interval_s <= max(rate.interval_s, FINE * (end - start))
        return counter if often else rate

    def coarse(self, start: float, end: float) -> float | None:
        """By how much (kWh, l) a window is uncertain because the register is coarse; None: not."""
        if self.ledger(start, end) is self.counter.ledger and self.counter.resolution:
            return self.counter.resolution
        return None


@dataclass(slots=True)
class Group:
    """All leaves of one role, and why it is incomplete if it is."""

    leaves: tuple[Leaf, ...] = ()
    missing: str | None = None  # "no_meter: ..."
    category: int | None = None

    @property
    def rates(self) -> tuple[str, ...]:
        return tuple(leaf.rate_point for leaf in self.leaves)

    def holes(self, start: float, end: float) -> Iterator[Span]:
        for leaf in self.leaves:
            ledger = leaf.ledger(start, end)
            yield from ledger.holes(start, end) if ledger else [(start, end)]

    def grown(self, window: Span, spans: Iterable[Span]) -> float:
        """The sum over the spans, by the ledger that suits the whole window."""
        ledgers = [leaf.ledger(*window) for leaf in self.leaves]
        return sum(ledger.grown(a, b) for a, b in spans for ledger in ledgers if ledger)


@dataclass(slots=True)
class Boundary:
    """The groups of a site, laid out from its `[[metering]]` or from its feeds graph."""

    history_s: float
    leaves: dict[str, Leaf] = field(default_factory=dict)  # by rate point; outlives a new layout
    groups: dict[MeterRole, Group] = field(default_factory=dict)
    halls: dict[tuple[str, MeterRole], Group] = field(default_factory=dict)
    by_point: dict[str, Leaf] = field(default_factory=dict)

    def lay_out(self, known: Known) -> None:
        metering = known.site.metering
        self.groups = {}
        for role in MeterRole:
            points = [m for m in metering if m.role is role]
            if points:
                self.groups[role] = self._configured(known, points)
        self.groups.setdefault(MeterRole.SITE_TOTAL, self._mains(known))
        self.groups.setdefault(MeterRole.IT, self._racks(known))
        self.halls = {
            (hall, role): self._configured(known, points)
            for hall in known.site.halls
            for role in (MeterRole.IT, MeterRole.COOLING, MeterRole.LOSS)
            if (points := [m for m in metering if m.role is role and _in(known, m, hall)])
        }
        self.by_point = {}
        for leaf in self.leaves.values():
            self.by_point[leaf.rate_point] = self.by_point[leaf.counter_point] = leaf

    def _configured(self, known: Known, metering: list[Metering]) -> Group:
        leaves = tuple(self._leaf(m.point) for m in metering)
        categories = [m.category or _category(known.kind(object_of(m.point))) for m in metering]
        return Group(leaves, category=min(categories))

    def _mains(self, known: Known) -> Group:
        """The first meter below each source of the feeds graph."""
        feeds = known.site.feeds
        roots = {f.source for f in feeds} - {f.target for f in feeds}
        meters: dict[str, None] = {}
        for root in sorted(roots):
            below = _nearest_meters(known, root, frozenset())
            if not below:
                return Group(missing=f"no_meter: nothing measures the supply from {root}")
            meters.update(dict.fromkeys(below))
        if not meters:
            return Group(missing="no_meter: no site_total and no feeds graph")
        return Group(tuple(self._leaf(f"{meter}/power.active") for meter in meters))

    def _racks(self, known: Known) -> Group:
        """Everything by which power enters the racks."""
        leaves: list[Leaf] = []
        for rack in known.site.racks.values():
            at = entries(known, rack)
            if not at and rack.id in known.standing:
                return Group(missing=f"no_meter: nothing measures {rack.id}")
            for entry in at:
                points = power_points(known, entry.device) or [f"{entry.device}/power.active"]
                leaves.extend(self._leaf(point) for point in points)
        if not leaves:
            return Group(missing="no_meter: no rack is measured")
        return Group(tuple(leaves), category=3)

    def _leaf(self, point: str) -> Leaf:
        """The leaf of a register or of a rate; the other one stands beside it."""
        metric = metric_of(point)
        rate = RATE_OF.get(metric, metric)
        counter = COUNTER_OF.get(rate, metric)
        prefix = point.removesuffix(metric)
        key = prefix + rate
        if key not in self.leaves:
            self.leaves[key] = Leaf(
                prefix + counter,
                key,
                CounterLedger(SCALE.get(counter, 1.0), Ledger(self.history_s)),
                RateLedger(PER_S.get(rate, 1.0), Ledger(self.history_s)),
                object_of(point),
            )
        return self.leaves[key]


def _in(known: Known, metering: Metering, hall: str) -> bool:
    return hall in known.site.path(object_of(metering.point))


def _category(kind: str) -> int:
    """PUE category by where IT energy is measured (METRICS section 2)."""
    return {"ups": 1, "hvdc": 1, "rack_pdu": 3, "power_shelf": 3}.get(kind, 2)


def _nearest_meters(known: Known, node: str, seen: frozenset[str]) -> list[str]:
    """The first meters on every way down from a node; empty where one way has none."""
    if known.kind(node) == "meter":
        return [node]
    found: list[str] = []
    for feed in known.site.feeds:
        if feed.source == node and feed.target not in seen:
            below = _nearest_meters(known, feed.target, seen | {node})
            if not below:
                return []
            found.extend(m for m in below if m not in found)
    return found
