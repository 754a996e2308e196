"""The screen that shows a view and hands keys to the console."""

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from tui.palette import Palette
from tui.widgets.lines import Lines


class Board(Screen[None]):
    """One picture over the whole terminal."""

    def __init__(self, palette: Palette, press: Callable[[str, str | None], bool]) -> None:
        super().__init__()
        self.lines = Lines(palette)
        self._press = press

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_key(self, event: events.Key) -> None:
        if self._press(event.key, event.character):
            event.stop()
            event.prevent_default()
