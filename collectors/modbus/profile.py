"""The shape of a Modbus profile: where a value stands, how it is written, what the link bears.

A profile is one TOML file. Numbers on the wire become readings in this order:

    words -> number (type, word_order, byte_order, bit/width)             the `raw` number
    raw in `absent`: no reading; raw in `invalid`: a `bad` reading with that reason
    number = raw / 2**binary * 10**(value of scale_at), or times scale_by[value of scale_at]
    value in `unit` = number * scale + offset; then converted to the registry's unit

Example::

    name = "acme_shelf"
    protocol = "modbus"
    kind = "power_shelf"
    vendor = "ACME"
    evidence = "document"
    sources = ["ACME shelf register guide rev C"]
    one_based = true              # addresses below are counted from 1, as in the document

    [link]
    max_registers = 60
    gap = 8                       # reads may bridge up to 8 registers that nobody wants

    [[identify]]                  # all must hold but those that are `optional`; `equals` or `range`
    at = { table = "holding", address = 393, type = "string", length = 8 }
    equals = "ACME"

    [further]                     # two more such shelves answer under the same unit id,
    count = 3                     # 1000 registers apart: acme_shelf_2, acme_shelf_3
    moves = [{ range = [0, 999], by = 1000 }]

    [[plausible]]                 # checked on the first values; a miss says "off by one?"
    point = "input/L1/voltage"
    range = [80, 300]

    [[plausible]]                 # checked always: a power is not many times V x I
    point = "input/power.active"
    balance = ["input/L1", "input/L2", "input/L3"]

    [[inventory]]
    name = "serial"
    at = { address = 401, type = "string", length = 8 }

    [[point]]                     # three phases, two registers apart
    metric = "voltage"
    component = "input/{name}"
    at = { table = "input", address = 1, type = "f32", word_order = "little" }
    repeat = { count = 3, stride = 2, names = ["L1", "L2", "L3"] }

    [[point]]                     # module/1/temperature ... module/6/temperature
    metric = "temperature"
    component = "module/{index}"
    at = { address = 258, type = "i16", binary = 7 }
    repeat = { count = 6, stride = 16, start = 1, count_at = 256 }  # as many as 256 tells, 6 at most
    absent = [-32768]
    when = { address = 257, values = [1, 2], otherwise = "absent" }

    [[point]]                     # one alarm a bit: alarm/fan, alarm/mains
    metric = "alarm"
    component = "alarm/{name}"
    at = { address = 300 }
    bits = { 0 = "fan", 4 = "mains" }
    states = { 0 = "inactive", 1 = "active" }
    rest = "alarm/unnamed"        # the bits of this word that no point names, as one: active while
                                  # any of them is set, and `raw` is those bits

    [[point]]                     # a word of which nobody says what its bits mean: the alarm is
    metric = "alarm"              # active while any is set, and `raw` is the word
    component = "pump/1/error"
    at = { address = 310 }
    states = { 0 = "inactive" }
    other_state = "active"

`table` is "holding" unless said; `type` is "u16", and "bit" in the tables coil and discrete.
Words of one value that are not neighbours: `words = [hi, ..., lo]` instead of `address`.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from collectors import profile as base
from collectors.modbus.at import BIT_TABLES, WORDS, At, Repeat, When
from collectors.modbus.checks import cells, empty, never, overlapping, repeated
from collectors.modbus.point import Placed, Point, without
from collectors.profile import Strict
from dcim.model.metric import registry
from dcim.model.reading import metric_of

__all__ = [
    "BIT_TABLES",
    "WORDS",
    "At",
    "Link",
    "Model",
    "Part",
    "Placed",
    "Point",
    "Profile",
    "Repeat",
    "When",
]


class Identify(Strict):
    """One thing that must hold for a device to be of this profile."""

    at: At
    equals: int | float | str | None = None  # a text: that the register's text starts with it
    range: tuple[float, float] | None = None  # of the raw number, scaled by `scale`
    scale: float = 1.0
    optional: bool = False  # a miss only puts the profile behind others that fit as well

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if (self.equals is None) == (self.range is None):
            raise ValueError("state either `equals` or `range`")
        if isinstance(self.equals, str) != (self.at.type == "string"):
            raise ValueError("a text is compared with a text")
        return self

    def holds(self, value: float | str) -> bool:
        """Whether what the device answered fits."""
        if isinstance(value, str):
            return isinstance(self.equals, str) and value.startswith(self.equals)
        if self.range is not None:
            return self.range[0] <= value * self.scale <= self.range[1]
        return value == self.equals


class Plausible(Strict):
    """What must hold if addresses and word order are right: `range` or `balance`.

    `range`: the point's first value lies in it (in the registry's unit); of a power, every value.
    `balance`: at every poll a power is not many times V x I, summed over these components.
    """

    point: str  # component/metric
    range: tuple[float, float] | None = None
    balance: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.range is None) == (not self.balance):
            raise ValueError("either `range` or `balance`")
        if self.balance and not self.power:
            raise ValueError(f"`balance` is about a power.active, not {metric_of(self.point)}")
        return self

    @property
    def power(self) -> bool:
        """Whether the rule is about a power: these hold always, not only at first."""
        return metric_of(self.point) == "power.active"

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """Voltage and current of every component of `balance`, in turn."""
        return tuple(
            f"{part}/{metric}".lstrip("/")
            for part in self.balance
            for metric in ("voltage", "current")
        )

    @property
    def points(self) -> tuple[str, ...]:
        """All the rule speaks of."""
        return self.point, *self.measured


class Inventory(Strict):
    """A text or number that tells serial, firmware, model; not a reading."""

    name: str
    at: At


class Part(Strict):
    """The repeating group of a SunSpec model, as often as the model's length allows."""

    at: Annotated[int, Field(ge=2)]  # distance of the first from the model's ID register
    size: Annotated[int, Field(ge=1)]


