"""Whether the battery modules of a rack, each a device of its own, can still carry it with one gone.

A shelf that watches its modules tells its own `redundancy`; where every module answers for itself
(Open Rack V3: five carry the load, the sixth is the spare) it is told here, with the reason. What
makes a module unable is data: `backup.toml`.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dcim.model.asset import Rack
from dcim.model.reading import Quality, Reading, component_of
from rules.derive import Formula, Known, Result

_TELLS = "discharging/enabled"  # what every such module gives
_INSTALLED = "shelf/modules/count"  # how many modules the shelf itself counts
_CELL = re.compile(r"cell/\d+/voltage")


@dataclass(frozen=True, slots=True)
class Ailment:
    """What makes a module unable to carry load."""

    pattern: re.Pattern[str]  # of component/metric
    text: str
    states: frozenset[str]
    below: float | None

    def found(self, tail: str, reading: Reading) -> str | None:
        """What ails the module, if it is this."""
        match = self.pattern.fullmatch(tail)
        if match is None:
            return None
        if self.below is None:
            part = match[match.lastindex or 0].translate({ord("_"): " ", ord("/"): " "})
            return self.text.format(part=part) if reading.state in self.states else None
        if reading.value is None or reading.value >= self.below:
            return None
        return self.text.format(value=reading.value, below=self.below)


@cache
def ailments() -> tuple[Ailment, ...]:
    """What makes a module unable, as `backup.toml` has it; the first that fits is told."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    return tuple(
        Ailment(_any_of(one["points"]), one["text"], frozenset(one.get("states", ())), below)
        for one in table["unable"]
        for below in [one.get("below")]
    )


def _any_of(points: Sequence[str]) -> re.Pattern[str]:
    """One pattern of several points, each with at most one `*`: a group of its own."""
    return re.compile("|".join(re.escape(point).replace(r"\*", "(.+)") for point in points))


def enters(tail: str) -> bool:
    """Whether a point of this `component/metric` may enter one of these formulas."""
    return tail == _INSTALLED or _CELL.fullmatch(tail) is not None or _ails(tail)


def _ails(tail: str) -> bool:
    return any(one.pattern.fullmatch(tail) for one in ailments())


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


def _module(known: Known, device: str) -> str:
    """Whether one module could carry load, and what ails it: the point that says so."""
    tails = sorted(filter(_ails, known.points.get(device, ())))

    def able(readings: Sequence[Reading | None]) -> Result:
        told = [(tail, r) for tail, r in zip(tails, readings, strict=True) if r is not None]
        for ailment in ailments():
            for tail, reading in told:
                if text := ailment.found(tail, reading):
                    return Result(state="fault", reason=f"unable: {text}")
        if len(told) == len(tails):
            return Result(state="ok")
        silent = [t for t, reading in zip(tails, readings, strict=True) if reading is None]
        text = f"does not tell {silent[0]}" if told else "does not answer"
        return Result(state="unknown", reason=f"no_data: {text}", quality=Quality.UNCERTAIN)

    point = f"{device}/backup/status"
    inputs = tuple(f"{device}/{tail}" for tail in tails)
    known.add(Formula(point, "bbu_module", inputs, able, complete=False))
    return point


def _rack(known: Known, rack: Rack) -> None:
    standing = [d for d in sorted(known.standing.get(rack.id, ())) if known.kind(d) == "bbu"]
    telling = [d for d in standing if known.gives(f"{d}/{_TELLS}")]
    modules = [d for d in standing if d in telling or not known.points.get(d)]
    counts = [f"{d}/{_INSTALLED}" for d in telling if known.gives(f"{d}/{_INSTALLED}")]
    if not telling or (len(modules) < 2 and not counts):
        return
    inputs = (*(_module(known, d) for d in modules), *counts)

    def shelf(readings: Sequence[Reading | None]) -> Shelf:
        told = [int(r.value) for r in readings[len(modules) :] if r is not None and r.value]
        states = zip(modules, readings, strict=False)
        return Shelf.of(list(states), max(told, default=0), rack.bbu_required)

    def installed(readings: Sequence[Reading | None]) -> Result:
        return Result(float(shelf(readings).installed))

    def ready(readings: Sequence[Reading | None]) -> Result:
        return Result(float(shelf(readings).able))

    def redundancy(readings: Sequence[Reading | None]) -> Result:
        return shelf(readings).redundancy()

    parts = f"{rack.id}/bbu"
    for tail, name, compute in (
        ("modules/count", "bbu_installed", installed),
        ("modules/ready/count", "bbu_ready", ready),
        ("redundancy", "bbu_redundancy", redundancy),
    ):
        known.add(Formula(f"{parts}/{tail}", name, inputs, compute, complete=False))


@dataclass(frozen=True, slots=True)
class Shelf:
    """The modules of a rack at one moment."""

    installed: int  # by the shelf's own count, or as many as are configured
    configured: int
    required: int  # to carry the load
    able: int
    unable: tuple[str, ...]  # which, and what ails it
    silent: tuple[str, ...]

    @classmethod
    def of(
        cls, modules: Sequence[tuple[str, Reading | None]], counted: int, required: int | None
    ) -> "Shelf":
        installed = max(counted, len(modules))
        unable, silent = [], []
        for name, reading in modules:
            text = "does not answer"
            if reading is not None and reading.reason:
                text = reading.reason.partition(": ")[2]
            if reading is None or reading.state == "unknown":
                silent.append(f"{name} {text}")
            elif reading.state != "ok":
                unable.append(f"{name} {text}")
        able = len(modules) - len(unable) - len(silent)
        # all but one, unless the site says otherwise
        needed = max(1, installed - 1) if required is None else required
        return cls(installed, len(modules), needed, able, tuple(unable), tuple(silent))

    def redundancy(self) -> Result:
        """Whether more are able than must be, counting none of which that is not known."""
        unseen = self.installed - self.configured
        of = f"{len(self.unable)} of {self.installed} cannot carry load"
        unable = f"modules_unable: {of}: {'; '.join(self.unable)}"
        if self.installed == 1 and not self.unable:
            return Result(state="none", reason="one_module: there is no other")
        if self.able > self.required:
            full = not self.unable
            return Result(state="full") if full else Result(state="degraded", reason=unable)
        if self.able + len(self.silent) + unseen <= self.required:
            few = f"modules_few: {self.installed} modules, {self.required} needed and a spare"
            return Result(state="lost", reason=unable if self.unable else few)
        text = "; ".join(self.silent)
        if unseen:
            said = f"the shelf counts {self.installed} modules, {self.configured} are configured"
            text = "; ".join([said, *self.silent])
        return Result(state="unknown", reason=f"no_data: {text}", quality=Quality.UNCERTAIN)
