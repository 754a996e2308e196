"""Questions to the running agent: status, alarms, racks, points, trend, explain, watch."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, TypeVar

import typer

from dcim.api.times import parse_time
from dcim.cli.output import Stop, number, print_csv, print_json, print_table, run
from dcim.client import Client, ClientError, ErrorKind, default_token
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import metric_of
from dcim.model.wire import (
    AlarmOut,
    DeviceOutageOut,
    ExplainOut,
    PointOut,
    RackOut,
    StatusOut,
    TrendOut,
)

T = TypeVar("T")
MARKS = {1: "1!", 2: "2*", 3: "3+", 4: "4o"}

UrlOption = Annotated[str, typer.Option("--url", envvar="DCIM_URL", help="The agent's address.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="CSV instead of text.")]
DEFAULT_URL = "http://127.0.0.1:8460"
_OUT_LINES, _DEGRADED_LINES = 50, 10  # devices that `dcim status` names
_ADVICE = {
    ErrorKind.NO_CONNECTION: " Another address: --url or DCIM_URL.",
    ErrorKind.UNAUTHORISED: "; put one of `dcim user add` into DCIM_TOKEN or ~/.config/dcim/token",
}


def register(app: typer.Typer) -> None:
    for command in (status, alarms, ack, racks, points, trend, explain, watch):
        app.command()(command)


def ask(url: str, question: Callable[[Client], Awaitable[T]]) -> T:
    """Put one question to the agent; one clear line where it cannot be asked."""

    async def go() -> T:
        async with Client(url, default_token()) as client:
            return await question(client)

    try:
        return run(go())
    except ClientError as error:
        raise Stop(f"{error}{_ADVICE.get(error.kind, '')}") from None


def status(url: UrlOption = DEFAULT_URL, json: JsonOption = False) -> None:
    """How the agent and its plant are doing, in a few lines."""
    answer = ask(url, lambda client: client.status())
    if json:
        print_json(answer.model_dump())
        return
    for line in status_lines(answer):
        print(line)


def status_lines(s: StatusOut) -> Iterable[str]:
    good, total = s.points.get("good", 0), sum(s.points.values())
    doubtful = ", ".join(f"{n} {q}" for q, n in s.points.items() if n and q != "good")
    yield f"{s.site}  {s.now}  dcim {s.version}, since {s.started}"
    yield f"points    {good}/{total} good" + (f", {doubtful}" if doubtful else "")
    marks = "  ".join(f"{MARKS[p]} {s.alarms.get(str(p), 0)}" for p in MARKS)
    yield f"alarms    {marks}   {s.unacknowledged} not acknowledged, {s.shelved} shelved"
    for name, p in sorted(s.protocols.items()):
        late = f", {p.late} late polls" if p.late else ""
        wrong = f", {p.degraded} degraded" if p.degraded else ""
        answer = f"{p.ok + p.degraded}/{p.devices} devices answer{wrong}"
        yield f"{name:9} {answer}, {p.readings} readings{late}"
    yield from _wrong([one for one in s.out if not one.degraded], "out", _OUT_LINES, s.more_out)
    yield from _wrong(
        [one for one in s.out if one.degraded], "degraded", _DEGRADED_LINES, s.more_degraded
    )
    if s.traps.listen or s.traps.problem:
        refused = sum(s.traps.refused.values())
        yield (
            f"traps     {s.traps.problem or s.traps.listen}, {s.traps.received} received, "
            f"{s.traps.known} known, {s.traps.unknown} unknown, {s.traps.dropped} dropped, "
            f"{refused} refused, {s.traps.informs} informs answered"
        )
    if s.slow:
        named = ", ".join(f"{one.device} {one.latency_s:.1f} s" for one in s.slow)
        yield f"slow      {named}"
    store = "ok" if s.store.ok else f"DOWN: {s.store.detail}"
    yield (
        f"store     {s.store.kind} {store}, {s.store.stored} stored, "
        f"{s.store.spooled} spooled, {s.store.dropped} dropped"
    )
    for hook in s.webhooks:
        state = "ok" if hook.ok else f"FAILING: {hook.detail}"
        yield f"webhook   {hook.name} {state}, {hook.delivered} delivered, {hook.pending} waiting"


def _wrong(found: Sequence[DeviceOutageOut], word: str, most: int, more: int) -> Iterable[str]:
    """A line for each device, the last one for those beyond what one reads."""
    for one in found[:most]:
        yield f"  {one.device} {word}: {one.outage}: {one.detail}"
    more += len(found[most:])
    if more:
        yield f"  and {more} more {word}: dcim status --json"


def alarms(
    url: UrlOption = DEFAULT_URL,
    json: JsonOption = False,
    csv_: CsvOption = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Also consequences and shelved ones.")
    ] = False,
) -> None:
    """Alarms now, most urgent first; consequences stand folded under their cause."""
    found = ask(url, lambda client: client.alarms())
    shown = [a for a in found if all_ or (a.suppressed_by is None and a.shelved_until is None)]
    shown.sort(key=lambda a: (a.priority, a.raised_at))
    if json:
        print_json([a.model_dump() for a in shown])
        return
    if csv_:
        print_csv(_ALARM_COLUMNS, ([getattr(a, name) for name in _ALARM_COLUMNS] for a in shown))
        return
    if not shown:
        print("no alarms")
        return
    header = ("P", "raised (UTC)", "state", "over (UTC)", "where", "what", "value", "why")
    print_table(header, [_alarm_row(a) for a in shown])


_ALARM_COLUMNS = (
    *("id", "priority", "state", "raised_at", "cleared_at", "acked_at", "ack_by", "comment"),
    *("address", "title", "value", "value_state", "raised_value", "raised_state", "unit", "limit"),
    *("shelved_until", "suppressed_by", "suppressed_children", "because", "reason"),
)


def _alarm_row(a: AlarmOut) -> tuple[str, ...]:
    children = f"+{a.suppressed_children} consequences" if a.suppressed_children else ""
    why = "  ".join(part for part in (a.because or a.reason, children) if part)
    state = f"{a.state.words}{f' by {a.ack_by}' if a.ack_by else ''}"
    over = "" if a.state.active or a.cleared_at is None else a.cleared_at[:19]
    head = (MARKS[a.priority], a.raised_at[:19], state, over)
    return (*head, a.address, a.title, _value(a), why)


def _value(a: AlarmOut) -> str:
    """The value and its limit; once it is over, what was."""
    now = _measured(a.value_state, a.value, a.unit)
    if a.state.active:
        return f"{now} (limit {a.limit:g})" if a.limit is not None and now else now
    was = _measured(a.raised_state, a.raised_value, a.unit) or now
    return f"was {was}" if was else ""


def _measured(state: str | None, value: float | None, unit: str) -> str:
    if state is not None:
        return state.replace("_", " ")
    return "" if value is None else _with_unit(f"{value:g}", unit or "1")


def ack(
    alarm_id: Annotated[str, typer.Argument(help="rule@address, as `dcim alarms --json` shows it")],
    comment: Annotated[
        str, typer.Option(help="What was seen or done; needed for priority 1, 2.")
    ] = "",
    url: UrlOption = DEFAULT_URL,
) -> None:
    """Acknowledge one alarm."""

    async def go(client: Client) -> str:
        found = {a.id: a for a in await client.alarms()}
        if alarm_id not in found:
            raise Stop(f"no such alarm now: {alarm_id}")
        answer = await client.ack(alarm_id, found[alarm_id].occurrence, comment)
        if answer.result not in ("accepted", "already"):
            raise Stop(f"{answer.result}: {answer.detail}")
        return answer.result

    print(ask(url, go))


def racks(url: UrlOption = DEFAULT_URL, json: JsonOption = False, csv_: CsvOption = False) -> None:
    """Every rack's power now, its limit, its feeds, and whether one feed could carry both."""
    found = ask(url, lambda client: client.racks())
    if json:
        print_json([r.model_dump() for r in found])
        return
    header = ("rack", "row", "kW", "of kW", "%", "A kW", "B kW", "failover", "cooling", "quality")
    if csv_:
        print_csv(header, (_rack_cells(r) for r in found))
        return
    print_table(header, [_rack_row(r) for r in found], right="llrrrrr")


