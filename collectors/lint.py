"""Physics over one device's readings: what contradicts itself cannot all be right. Pure.

Made for the wrong scale (a current ten times too high, a power factor of 98), so the limits are
wide: meters that round, phases that differ and loads near nothing must not raise it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from dcim.model.reading import Quality, Reading, component_of, metric_of

_LEAST_VA = 100.0  # below this, rounding and idle currents say nothing
_LEAST_A = 0.5
_LEAST_FACTOR = (
    0.15  # watts by volts and amperes: standby loads come near it, a factor of ten below
)
_ONE_PHASE, _ALL_PHASES = 1.5, 3.5  # the same at most; phases may be told as one
_SHARES = frozenset(["charge", "health", "humidity", "level", "fuel.level", "efficiency"])
_MAINS = ("input", "output", "bypass", "outlet", "branch", "L1", "L2", "L3")
_BANDS_HZ = ((45.0, 66.0), (380.0, 420.0))
_SIDES = ("input", "output", "bypass", "outlet", "branch")
_PHASE = re.compile(r"(^|/)L[123]$")
_HIGHEST_V = 1000.0  # of the sides of a supply
_DEGC = (-60.0, 150.0)
_HOT = re.compile("exhaust|turbo|coolant|engine|oil")

Component = Mapping[str, Reading]  # by metric


def lint(readings: Sequence[Reading]) -> dict[str, str]:
    """Points that contradict others of the same device, each with what it contradicts."""
    components: dict[str, dict[str, Reading]] = {}
    for reading in readings:
        if reading.value is not None and reading.state is None:
            own = components.setdefault(component_of(reading.point), {})
            own[metric_of(reading.point)] = reading
    found: dict[str, str] = {}
    for name, component in components.items():
        for points, reason in _of_component(name, component):
            for point in points:
                found.setdefault(point.point, reason)
    for points, reason in _of_sums(components):
        for point in points:
            found.setdefault(point.point, reason)
    return found


def judged(reading: Reading, found: Mapping[str, str]) -> Reading:
    """The reading, `uncertain` where it contradicts others."""
    reason = found.get(reading.point)
    if reason is None or reading.quality is not Quality.GOOD:
        return reading
    return reading._replace(quality=Quality.UNCERTAIN, reason=reason)


def went_back(reading: Reading, before: float | None) -> Reading:
    """A counter's reading, `uncertain` where it is below the one before."""
    if before is None or reading.value is None or reading.value >= before:
        return reading
    if reading.quality is not Quality.GOOD:
        return reading
    reason = f"counter went back from {before:g}: it was reset, or it wraps"
    return reading._replace(quality=Quality.UNCERTAIN, reason=reason)


Finding = tuple[list[Reading], str]


def _of_component(name: str, of: Component) -> Iterator[Finding]:
    """V*I against P and S, P against S and power factor, and what no such thing can be."""
    for metric, low in (("power.active", _LEAST_FACTOR), ("power.apparent", 0.5)):
        yield from _of_volts_and_amps(name, of, metric, low)
    yield from _of_powers(of)
    for metric in _SHARES & of.keys():
        share = _value(of, metric)
        if share is not None and not 0 <= share <= 101:
            yield [of[metric]], f"{share:g} is no share of a hundred"
    factor = _value(of, "power_factor")
    if factor is not None and abs(factor) > 1.05:
        yield [of["power_factor"]], f"{factor:g} is no power factor"
    hertz, volts = _value(of, "frequency"), _value(of, "voltage")
    if hertz and name.startswith(_MAINS) and not any(a <= hertz <= b for a, b in _BANDS_HZ):
        yield [of["frequency"]], f"{hertz:g} Hz is no mains frequency"
    if volts is not None and abs(volts) > _HIGHEST_V and name.startswith(_SIDES):
        yield [of["voltage"]], f"{volts:g} V is no low voltage"
    degrees = _value(of, "temperature")
    if degrees is not None and not _DEGC[0] <= degrees <= _DEGC[1] and not _HOT.search(name):
        yield [of["temperature"]], f"{degrees:g} degC is out of any such place's range"


def _of_volts_and_amps(name: str, of: Component, metric: str, low: float) -> Iterator[Finding]:
    """A power against voltage and current of the same place."""
    volts, amps, power = (_value(of, m) for m in ("voltage", "current", metric))
    if volts is None or amps is None or power is None:
        return
    product = abs(volts * amps)
    if max(product, abs(power)) < _LEAST_VA:
        return
    step_a = 1.0 if amps == int(amps) else 0.1  # what the meter may have rounded away
    high = _ONE_PHASE if _PHASE.search(name) else _ALL_PHASES
    unit = "W" if metric == "power.active" else "VA"
    if power == 0 and abs(amps) >= _LEAST_A:
        yield [of[metric]], f"0 at {volts:g} V and {amps:g} A: it is not measured"
    elif abs(power) > high * abs(volts) * (abs(amps) + step_a) or (
        abs(amps) >= _LEAST_A and 0 < abs(power) < low * product
    ):
        reason = f"{volts:g} V x {amps:g} A is far from {power:g} {unit}"
        yield [of["current"], of[metric]], reason


def _of_powers(of: Component) -> Iterator[Finding]:
    """Active power against apparent power and power factor."""
    watts, apparent = _value(of, "power.active"), _value(of, "power.apparent")
    if watts is None or apparent is None or max(abs(watts), abs(apparent)) < _LEAST_VA:
        return
    apparent = abs(apparent)  # some meters sign it by direction
    factor = _value(of, "power_factor")
    if abs(watts) > 1.2 * apparent:
        reason = f"{watts:g} W is more than {apparent:g} VA"
        yield [of["power.active"], of["power.apparent"]], reason
    elif factor is not None and abs(abs(factor) * apparent - abs(watts)) > 0.25 * apparent:
        reason = f"power factor {factor:g} of {apparent:g} VA is not {watts:g} W"
        yield [of["power_factor"]], reason


def _of_sums(components: Mapping[str, Component]) -> Iterator[Finding]:
    """The phases' power against that of what they are phases of."""
    for name, whole in components.items():
        prefix = f"{name}/" if name else ""
        for side in (prefix, f"{prefix}input/") if not name else (prefix,):
            phases = [components.get(f"{side}L{n}", {}) for n in (1, 2, 3)]
            for metric in ("power.active", "power.apparent"):
                total = _value(whole, metric)
                parts = [p[metric] for p in phases if metric in p]
                if total is None or len(parts) < 2:
                    continue
                added = sum(p.value for p in parts if p.value is not None)
                if max(abs(added), abs(total)) < 2 * _LEAST_VA:
                    continue
                if not 0.6 * abs(added) <= abs(total) <= 1.6 * abs(added):
                    yield (
                        [whole[metric], *parts],
                        f"phases add up to {added:g}, the device says {total:g}",
                    )


def _value(of: Component, metric: str) -> float | None:
    reading = of.get(metric)
    return reading.value if reading is not None else None
