"""SNMP profiles: one TOML file describes one MIB family.

    name = "acme_pdu"                        # collectors/profiles/acme_pdu.toml
    protocol = "snmp"
    kind = "rack_pdu"
    vendor = "ACME"
    evidence = "document"
    sources = ["ACME-PDU-MIB, revision 2024-05"]
    root = "1.3.6.1.4.1.99999.1"             # what OIDs with a leading dot hang below
    replaces = ["ups_mib"]                   # or "ups_mib:input/*", by component/metric

    [identify]                               # see Identify
    sys_object_id = ["1.3.6.1.4.1.99999"]    # prefixes
    tables = [".2", ".9"]                    # one of these subtrees must exist

    [inventory]                              # text, not readings; the first that answers
    model = ".1.1.0"
    serial = [".1.2.0", ".1.3.0"]

    [[variant]]                              # what else the family's members can be; first fit
    when = { sysDescr = "~Transfer" }
    kind = "ats"

    [[point]]                                # a scalar, with its instance
    at = ".1.5.0"
    metric = "power.active"
    unit = "kW"                              # as sent; decode converts to the registry's
    scale = 0.01
    absent = [-1]

    [[point]]                                # one line for several: {each} in at and component
    at = ".1.{each}.0"
    each = { 7 = "L1", 8 = "L2", 9 = "L3" }
    component = "input/{each}"
    metric = "voltage"
    scale = 0.1

    [[table]]
    at = ".2.1"                              # the entry; columns are numbers below it
    component = "outlet/{index}"
    when = { 4 = [1, 2] }                    # only rows whose column 4 is 1 or 2
    column = [
      { at = 5, metric = "current", unit = "A", decimals_from = 6 },
      { at = 7, metric = "switch", states = { 1 = "on", 2 = "off" } },
      { at = 8, cases = "sensor", unit_from = { at = 9, map = { 0 = "degC", 1 = "degF" } } },
    ]

    [[cases.sensor]]                         # the column once for each case; first whose `when` fits
    when = { 3 = 1 }
    metric = "temperature"
    [[cases.sensor]]
    when = { name = "~(?i)humid" }
    metric = "humidity"
    unit = "%RH"

A *reference* (`Ref`) names another object: `6` or `"6"` a column of the same row; `".2.15.0"` or a
full OID a scalar; `".3.4.1.7.{index}"` another table's cell for the same index. Its value is read
when the device is planned (hourly again), so it may steer scale, unit, metric and names.

Self-describing tables, where a row's name is a path (`Temperature.Value`): `name_pattern` cuts `{name}`
out of it (group 1) and makes labels of its named groups; `"11@{name}.SetPtHighAlarm"` is column 11
of the row so named beside this one. `labels = { desc = "11@{name}.DescName" }` names references of
any kind, for use as `{desc}`.

In `component`, in references and as keys of `when` and `maps` stand: `index` (`{index}`), its parts
`index.1`, `index.2` ..., `index.2:text` (the text that is spelt from its second part on), `name`
(the table's name column, made fit for an address) and `{4}`, the value of column 4, and `labels`. `maps = { "index.2" = { 1 = "L1", 2 = "L2" } }` rewords them, in components only
(`component = "{2}outlet/{4}"`, `maps = { 2 = { 1 = "", 2 = "unit/2/" } }`: only chained units are named).

A *match* in `when` is a number, a text, a list of these (one must fit), `"~regex"`, `"!x"` (not),
`">9"`, `"<0"`, `"exists"` or `"missing"`. Keys beside references: `index...`, `name`,
`sysObjectID` (text without a leading dot), `sysDescr`.

`[[trap]]` with `oid` (of the notification, a leading dot as elsewhere) and `hint` (what it means, for
people): such a trap or inform of the device has it polled at once. `about` is the point it speaks of
(`outlet/*/switch`: component and metric, one the profile reads). `each` writes out several, here
`{each}` is the key in `oid` and the text in `hint`. An `oid` that ends in `.*` is every other trap
below; the longest such wins. MIBs for v1 leave out the zero before the last number: both forms count.

`[defaults]` of the file and `defaults = { absent = [-1] }` of a table hold for all their points.

Where two points of a device come to the same address (the tenths and the whole-number object, the
vendor's MIB and UPS-MIB), the one with the higher `rank` (of the point, else of its profile) wins,
then the one that stands first in the file, if it gives a usable value. Rows of one column that
come to the same address get their index appended. An OID is read by one point only, bits apart.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from collectors.profile import Point, Profile, Strict
from collectors.profile_faults import Loc
from dcim.model.asset import KINDS

Ref = Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v)]
Match = int | float | str | list[int | float | str]


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {pattern!r}: {error}") from None


def _patterns_compile(when: dict[str, Match]) -> dict[str, Match]:
    """Refuse a `~regex` that is none."""
    for match in when.values():
        for one in match if isinstance(match, list) else [match]:
            if isinstance(one, str) and one.lstrip("!").startswith("~"):
                _compiled(one.lstrip("!")[1:])
    return when


When = Annotated[dict[Ref, Match], AfterValidator(_patterns_compile)]
Limit = Literal["low_critical", "low_warning", "high_warning", "high_critical"]

ENTERPRISES = "1.3.6.1.4.1."
_OID = re.compile(r"\.?\d+(\.\d+)*")


class UnitFrom(Strict):
    """The unit stands in another object: its value or text (trimmed, any case) -> unit."""

    at: Ref
    map: dict[str, str]


class FactorFrom(Strict):
    """A factor depends on another object: by `map`, or the number itself where there is none."""

    at: Ref
    map: Annotated[dict[str, float], Field(default_factory=dict)]


class InvalidFrom(Strict):
    """Another object, read with every poll, tells that there is no value now: value -> why."""

    at: Ref
    map: dict[str, str]


class Large(Strict):
    """Quirk: a raw number above `above` is in another scale (a voltage in tenths)."""

    above: float
    scale: float


class LimitRefs(Strict):
    """Thresholds the device publishes beside the value, in the value's scale and unit."""

    low_critical: Ref | None = None
    low_warning: Ref | None = None
    high_warning: Ref | None = None
    high_critical: Ref | None = None
    enabled: Ref | None = None  # a bit field; only limits whose bit is set count
    bits: Annotated[dict[Limit, int], Field(default_factory=dict)]
    absent: tuple[float, ...] = ()  # raw values that mean: no such limit
    scale: float | None = None  # the limits' own scale (whole amperes beside hundredths)


