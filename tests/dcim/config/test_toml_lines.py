"""The scanner finds every key that tomllib finds, on the line where it stands."""

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcim.config.toml_lines import Path, key_lines, line_of


def paths(value: Any, above: Path = ()) -> set[Path]:
    """Every key path of a parsed text, without the text itself."""
    found = {above} if above else set()
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return found
    return found.union(*(paths(item, (*above, key)) for key, item in items))


SAMPLE = '''\
# a comment with [brackets] and "quotes"
title = "one # not a comment"

[owner]
"full name" = 'Lin \\ "x"'   # after the value
born = 1979-05-27 07:32:00
a.b."c.d" = 1

[[racks]]
id = "r1"
[racks.size]
u = 48
[[racks.slots]]
n = 1
[[racks.slots]]
n = 2
[[racks]]
id = """
two
\\""" quotes""""
text = \'\'\'
[not.a.table]
\'\'\'
list = [
  1, # one
  [2, 3],
  { x = 1, y = { z = "}" } },
]
[owner.more]
k = true
'''


def test_finds_each_key_on_its_line():
    lines = key_lines(SAMPLE)
    expected = {
        ("title",): 2,
        ("owner",): 4,
        ("owner", "full name"): 5,
        ("owner", "born"): 6,
        ("owner", "a", "b", "c.d"): 7,
        ("racks", 0): 9,
        ("racks", 0, "size", "u"): 12,
        ("racks", 0, "slots", 1, "n"): 16,
        ("racks", 1, "id"): 18,
        ("racks", 1, "text"): 21,
        ("racks", 1, "list", 0): 25,
        ("racks", 1, "list", 1, 1): 26,
        ("racks", 1, "list", 2, "y", "z"): 27,
        ("owner", "more", "k"): 30,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert set(lines) == paths(tomllib.loads(SAMPLE))


def test_a_path_that_is_not_there_gets_the_line_of_what_is_above():
    assert line_of(key_lines(SAMPLE), ("racks", 1, "place")) == 17
    assert line_of(key_lines(SAMPLE), ("nothing",)) == 1


keys = st.one_of(
    st.text("abz09_-", min_size=1, max_size=4),
    st.text('ab .#"[]{}=\\é', min_size=0, max_size=5).map(lambda text: '"' + _escape(text) + '"'),
    st.text('ab .#"[]{}=\\', min_size=0, max_size=5).map(lambda text: f"'{text}'"),
)
atoms = st.one_of(
    st.sampled_from(["1", "-0.5e3", "true", "0x1F", "inf", "07:32:00", "1979-05-27T07:32:00Z"]),
    st.text('ab ,#"]}=\\\n', max_size=6).map(lambda text: f'"{_escape(text)}"'),
    st.text("ab ,#]}=", max_size=6).map(lambda text: f"'{text}'"),
    st.text("ab ,#]}=\n[x]'", max_size=9)
    .filter(lambda t: "'''" not in t and t[-1:] != "'")
    .map(lambda text: f"'''{text}'''"),
    st.text("ab ,#]}=\n[x]\\", max_size=9).map(
        lambda text: '"""' + text.replace("\\", "\\\\") + '"""'
    ),
    st.just('""""two quotes"""""'),
)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _array(items: list[str], gap: str) -> str:
    return "[" + "".join(f"{gap}{item}{gap}," for item in items) + gap + "]"


def _inline(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"


values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(_array, st.lists(inner, max_size=3), st.sampled_from(["", "\n", " # c ] [\n"])),
        st.dictionaries(keys, inner, max_size=3).map(_inline),
    ),
    max_leaves=6,
)
statements = st.lists(
    st.one_of(
        st.tuples(st.lists(keys, min_size=1, max_size=3), values).map(
            lambda pair: f"{' . '.join(pair[0])} = {pair[1]}"
        ),
        st.lists(keys, min_size=1, max_size=3).map(lambda parts: f"[{'.'.join(parts)}]"),
        st.lists(keys, min_size=1, max_size=3).map(lambda parts: f"[[ {'. '.join(parts)} ]]"),
        st.sampled_from(["", "# [comment]", "  "]),
    ),
    max_size=12,
)


def accepted(parts: list[str]) -> list[str]:
    """The statements that, one after the other, make valid TOML."""
    kept: list[str] = []
    for part in parts:
        try:
            tomllib.loads("\n".join([*kept, part]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(part)
    return kept


@settings(deadline=None)
@given(statements)
def test_finds_exactly_what_tomllib_finds(parts: list[str]):
    text = "\n".join(accepted(parts))
    assert set(key_lines(text)) == paths(tomllib.loads(text))


@settings(deadline=None)
@given(statements)
def test_every_new_key_stands_within_the_statement_that_brought_it(parts: list[str]):
    kept = accepted(parts)
    text = "\n".join(kept)
    lines = key_lines(text)
    before: set[Path] = set()
    for count, part in enumerate(kept, 1):
        now = paths(tomllib.loads("\n".join(kept[:count])))
        first = 1 + "\n".join(kept[: count - 1]).count("\n") + (1 if count > 1 else 0)
        last = first + part.count("\n")
        for path in now - before:
            # a table that a sub-table brought is shown where its own header stands
            assert first <= lines[path] <= last or re.search(
                rf"""\[["']?{re.escape(str(path[-1]))}""", text
            ), path
        before = now


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_both_kinds_of_line_end_count(newline: str):
    assert key_lines(newline.join(["a = 1", "", "b = [", " 2", "]"]))[("b", 0)] == 4
