"""What is wrong in a configuration file: every fault with file, key, line, found and expected."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from collectors.base import masked
from dcim.config.toml_lines import Path, line_of

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(r"secret|token|password|community|_key|url", re.IGNORECASE)
_USERINFO = re.compile(r"//.*@")  # of a URL
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file; without `expected`, `found` is the whole sentence."""

    file: str
    key: str
    line: int
    found: str
    expected: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        said = f"found {self.found}, expected {self.expected}" if self.expected else self.found
        return f"{self.file}:{self.line}:{key} {said}"


@dataclass(frozen=True, slots=True)
class Note:
    """What may be right elsewhere, and is not here."""

    file: str
    key: str
    line: int
    said: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: warning: {self.said}"


class ConfigError(Exception):
    """All faults of a file at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class Report:
    """Collects faults while a file is checked."""

    def __init__(self, file: str, lines: dict[Path, int]) -> None:
        self._file = file
        self._lines = lines
        self.faults: list[Fault] = []
        self.elsewhere: list[Fault] = []  # in files that this one needs

    def add(self, path: Path, found: str, expected: str) -> None:
        fault = Fault(self._file, key_text(path), line_of(self._lines, path), found, expected)
        if fault not in self.faults:
            self.faults.append(fault)

    def speaks_of(self, path: Path) -> bool:
        """Whether a key below `path` has a fault already."""
        return any(fault.key.startswith(f"{key_text(path)}.") for fault in self.faults)

    def note(self, path: Path, said: str) -> Note:
        return Note(self._file, key_text(path), line_of(self._lines, path), said)

    def line(self, path: Path) -> int:
        return line_of(self._lines, path)

    def raise_all(self) -> None:
        """Raise every fault, in the order of the files; nothing where there is none."""
        faults = sorted(self.faults, key=lambda fault: fault.line)
        if faults or self.elsewhere:
            others = sorted(self.elsewhere, key=lambda fault: (fault.file, fault.line))
            raise ConfigError([*faults, *others])

    def invalid(self, base: Path, error: ErrorDetails, fields: Iterable[str]) -> None:
        """A fault from what pydantic found wrong below `base`; `fields` are the keys known there."""
        path = (*base, *_location(error))
        name = str(path[-1]) if path else ""
        match error["type"]:
            case "missing":
                self.add(path[:-1], f"no {name!r}", f"the key {name!r}")
            case "extra_forbidden":
                near = did_you_mean(name, fields)
                known = "" if near else f"one of {', '.join(fields)}"
                self.add(path, f"unknown key {name!r}", known or f"a known key{near}")
            case _:
                self.add(path, shown(path, error.get("input")), _expectation(error))


def key_text(path: Path) -> str:
    """`devices[3].override."input/L1/current".scale`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if _BARE.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            text += f".{quoted}" if text else quoted
    return text


def shown(path: Path, value: object) -> str:
    """A value for people; never one that may be a secret."""
    if any(isinstance(part, str) and _SECRET.search(part) for part in path):
        return "a value that is not shown here"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, str) and "://" in value:
        value = masked(value)
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    text = _USERINFO.sub("//***@", text)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.65)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _location(error: ErrorDetails) -> Path:
    """Without the marks that pydantic adds for a faulty key of a mapping."""
    return tuple(part for part in error["loc"] if part != "[key]")


def _expectation(error: ErrorDetails) -> str:
    """pydantic's message as what follows "expected"."""
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = re.sub(r"^(Input|String|Value|List|Dictionary) should (be|have) ", "", message)
    message = re.sub(r"^(?=greater|less)", "a number ", message)
    message = re.sub(r"^a valid (?=[aeiou])", "an ", message)
    return re.sub(r"^a valid ", "a ", message)
