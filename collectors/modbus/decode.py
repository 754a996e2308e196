"""From the data of answers to raw numbers, and by Channels to readings. Pure.

A `Program` is compiled once for a plan: every block is unpacked by as few `struct` calls as its
values allow, each value lands in a numbered slot, and every point knows its slots.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from collectors.decode import Channel
from collectors.modbus.plan import Block, Span
from collectors.modbus.profile import At, Placed
from dcim.model.reading import Quality, Reading

_CODES = {
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "u64": "Q",
    "i64": "q",
    "f32": "f",
    "f64": "d",
    "bcd16": "H",
    "bcd32": "I",
    "bit": "H",
}
_NO_EXPONENT = -0x8000  # SunSpec's "not implemented" of a scale factor

Finish = Callable[[Any], Any]


class Answer(NamedTuple):
    """The data of one answered read, and when it came."""

    data: bytes
    ts: float


def spans_of(placed: Placed) -> list[Span]:
    """Every span a point needs: its value or words, its condition, its scale register."""
    spans = _spans(placed.at)
    if placed.when is not None:
        spans += _spans(placed.when)
    if placed.at.scale_at is not None:
        spans.append(Span(placed.at.table, placed.at.scale_at))
    return spans


def _spans(at: At) -> list[Span]:
    if at.address is None:
        return [Span(at.table, word) for word in at.words]
    return [Span(at.table, at.address, 1 if at.bits_only else at.size)]


def value_of(at: At, data: bytes) -> Any:
    """One value from exactly its own registers (identity probes, inventory)."""
    if at.bits_only:
        return data[0] & 1
    if at.address is None:
        return _finish_words(at)([word for (word,) in struct.iter_unpack(">H", data)])
    code, finish = _form(at)
    (value,) = struct.unpack(">" + code, data)
    return value if finish is None else finish(value)


# --- one value --------------------------------------------------------------------------------


def _form(at: At) -> tuple[str, Finish | None]:
    """The struct code of a contiguous value, and what is still to do after unpacking."""
    size = 2 * at.size
    if at.type == "string":
        return f"{size}s", lambda raw: _text(_reordered(raw, at))
    code = _CODES[at.type]
    steps: list[Finish] = []
    if (at.word_order == "little" and at.size > 1) or at.byte_order == "little":
        inner = struct.Struct(">" + code)
        steps.append(lambda raw: inner.unpack(_reordered(raw, at))[0])
        code = f"{size}s"
    if at.type.startswith("bcd"):
        steps.append(_bcd)
    if at.bit is not None:
        bit, mask = at.bit, (1 << at.width) - 1
        steps.append(lambda raw: raw >> bit & mask)
    return code, _chain(steps)


def _finish_words(at: At) -> Finish:
    """A value of words that stand apart, given most significant first."""
    plain = at.model_copy(update={"words": (), "address": 0})
    code, finish = _form(plain)
    whole = struct.Struct(">" + code)

    def joined(words: Sequence[int]) -> Any:
        (value,) = whole.unpack(struct.pack(f">{len(words)}H", *words))
        return value if finish is None else finish(value)

    return joined


def _chain(steps: Sequence[Finish]) -> Finish | None:
    if len(steps) < 2:
        return steps[0] if steps else None

    def run(raw: Any) -> Any:
        for step in steps:
            raw = step(raw)
        return raw

    return run


def _reordered(raw: bytes, at: At) -> bytes:
    """Most significant byte first."""
    words = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    if at.byte_order == "little":
        words = [word[::-1] for word in words]
    if at.word_order == "little":
        words.reverse()
    return b"".join(words)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("ascii", "replace").strip()


def _bcd(raw: int) -> float:
    """Binary-coded decimal; a nibble above 9 is no number."""
    digits = f"{raw:x}"
    return int(digits) if digits.isdecimal() else math.nan


# --- a plan's answers -------------------------------------------------------------------------


@dataclass(slots=True)
class _Unpacker:
    """Fills slots from the data of one block."""

    start: int
    passes: list[tuple[struct.Struct, tuple[int, ...]]] = field(default_factory=list)
    bits: list[tuple[int, int]] = field(default_factory=list)  # (offset, slot)

    def run(self, data: bytes, slots: list[Any]) -> None:
        for form, places in self.passes:
            for place, value in zip(places, form.unpack_from(data), strict=True):
                slots[place] = value
        for offset, place in self.bits:
            slots[place] = data[offset >> 3] >> (offset & 7) & 1


@dataclass(frozen=True, slots=True)
class _Value:
    """Where a value's parts are, and how they become a number."""

    slots: tuple[int, ...]
    finish: Finish | None

    def of(self, slots: Sequence[Any]) -> Any:
        """The raw number; None where a part of it was not read."""
        if len(self.slots) == 1:
            raw = slots[self.slots[0]]
            return raw if raw is None or self.finish is None else self.finish(raw)
        words = [slots[place] for place in self.slots]
        return None if None in words or self.finish is None else self.finish(words)


@dataclass(frozen=True, slots=True)
class _Item:
    """One point of the program."""

    channel: Channel
    scaled: Channel  # the same without sentinels, for numbers already scaled
    value: _Value
    block: int  # whose time is the reading's
    absent: frozenset[float]
    when: _Value | None
    placed: Placed
    exponent: _Value | None
    nan_absent: bool  # "not a number" says that the part is not there

    @property
    def plain(self) -> bool:
        """A number that needs no more than its channel: the usual case, decoded in one go."""
        conditional = self.absent or self.when is not None or self.exponent is not None
        whole = len(self.value.slots) == 1 and self.value.finish is None
        return whole and not conditional and self.channel.states is None


