"""All commands of `dcim`, assembled."""

import sys

import typer

from dcim import __version__
from dcim.cli import agent, demo, knowledge, probe, questions, record, scan, traps, users
from dcim.cli.output import Stop

app = typer.Typer(
    name="dcim",
    help="Live truth about the power and cooling plant of an AI data centre.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (agent, demo, probe, record, scan, questions, knowledge, traps, users):
    module.register(app)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """Live truth about the power and cooling plant of an AI data centre."""
    if version:
        print(f"dcim {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point. 0: done; 1: it could not be done, one line says why; 2: bad usage or config."""
    try:
        app()
    except Stop as stop:
        if stop.message:
            print(f"dcim: {stop.message}", file=sys.stderr)
        raise SystemExit(stop.code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
