"""A widget that shows rows of (text, role) and repaints only those that have changed."""

from collections.abc import Sequence
from itertools import groupby

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.palette import Palette
from tui.view.text import Row


class Lines(Widget):
    """The whole picture of a screen."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 1fr; }"

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette
        self._rows: list[Row] = []
        self.repainted = 0  # rows, since the start

    @property
    def rows(self) -> list[Row]:
        return self._rows

    def show(self, rows: Sequence[Row]) -> None:
        """Take new rows; equal ones are left alone."""
        old, self._rows = self._rows, list(rows)
        changed = [y for y, row in enumerate(rows) if y >= len(old) or old[y] != row]
        changed += range(len(rows), len(old))
        self.repainted += len(changed)
        if changed:  # an empty list would repaint everything
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        blank = self._palette["value"]
        row = self._rows[y] if y < len(self._rows) else ()
        segments = [
            Segment("".join(span.text for span in spans), self._palette[role])
            for role, spans in groupby(row, key=lambda span: span.role)
        ]
        return Strip(segments).adjust_cell_length(self.size.width, blank)
