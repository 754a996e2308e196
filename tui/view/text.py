"""Rows of text with roles, and how they are cut and filled to a number of cells."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

_LONGEST = 400  # characters of a foreign string that are looked at
_ESCAPED = ("C", "Zl", "Zp")  # controls, formats such as bidi marks, surrogates, unassigned


class Span(NamedTuple):
    """A piece of text and what it means; the palette turns the role into a style."""

    text: str
    role: str = "value"


Row = tuple[Span, ...]


def clean(text: str) -> str:
    """A string from outside, safe to draw: nothing in it moves the cursor or turns the text."""
    if text.isascii() and text.isprintable():
        return text[:_LONGEST]
    return "".join(_safe(char) for char in text[:_LONGEST])


def _safe(char: str) -> str:
    hidden = unicodedata.category(char).startswith(_ESCAPED) or "\ufe00" <= char <= "\ufe0f"
    if not hidden:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def width(row: Iterable[Span]) -> int:
    return sum(cell_len(span.text) for span in row)


def cut(text: str, cells: int) -> str:
    """At most so many cells; what is missing shows as two dots. Never for values."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 2) + ".." if cells > 4 else set_cell_size(text, cells)


def left(text: str, cells: int) -> str:
    return set_cell_size(cut(text, cells), cells)


def right(text: str, cells: int) -> str:
    """Right-aligned, not cut."""
    return " " * max(0, cells - cell_len(text)) + text


def fit(row: Sequence[Span], cells: int, role: str = "value") -> Row:
    """Exactly so many cells: filled up with blanks, or the end left off."""
    out: list[Span] = []
    free = cells
    for span in row:
        size = cell_len(span.text)
        if size > free:
            out.append(Span(set_cell_size(span.text, free), span.role))
            free = 0
            break
        out.append(span)
        free -= size
    if free:
        out.append(Span(" " * free, role))
    return tuple(span for span in out if span.text)


def spread(first: Sequence[Span], last: Sequence[Span], cells: int, role: str = "value") -> Row:
    """`first` at the left edge, `last` at the right one, which is never cut."""
    free = cells - width(last)
    return (*fit(first, free, role), *last) if free > 0 else fit(last, cells, role)


def rule(cells: int) -> Row:
    return (Span("-" * cells, "line"),)


def wrap(text: str, cells: int) -> list[str]:
    """Lines of at most so many cells, broken at blanks where there are any."""
    cells = max(2, cells)
    lines: list[str] = []
    line = ""
    for word in text.split():
        while cell_len(word) > cells:
            head = set_cell_size(word, cells - cell_len(line) - 1 if line else cells).rstrip()
            lines.append(f"{line} {head}".strip())
            word, line = word[len(head) :], ""
        joined = f"{line} {word}" if line else word
        if cell_len(joined) > cells:
            lines.append(line)
            joined = word
        line = joined
    return [*lines, line] if line else lines


def plain(rows: Iterable[Row]) -> str:
    """The characters alone, for tests and people."""
    return "\n".join("".join(span.text for span in row).rstrip() for row in rows) + "\n"
