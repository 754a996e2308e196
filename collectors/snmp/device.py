"""One device's life: looked for, surveyed, polled, noticed when it is away or another one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from collectors.base import CollectError, Limits, Sink, Target, stale_after_s
from collectors.snmp.ber import encode_oid
from collectors.snmp.client import SYS_UP_TIME, Client, Stats
from collectors.snmp.identify import SYS_OBJECT_ID
from collectors.snmp.plan import Size, plans
from collectors.snmp.poll import DENIED, SILENT, Poll, Result
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.survey import Survey, access_of, peer_of, survey
from collectors.snmp.transport import Transport
from collectors.wheel import Counters, Job, Wheel
from dcim.clock import Clock
from dcim.model.reading import Batch, Outage, OutageKind

_RESURVEY_S = 3600.0  # scales, names, new rows and missing columns are looked at again
_SOONEST_RESURVEY_S = 60.0  # where a poll finds that something has gone
_FIRST_RETRY_S, _LONGEST_RETRY_S = 2.0, 60.0
_UNKNOWN_RETRY_S = 300.0
_SOONEST_CONFIRM_S = 1.0  # between polls that traps ask for
_SOONEST_UNSURE_S = 10.0  # the same, by traps that no profile knows
_LONGEST_CONFIRMED_S = 60.0  # polls of longer intervals are not what a trap is about
_FAILED_POLLS = 2  # so many in a row without any answer: the device is away
_UP_TIME, _OBJECT_ID = encode_oid(SYS_UP_TIME), encode_oid(SYS_OBJECT_ID)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all devices of a collector share."""

    profiles: Mapping[str, SnmpProfile]
    sink: Sink
    clock: Clock
    wheel: Wheel
    counters: Counters
    transport: Transport
    tasks: asyncio.TaskGroup
    surveys: asyncio.Semaphore  # how many may be under way at a time
    random: Random


@dataclass(slots=True)
class _Known:
    """A device that has been surveyed, and what polls it."""

    survey: Survey
    client: Client
    at: float
    polls: list[Poll]
    up_time: int = 0
    failed: int = 0  # polls in a row without any answer
    renew: bool = False  # plan anew even where the next survey finds the same

    @property
    def look(self) -> list[object]:
        """What may not change while the polls go on."""
        return [self.survey.identity, *(b.channel for b in self.survey.resolved.bindings)]


