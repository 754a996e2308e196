"""On-delay and off-delay of one condition, as deadlines on the engine's clock."""

from dataclasses import dataclass, replace

from dcim.model.reading import Quality


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a condition must hold before it counts, and be gone before it no longer does."""

    on_s: float = 0.0
    off_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Where a condition stands: whether it counts, and since when it has been the other way."""

    active: bool = False
    since: float | None = None  # engine clock, s; None: no change is under way

    def deadline(self, delay: Delay) -> float | None:
        """When the change under way will count."""
        if self.since is None:
            return None
        return self.since + (delay.off_s if self.active else delay.on_s)


IDLE = Timing()
ACTIVE = Timing(active=True)


def sample(timing: Timing, holds: bool, delay: Delay, now: float) -> Timing:
    """After a usable sample that says whether the condition holds at `now`."""
    if holds is timing.active:
        return timing if timing.since is None else replace(timing, since=None)
    if timing.since is None:
        timing = Timing(timing.active, now)
    return expire(timing, delay, now)


def expire(timing: Timing, delay: Delay, now: float) -> Timing:
    """After time alone has passed: a delay runs out without a new sample."""
    deadline = timing.deadline(delay)
    if deadline is None or now < deadline:
        return timing
    return Timing(not timing.active)


def beyond(value: float, limit: float, deadband: float, *, high: bool, active: bool) -> bool:
    """Whether a value is at or past its limit; an active one must also leave the deadband."""
    margin = deadband if active else 0.0
    return value >= limit - margin if high else value <= limit + margin


def usable(quality: Quality) -> bool:
    """Whether a sample of this quality may start, stop or end a delay."""
    return quality is Quality.GOOD or quality is Quality.UNCERTAIN
