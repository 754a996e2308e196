"""Styles of the roles, the pieces that are repainted, and the launcher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

import tui
from tui.palette import palette
from tui.view.text import Row, Span, fit, width
from tui.widgets.lines import difference

DARK = {"TERM": "xterm-256color"}
SIXTEEN = {"TERM": "linux"}
MONO = {"TERM": "xterm-256color", "NO_COLOR": "1"}

spans = st.lists(
    st.builds(Span, st.sampled_from(["a", "bb", "泵", "ccc", " "]), st.sampled_from(["x", "y"])),
    max_size=6,
)


@given(spans, spans)
def test_outside_of_the_piece_repainted_nothing_has_changed(first, second):
    old, new = fit(first, 12), fit(second, 12)
    found = difference(old, new, 12)
    if old == new:
        assert found == []
        return
    ((start, size),) = found
    before, after = cells(old), cells(new)
    assert before[:start] == after[:start]
    assert before[start + size :] == after[start + size :]


def cells(row: Row) -> list[tuple[str, int, str]]:
    """One entry for each cell: character and role, and which half of a wide character."""
    out = []
    for span in row:
        for char in span.text:
            out += [(char, half, span.role) for half in range(width([Span(char)]))]
    return out


def luminance(style: Style, ground: bool) -> float:
    colour = style.bgcolor if ground else style.color
    assert colour is not None
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style) -> float:
    """Source: WCAG 2.1, contrast ratio."""
    light, dark = sorted((luminance(style, True), luminance(style, False)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("role", "least"),
    [("value", 7), ("strong", 7), ("label", 4.5), ("stale", 4.5), ("p1", 6.4), ("p2", 7)],
)
def test_contrast(role, least):
    assert contrast(palette(DARK)[role]) >= least


@pytest.mark.parametrize("environ", [DARK, SIXTEEN, MONO])
def test_priorities_and_their_turned_form_differ_in_style(environ):
    styles = palette(environ)
    for number in (1, 2, 3, 4):
        assert styles[f"p{number}"] != styles[f"p{number}.turned"]
    assert len({styles[f"p{number}"] for number in (1, 2, 3, 4)}) == 4


def test_monochrome_has_no_colour():
    mono = palette(MONO)
    assert all(mono[role].color is None and mono[role].bgcolor is None for role in mono.roles)


@pytest.mark.parametrize(
    ("environ", "ansi"),
    [
        (DARK, False),
        (SIXTEEN, True),
        (MONO, True),
        ({"TERM": "vt220"}, True),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, False),
        ({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}, True),
    ],
)
def test_the_terminal_decides_the_palette(environ, ansi):
    assert palette(environ).ansi is ansi
    assert palette(environ).roles == palette(DARK).roles


def test_without_a_terminal_the_launcher_points_to_plain_text(capfd):
    assert tui.run("http://127.0.0.1:1", None) == 1
    assert "dcim status" in capfd.readouterr().err
