"""Collects all Modbus devices of a site; probes single ones."""

import asyncio
from collections.abc import Generator, Mapping, Sequence

from collectors.base import ProbeResult, Sink, Target
from collectors.modbus.connect import endpoint_name, endpoint_of, link_of, profile_name
from collectors.modbus.decode import Answer
from collectors.modbus.device import Context, Device, identity_of, why_identified
from collectors.modbus.endpoint import Endpoint, Script
from collectors.modbus.frame import Read
from collectors.modbus.identify import completed, identify, implausible, read_inventory
from collectors.modbus.profile import Profile
from collectors.modbus.registers import GROUPS, Registers
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
    own = yield from completed(profile)
    if isinstance(own, Outage):
        return ProbeResult(nobody, [], own)
    profile = own
    link = link_of(target, profile)
    registers = Registers(profile, device, unit, link, registry(), target.override)
    inventory = yield from read_inventory(profile)
    if isinstance(inventory, Outage):
        return ProbeResult(nobody, [], inventory, plan=registers.described())
    readings: list[Reading] = []
    outage: Outage | None = None
    for group in GROUPS:
        result = yield from registers.read(group)
        readings += result.readings
        outage = outage or result.outage
        if result.outage is not None and not result.alive:
            break
    identity = identity_of(device, profile, candidates, inventory, why_identified(profile, given))
    doubt = implausible(profile, device, {reading.point: reading for reading in readings})
    return ProbeResult(identity, readings, outage or doubt, plan=registers.described())
