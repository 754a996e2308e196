"""What tomllib says of a text that is not TOML, as what was found and what was expected."""

import re

_VALUE = "a value: text in quotes, a number, true, false, a date, [...] or {...}"
_WORDS = (  # tomllib's message, found, expected; the first that fits
    (r"(?:Illegal|Found invalid) character '\\[nr]'", "a line that ends inside a text", "a quote"),
    (r"Unterminated string", "a text without end", "a closing quote"),
    (r"Expected \"'(?:'')?\"", "a text without end", "a closing quote"),
    (r"(?:Illegal|Found invalid) character (.+)", r"the character \1", "text that may stand here"),
    (r"Expected (.+)", "something else", r"\1"),
    (r"Invalid initial character for a key part", "no key", "a key or a [table]"),
    (r"Invalid statement", "no key", "a key or a [table]"),
    (r"Invalid value", "something else", _VALUE),
    (r"Invalid date or datetime", "no such date", _VALUE),
    (r"Unclosed array", "an array without end", "] or a comma"),
    (r"Unclosed inline table", "a table without end", "} or a comma"),
    (r"Unescaped '\\' in a string", "a backslash that escapes nothing", r"\\\\, or text in ' '"),
    (r"Cannot overwrite a value", "a key that stands twice", "each key once"),
    (r"Duplicate inline table key (.+)", r"the key \1 twice", "each key once"),
    (r"Cannot (?:declare|redefine|mutate)\b.*", "a table that stands twice", "each table once"),
)


def found_and_expected(message: str) -> tuple[str, str]:
    """For people; a message that is not known is told as it is."""
    for pattern, found, expected in _WORDS:
        match = re.fullmatch(pattern, message)
        if match:
            return match.expand(found), match.expand(expected)
    return message.lower(), "TOML"
