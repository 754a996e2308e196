"""One line of a register table, and what was found wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from collectors.importers import cells
from collectors.importers.header import Sheet

T = TypeVar("T")


@dataclass(slots=True)
class Line:
    """One line of the table: its cells by column, and what was found wrong with them."""

    sheet: Sheet
    number: int
    raw: Mapping[str, str]
    section: str = ""  # the table that a heading above tells
    faults: list[str] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)  # keys of `unsaid`

    def get(self, column: str) -> str:
        found = (self.raw.get(title, "") for title in self.sheet.titles.get(column, ()))
        return next((text for text in found if text), "")

    def take(self, column: str, parse: Callable[[str], T], default: T) -> T:
        """A cell as `parse` understands it; a fault and the default where it does not."""
        text = self.get(column)
        if not text or (text.lower() in cells.NOTHING and column != "name"):
            return default
        try:
            return parse(text)
        except ValueError as error:
            title = next(t for t in self.sheet.titles[column] if self.raw.get(t))
            self.faults.append(f"{' '.join(title.split())}: {error}")
            return default

    @property
    def label(self) -> str:
        name = self.get("name") or self.get("description")
        return f"line {self.number}" + (f", {' '.join(name.split())[:60]}" if name else "")
