"""What tomllib says of a text that is not TOML, as what was found and what was expected."""

import re

_VALUE = "a value: text in quotes, a number, true, false, a date, [...] or {...}"
_ELSE = "something else"
_WORDS = (  # tomllib's message, found, expected; the first that fits
    (r"(?:Illegal|Found invalid) character '\\[nr]'", "a line that ends inside a text", "a quote"),
    (r"Unterminated string", "a text without end", "a closing quote"),
    (r"Expected \"'(?:'')?\"", "a text without end", "a closing quote"),
    (r"(?:Illegal|Found invalid) character (.+)", r"the character \1", "text that may stand here"),
    (r"Expected (.+)", _ELSE, r"\1"),
    (r"Invalid initial character for a key part", "no key", "a key or a [table]"),
    (r"Invalid statement", "no key", "a key or a [table]"),
    (r"Invalid value", _ELSE, _VALUE),
    (r"Invalid date or datetime", "no such date", _VALUE),
    (r"Unclosed array", "an array without end", "] or a comma"),
    (r"Unclosed inline table", "a table without end", "} or a comma"),
    (r"Unescaped '\\' in a string", "a backslash that escapes nothing", r"\\\\, or text in ' '"),
    (r"Cannot overwrite a value", "a key that stands twice", "each key once"),
    (r"Duplicate inline table key (.+)", r"the key \1 twice", "each key once"),
    (r"Cannot (?:declare|redefine|mutate)\b.*", "a table that stands twice", "each table once"),
)


_AT_LINE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MOST_SHOWN = 30


def place_of(message: str, text: str) -> tuple[int, str, str]:
    """(line, found, expected) of what tomllib says of a text."""
    match = _AT_LINE.match(message)
    found, expected = found_and_expected(match[1] if match else message)
    if match is None or not match[2]:
        found = "the end of the file" if found == _ELSE else found
        return text.count("\n") + 1, found, expected
    line, column = int(match[2]), int(match[3])
    if found == _ELSE:
        there = text.split("\n")[line - 1][column - 1 :].strip()
        found = repr(there[:_MOST_SHOWN]) if there else "the end of the line"
    return line, found, expected


def found_and_expected(message: str) -> tuple[str, str]:
    """For people; a message that is not known is told as it is."""
    for pattern, found, expected in _WORDS:
        match = re.fullmatch(pattern, message)
        if match:
            return match.expand(found), match.expand(expected)
    return message.lower(), "TOML"
