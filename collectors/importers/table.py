"""Registers in a CSV: columns by name, in any order, only `address` is needed.

name, address, table, type, scale, offset, unit, metric, component, word_order, byte_order, bit,
length, states, invalid, note. `states` reads `0=stopped 1=running`; `invalid` reads `65535 32767`.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from collectors.importers.draft import Draft, ImportFault, Row
from collectors.importers.guess import unit_of
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
        except (ValueError, ImportFault) as error:
            faults.append(f"line {number}: {error}")
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
    at["address"] = int(get("address"), 0)
    kind = _type(get("type").lower())
    if kind not in ("", "u16", "bit", "bool"):
        at["type"] = kind
    at |= {key: get(key).lower() for key in ("word_order", "byte_order") if get(key)}
    at |= {key: int(get(key)) for key in ("bit", "length") if get(key)}
    row = Row(
        get("name") or f"register {get('address')}",
        at,
        get("metric"),
        get("component"),
        unit_of(get("unit")),
        float(get("scale") or 1),
        float(get("offset") or 0),
        states=_states(get("states")),
        invalid={float(raw): "no value" for raw in get("invalid").split()},
    )
    _check(row)
    return row


def _check(row: Row) -> None:
    metric = registry().get(row.metric)
    if row.metric and metric is None and not row.metric.startswith("x."):
        raise ImportFault(f"{row.metric!r} is no metric: see `dcim metrics`")
    if metric is not None and metric.kind is MetricKind.STATE and not row.states:
        raise ImportFault(f"{row.metric} is a state: fill the column `states`, like 0=off 1=on")


def _type(text: str) -> str:
    for name, letter in _TYPES.items():
        text = text.replace(name, letter) if text.startswith(name) else text
    return text


def _states(text: str) -> dict[int, str]:
    pairs = (part.partition("=") for part in text.split())
    return {int(raw): code for raw, _, code in pairs}
