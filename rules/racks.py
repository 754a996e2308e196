"""Power of racks and rows, against their limits, by feed, and whether one feed could carry both."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dcim.model.asset import Rack
from dcim.model.reading import Quality, Reading
from rules.derive import Formula, Known, Result, total, values
from rules.power import SEVERITY, Failover, failover

ENTRY_KINDS = ("rack_pdu", "power_shelf", "meter")
_WHOLE = ("input/power.active", "power.active")
_PHASES = re.compile(r"input/L[123]")
_UNITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A device by which a rack takes its power, and by which feed with what breaker."""

    device: str
    feeds: tuple[str, ...]
    rating_a: float | None


def entries(known: Known, rack: Rack) -> list[Entry]:
    """Where power enters a rack: what stands in it and is fed from outside, else what it has."""
    inside = set(known.standing.get(rack.id, ()))
    able = [d for d in sorted(inside) if known.kind(d) in ENTRY_KINDS]
    fed = [d for d in able if any(f.source not in inside for f in known.feeds_to.get(d, ()))]
    if not fed:
        pdus = [d for d in able if known.kind(d) == "rack_pdu"]
        fed = pdus or [d for d in able if known.kind(d) == "power_shelf"]
    return [_entry(known, device, rack, inside) for device in fed]


def _entry(known: Known, device: str, rack: Rack, inside: set[str]) -> Entry:
    edges = [f for f in known.feeds_to.get(device, ()) if f.source not in inside]
    if not edges:
        edges = [f for f in known.feeds_to.get(rack.id, ()) if f.source == device]
    ratings = [f.rating_a for f in edges if f.rating_a is not None]
    return Entry(device, tuple(sorted({f.feed for f in edges})), min(ratings, default=None))


def power_points(known: Known, device: str) -> list[str]:
    """The points whose sum is a device's input power; empty as long as none is known."""
    for whole in _WHOLE:
        if known.gives(f"{device}/{whole}"):
            return [f"{device}/{whole}"]
    components = known.components(device, "power.active")
    for pattern in (_UNITS, _PHASES):
        if parts := [c for c in components if pattern.fullmatch(c)]:
            return [f"{device}/{c}/power.active" for c in parts]
    return []


def lay_out(known: Known) -> None:
    """Formulas of all racks and rows."""
    for rack in known.site.racks.values():
        at = entries(known, rack)
        _rack_power(known, rack, at)
        _rack_failover(known, rack, at)
    for row in known.site.rows:
        _row(known, row)


def _rack_power(known: Known, rack: Rack, at: Sequence[Entry]) -> None:
    points = {entry: power_points(known, entry.device) for entry in at}
    if not any(points.values()):
        return
    whole = [p for entry in at for p in points[entry] or [f"{entry.device}/power.active"]]
    _power_and_share(known, rack.id, "rack_power", whole, rack.limit_kw)
    for feed in sorted({feed for entry in at for feed in entry.feeds}):
        alone = [e for e in at if e.feeds == (feed,)]
        part = [p for entry in alone for p in points[entry]]
        if part:
            _power_and_share(
                known, f"{rack.id}/feed/{feed}", "feed_power", part, rack.limit_kw_feed
            )


def _power_and_share(
    known: Known, prefix: str, formula: str, inputs: Sequence[str], limit_kw: float | None
) -> None:
    power = f"{prefix}/power.active"
    known.add(Formula(power, formula, tuple(inputs), total))
    if limit_kw:
        limit_w = 1000 * limit_kw

        def share(readings: Sequence[Reading | None]) -> Result:
            return Result(100 * sum(values(readings)) / limit_w)

        known.add(Formula(f"{prefix}/power.limit_share", "limit_share", (power,), share))


def _rack_failover(known: Known, rack: Rack, at: Sequence[Entry]) -> None:
    by_feed = {e.feeds[0]: e for e in at if len(e.feeds) == 1}
    if len(by_feed) != 2 or len(at) != 2:
        return
    one, other = (by_feed[feed] for feed in sorted(by_feed))
    phases = _phases(known, one.device) or _phases(known, other.device)
    if not phases:
        return
    points = [f"{e.device}/{c}current" for e in (one, other) for c in phases]
    factor, count = known.site.breaker_factor, len(phases)

    def state(readings: Sequence[Reading | None]) -> Result:
        amperes = [r.value if r else None for r in readings]
        found = failover(amperes[:count], amperes[count:], one.rating_a, other.rating_a, factor)
        if found is not Failover.UNKNOWN:
            return Result(state=found)
        if one.rating_a is None or other.rating_a is None:
            return Result(state=found, reason="no_rating: feed", quality=Quality.UNCERTAIN)
        silent = [p for p, r in zip(points, readings, strict=True) if r is None]
        return Result(state=found, reason=f"no_data: {silent[0]}", quality=Quality.STALE)

    known.add(Formula(f"{rack.id}/feed.failover", "failover", tuple(points), state, complete=False))


def _phases(known: Known, device: str) -> list[str]:
    """Component prefixes of a PDU's currents: by phase, or its only one."""
    components = known.components(device, "current")
    if phases := [c for c in components if _PHASES.fullmatch(c)]:
        return [f"{c}/" for c in phases]
    return next(([f"{c}/" if c else ""] for c in ("input", "") if c in components), [])


def _row(known: Known, row: str) -> None:
    racks = [r.id for r in known.site.racks.values() if r.row == row]
    powers = [f"{r}/power.active" for r in racks if r in known.standing]
    if any(known.has(p) for p in powers):
        known.add(Formula(f"{row}/power.active", "row_power", tuple(powers), total))
    states = [p for r in racks if known.has(p := f"{r}/feed.failover")]
    if states:
        known.add(
            Formula(f"{row}/feed.failover", "row_failover", tuple(states), _worst, complete=False)
        )


def _worst(readings: Sequence[Reading | None]) -> Result:
    """The worst of the racks; one that is unknown is never taken for ok."""
    found = [Failover(r.state) if r and r.state else Failover.UNKNOWN for r in readings]
    state = max(found, key=SEVERITY.__getitem__)
    quality = Quality.STALE if state is Failover.UNKNOWN else Quality.GOOD
    reason = "no_data: a rack is unknown" if state is Failover.UNKNOWN else None
    return Result(state=state, quality=quality, reason=reason)
