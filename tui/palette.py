"""Styles of the roles: dark, 16 colours, and shape alone."""

from collections.abc import Mapping

from rich.style import Style

# Contrast on #262626 at least 4.5, of the alarm marks on their own ground at least 6.5.
_DARK = {
    "value": "#c8c8c8 on #262626",
    "strong": "bold #ffffff on #262626",
    "label": "#909090 on #262626",
    "line": "#6a6a6a on #262626",
    "stale": "italic #909090 on #262626",
    "bad": "bold #ffffff on #262626",
    "reverse": "#262626 on #c8c8c8",
    "p1": "bold #ffffff on #c00000",
    "p2": "#000000 on #ff9f1a",
    "p3": "#000000 on #ffd60a",
    "p4": "#000000 on #7fb2d9",
}
_SIXTEEN = {
    "value": "white on black",
    "strong": "bold bright_white on black",
    "label": "white on black",
    "line": "bright_black on black",
    "stale": "bright_black on black",
    "bad": "bold bright_white on black",
    "reverse": "black on white",
    "p1": "bold white on red",
    "p2": "black on yellow",
    "p3": "underline yellow on black",
    "p4": "cyan on black",
}
_MONO = {
    "value": "none",
    "strong": "bold",
    "label": "none",
    "line": "none",
    "stale": "dim",
    "bad": "bold",
    "reverse": "reverse",
    "p1": "bold reverse",
    "p2": "reverse",
    "p3": "underline",
    "p4": "none",
}


class Palette:
    """Role -> style; `p1.turned` is `p1` with its colours exchanged."""

    def __init__(self, roles: Mapping[str, str], ansi: bool) -> None:
        self.ansi = ansi  # the terminal's own colours, not ours
        self._styles = {role: Style.parse(text) for role, text in roles.items()}
        turn = Style(reverse=True)
        for role in ("p1", "p2", "p3", "p4"):
            plain = self._styles[role]
            turned = plain + (Style(reverse=False) if plain.reverse else turn)
            self._styles[f"{role}.turned"] = turned

    def __getitem__(self, role: str) -> Style:
        return self._styles[role]

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(self._styles)


def palette(environ: Mapping[str, str]) -> Palette:
    """What the terminal can show, as far as its environment tells."""
    if environ.get("NO_COLOR") or environ.get("TERM", "").startswith("vt"):
        return Palette(_MONO, ansi=True)
    rich = environ.get("COLORTERM") in ("truecolor", "24bit") or "256" in environ.get("TERM", "")
    if environ.get("TEXTUAL_COLOR_SYSTEM") == "standard" or not rich:
        return Palette(_SIXTEEN, ansi=True)
    return Palette(_DARK, ansi=False)