def _rack_cells(r: RackOut) -> tuple[object, ...]:
    share = None if r.share is None else 100 * r.share
    head = (r.id, r.row, r.power_kw, r.limit_kw, share, r.feeds_kw.get("A"), r.feeds_kw.get("B"))
    return (*head, r.failover, r.cooling, said(r.quality, r.reason))


def _rack_row(r: RackOut) -> tuple[str, ...]:
    share = None if r.share is None else 100 * r.share
    feeds = (number(r.feeds_kw.get("A")), number(r.feeds_kw.get("B")))
    quality = said(r.quality, r.reason)
    head = (r.id, r.row, number(r.power_kw), number(r.limit_kw, 0), number(share, 0))
    return (*head, *feeds, r.failover or "-", r.cooling, quality)


def said(quality: str, reason: str | None) -> str:
    """Quality and reason; a reason may begin with the quality's own word."""
    if not reason:
        return quality
    return reason if reason.startswith(f"{quality}:") else f"{quality}: {reason}"


def points(
    select: Annotated[str, typer.Argument(help="Addresses, * allowed: 'cdu-1/*'")] = "*",
    url: UrlOption = DEFAULT_URL,
    json: JsonOption = False,
    csv_: CsvOption = False,
) -> None:
    """Points as they are now."""
    found = ask(url, lambda client: client.points(_patterns(select)))
    if json:
        print_json([p.model_dump() for p in found])
        return
    if csv_:
        names = ("point", "value", "unit", "state", "quality", "reason", "ts")
        print_csv(names, ([getattr(p, name) for name in names] for p in found))
        return
    rows = [(p.point, point_value(p), p.quality, p.ts[:19], p.reason or "") for p in found]
    print_table(("point", "value", "quality", "time (UTC)", ""), rows, right="lr")


def _patterns(text: str) -> list[str]:
    return [one for part in text.split(",") if (one := part.strip())]


