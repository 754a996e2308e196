"""Physics over one device's readings: what contradicts itself cannot all be right. Pure.

Made for the wrong scale (a current ten times too high, a power factor of 98), so the limits are
wide: meters that round, phases that differ and loads near nothing must not raise it.
"""

from collections.abc import Iterator, Mapping, Sequence

from dcim.model.reading import Quality, Reading, component_of, metric_of

_LEAST_VA = 100.0  # below this, rounding and idle currents say nothing
_LEAST_A = 0.5
_SHARES = frozenset(["charge", "health", "humidity", "level", "fuel.level", "efficiency"])
_MAINS = ("input", "output", "bypass", "outlet", "branch", "L1", "L2", "L3")
_BANDS_HZ = ((45.0, 66.0), (380.0, 420.0))

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
    """V*I against P and S, P against S and power factor, shares, mains frequency."""
    volts, amps = _value(of, "voltage"), _value(of, "current")
    watts, apparent = _value(of, "power.active"), _value(of, "power.apparent")
    if volts is not None and amps is not None and abs(amps) >= _LEAST_A:
        product = abs(volts * amps)
        for metric, power, low in (("power.active", watts, 0.1), ("power.apparent", apparent, 0.5)):
            if power is None or max(product, abs(power)) < _LEAST_VA:
                continue
            if power == 0:
                yield [of[metric]], f"0 at {volts:g} V and {amps:g} A: it is not measured"
            # three phases told as one: up to 3 x V x I
            elif not low * product <= abs(power) <= 3.5 * product:
                unit = "W" if metric == "power.active" else "VA"
                reason = f"{volts:g} V x {amps:g} A is far from {power:g} {unit}"
                yield [of["current"], of[metric]], reason
    if watts is not None and apparent is not None and max(abs(watts), apparent) >= _LEAST_VA:
        factor = _value(of, "power_factor")
        if abs(watts) > 1.2 * apparent:
            reason = f"{watts:g} W is more than {apparent:g} VA"
            yield [of["power.active"], of["power.apparent"]], reason
        elif factor is not None and abs(abs(factor) * apparent - abs(watts)) > 0.25 * apparent:
            reason = f"power factor {factor:g} of {apparent:g} VA is not {watts:g} W"
            yield [of["power_factor"]], reason
    for metric in _SHARES & of.keys():
        share = _value(of, metric)
        if share is not None and not 0 <= share <= 101:
            yield [of[metric]], f"{share:g} is no share of a hundred"
    hertz = _value(of, "frequency")
    if hertz and name.startswith(_MAINS) and not any(a <= hertz <= b for a, b in _BANDS_HZ):
        yield [of["frequency"]], f"{hertz:g} Hz is no mains frequency"


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
