"""Time, passed in: one clock for timestamps and durations, so that tests never sleep."""

import time
from typing import Protocol

_SLEW = 0.01  # the share of elapsed time by which `now` may run faster or slower to follow the wall clock


class Clock(Protocol):
    def now(self) -> float:
        """UTC seconds since 1970; never steps, never runs backwards."""
        ...


class SystemClock:
    """The wall clock at the start plus monotonic time since, slewed towards the wall clock.

    A stepped wall clock (NTP, an operator) must not fire or hold back an alarm's delay,
    so `now` follows such a step by at most 1 % of the time that has passed.
    """

    def __init__(self) -> None:
        self._mono = time.monotonic()
        self._now = time.time()

    def now(self) -> float:
        mono = time.monotonic()
        elapsed = mono - self._mono
        self._mono = mono
        self._now += elapsed
        error = time.time() - self._now
        limit = elapsed * _SLEW
        self._now += max(-limit, min(limit, error))
        return self._now


class ManualClock:
    """A clock that a test or a back-test moves by hand."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        self._now += seconds
        return self._now