class SnmpPoint(Point):
    """A scalar, or one column of a table. `at` is the instance, or the column's number."""

    at: Ref
    when: Annotated[When, Field(default_factory=dict)]
    unit_from: UnitFrom | None = None
    factor_from: FactorFrom | None = None
    divisor_from: Ref | None = None
    decimals_from: Ref | None = None
    invalid_from: InvalidFrom | None = None
    large: Large | None = None
    signed: Literal[8, 16, 32] | None = None  # two's complement sent as an unsigned number
    bit: int | None = None  # one bit: of a number 0 = lowest, of octets 0 = first octet's highest
    char: int | None = None  # one character of a text of digits, 0 = first
    pattern: str | None = None  # of a text: group 1 is the number (or the state), `unit` its unit
    text_units: Annotated[
        dict[str, str], Field(default_factory=dict)
    ]  # unit text behind the number ("70 F") -> unit
    text_states: Annotated[
        dict[str, str], Field(default_factory=dict)
    ]  # text (any case) -> state code
    limits: LimitRefs | None = None
    rank: int | None = None  # of this point, where it is finer or coarser than its profile's others

    @field_validator("pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and not _compiled(pattern).groups:
            raise ValueError("pattern needs a group around the number")
        return pattern


class Table(Strict):
    """Rows of one conceptual table; columns of other tables with the same index may join."""

    at: str
    component: str = ""
    name: Ref | None = None  # the cell that names the row: {name}
    name_else: Ref | None = None  # the same where that one is empty
    name_pattern: str | None = None  # searched in it: group 1 is {name}, named groups are labels
    labels: Annotated[dict[str, Ref], Field(default_factory=dict)]
    when: Annotated[When, Field(default_factory=dict)]
    maps: Annotated[dict[Ref, dict[str, str]], Field(default_factory=dict)]
    rebase: bool = False  # index parts count from 0 here; make them count from 1
    column: Annotated[tuple[SnmpPoint, ...], Field(min_length=1)]

    @field_validator("name_pattern")
    @classmethod
    def _name_pattern_compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and not _compiled(pattern).groups:
            raise ValueError("name_pattern needs a group around the name")
        return pattern

    def own_labels(self) -> frozenset[str]:
        """Words that stand for a text of the row beside index and columns."""
        groups = re.compile(self.name_pattern or "").groupindex
        return frozenset(["name", *self.labels, *groups])


class Identify(Strict):
    """How a device of this family is told.

    It is one when its sysObjectID or sysDescr fits, and one of `tables` exists if any are stated.
    Agents lie about sysObjectID: tables alone are enough, unless `strict`. A device that has none
    of any profile's tables is what it calls itself: sysDescr first, then the longest prefix.
    """

    sys_object_id: tuple[str, ...] = ()  # prefixes
    sys_descr: str | None = None  # regex, searched
    sys_descr_model: str | None = None  # regex, searched: group 1 is the model
    tables: tuple[str, ...] = ()
    strict: bool = False
    unless: Annotated[
        When, Field(default_factory=dict)
    ]  # not a member where all of these fit: sysObjectID, sysDescr

    @field_validator("sys_descr")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            _compiled(pattern)
        return pattern

    @field_validator("sys_descr_model")
    @classmethod
    def _model_pattern_compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and not _compiled(pattern).groups:
            raise ValueError("sys_descr_model needs a group around the model")
        return pattern

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """Of a sysObjectID with a dot at its end."""
        return tuple(prefix.strip(".") + "." for prefix in self.sys_object_id)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.sys_object_id or self.sys_descr or self.tables):
            raise ValueError("expected sys_object_id, sys_descr or tables")
        return self