class Model(Strict):
    """One SunSpec model: points with their distance from the model's ID register as address."""

    id: int
    kind: str
    point: tuple[Point, ...]
    part: Part | None = None
    part_point: tuple[Point, ...] = ()  # of the first part; their component says {index}


class Move(Strict):
    """How far apart like devices stand, for the addresses from..to of the first."""

    range: tuple[int, int]
    by: Annotated[int, Field(ge=1)]

    def holds(self, at: At) -> bool:
        """Whether a value stands in this range."""
        return self.range[0] <= min(at.addresses) and max(at.addresses) <= self.range[1]


class Further(Strict):
    """More devices under one unit id: profiles NAME_2 to NAME_count, taken by name only."""

    count: Annotated[int, Field(ge=2, le=99)]
    moves: Annotated[tuple[Move, ...], Field(min_length=1)]


class Link(Strict):
    """What the device bears. A site's URL may say otherwise (`?timeout_s=3`)."""

    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    gap: Annotated[int, Field(ge=0, le=120)] = 0  # addresses a read may bridge
    timeout_s: Annotated[float, Field(gt=0)] = 1.0
    connect_delay_s: Annotated[float, Field(ge=0)] = 0.0  # pause after connecting
    request_delay_s: Annotated[float, Field(ge=0)] = 0.0  # pause before every request
    in_flight: Annotated[int, Field(ge=1, le=16)] = 1
    any_transaction: bool = False  # gateways that answer with a constant transaction id
    units: tuple[int, ...] = ()  # unit ids it is delivered with
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "E"  # the standard's default


