"""The shape of a Modbus profile: where a value stands, how it is written, what the link bears.

A profile is one TOML file. Numbers on the wire become readings in this order:

    words -> number (type, word_order, byte_order, bit/width)             the `raw` number
    raw in `absent`: no reading; raw in `invalid`: a `bad` reading with that reason
    number = raw / 2**binary * 10**(value of scale_at)
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

    [[identify]]                  # all must hold; `equals` or `range`
    at = { table = "holding", address = 393, type = "string", length = 8 }
    equals = "ACME"

    [[plausible]]                 # checked on the first values; a miss says "off by one?"
    point = "input/L1/voltage"
    range = [80, 300]

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
    repeat = { count = 6, stride = 16, start = 1 }
    absent = [-32768]
    when = { address = 257, values = [1, 2], otherwise = "absent" }

    [[point]]                     # one alarm a bit: alarm/fan, alarm/mains
    metric = "alarm"
    component = "alarm/{name}"
    at = { address = 300 }
    bits = { 0 = "fan", 4 = "mains" }
    states = { 0 = "inactive", 1 = "active" }

`table` is "holding" unless said; `type` is "u16", and "bit" in the tables coil and discrete.
Words of one value that are not neighbours: `words = [hi, ..., lo]` instead of `address`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from collectors import profile as base
from collectors.profile import Strict
from dcim.model.metric import MetricKind, registry

Table = Literal["holding", "input", "coil", "discrete"]
Order = Literal["big", "little"]
Type = Literal[
    "u16",
    "i16",
    "u32",
    "i32",
    "u64",
    "i64",
    "f32",
    "f64",
    "bcd16",
    "bcd32",
    "string",
    "bit",
]
Address = Annotated[int, Field(ge=0, le=0x10000)]

BIT_TABLES = frozenset(("coil", "discrete"))
WORDS: dict[str, int] = {  # registers of one value, by type
    "u16": 1,
    "i16": 1,
    "bcd16": 1,
    "bit": 1,
    "u32": 2,
    "i32": 2,
    "f32": 2,
    "bcd32": 2,
    "u64": 4,
    "i64": 4,
    "f64": 4,
}


class At(Strict):
    """Where a value stands and how it is written."""

    table: Table = "holding"
    address: Address | None = None  # zero-based wire address, unless the profile is one_based
    words: tuple[Address, ...] = ()  # instead of address: of every word, most significant first
    type: Type = "u16"
    word_order: Order = "big"  # little: the low word stands first
    byte_order: Order = "big"  # little: the low byte stands first in each register
    length: Annotated[int, Field(ge=1, le=125)] = 1  # registers of a string
    bit: Annotated[int, Field(ge=0, le=63)] | None = None  # 0 = least significant of the value
    width: Annotated[int, Field(ge=1, le=32)] = 1  # bits of the field that starts at `bit`
    binary: Annotated[int, Field(ge=0, le=32)] = 0  # fraction bits of a fixed-point number
    scale_at: Address | None = None  # register (same table, i16) with a power of ten

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.address is None) == (not self.words):
            raise ValueError("state either `address` or `words`")
        if self.words and self.word_order != "big":
            raise ValueError("`words` is in order already: `word_order` does not apply")
        if self.table in BIT_TABLES and (self.type not in ("u16", "bit") or self.bit is not None):
            raise ValueError(f"the table {self.table} holds single bits: no type, no `bit`")
        if self.words and self.type != "string" and len(self.words) != WORDS[self.type]:
            raise ValueError(f"{self.type} has {WORDS[self.type]} words, found {len(self.words)}")
        if self.bit is not None:
            if self.type not in ("u16", "u32", "u64", "bit"):
                raise ValueError(f"a bit of {self.type} makes no sense: use u16, u32 or u64")
            if self.bit + self.width > 16 * self.size:
                raise ValueError(
                    f"bit {self.bit} is outside the {16 * self.size} bits of the value"
                )
        return self

    @property
    def bits_only(self) -> bool:
        """Whether the value is a single coil or discrete input."""
        return self.table in BIT_TABLES

    @property
    def size(self) -> int:
        """Registers of the value (1 for a coil)."""
        return self.length if self.type == "string" else WORDS[self.type]

    @property
    def addresses(self) -> tuple[int, ...]:
        """Every address the value stands on, in the order of `words` or of the wire."""
        if self.address is None:
            return self.words
        return tuple(range(self.address, self.address + self.size))

    def moved(self, by: int) -> "At":
        """The same value `by` addresses further on; its scale register stays."""
        return self.model_copy(
            update={
                "address": None if self.address is None else self.address + by,
                "words": tuple(word + by for word in self.words),
            }
        )

    def wire(self) -> "At":
        """From addresses counted from 1 to those on the wire."""
        scale_at = None if self.scale_at is None else self.scale_at - 1
        return self.moved(-1).model_copy(update={"scale_at": scale_at})

    def source(self, unit: int) -> str:
        """`unit:table:address`, decimal and zero-based, `#bit` where it is one."""
        bit = "" if self.bit is None else f"#{self.bit}"
        return f"{unit}:{self.table}:{self.addresses[0]}{bit}"


class Repeat(Strict):
    """One point of each of several like parts; the component says {index} or {name}."""

    count: Annotated[int, Field(ge=1, le=10000)]
    stride: Annotated[int, Field(ge=0)] = 0  # addresses from one part to the next
    bits: Annotated[int, Field(ge=0)] = 0  # bits from one part to the next
    start: int = 1  # the first {index}
    names: tuple[str, ...] = ()  # the {name} of each

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{self.count} parts, but {len(self.names)} names")
        if not self.stride and not self.bits:
            raise ValueError("state `stride` or `bits`: else all parts are the same register")
        return self


class When(Strict):
    """A value that means something only while another register says so."""

    table: Table = "holding"
    address: Address
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    values: tuple[int, ...] = (1,)
    otherwise: Literal["uncertain", "absent"] = "uncertain"
    reason: str = "the device marks it as without meaning now"
    fixed: bool = False  # the same register for every part of a repeat

    def at(self, by: int = 0, bits: int = 0) -> At:
        """Where the condition stands, for the part `by` addresses (and `bits`) further on."""
        if self.fixed:
            by = bits = 0
        bit = None if self.bit is None else self.bit + bits
        return At(table=self.table, address=self.address + by, bit=bit)


class Point(base.Point):
    """One point, or one of every like part."""

    at: At
    repeat: Repeat | None = None
    bits: Annotated[dict[int, str], Field(default_factory=dict)]  # bit -> {name}: one point a bit
    when: When | None = None

    @model_validator(mode="after")
    def _places(self) -> Self:
        if self.at.type == "string":
            raise ValueError("a text is no reading: put it into [[inventory]]")
        metric = registry().get(self.metric)
        if metric is not None and metric.kind is MetricKind.STATE:
            if not self.states:
                raise ValueError(f"{self.metric} is a state, but no states are given")
            if self.at.type[0] == "f" or self.at.type[:3] == "bcd":
                raise ValueError(f"a state is a whole number, not {self.at.type}")
        if self.bits and ((self.repeat and self.repeat.names) or self.at.bit is not None):
            raise ValueError("`bits` stands alone: neither `at.bit` nor `repeat.names` with it")
        if self.bits and "{name}" not in self.component:
            raise ValueError("`bits` needs {name} in the component")
        if self.repeat and "{index}" not in self.component and "{name}" not in self.component:
            raise ValueError("`repeat` needs {index} or {name} in the component")
        return self

    def places(self) -> Iterator[tuple[str, At, At | None]]:
        """(component, where, condition) of every part, addresses as the document counts them."""
        repeat = self.repeat
        for number in range(repeat.count if repeat else 1):
            by = number * repeat.stride if repeat else 0
            shift = number * repeat.bits if repeat else 0
            at = self.at.moved(by)
            if at.bit is not None:
                at = at.model_copy(update={"bit": at.bit + shift})
            when = self.when.at(by, shift) if self.when else None
            index = str(number + (repeat.start if repeat else 0))
            name = repeat.names[number] if repeat and repeat.names else ""
            component = self.component.replace("{index}", index)
            if not self.bits:
                yield component.replace("{name}", name), at, when
            for bit, label in self.bits.items():
                placed = at.model_copy(update={"bit": bit + shift})
                yield component.replace("{name}", label), placed, when


@dataclass(frozen=True, slots=True)
class Placed:
    """One point of one device, with its address on the wire."""

    point: Point
    component: str
    at: At
    when: At | None = None

    @property
    def key(self) -> str:
        """`component/metric`."""
        return f"{self.component}/{self.point.metric}" if self.component else self.point.metric


class Identify(Strict):
    """One thing that must hold for a device to be of this profile."""

    at: At
    equals: int | float | str | None = None  # a text: that the register's text starts with it
    range: tuple[float, float] | None = None  # of the raw number, scaled by `scale`
    scale: float = 1.0

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
    """A point whose first value tells whether the addresses are right."""

    point: str  # component/metric
    range: tuple[float, float]  # in the registry's unit


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

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """Every point with its address on the wire, repeats and bits written out."""
        return tuple(
            Placed(point, component, self.wire(at), self.wire(when) if when else None)
            for point in self.point
            for component, at, when in point.places()
        )

    def wire(self, at: At) -> At:
        """An `at` of this file as it stands on the wire."""
        return at.wire() if self.one_based else at

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.point and not self.models:
            raise ValueError("no [[point]]")
        faults = [*_repeated(self.placed), *_overlapping(self.placed), *self._outside()]
        known = {placed.key for placed in self.placed}
        faults += [
            f"plausible: no point {p.point!r}" for p in self.plausible if p.point not in known
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _outside(self) -> Iterator[str]:
        for placed in self.placed:
            at = placed.at
            if min(at.addresses) < 0 or max(at.addresses) > 0xFFFF:
                yield f"{placed.key}: address outside 0..65535 on the wire"
            if not at.bits_only and not at.words and at.size > self.link.max_registers:
                most = self.link.max_registers
                yield f"{placed.key}: {at.size} registers, but the device gives at most {most}"


def _repeated(placed: tuple[Placed, ...]) -> Iterator[str]:
    """Two points of one name."""
    seen: set[str] = set()
    for one in placed:
        if one.key in seen:
            yield f"{one.key}: stands twice"
        seen.add(one.key)


def _overlapping(placed: tuple[Placed, ...]) -> Iterator[str]:
    """Two values that share a bit on the wire: one of the two addresses must be wrong."""
    owner: dict[tuple[str, int, int], str] = {}
    for one in placed:
        for cell in _cells(one.at):
            other = owner.setdefault(cell, one.key)
            if other != one.key:
                yield f"{one.key}: overlaps {other} at {cell[0]} {cell[1]}"
                break


def _cells(at: At) -> Iterator[tuple[str, int, int]]:
    """Every (table, address, bit) a value covers."""
    for number, address in enumerate(_most_significant_first(at)):
        for bit in range(1 if at.bits_only else 16):
            position = bit + 16 * (at.size - 1 - number)
            if at.bit is None or at.bit <= position < at.bit + at.width:
                yield at.table, address, bit


def _most_significant_first(at: At) -> tuple[int, ...]:
    return at.addresses if at.word_order == "big" else at.addresses[::-1]
