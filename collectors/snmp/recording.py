"""Recordings as text: one object a line, `OID|TAG|VALUE`, the form of snmpsim's recordings.

TAG is the number of the ASN.1 type with `x` behind it for hex. A walk that is under way has its
objects, still with all that is private, in a file of the same form that says whose it is.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from collectors.snmp.ber import IP_ADDRESS, NULL, OBJECT_ID, OCTETS, OPAQUE, Value
from collectors.snmp.record_strip import Object

_PRIVATE = "# not stripped yet, do not send: `dcim record` makes the recording from this\n"


class OtherDevice(Exception):
    """What was begun with one device must not go on with another."""


@dataclass(frozen=True, slots=True)
class Whose:
    """What tells one device from another."""

    at: str  # host and port
    sys_object_id: str
    sys_descr: str
    engine_id: str = ""  # hex; empty where it is not told

    def is_same(self, other: Self) -> bool:
        """Whether both are one device; one that moved is known by its engine id."""
        told = (self.sys_object_id, self.sys_descr, self.engine_id)
        if told != (other.sys_object_id, other.sys_descr, other.engine_id):
            return False
        return self.at == other.at or self.engine_id != ""

    def __str__(self) -> str:
        engine = f", engine id {self.engine_id}" if self.engine_id else ""
        descr = self.sys_descr.partition("\n")[0].strip()[:60]
        return f"{self.at} (sysObjectID {self.sys_object_id}, sysDescr {descr!r}{engine})"


class Part:
    """The file of a walk that is under way."""

    def __init__(self, path: Path, whose: Whose) -> None:
        """Take up what is there of this device, or begin. OtherDevice where it is another's."""
        self.path = path
        self._lines = _whole_lines(path)
        if self._lines[:1] == [_PRIVATE] and len(self) <= 0:
            self._lines = []  # it ended before the device said anything
        if self._lines:
            _check(path, self._lines, whose)
        else:
            path.touch(0o600)
            self._lines = [_PRIVATE, f"# {json.dumps(asdict(whose))}\n"]
            path.write_text("".join(self._lines), "ascii")
        self.resumed = len(self)

    def __len__(self) -> int:
        return len(self._lines) - 2

    @property
    def last(self) -> str:
        """The object to go on behind; empty where there is none."""
        return self._lines[-1].partition("|")[0] if len(self) else ""

    def add(self, objects: Iterable[Object]) -> None:
        """Write objects down, at once."""
        new = [line(*one) for one in objects]
        with self.path.open("a", encoding="ascii") as file:
            file.writelines(new)
        self._lines += new

    def objects(self) -> list[Object]:
        """All that the device said."""
        return [parsed(text) for text in self._lines[2:]]


def _whole_lines(path: Path) -> list[str]:
    """Those of an earlier run; a broken last one is cut off."""
    if not path.exists():
        return []
    text = path.read_text("ascii")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, "ascii")
    return whole.splitlines(keepends=True)


def _check(path: Path, lines: list[str], whose: Whose) -> None:
    another = "; remove it, or give another --name"
    try:
        before = Whose(**json.loads(lines[1].removeprefix("# ")))
    except (IndexError, TypeError, ValueError):
        raise OtherDevice(f"{path} does not say whose it is{another}") from None
    if not before.is_same(whose):
        raise OtherDevice(f"{path} was begun with {before}, this is {whose}{another}")


def write(file: Path, objects: Iterable[Object]) -> None:
    """Write a recording, whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text("".join(line(*one) for one in objects), "ascii")
    new.replace(file)


def line(oid: str, tag: int, value: Value) -> str:
    """One line of a recording."""
    if tag == OPAQUE and isinstance(value, float):
        value = b"\x9f\x78\x04" + struct.pack(">f", value)
    if isinstance(value, bytes):
        if tag == OCTETS and value.isascii() and value.decode("ascii").isprintable():
            return f"{oid}|{tag}|{value.decode('ascii')}\n"
        return f"{oid}|{tag}x|{value.hex()}\n"
    if value is None:
        return f"{oid}|{tag}|\n"
    if tag == OBJECT_ID and not value:
        value = "0.0"
    return f"{oid}|{tag}|{value}\n"


def parsed(text: str) -> Object:
    """The object of a line that `line` made; ValueError for others."""
    oid, tag, told = text.rstrip("\n").split("|", 2)
    number = int(tag.removesuffix("x"))
    value: Value
    if tag.endswith("x"):
        value = bytes.fromhex(told)
    elif number == OCTETS:
        value = told.encode("ascii")
    elif number == NULL:
        value = None
    else:
        value = told if number in (OBJECT_ID, IP_ADDRESS) else int(told)
    return Object(oid, number, value)
