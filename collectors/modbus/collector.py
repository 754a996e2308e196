"""Collects Modbus devices: identifies each, polls its groups, backs off where nobody answers."""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collectors.base import ProbeResult, Sink, Target, Url
from collectors.modbus.decode import Answer
from collectors.modbus.endpoint import Connect, Connection, Endpoint, Script
from collectors.modbus.frame import Read
from collectors.modbus.profile import Link, Profile
from collectors.modbus.registers import (
    GROUPS,
    Registers,
    Result,
    identify,
    implausible,
    read_inventory,
)
from collectors.modbus.tty import open_line
from collectors.profile import Group
from collectors.profile import Profile as AnyProfile
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


class ModbusCollector:
    """All Modbus devices of a site."""

    def __init__(
        self,
        targets: Sequence[Target],
        profiles: Mapping[str, AnyProfile],
        sink: Sink,
        clock: Clock,
        wheel: Wheel,
        counters: Counters,
    ) -> None:
        known = {n: p for n, p in profiles.items() if isinstance(p, Profile)}
        context = Context(known, sink, clock, wheel, counters)
        self.endpoints: dict[str, Endpoint] = {}
        self.devices: list[Device] = []
        for target in targets:
            endpoint = self._endpoint(target, context)
            self.devices.append(Device(target, endpoint, context, len(self.devices)))

    async def run(self) -> None:
        """Collect for ever."""
        for device in self.devices:
            device.start()
        async with asyncio.TaskGroup() as group:
            for endpoint in self.endpoints.values():
                group.create_task(endpoint.run(), name=f"modbus {endpoint.name}")

    def _endpoint(self, target: Target, context: Context) -> Endpoint:
        key = endpoint_name(target.url)
        link = link_of(target, context.profiles.get(profile_name(target)))
        if key not in self.endpoints:
            self.endpoints[key] = endpoint_of(target.url, link, context.clock)
        endpoint = self.endpoints[key]
        endpoint.in_flight = min(endpoint.in_flight, link.in_flight)
        return endpoint


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
        self._polling = False  # between first contact and a lasting outage
        endpoint.units.add(self._unit)
        endpoint.on_revival.append(self._revived)

    def start(self) -> None:
        """Make first contact, a little apart from the other devices."""
        if self._given is not None:
            self._take(self._given, (), {}, "profile given")
        self._jobs = [self._context.wheel.once(self._spread, self._contact)]

    # --- first contact ---

    def _contact(self, due: float) -> None:
        if "contact" not in self._busy:
            self._busy.add("contact")
            self._submit(due + self.target.intervals.fast, self._first_contact())

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
        inventory = yield from read_inventory(profile)
        if isinstance(inventory, Outage):
            return inventory
        registers = self._take(profile, candidates, inventory, _why(profile, self._given))
        results: list[Result] = []
        for group in GROUPS:
            result = yield from self._poll(registers, group, self._context.clock.now())
            results.append(result)
            if result.outage is not None and not result.alive:
                return result.outage
        seen = {reading.point: reading for result in results for reading in result.readings}
        if not seen:
            return next((r.outage for r in results if r.outage), _NOTHING)
        for result in results:
            self._publish(result)
        self._failures = 0
        self._schedule()
        doubt = implausible(profile, self.target.device, seen)
        if doubt is not None:
            self._publish(Result(list(seen.values()), doubt))
        return None

    def _take(
        self,
        profile: Profile,
        candidates: Sequence[Profile],
        inventory: dict[str, str],
        why: str,
    ) -> Registers:
        """The device is of this profile from now on."""
        target = self.target
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
        self._publish(result)
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


def _why(profile: Profile, given: Profile | None) -> str:
    if given is not None:
        return "profile given"
    return "; ".join(
        f"{probe.at.table} {probe.at.addresses[0]}"
        + (
            f" = {probe.equals}"
            if probe.equals is not None
            else " in {:g}..{:g}".format(*probe.range or (0, 0))
        )
        for probe in profile.identify
    )


