"""`dcim scan`: what answers in ranges of addresses, and what it is."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from collectors.base import ProbeResult, Target
from collectors.scan import Plan, addresses
from collectors.scan import scan as look
from dcim.cli.output import Stop, print_json, print_table, run
from dcim.cli.probe import identity_line, print_toml, read_catalog, targets_of
from dcim.clock import SystemClock

_AT_ONCE = 8  # devices probed side by side
_TELL_EVERY_S = 1.0
_HEADER = ("address", "kind", "vendor", "model", "profile", "points", "")
Found = tuple[str, Target, ProbeResult]


def register(app: typer.Typer) -> None:
    app.command()(scan)


def scan(
    nets: Annotated[
        list[str], typer.Argument(metavar="NET...", help="10.0.0.0/24, 10.0.0.5-20, a host.")
    ],
    community: Annotated[
        list[str] | None, typer.Option(help="SNMP community to try; may be repeated. [public]")
    ] = None,
    snmp_port: Annotated[int, typer.Option(min=1, max=65535)] = 161,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Modbus TCP.")] = 502,
    unit: Annotated[
        list[int] | None, typer.Option(help="Modbus unit id to try; may be repeated. [1]")
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="Questions a second, in all.")] = 50.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a device.")] = False,
    toml: Annotated[bool, typer.Option("--toml", help="The [[devices]] blocks to paste.")] = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets")] = False,
) -> None:
    """Find what answers SNMP or Modbus TCP, then probe it. Read-only and rate-limited.

    Progress goes to stderr. Exit code 1 if nothing answers.
    """
    try:
        hosts = list(dict.fromkeys(host for net in nets for host in addresses(net)))
    except ValueError as error:
        raise Stop(str(error), 2) from None
    plan = Plan(community or ("public",), snmp_port, port, unit or (1,), rate)
    found = run(_scan(hosts, plan))
    shown = [(text if show_secrets else str(t.url), t, result) for text, t, result in found]
    if not shown:
        raise Stop(f"none of {len(hosts)} addresses answers SNMP or Modbus TCP")
    _show(shown, json, toml)


async def _scan(hosts: Sequence[str], plan: Plan) -> list[Found]:
    """Ask every host, then probe what answers; in the order of the hosts."""
    from collectors.probe import probe_all

    catalog = read_catalog()
    progress = _Progress(len(hosts))
    urls: dict[str, tuple[str, ...]] = {}
    async for looked in look(hosts, plan):
        urls[looked.host] = looked.urls
        progress.asked(len(looked.urls))
    targets = targets_of([url for host in hosts for url in urls[host]], None)
    found: dict[str, ProbeResult] = {}
    wanted = [target for _, target in targets.values()]
    async for target, result in probe_all(wanted, catalog, SystemClock(), _AT_ONCE):
        found[target.device] = result
        progress.say(f"probed {len(found)} of {len(wanted)}", last=len(found) == len(wanted))
    return [(text, target, found[device]) for device, (text, target) in targets.items()]


def _show(found: Sequence[Found], json: bool, toml: bool) -> None:
    for text, target, result in found:
        if json:
            outage = result.outage
            print_json(
                identity_line(text, result)
                | {
                    "points": len(result.readings),
                    "outage": outage.kind if outage else None,
                    "detail": outage.detail if outage else None,
                }
            )
        elif toml:
            print_toml(text, target, result)
    if not json and not toml:
        print_table(_HEADER, [_row(text, result) for text, _, result in found], right="lllllr")


def _row(text: str, result: ProbeResult) -> Sequence[str]:
    identity, outage = result.identity, result.outage
    return (
        text,
        identity.kind or "unknown",
        identity.vendor,
        identity.model,
        ",".join(identity.profiles),
        str(len(result.readings)),
        f"{outage.kind}: {outage.detail}" if outage else "",
    )


class _Progress:
    """How far it is, on stderr: at most a line a second."""

    def __init__(self, hosts: int) -> None:
        self._hosts = hosts
        self._asked = self._answers = 0
        self._told = time.monotonic()

    def asked(self, answers: int) -> None:
        self._asked += 1
        self._answers += answers
        text = f"asked {self._asked} of {self._hosts} addresses, {self._answers} answers"
        self.say(text, last=self._asked == self._hosts)

    def say(self, text: str, *, last: bool) -> None:
        if last or time.monotonic() - self._told >= _TELL_EVERY_S:
            self._told = time.monotonic()
            print(f"scan: {text}", file=sys.stderr)
