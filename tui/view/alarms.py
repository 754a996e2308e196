"""The Alarms screen: what must be done now, who has it; below it the selected alarm in full."""

from collections.abc import Sequence

from dcim.model.wire import AlarmOut
from tui.keys import Place
from tui.state import Link, State, seconds
from tui.view import alarmlist
from tui.view.frame import framed
from tui.view.text import Row, Span, clean, fit, left, rule, wrap
from tui.view.ui import Ui, clock_text
from tui.view.value import duration

_DETAIL_LABEL = 13


def rows(state: State, ui: Ui) -> list[Row]:
    """The whole screen."""
    listed = alarmlist.entries(state, ui.unfolded, ui.filter)
    detail_room = min(18, max(9, (ui.lines - 6) // 2))
    list_room = ui.lines - 5 - 1 - detail_room - 2
    current = selected(listed, ui)
    index = next((i for i, entry in enumerate(listed) if entry.alarm.id == current), 0)
    top = min(max(0, index - list_room // 2), max(0, len(listed) - list_room))
    body = [_explained(listed, top, list_room, state, ui), _columns(ui)]
    for entry in listed[top : top + list_room]:
        row = alarmlist.row(entry, state, ui)
        body.append(_focused(row) if entry.alarm.id == current else row)
    body += _empty(listed, state, ui)
    body += [()] * (2 + list_room - len(body))
    body.append(rule(ui.columns))
    alarm = state.alarms.get(current)
    body += detail(alarm, state, ui)[:detail_room] if alarm else []
    padded = [fit(row, ui.columns) for row in body]
    return framed("L2 Alarms", padded, Place.ALARMS, state, ui)


def selected(listed: Sequence[alarmlist.Entry], ui: Ui) -> str:
    """The alarm at the cursor; the first one where the cursor's has gone."""
    ids = [entry.alarm.id for entry in listed]
    return ui.cursor if ui.cursor in ids else ids[0] if ids else ""


def moved(state: State, ui: Ui, lines: int) -> str:
    """The alarm so many lines below the cursor, or the last one there is."""
    listed = alarmlist.entries(state, ui.unfolded, ui.filter)
    ids = [entry.alarm.id for entry in listed]
    if not ids:
        return ""
    at = ids.index(selected(listed, ui))
    return ids[min(len(ids) - 1, max(0, at + lines))]


def _focused(row: Row) -> Row:
    """The line at the cursor in reverse; its priority mark keeps its colour."""
    return tuple(Span(s.text, s.role if s.role[0] == "p" else "reverse") for s in row)


def _explained(listed: Sequence[alarmlist.Entry], top: int, room: int, state: State, ui: Ui) -> Row:
    wanted = f"filter: {clean(ui.filter)}" if ui.filter else "filter: none"
    last = min(len(listed), top + room)
    part = f"   lines {top + 1}-{last} of {len(listed)}" if len(listed) > room else ""
    spans = [Span(f"  sort: priority, newest   {wanted}{part}", "label")]
    if ui.filter:
        hidden = len(alarmlist.entries(state, ui.unfolded)) - len(listed)
        spans.append(Span(f"   {hidden} hidden", "strong"))
    if missed := state.missed():
        spans.append(Span(f"   {len(missed)} new since the pause: p", "reverse"))
    return fit(spans, ui.columns)


def _columns(ui: Ui) -> Row:
    state_cells, where_cells = (12, 18) if ui.wide else (11, 11)
    text = f"  P {'raised':<8} {'for':<8} {'state':<{state_cells}} {'where':<{where_cells}} what"
    return fit([Span(left(text, ui.columns - 6) + " value", "label")], ui.columns)


def _empty(listed: Sequence[alarmlist.Entry], state: State, ui: Ui) -> list[Row]:
    if listed:
        return []
    if state.link is not Link.UP:
        return [fit([Span("  no data", "strong")], ui.columns)]
    text = "  no alarm matches the filter" if ui.filter else "  no active alarm"
    if state.live is not None:
        text = "  no alarm when the pause began"
    return [fit([Span(text)], ui.columns)]


def detail(alarm: AlarmOut, state: State, ui: Ui) -> list[Row]:
    """Everything about one alarm that helps to answer it."""
    path = " > ".join(clean(step) for step in alarm.path) or clean(alarm.address)
    head = [*alarmlist.mark(alarm, False), Span(f"{clean(alarm.title)}  ", "strong"), Span(path)]
    facts = [
        ("value", f"{_value(alarm)}; {_standing(alarm, state, ui)}"),
        ("because", clean(alarm.because)),
        ("raised", _raised(alarm, state, ui)),
        ("answered", _answered(alarm, state, ui)),
        ("action", clean(alarm.action)),
        ("cause", clean(alarm.cause)),
        ("consequence", clean(alarm.consequence)),
        ("condition", clean(alarm.condition)),
        ("point", clean(alarm.address)),
        ("runbook", clean(alarm.runbook_url)),
    ]
    out: list[Row] = [fit(head, ui.columns)]
    for name, text in facts:
        lines = wrap(text, ui.columns - _DETAIL_LABEL - 3)
        for number, line in enumerate(lines):
            first = left(f"  {name}" if number == 0 else "", _DETAIL_LABEL + 2)
            out.append(fit([Span(first, "label"), Span(line)], ui.columns))
    return out


def _value(alarm: AlarmOut) -> str:
    reason = f" ({clean(alarm.reason)})" if alarm.reason else ""
    quality = "" if alarm.quality == "good" else f"  quality {clean(alarm.quality)}"
    return f"{alarmlist.against(alarm) or '-'}{quality}{reason}"


def _standing(alarm: AlarmOut, state: State, ui: Ui) -> str:
    words = alarm.state.words
    if alarm.state.active or alarm.cleared_at is None:
        return words
    stood_s = seconds(alarm.cleared_at) - seconds(alarm.raised_at)
    since = f"over since {alarmlist.until(alarm, state, ui)} after {' '.join(duration(stood_s))}"
    return words.replace("over", since, 1)


def _raised(alarm: AlarmOut, state: State, ui: Ui) -> str:
    at = clock_text(seconds(alarm.raised_at), state, ui, "%Y-%m-%d %H:%M:%S")
    text = f"{at}, occurrence {alarm.occurrence}"
    if alarm.suppressed_by:
        text += f", consequence of {clean(alarm.suppressed_by)}"
    return text


def _answered(alarm: AlarmOut, state: State, ui: Ui) -> str:
    text = ""
    if alarm.acked_at:
        at = clock_text(seconds(alarm.acked_at), state, ui)
        text = f"{clean(alarm.ack_by or '?')} at {at}"
    if alarm.comment:
        text += f' "{clean(alarm.comment)}"'
    if alarm.shelved_until:
        until = clock_text(seconds(alarm.shelved_until), state, ui, "%Y-%m-%d %H:%M")
        text += f" shelved until {until}"
    return text.strip()
