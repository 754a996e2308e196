"""Who may use the agent, and whether its webhooks work."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dcim.api.auth import hash_token, new_token
from dcim.cli.agent import ConfigFile, read_config
from dcim.cli.output import Stop, print_json, run
from dcim.cli.questions import JsonOption

user = typer.Typer(help="Users of the HTTP API and the console.", no_args_is_help=True)
notify = typer.Typer(help="Webhooks.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(user, name="user")
    app.add_typer(notify, name="notify")


@user.callback()
def _user() -> None:
    """Users of the HTTP API and the console."""


@user.command()
def add(
    name: str,
    role: Annotated[str, typer.Option(help="viewer, operator or supervisor")],
    file: Annotated[Path, typer.Option(help="The agent's configuration.")] = Path("dcim.toml"),
) -> None:
    """Make a token, write its hash into the configuration, print the token once."""
    if role not in ("viewer", "operator", "supervisor"):
        raise Stop(f"--role: found {role!r}, expected viewer, operator or supervisor", 2)
    if not name.isidentifier():
        raise Stop(f"name: found {name!r}, expected letters, digits and _", 2)
    try:
        text = file.read_text("utf-8")
        if f'name = "{name}"' in text.partition("[[users]]")[2]:
            raise Stop(f"{file}: user {name!r} is there already", 2)
        token = new_token()
        block = (
            f'\n[[users]]\nname = "{name}"\nrole = "{role}"\ntoken_hash = "{hash_token(token)}"\n'
        )
        with file.open("a", encoding="utf-8") as out:
            out.write(block)
    except OSError as error:
        raise Stop(f"{file}: {error.strerror}") from None
    print(token)
    typer.echo(
        f"shown once; the agent keeps only its hash in {file}. "
        "Give it as DCIM_TOKEN or in ~/.config/dcim/token; `dcim reload` makes it valid.",
        err=True,
    )


@notify.callback()
def _notify() -> None:
    """Webhooks."""


@notify.command("test")
def send_test(
    file: ConfigFile = Path("dcim.toml"),
    name: Annotated[str | None, typer.Option(help="Only this webhook.")] = None,
    json: JsonOption = False,
) -> None:
    """Send `webhook.test` to every webhook and say what came back."""
    from dcim.app import test_webhooks

    config = read_config(file)
    results = run(test_webhooks(config, name))
    if not results:
        raise Stop(f"{file}: no webhook{f' named {name!r}' if name else ''} is configured")
    for result in results:
        if json:
            print_json(asdict(result))
        else:
            said = "ok" if result.ok else f"FAILED: {result.error}"
            print(f"{result.name}: {said} ({result.latency_s * 1000:.0f} ms)")
    if not all(result.ok for result in results):
        raise Stop()
