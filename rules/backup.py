"""Whether the battery modules of a rack, each a device of its own, can still carry it with one gone.

A shelf that watches its modules tells its own `redundancy`; where every module answers for itself
(Open Rack V3: five carry the load, the sixth is the spare) it is told here, with the reason.
"""

import re
from collections.abc import Mapping, Sequence

from dcim.model.asset import Rack
from dcim.model.reading import Quality, Reading, component_of
from rules.derive import Formula, Known, Result

_ABLE: Mapping[str, tuple[str, str]] = {  # point of a module -> state if able, what it is if not
    "discharging/enabled": ("yes", "may not discharge"),
    "discharge_not_allowed/alarm": ("inactive", "discharge not allowed"),
    "battery/present": ("present", "no battery in it"),
    "battery/failure/alarm": ("inactive", "battery failed"),
    "battery/permanent_failure/alarm": ("inactive", "battery failed for good"),
    "end_of_life/alarm": ("inactive", "at the end of its life"),
}
_TELLS = "discharging/enabled"  # what every such module gives
_CELL = re.compile(r"cell/\d+/voltage")


def enters(tail: str) -> bool:
    """Whether a point of this `component/metric` may enter one of these formulas."""
    return tail in _ABLE or _CELL.fullmatch(tail) is not None


def lay_out(known: Known) -> None:
    """The worst cell of every battery module, and formulas of racks with more than one of them."""
    for device in known.site.devices:
        if known.kind(device) == "bbu":
            _worst_cell(known, device)
    for rack in known.site.racks.values():
        _rack(known, rack)


def _worst_cell(known: Known, device: str) -> None:
    cells = sorted(tail for tail in known.points.get(device, ()) if _CELL.fullmatch(tail))
    if len(cells) < 2:
        return

    def lowest(readings: Sequence[Reading | None]) -> Result:
        told = [r for r in readings if r is not None and r.value is not None]
        if not told:
            return Result(reason=f"no_data: {device}/{cells[0]}", quality=Quality.STALE)
        worst = min(told, key=lambda reading: reading.value or 0.0)
        return Result(worst.value, reason=f"lowest: {component_of(worst.point)}")

    inputs = tuple(f"{device}/{tail}" for tail in cells)
    point = f"{device}/cell/worst/voltage"
    known.add(Formula(point, "worst_cell", inputs, lowest, complete=False))


def _rack(known: Known, rack: Rack) -> None:
    standing = sorted(known.standing.get(rack.id, ()))
    modules = [d for d in standing if known.kind(d) == "bbu" and known.gives(f"{d}/{_TELLS}")]
    if len(modules) < 2:
        return
    inputs = tuple(f"{d}/{tail}" for d in modules for tail in _ABLE if known.gives(f"{d}/{tail}"))
    pairs = [tuple(point.split("/", 1)) for point in inputs]

    def faults(readings: Sequence[Reading | None]) -> dict[str, str | None]:
        """What ails each module; None: not known."""
        found: dict[str, str | None] = {}
        for (module, tail), reading in zip(pairs, readings, strict=True):
            able, text = _ABLE[tail]
            if reading is not None and reading.state != able:
                found[module] = found.get(module) or text
            elif reading is None:
                found.setdefault(module, None)
        return found

    def ready(readings: Sequence[Reading | None]) -> Result:
        return Result(float(len(modules) - len(faults(readings))))

    def redundancy(readings: Sequence[Reading | None]) -> Result:
        found = faults(readings)
        unable = [f"{module} {text}" for module, text in found.items() if text]
        silent = [module for module, text in found.items() if not text]
        quiet = "; ".join(f"{module} does not answer" for module in silent)
        if unable:
            of = f"{len(unable)} of {len(modules)} cannot carry load"
            return Result(state="lost", reason=f"modules_unable: {of}: {'; '.join(unable)}")
        if silent:
            return Result(state="unknown", reason=f"no_data: {quiet}", quality=Quality.UNCERTAIN)
        return Result(state="full")

    parts = f"{rack.id}/bbu"
    known.add(Formula(f"{parts}/modules/ready/count", "bbu_ready", inputs, ready, complete=False))
    known.add(Formula(f"{parts}/redundancy", "bbu_redundancy", inputs, redundancy, complete=False))
