"""Whichever format a file has, a draft of it; and the answers that complete a draft."""

import csv
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from collectors.importers import phosphor, rackmon, sunspec, table, telegraf
from collectors.importers.draft import UNNAMED, Draft, ImportFault, answer
from collectors.importers.row import Row
from collectors.importers.words import english
from collectors.modbus.at import WORDS
from collectors.profile import Evidence, Strict

T = TypeVar("T")
LEFT_OUT = "-"  # the answer to a register that is not wanted
_JSON: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Draft]], ...] = (
    (rackmon.is_map, rackmon.read),
    (phosphor.is_map, phosphor.read),
    (sunspec.is_map, sunspec.read),
)


class Answers(Strict):
    """What a map cannot tell, written down instead of typed in."""

    map: str = ""  # the file these answers belong to, of those in ../shared/reference/modbus
    source: str = ""  # instead of the file's name
    name: str = ""
    vendor: str = ""
    model: str = ""
    kind: str = ""
    evidence: Evidence | None = None
    note: str = ""
    base: int | None = None  # of a SunSpec model: the address of its ID register
    doubtful: str = ""  # why every number is `uncertain`
    units: Annotated[dict[str, str], Field(default_factory=dict)]  # the map's unit -> what it means
    registers: Annotated[dict[str, str], Field(default_factory=dict)]  # name or pattern -> answer
    absent: Annotated[dict[str, tuple[int, ...]], Field(default_factory=dict)]  # raw: not there
    # words of alarms that have further bits, by name or pattern; default: all called alarm or fault
    rest: tuple[str, ...] = ("*alarm*", "*fault*", "*warning*")
    components: Annotated[dict[str, str], Field(default_factory=dict)]  # start of one -> instead
    conventions: Annotated[dict[str, str], Field(default_factory=dict)]  # of a table: see `unsaid`
    link: Annotated[dict[str, Any], Field(default_factory=dict)]
    identify: tuple[dict[str, Any], ...] = ()


def read(path: Path, conventions: Mapping[str, str] | None = None) -> Draft:
    """The draft of a file; ImportFault where no format fits."""
    source = f"imported from {path.name}"
    try:
        if path.suffix == ".json":
            data = json.loads(path.read_text("utf-8"))
            for is_map, take in _JSON:
                if is_map(data):
                    return take(data, source)
        elif path.suffix in (".toml", ".conf"):
            data = tomllib.loads(path.read_text("utf-8"))
            if telegraf.is_map(data):
                return telegraf.read(data, source, conventions)
        elif path.suffix in (".csv", ".txt", ".tsv", ".xlsx"):
            return table.read(path, source, conventions)
    except OSError as error:
        raise ImportFault(f"{path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise ImportFault(f"{path}: {error}") from None
    except (KeyError, TypeError) as error:
        raise ImportFault(f"{path}: not as expected at {error}") from None
    raise ImportFault(
        f"{path}: neither a rackmon, phosphor-modbus or SunSpec JSON, nor a Telegraf TOML, nor a CSV"
        " (a map in another shape: put its registers into a CSV, one a line)"
    )


def read_answers(path: Path) -> Answers:
    """The answers of a TOML file."""
    try:
        return Answers.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ImportFault(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ImportFault(f"{path}: {error}") from None


def complete(draft: Draft, answers: Answers) -> None:
    """Put the answers in, then what names and units tell."""
    for key in ("source", "name", "vendor", "model", "kind", "evidence", "note"):
        setattr(draft, key, getattr(answers, key) or getattr(draft, key))
    if answers.base is not None:
        sunspec.at_address(draft, answers.base)
    draft.link |= answers.link
    draft.identify += answers.identify
    for row in list(draft.rows):
        row.unit = answers.units.get(row.unit, row.unit)
        if _answer_to(row.name, answers.registers) == LEFT_OUT:
            draft.left_out.append(f"{row.where()}: as told")
            draft.rows.remove(row)
            continue
        row.absent = _answer_to(row.name, answers.absent) or row.absent
        if _has_rest(row, answers.rest):
            row.rest = UNNAMED
        if row.metric and not row.guessed:
            continue
        if (text := _answer_to(row.name, answers.registers)) is not None:
            answer(row, text)
    draft.suggest()
    for row in draft.rows:
        row.component = _renamed(row.component, answers.components)
        if not row.doubtful and not row.states:
            row.doubtful = answers.doubtful


def _has_rest(row: Row, patterns: Iterable[str]) -> bool:
    """Whether a word of flags has bits without a name that may be alarms."""
    unnamed = len(row.bits) < 16 * WORDS[str(row.at.get("type", "u16"))]
    name = english(row.name).lower()
    return bool(row.bits) and unnamed and any(fnmatchcase(name, one.lower()) for one in patterns)


def _answer_to(name: str, registers: Mapping[str, T]) -> T | None:
    if name in registers:
        return registers[name]
    return next((text for pattern, text in registers.items() if fnmatchcase(name, pattern)), None)


def _renamed(component: str, components: Mapping[str, str]) -> str:
    for start, instead in components.items():
        if component.startswith(start):
            return (instead + component.removeprefix(start)).strip("/_")
    return component
