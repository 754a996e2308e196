"""Finds what answers SNMP or Modbus TCP in ranges of addresses; read-only and rate-limited."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from collectors.base import CollectError, Target, Url, parse_url
from collectors.modbus.endpoint import Connection
from collectors.modbus.frame import SENT_BY_UNIT, Read, TcpFraming
from collectors.snmp import pdu
from collectors.snmp.ber import encode_oid
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.survey import access_of, peer_of
from collectors.snmp.transport import Transport
from dcim.model.reading import OutageKind

MOST_ADDRESSES = 65_536  # of one range
_WORKERS = 128
_TRIES = 2
_MODBUS_TIMEOUT_S = 1.5
_HOLDING_0 = Read("holding", 0, 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of every address."""

    communities: Sequence[str] = ("public",)
    snmp_port: int = 161
    modbus_port: int = 502
    units: Sequence[int] = (1,)
    rate: float = 50.0  # questions a second, over all addresses


@dataclass(frozen=True, slots=True)
class Looked:
    """One address asked."""

    host: str
    urls: tuple[str, ...]  # where it answers, SNMP first


def addresses(net: str) -> list[str]:
    """The hosts of `10.0.0.0/24`, `10.0.0.5-20`, `10.0.0.5-10.0.1.9`, an address or a name."""
    if "/" in net:
        network = ipaddress.ip_network(net, strict=False)
        if network.num_addresses > MOST_ADDRESSES:
            raise ValueError(f"{net} has more than {MOST_ADDRESSES} addresses")
        return [str(host) for host in network.hosts()]
    first, dash, last = net.partition("-")
    try:
        start = ipaddress.ip_address(first)
    except ValueError:
        return [net]  # a name, dashes and all
    if not dash:
        return [str(start)]
    if last.isdigit():
        last = f"{first.rpartition('.')[0]}.{last}"
    end = ipaddress.ip_address(last)
    count = int(end) - int(start) + 1
    if end.version != start.version or not 1 <= count <= MOST_ADDRESSES:
        raise ValueError(f"{net} is no range of 1 to {MOST_ADDRESSES} addresses")
    return [str(start + n) for n in range(count)]


async def scan(hosts: Sequence[str], plan: Plan) -> AsyncIterator[Looked]:
    """Each host once, as its answers are in or have failed to come."""
    transport = Transport(asyncio.get_running_loop())
    pace = _Pace(plan.rate)
    waiting = iter(hosts)
    looked: asyncio.Queue[Looked] = asyncio.Queue()

    async def work() -> None:
        for host in waiting:
            snmp = await _snmp(host, plan, pace, transport)
            modbus = await _modbus(host, plan, pace)
            looked.put_nowait(Looked(host, tuple(filter(None, (snmp, modbus)))))

    workers = [
        asyncio.create_task(work(), name=f"scan {n}") for n in range(min(_WORKERS, len(hosts)))
    ]
    try:
        for _ in hosts:
            yield await looked.get()
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        transport.close()


class _Pace:
    """Lets one question pass every so often."""

    def __init__(self, rate: float) -> None:
        self._gap_s = 1 / rate
        self._next = 0.0

    async def turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next = max(self._next, now) + self._gap_s
        await asyncio.sleep(self._next - self._gap_s - now)


async def _snmp(host: str, plan: Plan, pace: _Pace, transport: Transport) -> str | None:
    """The URL by which a host answers SNMP: v2c before v1, in the order of communities."""
    for url in _snmp_urls(host, plan):
        target = Target("scan", parse_url(url))
        for _ in range(_TRIES):
            await pace.turn()
            try:
                peer = await peer_of(target)
                client = Client(transport, peer, access_of(target, peer, transport))
                await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]), tries=1)
            except CollectError as error:
                if error.outage.kind is not OutageKind.TIMEOUT:
                    return None
            else:
                return url
    return None


def _snmp_urls(host: str, plan: Plan) -> Iterator[str]:
    place = f"{_bracketed(host)}:{plan.snmp_port}"
    for query in ("", "?version=1"):
        for community in plan.communities:
            yield f"snmp://{quote(community, safe='')}@{place}{query}"


async def _modbus(host: str, plan: Plan, pace: _Pace) -> str | None:
    """The URL of the first unit that answers; of the first unit asked where none does."""
    await pace.turn()
    connection = Connection(TcpFraming(), Counter())
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_MODBUS_TIMEOUT_S):
            await loop.create_connection(lambda: connection, host, plan.modbus_port)
    except OSError:
        return None
    try:
        for unit in plan.units:
            await pace.turn()
            if await _unit_answers(connection, unit):
                break
        else:
            unit = plan.units[0]
    finally:
        await connection.close()
    return str(Url("modbus", host, plan.modbus_port, str(unit)))


async def _unit_answers(connection: Connection, unit: int) -> bool:
    try:
        await connection.ask(unit, _HOLDING_0, _MODBUS_TIMEOUT_S)
    except CollectError as error:
        return error.outage.kind in SENT_BY_UNIT
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
