"""Where a value stands on the wire and how it is written."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from collectors.profile import Strict

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


_WHOLE = ("u16", "u32", "u64")


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
    mask: int | None = None  # bits of the value that count, all others are taken for 0
    binary: Annotated[int, Field(ge=0, le=32)] = 0  # fraction bits of a fixed-point number
    scale_at: Address | None = None  # register (same table, i16) with a power of ten
    # instead of a power of ten: what the numbers of `scale_at` stand for
    scale_by: dict[int, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.address is None) == (not self.words):
            raise ValueError("state either `address` or `words`")
        if self.words and self.word_order != "big":
            raise ValueError("`words` is in order already: `word_order` does not apply")
        if self.scale_by and self.scale_at is None:
            raise ValueError("`scale_by` needs `scale_at`, the register it reads")
        if self.table in BIT_TABLES and (self.type not in ("u16", "bit") or self.bit is not None):
            raise ValueError(f"the table {self.table} holds single bits: no type, no `bit`")
        if self.table in BIT_TABLES and self.type != "bit" and "type" in self.model_fields_set:
            raise ValueError(
                f"found type {self.type!r}, expected none: {self.table} is single bits"
            )
        if self.words and self.type != "string" and len(self.words) != WORDS[self.type]:
            raise ValueError(f"{self.type} has {WORDS[self.type]} words, found {len(self.words)}")
        if self.mask is not None and (self.bit is not None or self.type not in _WHOLE):
            raise ValueError("`mask` is of a whole u16, u32 or u64, without `bit`")
        if self.mask is not None and not 0 < self.mask < 1 << 16 * self.size:
            raise ValueError(f"`mask` {self.mask} is not of {16 * self.size} bits")
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
    count_at: Address | None = None  # register (same table) that tells how many there are, 0..count

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
