"""What the Overview says of a plant: items composed from the site's tree by kind of device."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile

from dcim.model.reading import Quality, component_of, metric_of, object_of
from dcim.model.wire import DeviceOut, PointOut, SiteOut
from tui.state import State
from tui.view.panel import Item
from tui.view.text import clean
from tui.view.value import (
    NO_DATA,
    Scale,
    Shown,
    age_text,
    label,
    marked,
    number_text,
    quality_of,
    shown,
    worst_quality,
)

# Ends and usual bands of bars, for the eye only; alarm limits are the agent's.
_LOAD = Scale(0, 100, 10, 80)
_CHARGE = Scale(0, 100, 90, 100)
_SUPPLY = Scale(10, 60, 18, 45)  # technology coolant up to ASHRAE TC 9.9 class S45
_FACILITY = Scale(0, 50, 10, 40)  # facility water up to class W40
_MARGIN = Scale(0, 30, 3, 30)
_HVDC = {240: Scale(190, 290, 204, 288), 336: Scale(260, 400, 282, 400)}  # by nominal volts

_USUAL = (None, "online", "eco", "float")  # modes in which the mains carry the load
_WELL = ("standby", "charging", "discharging", "online", "ok", "self_test")  # of a battery module
_EACH = 4  # devices of a kind that have a line of their own


def selection(site: SiteOut) -> list[str]:
    """Patterns of the points that the Overview needs."""
    wanted = [f"{site.id}/*", "*/feed.failover", "*/leak", "*/dew_point.margin"]
    wanted += ["*/bbu/*count", "*/bbu/redundancy"]  # of racks whose modules answer each
    wanted += _of_ids([rack.id for rack in site.racks], ["power.active", "power.limit_share"])
    parts = {
        "ups": ["*load", "mode", "battery/charge", "battery/runtime"],
        "hvdc": ["*bus/voltage", "*load", "mode"],
        "dc_power": ["*bus/voltage", "*load", "mode"],
        "bbu": ["*charge", "*health", "*state", "*redundancy", "*modules/*count"],
        "cdu": ["*temperature.supply", "*flow", "*heat", "pump/*run"],
        "rpu": ["*temperature.supply", "*flow", "*heat", "pump/*run"],
        "weather": ["temperature*", "*humidity"],
    }
    for kind, metrics in parts.items():
        wanted += _of_ids([device.id for device in of_kind(site, kind)], metrics)
    return [*wanted, *_meters(site)]


def _of_ids(ids: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """Several objects by what their ids begin with: the agent takes 64 patterns at most."""
    heads = [_beginning(ids) + "*"] if len(ids) > 1 else ids
    return [f"{head}/{metric}" for head in heads for metric in metrics]


def _beginning(ids: Sequence[str]) -> str:
    """What all begin with."""
    first, last = min(ids), max(ids)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(a for a, _ in same)


def of_kind(site: SiteOut, *kinds: str) -> list[DeviceOut]:
    return [device for device in site.devices if device.kind in kinds]


def _meters(site: SiteOut) -> list[str]:
    """The power points of the meters that count as the whole site."""
    points = [str(m.get("point", "")) for m in site.metering if m.get("role") == "site_total"]
    return [point.rpartition("/")[0] + "/power.active" for point in points if point]


class Plant:
    """One look at the site."""

    def __init__(self, site: SiteOut, state: State, now: float) -> None:
        self.site = site
        self.state = state
        self.now = now
        self._of: dict[str, list[PointOut]] = {}
        for point in state.points.values():
            self._of.setdefault(object_of(point.point), []).append(point)

    def power(self) -> list[Item]:
        return [
            self._it_load(),
            *self._utility(),
            *self._each("ups", self._ups),
            *self._each("hvdc", self._bus),
            *self._each("dc_power", self._bus),
            *self._batteries(),
            *self._bbu(),
            self._ratio("PUE 15 min", "pue.window", brief_name="PUE 15m"),
            self._ratio("PUE live", "pue", 5 if self._known("pue.window") else 1, "PUE now"),
        ]

    def cooling(self) -> list[Item]:
        units = of_kind(self.site, "cdu", "rpu")
        lines = [self._supply(device) for device in units]
        if len(lines) > _EACH:
            lines = sorted(lines, key=lambda item: -(item.shown.number or 0))[:_EACH]
        return [
            *lines,
            *self._facility(units),
            *self._pumps(units),
            *self._total("flow total", units, "flow", rank=4),
            *self._total("heat removed", units, "heat", rank=2),
            *self._leaks(),
            *self._margin(),
            self._ratio("WUE", "wue", rank=2),
            *self._weather(),
        ]

    def rack_share(self, rack_id: str) -> tuple[float | None, Quality]:
        """Power of a rack in percent of its limit."""
        point = self.state.points.get(f"{rack_id}/power.limit_share")
        if point is None or point.value is None:
            return None, Quality.BAD
        return point.value, quality_of(point, self.state, self.now)

    def stale(self, point: PointOut) -> bool:
        return quality_of(point, self.state, self.now) is Quality.STALE

    def rack_power(self) -> tuple[list[PointOut], int]:
        """Usable power points of racks, and how many racks there are."""
        points = (self.state.points.get(f"{rack.id}/power.active") for rack in self.site.racks)
        return self.fresh([p for p in points if p is not None]), len(self.site.racks)

    def sum(self, points: Sequence[PointOut]) -> Shown:
        """Total of the points given; of nothing but stale ones a stale total."""
        if not points:
            return NO_DATA
        total = sum(point.value or 0.0 for point in points)
        text, unit = number_text(total, metric_of(points[0].point), points[0].unit)
        oldest = max(self.state.age_s(point.ts, self.now) for point in points)
        quality = worst_quality(points, self.state, self.now)
        age = age_text(oldest) if quality is Quality.STALE else ""
        return marked(text, unit, quality, total, age)

    def fresh(self, points: Sequence[PointOut]) -> list[PointOut]:
        """Those with a value that is not stale; all with a value where every one is stale."""
        known = [point for point in points if point.value is not None]
        live = [p for p in known if quality_of(p, self.state, self.now) is not Quality.STALE]
        return live or known

    def _points(self, device: DeviceOut, *patterns: str) -> list[PointOut]:
        """Points of a device that match the first pattern that any does."""
        own = self._of.get(device.id, [])
        for pattern in patterns:
            found = [p for p in own if fnmatchcase(p.point.partition("/")[2], pattern)]
            if found:
                return found
        return []

    def _show(self, point: PointOut | None) -> Shown:
        return shown(point, self.state, self.now)

    def _each(self, kind: str, make: Callable[[DeviceOut], Item]) -> list[Item]:
        """A line for each device; of many the highest ones."""
        items = [make(device) for device in of_kind(self.site, kind)]
        if len(items) <= _EACH:
            return items
        return sorted(items, key=lambda item: -(item.shown.number or 0))[:_EACH]

    def _it_load(self) -> Item:
        points, racks = self.rack_power()
        limit_w = 1000 * sum(rack.limit_kw or 0 for rack in self.site.racks)
        scale = Scale(0, limit_w, 0, 0.9 * limit_w) if limit_w else None
        tail = f"({len(points)}/{racks} racks)" if len(points) < racks else ""
        point = f"{self.site.id}/it/power.active"
        return Item("IT load", self.sum(points), (), scale, tail, point)

    def _utility(self) -> list[Item]:
        wanted = _meters(self.site)
        points = self.fresh([self.state.points[p] for p in wanted if p in self.state.points])
        if not wanted:
            return []
        tail = f"({len(points)}/{len(wanted)} meters)" if len(points) < len(wanted) else ""
        objects = tuple(object_of(point) for point in wanted)
        trend = wanted[0] if len(wanted) == 1 else ""
        return [Item("site power", self.sum(points), objects, None, tail, trend, 4)]

    def _ups(self, device: DeviceOut) -> Item:
        loads = self._points(device, "output/load", "output/*load", "load", "*load")
        point = max(loads, key=lambda p: p.value or 0.0, default=None)
        trend = point.point if point else ""
        tail = self._unusual(device)
        return Item(f"{device.id} load", self._show(point), (device.id,), _LOAD, tail, trend)

    def _unusual(self, device: DeviceOut) -> str:
        """How it feeds its load, where that is not the usual way."""
        mode = self.state.points.get(f"{device.id}/mode")
        return self._show(mode).text if mode and mode.state not in _USUAL else ""

    def _bus(self, device: DeviceOut) -> Item:
        point = next(iter(self._points(device, "bus/voltage", "*bus/voltage")), None)
        volts = point.value if point and point.value is not None else 0.0
        nominal = min(_HVDC, key=lambda v: abs(v - volts))
        scale = _HVDC[nominal] if _HVDC[nominal].low <= volts else None
        trend = point.point if point else ""
        tail = self._unusual(device)
        return Item(f"{device.id} bus", self._show(point), (device.id,), scale, tail, trend, 2)

    def _batteries(self) -> list[Item]:
        found = of_kind(self.site, "ups")
        charges = self._all(found, "battery/charge")
        if not charges:
            return []
        runtime = min(
            self._all(found, "battery/runtime"), key=lambda p: p.value or 0.0, default=None
        )
        left = self._show(runtime)
        tail = f"{left.text} {left.unit} left" if runtime else ""
        return [Item("batteries", self._lowest(charges), (), None, tail, rank=3)]

    def _bbu(self) -> list[Item]:
        """The lowest charge of all modules, how many are ready, and whether a spare is left."""
        found = of_kind(self.site, "bbu")
        if not found:
            return []
        racks = [r.id for r in self.site.racks if f"{r.id}/bbu/redundancy" in self.state.points]
        places = {device.place for device in found} & set(racks)  # told there, not by the device
        shelves = [f"{rack}/bbu" for rack in racks]
        shelves += [device.id for device in found if device.place not in places]
        counts = [self._modules(shelf) for shelf in shelves]
        ready, total = (sum(one) for one in zip(*counts, strict=True))
        text = f"{ready}/{total} " if total else ""
        tail, brief = self._spare(shelves)
        watches = (*(device.id for device in found), *shelves)
        shown = self._lowest(self._all(found, "*charge", "*health"))
        briefs = (f"{text}{brief}", brief) if brief else ()
        return [Item("BBU worst", shown, watches, _CHARGE, f"{text}{tail}", "", 3, briefs)]

    def _modules(self, shelf: str) -> tuple[int, int]:
        """Modules of a shelf that are ready, and all of it."""
        own = self._of.get(object_of(shelf), [])
        states = [p.state for p in own if fnmatchcase(p.point, f"{shelf}/module/*/state")]
        told = self._number(f"{shelf}/modules/count", f"{shelf}/modules/present/count")
        total = max(len(states), told or 0)
        ready = self._number(f"{shelf}/modules/ready/count")
        return sum(s in _WELL for s in states) if ready is None else ready, total

    def _number(self, *points: str) -> int | None:
        """The first of these that has a value that is not stale."""
        known = (self.state.points.get(point) for point in points)
        fresh = (p for p in known if p is not None and p.value is not None and not self.stale(p))
        return next((int(point.value or 0) for point in fresh), None)

    def _spare(self, shelves: Sequence[str]) -> tuple[str, str]:
        """Whether every shelf has a module to spare, and the same in short."""
        states = set()
        for shelf in shelves:
            points = (f"{shelf}/redundancy", f"{shelf}/modules/redundancy")
            told = next((self.state.points[p] for p in points if p in self.state.points), None)
            states.add(told.state if told is not None and not self.stale(told) else None)
        if "lost" in states:
            return "NO SPARE", "NO SPARE"
        unknown = not states <= {"full", "degraded", "none"}
        return ("spare unknown", "spare ?") if unknown else ("ready", "")

    def _known(self, metric: str) -> bool:
        point = self.state.points.get(f"{self.site.id}/{metric}")
        return point is not None and point.value is not None

    def _ratio(self, name: str, metric: str, rank: int = 1, brief_name: str = "") -> Item:
        """A figure of the whole site, a PUE with its category; where it is absent, why."""
        address = f"{self.site.id}/{metric}"
        point = self.state.points.get(address)
        tail, *brief = _reasons(point) if point else [""]
        if brief_name and point and point.category is not None:
            name = f"{brief_name} cat{point.category}"  # 12 cells, a narrow panel's names
        shown = self._show(point)
        return Item(name, shown, (address,), None, tail, address, rank, tuple(brief))

    def _supply(self, device: DeviceOut) -> Item:
        point = next(
            iter(self._points(device, "loop/secondary/temperature.supply", "*temperature.supply")),
            None,
        )
        trend = point.point if point else ""
        return Item(f"{device.id} sup", self._show(point), (device.id,), _SUPPLY, "", trend)

    def _facility(self, units: Sequence[DeviceOut]) -> list[Item]:
        points = self._all(units, "loop/primary/temperature.supply")
        point = max(points, key=lambda p: p.value or 0.0, default=None)
        if point is None:
            return []
        return [Item("facility sup", self._show(point), (), _FACILITY, "", point.point, 4)]

    def _pumps(self, units: Sequence[DeviceOut]) -> list[Item]:
        pumps = [p for p in self._all(units, "pump/*/run", "*run") if p.state is not None]
        if not pumps:
            return []
        running = [p for p in pumps if p.state == "running"]
        text = f"{len(running)}/{len(pumps)}"
        counted = marked(text, "run", worst_quality(pumps, self.state, self.now))
        failed = [p for p in pumps if p.state == "fault"]
        tail = f"{component_of(failed[0].point)} {label('fault')}" if failed else ""
        return [Item("pumps", counted, (), None, clean(tail), rank=3)]

    def _total(self, name: str, units: Sequence[DeviceOut], metric: str, rank: int) -> list[Item]:
        points = self.fresh(self._all(units, f"loop/secondary/{metric}", f"*{metric}"))
        if not points:
            return []
        counted = len({object_of(point.point) for point in points})
        tail = f"({counted}/{len(units)} units)" if counted < len(units) else ""
        if metric == "heat" and not tail:
            tail = self._share_of_it(sum(point.value or 0.0 for point in points))
        return [Item(name, self.sum(points), (), None, tail, rank=rank)]

    def _share_of_it(self, heat_w: float) -> str:
        points, racks = self.rack_power()
        power_w = sum(point.value or 0.0 for point in points)
        if not power_w or len(points) < racks:
            return ""
        return f"({100 * heat_w / power_w:.0f} % of IT)"

    def _leaks(self) -> list[Item]:
        points = [p for p in self.state.points.values() if metric_of(p.point) == "leak"]
        if not points and not of_kind(self.site, "leak_detector"):
            return []
        wet = [p for p in points if p.state == "wet"]
        dry = [p for p in points if p.state == "dry" and p.quality == Quality.GOOD]
        fresh = not self.state.silent(self.now)
        text = f"{len(dry)}/{len(points)}"
        quality = Quality.GOOD if fresh else Quality.STALE
        doubtful = sum(p.state == "dry" and p.quality == Quality.UNCERTAIN for p in points)
        others = {"unknown": len(points) - len(dry) - len(wet) - doubtful, "doubtful": doubtful}
        told = [f"{count} {word}" for word, count in others.items() if count]
        if wet:
            told.insert(0, f"{len(wet)} WET {clean(object_of(wet[0].point))}")
        watches = tuple(p.point for p in points)
        counted = marked(text, "dry", quality) if points else NO_DATA
        rest = sum(others.values())
        short = (f"{len(wet)} WET, {rest} ?", f"{len(wet)} WET") if rest else (f"{len(wet)} WET",)
        brief = short if wet else ()
        return [Item("leak sensors", counted, watches, None, ", ".join(told), brief=brief)]

    def _margin(self) -> list[Item]:
        points = [p for p in self.state.points.values() if metric_of(p.point) == "dew_point.margin"]
        if not points:
            return []
        return [Item("dew margin", self._lowest(points), (), _MARGIN, rank=3)]

    def _weather(self) -> list[Item]:
        for device in of_kind(self.site, "weather"):
            air = next(iter(self._points(device, "temperature", "*temperature")), None)
            wet = next(iter(self._points(device, "*temperature.wet_bulb")), None)
            bulb = self._show(wet)
            tail = f"wet bulb {bulb.text} {bulb.unit}" if wet else ""
            return [Item("outdoors", self._show(air), (device.id,), None, tail, rank=5)]
        return []

    def _all(self, devices: Iterable[DeviceOut], *patterns: str) -> list[PointOut]:
        return [point for device in devices for point in self._points(device, *patterns)]

    def _lowest(self, points: Sequence[PointOut]) -> Shown:
        """The lowest value; how good it is tells the worst of all."""
        known = [point for point in points if point.value is not None]
        if not known:
            return NO_DATA
        low = min(known, key=lambda point: point.value or 0.0)
        text, unit = number_text(low.value or 0.0, metric_of(low.point), low.unit)
        quality = quality_of(low, self.state, self.now)
        if quality is Quality.GOOD and len(known) < len(points):
            quality = Quality.UNCERTAIN
        age = self.state.age_s(low.ts, self.now) if quality is Quality.STALE else None
        return marked(text, unit, quality, low.value, "" if age is None else age_text(age))


def _reasons(point: PointOut) -> list[str]:
    """Why a value is doubtful or absent, `code: text`: in full, then shorter and shorter."""
    code, _, text = clean(point.reason or "").partition(": ")
    code = code.replace("_", " ")
    covered = point.coverage is not None and point.value is not None and point.coverage < 1
    share = (
        [f"{100 * (point.coverage or 0):.0f} % covered"] if covered and code == "partial" else []
    )
    return [f"{code}: {text}", *share, code] if text else [code]
