"""The registers of one device: its plan by group, what it refuses, and scripts that read it.

Pure but for the answers it is sent: a script yields reads and is sent their answers.
"""

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.base import Intervals, Override, stale_after_s
from collectors.decode import Channel, channel
from collectors.modbus.decode import Answer, Program, spans_of, value_of
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.plan import Block, Span, bisected, plan
from collectors.modbus.profile import At, Link, Placed, Profile
from collectors.profile import Group
from dcim.model.metric import Registry
from dcim.model.reading import Outage, OutageKind, Quality, Reading, address

GROUPS: tuple[Group, ...] = ("fast", "normal", "slow")
_STRIKES = 2  # nonsensical answers in one poll, after which the rest is not asked for
_ALL_FAIL = 3  # values that the device fails to give, with none given, after which it gives nothing

NONSENSE = frozenset(  # something answered, but not what was asked
    [
        OutageKind.WRONG_FUNCTION,
        OutageKind.WRONG_TRANSACTION,
        OutageKind.WRONG_UNIT,
        OutageKind.SHORT_FRAME,
        OutageKind.OVERSIZED_FRAME,
        OutageKind.BAD_CHECKSUM,
        OutageKind.MALFORMED,
    ]
)


@dataclass(slots=True)
class Result:
    """What one poll of one group gave."""

    readings: list[Reading] = field(default_factory=list)
    outage: Outage | None = None
    alive: bool = False  # the unit answered at least once, be it by an exception
    changed: bool = False  # other points are there, or gone, than before


ReadScript = Generator[Read, Answer | Outage, Result]


def channel_of(
    placed: Placed, device: str, unit: int, registry: Registry, override: Override | None
) -> Channel:
    """The channel that turns a point's raw numbers into readings."""
    point, at = placed.point, placed.at
    return channel(
        address(device, placed.component, point.metric),
        registry[point.metric],
        at.source(unit),
        unit=point.unit,
        scale=point.scale / 2**at.binary,
        offset=point.offset,
        states=point.states or None,
        sentinels=point.invalid,
        doubtful=point.doubtful,
        override=override,
    )


class Registers:
    """One device's points, planned and polled by group."""

    def __init__(
        self,
        profile: Profile,
        device: str,
        unit: int,
        link: Link,
        registry: Registry,
        override: Mapping[str, Override],
    ) -> None:
        self._points = {
            group: [
                (one, channel_of(one, device, unit, registry, override.get(one.key)))
                for one in profile.placed
                if one.point.poll_group() == group
            ]
            for group in GROUPS
        }
        self._missing: set[Span] = set()  # refused as illegal
        self._absent: dict[Group, frozenset[str]] = {group: frozenset() for group in GROUPS}
        self._programs = {
            group: Program(points, plan((s for one, _ in points for s in spans_of(one)), link))
            for group, points in self._points.items()
        }

    def blocks(self, group: Group) -> tuple[Block, ...]:
        """The reads of one poll of a group, as planned now."""
        return self._programs[group].blocks

    def expected(self, intervals: Intervals) -> dict[str, float]:
        """Every point that is there, with the silence after which it is stale."""
        return {
            one.address: stale_after_s(getattr(intervals, group))
            for group, points in self._points.items()
            for placed, one in points
            if one.address not in self._absent[group] and self._there(placed)
        }

    def read(self, group: Group) -> ReadScript:
        """Poll a group; blocks that fail with an exception are halved down to the culprit."""
        program = self._programs[group]
        answers: dict[Block, Answer] = {}
        failed: dict[Block, Outage] = {}
        kept: list[Block] = []
        result = Result()
        pending = deque(program.blocks)
        strikes = 0
        while pending:
            block = pending.popleft()
            reply = yield block.read
            if isinstance(reply, Answer):
                answers[block] = reply
                kept.append(block)
                continue
            if reply.kind in SENT_BY_UNIT:
                result.alive = True
                halves = _worth_halving(reply, block)
                if halves:
                    pending.extendleft(reversed(halves))
                    continue
                result.outage = result.outage or reply
                if reply.kind in (OutageKind.DEVICE_FAILURE, OutageKind.BUSY):
                    failed[block] = reply
                    kept.append(block)
                    if not answers and len(failed) == _ALL_FAIL:
                        return result  # the device as a whole, not a value: the plan stays
                else:
                    self._missing.update(block.spans)
                continue
            result.outage = reply
            kept.append(block)
            strikes += 1
            if reply.kind not in NONSENSE or strikes >= _STRIKES:
                kept.extend(pending)
                break
        result.alive = result.alive or bool(answers)
        self._settle(group, kept, answers, failed, result)
        return result

    def _settle(
        self,
        group: Group,
        kept: Sequence[Block],
        answers: Mapping[Block, Answer],
        failed: Mapping[Block, Outage],
        result: Result,
    ) -> None:
        """Take over a changed plan, and decode."""
        program = self._programs[group]
        if tuple(kept) != program.blocks:
            program = self._programs[group] = Program(self._points[group], kept)
            result.changed = True
        result.readings, absent = program.decode(answers)
        if answers and len(answers) == len(kept) and frozenset(absent) != self._absent[group]:
            self._absent[group] = frozenset(absent)
            result.changed = True
        if failed and answers:
            result.readings.extend(self._unreadable(group, failed, answers))

    def _unreadable(
        self, group: Group, failed: Mapping[Block, Outage], answers: Mapping[Block, Answer]
    ) -> list[Reading]:
        """Points that the device says it cannot give now."""
        why = {span: outage.detail for block, outage in failed.items() for span in block.spans}
        ts = max(answer.ts for answer in answers.values())
        return [
            one.bad(why[span], ts)
            for placed, one in self._points[group]
            if (span := next((s for s in spans_of(placed) if s in why), None)) is not None
        ]

    def _there(self, placed: Placed) -> bool:
        return not any(span in self._missing for span in spans_of(placed))


