"""What is wrong in a profile: every fault of a file in one round, not only those found first.

The model stops at the first level at which something is wrong: a key that nobody knows hides the
overlap of two points. So what is wrong is told, taken out, and the rest is looked at once more.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

if TYPE_CHECKING:
    from collectors.profile import Profile

Loc = tuple[int | str, ...]  # a path through tables and lists

_ROUNDS = 30  # each takes something out; a file with more levels of faults does not exist
_MAX_SHOWN = 60
_PLACE = re.compile(r"((?:point|plausible|identify)\.\d+): (.+)", re.DOTALL)
_NO_POINT = re.compile(r"no point '(.+?)'")
_NAMING = ("metric", "component", "repeat", "bits", "each")  # keys a point's address is made of
_HEAD = {"name": "x", "kind": "meter", "vendor": "x", "evidence": "document", "sources": ["x"]}
_ELSEWHERE = 60000  # an address to go on with where the one of a point is wrong
_NEEDED = ("metric", "component", "states", "bits", "repeat", "at", "address", "words", "range")
_EXPECTED = (  # pydantic's words, ours
    (r"Input should be (?:less|smaller) than or equal to (.+)", r"at most \1"),
    (r"Input should be greater than or equal to (.+)", r"at least \1"),
    (r"Input should be greater than (.+)", r"more than \1"),
    (r"Input should be a valid integer.*", "a whole number"),
    (r"Input should be a valid number.*", "a number"),
    (r"Input should be a valid string", "text in quotes"),
    (r"Input should be a valid boolean.*", "true or false"),
    (r"Input should be a valid (?:dictionary|tuple|list).*", "a table or a list"),
    (r"Input should be a valid dictionary or instance of (.+)", "a table { ... }"),
    (r"Input should be (.+)", r"\1"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a data file; without `expected`, `found` is the whole sentence."""

    file: str
    key: str
    found: str
    expected: str = ""

    def __str__(self) -> str:
        said = f"found {self.found}, expected {self.expected}" if self.expected else self.found
        return f"{self.file}: {self.key}: {said}"


