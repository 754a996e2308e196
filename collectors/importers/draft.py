"""A profile in the making: rows of somebody else's map, and what they still lack."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from collectors.importers import cells
from collectors.importers.codes import coded, of_bit, said_by
from collectors.importers.fold import folded
from collectors.importers.guess import (
    by_name,
    component_of,
    fitting,
    guess,
    named_unit,
    slug,
    split,
    unit_of,
)
from collectors.importers.nature import OPEN_POWER, is_open
from collectors.importers.row import Row
from collectors.importers.unsaid import Unsaid
from collectors.units import conversion
from dcim.model.metric import MetricKind, registry

ALARM = {0: "inactive", 1: "active"}
THE_DEVICE = "."  # the component of a point of the device as a whole
FLAGS = {  # metric of a flag -> its states
    "leak": {0: "dry", 1: "wet"},
    "enabled": {0: "no", 1: "yes"},
    "alarm": ALARM,
    "contact": {0: "open", 1: "closed"},
}
UNNAMED = "unnamed"  # bits of an alarm word of which the map says nothing
_WELL = frozenset(  # words of flags that tell what is, not what is wrong
    [
        "ok",
        "good",
        "on",
        "active",
        "enable",
        "enabled",
        "charged",
        "charging",
        "discharging",
        "initialized",
        "present",
        "ready",
        "override",
        "mode",
        "support",
        "manual",
        "auto",
        "elapsed",
        "led",
        *("normal", "busy", "sleep", "check", "checking", "suspended", "measured", "permission"),
        *("calculation", "successful"),
    ]
)
_WRONG = frozenset(
    ["fault", "fail", "failed", "failure", "alarm", "error", "mismatch", "lost", "not"]
)
_WORDS = frozenset(  # what the name of a word ends with that is not 0 while something is wrong
    [
        "abnormal",
        "alarm",
        "disconnected",
        "error",
        "errors",
        "fault",
        "faults",
        "triggered",
        "tripped",
        "warning",
        "warnings",
    ]
)
_LEAK = frozenset(["leak", "leakage"])
_LATCHED = frozenset(["sticky", "latched"])
_ENDS = frozenset(["bits", "code", "flags", "info", "register", "status", "word"])
_LIMITS = frozenset(["count", "limit", "max", "min", "number", "rate"])


PLAUSIBLE: Mapping[str, tuple[float, float]] = {  # of a plant that runs, in the registry's unit
    "frequency": (45, 66),
    "temperature.supply": (2, 75),
    "temperature.return": (2, 75),
    "temperature.inlet": (2, 75),
    "temperature.outlet": (2, 75),
    "humidity": (2, 100),
}
_MOST_PLAUSIBLE = 4


class ImportFault(Exception):
    """A file that cannot be read as a map, or an answer that makes no sense."""


@dataclass(slots=True)
class Draft:
    """What a map says of a device; empty where it does not say."""

    source: str
    name: str = ""
    vendor: str = ""
    model: str = ""
    kind: str = ""
    evidence: str = "document"
    note: str = ""
    link: dict[str, Any] = field(default_factory=dict)
    identify: list[dict[str, Any]] = field(default_factory=list)
    plausible: list[dict[str, Any]] = field(default_factory=list)
    inventory: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unsaid: list[Unsaid] = field(default_factory=list)  # of the map as a whole
    remarks: list[str] = field(default_factory=list)  # for people

    def suggest(self) -> None:
        """Fill in what names and units tell; flag words become alarms, one a bit."""
        rows = [part for row in self.rows for part in _split_flags(row)]
        names = {row.name for row in rows}
        found = [row for row in rows if not row.metric]
        for row in found:
            _suggest(row, names)
        metrics = {row.metric for row in rows}
        for row in found:
            if not row.doubtful and is_open(row.metric, set(split(row.name)), metrics):
                row.doubtful = OPEN_POWER
        self.rows = rows

    def open_rows(self) -> list[Row]:
        """Rows whose meaning the map does not tell."""
        return [row for row in self.rows if not row.metric]

    def assume_units(self) -> None:
        """What a name tells of a scaled number, in the registry's unit, and marked as doubtful."""
        for row in self.open_rows():
            scaled = row.scale != 1 or "binary" in row.at or row.at.get("type") == "f32"
            metric = by_name(row.name) if not (row.unit or row.labels or row.single) else None
            if metric is not None and (scaled or metric == "frequency"):
                row.unit = registry()[metric].unit
                row.doubtful = f"the map gives no unit: {row.unit} assumed"
                _suggest(row)

    def settle(self) -> None:
        """Leave out what stayed open; give every point a name of its own; fold like parts."""
        self.left_out += [f"{row.where()}: {row.why_open()}" for row in self.open_rows()]
        self.rows = folded(_distinct([row for row in self.rows if row.metric]))

    def expect_plausible(self) -> None:
        """What first contact is held against, so that addresses off by one are noticed."""
        for row in self.rows:
            span = PLAUSIBLE.get(row.metric)
            if span and not row.repeat and len(self.plausible) < _MOST_PLAUSIBLE:
                self.plausible.append({"point": row.key, "range": span})


