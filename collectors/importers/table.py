"""Registers in a CSV: columns by name, in any order, only `address` is needed.

name, address, table, type, scale, offset, unit, metric, component, word_order, byte_order, bit,
length, states, invalid, note. `states` reads `0=stopped 1=running`; `invalid` reads `65535 32767`.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from collectors.importers.draft import Draft, ImportFault, Row
from collectors.importers.guess import fitting, unit_of
from collectors.modbus.at import At
from collectors.units import conversion
from dcim.model.metric import MetricKind, registry

COLUMNS = frozenset(
    [
        "name",
        "address",
        "table",
        "type",
        "scale",
        "offset",
        "unit",
        "metric",
        "component",
        "word_order",
        "byte_order",
        "bit",
        "length",
        "states",
        "invalid",
        "note",
    ]
)
_TABLES = {"1": "coil", "2": "discrete", "3": "holding", "4": "input"}
_TYPES = {"uint": "u", "int": "i", "float": "f", "real": "f"}


def read(path: Path, source: str) -> Draft:
    """A draft; ImportFault with every line that cannot be read."""
    text = path.read_text("utf-8-sig")
    sample = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if ";" in sample else ",")
    unknown = {c.strip().lower() for c in reader.fieldnames or ()} - COLUMNS
    if unknown:
        known = ", ".join(sorted(COLUMNS))
        raise ImportFault(f"unknown columns {', '.join(sorted(unknown))}; known: {known}")
    draft = Draft(source)
    faults = []
    for number, line in enumerate(reader, 2):
        cells = {k.strip().lower(): (v or "").strip() for k, v in line.items() if k}
        if not any(cells.values()):
            continue
        try:
            draft.rows.append(_row(cells))
        except ValidationError as error:
            faults += [f"line {number}{_named(cells)}: {_told(one)}" for one in error.errors()]
        except (ValueError, ImportFault) as error:
            faults.append(f"line {number}{_named(cells)}: {error}")
    if faults:
        raise ImportFault("\n".join(faults))
    return draft


def _row(cells: Mapping[str, str]) -> Row:
    def get(key: str) -> str:
        return cells.get(key, "")

    at: dict[str, Any] = {}
    if get("table"):
        at["table"] = _TABLES.get(get("table"), get("table").lower())
    if not get("address"):
        raise ImportFault("no address")
    at["address"] = _whole("address", get("address"))
    kind = _type(get("type").lower())
    if kind not in ("", "u16", "bit", "bool"):
        at["type"] = kind
    at |= {key: get(key).lower() for key in ("word_order", "byte_order") if get(key)}
    at |= {key: _whole(key, get(key)) for key in ("bit", "length") if get(key)}
    row = Row(
        get("name") or f"register {get('address')}",
        at,
        get("metric"),
        get("component"),
        unit_of(get("unit")),
        _number("scale", get("scale") or "1"),
        _number("offset", get("offset") or "0"),
        states=_states(get("states")),
        invalid={_number("invalid", raw): "no value" for raw in get("invalid").split()},
    )
    _check(row)
    return row


def _check(row: Row) -> None:
    metric = registry().get(row.metric)
    if row.metric and metric is None and not row.metric.startswith("x."):
        raise ImportFault(f"{row.metric!r} is no metric: see `dcim metrics`")
    if metric is not None and metric.kind is MetricKind.STATE and not row.states:
        raise ImportFault(f"{row.metric} is a state: fill the column `states`, like 0=off 1=on")
    if row.unit and metric is not None and metric.kind is not MetricKind.STATE:
        row.unit = fitting(row.unit, metric.unit)
        conversion(row.unit, metric.unit)
    At.model_validate(row.at)


def _named(cells: Mapping[str, str]) -> str:
    return f", {cells['name']}" if cells.get("name") else ""


def _told(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"]))
    return f"{where}: {error['msg']}" if where else error["msg"]


def _whole(column: str, text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ImportFault(f"{column} {text!r} is no whole number") from None


def _number(column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ImportFault(f"{column} {text!r} is no number") from None


def _type(text: str) -> str:
    for name, letter in _TYPES.items():
        text = text.replace(name, letter) if text.startswith(name) else text
    return text


def _states(text: str) -> dict[int, str]:
    pairs = (part.partition("=") for part in text.split())
    return {_whole("states", raw): code for raw, _, code in pairs}