class Program:
    """Decodes the answers to a plan's blocks; compiled anew when the plan changes."""

    def __init__(self, points: Iterable[tuple[Placed, Channel]], blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._home = {span: index for index, block in enumerate(blocks) for span in block.spans}
        self._slots: dict[tuple[Span, str], int] = {}
        self._items = [
            item for placed, channel in points if (item := self._item(placed, channel)) is not None
        ]
        self._plain = [
            (item.value.slots[0], item.channel.number, item.block)
            for item in self._items
            if item.plain
        ]
        self._items = [item for item in self._items if not item.plain]
        self._unpackers = [_Unpacker(block.read.address) for block in blocks]
        self._compile()

    def decode(self, answers: Mapping[Block, Answer]) -> tuple[list[Reading], list[str]]:
        """Readings of all blocks that were answered, and the addresses of points that are absent."""
        slots: list[Any] = [None] * len(self._slots)
        times = [0.0] * len(self.blocks)
        for index, block in enumerate(self.blocks):
            answer = answers.get(block)
            if answer is not None:
                self._unpackers[index].run(answer.data, slots)
                times[index] = answer.ts
        readings = [
            number(raw, times[block])
            for slot, number, block in self._plain
            if (raw := slots[slot]) is not None
        ]
        absent: list[str] = []
        for item in self._items:
            raw = item.value.of(slots)
            if raw is None:
                continue
            if raw in item.absent or (item.nan_absent and math.isnan(raw)):
                absent.append(item.channel.address)
            elif item.when is None and item.exponent is None:
                readings.append(item.channel.decode(raw, times[item.block]))
            else:
                reading = _conditional(item, raw, times[item.block], slots)
                if reading is None:
                    absent.append(item.channel.address)
                else:
                    readings.append(reading)
        return readings, absent

    def _item(self, placed: Placed, channel: Channel) -> _Item | None:
        value = self._value(placed.at)
        if value is None:
            return None
        scale_at = placed.at.scale_at
        exponent = None
        if scale_at is not None:
            exponent = self._value(At(table=placed.at.table, address=scale_at, type="i16"))
        return _Item(
            channel,
            replace(channel, sentinels={}),
            value,
            self._home[_spans(placed.at)[-1]],
            frozenset(placed.point.absent),
            self._value(placed.when) if placed.when is not None else None,
            placed,
            exponent,
            any(math.isnan(value) for value in placed.point.absent),
        )

    def _value(self, at: At) -> _Value | None:
        """None where the plan does not read all of it."""
        spans = _spans(at)
        if any(span not in self._home for span in spans):
            return None
        if at.bits_only:
            return _Value((self._slot(spans[0], "bit"),), None)
        if at.address is None:
            return _Value(tuple(self._slot(span, "H") for span in spans), _finish_words(at))
        code, finish = _form(at)
        return _Value((self._slot(spans[0], code),), finish)

    def _slot(self, span: Span, code: str) -> int:
        return self._slots.setdefault((span, code), len(self._slots))

    def _compile(self) -> None:
        cells: list[list[tuple[int, str, int]]] = [[] for _ in self.blocks]
        for (span, code), slot in self._slots.items():
            index = self._home[span]
            offset = span.address - self._unpackers[index].start
            if code == "bit":
                self._unpackers[index].bits.append((offset, slot))
            else:
                cells[index].append((2 * offset, code, slot))
        for unpacker, values in zip(self._unpackers, cells, strict=True):
            unpacker.passes = _passes(sorted(values))


def _passes(cells: Sequence[tuple[int, str, int]]) -> list[tuple[struct.Struct, tuple[int, ...]]]:
    """As few structs as possible; a second one only where values are seen in two forms."""
    open_passes: list[tuple[int, str, list[int]]] = []
    for offset, code, slot in cells:
        for number, (end, form, slots) in enumerate(open_passes):
            if end <= offset:
                pad = f"{offset - end}x" if offset > end else ""
                open_passes[number] = (
                    offset + struct.calcsize(">" + code),
                    form + pad + code,
                    [*slots, slot],
                )
                break
        else:
            pad = f"{offset}x" if offset else ""
            open_passes.append((offset + struct.calcsize(">" + code), ">" + pad + code, [slot]))
    return [(struct.Struct(form), tuple(slots)) for _, form, slots in open_passes]


def _conditional(item: _Item, raw: Any, ts: float, slots: Sequence[Any]) -> Reading | None:
    """A reading that another register scales or makes meaningless; None: its part is absent."""
    condition = item.placed.point.when
    meant = item.when is None or condition is None or item.when.of(slots) in condition.values
    if not meant and condition is not None and condition.otherwise == "absent":
        return None
    reading = _scaled(item, raw, ts, slots)
    if meant or condition is None or reading.quality is not Quality.GOOD:
        return reading
    return reading._replace(quality=Quality.UNCERTAIN, reason=condition.reason)


def _scaled(item: _Item, raw: Any, ts: float, slots: Sequence[Any]) -> Reading:
    if item.placed.at.scale_at is None or raw in item.channel.sentinels:
        return item.channel.decode(raw, ts)
    exponent = None if item.exponent is None else item.exponent.of(slots)
    if factors := item.placed.at.scale_by:
        if exponent not in factors:
            return item.channel.bad(f"the unit register says {exponent}", ts)
        return item.scaled.decode(raw * factors[exponent], ts)
    if exponent is None or exponent == _NO_EXPONENT or not -10 <= exponent <= 10:
        return item.channel.bad("the scale factor is missing", ts)
    return item.scaled.decode(raw * 10.0**exponent, ts)
