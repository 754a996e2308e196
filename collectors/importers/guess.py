"""From a register's name and unit to a metric and a component, as far as they tell. Pure."""

import re
from collections.abc import Set as AbstractSet

from collectors.importers.nature import finer
from collectors.importers.words import english, unit_of

__all__ = [
    "by_name",
    "component_of",
    "fitting",
    "guess",
    "loop_of",
    "named_unit",
    "slug",
    "split",
    "unit_of",
]

_NOTHING: AbstractSet[str] = frozenset()

_NAMED_UNITS = {  # last word of a name -> unit; what may also be a phase or a part is not here
    "kw": "kW",
    "kva": "kVA",
    "kvar": "kvar",
    "wh": "Wh",
    "kwh": "kWh",
    "kvah": "kVAh",
    "kvarh": "kvarh",
    "hz": "Hz",
    "mv": "mV",
    "kv": "kV",
    "volts": "V",
    "amps": "A",
    "watts": "W",
    "kpa": "kPa",
    "mpa": "MPa",
    "mbar": "mbar",
    "psi": "psi",
    "lpm": "l/min",
    "gpm": "gpm",
    "degc": "degC",
    "celsius": "degC",
    "percent": "%",
    "pct": "%",
    "rh": "%RH",
    "rpm": "rpm",
}
_UNIT_OF_TWO_CASES = re.compile(r"(?<![A-Za-z])[kM](?:Pa|Wh|Var|VAh|Varh)(?![A-Za-z])")
_LETTERS = {  # last letter of a name, where the name says the quantity -> unit
    "w": ("W", frozenset(["power", "pwr", "capacity", "cooling", "heat", "load"])),
    "v": ("V", frozenset(["voltage", "volt", "vout", "vin"])),
    "a": ("A", frozenset(["current", "curr", "iout", "iin"])),
    "c": ("degC", frozenset(["temp", "temperature"])),
    "f": ("degF", frozenset(["temp", "temperature"])),
}
_BY_UNIT = {  # unit -> metric where nothing in the name says more
    "V": "voltage",
    "mV": "voltage",
    "kV": "voltage",
    "A": "current",
    "mA": "current",
    "W": "power.active",
    "kW": "power.active",
    "MW": "power.active",
    "VA": "power.apparent",
    "kVA": "power.apparent",
    "var": "power.reactive",
    "kvar": "power.reactive",
    "Wh": "energy.active",
    "kWh": "energy.active",
    "MWh": "energy.active",
    "J": "energy.capacity",
    "VAh": "energy.apparent",
    "kVAh": "energy.apparent",
    "varh": "energy.reactive",
    "kvarh": "energy.reactive",
    "Hz": "frequency",
    "degC": "temperature",
    "degF": "temperature",
    "l/min": "flow",
    "l/s": "flow",
    "l/h": "flow",
    "m3/h liquid": "flow",
    "gpm": "flow",
    "rpm": "speed",
    "kPa": "pressure",
    "Pa": "pressure",
    "bar": "pressure",
    "MPa": "pressure",
    "mbar": "pressure",
    "psi": "pressure",
    "%RH": "humidity",
    "Ah": "charge.capacity",
    "mAh": "charge.capacity",
    "uS/cm": "conductivity",
    "mS/cm": "conductivity",
    "pH": "acidity",
    "m3": "volume",
    "ohm": "resistance",
    "kohm": "resistance",
    "s": "duration",
    "min": "duration",
    "h": "duration",
    "%": "share",
}
_WORDS: tuple[tuple[frozenset[str], str], ...] = tuple(  # all of these in the name -> metric
    (frozenset(words.split()), metric)
    for words, metric in (
        ("dew point", "dew_point"),
        ("dew pt", "dew_point"),
        ("dewpoint", "dew_point"),
        ("dewpt", "dew_point"),
        ("dp", "dew_point"),
        ("state of charge", "charge"),
        ("soc", "charge"),
        ("state of health", "health"),
        ("soh", "health"),
        ("power factor", "power_factor"),
        ("pf", "power_factor"),
        ("thdi", "current.thd"),
        ("thdv", "voltage.thd"),
        ("glycol", "glycol"),
        ("humidity", "humidity"),
        ("hum", "humidity"),
        ("conductivity", "conductivity"),
        ("ph", "acidity"),
        ("valve", "position"),
        ("position", "position"),
        ("spindle", "position"),
        ("pwm", "duty"),
        ("duty", "duty"),
        ("setpoint temp", "temperature.setpoint"),
        ("remaining time", "runtime"),
        ("frequency", "frequency"),
        ("reactive power", "power.reactive"),
        ("apparent power", "power.apparent"),
        ("rpm", "speed"),
    )
)
_QUANTITIES = {  # word of a name -> metric, where no unit is given
    "voltage": "voltage",
    "volt": "voltage",
    "vac": "voltage",
    "current": "current",
    "curr": "current",
    "power": "power.active",
    "pwr": "power.active",
    "temp": "temperature",
    "temperature": "temperature",
    "frequency": "frequency",
    "flow": "flow",
}
_UNIT_TELLS = {"dew_point": "temperature"}  # metric -> the metric its unit alone would tell
_UNITLESS = frozenset(["power_factor", "acidity", "conductivity", "speed"])
_SAID = frozenset(  # words that the metric already says
    [
        "voltage",
        "volt",
        "vout",
        "vin",
        "vac",
        "current",
        "curr",
        "iout",
        "iin",
        "power",
        "wout",
        "temp",
        "temperature",
        "speed",
        "flow",
        "util",
        "charge",
        "capacity",
        "state",
        "of",
        "pressure",
        "frequency",
        "pwm",
        "duty",
        "setting",
        "position",
        "thdi",
        "thdv",
        "pf",
        "humidity",
        "ph",
        "conductivity",
        "active",
        "reactive",
        "apparent",
        "ac",
        "rpm",
        "rate",
        "liquidflow",
        "energy",
        "total",
        "soc",
        "soh",
    ]
)
_TYPES = frozenset(  # words of a name that tell how its number is written
    [
        *("float", "real", "double", "int", "uint", "sint", "dint", "udint", "word", "dword"),
        *("signed", "unsigned", "integer", "abcd", "cdab", "badc", "dcba"),
    ]
)
_SAID_BY_NAME = _SAID | _NAMED_UNITS.keys() | _TYPES | {"pwr", "press", "hum", "pct"}
_SAID_BY = {  # metric -> words of a name that it says, and no other metric does
    "dew_point": frozenset(["dew", "point", "pt", "dewpoint", "dewpt", "dp"]),
    "temperature.difference": frozenset(["difference", "delta", "diff"]),
}
_DEW = frozenset(["dew", "dewpoint"])
_DIFFERENCE = frozenset(["margin", "distance", "approach", "difference", "delta", "gap"])
_LOOPS = {
    **dict.fromkeys(("tcs", "secondary", "sec"), "secondary"),
    **dict.fromkeys(("fws", "primary", "prim", "pri"), "primary"),
}
_LOOP_WORDS = frozenset(["side", "loop", "circuit", "water", "facility", "rack"])
_ENDS = ("inlet", "outlet", "supply", "return", "setpoint")
_ENDED = frozenset(["temperature", "pressure"])
_PHASE = {"a": "L1", "b": "L2", "c": "L3", "ab": "L1-L2", "cb": "L2-L3", "ac": "L3-L1"}
_PART = {"psu": "module", "bbu": "module", "cbu": "module", "batt": "battery"}