def answer(row: Row, text: str) -> None:
    """Take an answer `METRIC [UNIT] [COMPONENT]`; an empty one leaves the row open.

    A state is answered with its codes, `run 0=stopped 1=running pump/1`, where the map does not
    tell them. Flags are answered with alarm, enabled or leak alone; a word that is not 0 while
    something is so, likewise.
    """
    parts = text.split()
    if not parts:
        return
    metric = registry().get(parts[0])
    if metric is None and not parts[0].startswith("x."):
        raise ImportFault(f"{parts[0]!r} is no metric: see `dcim metrics`")
    if metric is not None and metric.kind is MetricKind.STATE:
        _answer_state(row, metric.name, parts[1:])
        return
    if len(parts) > 1:
        wanted = metric.unit if metric else parts[1]
        unit = fitting(unit_of(parts[1]), wanted)
        try:
            conversion(unit, wanted)
        except ValueError as error:
            raise ImportFault(str(error)) from None
        row.unit = unit
    row.metric = parts[0]
    row.doubtful = "; ".join(one for one in row.doubtful.split("; ") if one != OPEN_POWER)
    given = parts[2] if len(parts) > 2 else row.component or component_of(row.name)
    row.component = "" if given == THE_DEVICE else given


def _answer_state(row: Row, metric: str, parts: Sequence[str]) -> None:
    """`0=stopped 1=running pump/1`: the codes where the map has none, and the component."""
    if row.bits:
        if metric not in FLAGS:
            raise ImportFault(f"one of {', '.join(FLAGS)} is what each flag can be")
        row.metric = metric
        return
    labels = cells.states(" ".join(part for part in parts if "=" in part)) or row.labels
    component = next((part for part in parts if "=" not in part), "")
    if not labels and metric in FLAGS:
        row.metric = metric
        _as_word(row, component)
        return
    codes = list(registry()[metric].states)
    if not labels:
        example = f"{metric} 0={codes[0]} 1={codes[1]}"
        raise ImportFault(f"{metric} is a state of {', '.join(codes)}: answer like {example}")
    try:
        row.states = coded(labels, metric)
    except ValueError as error:
        raise ImportFault(str(error)) from None
    row.metric = metric
    given = component or row.component or component_of(row.name, said_by(metric))
    row.component = "" if given == THE_DEVICE else given


def _suggest(row: Row, names: AbstractSet[str] = frozenset()) -> None:
    """What name and unit tell; `names` are those of all rows."""
    if row.metric or row.labels:
        return
    if row.single and not row.unit:
        row.metric, row.states = of_bit(row.name)
        if row.metric:
            row.component = row.component or component_of(row.name, said_by(row.metric))
            return
    unit, name = (row.unit, row.name) if row.unit else named_unit(row.name, names)
    found = guess(name, unit)
    if found is None:
        if flag := _word(row):
            row.metric = flag
            _as_word(row)
        elif row.raw:
            row.metric, row.component = "value", row.component or component_of(row.name)
        return
    metric = registry()[found[0]]
    if not row.unit and _contradicts(name, unit):
        return
    try:
        conversion(unit or metric.unit, metric.unit)
    except ValueError:
        return
    row.unit = unit
    row.metric, row.component = found[0], row.component or found[1]


