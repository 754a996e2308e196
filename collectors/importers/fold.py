"""Like parts of a map, numbered from one to the next, as one row with a repeat. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from collectors.importers.row import Row


def folded(rows: Sequence[Row]) -> list[Row]:
    """Parts numbered from one to the next at equal distances become one row with a repeat."""
    series: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
    for row in rows:
        for template, number in _templates(row):
            series.setdefault((template, *_likeness(row)), []).append((number, row))
    folded: dict[int, Row] = {}
    gone: set[int] = set()
    for (template, *_), parts in sorted(series.items(), key=lambda one: -len(one[1])):
        free = [(n, row) for n, row in parts if id(row) not in gone and id(row) not in folded]
        stride = _stride(free)
        if stride:
            first = free[0][1]
            repeat = {"count": len(free), "stride": stride, "start": free[0][0]}
            if repeat["start"] == 1:
                del repeat["start"]
            folded[id(first)] = _like(first, template, repeat)
            gone |= {id(row) for _, row in free[1:]}
    return [folded.get(id(row), row) for row in rows if id(row) not in gone]


def _like(row: Row, component: str, repeat: dict[str, Any]) -> Row:
    return replace(row, component=component, repeat=repeat)


def _templates(row: Row) -> Iterator[tuple[str, int]]:
    """The component with one of its numbers replaced by {index}."""
    if row.bits or "address" not in row.at:
        return
    parts = row.component.split("/")
    for place, part in enumerate(parts):
        if part.isdecimal():
            yield "/".join([*parts[:place], "{index}", *parts[place + 1 :]]), int(part)


def _likeness(row: Row) -> tuple[str, ...]:
    at = {key: value for key, value in row.at.items() if key != "address"}
    same = (row.metric, row.unit, row.scale, row.offset, at, row.absent, row.invalid, row.doubtful)
    return tuple(map(str, (*same, row.states, row.other_state, row.when)))


def _stride(parts: Sequence[tuple[int, Row]]) -> int:
    """Addresses from part to part; 0 where they do not stand in a row."""
    if len(parts) < 2:
        return 0
    steps = {
        (after - before, later.at["address"] - one.at["address"])
        for (before, one), (after, later) in pairwise(parts)
    }
    if len(steps) != 1:
        return 0
    number, stride = steps.pop()
    return stride if number == 1 and stride > 0 else 0
