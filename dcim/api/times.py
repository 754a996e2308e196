"""Times and spans as people and programs write them in a query."""

import math
import re
from datetime import UTC, datetime

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, None: 1}
_STEPS_S = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_USUAL_STEPS = 300
_MAX_LENGTH = 40


def parse_time(text: str, now: float) -> float:
    """UTC seconds of `now`, `-6h` or an RFC 3339 time; ValueError says what is expected."""
    text = text.strip()[:_MAX_LENGTH]
    if text == "now":
        return now
    if text.startswith("-") and _SPAN.fullmatch(text[1:]):
        return now - parse_span(text[1:])
    try:
        # a + that a client did not escape arrives as a space
        at = datetime.fromisoformat(re.sub(r" (?=\d\d:\d\d$)", "+", text))
    except ValueError:
        raise ValueError("expected an RFC 3339 time, now, or a span back as -6h") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def parse_span(text: str) -> float:
    """Seconds of `90`, `90s`, `5m`, `6h` or `7d`."""
    match = _SPAN.fullmatch(text.strip()[:_MAX_LENGTH])
    if match is None:
        raise ValueError("expected a span as 60, 90s, 5m, 6h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def usual_step(span_s: float) -> float:
    """A round step that gives at most some 300 of them."""
    wanted = span_s / _USUAL_STEPS
    return next((s for s in _STEPS_S if s >= wanted), math.ceil(wanted / 86400) * 86400)
