"""A panel: lines of mark, name, value, unit, bar and trend, in a given number of cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from dcim.model.reading import object_of
from dcim.model.wire import AlarmOut
from tui.state import State, stands
from tui.view import alarmlist, value
from tui.view.text import Row, Span, clean, fit, left, right, width
from tui.view.ui import Ui
from tui.view.value import Scale, Shown

_VALUE_CELLS = 7
_TREND_CELLS = 8
_LONGEST_BAR = 34


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `watches`: objects, or beginnings of addresses, whose alarms mark it."""

    name: str
    shown: Shown
    watches: tuple[str, ...] = ()
    scale: Scale | None = None
    tail: str = ""  # instead of a bar
    trend: str = ""  # point whose last hour is drawn
    rank: int = 1  # 1 stays longest where room is short
    brief: tuple[str, ...] = ()  # instead of the tail, where that does not fit


def draw(
    head: str, items: Sequence[Item], cells: int, room: int, state: State, ui: Ui
) -> list[Row]:
    """A headline and at most `room - 1` items: the marked and the most important ones stay."""
    alarms = [alarm for alarm in state.alarms.values() if stands(alarm)]
    marks = {id(item): _worst(item, alarms) for item in items}
    order = sorted(items, key=lambda item: (marks[id(item)] is None, item.rank))
    kept = {id(item) for item in order[: room - 1]}
    rows = [fit([Span(f"  {head}", "label")], cells)]
    rows += [line(item, marks[id(item)], cells, state, ui) for item in items if id(item) in kept]
    blank: Row = (Span(" " * cells),)
    return [*rows, *[blank] * (room - len(rows))]


def _worst(item: Item, alarms: Sequence[AlarmOut]) -> AlarmOut | None:
    found = [alarm for alarm in alarms if any(_on(alarm.address, w) for w in item.watches)]
    return min(found, key=alarmlist.rank, default=None)


def _on(address: str, watched: str) -> bool:
    return object_of(address) == watched or address == watched or address.startswith(f"{watched}/")


def line(item: Item, alarm: AlarmOut | None, cells: int, state: State, ui: Ui) -> Row:
    """The bar gives way first, then the name; the value never."""
    shown = item.shown
    reading = right(shown.text, _VALUE_CELLS) + (f" {shown.unit}" if shown.unit else "")
    if item.scale is not None and not item.tail:
        reading = left(reading, max(len(reading), _VALUE_CELLS + 6))
    if not reading.startswith(" "):
        reading = f" {reading}"  # a long value does not touch its name
    name_cells = max(0, min(16 if ui.wide else 12, cells - 3 - len(reading)))
    sign = alarmlist.MARKS[alarm.priority] if alarm else "  "
    spans = [Span(sign, alarmlist.role(alarm, ui.flash) if alarm else "value")]
    indent = " " * (len(reading) - len(reading.lstrip()))
    spans.append(Span(left(clean(item.name), name_cells) + indent, "label"))
    spans.append(Span(f"{reading.lstrip()} ", shown.role))
    free = cells - width(spans)
    return fit([*spans, *_rest(item, alarm, free, state, ui)], cells)


def _rest(item: Item, alarm: AlarmOut | None, free: int, state: State, ui: Ui) -> list[Span]:
    if item.shown.age:
        text = f"{item.shown.age} old"
        return [Span(f"{left(text, free)}", "stale")]
    if item.tail:
        room = max(0, free - 1)
        said = next((t for t in (item.tail, *item.brief) if cell_len(t) <= room), None)
        text = said if said is not None else (item.tail, *item.brief)[-1]
        return [Span(left(text, room), item.shown.role)]
    spans: list[Span] = []
    trend_cells = _TREND_CELLS + 2 if ui.wide else 0
    if item.scale is not None:
        room = max(0, free - trend_cells - 1)
        text, pointer = value.bar(min(room, _LONGEST_BAR), item.shown.number, item.scale)
        spans += _bar(text, pointer, f"p{alarm.priority}" if alarm else "strong")
        spans.append(Span(" " * (room - len(text))))
    else:
        spans.append(Span(" " * max(0, free - trend_cells - 1)))
    if trend_cells:
        spans.append(Span(" " + value.trend(state.trends.get(item.trend), _TREND_CELLS), "label"))
    return spans


def _bar(text: str, pointer: int | None, role: str) -> list[Span]:
    if pointer is None:
        return [Span(text, "line")]
    head, sign, tail = text[:pointer], text[pointer], text[pointer + 1 :]
    return [Span(head, "line"), Span(sign, role), Span(tail, "line")]
