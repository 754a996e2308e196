"""Strings from outside are safe to draw, and rows have exactly the cells they should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.view.text import Span, clean, cut, fit, spread, width, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CDU-05", "CDU-05"),
        ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ud800", "\\ud800"),
        ("⚠\ufe0f", "⚠\\ufe0f"),
        ("泵 2", "泵 2"),
    ],
)
def test_hostile_strings_are_escaped(text, shown):
    assert clean(text) == shown


def test_a_very_long_string_is_cut_off():
    assert len(clean("x" * 10_000)) == 400


@given(st.text(), st.integers(1, 60))
def test_a_row_has_exactly_the_cells_asked_for(text, cells):
    assert width(fit([Span(clean(text)), Span("tail")], cells)) == cells
    assert width(spread([Span(clean(text))], [Span("12:00")], cells)) == cells


@given(st.text(st.characters(categories=["L", "N", "P"])), st.integers(1, 40))
def test_cut_and_wrapped_text_fits(text, cells):
    assert cell_len(cut(clean(text), cells)) <= cells
    assert all(cell_len(line) <= max(2, cells) for line in wrap(clean(text), cells))


def test_wrapping_loses_no_word():
    text = "Look at the place at once; close the valves of the rack"
    assert " ".join(wrap(text, 12)) == text
