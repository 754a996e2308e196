"""The agent: check its file, run it, have it read the file again; and the console."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dcim import log
from dcim.cli.output import Stop, print_json, run
from dcim.cli.questions import DEFAULT_URL, JsonOption, UrlOption, ask
from dcim.client import default_token
from dcim.config import Config, ConfigError, MissingSecret, load
from dcim.config import check as check_config

ConfigFile = Annotated[Path, typer.Argument(help="The site's dcim.toml.")]


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command("run")(run_agent)
    app.command()(reload)
    app.command()(tui)


def read_config(file: Path) -> Config:
    """The configuration; all faults at once and exit code 2 where it has any."""
    try:
        return load(file, os.environ)
    except ConfigError as error:
        raise _faulty(file, error) from None
    except MissingSecret as error:
        raise Stop(f"{file}: {error}") from None


def _faulty(file: Path, error: ConfigError) -> Stop:
    for fault in error.faults:
        print(fault, file=sys.stderr)
    count = len(error.faults)
    return Stop(f"{file}: {count} fault{'s' if count != 1 else ''}", 2)


def check(file: ConfigFile, json: JsonOption = False) -> None:
    """Check a configuration without opening a socket; every fault with file, key and line.

    Secrets that are not to be had here (another environment than the agent's) are warnings.
    """
    if json:
        _check_json(file)
        return
    try:
        config, notes = check_config(file, os.environ)
    except ConfigError as error:
        raise _faulty(file, error) from None
    for note in notes:
        print(note, file=sys.stderr)
    site = config.site
    print(
        f"{file}: ok. {site.id}: {len(site.halls)} halls, {len(site.rows)} rows, "
        f"{len(site.racks)} racks, {len(site.devices)} devices, {len(site.feeds)} feeds"
    )


def _check_json(file: Path) -> None:
    """The faults as a list, empty for a sound file; exit code 2 where there are any."""
    try:
        config, notes = check_config(file, os.environ)
    except ConfigError as error:
        print_json({"file": str(file), "faults": [asdict(fault) for fault in error.faults]})
        raise Stop(code=2) from None
    warnings = [asdict(note) for note in notes]
    devices = len(config.site.devices)
    print_json({"file": str(file), "faults": [], "warnings": warnings, "devices": devices})


def run_agent(
    file: ConfigFile,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Run the agent until interrupted. SIGHUP reads the file again; a faulty file changes nothing."""
    from dcim.app import StartError, serve

    config = read_config(file)
    log.configure(sys.stderr, json=log_json)
    try:
        run(serve(file, config))
    except StartError as error:
        raise Stop(str(error)) from None
    except KeyboardInterrupt:
        raise Stop(code=0) from None


def reload(url: UrlOption = DEFAULT_URL) -> None:
    """Have the running agent read its file again; a faulty file changes nothing."""
    print(ask(url, lambda client: client.reload()))


def tui(
    url: Annotated[
        str, typer.Argument(envvar="DCIM_URL", help="The agent's address.")
    ] = DEFAULT_URL,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing can be changed.")] = False,
) -> None:
    """The console."""
    from tui import run as run_console

    code = run_console(url, default_token(), read_only=read_only)
    if code:
        raise Stop(code=code)