def named_unit(name: str, names: AbstractSet[str] = _NOTHING) -> tuple[str, str]:
    """(unit, name without it) where a name ends with one (`power_kw`); else ("", name).

    A single letter is none where `names` has another letter in its place: current_a, current_b.
    """
    words = split(name)
    if len(words) < 2:
        return "", name
    unit, quantity = _LETTERS.get(words[-1], ("", _NOTHING))
    if not unit:
        return _NAMED_UNITS.get(words[-1], ""), name  # no part of a component: stays
    others = {one[-1] for one in names if one[:-1] == name[:-1] and one != name}
    if not quantity & set(words) or any(letter.isalpha() for letter in others):
        return "", name
    return unit, name[:-1].rstrip("_ -")


def fitting(unit: str, wanted: str) -> str:
    """The unit of that name which fits a metric in `wanted`: m3/h is of air unless it is a flow."""
    return {("m3/h", "l/min"): "m3/h liquid", ("l/s", "m3/h"): "l/s air"}.get((unit, wanted), unit)


def split(name: str) -> list[str]:
    """The words of a name, lower case; numbers are words of their own."""
    plain = re.sub(r"\([^)]*0x[^)]*\)", "", english(name))  # (0x80 of the BBU)
    plain = _UNIT_OF_TWO_CASES.sub(lambda match: match[0].lower(), plain)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", plain)
    return [part.lower() for part in re.findall(r"[A-Za-z]+|\d+", spaced)]


