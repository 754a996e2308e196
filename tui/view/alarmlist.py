"""The list of alarms: order, folding, and one row for each, as Overview and Alarms both show it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

from dcim.model.alarm import AlarmState
from dcim.model.reading import Quality, component_of, metric_of, object_of
from dcim.model.wire import AlarmOut
from tui.state import State, annunciated, seconds
from tui.view import value
from tui.view.text import Row, Span, clean, cut, fit, left
from tui.view.text import width as cells_of
from tui.view.ui import Ui, clock_text, moment

MARKS = {1: "1!", 2: "2*", 3: "3+", 4: "4o"}
_COMPARISON = re.compile(r">=|<=|==|!=|>|<")
_COMMENT_CELLS = 18
_OVER = "over"
_UNACKNOWLEDGED = frozenset([AlarmState.UNACK, AlarmState.LATCH_UNACK, AlarmState.RTN_UNACK])


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list."""

    alarm: AlarmOut
    folded: int = 0  # consequences of it that are not shown
    depth: int = 0  # 1: a consequence under its cause


def rank(alarm: AlarmOut) -> tuple[bool, int, float, str]:
    """Shelved ones last; then highest priority, then newest."""
    return (
        alarm.shelved_until is not None,
        alarm.priority,
        -seconds(alarm.raised_at),
        alarm.id,
    )


def entries(state: State, unfolded: Iterable[str] = (), wanted: str = "") -> list[Entry]:
    """All alarms in order; consequences stand folded under the cause, where that is in the list."""
    alarms = sorted(state.alarms.values(), key=rank)
    children: dict[str, list[AlarmOut]] = {}
    for alarm in alarms:
        if alarm.suppressed_by in state.alarms:
            children.setdefault(alarm.suppressed_by or "", []).append(alarm)
    open_ = set(unfolded)
    out = []
    for alarm in alarms:
        if alarm.suppressed_by in state.alarms:
            continue
        below = children.get(alarm.id, [])
        shown = below if alarm.id in open_ else []
        out.append(Entry(alarm, max(len(below), alarm.suppressed_children) - len(shown)))
        out.extend(Entry(child, depth=1) for child in shown)
    return [entry for entry in out if matches(entry.alarm, wanted)]


def matches(alarm: AlarmOut, wanted: str) -> bool:
    """Text anywhere in what the row says; `!text`: nowhere."""
    text = wanted.removeprefix("!").casefold()
    if not text:
        return True
    said = " ".join([alarm.id, alarm.title, state_text(alarm), *alarm.path, alarm.ack_by or ""])
    return (text in said.casefold()) is not wanted.startswith("!")


def state_text(alarm: AlarmOut) -> str:
    if alarm.shelved_until is not None:
        return "SHELVED"
    if alarm.suppressed_by is not None:
        return "SUPPRESSED"
    match alarm.state:
        case AlarmState.UNACK:
            return "UNACK"
        case AlarmState.ACKED:
            return f"ack {clean(alarm.ack_by or '')}".rstrip()
        case AlarmState.RTN_UNACK:
            return "RTN-UNACK"
        case AlarmState.LATCH_UNACK:
            return "LATCH-UNACK"
        case AlarmState.LATCH_ACKED:
            return "LATCHED"
        case AlarmState.NORM:
            return "normal"


def role(alarm: AlarmOut, flash: bool) -> str:
    """Role of the mark: of its priority, turned over every second while unacknowledged."""
    base = f"p{min(4, max(1, alarm.priority))}"
    if not annunciated(alarm) or alarm.state is AlarmState.RTN_UNACK:
        return "strong" if alarm.state is AlarmState.RTN_UNACK and flash else "label"
    return f"{base}.turned" if alarm.state in _UNACKNOWLEDGED and flash else base


def mark(alarm: AlarmOut, flash: bool) -> Row:
    """Four cells: ` 1! ` standing, `[1!]` returned but unacknowledged, ` S! ` shelved."""
    sign = MARKS[min(4, max(1, alarm.priority))]
    if alarm.shelved_until is not None:
        sign = f"S{sign[1]}"
    how = role(alarm, flash)
    if alarm.state is AlarmState.RTN_UNACK:
        return (Span(f"[{sign}]", how),)
    return (Span(" "), Span(sign, how), Span(" "))


def where(alarm: AlarmOut) -> str:
    return clean(object_of(alarm.address))


def what(alarm: AlarmOut) -> str:
    component = component_of(alarm.address)
    return clean(f"{alarm.title} ({component})" if component else alarm.title)