def _worth_halving(outage: Outage, block: Block) -> tuple[Block, ...]:
    if outage.kind in (OutageKind.BUSY, OutageKind.ILLEGAL_FUNCTION):
        return ()
    return bisected(block)


# --- identification ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identified:
    """Which profiles a device fits, best first, or why that could not be told."""

    profiles: tuple[Profile, ...] = ()
    outage: Outage | None = None


def read_of(at: At) -> Read:
    """The one read that fetches a value on its own."""
    first, last = min(at.addresses), max(at.addresses)
    return Read(at.table, first, last - first + 1)


def identify(
    profiles: Sequence[Profile], unit: int
) -> Generator[Read, Answer | Outage, Identified]:
    """Try the identity probes of all profiles, the most telling first."""
    cache: dict[Read, Answer | Outage] = {}
    fitting: list[Profile] = []
    for profile in sorted((p for p in profiles if _may_fit(p, unit)), key=_telling):
        for probe in profile.identify:
            at = profile.wire(probe.at)
            read = read_of(at)
            if read not in cache:
                cache[read] = yield read
            reply = cache[read]
            if isinstance(reply, Outage):
                if reply.kind not in SENT_BY_UNIT | NONSENSE:
                    return Identified((), reply)
                break
            if not probe.holds(value_of(at, reply.data)):
                break
        else:
            fitting.append(profile)
    if fitting:
        return Identified(tuple(fitting))
    strange = next(
        (r for r in cache.values() if isinstance(r, Outage) and r.kind in NONSENSE), None
    )
    text = f"none of {len(profiles)} profiles fits: name one (profile = ..., or ?profile=...)"
    return Identified((), strange or Outage(OutageKind.UNIDENTIFIED, text))


def _may_fit(profile: Profile, unit: int) -> bool:
    """A profile without an exact test is tried only on the unit ids it is delivered with."""
    exact = any(probe.equals is not None for probe in profile.identify)
    units = profile.link.units
    return bool(profile.identify) and (exact or not units or unit in units)


def _telling(profile: Profile) -> tuple[int, int, int, str]:
    exact = sum(probe.equals is not None for probe in profile.identify)
    return -exact, -len(profile.identify), -len(profile.link.units), profile.name


def read_inventory(
    profile: Profile,
) -> Generator[Read, Answer | Outage, dict[str, str] | Outage]:
    """Serial number, firmware and the like; what the device refuses is left out."""
    found: dict[str, str] = {}
    for item in profile.inventory:
        at = profile.wire(item.at)
        reply = yield read_of(at)
        if isinstance(reply, Answer):
            text = str(value_of(at, reply.data))
            if text:
                found[item.name] = text
        elif reply.kind not in SENT_BY_UNIT | NONSENSE:
            return reply
    return found


def implausible(profile: Profile, device: str, readings: Mapping[str, Reading]) -> Outage | None:
    """What on first contact speaks for wrong addresses, by the profile's own rules."""
    for rule in profile.plausible:
        reading = readings.get(f"{device}/{rule.point}")
        if reading is None:
            continue
        low, high = rule.range
        value: Any = reading.value
        if reading.quality is not Quality.BAD and value is not None and low <= value <= high:
            continue
        said = f"{value:g}" if value is not None else reading.reason or "no value"
        text = (
            f"{rule.point} is {said}, expected {low:g}..{high:g}:"
            f" another device than {profile.name}, or addresses off by one?"
        )
        return Outage(OutageKind.MISIDENTIFIED, text)
    return None
