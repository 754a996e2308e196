"""Device profiles: knowledge of devices as TOML data, read and checked with all faults at once.

Each protocol extends `Profile` and `Point` with its own `at` and `identify`
(`collectors/snmp/profile.py` and so on); this module holds what they share.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collectors.units import conversion
from dcim.model.asset import KINDS
from dcim.model.metric import MetricKind, registry

Loc = tuple[int | str, ...]  # a path through tables and lists
Evidence = Literal["recording", "document", "firmware", "beta", "synthetic"]
Group = Literal["fast", "normal", "slow"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(Strict):
    """What every point of a profile states, whatever its protocol."""

    own_metrics: ClassVar[bool] = False  # whether `x.` metrics of the site can be brought

    metric: str
    component: str = ""  # from the device's side inwards: "input/L1"; {index} and names by protocol
    unit: str | None = None  # as the device sends it; default: the registry's
    scale: float = 1.0
    offset: float = 0.0
    states: Annotated[dict[int, str], Field(default_factory=dict)]  # raw -> registry code
    absent: tuple[int | float, ...] = ()  # raw values that mean: this part is not there; no reading
    invalid: dict[int | float, str] = {}  # raw values that mean: no value now, and why -> bad
    doubtful: str | None = None  # why every reading of this point is `uncertain`
    group: Group | None = None  # default: fast for safety metrics, slow for counters of lifetime
    note: str = ""
    source: str = ""  # document, table, page

    @model_validator(mode="after")
    def _fits_the_registry(self) -> Self:
        metric = registry().get(self.metric)
        if metric is None:
            if not self.metric.startswith("x."):
                raise ValueError(f"metric {self.metric!r} is not in the registry (`dcim metrics`)")
            if not self.own_metrics:
                raise ValueError(
                    f"metric {self.metric!r} is not in the registry (`dcim metrics`): metrics of a "
                    "site's own (x., declared by [metrics] in dcim.toml) only MQTT profiles bring"
                )
            return self
        if metric.kind is MetricKind.STATE:
            unknown = sorted(set(self.states.values()) - metric.states.keys())
            if unknown:
                codes = ", ".join(metric.states)
                raise ValueError(f"{self.metric} has no state {', '.join(unknown)}; it has {codes}")
        elif self.states:
            raise ValueError(f"{self.metric} is a number, not a state: `states` does not apply")
        elif self.unit is not None:
            conversion(self.unit, metric.unit)
        return self

    def poll_group(self) -> Group:
        """The group this point is polled in."""
        if self.group is not None:
            return self.group
        metric = registry().get(self.metric)
        return "fast" if metric is not None and metric.safety else "normal"


class Profile(Strict):
    """The head of a profile."""

    name: str
    protocol: str
    kind: str
    vendor: str
    model: str = ""
    evidence: Evidence
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    note: str = ""

    @classmethod
    def place(cls, table: Mapping[str, Any], at: Loc) -> Loc:
        """Where in the file's table stands what is at fault in the model."""
        return at

    @model_validator(mode="after")
    def _known_kind(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is not one of {', '.join(sorted(KINDS))}")
        return self


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a data file."""

    file: str
    key: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.found}"


class ProfileError(Exception):
    """All faults of all profiles at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def load_profiles(
    files: Iterable[Traversable], models: Mapping[str, type[Profile]]
) -> dict[str, Profile]:
    """Profiles by name from TOML files; `models` tells which class reads which protocol.

    Raises ProfileError with every fault of every file.
    """
    profiles: dict[str, Profile] = {}
    faults: list[Fault] = []
    for file in files:
        try:
            table = tomllib.loads(file.read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            faults.append(Fault(file.name, "file", str(error)))
            continue
        model = models.get(str(table.get("protocol")))
        if model is None:
            found = f"found {table.get('protocol')!r}, expected one of {', '.join(models)}"
            faults.append(Fault(file.name, "protocol", found))
            continue
        try:
            profile = model.model_validate(table)
        except ValidationError as error:
            faults.extend(_faults(file.name, table, model, error))
            faults.extend(_further(file.name, table, model, error))
            continue
        if profile.name in profiles:
            faults.append(Fault(file.name, "name", f"{profile.name!r} is taken by another profile"))
        elif file.name != f"{profile.name}.toml":
            faults.append(
                Fault(file.name, "name", f"{profile.name!r} differs from the file's name")
            )
        profiles[profile.name] = profile
    if faults:
        raise ProfileError(faults)
    return profiles


_PLACE = re.compile(r"((?:point|plausible|identify)\.\d+): (.+)", re.DOTALL)
_SAID = {  # kind of error -> in words of ours
    "missing": "nothing; this key is needed",
    "extra_forbidden": "a key that no profile has",
    "too_short": "nothing in it",
}
_HEAD = {"name": "x", "kind": "meter", "vendor": "x", "evidence": "document", "sources": ["x"]}


def _faults(
    name: str, table: Mapping[str, Any], model: type[Profile], error: ValidationError
) -> Iterator[Fault]:
    for one in error.errors():
        key = ".".join(str(part) for part in model.place(table, one["loc"]))
        text = _SAID.get(one["type"], one["msg"].removeprefix("Value error, "))
        for part in text.split("; ") if not key else [text]:
            place = _PLACE.fullmatch(part)
            yield Fault(name, place[1], place[2]) if place else Fault(name, key or "file", part)


def _further(
    name: str, table: Mapping[str, Any], model: type[Profile], error: ValidationError
) -> Iterator[Fault]:
    """What is wrong among the points that are right each on their own: overlaps, and the like."""
    located = [model.place(table, one["loc"]) for one in error.errors()]
    if () in located:
        return
    wrong = {loc[1] for loc in located if loc[0] == "point" and len(loc) > 1}
    points = list(enumerate(table.get("point", ())))
    kept = [(number, point) for number, point in points if number not in wrong]
    heads = {str(loc[0]) for loc in located} - {"point"}
    rest = {key: value for key, value in table.items() if key not in heads}
    rest = {key: _HEAD[key] for key in heads & _HEAD.keys()} | rest
    if wrong:
        rest.pop("plausible", None)  # may speak of a point that is not looked at
    rest["point"] = [point for _, point in kept]
    try:
        model.model_validate(rest)
    except ValidationError as second:
        for fault in _faults(name, rest, model, second):
            place = re.fullmatch(r"point\.(\d+)(.*)", fault.key)
            if place:
                number = kept[int(place[1])][0]
                yield Fault(name, f"point.{number}{place[2]}", fault.found)
