"""Vendors' traps as net-snmp sends them, in both forms: known, and the device is polled at once."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.base import Intervals
from collectors.profile import Profile, load_profiles
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.traps import TrapLog
from collectors.snmp.traps_receiver import TrapReceiver
from collectors.wheel import Counters, Wheel
from dcim.clock import SystemClock
from fixtures.peers.replay import Recording, ReplayAgent
from tests.collectors.snmp import netsnmp
from tests.collectors.snmp.peers import DEADLINE_S, Latest, Sink, target

PROFILES = Path(__file__).parents[3] / "collectors" / "profiles"
VENDORS = "1.3.6.1.4.1"
# profile, sysObjectID, objects that make it one, enterprise and number of a trap, its meaning
FAMILIES = [
    ("apc_powernet_ups", "318.1.3.2.7", {"318.1.1.1.2.2.1.0": "97"}, "318", 5, "on battery (mode)"),
    (
        "apc_rpdu2",
        "318.1.3.4.6",
        {"318.1.1.26.4.3.1.5.1": "120"},
        "318",
        276,
        "a phase is overloaded (*input/*/load.status)",
    ),
    (
        "apc_cooling",
        "318.1.3.14.9",
        {"318.1.1.13.3.2.2.2.9.0": "210"},
        "318",
        306,
        "a critical alarm came (alarms/count)",
    ),
    ("eaton_xups", "534.1", {"534.1.2.4.0": "97"}, "534.1.11.4.1", 3, "on battery (mode)"),
    (
        "eaton_epdu",
        "534.6.6.7",
        {"534.6.6.7.3.1.1.3.0.1": "500"},
        "534.6.6.7",
        33,
        "an outlet was switched (*outlet/*/switch)",
    ),
    (
        "liebert_gp",
        "476.1.42",
        {"476.1.42.3.4.1.3.1.0": "1"},
        "476.1.42.3.3",
        1,
        "a condition came",
    ),
    (
        "raritan_pdu2",
        "13742.6",
        {"13742.6.5.2.3.1.4.1.1.23": "500"},
        "13742.6",
        65,
        "a sensor of a breaker has changed (*branch/*/breaker)",
    ),
    (
        "servertech_sentry4",
        "1718.4",
        {"1718.4.1.3.3.1.3.1.1": "1200"},
        "1718.4.100",
        22,
        "a water sensor has changed (*water/*/leak)",
    ),
    ("cyberpower", "3808.1.1.1", {"3808.1.1.1.2.2.1.0": "97"}, "3808", 42, "on bypass (mode)"),
    (
        "socomec_ups",
        "4555.1.1.7",
        {"4555.1.1.7.1.2.4.0": "97"},
        "4555.1.1.7.2",
        18,
        "on bypass (mode)",
    ),
    ("mge_ups", "705.1", {"705.1.5.2.0": "97"}, "705.1.11", 13, "on bypass (on_bypass/alarm)"),
    (
        "vertiv_geist_v5",
        "21239.42",
        {"21239.5.2.3.1.1.9.1": "1200"},
        "21239.5.2.32767",
        10328,
        "a phase's current: alarm (input/*/current)",
    ),
    (
        "rittal_cmc3",
        "2606.7",
        {"2606.7.4.1.2.1.6.1": "2", "2606.7.4.2.2.1.3.1.1": "x"},
        "2606.7",
        2,
        "a module's status has changed (module/*/status)",
    ),
    (
        "huawei_ups",
        "2011.6.174",
        {"2011.6.174.1.2.101.1.1.1": "3"},
        "2011.6.174.2.3",
        44,
        "overload: over (output*)",
    ),
    (
        "dell_ups",
        "674.10902.2",
        {"674.10902.2.110.1.0": "3"},
        "674.10902.2.140",
        43,
        "battery low (battery*)",
    ),
    (
        "eltek_smartpack2",
        "12148.10",
        {"12148.10.2.1.0": "1"},
        "12148.10.1.2",
        4,
        "an alarm of the mains (mains*)",
    ),
]


def recording(number: str, objects: dict[str, str]) -> Recording:
    system = [
        "1.3.6.1.2.1.1.1.0|4|A card",
        f"1.3.6.1.2.1.1.2.0|6|{VENDORS}.{number}",
        "1.3.6.1.2.1.1.3.0|67|4711",
    ]
    own = [f"{VENDORS}.{oid}|{2 if v.isdigit() else 4}|{v}" for oid, v in objects.items()]
    return Recording.parse(line.encode() for line in [*system, *own])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (the receiver tells nobody)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("name", "number", "objects", "enterprise", "trap", "meaning"),
    FAMILIES,
    ids=[family[0] for family in FAMILIES],
)
async def test_a_vendors_trap_has_its_device_polled(
    name: str,
    number: str,
    objects: dict[str, str],
    enterprise: str,
    trap: int,
    meaning: str,
    tmp_path: Path,
) -> None:
    profiles: dict[str, Profile] = load_profiles([PROFILES / f"{name}.toml"], {"snmp": SnmpProfile})
    clock, log, sink = SystemClock(), TrapLog(), Sink()
    wheel = Wheel(clock)
    async with (
        await ReplayAgent({"one": recording(number, objects)}).start() as agent,
        asyncio.TaskGroup() as tasks,
    ):
        wanted = [target("one", agent.port, Intervals(60.0, 60.0, 60.0))]
        collector = SnmpCollector(wanted, profiles, sink, clock, wheel, Counters(), Latest())
        receiver = TrapReceiver(
            ("127.0.0.1", 0), wanted, collector, log, clock, tmp_path / "engine.json"
        )
        runs = (wheel.run(), collector.run(), receiver.run())
        jobs = [tasks.create_task(run) for run in runs]
        async with asyncio.timeout(DEADLINE_S):
            await receiver.ready.wait()
        await until(lambda: bool(collector.devices_at("127.0.0.1")))
        asked, where = agent.requests, f"127.0.0.1:{receiver.address[1]}"
        oid = f"{VENDORS}.{enterprise}"
        inform = ("-v2c", "-c", "any", where, "", f"{oid}.0.{trap}")
        assert await netsnmp.run("snmpinform", *inform) == (0, "")
        await until(lambda: agent.requests > asked)
        v1 = ("-v1", "-c", "any", where, oid, "", "6", str(trap), "")
        assert await netsnmp.run("snmptrap", *v1) == (0, "")
        await until(lambda: log.known == 2)
        for job in jobs:
            job.cancel()
    assert [one.hint for one in log.kinds.values()] == [meaning]
    assert (log.unknown, log.informs, log.refused) == (0, 1, {})
