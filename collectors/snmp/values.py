"""From what a varbind holds to the number or code that a channel turns into a reading. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.decode import Channel
from collectors.profile import Group
from collectors.snmp.ber import Missing, Value
from collectors.snmp.profile import SnmpPoint
from collectors.units import conversion
from dcim.model.reading import Quality, Reading

_NUMBER = re.compile(r"([-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>\S*)")

# The ends of what an integer can hold: agents send them, and -1 as unsigned, for "not available".
_EXTREMES = (2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)
NO_VALUE: Mapping[float, str] = {n: f"{n} stands for: not available" for n in _EXTREMES}
NO_TOTAL: Mapping[float, str] = {**NO_VALUE, -1: "-1 stands for: not available"}


class Unreadable(ValueError):
    """A value that is no number; says why."""


@dataclass(slots=True)
class Binding:
    """One point of one device: where its value stands, and how it becomes a reading."""

    oid: str
    channel: Channel
    group: Group
    profile: str
    point: SnmpPoint
    absent: frozenset[float] = frozenset()
    guard: str | None = None  # OID that tells whether there is a value
    reasons: Mapping[str, str] | None = None  # the guard's value -> why there is none
    expected: bool = True  # False: the part was absent when the device was planned

    def straight(self) -> bool:
        """Whether an integer goes to the channel as it is."""
        special = (self.point.bit, self.point.char, self.point.signed, self.point.large)
        return self.guard is None and not self.absent and all(one is None for one in special)

    def decode(self, value: Value, guard: Value, ts: float) -> Reading | None:
        """The reading; None where the part is absent."""
        channel = self.channel
        if isinstance(value, Missing):
            return channel.bad(f"not answered: {value.value}", ts)
        if self.reasons is not None and (reason := self.reasons.get(folded(guard))):
            return channel.bad(reason, ts)
        if self.point.text_states and (code := text_state(self.point, value)) is not None:
            stored = float(channel.metric.states[code])
            return Reading(
                channel.address, stored, ts, Quality.GOOD, None, code, None, channel.source
            )
        try:
            number, unit = number_of(self.point, value)
        except Unreadable as error:
            return channel.bad(str(error), ts)
        if number in self.absent:
            return None
        if number in channel.sentinels:
            return channel.bad(channel.sentinels[number], ts)
        large = self.point.large
        if large is not None and abs(number) > large.above:
            number *= large.scale / self.point.scale
        if self.point.text_units:
            return self._with_unit(number, unit, ts)
        return channel.decode(number, ts)

    def _with_unit(self, number: float, unit: str, ts: float) -> Reading:
        """A number whose text told its unit; the channel's own factor is for the default unit."""
        channel = self.channel
        default = self.point.unit or channel.metric.unit
        found = {k.casefold(): v for k, v in self.point.text_units.items()}.get(unit.casefold())
        if found is None and unit:
            return channel.bad(f"unit {unit!r} is not known to the profile", ts)
        factor, offset = conversion(found or default, channel.metric.unit)
        back_factor, back_offset = conversion(default, channel.metric.unit)
        scaled = number * self.point.scale + self.point.offset
        in_default = (scaled * factor + offset - back_offset) / back_factor
        return channel.decode((in_default - self.point.offset) / self.point.scale, ts)


def text_of(value: Value) -> str:
    """A value as text for people, names and comparisons; empty where there is none."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        return text.strip("\0 \t\r\n")
    if value is None or isinstance(value, Missing):
        return ""
    return str(value)


def folded(value: Value) -> str:
    """Text for look-ups: trimmed, any case."""
    return text_of(value).casefold()


def text_state(point: SnmpPoint, value: Value) -> str | None:
    """The state code that a text stands for, None where the profile does not know it."""
    text = text_of(value)
    if point.pattern is not None and (found := re.search(point.pattern, text)):
        text = found[1] or ""
    wanted = text.casefold()
    return next((c for t, c in point.text_states.items() if t.casefold() == wanted), None)


def number_of(point: SnmpPoint, value: Value) -> tuple[float, str]:
    """(number as sent, unit text behind it); Unreadable says why there is none."""
    if point.bit is not None:
        return _bit(value, point.bit), ""
    if point.char is not None:
        text = text_of(value)
        if point.char >= len(text) or not text[point.char].isdigit():
            raise Unreadable(f"text is too short or no digit at {point.char}: {text!r}")
        return int(text[point.char]), ""
    if isinstance(value, bytes):
        return _parsed(value, point.pattern)
    if isinstance(value, str) or value is None or isinstance(value, Missing):
        raise Unreadable("no value (NULL)" if value is None else f"not a number: {value}")
    if point.signed is not None and isinstance(value, int) and value >> (point.signed - 1) == 1:
        return value - (1 << point.signed), ""
    return value, ""


def _parsed(octets: bytes, pattern: str | None) -> tuple[float, str]:
    try:
        text = octets.decode("utf-8").strip("\0 \t\r\n\"'")
    except UnicodeDecodeError:
        if pattern is None and not octets[:1].isdigit():
            raise Unreadable(f"text is not UTF-8: {octets[:32]!r}") from None
        text = octets.decode("latin-1").strip("\0 \t\r\n\"'")
    found = re.search(pattern, text) if pattern else _NUMBER.match(text)
    if found is None or not found[1]:
        raise Unreadable(f"not a number: {text[:40]!r}" if text else "empty text")
    unit = found.groupdict().get("unit") or ""
    digits = found[1].replace(",", ".")
    try:
        return (float(digits) if not digits.lstrip("+-").isdigit() else int(digits)), unit
    except ValueError:
        raise Unreadable(f"not a number: {text[:40]!r}") from None


def _bit(value: Value, bit: int) -> int:
    if isinstance(value, int):
        return value >> bit & 1
    if isinstance(value, bytes):
        if bit // 8 >= len(value):
            raise Unreadable(f"bit {bit} is behind the end of {len(value)} octets")
        return value[bit // 8] >> (7 - bit % 8) & 1
    raise Unreadable(f"not a bit field: {text_of(value)!r}")
