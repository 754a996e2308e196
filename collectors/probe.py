"""Probe devices once: identify each, read it, say what it says. Many in parallel."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from collectors.base import ProbeResult, Target
from collectors.modbus.collector import Lines
from collectors.modbus.collector import probe as probe_modbus
from collectors.mqtt.collector import probe as probe_mqtt
from collectors.profile import Profile
from collectors.snmp.survey import probe as probe_snmp
from collectors.snmp.transport import Transport
from dcim.clock import Clock


async def probe_all(
    targets: Sequence[Target], profiles: Mapping[str, Profile], clock: Clock, at_once: int = 32
) -> AsyncIterator[tuple[Target, ProbeResult]]:
    """Results as they come, `at_once` devices at a time; all SNMP devices share one socket.

    Modbus units behind one gateway share one connection.
    """
    places = asyncio.Semaphore(at_once)
    transport = Transport(asyncio.get_running_loop())
    lines = Lines(clock)

    async def one(target: Target) -> tuple[Target, ProbeResult]:
        async with places:
            if target.url.protocol == "snmp":
                return target, await probe_snmp(target, profiles, clock, transport)
            if target.url.protocol == "modbus":
                return target, await probe_modbus(target, profiles, clock, lines)
            return target, await probe_mqtt(target, profiles, clock)

    tasks = [asyncio.create_task(one(target), name=f"probe {target.url}") for target in targets]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await lines.close()
        transport.close()
