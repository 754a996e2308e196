"""What commands share: how they end early, print JSON, and print a table."""

import asyncio
import contextlib
import csv
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

T = TypeVar("T")


class Stop(Exception):
    """End the command with a code and one clear line."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def print_json(value: Any) -> None:
    """One JSON value on one line."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> None:
    """Columns as wide as their widest cell; `right`: one letter a column, r for right-aligned."""
    for line in table_lines(header, rows, right):
        print(line)


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: str = ""
) -> Iterator[str]:
    """The lines of such a table."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if right[i : i + 1] == "r" else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """For programs: numbers in full, an empty cell where there is no value."""
    csv.writer(sys.stdout).writerows([header, *rows])


def run(main: Coroutine[Any, Any, T]) -> T:
    """The one place where an event loop starts; uvloop where it has a wheel."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def number(value: float | None, digits: int = 1) -> str:
    """For people; a dash where there is no value."""
    return "-" if value is None else f"{value:.{digits}f}"
