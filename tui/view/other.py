"""Help, and the plain list for a terminal that is too small."""

from itertools import zip_longest

from tui import keys
from tui.state import Link, State
from tui.view import alarmlist
from tui.view.frame import framed, status
from tui.view.text import Row, Span, fit, left
from tui.view.ui import Ui

SMALLEST = (80, 24)

SIGNS = (
    "1! 2* 3+ 4o  critical, high, medium, low; changing: not acknowledged",
    "[2*] over by itself, not acknowledged   S* shelved   (+3) consequences",
    "~47.5 uncertain   ? bad, no value   47.5* stale, with age   ?? no data",
    "[..==^=.] range, usual band, value   71+ 80 %, 71* 90 %, 71! 95 % of limit",
    "cat1..3 of a PUE: IT energy measured at the UPS, at the PDUs, at the IT input",
)


def help_rows(state: State, ui: Ui) -> list[Row]:
    """Keys from their table, those of everywhere beside those of the alarms; then the signs."""
    half = ui.columns // 2
    groups = [keys.help_lines(keys.Place.ANY), keys.help_lines(keys.Place.ALARMS)]
    rows: list[Row] = [_halves("EVERYWHERE", "ALARMS", half, "label")]
    for pair in zip_longest(*groups, fillvalue=("", "")):
        first, second = (f"{left(names, 12)} {meaning}" for names, meaning in pair)
        rows.append(_halves(first, second, half, "value"))
    rows.append(_halves("SIGNS", "", half, "label"))
    rows += [fit([Span(f"  {line}")], ui.columns) for line in SIGNS]
    return framed("Help", [fit(row, ui.columns) for row in rows], keys.Place.HELP, state, ui)


def _halves(first: str, second: str, cells: int, role: str) -> Row:
    return (Span(left(f"  {first}", cells), role), Span(left(second, cells), role))


def small(state: State, ui: Ui) -> list[Row]:
    """Too small for the screens: the alarms as text, the connection always."""
    head = f"{ui.columns}x{ui.lines}: too small, needs {SMALLEST[0]}x{SMALLEST[1]}"
    rows = [fit([Span(left(head, ui.columns), "label")], ui.columns)]
    for entry in alarmlist.entries(state)[: max(0, ui.lines - 2)]:
        alarm = entry.alarm
        mark = alarmlist.mark(alarm, ui.flash)
        text = f"{alarmlist.where(alarm)} {alarmlist.against(alarm)} {alarmlist.what(alarm)}"
        rows.append(fit([*mark, Span(text)], ui.columns))
    if not state.alarms:
        text = "no active alarm" if state.link is Link.UP else "no data"
        rows.append(fit([Span(text)], ui.columns))
    rows += [fit([], ui.columns)] * (ui.lines - 1 - len(rows))
    return [*rows[: ui.lines - 1], status(state, ui)][: ui.lines]
