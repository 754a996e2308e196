"""From the number on the wire to a reading; the same rules for every protocol. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.base import Override
from collectors.units import conversion
from dcim.model.metric import Metric, MetricKind
from dcim.model.reading import Quality, Reading

_GOOD = Quality.GOOD
_new = tuple.__new__
_OUTSIDE = " is outside "


@dataclass(slots=True)
class Channel:
    """One point of one device, ready to turn raw numbers into readings.

    value = raw * factor + offset, in the registry's unit.
    """

    address: str
    metric: Metric
    source: str
    factor: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    states: Mapping[int, str] | None = None  # raw -> code
    sentinels: Mapping[float, str] = field(default_factory=dict)  # raw -> why there is no value
    doubtful: str | None = None  # reason for `uncertain` on every reading of this point
    other: str | None = None  # code of every raw number that is not in `states`

    def number(self, raw: float, ts: float) -> Reading:
        """A reading from a raw number, or a `bad` one that says why."""
        if raw in self.sentinels:
            return self.bad(self.sentinels[raw], ts)
        value = raw * self.factor + self.offset
        if not self.low <= value <= self.high:  # NaN fails too
            return self.bad(self._out_of_range(raw, value), ts)
        if self.doubtful is not None:
            quality, reason = Quality.UNCERTAIN, self.doubtful
            return Reading(self.address, value, ts, quality, reason, None, None, self.source)
        # the hot path: half the price of calling the class
        return _new(Reading, (self.address, value, ts, _GOOD, None, None, None, self.source, None))

    def state(self, raw: int, ts: float) -> Reading:
        """A state reading; a number the profile knows no state for is shown, as `bad`."""
        if raw in self.sentinels:
            return self.bad(self.sentinels[raw], ts, raw)
        code = (self.states or {}).get(raw, self.other)
        if code is None:
            return self.bad(f"state {raw} is not known to the profile", ts, raw)
        stored = float(self.metric.states[code])
        quality = Quality.GOOD if self.doubtful is None else Quality.UNCERTAIN
        return Reading(self.address, stored, ts, quality, self.doubtful, code, raw, self.source)

    def decode(self, raw: float, ts: float) -> Reading:
        return self.number(raw, ts) if self.states is None else self.state(int(raw), ts)

    def bad(self, reason: str, ts: float, raw: int | None = None) -> Reading:
        return Reading(self.address, None, ts, Quality.BAD, reason, None, raw, self.source)

    def _out_of_range(self, raw: float, value: float) -> str:
        if math.isnan(value):
            return "not a number"
        unit = self.metric.unit
        limits = f"{self.low:g}..{self.high:g} {unit}"
        return f"{value:g} {unit}{_OUTSIDE}{limits} (raw {raw:g})"


def outside(reading: Reading) -> bool:
    """Whether a number came, but one that its metric cannot have."""
    return reading.quality is Quality.BAD and _OUTSIDE in (reading.reason or "")


class Strip:
    """Channels whose raw numbers come side by side: decoded for half the price of one by one.

    What they need is held column by column, which is what makes it cheap.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        special = [bool(c.sentinels) or c.doubtful is not None for c in channels]
        self._columns = (
            [c.factor for c in channels],
            [c.offset for c in channels],
            # nothing is above infinity: what is special goes the long way, by its channel
            [math.inf if odd else c.low for c, odd in zip(channels, special, strict=True)],
            [c.high for c in channels],
            [c.address for c in channels],
            [c.source for c in channels],
            [c.number for c in channels],
        )

    def readings(self, raws: Iterable[float], times: Iterable[float]) -> list[Reading]:
        """One reading a channel, as `Channel.number` gives it."""
        return [
            _new(Reading, (address, value, ts, _GOOD, None, None, None, source, None))
            if low <= (value := raw * factor + offset) <= high
            else number(raw, ts)
            for raw, ts, factor, offset, low, high, address, source, number in zip(
                raws, times, *self._columns, strict=True
            )
        ]


def channel(
    address: str,
    metric: Metric,
    source: str,
    *,
    unit: str | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    states: Mapping[int, str] | None = None,
    other: str | None = None,
    sentinels: Mapping[float, str] | None = None,
    doubtful: str | None = None,
    override: Override | None = None,
) -> Channel:
    """A channel with unit, scale and the site's override folded into one factor and offset.

    Raw is first scaled in the device's unit (raw * scale + offset), then converted.
    """
    low, high = metric.range or (-math.inf, math.inf)
    if metric.kind is MetricKind.STATE:
        return Channel(
            address,
            metric,
            source,
            states=states or {},
            sentinels=sentinels or {},
            doubtful=doubtful,
            other=other,
        )
    factor, shift = conversion(unit or metric.unit, metric.unit)
    total_factor, total_offset = scale * factor, offset * factor + shift
    if override is not None:
        total_factor *= override.scale
        total_offset = total_offset * override.scale + override.offset
    return Channel(
        address,
        metric,
        source,
        total_factor,
        total_offset,
        low,
        high,
        None,
        sentinels or {},
        doubtful,
    )
