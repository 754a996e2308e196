"""Could each feed of a dual-corded rack carry both? Source: POWER section 2."""

from collections.abc import Sequence
from enum import StrEnum

DEAD_SHARE = 0.02  # below this share of the rating, and below DEAD_A, a feed carries nothing
DEAD_A = 0.2


class Failover(StrEnum):
    """Codes of the metric `feed.failover`, worst last."""

    OK = "ok"
    FAILOVER_RISK = "failover_risk"
    SINGLE_FED = "single_fed"
    OVERLOAD = "overload"
    UNKNOWN = "unknown"


SEVERITY = {state: rank for rank, state in enumerate(Failover)}


def failover(
    a: Sequence[float | None],
    b: Sequence[float | None],
    rating_a: float | None,
    rating_b: float | None,
    factor: float,
) -> Failover:
    """State of one rack from the currents (A) of both feeds by phase and their breakers' ratings.

    `factor` is the share of its rating a breaker may carry continuously.
    """
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    if rating_a is None or rating_b is None or not pairs or len(pairs) < len(a):
        return Failover.UNKNOWN
    if any(x > factor * rating_a or y > factor * rating_b for x, y in pairs):
        return Failover.OVERLOAD
    if all(dead(x, rating_a) for x, _ in pairs) is not all(dead(y, rating_b) for _, y in pairs):
        return Failover.SINGLE_FED
    survivor_a = factor * min(rating_a, rating_b)
    return Failover.FAILOVER_RISK if any(x + y > survivor_a for x, y in pairs) else Failover.OK


def dead(current_a: float, rating_a: float) -> bool:
    """Whether a current counts as none."""
    return abs(current_a) < DEAD_A and abs(current_a) < DEAD_SHARE * rating_a
