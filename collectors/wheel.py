"""The timer wheel that polls all devices: one wake-up for everything that is due."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from dcim import log
from dcim.clock import Clock

_SHORTEST_SLEEP_S = 0.02  # uvloop's millisecond timers wake early and would spin below this
_LONGEST_SLEEP_S = 0.05
logger = log.get("wheel")


@dataclass(slots=True)
class Counters:
    """Polls since the start; late: started more than max(50 ms, 5 % of the interval) after due."""

    polls: int = 0
    late: int = 0
    skipped: int = 0  # fell due while the one before was still under way
    lateness_s: list[float] = field(default_factory=list)  # filled only where a benchmark asks

    keep_lateness: bool = False

    def started(self, due: float, now: float, interval_s: float) -> None:
        """Note that the poll due at `due` sends its first request now."""
        self.polls += 1
        if now - due > max(0.05, 0.05 * interval_s):
            self.late += 1
        if self.keep_lateness:
            self.lateness_s.append(now - due)


@dataclass(slots=True)
class Job:
    """One recurring call; cancel it by `cancelled = True`."""

    interval_s: float
    start: Callable[[float], None]
    cancelled: bool = False


class Wheel:
    """Calls `start(due)` of every job when it is due. A job must return at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self.faults = 0  # jobs that raised

    def every(self, interval_s: float, start: Callable[[float], None], phase_s: float = 0.0) -> Job:
        """Run `start` every `interval_s`, first `phase_s` from now."""
        job = Job(interval_s, start)
        self._push(self._clock.now() + phase_s, job)
        return job

    def once(self, delay_s: float, start: Callable[[float], None]) -> Job:
        """Run `start` once, `delay_s` from now."""
        job = Job(0.0, start)
        self._push(self._clock.now() + delay_s, job)
        return job

    def run_due(self) -> None:
        """Start everything that is due by now."""
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            due, _, job = heapq.heappop(self._due)
            if job.cancelled:
                continue
            if job.interval_s > 0:
                missed = int((now - due) / job.interval_s)
                self._push(due + (missed + 1) * job.interval_s, job)
            try:
                job.start(due)
            except Exception as error:  # a bug in one device's poll must not stop the others'
                self.faults += 1
                logger.error("poll could not start", faults=self.faults, exc_info=error)

    async def run(self) -> None:
        while True:
            self.run_due()
            wait = self._due[0][0] - self._clock.now() if self._due else _LONGEST_SLEEP_S
            await asyncio.sleep(max(_SHORTEST_SLEEP_S, min(_LONGEST_SLEEP_S, wait)))

    def _push(self, due: float, job: Job) -> None:
        heapq.heappush(self._due, (due, next(self._order), job))
