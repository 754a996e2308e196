"""What a line of a register table measures: metric, component, codes. Pure."""

import re
from collections.abc import Sequence

from pydantic import ValidationError

from collectors.importers import cells, codes
from collectors.importers.draft import FLAGS
from collectors.importers.guess import component_of, fitting, guess, loop_of, split
from collectors.importers.line import Line
from collectors.importers.row import Row
from collectors.modbus.at import At
from collectors.modbus.checks import never
from collectors.units import CONVERSIONS, conversion
from dcim.model.metric import registry

_OF_A_LOOP = frozenset(
    f"{metric}.{end}" for metric in ("temperature", "pressure") for end in ("supply", "return")
) | {"flow"}
_OF_NUMBERS = frozenset(["type", "scale", "factors"])  # doubts that states and flags do not have
_NO_VALUE = frozenset([0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])


def meaning(line: Line, row: Row) -> None:
    """Metric, component and codes, as far as the line tells."""
    row.metric, row.component = line.get("metric"), line.get("component")
    row.guessed = not row.metric
    labels, bits = _lists(line, row)
    if row.metric and registry().get(row.metric) is None and not row.metric.startswith("x."):
        line.faults.append(f"metric: {row.metric!r} is no metric: see `dcim metrics`")
        return
    kind = str(row.at.get("type", "u16"))
    if bits and (row.single or kind[0] not in "ui"):
        line.faults.append(
            f"states: found names of bits, but it is {'a bit' if row.single else kind}"
        )
        return
    if bits:
        if kind[0] == "i":  # of flags the sign means nothing
            row.at["type"] = f"u{kind[1:]}"
        row.bits = bits
        row.metric = row.metric if row.metric in FLAGS else ""
        line.doubts -= _OF_NUMBERS
        return
    number = (row.metric and not codes.is_state(row.metric)) or row.unit
    if labels and number:  # 32767 = sensor fault
        row.invalid |= {_signed(raw, row): text for raw, text in labels.items()}
    elif labels or codes.is_state(row.metric):
        _state(line, row, labels)
    elif not row.metric and row.single:
        row.metric, row.states = codes.of_bit(row.name)
        line.doubts -= _OF_NUMBERS
        if row.metric and not row.component:
            row.component = component_of(row.name, codes.said_by(row.metric))
    elif not row.metric:
        _quantity(line, row)
    if row.single:
        line.doubts -= _OF_NUMBERS


def _lists(line: Line, row: Row) -> tuple[dict[int, str], dict[int, str]]:
    """(states, bits) of the column for them, or of two at least in what else is said."""
    text = line.get("states")
    if bits := cells.bits(text):
        return {}, bits
    if labels := cells.states(text):
        return labels, {}
    if text and text.lower() not in cells.NOTHING:
        line.faults.append(
            f"states: found {text!r}, expected 0=off 1=on, or bit0: name, bit1: name"
        )
    for other in ("name", "description", "note"):
        text = line.get(other)
        bits, labels = cells.bits(text), cells.states(text)
        if len(bits) > 1 or len(labels) > 1 or (labels and labels.keys() <= _NO_VALUE):
            if other == "name" or not line.get("name"):
                row.name = (
                    re.split(r"[:(,\uff1a\uff08]|\b(?:bit\s*)?\d+\s*[=:]", text)[0].strip()
                    or row.name
                )
            return ({}, bits) if len(bits) > 1 else (labels, {})
    return {}, {}


def _signed(raw: int, row: Row) -> float:
    """65535 of a signed register is -1."""
    kind = str(row.at.get("type", "u16"))
    bits = int(kind[1:]) if kind[0] == "i" else 0
    return float(raw - (1 << bits) if bits and raw >= 1 << bits - 1 else raw)


def _state(line: Line, row: Row, labels: dict[int, str]) -> None:
    line.doubts -= _OF_NUMBERS
    row.labels = labels
    row.metric = row.metric or codes.of_labels(row.name, labels)
    if not row.metric:
        return
    if not labels:
        row.states = codes.of_single(row.metric) if row.single else {}
        if not row.states:
            line.faults.append(
                f"{row.metric} is a state: fill the column `states`, like 0=off 1=on"
            )
        return
    try:
        row.states = codes.coded(labels, row.metric)
    except ValueError as error:
        line.faults.append(f"states: {error}")
    if not row.component and not line.get("metric"):
        row.component = component_of(row.name, codes.said_by(row.metric))


def _quantity(line: Line, row: Row) -> None:
    """A number by its name and unit; where the name tells nothing, by the description."""
    words = set(split(f"{row.name} {line.get('description')}"))
    if row.unit == "m3/h" and not words & {"air", "fan"}:
        row.unit = "m3/h liquid"
    found = guess(row.name, row.unit, line.get("description"))
    if row.unit == "K" and words & {"difference", "delta", "dt"}:
        found = "temperature.difference", ""
    if found is None and line.get("description"):
        found = guess(line.get("description"), row.unit)
    if found is None:
        return
    row.metric, component = found
    if "differential" in component or (row.metric == "pressure" and {"dp", "differential"} & words):
        row.metric = "pressure.differential"
        component = component.replace("differential", "").replace("dp", "").strip("/_")
    row.component = row.component or loop_of(component)


def one_loop(rows: Sequence[Row]) -> list[str]:
    """Supply, return and flow of no loop are of the one that the table speaks of, and said so."""
    loops = {row.component for row in rows if row.component.startswith("loop/")}
    bare = [row for row in rows if row.guessed and not row.component and row.metric in _OF_A_LOOP]
    if len(loops) != 1 or not bare:
        return []
    loop = loops.pop()
    taken = {row.metric for row in rows if row.component == loop}
    moved = [row for row in bare if row.metric not in taken]
    for row in moved:
        row.component = loop
    names = ", ".join(row.name for row in moved)
    return [f"assumed: {loop}, the only loop of the table, for {names}"] if moved else []


def check(line: Line, row: Row) -> None:
    """Whether unit and place make sense together with the metric."""
    metric = registry().get(row.metric)
    if row.unit and metric is not None and not codes.is_state(row.metric):
        unit = fitting(row.unit, metric.unit)
        if not _converts(unit, metric.unit):
            fits = ", ".join(one for one in CONVERSIONS if _converts(one, metric.unit))
            line.faults.append(f"unit: found {row.unit!r}; {row.metric} is in one of {fits}")
        row.unit = unit
    try:
        at = At.model_validate(row.at)
        if row.states and row.at.get("type", "u")[0] not in "ui":
            line.faults.append(f"states: a state is a whole number, not {row.at['type']}")
        for raw in never(at, [*row.states, *row.invalid]):
            line.faults.append(f"states: {raw:g} cannot come of {_written(at)}")
    except ValidationError as error:
        line.faults += [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors()
        ]


def _written(at: At) -> str:
    return "a single bit" if at.bits_only or (at.bit is not None and at.width == 1) else at.type


def _converts(unit: str, wanted: str) -> bool:
    try:
        conversion(unit, wanted)
    except ValueError:
        return False
    return True
