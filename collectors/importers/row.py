"""One register of somebody else's map, on its way to a point of a profile."""

from dataclasses import dataclass, field
from typing import Any

from collectors.importers.guess import by_name, split
from collectors.modbus.at import BIT_TABLES
from collectors.units import CONVERSIONS


@dataclass(slots=True)
class Row:
    """One register of the map; `at` as a profile writes it."""

    name: str
    at: dict[str, Any]
    metric: str = ""
    guessed: bool = False  # the metric, by name and unit: an answer goes before it
    component: str = ""
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    bits: dict[int, str] = field(default_factory=dict)
    rest: str = ""  # of flags: the component of the bits that have no name
    states: dict[int, str] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)  # what the map calls its states
    other_state: str = ""
    raw: bool = False  # bits of which the map says nothing
    absent: tuple[float, ...] = ()
    invalid: dict[float, str] = field(default_factory=dict)
    doubtful: str = ""
    group: str = ""
    repeat: dict[str, Any] = field(default_factory=dict)
    when: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.component}/{self.metric}" if self.component else self.metric

    def where(self) -> str:
        """For people: what the register is, in one phrase."""
        table = self.at.get("table", "holding")
        address = self.at.get("address") or "+".join(map(str, self.at.get("words", (0,))))
        factor = f", times {self.scale:g}" if self.scale != 1 else ""
        unit = f" {self.unit}" if self.unit else ""
        kind = "bit" if self.single else self.at.get("type", "u16")
        return f"{self.name} ({kind} at {table} {address}{factor}{unit})"

    @property
    def single(self) -> bool:
        """Whether it is a bit, not a number."""
        return self.at.get("table") in BIT_TABLES or (
            "bit" in self.at and self.at.get("width", 1) == 1
        )

    def why_open(self) -> str:
        """Why it is no point, for people: what the map would have to tell."""
        if self.labels:
            told = ", ".join(f"{raw}={label}" for raw, label in self.labels.items())
            return f"no metric has all of these states: {told}"
        if self.single and not self.unit:
            return "the name does not tell what a 1 means"
        if self.unit and self.unit not in CONVERSIONS:
            return f"the unit {self.unit!r} is not known"
        if self.unit:
            return f"no metric by this name in {self.unit}"
        if {"status", "state", "mode"} & set(split(self.name)):
            return "the map does not tell what its numbers mean"
        if by_name(self.name) is not None:
            return "the map gives neither unit nor scale"
        return "neither name nor unit tell what it measures"
