"""Polls all SNMP devices of a site on one transport."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

from collectors.base import Limits, Sink, Target
from collectors.profile import Profile
from collectors.snmp.client import Stats
from collectors.snmp.device import Device, Surroundings
from collectors.snmp.engines import Engines
from collectors.snmp.survey import snmp_profiles
from collectors.snmp.transport import Counts, Transport
from collectors.snmp.traps import hint_of, known_keys
from collectors.wheel import Counters, Wheel
from dcim.clock import Clock

_SURVEYS_AT_ONCE = 64
_STARTS_A_SECOND = 500.0


class SnmpCollector:
    """All SNMP targets. The wheel must be running beside `run`. `random` spreads what is periodic."""

    def __init__(
        self,
        targets: Sequence[Target],
        profiles: Mapping[str, Profile],
        sink: Sink,
        clock: Clock,
        wheel: Wheel,
        counters: Counters,
        random: Random | None = None,
    ) -> None:
        self.counts = Counts()  # of the transport
        self._targets = targets
        self._profiles = snmp_profiles(profiles)
        self.traps = known_keys(self._profiles.values())
        self._sink = sink
        self._clock = clock
        self._wheel = wheel
        self._counters = counters
        self._random = random or Random()
        self._devices: dict[str, Device] = {}
        self._hosts: dict[str, list[str]] = {}
        self._hosts_at = float("-inf")
        self._engines = Engines()  # of the transport

    async def run(self) -> None:
        """Find, plan and poll every target until cancelled."""
        transport = Transport(asyncio.get_running_loop())
        self.counts, self._engines = transport.counts, transport.engines
        try:
            async with asyncio.TaskGroup() as tasks:
                around = Surroundings(
                    self._profiles,
                    self._sink,
                    self._clock,
                    self._wheel,
                    self._counters,
                    transport,
                    tasks,
                    asyncio.Semaphore(_SURVEYS_AT_ONCE),
                    self._random,
                )
                for target in self._targets:
                    device = self._devices[target.device] = Device(target, around)
                    spread_s = min(1.0, len(self._targets) / _STARTS_A_SECOND)
                    device.begin(self._random.uniform(0, spread_s))
                await asyncio.Event().wait()
        finally:
            for device in self._devices.values():
                device.stop()
            transport.close()

    def devices_at(self, host: str) -> Sequence[str]:
        """Devices at an address, answering or not, as of a second ago at most."""
        now = self._clock.now()
        if now - self._hosts_at > 1.0:
            self._hosts_at = now
            self._hosts = {}
            for name, device in self._devices.items():
                self._hosts.setdefault(device.host, []).append(name)
        return self._hosts.get(host, ()) if host else ()

    def devices_of(self, engine_id: bytes) -> Sequence[str]:
        """Devices that answer SNMPv3 under an engine id, whatever address their traps come from."""
        return [d for host in sorted(self._engines.hosts(engine_id)) for d in self.devices_at(host)]

    def hint(self, device: str, oid: str) -> str | None:
        """What a trap of a device means, None where its profiles do not know it."""
        return hint_of(self._devices[device].profiles, oid)

    def confirm(self, device: str, known: bool) -> None:
        """Poll a device at once: it has said that something happened, `known` to matter or not."""
        self._devices[device].confirm(known)

    def stats(self) -> dict[str, Stats]:
        """Requests, timeouts, errors and latency by device."""
        return {name: device.stats for name, device in self._devices.items()}

    def limits(self) -> dict[str, Limits]:
        """Thresholds that devices publish, by point."""
        return {p: one for device in self._devices.values() for p, one in device.limits.items()}
