"""Values for people: number, unit, quality mark, age, bar and trend."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcim.model.metric import MetricKind, registry
from dcim.model.reading import Quality, metric_of
from dcim.model.wire import PointOut, TrendOut
from tui.state import State
from tui.view.text import clean

_UNITS = {"degC": "C", "l/min": "L/min", "%RH": "%RH", "1": "", "l/kWh": "L/kWh"}
_LOUD = frozenset(
    ["wet", "fault", "on_battery", "tripped", "overload", "failover_risk", "critical", "failed"]
)
_TREND_GLYPHS = "_-^"


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as it stands on the screen."""

    text: str
    unit: str = ""
    role: str = "value"
    number: float | None = None  # for a bar, in the point's own unit
    age: str = ""  # of a stale value


NO_DATA = Shown("no data", role="stale")


@dataclass(frozen=True, slots=True)
class Scale:
    """The ends of a bar and the band drawn as usual; no alarm limits."""

    low: float
    high: float
    normal_low: float
    normal_high: float


def quality_of(point: PointOut, state: State, now: float) -> Quality:
    """As the agent said, but stale where the agent has gone silent."""
    said = Quality(point.quality) if point.quality in set(Quality) else Quality.UNCERTAIN
    return Quality.STALE if state.silent(now) and said is not Quality.BAD else said


def shown(point: PointOut | None, state: State, now: float) -> Shown:
    """One point: `47.5`, `~47.5` uncertain, `47.5*` stale, `?` bad."""
    if point is None:
        return NO_DATA
    quality = quality_of(point, state, now)
    age = age_text(state.age_s(point.ts, now)) if quality is Quality.STALE else ""
    if point.state is not None:
        text, unit = label(point.state), ""
    elif point.value is not None:
        text, unit = number_text(point.value, metric_of(point.point), point.unit)
    elif quality is Quality.STALE:
        return NO_DATA
    else:
        return Shown("?", role="bad")
    return marked(text, unit, quality, point.value, age)


def marked(
    text: str, unit: str, quality: Quality, number: float | None = None, age: str = ""
) -> Shown:
    """A text with the mark of its quality."""
    match quality:
        case Quality.GOOD:
            return Shown(text, unit, "value", number)
        case Quality.UNCERTAIN:
            return Shown(f"~{text}", unit, "value", number)
        case Quality.STALE:
            return Shown(f"{text}*", unit, "stale", None, age)
        case Quality.BAD:
            return Shown("?", role="bad")


def number_text(value: float, metric: str, unit: str) -> tuple[str, str]:
    """Digits as the registry has them; power in kW, times in minutes or hours."""
    if unit in ("W", "VA", "var"):
        kilo = value / 1000
        return f"{kilo:.{1 if abs(kilo) < 1000 else 0}f}", f"k{unit}"
    if unit == "s":
        return duration(value)
    known = registry().get(metric)
    digits = known.digits if known and known.kind is not MetricKind.STATE else 1
    return f"{value:.{digits}f}", clean(_UNITS.get(unit, unit))


def duration(seconds: float) -> tuple[str, str]:
    if seconds < 120:
        return f"{seconds:.0f}", "s"
    return (f"{seconds / 60:.0f}", "min") if seconds < 7200 else (f"{seconds / 3600:.1f}", "h")


def age_text(seconds: float) -> str:
    if seconds < 172800:
        return " ".join(duration(seconds))
    return f"{seconds / 86400:.0f} d"


def label(code: str) -> str:
    """A state code for people; what asks for a look stands in capitals."""
    text = clean(code).replace("_", " ")
    return text.upper() if code in _LOUD else text


def bar(cells: int, number: float | None, scale: Scale) -> tuple[str, int | None]:
    """`[..==^=..]`, and where in it the pointer stands. Dots: the range, `=`: the usual band."""
    inner = cells - 2
    if inner < 4:
        return " " * max(cells, 0), None
    step = (scale.high - scale.low) / inner
    middles = [scale.low + (index + 0.5) * step for index in range(inner)]
    chars = ["=" if scale.normal_low <= m <= scale.normal_high else "." for m in middles]
    pointer = None
    if number is not None:
        pointer = min(inner - 1, max(0, int((number - scale.low) / step)))
        chars[pointer] = "^"
    return f"[{''.join(chars)}]", None if pointer is None else pointer + 1


def trend(buckets: TrendOut | None, cells: int) -> str:
    """The last means of a point, low, middle and high third; a blank is a gap."""
    if buckets is None:
        return " " * cells
    means = [bucket.mean for bucket in buckets.buckets][-cells:]
    known = [mean for mean in means if mean is not None]
    if not known:
        return " " * cells
    low, high = min(known), max(known)
    flat = high - low <= 0.005 * max(abs(high), abs(low))
    text = "".join(_glyph(mean, low, high, flat) for mean in means)
    return text.rjust(cells)


def _glyph(mean: float | None, low: float, high: float, flat: bool) -> str:
    if mean is None:
        return " "
    if flat:
        return _TREND_GLYPHS[0]
    return _TREND_GLYPHS[min(2, int((mean - low) / (high - low) * 3))]


def worst_quality(points: Sequence[PointOut], state: State, now: float) -> Quality:
    order = list(Quality)
    return max((quality_of(p, state, now) for p in points), key=order.index, default=Quality.GOOD)
