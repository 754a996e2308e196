"""From the data of answers to raw numbers, and by Channels to readings. Pure.

A `Program` is compiled once for a plan: every block is unpacked by as few `struct` calls as its
values allow, each value lands in a numbered slot, and every point knows its slots.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from collectors.decode import Channel, Strip
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
T = TypeVar("T")


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
    if at.mask is not None:
        steps.append(at.mask.__and__)
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


Passes = list[tuple[struct.Struct, tuple[T, ...]]]  # a form, and what each of its values is for


@dataclass(slots=True)
class _Unpacker:
    """Takes the data of one block apart: plain numbers at once, all the rest into slots."""

    plain: list[tuple[struct.Struct, Strip]] = field(default_factory=list)
    passes: Passes[int] = field(default_factory=list)
    bits: list[tuple[int, int]] = field(default_factory=list)  # (offset, slot)

    def readings(self, data: bytes, ts: float) -> Iterator[Reading]:
        for form, strip in self.plain:
            raws = form.unpack_from(data)
            yield from strip.readings(raws, [ts] * len(raws))

    def fill(self, data: bytes, slots: list[Any]) -> None:
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


class Program:
    """Decodes the answers to a plan's blocks; compiled anew when the plan changes."""

    def __init__(self, points: Iterable[tuple[Placed, Channel]], blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._home = {span: index for index, block in enumerate(blocks) for span in block.spans}
        self._slots: dict[tuple[Span, str], int] = {}
        self._items: list[_Item] = []
        plain: list[list[tuple[int, str, Channel]]] = [[] for _ in blocks]
        for placed, channel in points:
            if (code := _plain(placed, channel)) is None:
                self._items += self._item(placed, channel)
            elif (span := _spans(placed.at)[0]) in self._home:
                plain[self._home[span]].append((self._offset(span), code, channel))
        self._unpackers = [
            _Unpacker([(form, Strip(channels)) for form, channels in _passes(cells)])
            for cells in plain
        ]
        self._compile()

    def decode(self, answers: Mapping[Block, Answer]) -> tuple[list[Reading], list[str]]:
        """Readings of all blocks that were answered, and the addresses of points that are absent."""
        slots: list[Any] = [None] * len(self._slots)
        times = [0.0] * len(self.blocks)
        readings: list[Reading] = []
        for index, block in enumerate(self.blocks):
            answer = answers.get(block)
            if answer is not None:
                unpacker, times[index] = self._unpackers[index], answer.ts
                readings += unpacker.readings(answer.data, answer.ts)
                unpacker.fill(answer.data, slots)
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

    def _item(self, placed: Placed, channel: Channel) -> Iterator[_Item]:
        value = self._value(placed.at)
        if value is None:
            return
        scale_at = placed.at.scale_at
        exponent = None
        if scale_at is not None:
            exponent = self._value(At(table=placed.at.table, address=scale_at, type="i16"))
        yield _Item(
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

    def _offset(self, span: Span) -> int:
        """Registers or bits from the start of its block."""
        return span.address - self.blocks[self._home[span]].read.address

    def _slot(self, span: Span, code: str) -> int:
        return self._slots.setdefault((span, code), len(self._slots))

    def _compile(self) -> None:
        cells: list[list[tuple[int, str, int]]] = [[] for _ in self.blocks]
        for (span, code), slot in self._slots.items():
            index = self._home[span]
            if code == "bit":
                self._unpackers[index].bits.append((self._offset(span), slot))
            else:
                cells[index].append((self._offset(span), code, slot))
        for unpacker, values in zip(self._unpackers, cells, strict=True):
            unpacker.passes = _passes(values)


def _plain(placed: Placed, channel: Channel) -> str | None:
    """The struct code of a number that needs no more than its channel: the usual case."""
    point, at = placed.point, placed.at
    if at.address is None or at.bits_only or channel.states is not None:
        return None
    if point.absent or placed.when is not None or at.scale_at is not None:
        return None
    code, finish = _form(at)
    return code if finish is None else None


def _passes(cells: Iterable[tuple[int, str, T]]) -> Passes[T]:
    """As few structs as possible; a second one only where values are seen in two forms.

    Cells: (registers from the block's start, struct code, what the value is for).
    """
    open_passes: list[tuple[int, str, list[T]]] = []
    for register, code, aim in sorted(cells, key=lambda cell: cell[:2]):
        offset = 2 * register
        for number, (end, form, aims) in enumerate(open_passes):
            if end <= offset:
                pad = f"{offset - end}x" if offset > end else ""
                open_passes[number] = (
                    offset + struct.calcsize(">" + code),
                    form + pad + code,
                    [*aims, aim],
                )
                break
        else:
            pad = f"{offset}x" if offset else ""
            open_passes.append((offset + struct.calcsize(">" + code), ">" + pad + code, [aim]))
    return [(struct.Struct(form), tuple(aims)) for _, form, aims in open_passes]


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
