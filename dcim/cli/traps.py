"""`dcim traps`: what devices have said unasked."""

from collections.abc import Iterable

import typer

from dcim.cli.output import print_json, table_lines
from dcim.cli.questions import DEFAULT_URL, JsonOption, UrlOption, ask
from dcim.model.reading import few
from dcim.model.wire import TrapOut, TrapsOut

_HEADER = ("last", "times", "source", "device", "meaning", "trap")


def register(app: typer.Typer) -> None:
    app.command()(traps)


def traps(url: UrlOption = DEFAULT_URL, json: JsonOption = False) -> None:
    """SNMP traps and informs that the agent received; unknown ones too, newest first."""
    answer = ask(url, lambda client: client.traps())
    if json:
        print_json(answer.model_dump())
        return
    for line in lines(answer):
        print(line)


def lines(answer: TrapsOut) -> Iterable[str]:
    """What is said for people."""
    yield from _summary(answer)
    if answer.traps:
        yield from table_lines(_HEADER, [_row(one) for one in answer.traps], right="lr")


def _summary(answer: TrapsOut) -> Iterable[str]:
    if answer.problem:
        yield answer.problem
    elif not answer.listen:
        yield 'not received: set traps = "0.0.0.0:162" under [agent]'
        return
    yield (
        f"{answer.listen}  {answer.received} received ({answer.informs} informs answered): "
        f"{answer.known} known, {answer.unknown} unknown, {answer.dropped} dropped"
    )
    for reason, count in sorted(answer.dropped_by.items()):
        yield f"  dropped {count}: {reason}"
    for reason, count in sorted(answer.refused.items()):
        yield f"  refused {count}: {reason}"


def _row(one: TrapOut) -> tuple[str, ...]:
    device = few(one.devices) or "-"
    return (one.last, str(one.count), one.source, device, one.hint or "unknown", one.oid)