def every_fault(name: str, table: Mapping[str, Any], model: type["Profile"]) -> list[Fault]:
    """All that is wrong in a file's table, by the keys of the file."""
    expected: dict[tuple[str, str], dict[str, None]] = {}
    for one in _Search(name, table, model).faults():
        expected.setdefault((one.key, one.found), {})[one.expected] = None
    return [Fault(name, *told, " or ".join(texts)) for told, texts in expected.items()]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Where a fault stands: its path in the file, and what to take out."""

    here: Loc
    kind: str
    parent: Any
    item: Any  # the innermost table of a list on the path; None where there is none


class _Search:
    """One file's table, and what of it is still to be looked at."""

    def __init__(self, name: str, table: Mapping[str, Any], model: type["Profile"]) -> None:
        self._name, self._model = name, model
        self._table: dict[str, Any] = deepcopy(dict(table))
        self._origin: dict[int, int] = {}  # id of a table in a list -> its number in the file
        self._count(self._table)
        self._kept: list[Any] = []  # what was taken out: its id stays its own
        self._taken: set[Loc] = set()  # keys taken out: that they are missing is no fault
        self._doubted: set[Loc] = set()  # tables that lack such a key: their rules say nothing
        self._half: list[Any] = []  # points with an address of ours: told alone, then taken out
        self._gone: list[Any] = []  # points taken out: a rule may speak of them

    def faults(self) -> Iterator[Fault]:
        for _ in range(_ROUNDS):
            half, self._half = self._half, []
            try:
                self._model.model_validate(self._table)
                errors: list[ErrorDetails] = []
            except ValidationError as error:
                errors = error.errors(include_url=False)
            located = [(self._place(one), one) for one in errors]
            last = bool(errors) and all(not at for at, _ in located)
            if not (last and half):
                for at, one in located:
                    yield from self._told(at, one)
            if (last or not errors) and not half:
                return
            if (
                all(one["type"] == "missing" and at in self._taken for at, one in located)
                and not half
            ):
                return  # what nothing can stand in for
            places = [self._resolved(at, one) for at, one in located if at]  # before they move
            for item in half:
                self._take_item(item)
            for place in places:
                self._mend(place)

    def _count(self, value: Any) -> None:
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, dict | list):
                self._count(one)
        if isinstance(value, list):
            self._origin |= {id(one): n for n, one in enumerate(value) if isinstance(one, dict)}

    def _place(self, error: ErrorDetails) -> Loc:
        try:
            return self._model.place(self._table, error["loc"])
        except (LookupError, TypeError):  # a table of another shape than the model's
            return error["loc"]

    def _in_file(self, at: Loc) -> Loc:
        """A path of what is left as a path of the file."""
        found: list[int | str] = []
        value: Any = self._table
        for part in at:
            value = _below(value, part)
            found.append(self._origin.get(id(value), part) if isinstance(part, int) else part)
        return tuple(found)

    # --- told ---

    def _told(self, at: Loc, one: ErrorDetails) -> Iterator[Fault]:
        here = self._in_file(_without_types(at))
        if here in self._taken:
            return
        if one["type"] == "too_short" and (one["input"] or self._gone):
            return  # what was in it is told, or taken out
        own = one["type"] in ("value_error", "assertion_error")
        if own and here in self._doubted:
            return
        key = ".".join(map(str, here))
        if not own:
            yield Fault(self._name, key or "file", *self._found_and_expected(one))
            return
        message = one["msg"].partition("error, ")[2] or one["msg"]
        for text in re.split(r"\n" if key else r"\n|; ", message):
            if place := _PLACE.fullmatch(text):
                section, _, number = place[1].partition(".")
                path = self._in_file((section, int(number)))
                key, text = ".".join(map(str, path)), place[2]
            if not self._of_gone(text):
                yield Fault(self._name, key or "file", text)
            key = ".".join(map(str, here))

    def _of_gone(self, text: str) -> bool:
        """Whether a rule misses only what was taken out."""
        if text == "no [[point]]" or text.startswith("a trap is about"):
            return bool(self._gone)
        missing = _NO_POINT.search(text)
        return missing is not None and any(_may_be(item, missing[1]) for item in self._gone)

    def _found_and_expected(self, one: ErrorDetails) -> tuple[str, str]:
        last = one["loc"][-1]
        match one["type"]:
            case "missing":
                return f"no {last!r}", f"the key {last!r}"
            case "extra_forbidden":
                near = get_close_matches(str(last), sorted(set(_keys(self._model))), 1, 0.65)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                return f"{last!r}, a key that no profile has", f"a key of a profile{meant}"
            case "too_short":
                return "nothing in it", "one at least"
        shown = repr(one.get("input"))
        shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 3]}..."
        for pattern, ours in _EXPECTED:
            if match := re.fullmatch(pattern, one["msg"], re.DOTALL):
                return shown, match.expand(ours)
        return shown, one["msg"][:1].lower() + one["msg"][1:]

    # --- taken out ---

    def _resolved(self, at: Loc, one: ErrorDetails) -> "_Wrong":
        value: Any = self._table
        parent, item = value, None
        for part in at:
            parent, value = value, _below(value, part)
            item = value if isinstance(part, int) and isinstance(value, dict) else item
        return _Wrong(self._in_file(at), one["type"], parent, item)

    def _mend(self, wrong: "_Wrong") -> None:
        """Take out what is wrong, and with it as little as can be."""
        here, parent, last = wrong.here, wrong.parent, wrong.here[-1]
        if len(here) == 1 and last in _HEAD:
            self._table[str(last)] = _HEAD[str(last)]
        elif wrong.kind == "missing" or not (isinstance(parent, dict) and last in parent):
            self._drop(wrong)
        elif last == "at" and isinstance(parent[last], dict):
            parent["at"] = {"address": _ELSEWHERE}
            self._half.append(wrong.item)
        else:
            self._kept.append(parent.pop(last))
            self._taken.add(here)
            if wrong.kind != "extra_forbidden" or get_close_matches(str(last), _NEEDED, 1, 0.7):
                self._doubted.add(here[:-1])
            if len(here) > 2 and set(_NAMING) & set(here[2:]):
                self._half.append(wrong.item)
            if len(here) > 1 and here[-2] == "at":
                self._half.append(wrong.item)
                if not parent.keys() & {"address", "words"}:
                    parent["address"] = _ELSEWHERE

    def _drop(self, wrong: "_Wrong") -> None:
        """Take out the innermost table of a list; where there is none, the key."""
        if wrong.item is not None:
            self._take_item(wrong.item)
        elif wrong.here[0] in self._table:
            self._kept.append(self._table.pop(str(wrong.here[0])))
        self._taken.add(wrong.here[:1] if wrong.item is None else wrong.here)

    def _take_item(self, item: Any) -> None:
        for section in self._lists(self._table):
            if any(one is item for one in section):
                section[:] = [one for one in section if one is not item]
                self._kept += [item, section]
                self._gone += [item] if "name" not in item else []  # no text of the inventory

    def _lists(self, value: Any) -> Iterator[list[Any]]:
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, list):
                yield one
            if isinstance(one, dict | list):
                yield from self._lists(one)


def _may_be(item: Any, address: str) -> bool:
    """Whether a point that was taken out could have had this address, but for one mistake."""
    component, _, metric = address.rpartition("/")
    pattern = re.sub(r"\\{\w*\\}", ".*", re.escape(str(item.get("component", ""))))
    return item.get("metric") == metric or re.fullmatch(pattern, component) is not None


def _without_types(at: Loc) -> Loc:
    """Without what the model adds to a path: which of several types it tried."""
    last = str(at[-1]) if len(at) > 1 else ""
    return at[:-1] if last in ("int", "float", "str", "bool") or "[" in last else at


def _below(value: Any, part: int | str) -> Any:
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def _keys(model: Any) -> Iterator[str]:
    """Every key of a model and of the models in it."""
    for name, one in getattr(model, "model_fields", {}).items():
        yield name
        yield from _keys_in(one.annotation)


def _keys_in(kind: Any) -> Iterator[str]:
    yield from _keys(kind)
    for inner in get_args(kind):
        yield from _keys_in(inner)
