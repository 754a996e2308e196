"""What every screen has: title with counters, status of the agent, keys."""

from collections.abc import Sequence

from dcim.model.wire import StatusOut
from tui import keys
from tui.state import Link, State
from tui.view import alarmlist
from tui.view.text import Row, Span, clean, fit, left, rule, spread, width
from tui.view.ui import Ui, clock_text

_BAD_SHARE = 0.2
_CLOCK_TOLERANCE_S = 2.0


def framed(name: str, body: Sequence[Row], place: keys.Place, state: State, ui: Ui) -> list[Row]:
    """A whole screen: title, rule, body filled up or cut to what is free, rule, two lines of foot."""
    room = ui.lines - 5
    blank: Row = (Span(" " * ui.columns),)
    filled = [*body[:room], *[blank] * (room - len(body))]
    current = state.live or state  # counters and connection are never held
    rows = [title(name, current, ui), rule(ui.columns), *filled, rule(ui.columns)]
    return [*rows, status(current, ui), foot(place, ui)]


def title(name: str, state: State, ui: Ui) -> Row:
    live = state.link is Link.UP
    place = clean(state.site.name or state.site.id) if state.site else "-"
    first = [Span(f" {left(place, 24).rstrip()}", "strong"), Span(f"  {name}", "label")]
    if ui.paused_at is not None:
        first.append(Span("  "))
        first.append(Span(" PAUSED ", "reverse"))
    if ui.muted:
        first.append(Span("  muted", "strong"))
    last: list[Span] = []
    for priority, number in alarmlist.counts(state).items():
        if priority == 4 and not ui.wide:
            continue
        loud = live and number
        last.append(Span(f"[{alarmlist.MARKS[priority]}]", f"p{priority}" if loud else "label"))
        last.append(Span(f"{number if live else '?'} ", "strong" if loud else "label"))
    last += [*_points(state, live, ui.wide), Span("  ", "label")]
    last += [*_clock_error(state, live), Span(_now(state, ui), "value"), Span(" ")]
    return spread(first, last, ui.columns)


def _points(state: State, live: bool, wide: bool) -> list[Span]:
    if not live or state.status is None:
        return [Span(" points ?" if wide else " stale ?", "stale")]
    points = state.status.points
    total = sum(points.values())
    bad, stale = points.get("bad", 0), points.get("stale", 0)
    if total and (bad + stale) / total > _BAD_SHARE:
        return [Span(f" BAD DATA {100 * (bad + stale) // total} %", "reverse")]
    text = f" points {points.get('good', 0)}/{total} good," if wide else ""
    return [Span(f"{text} stale {stale}", "strong" if stale else "label")]


def _clock_error(state: State, live: bool) -> list[Span]:
    if not live or abs(state.offset_s) <= _CLOCK_TOLERANCE_S:
        return []
    return [Span(f"agent's clock {state.offset_s:+.0f} s ", "strong")]


def _now(state: State, ui: Ui) -> str:
    form = "%Y-%m-%d %H:%M:%S" if ui.wide else "%H:%M:%S"
    return clock_text(ui.now, state, ui, form)


def status(state: State, ui: Ui) -> Row:
    """How the agent is doing; without a connection nothing else."""
    if state.link is Link.LOST:
        since = clock_text(state.since, state, ui)
        text = f" NO CONNECTION since {since}, data frozen  {clean(state.error)}"
        return fit([Span(left(text, ui.columns), "reverse")], ui.columns, "reverse")
    if state.link is Link.NEVER or state.status is None:
        reason = (
            f"NO CONNECTION, no data yet  {clean(state.error)}" if state.error else "connecting"
        )
        return fit([Span(left(f" {reason}", ui.columns), "reverse")], ui.columns, "reverse")
    agent = state.status
    user = f"{clean(agent.user)} ({clean(agent.role)}) " if agent.user else ""
    parts = [*_protocols(agent, ui.wide), _store(agent, ui.wide), _webhooks(agent)]
    spans: list[Span] = []
    for text, well in parts:
        spans += [Span(" "), Span(text, "label" if well else "strong")]
    return spread(spans, [Span(f" {user}", "label")], ui.columns)


def _protocols(agent: StatusOut, wide: bool) -> list[tuple[str, bool]]:
    out = []
    for name, protocol in sorted(agent.protocols.items()):
        well = protocol.ok >= protocol.devices
        answer = protocol.ok + protocol.degraded
        many = wide or not well
        text = f"{answer}/{protocol.devices}{'' if well else '!'}" if many else "ok"
        out.append((f"{clean(name)} {text} " if wide else f"{clean(name)} {text}", well))
    return out


def _store(agent: StatusOut, wide: bool) -> tuple[str, bool]:
    store = agent.store
    well = store.ok and not store.dropped
    text = "store ok" if store.ok else "store DOWN!"
    if store.dropped:
        text += f", {store.dropped} lost!"
    waiting = store.queued + store.spooled
    return (f"{text}, {waiting} queued " if wide or (waiting and not store.ok) else text), well


def _webhooks(agent: StatusOut) -> tuple[str, bool]:
    failing = [hook for hook in agent.webhooks if not hook.ok or hook.dropped]
    if not agent.webhooks:
        return "no webhook", True
    if not failing:
        return "webhook ok", True
    pending = sum(hook.pending for hook in failing)
    return f"webhook {clean(failing[0].name)} fails!, {pending} waiting", False


def foot(place: keys.Place, ui: Ui) -> Row:
    """The answer to the last action, else the keys."""
    if ui.noticed:
        return fit([Span(left(f" {ui.noticed}", ui.columns), "strong")], ui.columns, "strong")
    shown: list[Span] = []
    for hint in keys.hints(place):
        more = Span(f" {hint} ", "label")
        if width([*shown, more]) > ui.columns:
            break
        shown.append(more)
    return fit(shown, ui.columns)
