"""Collects all Modbus devices of a site; probes single ones."""

import asyncio
from collections.abc import Generator, Mapping, Sequence

from collectors.base import ProbeResult, Sink, Target
from collectors.modbus.connect import endpoint_name, endpoint_of, link_of, profile_name
from collectors.modbus.decode import Answer
from collectors.modbus.device import Context, Device, identity_of, why_identified
from collectors.modbus.endpoint import Endpoint, Script
from collectors.modbus.frame import Read
from collectors.modbus.identify import completed, identify, read_inventory
from collectors.modbus.plan import Block
from collectors.modbus.plausible import Plausibility
from collectors.modbus.profile import Link, Profile
from collectors.modbus.registers import GROUPS, Registers
from collectors.profile import Group
from collectors.profile import Profile as AnyProfile
from collectors.wheel import Counters, Wheel
from dcim.clock import Clock
from dcim.model.metric import registry
from dcim.model.reading import Identity, Outage, Reading


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
            device.prepare()
            await asyncio.sleep(0)  # many devices: others have their turn between two
        for device in self.devices:
            device.start()
        async with asyncio.TaskGroup() as group:
            for endpoint in self.endpoints.values():
                group.create_task(endpoint.run(), name=f"modbus {endpoint.name}")

    def counts(self) -> dict[str, dict[str, int]]:
        """By endpoint: how many outages of each kind, late answers and requests."""
        return {one.name: dict(one.counts) for one in self.endpoints.values()}

    def _endpoint(self, target: Target, context: Context) -> Endpoint:
        key = endpoint_name(target.url)
        link = link_of(target, context.profiles.get(profile_name(target)))
        if key not in self.endpoints:
            self.endpoints[key] = endpoint_of(target.url, link, context.clock)
        endpoint = self.endpoints[key]
        endpoint.in_flight = min(endpoint.in_flight, link.in_flight)
        return endpoint


class Lines:
    """Endpoints shared by the probes of one command: units behind one gateway take turns."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, tuple[Endpoint, asyncio.Task[None]]] = {}

    def line(self, target: Target, link: Link) -> tuple[Endpoint, asyncio.Task[None]]:
        """The endpoint of a target, and the task that serves it."""
        key = endpoint_name(target.url)
        if key not in self._open:
            endpoint = endpoint_of(target.url, link, self._clock)
            self._open[key] = endpoint, asyncio.create_task(endpoint.run(), name=f"probe {key}")
        return self._open[key]

    async def close(self) -> None:
        """Close all connections."""
        tasks = [task for _, task in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def probe(
    target: Target,
    profiles: Mapping[str, AnyProfile],
    clock: Clock,
    lines: Lines | None = None,
) -> ProbeResult:
    """Identify one device and read it once."""
    own = Lines(clock) if lines is None else lines
    known = {name: one for name, one in profiles.items() if isinstance(one, Profile)}
    given = known.get(profile_name(target))
    link = link_of(target, given)
    done: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()

    def script() -> Script:
        done.set_result((yield from _look(target, given, tuple(known.values()))))

    try:
        endpoint, server = own.line(target, link)
        endpoint.submit(0.0, int(target.url.path), link, script())
        await asyncio.wait((done, server), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            server.result()  # what ended it
        return done.result()
    finally:
        if lines is None:
            await own.close()


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
    own = yield from completed(profile)
    if isinstance(own, Outage):
        return ProbeResult(nobody, [], own)
    profile = own
    link = link_of(target, profile)
    registers = Registers(profile, device, unit, link, registry(), target.override)
    inventory = yield from read_inventory(profile)
    if isinstance(inventory, Outage):
        return ProbeResult(nobody, [], inventory, plan=registers.described())
    readings, outage = yield from _read_once(registers)
    why = why_identified(profile, given, inventory)
    identity = identity_of(device, profile, candidates, inventory, why)
    doubt = Plausibility(profile, device, target.override).weigh(readings)
    if doubt is not None:
        readings, outage = doubt.cast_on(readings), doubt.outage
    return ProbeResult(identity, readings, outage, plan=registers.described())


def _read_once(
    registers: Registers,
) -> Generator[Read, Answer | Outage, tuple[list[Reading], Outage | None]]:
    """Every point of the device; what was not answered keeps its place as a `bad` reading."""
    readings: list[Reading] = []
    outage: Outage | None = None
    unanswered: dict[Group, dict[Block, Outage]] = {}
    dead: Outage | None = None
    for group in GROUPS:
        if dead is not None:
            unanswered[group] = dict.fromkeys(registers.blocks(group), dead)
            continue
        result = yield from registers.read(group)
        readings += result.readings
        outage = outage or result.outage
        unanswered[group] = result.unanswered
        if result.outage is not None and not result.alive:
            dead = result.outage
    if readings:
        ts = max(reading.ts for reading in readings)
        for group, blocks in unanswered.items():
            readings += registers.lost(group, blocks, ts)
    return readings, outage