def against(alarm: AlarmOut) -> str:
    """`47.5 >= 45.0 C` or a state's name, `?` where it is bad; `was WET` once it is over."""
    if alarm.state.active:
        return _measured(alarm)
    raised: dict[str, object] = {"limit": None}
    if alarm.raised_value is not None or alarm.raised_state is not None:
        raised |= {"value": alarm.raised_value, "value_state": alarm.raised_state}
    said = _measured(alarm.model_copy(update=raised))
    return f"was {said}" if said else _OVER


def until(alarm: AlarmOut, state: State, ui: Ui) -> str:
    """Since when the condition is over; empty where it holds."""
    if alarm.state.active or alarm.cleared_at is None:
        return ""
    return clock_text(seconds(alarm.cleared_at), state, ui)


def _measured(alarm: AlarmOut) -> str:
    if alarm.value_state is not None:
        return value.label(alarm.value_state)
    if alarm.value is None:
        kind, colon, _ = clean(alarm.reason or "").partition(": ")  # of an outage
        return "?" if alarm.quality == Quality.BAD else kind if colon else ""
    metric = metric_of(alarm.address)
    text, unit = value.number_text(alarm.value, metric, alarm.unit)
    prefix = {"uncertain": "~", "stale": ""}.get(alarm.quality, "")
    suffix = "*" if alarm.quality == Quality.STALE else ""
    limit = ""
    if alarm.limit is not None:
        found = _COMPARISON.search(alarm.condition)
        bound, bound_unit = value.number_text(alarm.limit, metric, alarm.unit)
        other = f" {bound_unit}" if bound_unit != unit else ""
        limit = f" {found.group() if found else '/'} {bound}{other}"
        unit = "" if other else unit
    return f"{prefix}{text}{suffix}{limit} {unit}".rstrip()


def duration(alarm: AlarmOut, state: State, ui: Ui) -> str:
    """How long it has stood, eight cells; nothing once the condition is over."""
    if not alarm.state.active:
        return "--"
    age = int(state.age_s(alarm.raised_at, ui.now))
    if age >= 86400:
        return f"{age // 86400}d {age % 86400 // 3600:02}h"
    return f"{age // 3600:02}:{age % 3600 // 60:02}:{age % 60:02}"


def row(entry: Entry, state: State, ui: Ui, brief: bool = False) -> Row:
    """One alarm in `ui.columns` cells; `brief` leaves the duration out. The value is never cut."""
    alarm = entry.alarm
    how = "value" if annunciated(alarm) else "stale"
    spans = [*mark(alarm, ui.flash), Span(f"{moment(alarm.raised_at, state, ui)} ", how)]
    if not brief:
        spans.append(Span(f"{duration(alarm, state, ui):<8} ", how))
    spans.append(Span(left(state_text(alarm), 12 if ui.wide else 11) + " ", how))
    indent = "> " if entry.depth else ""
    spans.append(Span(left(f"{indent}{where(alarm)}", 18 if ui.wide else 11) + " ", how))
    over = until(alarm, state, ui) if ui.wide else ""
    tail = against(alarm)
    if over:
        tail = f"{tail}, over {over}" if tail != _OVER else f"{tail} {over}"
    spans.append(Span(_what_and_value(entry, tail, ui.columns - cells_of(spans) - 1, ui.wide), how))
    return fit(spans, ui.columns)


def _what_and_value(entry: Entry, tail: str, cells: int, wide: bool) -> str:
    """The title gives way, its count of consequences and the value do not; a comment if it fits."""
    title = what(entry.alarm)
    more = f" (+{entry.folded})" if entry.folded > 0 else ""
    free = cells - len(more) - len(tail) - 1
    spare = free - cell_len(title) - 4
    if wide and entry.alarm.comment and spare >= _COMMENT_CELLS:
        tail = f'"{cut(clean(entry.alarm.comment), _COMMENT_CELLS)}"  {tail}'
        free = cells - len(more) - cell_len(tail) - 1
    return f"{left(cut(title, max(8, free)) + more, max(8, free + len(more)))} {tail}"


def counts(state: State) -> dict[int, int]:
    """Annunciated alarms by priority."""
    found = dict.fromkeys(MARKS, 0)
    for alarm in state.alarms.values():
        if annunciated(alarm):
            found[min(4, max(1, alarm.priority))] += 1
    return found


def unacknowledged(state: State) -> int:
    return sum(annunciated(a) and a.state in _UNACKNOWLEDGED for a in state.alarms.values())
