"""One Modbus device from first contact through outages: identified, polled, left in peace."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from collectors.base import Sink, Target
from collectors.modbus.connect import link_of, profile_name
from collectors.modbus.decode import Answer
from collectors.modbus.endpoint import Script
from collectors.modbus.frame import Read
from collectors.modbus.identify import completed, identify, read_inventory
from collectors.modbus.plausible import Doubt, Plausibility
from collectors.modbus.profile import Link, Profile
from collectors.modbus.registers import GROUPS, Registers, Result
from collectors.profile import Group
from collectors.wheel import Counters, Job, Wheel
from dcim.clock import Clock
from dcim.model.metric import registry
from dcim.model.reading import Batch, Identity, Outage, OutageKind, Reading

PROTOCOL = "modbus"
_LOST_AFTER = 3  # failures in a row, after which a device is identified anew
_BACK_OFF_S = 10.0  # longest pause where only the device itself waits
_DORMANT_S = 300.0  # longest pause where its time-outs cost its neighbours on the line
_UNKNOWN_S = 60.0  # between attempts to identify a device that answers
_GOLDEN = 0.618  # spreads devices evenly over an interval, however many there are

_UNIT_SILENT = frozenset([OutageKind.TIMEOUT, OutageKind.GATEWAY_TARGET, OutageKind.SHORT_FRAME])
_COMMON = ("manufacturer", "model", "firmware", "serial")  # of SunSpec's common model
_NOTHING = Outage(OutageKind.MALFORMED, "the device answers, but gives no value")


@dataclass(frozen=True, slots=True)
class Context:
    """What all devices of a collector share."""

    profiles: Mapping[str, Profile]
    sink: Sink
    clock: Clock
    wheel: Wheel
    counters: Counters


class Line(Protocol):
    """What a device needs of its endpoint."""

    units: set[int]
    on_revival: list[Callable[[], None]]

    def submit(
        self, deadline: float, unit: int, link: Link, script: Script, wanted: Callable[[], bool]
    ) -> None: ...


class Device:
    """One unit behind an endpoint, from first contact through outages."""

    def __init__(self, target: Target, endpoint: Line, context: Context, number: int) -> None:
        self.target = target
        self._endpoint = endpoint
        self._context = context
        self._unit = int(target.url.path)
        self._spread = number * _GOLDEN % 1
        self._given = context.profiles.get(profile_name(target))
        self._link = link_of(target, self._given)
        self._registers: Registers | None = None
        self._jobs: list[Job] = []
        self._busy: set[str] = set()
        self._spell = 0  # counts outages: what was queued before one is not sent after it
        self._failures = 0
        self._quiet_until = 0.0
        self._plausibility: Plausibility | None = None
        self._polling = False  # between first contact and a lasting outage
        endpoint.units.add(self._unit)
        endpoint.on_revival.append(self._revived)

    def prepare(self) -> None:
        """Say what is expected of a device whose profile is given, before anything is polled."""
        if self._given is not None:
            self._take(self._given, (), {}, "profile given")

    def start(self) -> None:
        """Make first contact, a little apart from the other devices."""
        self._jobs = [self._context.wheel.once(self._spread, self._contact)]

    # --- first contact ---

    def _contact(self, due: float) -> None:
        if "contact" not in self._busy:
            self._busy.add("contact")
            self._submit(due + self.target.intervals.normal, self._first_contact())

    def _first_contact(self) -> Script:
        outage = yield from self._meet()
        self._busy.discard("contact")
        if outage is not None:
            self._publish(Result(outage=outage))
            if outage.kind is OutageKind.UNIDENTIFIED:
                self._again_in(_UNKNOWN_S)
            else:
                self._unheard(outage)

    def _meet(self) -> Generator[Read, Answer | Outage, Outage | None]:
        """Identify the device, read everything once, start polling."""
        profile = self._given
        candidates: tuple[Profile, ...] = ()
        if profile is None:
            found = yield from identify(tuple(self._context.profiles.values()), self._unit)
            if found.outage is not None:
                return found.outage
            profile, candidates = found.profiles[0], found.profiles[1:]
            self._link = link_of(self.target, profile)
        own = yield from completed(profile)
        if isinstance(own, Outage):
            return own
        profile = own
        inventory = yield from read_inventory(profile)
        if isinstance(inventory, Outage):
            return inventory
        why = why_identified(profile, self._given, inventory)
        registers = self._take(profile, candidates, inventory, why)
        results: list[Result] = []
        for group in GROUPS:
            result = yield from self._poll(registers, group, self._context.clock.now())
            results.append(result)
            if result.outage is not None and not result.alive:
                return result.outage
        if not any(result.readings for result in results):
            return next((r.outage for r in results if r.outage), _NOTHING)
        doubt = self._doubt([reading for result in results for reading in result.readings])
        for result in results:
            self._publish(_doubted(result, doubt))
        self._failures = 0
        self._schedule()
        return None

    def _doubt(self, readings: Sequence[Reading]) -> Doubt | None:
        return self._plausibility.weigh(readings) if self._plausibility else None

    def _take(
        self,
        profile: Profile,
        candidates: Sequence[Profile],
        inventory: dict[str, str],
        why: str,
    ) -> Registers:
        """The device is of this profile from now on."""
        target = self.target
        self._plausibility = Plausibility(profile, target.device, target.override)
        self._registers = Registers(
            profile, target.device, self._unit, self._link, registry(), target.override
        )
        identity = identity_of(target.device, profile, candidates, inventory, why)
        self._context.sink.identified(identity)
        self._expect(self._registers)
        return self._registers

    def _expect(self, registers: Registers) -> None:
        expected = registers.expected(self.target.intervals)
        self._context.sink.expect(self.target.device, expected)

    # --- polling ---

    def _schedule(self) -> None:
        self._cancel()
        self._polling = True
        for group in GROUPS:
            if self._registers is None or not self._registers.blocks(group):
                continue
            interval_s: float = getattr(self.target.intervals, group)
            start = self._starter(group, interval_s)
            self._jobs.append(
                self._context.wheel.every(
                    interval_s, start, interval_s * (0.2 + 0.8 * self._spread)
                )
            )

    def _starter(self, group: Group, interval_s: float) -> Callable[[float], None]:
        def start(due: float) -> None:
            if due < self._quiet_until or self._registers is None:
                return
            if group in self._busy:
                self._context.counters.skipped += 1
                return
            self._busy.add(group)
            self._submit(due + interval_s, self._group(self._registers, group, due))

        return start

    def _submit(self, deadline: float, script: Script) -> None:
        """Hand a script to the endpoint; an outage meanwhile makes it unwanted."""
        spell = self._spell
        self._endpoint.submit(
            deadline, self._unit, self._link, script, lambda: self._spell == spell
        )

    def _group(self, registers: Registers, group: Group, due: float) -> Script:
        result = yield from self._poll(registers, group, due)
        self._busy.discard(group)
        self._publish(_doubted(result, self._doubt(result.readings)))
        if result.alive:
            self._failures = 0
        elif result.outage is not None:
            self._unheard(result.outage)

    def _poll(
        self, registers: Registers, group: Group, due: float
    ) -> Generator[Read, Answer | Outage, Result]:
        interval_s: float = getattr(self.target.intervals, group)
        if registers.blocks(group):
            self._context.counters.started(due, self._context.clock.now(), interval_s)
        result = yield from registers.read(group)
        if result.changed:
            self._expect(registers)
        return result

    def _publish(self, result: Result) -> None:
        if result.readings or result.outage is not None:
            now = self._context.clock.now()
            device = self.target.device
            self._context.sink.publish(Batch(device, now, result.readings, result.outage, PROTOCOL))

    # --- outages ---

    def _unheard(self, outage: Outage) -> None:
        """Back off: twice as long each time; after a few failures begin anew with first contact."""
        self._failures += 1
        self._forget_queued()
        shared = len(self._endpoint.units) > 1 and outage.kind in _UNIT_SILENT
        longest_s = _DORMANT_S if shared else _BACK_OFF_S
        pause_s = min(longest_s, 2.0 ** min(self._failures - 1, 10))
        if self._failures >= _LOST_AFTER or not self._polling:
            self._again_in(pause_s)
        else:
            self._quiet_until = self._context.clock.now() + pause_s

    def _again_in(self, pause_s: float) -> None:
        self._cancel()
        self._forget_queued()
        self._jobs = [self._context.wheel.once(pause_s, self._contact)]

    def _revived(self) -> None:
        """The whole endpoint was silent and answers again: no reason to wait any longer."""
        if self._failures:
            self._failures = 0
            self._again_in(self._spread)

    def _forget_queued(self) -> None:
        self._spell += 1
        self._busy.clear()

    def _cancel(self) -> None:
        for job in self._jobs:
            job.cancelled = True
        self._polling = False
        self._jobs = []
        self._quiet_until = 0.0


def _doubted(result: Result, doubt: Doubt | None) -> Result:
    """With the doubt cast on what was read; it says more than that some of it was refused."""
    if doubt is None or not result.readings:
        return result
    return replace(result, readings=doubt.cast_on(result.readings), outage=doubt.outage)


def why_identified(profile: Profile, given: Profile | None, inventory: Mapping[str, str]) -> str:
    """What told that a device is of this profile, for people."""
    if given is not None:
        return "profile given"
    tests = "; ".join(
        f"{probe.at.table} {probe.at.addresses[0]}"
        + (
            f" = {probe.equals}"
            if probe.equals is not None
            else " in {:g}..{:g}".format(*probe.range or (0, 0))
        )
        for probe in profile.identify
        if not probe.optional
    )
    said = " ".join(inventory[name] for name in _COMMON if name in inventory)
    return tests or f"{profile.note}: {said}"  # of SunSpec: its marker and models


def identity_of(
    device: str,
    profile: Profile,
    candidates: Sequence[Profile],
    inventory: dict[str, str],
    why: str,
) -> Identity:
    """What a device turned out to be."""
    vendor = inventory.get("manufacturer") or profile.vendor
    model = inventory.get("model") or profile.model
    others = tuple(candidate.name for candidate in candidates)
    return Identity(device, profile.kind, vendor, model, (profile.name,), why, others, inventory)
