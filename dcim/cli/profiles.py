"""`dcim profiles import`: somebody else's register map becomes a profile that loads."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from collectors.importers.draft import Draft, ImportFault, Row, answer
from collectors.importers.guess import slug, split
from collectors.importers.load import LEFT_OUT, Answers, complete, read, read_answers
from collectors.importers.write import text_of
from dcim.cli.output import Stop
from dcim.model.asset import KINDS

_HEAD = ("name", "vendor", "kind")  # what a profile cannot do without
_MOST_SHOWN = 20
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
    try:
        draft = read(file)
        given = read_answers(answers) if answers else Answers.model_validate({})
        complete(draft, given)
        typed = Conversation(draft, asks=sys.stdin.isatty() if ask is None else ask)
        typed.head(file, out)
        typed.place(given)
        typed.registers()
        draft.settle()
        text = text_of(draft)
    except ImportFault as fault:
        raise Stop(str(fault), 2) from None
    if save_answers is not None:
        _write(save_answers, typed.answers())
    target = out / f"{draft.name}.toml" if out is not None and out.is_dir() else out
    if target is None:
        sys.stdout.write(text)
    else:
        _write(target, text)
    _report(draft, target)


class Conversation:
    """Asks for what a draft lacks, and remembers what was said."""

    def __init__(self, draft: Draft, asks: bool) -> None:
        self._draft = draft
        self._asks = asks
        self._said: dict[str, str] = {}
        self._registers: dict[str, str] = {}

    def head(self, file: Path, out: Path | None) -> None:
        """Name, vendor and kind: told, typed in, or assumed and said so."""
        draft = self._draft
        if out is not None and not out.is_dir():
            draft.name = out.stem
        draft.name = draft.name or slug(file.stem)
        while lacking := [key for key in _HEAD if not getattr(draft, key)]:
            if self._asks:
                self._ask_head(lacking[0])
            else:
                self._assume(lacking[0])
        draft.name = slug(draft.name)

    def place(self, given: Answers) -> None:
        """Where a SunSpec model stands in this device."""
        if not any("scale_at" in row.at for row in self._draft.rows) or given.base is not None:
            return
        base = _USUAL_BASE
        if self._asks:
            base = typer.prompt("Address of the model's ID register", default=base, err=True)
        else:
            typer.echo(f"assumed: the model's ID register is {base}", err=True)
        self._said["base"] = str(base)
        complete(self._draft, Answers.model_validate({"base": base}))

    def registers(self) -> None:
        """What open registers measure."""
        if not self._asks:
            self._draft.assume_units()
            return
        open_rows = self._draft.open_rows()
        if not open_rows:
            return
        typer.echo(
            f"{len(open_rows)} registers whose meaning the map does not tell. Answer with\n"
            "METRIC [UNIT] [COMPONENT], like: voltage mV input/L1   (`dcim metrics` lists them)\n"
            "Enter leaves one out, q leaves out all that follow.",
            err=True,
        )
        for row in open_rows:
            if not self._ask_row(row):
                return

    def answers(self) -> str:
        """What was said, as an --answers file."""
        draft = self._draft
        head = {key: getattr(draft, key) for key in _HEAD}
        lines = [f'{key} = "{value}"' for key, value in head.items()]
        lines += [f"{key} = {value}" for key, value in self._said.items()]
        lines += ["", "[registers]"]
        lines += [f'"{name}" = "{text}"' for name, text in self._registers.items()]
        return "\n".join(lines) + "\n"

    def _assume(self, key: str) -> None:
        words = set(split(f"{self._draft.name} {self._draft.model}"))
        kind = next((kind for word, kind in _KINDS.items() if word in words), "environment")
        value = kind if key == "kind" else "unknown"
        setattr(self._draft, key, value)
        typer.echo(f"assumed: {key} = {value} (state it in an --answers file)", err=True)

    def _ask_head(self, key: str) -> None:
        hint = f" ({', '.join(sorted(KINDS))})" if key == "kind" else ""
        value = typer.prompt(f"{key}{hint}", err=True).strip()
        if key == "kind" and value not in KINDS:
            typer.echo(f"no such kind: {value}", err=True)
        else:
            setattr(self._draft, key, value)

    def _ask_row(self, row: Row) -> bool:
        """Whether to go on asking."""
        while True:
            text = typer.prompt(row.where(), default="", show_default=False, err=True).strip()
            if text == "q":
                return False
            try:
                answer(row, text)
            except ImportFault as fault:
                typer.echo(f"  {fault}", err=True)
                continue
            self._registers[row.name] = text or LEFT_OUT
            return True


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}") from None


def _report(draft: Draft, target: Path | None) -> None:
    where = f" -> {target}" if target is not None else ""
    typer.echo(f"{draft.name}: {len(draft.rows)} rows of points{where}", err=True)
    if draft.left_out:
        typer.echo(f"left out, {len(draft.left_out)}:", err=True)
        for text in draft.left_out[:_MOST_SHOWN]:
            typer.echo(f"  {text}", err=True)
        if len(draft.left_out) > _MOST_SHOWN:
            typer.echo(f"  and {len(draft.left_out) - _MOST_SHOWN} more", err=True)
