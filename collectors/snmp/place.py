"""Where a point of a profile is looked at: a device's answers, one row of them, its labels. Pure."""

import bisect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collectors.snmp.ber import Missing, Value
from collectors.snmp.profile import Match, SnmpProfile, Table, When
from collectors.snmp.values import text_of

FIELD = re.compile(r"\{([^}]+)\}")


class Answers:
    """What a device said to a survey: values by dotted OID, and its system group."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = {k: v for k, v in values.items() if not isinstance(v, Missing)}
        self._sorted = sorted(self.values)
        self.sys_object_id = text_of(self.values.get("1.3.6.1.2.1.1.2.0")).lstrip(".")
        self.sys_descr = text_of(self.values.get("1.3.6.1.2.1.1.1.0"))

    def rows(self, column: str) -> list[str]:
        """The indices of a column, in order."""
        first = bisect.bisect_left(self._sorted, column + ".")
        last = bisect.bisect_left(self._sorted, column + "/")
        cut = len(column) + 1
        return sorted((oid[cut:] for oid in self._sorted[first:last]), key=numbers)

    def exists(self, oid: str) -> bool:
        """Whether there is an object, or anything below it."""
        first = bisect.bisect_left(self._sorted, oid + ".")
        below = first < len(self._sorted) and self._sorted[first].startswith(oid + ".")
        return oid in self.values or below


@dataclass(slots=True)
class Place:
    """Where a point of a profile is looked at: a row of a table, or the device itself."""

    profile: SnmpProfile
    answers: Answers
    table: Table | None = None
    index: str = ""
    shift: int = 0  # added to index parts in components (`rebase`)
    named: Mapping[tuple[str, str], str] = field(
        default_factory=dict
    )  # (index's head, name) -> index

    def oid(self, ref: str) -> str:
        """A reference's OID, its {fields} filled in."""
        if "@" in ref and self.table is not None:
            column, _, name = ref.partition("@")
            wanted = (head_of(self.index), FIELD.sub(lambda m: self.label(m[1]), name))
            return f"{self.profile.oid(self.table.at)}.{column}.{self.named.get(wanted, '')}"
        if self.table is not None and ref.isdigit():
            return f"{self.profile.oid(self.table.at)}.{ref}.{self.index}"
        return self.profile.oid(FIELD.sub(lambda m: self.label(m[1]), ref))

    def value(self, ref: str) -> Value:
        return self.answers.values.get(self.oid(ref))

    def label(self, key: str) -> str:
        """The text of `index`, `index.2`, `name` or a column."""
        if key == "index":
            return self.index
        if key.startswith("index."):
            part, colon, _ = key.removeprefix("index.").partition(":")
            parts = self.index.split(".")[int(part) - 1 :]
            return _spelt(parts) if colon else next(iter(parts), "")
        if self.table is not None and key in self.table.own_labels():
            return self._own_label(self.table, key)
        return text_of(self.value(key))

    def _own_label(self, table: Table, key: str) -> str:
        if key in table.labels:
            return text_of(self.value(table.labels[key]))
        name = self.full_name()
        found = re.search(table.name_pattern, name) if table.name_pattern else None
        if key == "name":
            return name if found is None else found[1] or ""
        return (found[key] or "") if found is not None else ""

    def full_name(self) -> str:
        """What the table's name column says of the row."""
        refs = (self.table.name, self.table.name_else) if self.table is not None else ()
        texts = (text_of(self.value(ref)) for ref in refs if ref is not None)
        return next(filter(None, texts), "")

    def component(self, template: str) -> str:
        """A component with its {fields} filled in, mapped and made fit for an address."""
        return FIELD.sub(lambda m: self._word(m[1]), template).strip("/")

    def _word(self, key: str) -> str:
        text = self.label(key)
        mapped = self.table.maps.get(key, {}).get(text) if self.table is not None else None
        if mapped is not None:
            return mapped
        if self.shift and key.startswith("index"):
            text = ".".join(str(int(part) + self.shift) for part in text.split("."))
        return text if key.startswith("index") and ":" not in key else slug(text)

    def fits(self, when: When) -> bool:
        return all(self._fits(key, match) for key, match in when.items())

    def _fits(self, key: str, match: Match) -> bool:
        if match in ("exists", "missing"):
            return self.answers.exists(self.oid(key)) is (match == "exists")
        if key == "sysObjectID":
            return matches(self.answers.sys_object_id, match)
        if key == "sysDescr":
            return matches(self.answers.sys_descr, match)
        if key == "name":
            return matches(self.full_name(), match)
        if key.partition(".")[0] == "index" or (self.table and key in self.table.own_labels()):
            return matches(self.label(key), match)
        value = self.value(key)
        return value is not None and matches(text_of(value), match)


def _spelt(parts: Sequence[str]) -> str:
    """The text that a length and as many octets of an index spell; hex where it is no text."""
    octets = bytes(int(part) & 255 for part in parts[1 : 1 + int(parts[0])]) if parts else b""
    text = octets.decode("ascii", "replace")
    return text if text.isprintable() and text.isascii() else octets.hex()


def slug(text: str) -> str:
    """A device's own name as a part of an address: lower case, no spaces."""
    return re.sub(r"[^a-z0-9.]+", "_", text.casefold()).strip("_.")


def matches(text: str, match: Match) -> bool:
    """Whether a text fits a match of the profile (see `profile`)."""
    if isinstance(match, list):
        return any(matches(text, one) for one in match)
    if isinstance(match, int | float):
        try:
            return float(text) == match
        except ValueError:
            return False
    if match.startswith("~"):
        return re.search(match[1:], text) is not None
    if match.startswith("!"):
        return not matches(text, match[1:])
    if match[:1] in ("<", ">"):
        try:
            number, limit = float(text), float(match[1:])
        except ValueError:
            return False
        return number < limit if match[0] == "<" else number > limit
    return text == match


def numbers(index: str) -> tuple[int, ...]:
    """An index as it sorts."""
    return tuple(map(int, index.split(".")))


def head_of(index: str) -> str:
    """An index without its last number."""
    return index.rpartition(".")[0]