class Trap(Strict):
    """A notification that is worth a look at the device."""

    oid: str
    hint: Annotated[str, Field(min_length=1)]
    about: str = ""  # the point it speaks of, by component/metric as in `replaces`


class Variant(Strict):
    """What some members of the family are instead of what the head says. First fit."""

    when: When
    kind: str | None = None
    vendor: str | None = None
    model: str | None = None

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind {kind!r} is not one of {', '.join(sorted(KINDS))}")
        return kind


Refs = Annotated[tuple[Ref, ...], BeforeValidator(lambda v: v if isinstance(v, list) else [v])]


def _expanded(table: Mapping[str, Any]) -> dict[str, Any]:
    """With every point of `each` and `cases` standing for itself."""
    data = dict(table)
    if isinstance(data.get("trap"), list):
        data["trap"] = _written_out(data["trap"], {}, {})
    cases = data.pop("cases", {})
    common = data.pop("defaults", {})
    if isinstance(data.get("point"), list):
        data["point"] = _written_out(data["point"], cases, common)
    if isinstance(data.get("table"), list):
        data["table"] = [_table_written_out(table, cases, common) for table in data["table"]]
    return data


class SnmpProfile(Profile):
    """A profile with `protocol = "snmp"`; the module's text describes the form."""

    protocol: Literal["snmp"]
    root: str = ""
    rank: int = 50  # who wins an address: the higher. Standard MIBs have less
    fallback: bool = False  # only where no other profile fits (ENTITY-SENSOR-MIB)
    replaces: tuple[str, ...] = ()
    identify: Identify
    inventory: Annotated[
        dict[str, Refs], Field(default_factory=dict)
    ]  # vendor, model, serial, firmware ...: text of the first
    variant: tuple[Variant, ...] = ()
    point: tuple[SnmpPoint, ...] = ()
    table: tuple[Table, ...] = ()
    trap: tuple[Trap, ...] = ()
    max_varbinds: Annotated[int, Field(ge=1, le=128)] = 24
    bulk: bool = True  # False: the agent's GETBULK is broken

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Write out `each` and `cases`, so that every point stands for itself."""
        if not isinstance(data, dict):
            return data
        try:
            return _expanded(data)
        except (TypeError, AttributeError, LookupError):
            raise ValueError(
                "found something else, expected tables in `defaults`, `cases`, `when` and `each`"
            ) from None

    @classmethod
    def place(cls, table: Mapping[str, Any], at: Loc) -> Loc:
        """Points and columns are counted as in the file, before `each` and `cases`."""
        cases = table.get("cases", {})
        match at:
            case ("point" | "trap" as key, int(n), *rest):
                return (key, _origin(table[key], cases, n), *rest)
            case ("table", int(i), "column", int(n), *rest):
                columns = table["table"][i]["column"]
                return ("table", i, "column", _origin(columns, cases, n), *rest)
        return at

    @model_validator(mode="after")
    def _oids_are_oids(self) -> Self:
        stated = [*self.identify.tables, *(p.at for p in self.point), *(t.at for t in self.table)]
        wrong = [at for at in stated if not _OID.fullmatch(self.oid(at))]
        traps = [trap.oid for trap in self.trap]
        wrong += [at for at in traps if not _OID.fullmatch(self.oid(at).removesuffix(".*"))]
        if wrong:
            raise ValueError(f"not an object identifier: {', '.join(wrong)}")
        parts = re.findall(r"\{index\.([^}]*)\}", repr((self.table, self.inventory)))
        if any(not part.removesuffix(":text").isdigit() for part in parts):
            raise ValueError("parts of the index are index.1, index.2 and so on")
        if not (self.point or self.table):
            raise ValueError("expected points or tables")
        return self

    @model_validator(mode="after")
    def _traps_are_sound(self) -> Self:
        known = Counter(trap_key(self.oid(trap.oid)) for trap in self.trap)
        faults = [f"a trap stands here twice: {oid}" for oid, times in known.items() if times > 1]
        points = [f"{p.component}/{p.metric}".lstrip("/") for p in self.point]
        for table in self.table:
            points += [f"{c.component or table.component}/{c.metric}" for c in table.column]
        for about in {trap.about: None for trap in self.trap if trap.about}:
            if not any(fnmatch.fnmatchcase(point, about) for point in points):
                faults.append(f"a trap is about {about!r}, which no point or column reads")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @cached_property
    def trap_hints(self) -> Mapping[str, Trap]:
        """The traps by `trap_key`."""
        return {trap_key(self.oid(trap.oid)): trap for trap in self.trap}

    def oid(self, at: str) -> str:
        """A reference's full OID, dotted, without a leading dot."""
        return f"{self.root}{at}".removeprefix(".") if at.startswith(".") else at

    @cached_property
    def below(self) -> frozenset[str]:
        """The enterprises below which its telling tables lie; "" where one is a standard's."""
        tables = [self.oid(table) for table in self.identify.tables]
        return frozenset(t.split(".")[6] if t.startswith(ENTERPRISES) else "" for t in tables)

    def replaces_point(self, other: str, point: str) -> bool:
        """Whether `component/metric` of the profile `other` gives way to this one."""
        rules = (rule.partition(":") for rule in self.replaces)
        return any(
            name == other and (not glob or fnmatch.fnmatchcase(point, glob))
            for name, _, glob in rules
        )


