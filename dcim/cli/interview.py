"""What a register map does not tell, asked on a terminal; every answer can be taken back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import typer

from collectors.importers.draft import Draft, ImportFault, answer
from collectors.importers.guess import by_name
from collectors.importers.load import LEFT_OUT
from collectors.importers.row import Row
from collectors.importers.unsaid import Unsaid
from collectors.units import conversion
from dcim.cli.output import table_lines
from dcim.model.asset import KINDS
from dcim.model.metric import Metric, MetricKind, registry

BACK, STOP, HELP = "b", "q", "?"
_HELP = (
    "Answer METRIC [UNIT] [COMPONENT], like: voltage mV input/L1 - or a state with its codes:\n"
    "run 0=stopped 1=running pump/1.  ? lists the metrics that fit, ? WORD searches them,\n"
    "- leaves the register out, b goes back, q leaves out all that follow."
)


def say(text: str = "") -> None:
    typer.echo(text, err=True)


def ask(question: str, default: str = "") -> str:
    text: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return text.strip()


def conventions(unsaid: Sequence[Unsaid]) -> dict[str, str]:
    """One question after the other about the table as a whole; b goes back to the one before."""
    told: dict[str, str] = {}
    place = 0
    while place < len(unsaid):
        one = unsaid[place]
        say(one.question)
        for choice, meaning in one.choices.items():
            say(f"  {choice:10} {meaning}")
        text = ask(one.key, told.get(one.key, one.default))
        if text == BACK:
            place = max(0, place - 1)
        elif text in one.choices:
            told[one.key] = text
            place += 1
        else:
            say(f"  one of {', '.join(one.choices)}; b goes back")
    return told


def kind(default: str) -> str:
    """The kind of device; ? shows which there are."""
    while (text := ask("kind (? lists them)", default)) not in KINDS:
        if text != HELP:
            say(f"no such kind: {text}")
        say(f"  {', '.join(sorted(KINDS))}")
    return text


class Registers:
    """Asks what open registers measure, then shows what will be written, until it is right."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.told: dict[str, str] = {}  # register's name -> answer

    def ask_open(self) -> None:
        """One open register after the other."""
        rows = self._draft.open_rows()
        if not rows:
            return
        say(f"{len(rows)} registers whose meaning the map does not tell.\n{_HELP}")
        before = [replace(row) for row in rows]
        place = 0
        while place < len(rows):
            step = self._ask(rows[place], f"[{place + 1}/{len(rows)}] ")
            if step == 0:
                return
            place += step
            if step < 0 and place >= 0:
                _restore(rows[place], before[place])
                self.told.pop(rows[place].name, None)
            place = max(0, place)

    def review(self) -> None:
        """All points as they will be; a number changes one, Enter is content."""
        while self._draft.rows:
            rows = self._draft.rows
            header = ("", "register", "becomes", "unit", "times", "")
            for line in table_lines(header, [_shown(n, row) for n, row in enumerate(rows, 1)], "r"):
                say(line)
            text = ask("Enter writes this, a number changes that line", "write")
            if text == "write":
                return
            if not text.isdecimal() or not 1 <= int(text) <= len(rows):
                say(f"  1..{len(rows)}, or Enter")
                continue
            row = rows[int(text) - 1]
            before = replace(row)
            row.metric, row.component, row.states = "", "", {}
            if self._ask(row, "") <= 0:
                _restore(row, before)

    def _ask(self, row: Row, prefix: str) -> int:
        """How many registers to go on: 1, -1 back, 0 where no more are wanted."""
        say(f"{prefix}{row.where()}" + (f"  {_labels(row.labels)}" if row.labels else ""))
        while True:
            text = ask(">", _likely(row))
            if text in (BACK, STOP):
                return -1 if text == BACK else 0
            if text.startswith(HELP):
                for line in fitting_metrics(row, text[1:].strip()):
                    say(f"  {line}")
                continue
            try:
                answer(row, "" if text == LEFT_OUT else text)
            except ImportFault as fault:
                say(f"  {fault}")
                continue
            self.told[row.name] = text
            return 1


def fitting_metrics(row: Row, word: str) -> list[str]:
    """Metrics in the row's unit (or that a word finds), each with its meaning."""
    found = [one for one in registry().values() if _suits(one, row, word)]
    return [f"{one.name:24} {one.unit:6} {one.meaning}" for one in found] or ["none"]


def saved(
    head: Mapping[str, str], told: Mapping[str, str], registers: Mapping[str, str], base: int | None
) -> str:
    """What was said, as an --answers file."""
    lines = [f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in head.items()]
    lines += [f"base = {base}"] if base is not None else []
    for name, table in (("conventions", told), ("registers", registers)):
        quoted = {json.dumps(key, ensure_ascii=False): text for key, text in table.items()}
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in quoted.items()]
    return "\n".join(lines) + "\n"


def _suits(metric: Metric, row: Row, word: str) -> bool:
    if word:
        return word.lower() in f"{metric.name} {metric.meaning}".lower()
    if row.labels or row.bits:
        return metric.kind is MetricKind.STATE
    if not row.unit:
        return True
    try:
        conversion(row.unit, metric.unit)
    except ValueError:
        return False
    return metric.kind is not MetricKind.STATE


def _likely(row: Row) -> str:
    """What Enter answers: the metric the name speaks of, else that it is left out."""
    metric = by_name(row.name) if not (row.labels or row.bits) else None
    return f"{metric} {row.unit or registry()[metric].unit}" if metric else LEFT_OUT


def _shown(number: int, row: Row) -> tuple[str, ...]:
    table = row.at.get("table", "holding")
    where = f"{table} {row.at.get('address', row.at.get('words'))}"
    point = row.key if row.metric else "left out"
    times = "" if row.states or row.bits else f"{row.scale:g}"
    unit = row.unit or _labels(row.states)
    return str(number), f"{row.name[:36]} ({where})", point, unit, times, row.doubtful


def _labels(labels: Mapping[int, str]) -> str:
    return " ".join(f"{raw}={label}" for raw, label in labels.items())


def _restore(row: Row, before: Row) -> None:
    for one in fields(Row):
        setattr(row, one.name, getattr(before, one.name))
