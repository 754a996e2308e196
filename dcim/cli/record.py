"""`dcim record`: a device's objects as a file that can be sent in."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from collectors.base import CollectError, Target
from collectors.snmp.record import Recorded, Wish
from collectors.snmp.record import record as walk
from dcim.cli.credentials import ConfigOption
from dcim.cli.output import Stop, run
from dcim.cli.probe import read_catalog, targets_of


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
    and whole subtrees (neighbours, connections, users, processes). Where it breaks off, the same
    command goes on. Look at the file before you send it.
    """
    ((_, target),) = targets_of([url], None, config).values()
    if target.url.protocol != "snmp":
        raise Stop("only SNMP devices can be recorded", 2)
    if "/" in name:
        raise Stop("--name is the name of a file, without a folder", 2)
    try:
        done = _recorded(target, Wish(folder, name, rate, keep_serials))
    except CollectError as error:
        raise Stop(
            f"{error.outage.kind}: {error.outage.detail}; the same command goes on"
        ) from None
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from None
    _tell(done)


def _recorded(target: Target, wish: Wish) -> Recorded:
    """Record behind a progress bar on stderr; how many objects there are is not known before."""
    columns = (BarColumn(), TextColumn("{task.fields[objects]} objects"), TimeElapsedColumn())
    where = TextColumn("{task.fields[oid]}")
    console = Console(stderr=True)
    with Progress(*columns, where, console=console, transient=True) as bar:
        task = bar.add_task("record", total=None, objects=0, oid="")

        def progress(objects: int, oid: str) -> None:
            bar.update(task, objects=objects, oid=oid)

        return run(walk(target, wish, read_catalog(), progress))


def _tell(done: Recorded) -> None:
    print(f"{done.file}: {done.objects} objects" + (f"; {done.note}" if done.note else ""))
    for what, count in sorted(done.replaced.items()):
        print(f"  replaced {count}: {what}")
    if done.guessed:
        print("  taken for serial numbers, look at them:")
        for oid in sorted(set(done.guessed)):
            print(f"    {oid}")
