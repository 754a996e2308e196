"""What a power, an energy or a share is of: heat or electricity, a level or a speed. Pure."""

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet

_HEAT = frozenset(["heat", "heating", "thermal"])
_COLD = frozenset(["cooling", "cold", "refrigeration", "refrigerating", "chilling"])
_ELECTRICAL = frozenset(  # words that tell that a power is electrical, whatever it is spent on
    [
        *("active", "real", "electric", "electrical", "elec", "consumption", "consumed", "input"),
        *("ac", "dc", "mains", "grid", "phase", "battery", "inverter", "motor", "ups", "psu"),
        *("pump", "fan", "blower", "compressor", "heater", "tower", "l"),
        *("pin", "pout", "hsc"),
    ]
)
_FINER = (  # metric by unit, words of the name (one of them) -> metric
    ("share", frozenset(["speed"]), "speed.share"),
    ("share", frozenset(["level"]), "level"),
    ("share", frozenset(["load"]), "load"),
    ("power.active", _COLD, "cooling.power"),
    ("power.active", _HEAT, "heat"),
    ("energy.active", _HEAT | _COLD, "energy.heat"),
)
_SAID = frozenset(["level", "load", "capacity", "power", *_HEAT, *_COLD])
_OF_COOLANT = ("flow", "temperature.supply", "temperature.return", "cooling.power", "heat")

OPEN_POWER = "the map does not tell whether this power is electrical or of heat"


def finer(metric: str, component: str, words: AbstractSet[str]) -> tuple[str, str]:
    """What the words of plant makers tell beyond the unit: the level, the cooling power."""
    for general, said, found in _FINER:
        electrical = general in ("power.active", "energy.active") and words & _ELECTRICAL
        if metric == general and words & said and not electrical:
            kept = [part for part in re.split(r"[_/]", component) if part not in _SAID]
            return found, re.sub(r"_(\d+)(?=_|$)", r"/\1", "_".join(kept))
    return metric, component


def is_open(metric: str, words: AbstractSet[str], others: Collection[str]) -> bool:
    """Whether a device of coolant has a power of which nothing tells whether it is electrical.

    `others` are the metrics of the device.
    """
    if metric != "power.active" or words & _ELECTRICAL:
        return False
    return any(other in _OF_COOLANT for other in others)