def identity_of(
    device: str,
    profile: Profile,
    candidates: Sequence[Profile],
    inventory: dict[str, str],
    why: str,
) -> Identity:
    """What a device turned out to be."""
    model = inventory.get("model") or profile.model
    others = tuple(candidate.name for candidate in candidates)
    return Identity(
        device, profile.kind, profile.vendor, model, (profile.name,), why, others, inventory
    )


# --- endpoints --------------------------------------------------------------------------------


def profile_name(target: Target) -> str:
    """The profile of the configuration, or of the URL where that says `auto`."""
    if target.profile == "auto":
        return target.url.query.get("profile", "auto")
    return target.profile


def endpoint_name(url: Url) -> str:
    """What devices on one connection have in common."""
    return f"{url.scheme}://{url.host}:{url.port}" if url.port else f"{url.scheme}://{url.host}"


def link_of(target: Target, profile: Profile | None) -> Link:
    """The profile's link, with what the device's URL says otherwise (`?timeout_s=3&gap=0`)."""
    link = profile.link if profile is not None else Link()
    said = {k: v for k, v in target.url.query.items() if k in Link.model_fields}
    return Link.model_validate(link.model_dump() | said, strict=False) if said else link


def endpoint_of(url: Url, link: Link, clock: Clock) -> Endpoint:
    """The endpoint of a URL; connects when first asked."""
    serial = url.scheme != "modbus"
    endpoint = Endpoint(endpoint_name(url), _connector(url, link), clock, serial)
    endpoint.in_flight = link.in_flight
    return endpoint


def _connector(url: Url, link: Link) -> Connect:
    async def connect_tcp(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, url.host, url.port)

    async def connect_serial(connection: Connection) -> None:
        open_line(url.host, link, connection)

    return connect_serial if url.scheme == "modbus+rtu" else connect_tcp


# --- probe ------------------------------------------------------------------------------------


async def probe(target: Target, profiles: Mapping[str, AnyProfile], clock: Clock) -> ProbeResult:
    """Identify one device and read it once."""
    known = {name: one for name, one in profiles.items() if isinstance(one, Profile)}
    given = known.get(profile_name(target))
    link = link_of(target, given)
    endpoint = endpoint_of(target.url, link, clock)
    done: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()

    def script() -> Script:
        done.set_result((yield from _look(target, given, tuple(known.values()))))

    endpoint.submit(0.0, int(target.url.path), link, script())
    server = asyncio.create_task(endpoint.run(), name=f"probe {endpoint.name}")
    try:
        await asyncio.wait((done, server), return_when=asyncio.FIRST_COMPLETED)
        return done.result()
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def _look(
    target: Target, profile: Profile | None, known: Sequence[Profile]
) -> Generator[Read, Answer | Outage, ProbeResult]:
    unit, device = int(target.url.path), target.device
    candidates: tuple[Profile, ...] = ()
    nobody = Identity(device, "", "", "", ())
    given = profile
    if profile is None:
        found = yield from identify(known, unit)
        if found.outage is not None:
            return ProbeResult(nobody, [], found.outage)
        profile, candidates = found.profiles[0], found.profiles[1:]
    inventory = yield from read_inventory(profile)
    if isinstance(inventory, Outage):
        return ProbeResult(nobody, [], inventory)
    link = link_of(target, profile)
    registers = Registers(profile, device, unit, link, registry(), target.override)
    readings: list[Reading] = []
    outage: Outage | None = None
    for group in GROUPS:
        result = yield from registers.read(group)
        readings += result.readings
        outage = outage or result.outage
        if result.outage is not None and not result.alive:
            break
    identity = identity_of(device, profile, candidates, inventory, _why(profile, given))
    doubt = implausible(profile, device, {reading.point: reading for reading in readings})
    return ProbeResult(identity, readings, outage or doubt)
