"""pysnmp asking one device again and again, decoding only; prints CPU microseconds per value.

usage: python -m benchmarks.snmp_poll.pysnmp_alone SHAPE PORT SECONDS
"""

import asyncio
import sys
import time

from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    bulk_cmd,
    get_cmd,
)

from benchmarks.snmp_poll.clients import VALUES
from benchmarks.snmp_poll.responder import ROOT, host


async def ask(shape: str, port: int, seconds: float) -> float:
    engine = SnmpEngine()
    target = await UdpTransportTarget.create((host(0), port))
    common = (engine, CommunityData("public"), target, ContextData())
    started, cpu, values = time.monotonic(), time.process_time(), 0
    while time.monotonic() - started < seconds:
        if shape == "scalars":
            names = [ObjectType(ObjectIdentity(f"{ROOT}.1.{n}.0")) for n in range(1, VALUES + 1)]
            error, status, _, binds = await get_cmd(*common, *names, lookupMib=False)
        else:
            names = [ObjectType(ObjectIdentity(f"{ROOT}.2.1.{column}")) for column in (2, 3)]
            rows = VALUES // len(names)
            error, status, _, binds = await bulk_cmd(*common, 0, rows, *names, lookupMib=False)
        if error or status or len(binds) != VALUES:
            raise SystemExit(f"pysnmp: {error or status or len(binds)}")
        values += sum(int(value) >= 0 for _, value in binds)
    engine.close_dispatcher()
    return 1e6 * (time.process_time() - cpu) / values


if __name__ == "__main__":
    print(asyncio.run(ask(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
