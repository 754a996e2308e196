"""`dcim demo`: the simulated hall, the agent and the console."""

import typer


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo() -> None:
    """Not yet."""
