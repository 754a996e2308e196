"""gufo-snmp asking some devices again and again; prints CPU microseconds per value.

usage: python -m benchmarks.snmp_poll.layer_gufo PORT DEVICES GETS

Run by a Python that has gufo-snmp and uvloop and nothing of ours.
"""

import asyncio
import sys
import time

import uvloop
from gufo.snmp import SnmpVersion
from gufo.snmp.aio import SnmpSession

from benchmarks.snmp_poll.clients import VALUES
from benchmarks.snmp_poll.responder import ROOT, host

_OIDS = [f"{ROOT}.1.{n}.0" for n in range(1, VALUES + 1)]


async def measure(port: int, devices: int, gets: int) -> float:
    each = gets // devices
    sessions = [
        SnmpSession(addr=host(n), port=port, community="public", version=SnmpVersion.v2c)
        for n in range(devices)
    ]
    for session in sessions:
        await session.get_many(_OIDS)
    before = time.process_time()
    await asyncio.gather(*(_ask(session, each) for session in sessions))
    return 1e6 * (time.process_time() - before) / (each * devices * VALUES)


async def _ask(session: SnmpSession, gets: int) -> None:
    for _ in range(gets):
        if len(await session.get_many(_OIDS)) != VALUES:
            raise SystemExit("gufo-snmp: values are missing")


if __name__ == "__main__":
    print(uvloop.run(measure(*map(int, sys.argv[1:]))))