def trap_key(oid: str) -> str:
    """A notification's OID without what v1 and v2 write differently: the zero before its number.

    Source: RFC 3584 section 3.1.
    """
    enterprise, _, last = oid.rpartition(".")
    return f"{enterprise.removesuffix('.0')}.{last}"


def _table_written_out(table: Any, cases: Mapping[str, Any], common: Mapping[str, Any]) -> Any:
    if not isinstance(table, dict) or not isinstance(table.get("column"), list):
        return table
    own = {k: v for k, v in table.items() if k != "defaults"}
    defaults = {**common, **table.get("defaults", {})}
    return {**own, "column": _written_out(table["column"], cases, defaults)}


def _written_out(
    points: Sequence[Any], cases: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[Any]:
    """`each`, `cases` and `defaults` of every point replaced by the points they stand for."""
    out: list[Any] = []
    for point in points:
        if not isinstance(point, dict):
            out.append(point)
            continue
        for one in _each({**defaults, **point}):
            name = one.pop("cases", None)
            if name is None:
                out.append(one)
                continue
            if name not in cases:
                raise ValueError(f"cases {name!r} are not in this file")
            for case in cases[name]:
                when = {**one.get("when", {}), **case.get("when", {})}
                out.append({**one, **case, "when": when})
    return out


def _origin(points: Sequence[Any], cases: Mapping[str, Any], n: int) -> int:
    """Which of the points the n-th one came of when they were written out."""
    ends = accumulate(len(_written_out([point], cases, {})) for point in points)
    return next((at for at, end in enumerate(ends) if n < end), n)


def _each(point: dict[str, Any]) -> list[dict[str, Any]]:
    each = point.get("each")
    if each is None:
        return [dict(point)]
    if isinstance(each, list):
        each = {str(n): str(n) for n in each}
    plain = {k: v for k, v in point.items() if k != "each"}
    return [_with_each(plain, str(key), str(text)) for key, text in each.items()]


def _with_each(value: Any, key: str, text: str) -> Any:
    """`{each}` is the key in references and the text in components and hints."""
    if isinstance(value, dict):
        return {
            k.replace("{each}", key): v.replace("{each}", text)
            if k in ("component", "hint") and isinstance(v, str)
            else _with_each(v, key, text)
            for k, v in value.items()
        }
    return value.replace("{each}", key) if isinstance(value, str) else value
