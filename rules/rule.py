"""Alarm rules as data: TOML read into models, every fault at once with file and key."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from dcim.model.alarm import Priority
from dcim.model.asset import KINDS
from dcim.model.metric import MetricKind, registry
from dcim.model.reading import OutageKind

PlaceKind = Literal["site", "hall", "row", "rack", "loop", "device"]
Condition = Literal[">=", "<=", "state", "outage", "no_data"]
Via = Literal["power", "cooling", "device", "gateway"]
Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Match(Strict):
    """Which points a rule watches; what is left out matches everything."""

    metric: str = ""
    kinds: frozenset[str] = frozenset()  # of the device
    component: tuple[str, ...] = ("*",)  # globs
    object: PlaceKind | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = registry()
        if self.metric and self.metric not in known and not self.metric.startswith("x."):
            raise ValueError(f"metric {self.metric!r} is not in the registry")
        if unknown := sorted(self.kinds - KINDS):
            raise ValueError(f"unknown device kind {', '.join(unknown)}")
        return self

    def fits(self, component: str) -> bool:
        return any(fnmatchcase(component, glob) for glob in self.component)


class Limit(Strict):
    """A limit taken from another point of the same object, or from the rack: factor * x + offset."""

    metric: str | None = None
    component: str | None = None  # default: that of the watched point
    rack: Literal["limit_kw", "limit_kw_feed"] | None = None
    factor: float = 1.0
    offset: float = 0.0
    default: float | None = None  # as long as the point has no value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.metric is None) == (self.rack is None):
            raise ValueError("a limit comes from either `metric` or `rack`")
        if self.metric is not None and self.metric not in registry():
            raise ValueError(f"metric {self.metric!r} is not in the registry")
        return self


def _limit_form(value: Any) -> str:
    return "source" if isinstance(value, dict | Limit) else "number"


AnyLimit = Annotated[
    Annotated[float, Tag("number")] | Annotated[Limit, Tag("source")], Discriminator(_limit_form)
]


class Level(Strict):
    """One step of severity: H, HH. Delays left out are the rule's."""

    priority: Priority
    limit: AnyLimit | None = None
    states: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()  # for no_data: only these codes, "code: text"
    on_delay_s: Seconds | None = None
    off_delay_s: Seconds | None = None

    @field_validator("priority", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        names = {priority.name.lower(): priority for priority in Priority}
        if isinstance(value, str) and value not in names:
            raise ValueError(f"{value!r} is not one of {', '.join(names)}")
        return names.get(value, value) if isinstance(value, str) else value


class Inhibit(Strict):
    """No alarm for `for_s` after the first of these parts of the same object began to run."""

    component: str
    for_s: Seconds


class Unless(Strict):
    """The condition does not count while another point of the same object is in such a state."""

    metric: str
    component: str = ""
    states: frozenset[str]

    @model_validator(mode="after")
    def _known(self) -> Self:
        metric = registry().get(self.metric)
        if metric is None or (unknown := sorted(self.states - metric.states.keys())):
            raise ValueError(
                f"metric {self.metric!r} is not in the registry"
                if metric is None
                else f"{self.metric} has no state {', '.join(unknown)}"
            )
        return self


class Explained(Strict):
    """By which other alarms, found along which way, this one is a mere consequence.

    By power: every feed must be explained, unless `any_feed`. By gateway: the alarm of another
    device behind the same gateway or broker, when all of them are silent. By device, `is_cause`:
    this condition is the reason of the other, graver alarm, which names it; one alarm, not two.
    `within_s`: only where both came up within so many seconds: one event, told by many.
    """

    by: tuple[str, ...]
    via: Via
    any_feed: bool = False
    is_cause: bool = False
    within_s: Seconds | None = None  # between the two; None: whenever the other one stands

    @model_validator(mode="after")
    def _causes_are_of_the_device(self) -> Self:
        if self.is_cause and self.via != "device":
            raise ValueError("is_cause needs via = 'device'")
        return self


class AlarmRule(Strict):
    """One alarm of the master list (ISA-18.2 rationalisation record, thin)."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    title_zh: str = ""
    category: Annotated[Literal["process", "instrument"], Field(alias="class")] = "process"
    match: Match = Match()
    condition: Condition
    outages: frozenset[OutageKind] = frozenset()  # for outage: only these, be it with readings
    level: Annotated[tuple[Level, ...], Field(min_length=1)]  # mild to severe
    deadband: float | str = 0.0  # in the metric's unit, or "2 %" of the limit
    on_delay_s: Seconds = 0.0
    off_delay_s: Seconds = 0.0
    latching: bool = False
    safety: bool = False  # never delayed, never suppressed; a doubtful reading never clears it
    inhibit: Inhibit | None = None
    unless: tuple[Unless, ...] = ()
    explained: tuple[Explained, ...] = ()
    basis: str = ""  # where priority and limits come from
    cause: Text
    consequence: Text
    action: Text
    runbook: str = ""

    @field_validator("deadband")
    @classmethod
    def _deadband(cls, value: float | str) -> float | str:
        if isinstance(value, str):
            number, _, rest = value.partition("%")
            if rest.strip() or not number.strip().replace(".", "", 1).isdigit():
                raise ValueError(f"{value!r} is neither a number nor a percentage such as '2 %'")
        elif value < 0:
            raise ValueError("a deadband is not negative")
        return value

    @model_validator(mode="after")
    def _levels_fit_the_condition(self) -> Self:
        metric = registry().get(self.match.metric)
        if self.condition == "outage":
            return self
        if self.outages:
            raise ValueError("`outages` needs condition 'outage'")
        if not self.match.metric:
            raise ValueError(f"condition {self.condition!r} needs match.metric")
        for level in self.level:
            if self.condition == "state":
                if not level.states or level.limit is not None:
                    raise ValueError("condition 'state' needs `states` in every level, no limit")
                unknown = level.states - metric.states.keys() if metric else set()
                if unknown:
                    raise ValueError(f"{metric} has no state {', '.join(sorted(unknown))}")
            elif self.condition in (">=", "<=") and (level.limit is None or level.states):
                raise ValueError(f"condition {self.condition!r} needs `limit` in every level")
        needs_state = {"state": True, ">=": False, "<=": False}.get(self.condition)
        if metric and needs_state not in (None, metric.kind is MetricKind.STATE):
            raise ValueError(f"condition {self.condition!r} does not fit a {metric.kind}")
        return self

    @model_validator(mode="after")
    def _safety_is_at_once(self) -> Self:
        late = any((level.on_delay_s or self.on_delay_s) > 10 for level in self.level)
        if self.safety and (late or self.explained or self.inhibit or self.unless):
            raise ValueError(
                "a safety alarm is neither delayed (over 10 s), inhibited, gated nor explained"
            )
        return self

    def deadband_of(self, limit: float) -> float:
        """The deadband at a limit, in the metric's unit."""
        if isinstance(self.deadband, str):
            return abs(limit) * float(self.deadband.partition("%")[0]) / 100
        return self.deadband

    def delays_of(self, level: Level) -> tuple[float, float]:
        """On-delay and off-delay of a level, s."""
        on = self.on_delay_s if level.on_delay_s is None else level.on_delay_s
        off = self.off_delay_s if level.off_delay_s is None else level.off_delay_s
        return on, off


class RuleFile(Strict):
    """One file of rules."""

    alarm: tuple[AlarmRule, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules by id."""

    alarms: Mapping[str, AlarmRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One thing wrong in a file of rules."""

    file: str
    key: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.found}"


class RuleError(Exception):
    """All faults of all files of rules at once."""

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def load(paths: Iterable[Traversable]) -> RuleSet:
    """Rules from TOML files. Raises RuleError with every fault of every file."""
    alarms: dict[str, AlarmRule] = {}
    origin: dict[str, str] = {}
    named: set[str] = set()  # faulty rules too: a reference to one is not a fault of its own
    faults: list[RuleFault] = []
    for path in paths:
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            faults.append(RuleFault(path.name, "file", str(error)))
            continue
        named.update(_ids(table))
        try:
            file = RuleFile.model_validate(table)
        except ValidationError as error:
            faults.extend(_faults(path.name, table, error))
            continue
        for rule in file.alarm:
            if rule.id in alarms:
                found = f"rule {rule.id!r} is already defined in {origin[rule.id]}"
                faults.append(RuleFault(path.name, f"alarm.{rule.id}", found))
            alarms[rule.id] = rule
            origin[rule.id] = path.name
    faults.extend(_broken_references(alarms, origin, named))
    if faults:
        raise RuleError(faults)
    return RuleSet(alarms)


def builtin() -> tuple[Traversable, ...]:
    """The suite's own files of rules."""
    folder = resources.files("rules").joinpath("builtin")
    files = (file for file in folder.iterdir() if file.name.endswith(".toml"))
    return tuple(sorted(files, key=lambda file: file.name))


def _broken_references(
    alarms: Mapping[str, AlarmRule], origin: Mapping[str, str], named: AbstractSet[str]
) -> Iterable[RuleFault]:
    for rule in alarms.values():
        for explained in rule.explained:
            for missing in (by for by in explained.by if by not in named):
                key = f"alarm.{rule.id}.explained"
                yield RuleFault(origin[rule.id], key, f"there is no rule {missing!r}")


def _ids(table: Mapping[str, Any]) -> Iterator[str]:
    """The ids of a file's rules, whatever else is wrong with it."""
    rules = table.get("alarm")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict):
            yield str(rule.get("id"))


def _faults(name: str, table: Mapping[str, Any], error: ValidationError) -> Iterable[RuleFault]:
    errors = error.errors()
    for one in errors:
        loc = one["loc"]
        deeper = any(other["loc"][: len(loc)] == loc for other in errors if other is not one)
        if one["type"] == "too_short" and deeper:
            continue  # only because what it holds was faulty
        match loc:
            case ("alarm", int(index), *rest):
                loc = ("alarm", table["alarm"][index].get("id", index), *rest)
        yield RuleFault(
            name, ".".join(map(str, loc)) or "file", one["msg"].removeprefix("Value error, ")
        )
