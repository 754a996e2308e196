"""`dcim profiles import`: somebody else's register map becomes a profile that loads."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from collectors.importers.draft import Draft, ImportFault
from collectors.importers.guess import slug, split
from collectors.importers.load import Answers, complete, read, read_answers
from collectors.importers.write import text_of
from dcim.cli import interview
from dcim.cli.interview import Registers, conventions, kind, saved
from dcim.cli.output import Stop

_HEAD = ("name", "vendor", "kind")  # what a profile cannot do without
_USUAL_BASE = 40070  # behind the marker and the common model
_KINDS = {  # word of a name -> kind, where nobody can be asked
    "psu": "power_shelf",
    "bbu": "bbu",
    "cbu": "supercap",
    "pmm": "power_shelf",
    "rpu": "rpu",
    "cdu": "cdu",
    "ups": "ups",
    "pdu": "rack_pdu",
    "crah": "crah",
    "chiller": "chiller",
    "genset": "genset",
    "meter": "meter",
    "valve": "valve",
    "pump": "pump",
}


def register(profiles: typer.Typer) -> None:
    profiles.command("import")(import_map)


def import_map(
    file: Annotated[Path, typer.Argument(help="rackmon, phosphor-modbus, SunSpec, Telegraf, CSV")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here; default: standard output.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="A TOML file with what the map does not tell.")
    ] = None,
    ask: Annotated[
        bool | None,
        typer.Option("--ask/--defaults", help="Ask, or leave out what is not clear."),
    ] = None,
    save_answers: Annotated[
        Path | None, typer.Option(help="Write what was typed, to import again without asking.")
    ] = None,
) -> None:
    """Turn a register map into a profile; asks for what the map does not tell.

    Reads rackmon JSON, phosphor-modbus JSON, SunSpec model JSON, Telegraf's modbus TOML, and CSV.
    """
    asks = sys.stdin.isatty() if ask is None else ask
    try:
        given = read_answers(answers) if answers else Answers.model_validate({})
        talk = Conversation(file, out, given, asks)
        draft = talk.draft()
        text = text_of(draft)
    except ImportFault as fault:
        raise Stop(str(fault), 2) from None
    if save_answers is not None:
        _write(save_answers, talk.answers())
    target = out / f"{draft.name}.toml" if out is not None and out.is_dir() else out
    if target is None:
        sys.stdout.write(text)
    else:
        _write(target, text)
    _report(draft, target)


class Conversation:
    """From a file to a complete draft: what the file says, what was told, what is assumed."""

    def __init__(self, file: Path, out: Path | None, given: Answers, asks: bool) -> None:
        self._file, self._out, self._given, self._asks = file, out, given, asks
        self._conventions = dict(given.conventions)
        self._base = given.base
        self._draft = read(file, self._conventions)
        self._registers = Registers(self._draft)

    def draft(self) -> Draft:
        """The draft with everything told or assumed, and settled."""
        self._settle_conventions()
        complete(self._draft, self._given)
        self._head()
        self._place()
        if self._asks:
            self._registers.ask_open()
            self._registers.review()
        else:
            self._draft.assume_units()
        self._draft.settle()
        self._draft.expect_plausible()
        return self._draft

    def answers(self) -> str:
        """What was said, as an --answers file."""
        head = {key: getattr(self._draft, key) for key in _HEAD}
        registers = {**self._given.registers, **self._registers.told}
        return saved(head, self._conventions, registers, self._base)

    def _settle_conventions(self) -> None:
        """What the table as a whole leaves open: asked once, or assumed and said so."""
        if self._draft.unsaid and self._asks:
            self._conventions |= conventions(self._draft.unsaid)
            self._draft = read(self._file, self._conventions)
            self._registers = Registers(self._draft)
            return
        for one in self._draft.unsaid:
            typer.echo(f"assumed: {one.assumed} (answers: [conventions] {one.key})", err=True)
        notes = [one.assumed for one in self._draft.unsaid if one.key == "addresses"]
        self._draft.note = "".join(f"assumed: {text}" for text in notes)

    def _head(self) -> None:
        """Name, vendor and kind: told, typed in, or assumed and said so."""
        draft, out = self._draft, self._out
        if out is not None and not out.is_dir():
            draft.name = out.stem
        draft.name = slug(draft.name or self._file.stem)
        for key in (key for key in _HEAD if not getattr(draft, key)):
            words = set(split(f"{draft.name} {draft.model}"))
            assumed = next((kind for word, kind in _KINDS.items() if word in words), "environment")
            value = assumed if key == "kind" else "unknown"
            if self._asks:
                value = kind(value) if key == "kind" else interview.ask(key, value)
            else:
                typer.echo(f"assumed: {key} = {value} (state it in an --answers file)", err=True)
            setattr(draft, key, value)

    def _place(self) -> None:
        """Where a SunSpec model stands in this device."""
        if self._base is not None or not any("scale_at" in row.at for row in self._draft.rows):
            return
        base = _USUAL_BASE
        if self._asks:
            base = typer.prompt("Address of the model's ID register", default=base, err=True)
        else:
            typer.echo(f"assumed: the model's ID register is {base}", err=True)
        self._base = base
        complete(self._draft, Answers.model_validate({"base": base}))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}") from None


def _report(draft: Draft, target: Path | None) -> None:
    where = f" -> {target}" if target is not None else ""
    doubtful = sum(bool(row.doubtful) for row in draft.rows)
    doubts = f", {doubtful} of them doubtful (the file says why)" if doubtful else ""
    typer.echo(f"{draft.name}: {len(draft.rows)} rows of points{doubts}{where}", err=True)
    for text in draft.remarks:
        typer.echo(text, err=True)
    if draft.left_out:
        typer.echo(f"left out, {len(draft.left_out)}:", err=True)
        for text in draft.left_out:
            typer.echo(f"  {text}", err=True)
