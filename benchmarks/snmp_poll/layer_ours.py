"""Our transport, codec and decoding asking some devices again and again; prints CPU us per value.

usage: python -m benchmarks.snmp_poll.layer_ours FOLDER PORT DEVICES GETS values|readings

`values`: a dict of what the device sent, as gufo-snmp gives it. `readings`: what a poll of the
agent makes of it, with the profile in FOLDER.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks.snmp_poll.clients import VALUES
from benchmarks.snmp_poll.responder import host
from collectors.base import Intervals, Target, parse_url
from collectors.catalog import load_catalog
from collectors.snmp.client import Client
from collectors.snmp.message import V2C, Community, decode_pdu
from collectors.snmp.plan import Plan, Size, plans
from collectors.snmp.poll import Poll, Result
from collectors.snmp.survey import snmp_profiles, survey
from collectors.snmp.transport import Transport
from dcim.clock import SystemClock
from dcim.model.reading import Outage
from dcim.supervise import calm_collector

_INTERVALS = Intervals(1.0, 1.0, 1.0)


class _Asker:
    """Counts what comes back and asks anew until there is enough."""

    def __init__(self, transport: Transport, gets: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._left = self._due = gets

    def values(self, client: Client, plan: Plan) -> None:
        """Ask a device for its values; nothing is decoded beyond the codec."""
        template = plan.asks[0].template

        def answered(_request_id: int, answer: bytes | Outage, _took_s: float) -> None:
            if isinstance(answer, Outage):
                raise SystemExit(answer.detail)
            bound = decode_pdu(answer).varbinds
            self._counted(len({varbind.oid: varbind.value for varbind in bound}), ask)

        def ask() -> None:
            self._transport.request(client.peer, template, answered, 1.0)

        self._next(ask)

    def readings(self, client: Client, plan: Plan) -> None:
        """Poll a device as the agent does."""

        def polled(_poll: Poll, result: Result) -> None:
            self._counted(len(result.readings), poll.start)

        poll = Poll(plan, client, self._transport, SystemClock(), polled)
        self._next(poll.start)

    def _counted(self, values: int, ask: Callable[[], None]) -> None:
        if values != VALUES:
            raise SystemExit(f"ours: {values} values of {VALUES}")
        self._due -= 1
        if self._due == 0:
            self.done.set_result(None)
        self._next(ask)

    def _next(self, ask: Callable[[], None]) -> None:
        if self._left > 0:
            self._left -= 1
            ask()


async def measure(folder: Path, port: int, devices: int, gets: int, what: str) -> float:
    transport = Transport(asyncio.get_running_loop())
    profiles = snmp_profiles(load_catalog([folder]))
    ready = []
    for n in range(devices):
        access = Community(V2C, b"public")
        client = Client(transport, (host(n), port), access)
        target = Target(f"d{n}", parse_url(f"snmp://{host(n)}:{port}"))
        found = await survey(client, target, profiles, SystemClock())
        size = Size(client.max_varbinds, client.bulk)
        bindings = found.resolved.bindings
        [plan] = plans(bindings, found.answers, found.columns, _INTERVALS, access, size)
        ready.append((client, plan))
    asker = _Asker(transport, gets)
    ask = asker.values if what == "values" else asker.readings
    await calm_collector([0.0])  # as in the agent
    before = time.process_time()
    for client, plan in ready:
        ask(client, plan)
    await asker.done
    spent = time.process_time() - before
    transport.close()
    return 1e6 * spent / (gets * VALUES)


if __name__ == "__main__":
    port, devices, gets = map(int, sys.argv[2:5])
    print(uvloop.run(measure(Path(sys.argv[1]), port, devices, gets, sys.argv[5])))
