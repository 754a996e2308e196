"""Somebody between us and a real SNMPv3 device: messages replayed, altered, and left alone again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from collectors.base import CollectError
from collectors.snmp import pdu, v3
from collectors.snmp.ber import encode_oid
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.transport import Transport
from dcim.model.reading import Outage, OutageKind
from tests.collectors.snmp import netsnmp
from tests.collectors.snmp.netsnmp import Snmpd
from tests.collectors.snmp.peers import Sink
from tests.collectors.snmp.test_collector import collecting
from tests.collectors.snmp.test_v3_running import PAIR, PROFILES, good, kinds, watched
from tests.collectors.snmp.test_v3_snmpd import client_of, target

Change = Callable[["Relay", bytes], bytes]


class Relay(asyncio.DatagramProtocol):
    """Hands datagrams on in both directions; answers go through `change`."""

    def __init__(self) -> None:
        self.change: Change = untouched
        self.kept = b""  # the latest answer with data that came through as it was
        self._peer: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    async def before(self, port: int) -> None:
        relay = self

        class Answers(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, peer: Any) -> None:
                if data := relay.change(relay, data):
                    relay._transport.sendto(data, relay._peer)

            def error_received(self, exc: Exception) -> None:
                raise exc

        loop = asyncio.get_running_loop()
        remote = ("127.0.0.1", port)
        self._device, _ = await loop.create_datagram_endpoint(Answers, remote_addr=remote)

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self._peer = peer
        self._device.sendto(data)

    def close(self) -> None:
        self._device.close()
        self._transport.close()


def has_data(data: bytes) -> bool:
    """Whether an answer is signed with a level above a report's."""
    return bool(v3.parse(data).salt) or len(data) > 150


def untouched(relay: Relay, data: bytes) -> bytes:
    if has_data(data):
        relay.kept = data
    return data


def kept_back(relay: Relay, data: bytes) -> bytes:
    untouched(relay, data)
    return b""


def replayed(relay: Relay, data: bytes) -> bytes:
    """An earlier answer instead of the new one; discovery and time go through."""
    return relay.kept if has_data(data) else data


def replayed_whatever_is_asked(relay: Relay, _: bytes) -> bytes:
    return relay.kept


def altered_at(place: int) -> Change:
    def change(_: Relay, data: bytes) -> bytes:
        if not has_data(data):
            return data
        return data[:place] + bytes([data[place] ^ 0x55]) + data[place:][1:]

    return change


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Snmpd]:
    async with netsnmp.snmpd(tmp_path, netsnmp.user_lines([PAIR])) as one:
        yield one


@pytest.fixture
async def relay(agent: Snmpd) -> AsyncIterator[Relay]:
    loop = asyncio.get_running_loop()
    _, one = await loop.create_datagram_endpoint(Relay, local_addr=("127.0.0.1", 0))
    await one.before(agent.port)
    yield one
    one.close()
    await asyncio.sleep(0)


async def outage_at(relay: Relay, transport: Transport, fresh: bool) -> Outage:
    """What is said while the relay is at work: to one that knows the device, or meets it anew."""
    client = client_of(transport, target(relay.port, *PAIR))
    change, relay.change = relay.change, untouched
    await client.get([SYS_UP_TIME])
    relay.change = change
    if fresh:
        client = client_of(transport, target(relay.port, *PAIR))
    client.stats.latency_s = 0.05  # so that silence is told soon
    with pytest.raises(CollectError) as error:
        await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]))
    return error.value.outage


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("change", [replayed, replayed_whatever_is_asked])
async def test_an_authentic_old_message_instead_of_the_answer_is_named(
    relay: Relay, transport: Transport, change: Change, fresh: bool
) -> None:
    relay.change = change
    outage = await outage_at(relay, transport, fresh)
    assert (outage.kind, "replayed" in outage.detail) == (OutageKind.NOT_AUTHENTIC, True)


async def test_wherever_an_answer_is_altered_it_is_not_authentic(
    relay: Relay, transport: Transport
) -> None:
    """Every byte up to the signature, and the last ones."""
    client = client_of(transport, target(relay.port, *PAIR))
    await client.get([SYS_UP_TIME])
    wrong: dict[int, bytes | Outage] = {}
    for place in [*range(len(relay.kept) - 60), -20, -3, -2, -1]:
        relay.change = altered_at(place)
        said = await briefly(transport, client)
        if not isinstance(said, Outage) or said.kind is not OutageKind.NOT_AUTHENTIC:
            wrong[place] = said
    assert wrong == {}
    relay.change = untouched
    assert isinstance((await client.get([SYS_UP_TIME]))[SYS_UP_TIME], int)


async def briefly(transport: Transport, client: Client) -> bytes | Outage:
    """One request, sent once, soon given up."""
    done: asyncio.Future[bytes | Outage] = asyncio.get_running_loop().create_future()
    template = client.access.template(pdu.get([encode_oid(SYS_UP_TIME)]))
    transport.request(
        client.peer, template, lambda _id, said, _s: done.set_result(said), 0.05, tries=1
    )
    return await done


async def test_an_answer_that_is_merely_late_is_no_replay_but_its_repetition_is(
    relay: Relay, transport: Transport
) -> None:
    """It comes when its request has been given up and the next one is under way."""
    client = client_of(transport, target(relay.port, *PAIR))
    await client.get([SYS_UP_TIME])
    said = []
    for change in (kept_back, replayed, replayed):
        relay.change = change
        said.append(await briefly(transport, client))
    kinds = [one.kind for one in said if isinstance(one, Outage)]
    assert kinds[2] is OutageKind.NOT_AUTHENTIC
    assert OutageKind.NOT_AUTHENTIC not in kinds[:2]


@pytest.mark.parametrize("change", [replayed, altered_at(-3)])
async def test_it_is_named_for_as_long_as_it_lasts_and_its_end_is_noticed_soon(
    relay: Relay, sink: Sink, change: Change
) -> None:
    """Silence would be looked for after 2, 4, 8 s; what is there, every 2 s."""
    async with collecting([watched(relay.port)], PROFILES, sink):
        await sink.until(lambda: good(sink))
        begun = len(sink.batches)
        relay.change = change
        await sink.until(lambda: len(kinds(sink, begun)) >= 2)
        await sink.until(lambda: len(kinds(sink, begun)) >= 4)
        assert set(kinds(sink, begun)) == {OutageKind.NOT_AUTHENTIC}
        relay.change = untouched
        back = len(sink.batches)
        async with asyncio.timeout(5.0):
            await sink.until(lambda: good(sink, back))
