"""A widget that shows rows of (text, role) and repaints only what has changed."""

from collections.abc import Sequence
from itertools import groupby, takewhile, zip_longest

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.palette import Palette
from tui.view.text import Row, Span, width


class Lines(Widget):
    """The whole picture of a screen."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 1fr; }"

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette
        self._rows: list[Row] = []
        self.repainted = 0  # pieces of rows, since the start

    @property
    def rows(self) -> list[Row]:
        return self._rows

    def show(self, rows: Sequence[Row]) -> None:
        """Take new rows; equal ones are left alone, of others only what differs is repainted."""
        pairs = list(zip_longest(self._rows, rows, fillvalue=()))
        self._rows = list(rows)
        dirty = [
            Region(x, y, size, 1)
            for y, (old, new) in enumerate(pairs)
            for x, size in difference(old, new, self.size.width)
        ]
        self.repainted += len(dirty)
        if dirty:  # an empty list would repaint everything
            self.refresh(*dirty)

    def render_line(self, y: int) -> Strip:
        blank = self._palette["value"]
        row = self._rows[y] if y < len(self._rows) else ()
        segments = [
            Segment("".join(span.text for span in spans), self._palette[role])
            for role, spans in groupby(row, key=lambda span: span.role)
        ]
        return Strip(segments).adjust_cell_length(self.size.width, blank)


def difference(old: Row, new: Row, cells: int) -> list[tuple[int, int]]:
    """Start and size of the part in which two rows differ, if they do."""
    if old == new:
        return []
    head = list(takewhile(_same, zip(old, new, strict=False)))
    rest = zip(reversed(old[len(head) :]), reversed(new[len(head) :]), strict=False)
    start, end = width(a for a, _ in head), width(a for a, _ in takewhile(_same, rest))
    changed = width(new) - start - end
    same_length = width(old) == width(new)
    return [(start, changed)] if same_length and changed > 0 else [(0, cells)]


def _same(pair: tuple[Span, Span]) -> bool:
    return pair[0] == pair[1]
