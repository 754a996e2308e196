"""What cannot be right in a profile: found when it is loaded, before any device is asked. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from collectors.modbus.at import At

Placed = tuple[str, At]  # component/metric, where on the wire


def repeated(placed: Iterable[Placed]) -> Iterator[str]:
    """Two points of one name."""
    seen: set[str] = set()
    for key, _ in placed:
        if key in seen:
            yield f"{key}: stands twice"
        seen.add(key)


def overlapping(placed: Iterable[Placed]) -> Iterator[str]:
    """Two values that share a bit on the wire: one of the two addresses must be wrong.

    A flag may stand once more within a field of several bits that combines it with its neighbours.
    """
    owner: dict[tuple[str, int, int], Placed] = {}
    for key, at in placed:
        for cell, _ in cells(at):
            other, field = owner.setdefault(cell, (key, at))
            if other != key and not (_within(at, field) or _within(field, at)):
                yield f"{key}: overlaps {other} at {cell[0]} {cell[1]}"
                break


def _within(flag: At, field: At) -> bool:
    """Whether a single bit is part of a field of several bits of the same value."""
    if flag.bit is None or field.bit is None or flag.width > 1 or field.width == 1:
        return False
    return (flag.table, flag.addresses) == (field.table, field.addresses)


def never(at: At, raws: Iterable[float]) -> list[float]:
    """Raw numbers that a register of this form can never hold: 65535 of an i16, 4 of two bits."""
    low, high = raw_range(at)
    return [raw for raw in raws if raw < low or raw > high]


def raw_range(at: At) -> tuple[float, float]:
    """The smallest and largest raw number."""
    if at.bits_only:
        return 0, 1
    if at.bit is not None:
        return 0, (1 << at.width) - 1
    if at.type[0] == "f":
        return float("-inf"), float("inf")
    if at.type.startswith("bcd"):
        return 0, 10 ** (4 * at.size) - 1
    if at.mask is not None:
        return 0, at.mask
    bits = 16 * at.size
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if at.type[0] == "i" else (0, (1 << bits) - 1)


def empty(name: str, span: Sequence[float] | None) -> Iterator[str]:
    """A range that nothing lies in."""
    if span is not None and not span[0] <= span[1]:
        yield f"{name}: the range {span[0]:g}..{span[1]:g} is empty"


def cells(at: At) -> Iterator[tuple[tuple[str, int, int], int]]:
    """Every (table, address, bit) a value covers, and which bit of the value that is."""
    for number, address in enumerate(_most_significant_first(at)):
        for bit in range(1 if at.bits_only else 16):
            position = bit + 16 * (at.size - 1 - number)
            within = at.bit is None or at.bit <= position < at.bit + at.width
            if within and (at.mask is None or at.mask >> position & 1):
                yield (at.table, address, bit), position


def _most_significant_first(at: At) -> tuple[int, ...]:
    return at.addresses if at.word_order == "big" else at.addresses[::-1]
