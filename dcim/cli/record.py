"""`dcim record`: a device's objects as a file that can be sent in."""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from collectors.base import CollectError, Target
from collectors.snmp.record import Recorded, Wish
from collectors.snmp.record import record as walk
from collectors.snmp.recording import OtherDevice
from dcim.cli.credentials import ConfigOption
from dcim.cli.output import Stop, run
from dcim.cli.probe import read_catalog, targets_of

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.command()(record)


def record(
    url: Annotated[str, typer.Argument(help="snmp://COMMUNITY@HOST or snmp3://USER@HOST.")],
    folder: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")],
    name: Annotated[str, typer.Option(help="Of the file. [the device's sysObjectID]")] = "",
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 10.0,
    keep_serials: Annotated[
        bool, typer.Option("--keep-serials", help="Leave serial numbers in.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Record what a device says, for `dcim probe FILE` and for sending in. Read-only.

    Left out: community, user, contact, name, place, addresses, mail addresses, serial numbers,
    what a text calls a password, key or user, and whole subtrees (neighbours, connections, users, processes). Until the walk is through, what
    the device said stands whole in NAME.part, which is not for sending; where it breaks off, the
    same command goes on from there. Look at the recording before you send it.
    """
    ((_, target),) = targets_of([url], None, config).values()
    if target.url.protocol != "snmp":
        raise Stop("only SNMP devices can be recorded", 2)
    if "/" in name:
        raise Stop("--name is the name of a file, without a folder", 2)
    bar = _Bar()
    try:
        done = bar.run(target, Wish(folder, name, rate, keep_serials))
    except CollectError as error:
        raise Stop(f"{error.outage.kind}: {error.outage.detail}; {bar.kept()}") from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise Stop(f"interrupted; {bar.kept()}") from None
    except OtherDevice as error:
        raise Stop(str(error)) from None
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from None
    _tell(done)


class _Bar:
    """Records behind a progress bar on stderr; how many objects there are is not known before."""

    def __init__(self) -> None:
        self._part: Path | None = None
        self._objects = 0

    def run(self, target: Target, wish: Wish) -> Recorded:
        columns = (BarColumn(), TextColumn("{task.fields[objects]} objects"), TimeElapsedColumn())
        where = TextColumn("{task.fields[oid]}")
        console = Console(stderr=True)
        hidden = not console.is_terminal
        with Progress(*columns, where, console=console, transient=True, disable=hidden) as bar:
            task = bar.add_task("record", total=None, objects=0, oid="")

            def progress(part: Path, objects: int, oid: str) -> None:
                self._part, self._objects = part, objects
                bar.update(task, objects=objects, oid=oid)

            return run(_until_told(walk(target, wish, read_catalog(), progress)))

    def kept(self) -> str:
        """What is left of a walk that broke off."""
        if self._part is None or not self._objects:
            return "nothing was recorded"
        return f"{self._objects} objects are in {self._part}, the same command goes on"


async def _until_told(job: Coroutine[Any, Any, T]) -> T:
    """Run `job`, which ctrl-C, SIGTERM or a lost terminal end early (but not under nohup)."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await job


def _tell(done: Recorded) -> None:
    earlier = f", {done.resumed} of them from before" if done.resumed else ""
    note = f"; {done.note}" if done.note else ""
    print(f"{done.file}: {done.objects} objects{earlier}{note}")
    for what, count in sorted(done.replaced.items()):
        print(f"  replaced {count}: {what}")
    if done.guessed:
        print("  taken for serial numbers, look at them:")
        for oid in sorted(set(done.guessed)):
            print(f"    {oid}")