def slug(text: str) -> str:
    """Fit for a component of an address."""
    return re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-") or "x"


def guess(name: str, unit: str, more: str = "") -> tuple[str, str] | None:
    """(metric, component), or None where neither unit nor name tells; `more` is said beside it."""
    words = split(re.sub(r"(?<![A-Za-z])(AC|DC)(?![A-Za-z])", "", name))  # no phase pair a-c
    if _DEW & set(words) and _DIFFERENCE & set(words):
        return ("dew_point.margin", "") if unit == "K" else None  # a difference in degC: not sure
    metric = _metric(words, unit)
    if metric is None:
        return None
    if metric == "dew_point" and "setpoint" in words:
        metric = "temperature"
    said = _SAID_BY_NAME | _SAID_BY.get(metric, _NOTHING)
    if metric in _ENDED and "setpoint" in words:
        words.remove("setpoint")
        return f"{metric}.setpoint", loop_of(_component(words, said))
    if metric in _ENDED and (end := next((w for w in words if w in _ENDS[:4]), "")):
        metric = f"{metric}.{end}"
        words.remove(end)
    told = set(words) | set(split(f"{name} {more}"))
    metric, component = finer(metric, _component(words, said), told)
    return metric, loop_of(component)


def by_name(name: str) -> str | None:
    """The metric that the words of a name stand for, without a unit."""
    words = split(name)
    metric = next((_QUANTITIES[word] for word in words if word in _QUANTITIES), None)
    if {"dew", "point"} <= set(words):
        return "dew_point"
    return finer(metric, "", set(words))[0] if metric else None


def loop_of(component: str) -> str:
    """TCS, secondary side -> loop/secondary, as the suite's own profiles call it."""
    words = component.split("_")
    side = {_LOOPS[word] for word in words if word in _LOOPS}
    rest = [word for word in words if word not in _LOOPS and word not in _LOOP_WORDS]
    return f"loop/{side.pop()}" if len(side) == 1 and not rest else component


def component_of(name: str, drop: tuple[str, ...] = ()) -> str:
    """A component from a name, without the words in `drop`."""
    return _component([word for word in split(name) if word not in drop], frozenset())


def _metric(words: list[str], unit: str) -> str | None:
    have = frozenset(words)
    by_unit = _BY_UNIT.get(unit)
    for needed, metric in _WORDS:
        if not needed <= have:
            continue
        fits = unit == "%" or by_unit == _UNIT_TELLS.get(metric, metric)
        if fits or (not unit and metric in _UNITLESS):
            return metric
    return by_unit


def _component(words: list[str], said: frozenset[str]) -> str:
    """Words joined by `_`, numbers after a slash: fan_rack/1/fan/3."""
    parts: list[str] = []
    words = _phases(words)
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word.startswith("L"):
            parts.append(f"/{word}/")
        elif word.isdecimal():
            parts.append(f"/{int(word)}/")
        elif said and place == len(words) - 1 and word in _PHASE and place:
            parts.append(f"/{_PHASE[word]}/")
        elif word in _PART and following.isdecimal():
            parts.append(f"/{_PART[word]}")
        elif word not in said or following.isdecimal():
            parts.append(f"_{_PART.get(word, word) if word == 'batt' else word}")
    text = re.sub(r"_?/+_?", "/", "".join(parts))
    return text.strip("/_")


def _phases(words: list[str]) -> list[str]:
    """L1, L2 and L3, which stand apart in a name, as one word: l 1 -> L1, l 1 l 2 -> L1-L2."""
    text = re.sub(r"\bl ([123]) l ([123])\b", r"L\1-L\2", " ".join(words))
    return re.sub(r"\bl ([123])\b", r"L\1", text).split()
