"""Heat of coolant loops, and how far the coolant is above the dew point of its room."""

from collections.abc import Iterator, Sequence

from dcim.model.reading import Quality, Reading
from rules.derive import Compute, Formula, Known, Result, total, values
from rules.fluid import FLUIDS, Fluid, heat_uncertainty, heat_w
from rules.psychro import dew_point_c

_KINDS = ("cdu", "rpu", "dry_cooler")
_LOW_CONFIDENCE_K = 3.0  # THERMAL section 4


def lay_out(known: Known) -> None:
    """Formulas of all loops and coolant units."""
    for device in known.site.devices:
        if known.kind(device) in _KINDS:
            for component in known.components(device, "flow"):
                if component.startswith("loop/") and component.count("/") == 1:
                    _heat(known, device, component)
        if known.kind(device) in ("cdu", "rpu"):
            _margin(known, device)
    for loop in known.site.loops:
        _loop(known, loop)


def _heat(known: Known, device: str, component: str) -> None:
    prefix = f"{device}/{component}"
    inputs = (
        f"{prefix}/flow",
        f"{prefix}/temperature.supply",
        f"{prefix}/temperature.return",
    )
    if not all(known.gives(point) for point in inputs):
        return
    fluid = FLUIDS[_fluid(known, device, component)]
    known.add(Formula(f"{prefix}/heat", "heat", inputs, _heat_of(fluid)))


def _heat_of(fluid: Fluid) -> Compute:
    def heat(readings: Sequence[Reading | None]) -> Result:
        flow_lpm, supply_c, return_c = values(readings)
        value = heat_w(fluid, flow_lpm, supply_c, return_c)
        difference_k = abs(return_c - supply_c)
        uncertainty = abs(value) * heat_uncertainty(difference_k) if value else None
        if value < 0:
            reason = "negative: sensors swapped or flow reversed"
            return Result(value, None, reason, Quality.UNCERTAIN, uncertainty)
        reason_low = "low_confidence: less than 3 K" if difference_k < _LOW_CONFIDENCE_K else None
        return Result(value, reason=reason_low, uncertainty=uncertainty)

    return heat


def _fluid(known: Known, device: str, component: str) -> str:
    """What runs in a device's loop: the loop it serves by its secondary, is served by else."""
    secondary = component == "loop/secondary" or known.kind(device) == "dry_cooler"
    edges = [s for s in known.site.serves if device == (s.source if secondary else s.target)]
    loops = (known.site.loops.get(edge.loop) for edge in edges)
    default = "pg25" if component == "loop/secondary" else "water"
    return next((loop.fluid for loop in loops if loop and loop.fluid in FLUIDS), default)


def _loop(known: Known, loop: str) -> None:
    sources = sorted({s.source for s in known.site.serves if s.loop == loop})
    points = [p for source in sources for p in _heat_point(known, source)]
    if points:
        known.add(Formula(f"{loop}/heat", "loop_heat", tuple(points), total))


def _heat_point(known: Known, source: str) -> Iterator[str]:
    for component in ("loop/secondary", "loop/facility", "loop/primary"):
        if known.has(point := f"{source}/{component}/heat"):
            yield point
            return


def _margin(known: Known, device: str) -> None:
    supply = f"{device}/loop/secondary/temperature.supply"
    sensors = list(_sensors(known, _hall(known, device)))
    if not sensors or not known.gives(supply):
        return
    inputs = (supply, *(f"{s}{m}" for s in sensors for m in ("temperature", "humidity")))
    known.add(
        Formula(
            f"{device}/loop/secondary/dew_point.margin",
            "dew_point_margin",
            inputs,
            margin,
            complete=False,
        )
    )


def margin(readings: Sequence[Reading | None]) -> Result:
    """Supply temperature less the worst dew point of the room; a silent sensor is not dry air."""
    supply, *air = readings
    pairs = list(zip(air[::2], air[1::2], strict=True))
    dew = [
        dew_point_c(t.value, h.value)
        for t, h in pairs
        if t is not None and h is not None and t.value is not None and h.value is not None
    ]
    coverage = len(dew) / len(pairs)
    if supply is None or supply.value is None:
        return Result(
            reason="no_data: supply temperature", quality=Quality.STALE, coverage=coverage
        )
    if not dew:
        return Result(reason="no_data: air of the hall", quality=Quality.STALE, coverage=coverage)
    if len(dew) < len(pairs):
        reason = f"partial: {len(dew)} of {len(pairs)} air sensors"
        return Result(supply.value - max(dew), None, reason, Quality.UNCERTAIN, coverage=coverage)
    return Result(supply.value - max(dew), coverage=1.0)


def _hall(known: Known, device: str) -> str:
    site = known.site
    return next((place for place in site.path(device) if place in site.halls), site.id)


def _sensors(known: Known, hall: str) -> Iterator[str]:
    """Prefixes of the points of every sensor of room air in a hall."""
    for device in known.site.devices_in(hall):
        if known.kind(device.id) != "environment":
            continue
        both = set(known.components(device.id, "temperature"))
        for component in sorted(both & set(known.components(device.id, "humidity"))):
            yield f"{device.id}/{component}/" if component else f"{device.id}/"
