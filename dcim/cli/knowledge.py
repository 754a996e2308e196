"""What the suite knows: profiles, metrics, rules."""

from pathlib import Path
from typing import Annotated

import typer

from collectors.catalog import load_catalog, user_profiles
from collectors.profile import ProfileError
from dcim.cli import profiles as importing
from dcim.cli.output import Stop, print_json, print_table
from dcim.cli.questions import MARKS, JsonOption
from dcim.model.metric import registry
from rules.rule import RuleError, builtin, load


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    group.callback()(profiles)
    importing.register(group)
    app.add_typer(group, name="profiles")
    for command in (metrics, rules):
        app.command()(command)


def profiles(
    context: typer.Context,
    json: JsonOption = False,
    protocol: Annotated[str | None, typer.Option(help="snmp, modbus or mqtt")] = None,
) -> None:
    """Device profiles, with the evidence each rests on; `import` makes one of a register map."""
    if context.invoked_subcommand is not None:
        return
    try:
        catalog = load_catalog(user_profiles(Path.cwd()))
    except ProfileError as error:
        raise Stop(str(error), 2) from None
    found = [p for _, p in sorted(catalog.items()) if protocol in (None, p.protocol)]
    if json:
        print_json([p.model_dump(mode="json") for p in found])
        return
    header = ("profile", "protocol", "kind", "vendor", "evidence", "source")
    rows = [(p.name, p.protocol, p.kind, p.vendor, p.evidence, p.sources[0]) for p in found]
    print_table(header, rows)


def metrics(json: JsonOption = False) -> None:
    """The registry: every metric, its unit, range and meaning."""
    known = registry()
    if json:
        print_json([m.model_dump(mode="json") for m in known.values()])
        return
    rows = [(m.name, m.unit, m.kind.value, m.meaning) for m in known.values()]
    print_table(("metric", "unit", "kind", "meaning"), rows)


def rules(json: JsonOption = False) -> None:
    """Alarm rules: what is watched, how urgent it is, and what to do."""
    try:
        found = load(builtin())
    except RuleError as error:
        raise Stop(str(error), 2) from None
    if json:
        print_json([r.model_dump(mode="json") for r in found.alarms.values()])
        return
    rows = [
        (r.id, MARKS[min(level.priority for level in r.level)], r.title, r.action)
        for r in found.alarms.values()
    ]
    print_table(("rule", "P", "title", "action"), rows)
