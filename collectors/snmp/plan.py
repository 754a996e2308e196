"""The request plan of a device: which requests ask for which points, and how often. Pure."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from collectors.base import Intervals
from collectors.decode import Strip
from collectors.profile import Group
from collectors.snmp import pdu
from collectors.snmp.ber import encode_oid
from collectors.snmp.message import Access, Message
from collectors.snmp.place import Answers
from collectors.snmp.values import Binding
from dcim.model.metric import MetricKind
from dcim.model.reading import Reading

MOST_BYTES = 1400  # of an answer, to stay inside one Ethernet frame
_VALUE_BYTES = 12  # what a varbind's value and headers take beside its name, generously
_EXTRA_S = 10.0  # `extra` has a request of its own this often, where no other has room for it
_FEWEST_ROWS = 4  # columns shorter than this are read by GET


@dataclass(slots=True)
class Ask:
    """One request: what goes out, and the instances that must come back."""

    template: Message
    oids: list[bytes]
    bulk: bool = False


@dataclass(slots=True)
class Bound:
    """A binding with its names as they stand in a response."""

    binding: Binding
    oid: bytes
    guard: bytes | None
    number: Callable[[float, float], Reading] | None  # where an integer needs nothing but this
    before: float | None = None  # the last value, of counters


@dataclass(slots=True)
class Plan:
    """All that is polled at one interval."""

    interval_s: float
    asks: list[Ask]
    bounds: list[Bound]
    extra: list[bytes] = field(default_factory=list)  # asked for the engine, not for points
    dormant: list[Binding] = field(init=False)  # parts that were absent and may yet have a value
    plain: list[bytes] = field(init=False)  # what needs no more than its strip, if an integer came
    strip: Strip = field(init=False)
    others: list[Bound] = field(init=False)

    def __post_init__(self) -> None:
        plain = [bound for bound in self.bounds if bound.number is not None]
        self.plain = [bound.oid for bound in plain]
        self.strip = Strip([bound.binding.channel for bound in plain])
        self.others = [bound for bound in self.bounds if bound.number is None]
        self.dormant = [b.binding for b in self.bounds if not b.binding.expected]


@dataclass(frozen=True, slots=True)
class Size:
    """What one device can take and whether it knows GETBULK."""

    max_varbinds: int
    bulk: bool


def plans(
    bindings: Sequence[Binding],
    answers: Answers,
    columns: Collection[str],
    intervals: Intervals,
    access: Access,
    size: Size,
    extra: Sequence[str] = (),
) -> list[Plan]:
    """One plan for each interval; `extra` instances ride with the `normal` one if they can.

    `columns` are those the survey has walked: only of these all rows are known.
    """
    seconds: dict[Group, float] = {
        "fast": intervals.fast,
        "normal": intervals.normal,
        "slow": intervals.slow,
    }
    by_interval: dict[float, list[Binding]] = {intervals.normal: []}
    for binding in bindings:
        by_interval.setdefault(seconds[binding.group], []).append(binding)
    out = []
    more = [encode_oid(oid) for oid in extra]
    for interval_s, group in sorted(by_interval.items()):
        bounds = [_bound(binding) for binding in group]
        asks = _asks(group, answers, columns, access, size)
        along = interval_s == intervals.normal and _taken_along(more, asks, access, size)
        if bounds:
            out.append(Plan(interval_s, asks, bounds, more if along else []))
    if more and not any(plan.extra for plan in out):
        seldom_s = max(intervals.normal, _EXTRA_S)
        out.append(Plan(seldom_s, [get_ask(more, access)], [], more))
    return out


def _taken_along(more: Sequence[bytes], asks: list[Ask], access: Access, size: Size) -> bool:
    """Put `more` into a GET that has room for it; False where none has."""
    for n, ask in enumerate(asks):
        names = [*more, *ask.oids]
        if not ask.bulk and len(_packed(names, size.max_varbinds)) == 1:
            asks[n] = get_ask(names, access)
            return True
    return False


def get_ask(oids: Sequence[bytes], access: Access) -> Ask:
    """A GET of these instances."""
    return Ask(access.template(pdu.get(oids)), list(oids))


def _bound(binding: Binding) -> Bound:
    guard = encode_oid(binding.guard) if binding.guard is not None else None
    channel = binding.channel
    simple = channel.metric.kind is MetricKind.GAUGE and binding.straight()
    return Bound(binding, encode_oid(binding.oid), guard, channel.number if simple else None)


def _asks(
    group: Sequence[Binding],
    answers: Answers,
    walked: Collection[str],
    access: Access,
    size: Size,
) -> list[Ask]:
    instances: dict[str, None] = {}
    for binding in group:
        instances[binding.oid] = None
        if binding.guard is not None:
            instances[binding.guard] = None
    asks: list[Ask] = []
    if size.bulk:
        for columns, rows, before in _blocks(instances, answers, walked):
            asks += _bulk_asks(columns, rows, before, access, size)
            for column in columns:
                for row in rows:
                    del instances[f"{column}.{row}"]
    singles = [encode_oid(oid) for oid in instances]
    return [get_ask(part, access) for part in _packed(singles, size.max_varbinds)] + asks


def _blocks(
    instances: Iterable[str], answers: Answers, walked: Collection[str]
) -> list[tuple[list[str], tuple[str, ...], str]]:
    """Columns polled over the same unbroken run of rows: (columns, rows, the row before them)."""
    wanted: dict[str, set[str]] = {}
    for oid in instances:
        column = next((c for c in _above(oid) if c in walked), None)
        if column is not None:
            wanted.setdefault(column, set()).add(oid[len(column) + 1 :])
    blocks: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for column, indices in wanted.items():
        if len(indices) < _FEWEST_ROWS:
            continue
        rows = answers.rows(column)
        first = next((n for n, row in enumerate(rows) if row in indices), len(rows))
        run = tuple(rows[first : first + len(indices)])
        if set(run) == indices:
            blocks.setdefault((run, rows[first - 1] if first else ""), []).append(column)
    return [(columns, run, before) for (run, before), columns in blocks.items()]


def _above(oid: str) -> Iterable[str]:
    """The subtrees that hold an instance, nearest first."""
    while "." in oid:
        oid = oid.rpartition(".")[0]
        yield oid


def _bulk_asks(
    columns: Sequence[str], rows: Sequence[str], before: str, access: Access, size: Size
) -> list[Ask]:
    """GETBULKs over a block, each answer small enough for the device and for one frame."""
    out = []
    longest = max(len(encode_oid(f"{column}.{rows[-1]}")) for column in columns)
    fit = max(1, min(2 * size.max_varbinds, MOST_BYTES // (longest + _VALUE_BYTES)))
    for first in range(0, len(columns), fit):
        part = columns[first : first + fit]
        step = max(1, fit // len(part))
        for at in range(0, len(rows), step):
            chunk = rows[at : at + step]
            start = rows[at - 1] if at else before
            names = [encode_oid(f"{column}.{start}" if start else column) for column in part]
            oids = [encode_oid(f"{column}.{row}") for row in chunk for column in part]
            out.append(Ask(access.template(pdu.get_bulk(names, len(chunk))), oids, bulk=True))
    return out


def _packed(oids: Sequence[bytes], most: int) -> list[list[bytes]]:
    """Instances shared out over GETs whose answers fit."""
    out: list[list[bytes]] = []
    room = 0
    for oid in oids:
        need = len(oid) + _VALUE_BYTES
        if not out or len(out[-1]) >= most or room < need:
            out.append([])
            room = MOST_BYTES
        out[-1].append(oid)
        room -= need
    return out
