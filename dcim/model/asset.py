"""The site: places, devices, and the three graphs feeds, serves and metering."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

KINDS = frozenset(
    [
        "ups",
        "dc_power",
        "hvdc",
        "genset",
        "ats",
        "power_shelf",
        "bbu",
        "supercap",
        "rack_pdu",
        "rpp",
        "busway",
        "meter",
        "cdu",
        "rpu",
        "manifold",
        "immersion_tank",
        "rear_door",
        "crah",
        "chiller",
        "dry_cooler",
        "cooling_tower",
        "cooling_unit",
        "pump",
        "valve",
        "leak_detector",
        "environment",
        "battery_string",
        "pv",
        "storage",
        "heat_meter",
        "weather",
        "panama",
        "network",
        "switchgear",
        "utility",
    ]
)


class MeterRole(StrEnum):
    """What a metered point counts as in PUE, WUE and CUE."""

    SITE_TOTAL = "site_total"
    IT = "it"
    COOLING = "cooling"
    LOSS = "loss"
    WATER = "water"
    REUSE = "reuse"
    RENEWABLE = "renewable"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class Hall:
    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    hall: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rack:
    id: str
    row: str
    position: int = 0
    u: int = 48
    limit_kw: float | None = None  # continuous, all feeds
    limit_kw_feed: float | None = None  # what one feed may carry
    cooling: str = "air"  # air | liquid | hybrid
    bbu_required: int | None = None  # battery modules that carry its load; default: all but one
    name: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device as configured; what it turns out to be is its Identity."""

    id: str
    place: str  # site, hall, row or rack
    profile: str = "auto"
    address: str = ""  # URL without secrets
    kind: str = ""  # from the profile, where it is known before first contact
    name: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """A coolant circuit; its fluid sets density and specific heat."""

    id: str
    fluid: str = "pg25"  # pg25 | water


@dataclass(frozen=True, slots=True)
class Feed:
    """An edge of the power graph: `source` feeds `target` on feed A or B."""

    source: str
    target: str
    feed: str = "A"
    rating_a: float | None = None


@dataclass(frozen=True, slots=True)
class Serve:
    """An edge of the cooling graph: `source` serves `target` by way of `loop`."""

    source: str
    target: str
    loop: str = ""


@dataclass(frozen=True, slots=True)
class Metering:
    """One point of the metering boundary."""

    role: MeterRole
    point: str
    category: int | None = None  # PUE category 1..3 of an `it` point


@dataclass(frozen=True, slots=True)
class Site:
    """Everything a site's file says of its plant."""

    id: str
    name: str = ""
    halls: Mapping[str, Hall] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    racks: Mapping[str, Rack] = field(default_factory=dict)
    loops: Mapping[str, Loop] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    feeds: tuple[Feed, ...] = ()
    serves: tuple[Serve, ...] = ()
    metering: tuple[Metering, ...] = ()
    it_capacity_kw: float | None = (
        None  # for the 1 % rule of live PUE; default: sum of the racks' limits
    )
    grid_kg_per_kwh: float | None = None  # carbon factor for CUE; none: no CUE
    breaker_factor: float = 0.8  # k of POWER section 2: share of a rating a continuous load may use

    def parent(self, object_id: str) -> str | None:
        """The place an object stands in: device -> rack -> row -> hall -> site."""
        if object_id in self.devices:
            return self.devices[object_id].place
        if object_id in self.racks:
            return self.racks[object_id].row
        if object_id in self.rows:
            return self.rows[object_id].hall
        return self.id if object_id in self.halls or object_id in self.loops else None

    def path(self, object_id: str) -> tuple[str, ...]:
        """From the site down to the object, both included."""
        path = [object_id]
        while (above := self.parent(path[-1])) is not None:
            path.append(above)
        return tuple(reversed(path))

    def devices_in(self, place: str) -> Iterator[Device]:
        """Devices that stand in a place or anywhere below it."""
        return (d for d in self.devices.values() if place in self.path(d.id))

    def racks_in(self, place: str) -> Iterator[Rack]:
        return (r for r in self.racks.values() if place in self.path(r.id))

    def fed_by(self, target: str) -> tuple[Feed, ...]:
        """Edges that feed an object, one step up."""
        return tuple(f for f in self.feeds if f.target == target)

    def served_by(self, target: str) -> tuple[Serve, ...]:
        return tuple(s for s in self.serves if s.target == target)