def point_value(p: PointOut) -> str:
    if p.state is not None:
        return p.state
    metric = registry().get(metric_of(p.point))
    return _with_unit(number(p.value, metric.digits if metric else 2), p.unit)


def _with_unit(text: str, unit: str) -> str:
    return text if unit == "1" else f"{text} {unit}"


def trend(
    point: str,
    from_: Annotated[str, typer.Option("--from", help="RFC 3339, or -6h, -30m, -2d.")] = "-1h",
    to: Annotated[str, typer.Option(help="As --from; default now.")] = "now",
    step: Annotated[float, typer.Option(help="Seconds a step.")] = 60.0,
    url: UrlOption = DEFAULT_URL,
    json: JsonOption = False,
    csv_: CsvOption = False,
) -> None:
    """One point over time: mean, lowest and highest of each step."""
    now = SystemClock().now()
    try:
        start, end = parse_time(from_, now), parse_time(to, now)
    except ValueError as error:
        raise Stop(f"--from, --to: {error}", 2) from None
    answer = ask(url, lambda client: client.trend(point, start, end, step))
    if json:
        print_json(answer.model_dump())
        return
    if csv_:
        names = ("ts", "mean", "min", "max", "last", "count")
        print_csv(names, ([getattr(b, name) for name in names] for b in answer.buckets))
        return
    header = ("time (UTC)", "mean", "min", "max", "samples")
    rows = [
        (b.ts[:19], number(b.mean, 2), number(b.min, 2), number(b.max, 2), str(b.count))
        for b in answer.buckets
    ]
    print(f"{answer.point}  {answer.unit}  step {answer.step_s:g} s")
    bars = _bars(answer)
    shown = [(*row, bar) for row, bar in zip(rows, bars, strict=True)]
    print_table((*header, ""), shown, right="lrrrr")


def _bars(trend: TrendOut, width: int = 30) -> Sequence[str]:
    means = [b.mean for b in trend.buckets if b.mean is not None]
    low, high = min(means, default=0.0), max(means, default=0.0)
    span = high - low or 1.0
    return [
        "no data" if b.mean is None else "=" * round((b.mean - low) / span * width) + "|"
        for b in trend.buckets
    ]


def explain(point: str, url: UrlOption = DEFAULT_URL, json: JsonOption = False) -> None:
    """Where a value comes from: device, source on the wire, scale, inputs, rules that watch it."""
    answer = ask(url, lambda client: client.explain(point))
    if json:
        print_json(answer.model_dump())
        return
    for key, value in _explain_lines(answer):
        print(f"{key:12} {value}")


def _explain_lines(e: ExplainOut) -> Iterable[tuple[str, str]]:
    p = e.point
    yield "point", p.point
    yield "value", point_value(p) + (f" (raw {p.raw})" if p.raw is not None else "")
    yield "quality", said(p.quality, p.reason)
    age = "" if e.age_s is None else f", {e.age_s:.1f} s ago"
    yield (
        "time",
        f"{p.ts}{age}" + (f", stale after {e.stale_after_s:g} s" if e.stale_after_s else ""),
    )
    yield "meaning", e.meaning
    if e.device is not None:
        what = " ".join(filter(None, (e.device.vendor, e.device.model)))
        yield "device", f"{e.device.id} ({what or e.device.kind}) at {e.device.address}"
        yield "profile", ", ".join(e.device.profiles)
    if p.source:
        yield "source", p.source
    if e.override:
        yield "override", ", ".join(f"{k} {v:g}" for k, v in e.override.items())
    if e.formula:
        yield "formula", e.formula
        yield "coverage", f"{100 * (e.coverage or 0):.0f} %"
    if e.uncertainty is not None:
        yield "uncertainty", _with_unit(f"{e.uncertainty:.2g}", p.unit)
    for one in e.inputs:
        value = _input_value(one["point"], one.get("value"))
        yield "input", f"{one['point']} = {value} ({one['quality']}, {one['age_s']:.1f} s old)"
    for rule in e.rules:
        yield "rule", rule
    for alarm in e.alarms:
        yield "alarm", f"{MARKS[alarm.priority]} {alarm.title} ({alarm.state.words})"


def _input_value(point: str, value: float | None) -> str:
    """What went into a formula, in the registry's unit."""
    if value is None:
        return "-"
    metric = registry().get(metric_of(point))
    return _with_unit(number(value, metric.digits), metric.unit) if metric else f"{value:g}"


def watch(
    select: Annotated[str, typer.Argument(help="Addresses, * allowed.")] = "",
    url: UrlOption = DEFAULT_URL,
    json: JsonOption = False,
) -> None:
    """Follow alarms (and the points selected) line by line until interrupted."""

    async def go(client: Client) -> None:
        async for event in client.events(_patterns(select)):
            if json:
                print_json(event.model_dump(exclude={"status"}))
                continue
            for alarm in event.alarms:
                print("  ".join(_alarm_row(alarm)), flush=True)
            for p in event.points:
                print(f"{p.ts}  {p.point}  {point_value(p)}  {p.quality}", flush=True)

    try:
        ask(url, go)
    except KeyboardInterrupt:
        raise Stop(code=0) from None