def _contradicts(name: str, unit: str) -> bool:
    """Whether the unit at the end of a name is not one of what the name says: current_v."""
    said = by_name(name)
    if not (said and unit):
        return False
    try:
        conversion(fitting(unit, registry()[said].unit), registry()[said].unit)
    except ValueError:
        return True
    return False


def _word(row: Row) -> str:
    """The flag that a bare word is which is not 0 while something is so; empty where it is none.

    By what its name ends with: Fan1_Error, Warning_2, FAULT_CODE, Pan_Leakage.
    """
    words = [word for word in split(row.name) if not word.isdecimal() and word not in _ENDS]
    bare = row.scale == 1 and not (row.offset or row.unit or "binary" in row.at)
    bare = bare and row.at.get("type", "u16")[0] == "u" and not _LIMITS & set(words)
    if not bare or not words:
        return ""
    if words[-1] in _LEAK or (words[-1] == "abnormal" and _LEAK & set(words)):
        return "alarm" if _LATCHED & set(words) else "leak"  # what was wet may be dry again
    return "alarm" if words[-1] in _WORDS else ""


def _as_word(row: Row, component: str = "") -> None:
    """The state of a flag, of a word whose bits nobody names; the word itself becomes `raw`."""
    no, yes = FLAGS[row.metric].items()
    row.states, row.other_state = dict([no]), yes[1]
    given = component or row.component or component_of(row.name, tuple(_ENDS))
    row.component = "" if given == THE_DEVICE else given


def _split_flags(row: Row) -> Iterator[Row]:
    """Flags by what they tell: leaks, what is well or on, and alarms."""
    if not row.bits or (row.metric and "{name}" in row.component):
        yield row
        return
    prefix = component_of(row.name, ("alarm", "status", "register", "word", "flags"))
    metric_of = {bit: row.metric or _flag(row.name, text) for bit, text in row.bits.items()}
    for metric, states in FLAGS.items():
        texts = {bit: row.bits[bit] for bit, found in metric_of.items() if found == metric}
        if texts:
            names = _unique({bit: slug("_".join(split(text))) for bit, text in texts.items()})
            prefix = f"word/{prefix}" if prefix.isdecimal() else prefix
            within = row.component or ("zone" if metric == "leak" else prefix)
            component = f"{within}/{{name}}" if within else "{name}"
            rest = f"{within}/{UNNAMED}".lstrip("/") if row.rest and metric == "alarm" else ""
            part = replace(row, metric=metric, component=component, bits=names, states=states)
            yield replace(part, rest=rest)


def _flag(register: str, text: str) -> str:
    words = set(split(text))
    if "leak" in text.lower() and not {"led", "setting", "settings"} & set(split(register)):
        return "leak"
    return "enabled" if words & _WELL and not words & _WRONG else "alarm"


def _unique(names: dict[int, str]) -> dict[int, str]:
    seen: dict[int, str] = {}
    for bit, name in sorted(names.items()):
        seen[bit] = f"{name}_{bit}" if name in seen.values() else name
    return seen


def _distinct(rows: Sequence[Row]) -> list[Row]:
    """A second point of the same name is called by its register's name."""
    taken: set[str] = set()
    for row in rows:
        each = "/{name}" if row.bits else ""
        if row.key in taken:
            row.component = slug("_".join(split(row.name))) + each
        if row.key in taken:
            row.component = f"{slug('_'.join(split(row.name)))}/{row.at.get('address')}{each}"
        if row.rest in taken:
            row.rest = f"{slug('_'.join(split(row.name)))}/{UNNAMED}"
        taken |= {row.key, row.rest} - {""}
    return list(rows)
