"""The graphs and the metering boundary: no power in a circle, no load metered twice."""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations

from dcim.config.draft import Draft
from dcim.config.faults import Report
from dcim.config.references import References
from dcim.config.tables import MeteringTable
from dcim.model.asset import MeterRole
from dcim.model.metric import Registry
from dcim.model.reading import component_of, object_of

_POWER = frozenset(("W", "kWh"))
_UNITS = dict.fromkeys(MeterRole, _POWER) | {MeterRole.WATER: frozenset(("m3",))}
_TOTALS = (MeterRole.SITE_TOTAL, MeterRole.IT)
_NESTED = (*_TOTALS, MeterRole.COOLING)  # a meter counts all that is fed through it
_SIBLING = re.compile(r"L?\d+")

Graph = Mapping[str, frozenset[str]]


def check_feeds(draft: Draft, report: Report) -> None:
    """A circle of feeds, and an edge that stands twice."""
    graph: dict[str, frozenset[str]] = {}
    first: dict[tuple[str, str, str], int] = {}
    for n, edge in draft.feeds.items():
        if not (edge.source and edge.target):  # reported already
            continue
        same = first.setdefault((edge.source, edge.target, edge.feed), n)
        if same != n:
            line = report.line(("feeds", same))
            found = f"{edge.source} -> {edge.target} on feed {edge.feed}"
            report.add(("feeds", n), found, f"an edge of its own (line {line} has it)")
            continue
        if edge.source == edge.target or edge.source in reach(graph, edge.target):
            found = f"{edge.source} -> {edge.target}, which closes a circle"
            report.add(("feeds", n), found, "feeds from the source of power towards the load")
            continue
        graph[edge.source] = graph.get(edge.source, frozenset()) | {edge.target}


def check_metering(
    draft: Draft, references: References, registry: Registry, report: Report
) -> None:
    """Points that are there, units that fit their role, and no load counted twice."""
    sound: dict[int, MeteringTable] = {}
    for n, entry in draft.metering.items():
        path = ("metering", n, "point")
        if not references.point(path, entry.point, ("site", "halls", "racks", "loops", "devices")):
            continue
        metric = registry.of(entry.point)
        if entry.role not in _UNITS:  # reported already
            continue
        if metric.unit not in _UNITS[entry.role]:
            wanted = " or ".join(sorted(_UNITS[entry.role]))
            found = f"{metric.name!r} in {metric.unit}"
            report.add(path, found, f"a metric in {wanted}, as the role {entry.role} wants")
            continue
        sound[n] = entry
    graph = _down(draft)
    for (_, a), (n, b) in combinations(sound.items(), 2):
        why = _twice(a, b, graph)
        if why:
            found = f"{b.point!r}, {why} {a.point!r}"
            report.add(("metering", n, "point"), found, "a load that is metered once")


def reach(graph: Graph, start: str) -> frozenset[str]:
    """Everything fed by `start`, near and far."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for below in graph.get(todo.pop(), frozenset()):
            if below not in seen:
                seen.add(below)
                todo.append(below)
    return frozenset(seen)


def _twice(a: MeteringTable, b: MeteringTable, graph: Graph) -> str | None:
    """How the second of two entries counts what the first has counted; None where it does not."""
    if a.point == b.point:
        return "the same point as"
    if a.role is not b.role:
        return None
    first, second = object_of(a.point), object_of(b.point)
    if first == second:
        return None if _apart(a, b) else "on the same device as"
    if a.role not in _NESTED:
        return None
    if second in reach(graph, first):
        return "which is fed through"
    if first in reach(graph, second):
        return "which feeds"
    return None


def _apart(a: MeteringTable, b: MeteringTable) -> bool:
    """Whether two points of one device can be of two loads."""
    one, other = component_of(a.point), component_of(b.point)
    if a.role in _TOTALS:
        return _siblings(one, other)
    nested = f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
    return bool(one and other) and not nested


def _siblings(a: str, b: str) -> bool:
    """Whether two components are different parts of one kind: outlet/1 and outlet/2, L1 and L3."""
    for one, other in zip(a.split("/"), b.split("/"), strict=False):
        if one != other:
            return bool(_SIBLING.fullmatch(one) and _SIBLING.fullmatch(other))
    return False


def _down(draft: Draft) -> Graph:
    """What each object feeds; a place also holds what stands in it, whose load it includes."""
    graph: dict[str, set[str]] = {}
    for source, target in _edges(draft):
        graph.setdefault(source, set()).add(target)
    return {source: frozenset(targets) for source, targets in graph.items()}


def _edges(draft: Draft) -> Iterator[tuple[str, str]]:
    yield from ((edge.source, edge.target) for edge in draft.feeds.values())
    racks = {rack.id for rack in draft.racks.values()}
    yield from ((d.id, d.place) for d in draft.devices.values() if d.place in racks)