class Device:
    """One target. All of its work is done by the wheel's calls and one survey at a time."""

    def __init__(self, target: Target, around: Surroundings) -> None:
        self.stats = Stats()
        self.host = ""  # its numeric address, empty until it was looked up
        self._target = target
        self._around = around
        self._known: _Known | None = None
        self._profiles = [p for p in (around.profiles.get(target.profile),) if p is not None]
        self._jobs: list[Job] = []
        self._retry_s = _FIRST_RETRY_S
        self._surveying = False
        self._confirm_job: Job | None = None
        self._confirm_due = 0.0
        self._confirmed_at = float("-inf")

    @property
    def profiles(self) -> Sequence[SnmpProfile]:
        """Those that fit the device, also while it is away; before it is met the configured one."""
        return self._profiles

    @property
    def limits(self) -> Mapping[str, Limits]:
        """Thresholds the device publishes, by point."""
        return self._known.survey.resolved.limits if self._known is not None else {}

    def begin(self, delay_s: float) -> None:
        """Look for the device, `delay_s` from now."""
        self._jobs.append(self._around.wheel.once(delay_s, self._look))

    def confirm(self, known: bool = True) -> None:
        """Poll at once; however often this is asked for, at most once a second.

        For what is not `known` to matter, once in ten seconds.
        """
        if self._known is None:
            return
        now = self._around.clock.now()
        soonest_s = _SOONEST_CONFIRM_S if known else _SOONEST_UNSURE_S
        due = max(now, self._confirmed_at + soonest_s)
        if self._confirm_job is not None:
            if self._confirm_due <= due:
                return
            self._confirm_job.cancelled = True
        self._confirm_due = due
        self._confirm_job = self._around.wheel.once(due - now, self._confirmed)

    def _confirmed(self, _due: float) -> None:
        self._confirm_job = None
        self._confirmed_at = self._around.clock.now()
        polls = self._known.polls if self._known is not None else []
        polls = [poll for poll in polls if poll.plan.interval_s <= _LONGEST_CONFIRMED_S]
        for poll in polls:
            if poll.busy:
                self.confirm()  # it may have read before the event: once more
            else:
                poll.start()

    def stop(self) -> None:
        """Cancel polls and whatever is under way."""
        if self._confirm_job is not None:
            self._confirm_job.cancelled = True
            self._confirm_job = None
        for job in self._jobs:
            job.cancelled = True
        self._jobs.clear()
        if self._known is not None:
            for poll in self._known.polls:
                poll.cancel()
            self._known.polls.clear()

    def _look(self, _due: float) -> None:
        if not self._surveying:
            self._surveying = True
            name = f"snmp survey {self._target.device}"
            self._around.tasks.create_task(self._found(), name=name)

    async def _found(self) -> None:
        """Survey the device and begin to poll; where it is silent, try again later."""
        try:
            peer = await peer_of(self._target)
            self.host = peer[0]
            access = access_of(self._target, peer, self._around.transport)
            client = Client(self._around.transport, peer, access, self.stats)
            await client.knock()  # so that silent devices do not hold up the surveys of others
            async with self._around.surveys:
                done = await survey(client, self._target, self._around.profiles, self._around.clock)
        except CollectError as error:
            if self._known is not None and error.outage.kind not in SILENT:
                self._publish(Result(outage=error.outage))  # the polls go on
            else:
                self._away(error.outage)
        else:
            self._take(_Known(done, client, self._around.clock.now(), []))
        finally:
            self._surveying = False

    def _away(self, outage: Outage) -> None:
        """Publish the outage, stop polling, and look again after a growing while."""
        self.stop()
        self._known = None
        self._publish(Result(outage=outage))
        longest_s = _LONGEST_RETRY_S
        if outage.kind in DENIED:  # it is there: keys may be put right at any time
            longest_s = min(longest_s, max(_FIRST_RETRY_S, self._target.intervals.normal))
        self._retry_s = min(self._retry_s, longest_s)
        self.begin(self._retry_s * self._around.random.uniform(0.8, 1.2))
        self._retry_s = min(2 * self._retry_s, longest_s)

    def _take(self, known: _Known) -> None:
        """Take over a survey: announce the device, and poll what it has."""
        done = known.survey
        self._retry_s = _FIRST_RETRY_S
        if not done.found.profiles:
            self.stop()
            self._known = None
            detail = f"{done.found.unread}: {done.identity.identity}"
            if done.identity.kind:
                self._around.sink.identified(done.identity)
            self._publish(Result(outage=Outage(OutageKind.UNIDENTIFIED, detail)))
            self.begin(_UNKNOWN_RETRY_S * self._around.random.uniform(0.8, 1.2))
            return
        if self._known is not None and not self._known.renew and self._known.look == known.look:
            self._known.at = known.at  # nothing has changed: the polls go on
            return
        self.stop()
        self._known = known
        self._profiles = list(done.found.profiles)
        self._announce(known)
        self._schedule(known)
        readings = [reading for reading in done.resolved.readings if reading is not None]
        self._publish(Result(readings, known.client.fault or known.client.access.warning))

    def _announce(self, known: _Known) -> None:
        intervals = self._target.intervals
        seconds = {"fast": intervals.fast, "normal": intervals.normal, "slow": intervals.slow}
        bindings = [b for b in known.survey.resolved.bindings if b.expected]
        self._around.sink.identified(known.survey.identity)
        self._around.sink.expect(
            self._target.device,
            {b.channel.address: stale_after_s(seconds[b.group]) for b in bindings},
        )

    def _schedule(self, known: _Known) -> None:
        """Plan the requests and put each interval's poll on the wheel, at a random phase."""
        around, client = self._around, known.client
        self.stop()
        for plan in plans(
            known.survey.resolved.bindings,
            known.survey.answers,
            known.survey.columns,
            self._target.intervals,
            client.access,
            Size(client.max_varbinds, client.bulk),
            extra=[SYS_UP_TIME, SYS_OBJECT_ID],
        ):
            poll = Poll(plan, client, around.transport, around.clock, self._polled)
            known.polls.append(poll)
            phase_s = around.random.uniform(0, plan.interval_s)
            start = partial(self._start, poll)
            self._jobs.append(around.wheel.every(plan.interval_s, start, phase_s))
        phase_s = _RESURVEY_S * around.random.uniform(0.8, 1.2)
        self._jobs.append(around.wheel.every(_RESURVEY_S, self._look, phase_s))

    def _start(self, poll: Poll, due: float) -> None:
        counters = self._around.counters
        if poll.busy:
            if self._around.clock.now() - self._confirmed_at > _SOONEST_CONFIRM_S:
                counters.skipped += 1  # not by the same question, asked for by a trap
            return
        counters.started(due, self._around.clock.now(), poll.plan.interval_s)
        poll.start()

    def _polled(self, poll: Poll, result: Result) -> None:
        known = self._known
        if known is None:
            return
        if not result.answered:
            known.failed += 1
            if known.failed >= _FAILED_POLLS and result.outage is not None:
                self._away(result.outage)
            else:
                self._publish(result)
            return
        known.failed = 0
        self._notice_new_points(known, poll, result)
        self._publish(result)
        if poll.plan.extra and _is_another(known, result):
            known.renew = True
            self._look(0.0)
        elif result.gone:
            if self._around.clock.now() - known.at > _SOONEST_RESURVEY_S:
                self._look(0.0)
        elif result.shrunk:
            self._schedule(known)

    def _notice_new_points(self, known: _Known, poll: Poll, result: Result) -> None:
        """Parts that were absent when planned and now have a value are expected from now on."""
        if not poll.plan.dormant:
            return
        told = {reading.point for reading in result.readings}
        arrived = [b for b in poll.plan.dormant if b.channel.address in told]
        for binding in arrived:
            binding.expected = True
            poll.plan.dormant.remove(binding)
        if arrived:
            self._announce(known)

    def _publish(self, result: Result) -> None:
        now = self._around.clock.now()
        batch = Batch(self._target.device, now, result.readings, result.outage, "snmp")
        self._around.sink.publish(batch)


def _is_another(known: _Known, result: Result) -> bool:
    """Whether the device has started anew or has become another one."""
    up_time, number = result.values.get(_UP_TIME), result.values.get(_OBJECT_ID)
    before = known.up_time
    if isinstance(up_time, int):
        known.up_time = up_time
        # after 497 days the counter wraps; looking again then does no harm
        if up_time < before:
            return True
    told = number.lstrip(".") if isinstance(number, str) else None
    return told is not None and told != known.survey.found.sys_object_id
