"""The site's batteries as PUE sees them: power in or out now, and what went through lately.

Source: METRICS section 2, live rules 4 and 5.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from dcim.model.asset import MeterRole
from dcim.model.reading import Reading, object_of
from rules.boundary import Boundary
from rules.derive import Known, fit

_KINDS = ("ups", "hvdc", "dc_power", "storage", "battery_string", "supercap")
_ON_BATTERY = ("on_battery", "discharging")


class Batteries:
    """Every battery: its power, or its voltage and current, positive into the battery."""

    def __init__(self, points: Sequence[tuple[str, ...]], keep_s: float) -> None:
        self._points = points
        self._keep_s = keep_s
        self._carrying: dict[str, tuple[bool, float | None]] = {}  # device: on battery, since
        self._through: deque[tuple[float, float]] = deque()  # tick, kWh in or out since the last
        self._ticked: float | None = None

    @property
    def points(self) -> tuple[str, ...]:
        return tuple(point for group in self._points for point in group)

    @property
    def inputs(self) -> set[str]:
        """All points that are looked up."""
        return {*self.points, *(f"{object_of(point)}/mode" for point in self.points)}

    def charge_w(self, latest: Mapping[str, Reading]) -> float:
        """Power into all batteries; negative while they discharge."""
        charge_w = 0.0
        for points in self._points:
            product = 1.0
            for point in points:
                reading = latest.get(point)
                known = reading is not None and fit(reading)
                product *= (reading.value or 0.0) if known and reading else 0.0
            charge_w += product
        return charge_w

    def unread(self, latest: Mapping[str, Reading], now: float) -> str | None:
        """A device that went onto its battery or off it, and whose battery was not read since."""
        late = None
        for points in self._points:
            device = object_of(points[0])
            since = self._changed(device, latest, now)
            readings = [latest[point] for point in points if point in latest]
            if since is not None and any(reading.ts < since for reading in readings):
                late = f"the battery of {device} has not been read since its mode changed"
        return late

    def tick(self, charge_w: float, now: float) -> None:
        """Count what goes through the batteries."""
        if self._ticked is not None and 0 < now - self._ticked <= 60:
            self._through.append((now, abs(charge_w) * (now - self._ticked) / 3.6e6))
        self._ticked = now
        while self._through and now - self._through[0][0] > self._keep_s:
            self._through.popleft()

    def through_kwh(self) -> float:
        """Energy into and out of batteries, both counted, in the time that is kept."""
        return sum(kwh for _, kwh in self._through)

    def _changed(self, device: str, latest: Mapping[str, Reading], now: float) -> float | None:
        """When the device's mode went to or from battery; None: not since the start."""
        mode = latest.get(f"{device}/mode")
        if mode is None or mode.state is None or not fit(mode):
            return self._carrying.get(device, (False, None))[1]
        carrying = mode.state in _ON_BATTERY
        was, since = self._carrying.get(device, (carrying, None))
        if carrying != was:
            since = mode.ts
        self._carrying[device] = (carrying, since)
        return since


def batteries(known: Known, boundary: Boundary, keep_s: float) -> Batteries:
    """Those metered by role `storage`, else those of the devices that have one."""
    group = boundary.groups.get(MeterRole.STORAGE)
    if group is not None:
        return Batteries([(point,) for point in group.rates], keep_s)
    found: list[tuple[str, ...]] = []
    for device in sorted(known.points):
        if known.kind(device) not in _KINDS:
            continue
        if known.gives(f"{device}/battery/power.active"):
            found.append((f"{device}/battery/power.active",))
        elif known.gives(f"{device}/battery/voltage") and known.gives(f"{device}/battery/current"):
            found.append((f"{device}/battery/voltage", f"{device}/battery/current"))
    return Batteries(found, keep_s)
