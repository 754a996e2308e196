"""The registers of one device: its plan by group, what it refuses, and scripts that read it.

Pure but for the answers it is sent: a script yields reads and is sent their answers.
"""

from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from collectors.base import Intervals, Override, stale_after_s
from collectors.decode import Channel, channel
from collectors.modbus.decode import Answer, Program, spans_of
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.plan import Block, Span, bisected, plan
from collectors.modbus.profile import Link, Placed, Profile
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
    unanswered: dict[Block, Outage] = field(default_factory=dict)  # and what came instead


ReadScript = Generator[Read, Answer | Outage, Result]
TornScript = Generator[Read, Answer | Outage, None]


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
        states=placed.states or None,
        other=placed.other_state,
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
        self._scattered = {
            group: [point for point in points if point[0].at.words]
            for group, points in self._points.items()
        }
        self._link = link
        self._missing: set[Span] = set()  # refused as illegal
        self._failing: dict[Group, bool] = dict.fromkeys(GROUPS, False)
        self._absent: dict[Group, frozenset[str]] = {group: frozenset() for group in GROUPS}
        self._programs: dict[Group, Program] = {}  # planned when first asked for

    def blocks(self, group: Group) -> tuple[Block, ...]:
        """The reads of one poll of a group, as planned now."""
        return self._program(group).blocks

    def described(self) -> list[str]:
        """The plan for people: every read of every group, and what the device refused."""
        lines = [
            f"{group:<6}  {block.read}  {len(block.spans)} values"
            for group in GROUPS
            for block in self.blocks(group)
        ]
        refused = sorted(self._missing)
        return lines + [f"refused {span.table} {span.address}" for span in refused]

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
        program = self._program(group)
        poll = _Poll(deque(program.blocks))
        while poll.pending:
            block = poll.pending.popleft()
            poll.take(block, (yield block.read))
        result = Result(alive=poll.alive, outage=poll.outage, unanswered=poll.unanswered)
        if not poll.gives_up:
            self._missing |= poll.refused
            self._settle(group, poll, result)
            yield from self._check_torn(group, poll, result)
        if not poll.answers and poll.outage is not None:
            result.unanswered = dict.fromkeys(program.blocks, poll.outage)
        return result

    def lost(self, group: Group, unanswered: Mapping[Block, Outage], ts: float) -> list[Reading]:
        """The points of reads that gave no answer, each `bad` with the reason."""
        why = {span: said.detail for block, said in unanswered.items() for span in block.spans}
        return self._bad(group, why, ts)

    def _settle(self, group: Group, poll: "_Poll", result: Result) -> None:
        """Take over a changed plan, and decode."""
        program = self._program(group)
        if tuple(poll.kept) != program.blocks:
            program = self._programs[group] = Program(self._points[group], poll.kept)
            result.changed = True
        result.readings, gone = program.decode(poll.answers)
        absent = frozenset(gone)
        if len(poll.answers) == len(poll.kept) and absent != self._absent[group]:
            self._absent[group] = absent
            result.changed = True
        if poll.answers and poll.failed:
            why = {span: text for block, text in poll.failed.items() for span in block.spans}
            ts = max(answer.ts for answer in poll.answers.values())
            result.readings.extend(self._bad(group, why, ts))
        failing = bool(poll.failed)
        if poll.complete:
            if self._failing[group] and not failing:
                del self._programs[group]  # readable again: back to as few reads as at first
            self._failing[group] = failing

    def _program(self, group: Group) -> Program:
        if group not in self._programs:
            points = self._points[group]
            spans = {span for one, _ in points for span in spans_of(one)} - self._missing
            self._programs[group] = Program(points, plan(spans, self._link))
        return self._programs[group]

    def _bad(self, group: Group, why: Mapping[Span, str], ts: float) -> list[Reading]:
        """Points that need a span which could not be read."""
        return [
            one.bad(why[span], ts)
            for placed, one in self._points[group]
            if (span := next((s for s in spans_of(placed) if s in why), None)) is not None
        ]

    def _check_torn(self, group: Group, poll: "_Poll", result: Result) -> TornScript:
        """Values whose words came in different reads: look once more at the most significant."""
        for placed, one in self._scattered[group]:
            homes = [poll.home(Span(placed.at.table, word)) for word in placed.at.words]
            if None in homes or len(set(homes)) == 1 or homes[0] is None:
                continue
            first = placed.at.words[0]
            offset = 2 * (first - homes[0].read.address)
            before = poll.answers[homes[0]].data[offset : offset + 2]
            reply = yield Read(placed.at.table, first, 1)
            if isinstance(reply, Answer) and reply.data == before:
                continue
            result.readings = [
                r._replace(quality=Quality.UNCERTAIN, reason="changed while it was read")
                if r.point == one.address and r.quality is Quality.GOOD
                else r
                for r in result.readings
            ]

    def _there(self, placed: Placed) -> bool:
        return not any(span in self._missing for span in spans_of(placed))


@dataclass(slots=True)
class _Poll:
    """One poll under way: what is still to be read, and what came."""

    pending: deque[Block]
    kept: list[Block] = field(default_factory=list)  # the plan as it turns out
    answers: dict[Block, Answer] = field(default_factory=dict)
    failed: dict[Block, str] = field(default_factory=dict)  # values the device cannot give now
    unanswered: dict[Block, Outage] = field(default_factory=dict)
    refused: set[Span] = field(default_factory=set)  # values it does not have
    outage: Outage | None = None
    alive: bool = False
    gives_up: bool = False  # the device as a whole fails: the plan stays
    strikes: int = 0

    @property
    def complete(self) -> bool:
        """Whether every block was answered, be it by a failure."""
        return len(self.answers) + len(self.failed) == len(self.kept)

    def home(self, span: Span) -> Block | None:
        """The answered block that holds a value."""
        return next((block for block in self.answers if span in block.spans), None)

    def take(self, block: Block, reply: Answer | Outage) -> None:
        if isinstance(reply, Answer):
            self.alive = True
            self.answers[block] = reply
            self.kept.append(block)
        elif reply.kind in SENT_BY_UNIT:
            self.alive = True
            self._refused(block, reply)
        else:
            self.outage = reply
            self.kept.append(block)
            self.unanswered[block] = reply
            self.strikes += 1
            if reply.kind not in NONSENSE or self.strikes >= _STRIKES:
                self.kept.extend(self.pending)
                self.unanswered |= dict.fromkeys(self.pending, reply)
                self.pending.clear()

    def _refused(self, block: Block, reply: Outage) -> None:
        if reply.kind is OutageKind.BUSY:
            self.outage = self.outage or reply
            self.kept.append(block)
            self.unanswered[block] = reply
            return
        halves = () if reply.kind is OutageKind.ILLEGAL_FUNCTION else bisected(block)
        if halves:
            self.pending.extendleft(reversed(halves))
            return
        self.outage = self.outage or reply
        if reply.kind is not OutageKind.DEVICE_FAILURE:
            self.refused.update(block.spans)
            return
        self.failed[block] = reply.detail
        self.kept.append(block)
        if not self.answers and len(self.failed) == _ALL_FAIL:
            self.gives_up = True
            self.pending.clear()
