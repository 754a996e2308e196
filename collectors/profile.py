"""Device profiles: knowledge of devices as TOML data, read and checked with all faults at once.

Each protocol extends `Profile` and `Point` with its own `at` and `identify`
(`collectors/snmp/profile.py` and so on); this module holds what they share.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from collectors.profile_faults import Fault, Loc, every_fault
from collectors.units import conversion
from dcim.model.asset import KINDS
from dcim.model.metric import MetricKind, registry

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
        if faults := list(self.faults()):
            raise ValueError("\n".join(faults))
        return self

    def faults(self) -> Iterator[str]:
        """All that is wrong with the point in itself."""
        if self.scale == 0:
            yield "found scale = 0, which leaves nothing of a number, expected another factor"
        metric = registry().get(self.metric)
        if metric is None:
            unknown = f"metric {self.metric!r} is not in the registry (`dcim metrics`)"
            if not self.metric.startswith("x."):
                yield unknown
            elif not self.own_metrics:
                yield (
                    f"{unknown}: metrics of a site's own (x., declared by [metrics] in dcim.toml)"
                    " only MQTT profiles bring"
                )
        elif metric.kind is MetricKind.STATE:
            unknown_states = sorted(set(self.states.values()) - metric.states.keys())
            if unknown_states:
                codes = ", ".join(metric.states)
                yield f"{self.metric} has no state {', '.join(unknown_states)}; it has {codes}"
        elif self.states:
            yield f"{self.metric} is a number, not a state: `states` does not apply"
        elif self.unit is not None:
            try:
                conversion(self.unit, metric.unit)
            except ValueError as error:
                yield str(error)

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

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"found {kind!r}, expected one of {', '.join(sorted(KINDS))}")
        return kind


class ProfileError(Exception):
    """All faults of all profiles at once."""

    def __init__(self, faults: Sequence[Fault], sound: Mapping[str, "Profile"]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
        self.sound = sound  # the profiles without faults


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
            faults.append(Fault(file.name, "toml", str(error)))
            continue
        model = models.get(str(table.get("protocol")))
        if model is None:
            found = repr(table["protocol"]) if "protocol" in table else "nothing"
            faults.append(Fault(file.name, "protocol", found, f"one of {', '.join(models)}"))
            continue
        try:
            profile = model.model_validate(table)
        except ValidationError:
            faults += every_fault(file.name, table, model)
            continue
        if profile.name in profiles:
            taken = "a name that no other profile has"
            faults.append(Fault(file.name, "name", repr(profile.name), taken))
            continue
        if file.name != f"{profile.name}.toml":
            wanted = f"{file.name.removesuffix('.toml')!r}, the file's name"
            faults.append(Fault(file.name, "name", repr(profile.name), wanted))
        profiles[profile.name] = profile
    if faults:
        raise ProfileError(faults, profiles)
    return profiles
