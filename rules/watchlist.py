"""Which rules watch which points: compiled when a point is first seen, then one look-up a reading."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from dcim.model.asset import Site
from dcim.model.metric import Registry
from dcim.model.reading import OutageKind, address, component_of, metric_of, object_of
from rules.rule import AlarmRule, Inhibit, Limit, PlaceKind, RuleSet, Unless
from rules.watch import Gate, LimitSource, Starter, Watcher


@dataclass(slots=True)
class Watch:
    """Everything that wants to see the readings of one point."""

    watchers: tuple[Watcher, ...] = ()
    limit: LimitSource | None = None
    starters: tuple[Starter, ...] = ()
    gates: tuple[Gate, ...] = ()

    @property
    def sources(self) -> bool:
        """Whether others depend on this point."""
        return bool(self.limit or self.starters or self.gates)


@dataclass(slots=True)
class Watchlist:
    """All watchers of a site, and what they watch of the points met so far."""

    rules: RuleSet
    site: Site
    registry: Registry
    watchers: dict[str, Watcher] = field(default_factory=dict)  # by id
    causes: dict[str, list[Watcher]] = field(default_factory=dict)  # that others name, by object
    watches: dict[str, Watch] = field(default_factory=dict)  # by point; none where nobody watches
    outage_kinds: set[OutageKind] = field(default_factory=set)  # that a rule names
    _kinds: dict[str, str] = field(default_factory=dict)
    _compiled: dict[str, dict[str, None]] = field(default_factory=dict)  # points by object
    _limits: dict[str, LimitSource] = field(default_factory=dict)
    _starters: dict[tuple[str, Inhibit], Starter] = field(default_factory=dict)
    _gates: dict[tuple[str, Unless], Gate] = field(default_factory=dict)
    _by_metric: dict[str, list[AlarmRule]] = field(default_factory=dict)
    _outages: list[AlarmRule] = field(default_factory=list)
    _limit_metrics: set[str] = field(default_factory=set)
    _inhibits: set[Inhibit] = field(default_factory=set)
    _unless: dict[tuple[str, str], set[Unless]] = field(default_factory=dict)
    _places: dict[str, PlaceKind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kinds = {d.id: d.kind for d in self.site.devices.values() if d.kind}
        for rule in self.rules.alarms.values():
            if rule.condition == "outage":
                self._outages.append(rule)
                self.outage_kinds |= rule.outages
            else:
                self._by_metric.setdefault(rule.match.metric, []).append(rule)
            for level in rule.level:
                if isinstance(level.limit, Limit) and level.limit.metric:
                    self._limit_metrics.add(level.limit.metric)
            if rule.inhibit:
                self._inhibits.add(rule.inhibit)
            for unless in rule.unless:
                self._unless.setdefault((unless.component, unless.metric), set()).add(unless)
        self._places = _places(self.site)

    def identified(self, device: str, kind: str) -> None:
        """A device's kind has become known: its points are compiled anew."""
        if self._kinds.get(device) == kind:
            return
        self._kinds[device] = kind
        for point in self._compiled.pop(device, {}):
            self.compile(point)

    def compile(self, point: str) -> None:
        """Find, once, who watches a point."""
        compiled = self._compiled.setdefault(object_of(point), {})
        if point in compiled:
            return
        compiled[point] = None
        watch = Watch(
            tuple(self._watcher(rule, point) for rule in self.rules_for(point)),
            self._limit(point),
            tuple(self._starters_of(point)),
            tuple(self._gates_of(point)),
        )
        if watch.watchers or watch.sources:
            self.watches[point] = watch
        else:
            self.watches.pop(point, None)

    def rules_for(self, point: str) -> Iterator[AlarmRule]:
        """The rules that watch a point."""
        component, object_id = component_of(point), object_of(point)
        for rule in self._by_metric.get(metric_of(point), ()):
            fits = rule.match.fits(component) and self._fits(rule, object_id)
            if fits and all(self._has_limit(level.limit, point) for level in rule.level):
                yield rule

    def outage_watchers(self, device: str) -> tuple[Watcher, ...]:
        """The watchers of a device's silence; their address is the device."""
        return tuple(
            self._watcher(rule, device) for rule in self._outages if self._fits(rule, device)
        )

    def restore(self, rule: str, at: str) -> Watcher | None:
        """The watcher of a stored alarm; None where the rule or the object is gone."""
        known = self.rules.alarms.get(rule)
        if known is None or object_of(at) not in self._places:
            return None
        return self._watcher(known, at)

    def _fits(self, rule: AlarmRule, object_id: str) -> bool:
        match = rule.match
        if match.kinds and self._kinds.get(object_id, "") not in match.kinds:
            return False
        return match.object is None or match.object == self._places.get(object_id)

    def _has_limit(self, limit: float | Limit | None, point: str) -> bool:
        return (
            not (isinstance(limit, Limit) and limit.rack)
            or self._rack_limit(limit, point) is not None
        )

    def _rack_limit(self, limit: Limit, point: str) -> float | None:
        rack = self.site.racks.get(object_of(point))
        value: float | None = getattr(rack, limit.rack or "", None)
        return None if value is None else limit.factor * value + limit.offset

    def _watcher(self, rule: AlarmRule, at: str) -> Watcher:
        key = f"{rule.id}@{at}"
        if key in self.watchers:
            return self.watchers[key]
        metric = self.registry.get(metric_of(at)) if rule.condition != "outage" else None
        watcher = Watcher.of(rule, at, metric.unit if metric else "")
        self.watchers[key] = watcher
        if any(explained.is_cause for explained in rule.explained):
            self.causes.setdefault(watcher.object, []).append(watcher)
        for index, level in enumerate(rule.level):
            if isinstance(level.limit, Limit):
                self._bind(watcher, index, level.limit)
        if rule.inhibit:
            watcher.starter = self._starter(object_of(at), rule.inhibit)
            watcher.starter.dependents.append(watcher)
        for unless in rule.unless:
            gate = self._gate(object_of(at), unless)
            gate.dependents.append(watcher)
            watcher.gates.append(gate)
        return watcher

    def _bind(self, watcher: Watcher, index: int, limit: Limit) -> None:
        if limit.metric is None:
            watcher.limits[index] = self._rack_limit(limit, watcher.address)
            return
        at = watcher.address
        component = component_of(at) if limit.component is None else limit.component
        source = self._limits.setdefault(
            address(object_of(at), component, limit.metric), LimitSource()
        )
        source.dependents.append((watcher, index, limit))
        source.apply()

    def _limit(self, point: str) -> LimitSource | None:
        if metric_of(point) not in self._limit_metrics:
            return None
        return self._limits.setdefault(point, LimitSource())

    def _starters_of(self, point: str) -> Iterator[Starter]:
        if metric_of(point) != "run":
            return
        for inhibit in self._inhibits:
            if fnmatchcase(component_of(point), inhibit.component):
                yield self._starter(object_of(point), inhibit)

    def _starter(self, object_id: str, inhibit: Inhibit) -> Starter:
        return self._starters.setdefault((object_id, inhibit), Starter(inhibit.for_s))

    def _gates_of(self, point: str) -> Iterator[Gate]:
        for unless in self._unless.get((component_of(point), metric_of(point)), ()):
            yield self._gate(object_of(point), unless)

    def _gate(self, object_id: str, unless: Unless) -> Gate:
        return self._gates.setdefault((object_id, unless), Gate(unless.states))


def _places(site: Site) -> dict[str, PlaceKind]:
    """What kind of object every id is."""
    places: dict[str, PlaceKind] = {site.id: "site"}
    ids: tuple[tuple[PlaceKind, Mapping[str, object]], ...] = (
        ("hall", site.halls),
        ("row", site.rows),
        ("rack", site.racks),
        ("loop", site.loops),
        ("device", site.devices),
    )
    for kind, objects in ids:
        places.update(dict.fromkeys(objects, kind))
    return places
