"""How many like parts a device has: its own word for it where it holds, else where they end.

A profile names the register that tells the count (`repeat.count_at`). It is read first, so that
parts which are not there are never asked for. A count is believed if the last part answers and the one
after it gives at most zeros; otherwise the end of the table is found by halving, as such tables
have no holes.
"""

from collections.abc import Collection, Generator, Mapping
from typing import NamedTuple

from collectors.modbus.at import At, Repeat, Table
from collectors.modbus.decode import Answer
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.profile import Point, Profile
from collectors.modbus.registers import NONSENSE
from dcim.model.reading import Outage, OutageKind

_NOT_THERE = frozenset([OutageKind.ILLEGAL_ADDRESS, OutageKind.ILLEGAL_FUNCTION])

Script = Generator[Read, Answer | Outage, Profile | Outage]
CountScript = Generator[Read, Answer | Outage, int | Outage]


class _Series(NamedTuple):
    """Parts that stand one after the other, as many as a register says."""

    table: Table
    count_at: int
    stride: int
    most: int
    first: int  # address of the first part
    size: int  # registers that are known to follow one another

    def part(self, number: int) -> Read:
        """The first registers of one part; the first part is number 1."""
        return Read(self.table, self.first + (number - 1) * self.stride, self.size)


def counted(profile: Profile) -> Script:
    """The profile with as many parts as the device has."""
    counts: dict[tuple[Table, int], int] = {}
    for series in _series(profile):
        count = yield from _count(series)
        if isinstance(count, Outage):
            return count
        counts[series.table, series.count_at] = count
    return _shortened(profile, counts) if counts else profile


def _count(series: _Series) -> CountScript:
    reply = yield Read(series.table, series.count_at, 1)
    if isinstance(reply, Outage) and reply.kind not in SENT_BY_UNIT | NONSENSE:
        return reply
    told = int.from_bytes(reply.data, "big") if isinstance(reply, Answer) else -1
    if 0 <= told <= series.most:
        last = (yield series.part(told)) if told else None
        after = (yield series.part(told + 1)) if told < series.most else None
        if not _refused(last) and not (isinstance(after, Answer) and any(after.data)):
            return told
    return (yield from _end(series))


def _refused(reply: Answer | Outage | None) -> bool:
    return isinstance(reply, Outage) and reply.kind in _NOT_THERE


def _end(series: _Series) -> Generator[Read, Answer | Outage, int]:
    """The last part that is not refused, by halving."""
    there, gone = 0, series.most + 1
    while gone - there > 1:
        middle = (there + gone) // 2
        reply = yield series.part(middle)
        if _refused(reply):
            gone = middle
        else:
            there = middle
    return there


def _series(profile: Profile) -> list[_Series]:
    """One for every count register: of the points in step with the first that names it."""
    places: dict[tuple[Table, int], list[int]] = {}
    repeats: dict[tuple[Table, int], Repeat] = {}
    for point in profile.point:
        repeat = point.repeat
        if repeat is None or repeat.count_at is None:
            continue
        key = point.at.table, repeat.count_at
        if repeat.stride == repeats.setdefault(key, repeat).stride:
            places.setdefault(key, []).extend(profile.wire(point.at).addresses)
    return [
        _Series(
            table,
            profile.wire(At(table=table, address=count_at)).addresses[0],
            repeats[table, count_at].stride,
            repeats[table, count_at].count,
            min(words),
            min(_run(words), profile.link.max_registers),
        )
        for (table, count_at), words in places.items()
    ]


def _run(words: Collection[int]) -> int:
    """How many addresses follow one another from the lowest."""
    end = min(words)
    while end in words:
        end += 1
    return end - min(words)


def _shortened(profile: Profile, counts: Mapping[tuple[Table, int], int]) -> Profile:
    points: list[Point] = []
    for point in profile.point:
        repeat = point.repeat
        if repeat is not None and repeat.count_at is not None:
            at = profile.wire(At(table=point.at.table, address=repeat.count_at))
            count = min(counts[at.table, at.addresses[0]], repeat.count)
            if count == 0:
                continue
            parts = {"count": count, "names": repeat.names[:count]}
            point = point.model_copy(update={"repeat": repeat.model_copy(update=parts)})
        points.append(point)
    there = {key for point in points for key in point.named()}
    plausible = tuple(rule for rule in profile.plausible if rule.point in there)
    whole = {name: getattr(profile, name) for name in Profile.model_fields}
    return Profile.model_validate(whole | {"point": tuple(points), "plausible": plausible})
