"""Which reads fetch a set of values: neighbours together, gaps only where allowed, limits kept."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from collectors.modbus.frame import Read
from collectors.modbus.profile import BIT_TABLES, Link


class Span(NamedTuple):
    """The addresses of one value, which one read must hold in full."""

    table: str
    address: int
    size: int = 1

    @property
    def end(self) -> int:
        return self.address + self.size


class Block(NamedTuple):
    """One read and the values it holds, in order of address."""

    read: Read
    spans: tuple[Span, ...]


def plan(spans: Iterable[Span], link: Link) -> list[Block]:
    """The fewest reads, in order of address, within the limits of the link."""
    blocks: list[Block] = []
    run: list[Span] = []
    for span in sorted(set(spans)):
        if run and not _joins(run, span, link):
            blocks.append(block(run))
            run = []
        run.append(span)
    if run:
        blocks.append(block(run))
    return blocks


def block(spans: Sequence[Span]) -> Block:
    """The one read that holds all of `spans` (of one table, in order of address)."""
    first = spans[0].address
    end = max(span.end for span in spans)
    return Block(Read(spans[0].table, first, end - first), tuple(spans))


def bisected(failing: Block) -> tuple[Block, ...]:
    """The halves of a block that failed, cut at its widest gap or in the middle; none to cut: ()."""
    cuts = list(_cuts(failing.spans))
    if not cuts:
        return ()
    middle = len(failing.spans) / 2
    widest = max(cuts, key=lambda cut: (cut[1], -abs(cut[0] - middle)))[0]
    return block(failing.spans[:widest]), block(failing.spans[widest:])


def _cuts(spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """(index, gap in addresses) of every place where no value would be torn."""
    end = spans[0].end
    for index, span in enumerate(spans[1:], 1):
        if span.address >= end:
            yield index, span.address - end
        end = max(end, span.end)


def _joins(run: Sequence[Span], span: Span, link: Link) -> bool:
    first = run[0]
    end = max(one.end for one in run)
    limit = link.max_bits if span.table in BIT_TABLES else link.max_registers
    return (
        span.table == first.table
        and span.address - end <= link.gap
        and max(end, span.end) - first.address <= limit
    )
