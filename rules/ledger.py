"""Integrals over time: what a counter counted, what a rate adds up to; read over any window.

Source: METRICS section 1. Time is UTC seconds of the samples; nothing is assumed across a gap.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Span = tuple[float, float]
LONGEST_GAP_S = 300.0  # at least; 3 intervals where those are longer
SPIKE_FACTOR = 1.5  # times the meter's rating


class CounterFlag(StrEnum):
    OK = "ok"
    WRAP = "wrap"
    RESET = "reset"
    SPIKE = "spike"


def trapezoid(samples: Iterable[tuple[float, float]], max_gap_s: float) -> float:
    """Integral of (time, rate) samples; an interval longer than `max_gap_s` gives nothing."""
    total, before = 0.0, None
    for time, rate in samples:
        if before is not None and 0 < time - before[0] <= max_gap_s:
            total += (time - before[0]) * (rate + before[1]) / 2
        before = time, rate
    return total


def counted(
    before: float, after: float, most: float | None, modulus: float | None = None
) -> tuple[float, CounterFlag]:
    """What a counter counted between two samples, and how that was found.

    `most`: what could have been counted at 1.5 times the rating; `modulus`: where it wraps.
    """
    delta = after - before
    if delta >= 0:
        spike = most is not None and delta > most
        return (0.0, CounterFlag.SPIKE) if spike else (delta, CounterFlag.OK)
    if modulus is not None and (most is None or delta + modulus <= most):
        return delta + modulus, CounterFlag.WRAP
    return max(after, 0.0), CounterFlag.RESET


@dataclass(slots=True)
class Ledger:
    """A running total by time, with the spans in which nothing is known."""

    history_s: float
    times: "array[float]" = field(default_factory=lambda: array("d"))
    totals: "array[float]" = field(default_factory=lambda: array("d"))
    gaps: deque[Span] = field(default_factory=deque)
    interval_s: float = 0.0  # usual, between samples
    slope: float = 0.0  # at the end, per second

    def put(self, time: float, grown: float | None) -> None:
        """One more sample; `grown` None: unknown since the one before."""
        if not self.times:
            self.times.append(time)
            self.totals.append(0.0)
            return
        last, total = self.times[-1], self.totals[-1]
        step_s = time - last
        self.interval_s = 0.8 * self.interval_s + 0.2 * step_s if self.interval_s else step_s
        if grown is None:
            self.gaps.append((last, time))
        self.times.append(time)
        self.totals.append(total + (grown or 0.0))
        self._trim(time)

    def max_gap_s(self) -> float:
        return max(3 * self.interval_s, LONGEST_GAP_S)

    def holes(self, start: float, end: float) -> list[Span]:
        """Where, between `start` and `end`, nothing is known."""
        if not self.times:
            return [(start, end)]
        tail = self.times[-1] + max(2 * self.interval_s, 5.0)
        spans = [(start, self.times[0]), *self.gaps, (tail, end)]
        clipped = ((max(a, start), min(b, end)) for a, b in spans)
        return [(a, b) for a, b in clipped if b > a]

    def grown(self, start: float, end: float) -> float:
        """How much the total grew."""
        return self._at(end) - self._at(start)

    def _at(self, time: float) -> float:
        times, totals = self.times, self.totals
        right = bisect_right(times, time)
        if right == 0:
            return totals[0]
        left = right - 1
        if right == len(times):
            return totals[left] + self.slope * (time - times[left])
        share = (time - times[left]) / (times[right] - times[left])
        return totals[left] + share * (totals[right] - totals[left])

    def _trim(self, now: float) -> None:
        """Forget what is older than the history, a quarter of it at a time."""
        if now - self.times[0] < 1.25 * self.history_s:
            return
        cut = max(bisect_right(self.times, now - self.history_s) - 1, 0)
        del self.times[:cut]
        del self.totals[:cut]
        while self.gaps and self.gaps[0][1] < self.times[0]:
            self.gaps.popleft()


@dataclass(slots=True)
class RateLedger:
    """Power or flow, integrated by the trapezoid rule. `per_s`: units of the total per unit and s."""

    per_s: float
    ledger: Ledger
    last: float | None = None
    highest: float = 0.0

    def add(self, time: float, rate: float) -> None:
        times = self.ledger.times
        if times and time <= times[-1]:
            return
        grown = None
        if self.last is not None and time - times[-1] <= self.ledger.max_gap_s():
            grown = (time - times[-1]) * (rate + self.last) / 2 * self.per_s
        self.ledger.put(time, grown)
        self.last, self.ledger.slope = rate, rate * self.per_s
        self.highest = max(self.highest, abs(rate))


@dataclass(slots=True)
class CounterLedger:
    """A register. Its resolution is the smallest step ever seen."""

    scale: float  # units of the total per unit of the register
    ledger: Ledger
    last: float | None = None
    changed_at: float = 0.0
    resolution: float | None = None  # in units of the total
    flags: dict[CounterFlag, int] = field(default_factory=dict)

    def add(self, time: float, value: float, rating_per_s: float | None) -> None:
        """One sample; `rating_per_s`: the most the meter may count, units of the total per s."""
        times = self.ledger.times
        if times and time <= times[-1]:
            return
        if self.last is None:
            self._base(time, value, None)
            return
        step = abs(value - self.last) * self.scale
        if step:
            self.resolution = step if self.resolution is None else min(step, self.resolution)
        most = None
        if rating_per_s:
            seconds = time - self.changed_at
            most = (SPIKE_FACTOR * rating_per_s * seconds + (self.resolution or 0.0)) / self.scale
        delta, flag = counted(self.last, value, most)
        if flag is CounterFlag.RESET and (most is None or delta > most):
            flag = CounterFlag.SPIKE
        if flag is not CounterFlag.OK:
            self.flags[flag] = self.flags.get(flag, 0) + 1
        if flag is CounterFlag.SPIKE:  # lost count: start again from here
            self.resolution = None
            self._base(time, value, None)
            return
        grown = delta * self.scale
        self.ledger.slope = grown / (time - times[-1])
        if step:
            self.changed_at = time
        self.last = value
        self.ledger.put(time, grown)

    def _base(self, time: float, value: float, grown: float | None) -> None:
        self.last, self.changed_at = value, time
        self.ledger.slope = 0.0
        self.ledger.put(time, grown)


def without(window: Span, holes: Iterable[Span]) -> list[Span]:
    """What is left of a window when the holes are taken out."""
    left, start = [], window[0]
    for a, b in sorted(holes):
        if a > start:
            left.append((start, min(a, window[1])))
        start = max(start, b)
    if start < window[1]:
        left.append((start, window[1]))
    return left


def length_s(spans: Sequence[Span]) -> float:
    return sum(b - a for a, b in spans)
