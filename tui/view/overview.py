"""The Overview: is anything wrong, where, how much margin is left?"""

from collections.abc import Sequence

from dcim.model.reading import Quality, metric_of, object_of
from dcim.model.wire import RackOut, SiteOut
from tui.keys import Place
from tui.state import Link, State, stands
from tui.view import alarmlist, panel
from tui.view.frame import framed
from tui.view.plant import Plant
from tui.view.text import Row, Span, clean, fit, left, right, rule, spread
from tui.view.ui import Ui
from tui.view.value import label

_USABLE = (Quality.GOOD, Quality.UNCERTAIN)
_SHARE_MARKS = ((95.0, "!"), (90.0, "*"), (80.0, "+"))


def rows(state: State, ui: Ui) -> list[Row]:
    """The whole screen."""
    if state.site is None:
        return framed("L1 Overview", _nothing(ui), Place.OVERVIEW, state, ui)
    plant = Plant(state.site, state, ui.now)
    room = ui.lines - 5 - 2
    floor_room = min(max(4, _grid_rows(state.site) + 1), max(4, room // 3))
    power, cooling = plant.power(), plant.cooling()
    panel_room = min(max(len(power), len(cooling)) + 1, room - floor_room - max(5, room // 4))
    alarm_room = room - floor_room - panel_room
    half = (ui.columns - 2) // 2
    rest = ui.columns - half - 1
    body = [
        *_beside(
            panel.draw("POWER", power, half, panel_room, state, ui),
            panel.draw("COOLING", cooling, rest, panel_room, state, ui),
        ),
        rule(ui.columns),
        *_beside(
            _floor(plant, half, floor_room, ui),
            _capacity(plant, rest, floor_room),
        ),
        rule(ui.columns),
        *_alarms(state.live or state, ui, alarm_room),  # never held
    ]
    return framed("L1 Overview", body, Place.OVERVIEW, state, ui)


def _nothing(ui: Ui) -> list[Row]:
    head = [fit([Span("  no data", "strong")], ui.columns)]
    why = "The agent has not answered yet. Nothing is known of the plant."
    return [*head, fit([Span(f"  {why}", "label")], ui.columns)]


def _beside(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    return [(*a, Span("|", "line"), *b) for a, b in zip(first, second, strict=True)]


def _grid_rows(site: SiteOut) -> int:
    return len({rack.row for rack in site.racks})


def _floor(plant: Plant, cells: int, room: int, ui: Ui) -> list[Row]:
    """Racks by row and position: power in percent of the limit, and what is alarmed."""
    by_row: dict[str, dict[int, RackOut]] = {}
    for rack in plant.site.racks:
        row = by_row.setdefault(rack.row, {})
        row[rack.position or len(row) + 1] = rack
    longest = max((max(row) for row in by_row.values()), default=0)
    name_cells = min(10, max((len(name) for name in by_row), default=5)) + 2
    size = next((n for n in (5, 4, 2) if name_cells + longest * n <= cells), 2)
    numbers = "".join(right(str(n), size - 1) + " " for n in range(1, longest + 1))
    head = [Span(left(" RACKS", name_cells), "label")]
    head.append(Span(numbers if size > 2 else " power, % of limit", "line"))
    out = [fit(head, cells)]
    for name, row in list(by_row.items())[: room - 1]:
        spans = [Span(f" {left(clean(name), name_cells - 2)} ", "label")]
        for position in range(1, longest + 1):
            spans += _cell(plant, row.get(position), size, ui)
        out.append(fit(spans, cells))
    hidden = len(by_row) - (room - 1)
    if hidden > 0:
        out[-1] = fit([Span(f"  and {hidden + 1} more rows", "strong")], cells)
    blank: Row = (Span(" " * cells),)
    return [*out, *[blank] * (room - len(out))]


def _cell(plant: Plant, rack: RackOut | None, size: int, ui: Ui) -> list[Span]:
    if rack is None:
        return [Span(right("--" if size > 2 else "-", size - 1) + " ", "line")]
    share, quality = plant.rack_share(rack.id)
    alarm = min(
        (a for a in plant.state.alarms.values() if stands(a) and rack.id in (*a.path, a.address)),
        key=alarmlist.rank,
        default=None,
    )
    if share is None or quality in (Quality.STALE, Quality.BAD):
        text, sign, role = "??", " ", "stale"
    else:
        text = f"{'~' if quality is Quality.UNCERTAIN else ''}{share:.0f}"
        sign = next((mark for limit, mark in _SHARE_MARKS if share >= limit), " ")
        role = "value"
    if alarm is not None:
        sign, role = alarmlist.MARKS[alarm.priority][1], alarmlist.role(alarm, ui.flash)
    if size == 2:
        short = sign if sign != " " else "?" if text == "??" else "."
        return [Span(short, role), Span(" ")]
    return [Span(right("", size - 1 - len(text))), Span(f"{text}{sign}", role)]


def _capacity(plant: Plant, cells: int, room: int) -> list[Row]:
    """What is known of the room left; what is not known is left out."""
    lines: list[list[Span]] = [[Span("  CAPACITY  free / limit", "label")]]
    lines += [*_power_left(plant), *_failover(plant)]
    out = [fit(line, cells) for line in lines[:room]]
    blank: Row = (Span(" " * cells),)
    return [*out, *[blank] * (room - len(out))]


def _power_left(plant: Plant) -> list[list[Span]]:
    known = {point.point.partition("/")[0]: point for point in plant.rack_power()[0]}
    racks = [r for r in plant.site.racks if r.limit_kw is not None and r.id in known]
    if not racks:
        return [[Span("  power   no data", "stale")]]
    limit = sum(rack.limit_kw or 0.0 for rack in racks)
    used = sum((known[rack.id].value or 0.0) / 1000 for rack in racks)
    stale = plant.state.silent(plant.now)
    partly = f"  ({len(racks)}/{len(plant.site.racks)} racks)"
    text = f"{limit - used:.0f}{'*' if stale else ''} / {limit:.0f} kW"
    lines = [
        [
            Span("  power   ", "label"),
            Span(right(text, 14), "stale" if stale else "value"),
            Span(partly if len(racks) < len(plant.site.racks) else "", "strong"),
        ]
    ]
    found = {rack.id: plant.rack_share(rack.id) for rack in plant.site.racks}
    shares = {
        rack: share for rack, (share, quality) in found.items() if share and quality in _USABLE
    }
    fullest = max(shares, key=shares.__getitem__, default=None)
    if fullest is not None:
        name = left(clean(fullest), 16).rstrip()
        lines.append(
            [Span("  fullest ", "label"), Span(f"{name} {shares[fullest]:.0f} % of its limit")]
        )
    return lines


def _failover(plant: Plant) -> list[list[Span]]:
    """Could each feed carry both? Racks are counted; rows and halls where no rack says."""
    known = [p for p in plant.state.points.values() if metric_of(p.point) == "feed.failover"]
    if not known:
        return []
    racks = {rack.id for rack in plant.site.racks}
    of_racks = [p for p in known if object_of(p.point) in racks]
    points, noun = (of_racks, "racks") if of_racks else (known, "rows")
    unknown = [p for p in points if p.state in ("unknown", None) or plant.stale(p)]
    wrong = [p for p in known if p.state not in ("ok", "unknown", None) and not plant.stale(p)]
    bad = [p for p in points if p in wrong] or wrong
    if bad:
        first = bad[0]
        name = clean(object_of(first.point))
        said = Span(f"{name} {label(first.state or '')}{_more(len(bad))}", "strong")
    elif unknown:
        said = Span(f"{len(unknown)} of {len(points)} {noun} unknown", "stale")
    else:
        said = Span(f"A or B carries all {len(points)} {noun}")
    return [[Span("  feeds   ", "label"), said]]


def _more(number: int) -> str:
    return f", {number - 1} more" if number > 1 else ""


def _alarms(state: State, ui: Ui, room: int) -> list[Row]:
    shown = [e for e in alarmlist.entries(state) if e.alarm.shelved_until is None]
    out = [spread([Span("  ALARMS", "label")], [_summary(state), Span(" ")], ui.columns)]
    if state.link is Link.UP and not shown:
        out.append(fit([Span("  no active alarm", "value")], ui.columns))
    out += [alarmlist.row(entry, state, ui, brief=not ui.wide) for entry in shown[: room - 1]]
    hidden = len(shown) - (room - 1)
    if hidden > 0:
        out[-1] = fit([Span(f"  and {hidden + 1} more: key 5", "strong")], ui.columns)
    return out


def _summary(state: State) -> Span:
    if state.link is not Link.UP:
        return Span("? alarms, ? not acknowledged", "stale")
    counted = sum(alarmlist.counts(state).values())
    noun = "alarm" if counted == 1 else "alarms"
    text = f"{counted} {noun}, {alarmlist.unacknowledged(state)} not acknowledged"
    shelved = sum(a.shelved_until is not None for a in state.alarms.values())
    return Span(f"{text}, {shelved} shelved" if shelved else text, "label")