class Profile(base.Profile):
    """One device family on Modbus."""

    protocol: Literal["modbus"]
    one_based: bool = False  # addresses in this file are counted from 1
    link: Link = Link()
    identify: tuple[Identify, ...] = ()  # empty: only by name
    plausible: tuple[Plausible, ...] = ()
    inventory: tuple[Inventory, ...] = ()
    point: tuple[Point, ...] = ()
    models: tuple[Model, ...] = ()  # SunSpec: the device tells which of them it has, and where
    further: Further | None = None

    def copies(self) -> Iterator["Profile"]:
        """The further devices under the same unit id, each as a profile of its own."""
        whole = {name: getattr(self, name) for name in type(self).model_fields}
        for number in range(2, self.further.count + 1 if self.further else 2):
            own = {
                "name": f"{self.name}_{number}",
                "model": f"{self.model}, number {number}".lstrip(", "),
                "identify": (),
                "further": None,
                "point": tuple(p.model_copy(update=self._of(number, p.at)) for p in self.point),
                "inventory": tuple(
                    p.model_copy(update=self._of(number, p.at)) for p in self.inventory
                ),
            }
            yield Profile.model_validate(whole | own)

    def _of(self, number: int, at: At) -> dict[str, At]:
        """Where the further device of that number has a value."""
        moves = self.further.moves if self.further else ()
        by = next(move.by for move in moves if move.holds(at))
        return {"at": at.moved((number - 1) * by)}

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """Every point with its address on the wire, repeats and bits written out."""
        placed = [
            Placed(point, component, self.wire(at), self.wire(when) if when else None)
            for point in self.point
            for component, at, when in point.places()
        ]
        if not any(point.rest for point in self.point):
            return tuple(placed)
        named = {cell for one in placed if not one.is_rest for cell, _ in cells(one.at)}
        return tuple(
            replace(one, at=without(one.at, named)) if one.is_rest else one for one in placed
        )

    def wire(self, at: At) -> At:
        """An `at` of this file as it stands on the wire."""
        return at.wire() if self.one_based else at

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.point and not self.models:
            raise ValueError("no [[point]]")
        placed = [(one.key, one.at) for one in self.placed]
        faults = [*repeated(placed), *overlapping(placed), *self._outside(), *self._impossible()]
        faults += self._unmoved()
        if faults:
            raise ValueError("; ".join(map(self._located, faults)))
        return self

    def _located(self, fault: str) -> str:
        """With the number of the point it speaks of, so that its line can be told."""
        numbers = {id(point): number for number, point in enumerate(self.point)}
        keys = {one.key: numbers[id(one.point)] for one in self.placed}
        key = fault.partition(": ")[0]
        return f"point.{keys[key]}: {fault}" if key in keys else fault

    def _impossible(self) -> Iterator[str]:
        """Ranges that nothing lies in, and raw numbers that no register holds."""
        metrics = {one.key: registry().get(one.point.metric) for one in self.placed}
        for number, rule in enumerate(self.plausible):
            key = f"plausible.{number}: {rule.point}"
            metric = metrics.get(rule.point)
            for spoken in rule.points:
                if spoken not in metrics:
                    yield f"plausible.{number}: no point {spoken!r}"
            if rule.range is None:
                continue
            if rule.range[0] > rule.range[1]:
                yield from empty(key, rule.range)
            elif metric is not None and metric.range is not None:
                low, high = metric.range
                both = max(low, rule.range[0]), min(high, rule.range[1])
                reach = f"{metric.name} is within {low:g}..{high:g}"
                yield from (f"{one}: {reach}" for one in empty(key, both))
        for number, test in enumerate(self.identify):
            yield from empty(f"identify.{number}: {test.at.addresses[0]}", test.range)
        for number, point in enumerate(self.point):
            at = point.at
            if point.bits:
                at = at.model_copy(update={"bit": 0})
            raws = [*point.states, *point.absent, *point.invalid]
            for raw in never(at, raws):
                where = f"{point.metric} at {at.addresses[0]}"
                yield f"point.{number}: {where}: raw {raw:g} cannot come of {at.type}"

    def _unmoved(self) -> Iterator[str]:
        """Values of which `further` does not say where the next device has them."""
        if self.further is None:
            return
        if any(one.when for one in self.point):
            yield "further: no point with `when` can be moved"
        if any(one.repeat and one.repeat.count_at is not None for one in self.point):
            yield "further: a `count_at` is not moved"
        for at in (*(one.at for one in self.point), *(one.at for one in self.inventory)):
            if at.scale_at is not None:
                yield f"further: {at.addresses[0]} has a `scale_at`, which is not moved"
            elif not any(move.holds(at) for move in self.further.moves):
                yield f"further: {at.addresses[0]} is in no range of `moves`"

    def _outside(self) -> Iterator[str]:
        for placed in self.placed:
            at = placed.at
            if at.mask == 0:
                yield f"{placed.key}: `rest` of a word of which every bit is named"
            if min(at.addresses) < 0 or max(at.addresses) > 0xFFFF:
                yield f"{placed.key}: address outside 0..65535 on the wire"
            if not at.bits_only and not at.words and at.size > self.link.max_registers:
                most = self.link.max_registers
                yield f"{placed.key}: {at.size} registers, but the device gives at most {most}"
