"""Requests against an agent that drops, delays, refuses and lies."""

import asyncio
import socket
from collections.abc import Awaitable

import pytest
import uvloop

from collectors.base import CollectError
from collectors.snmp import pdu
from collectors.snmp.ber import Missing, encode_oid
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.message import V1, V2C, Community
from collectors.snmp.transport import Transport
from dcim.model.reading import Outage, OutageKind
from fixtures.peers.replay import Recording, ReplayAgent
from tests.collectors.snmp.peers import UPS

TABLE = "1.3.6.1.4.1.9999.2.1"


def client(
    transport: Transport,
    agent: ReplayAgent,
    name: str = "ups",
    version: int = V2C,
    tries: int = 5,
) -> Client:
    access = Community(version, name.encode())
    return Client(transport, ("127.0.0.1", agent.port), access, tries=tries)


def table(rows: int = 50, columns: int = 3) -> Recording:
    lines = [
        f"{TABLE}.{c}.{r}|2|{c * 1000 + r}" for c in range(1, columns + 1) for r in range(rows)
    ]
    return Recording.parse("\n".join(lines).encode().splitlines())


async def fails(ask: Awaitable[object]) -> Outage:
    with pytest.raises(CollectError) as caught:
        await ask
    return caught.value.outage


async def test_one_request_in_ten_lost_costs_no_value(transport, agent):
    agent.behaviour.drop_share = 0.1
    one = client(transport, agent)
    one.stats.latency_s = 0.001
    answers = await asyncio.gather(*(one.get([SYS_UP_TIME]) for _ in range(500)))
    assert [a[SYS_UP_TIME] for a in answers] == [4711] * 500
    assert agent.dropped > 20
    assert transport.counts.timeouts == 0


async def test_silence_is_a_timeout(transport, agent):
    outage = await fails(client(transport, agent, "wrong community", tries=1).get([SYS_UP_TIME]))
    assert outage.kind is OutageKind.TIMEOUT
    assert "wrong community" in outage.detail
    assert transport.counts.timeouts == 1


@pytest.mark.skipif(not hasattr(socket, "MSG_ERRQUEUE"), reason="the OS does not tell")
async def test_a_closed_port_is_refused_at_once(transport):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = Client(transport, ("127.0.0.1", port), Community(V2C, b"public"))
    async with asyncio.timeout(0.9):
        outage = await fails(one.get([SYS_UP_TIME]))
    assert outage.kind is OutageKind.REFUSED


@pytest.mark.skipif(not hasattr(socket, "MSG_ERRQUEUE"), reason="the OS does not tell")
async def test_nobody_is_called_back_before_his_request_has_returned(transport):
    """A second request meets the refusal of the first while it is being sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    template = Community(V2C, b"public").template(pdu.get([encode_oid(SYS_UP_TIME)]))
    returned: list[int] = []
    early: list[int] = []
    done = asyncio.Event()

    def answered(request_id: int, answer: object, took_s: float) -> None:
        if request_id not in returned:
            early.append(request_id)
        if len(returned) == 50:
            done.set()

    for _ in range(50):
        returned.append(transport.request(("127.0.0.1", port), template, answered, 1.0))
    async with asyncio.timeout(5):
        await done.wait()
    assert early == []


@pytest.mark.skipif(not hasattr(socket, "MSG_ERRQUEUE"), reason="the OS does not tell")
@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_refusal_leaves_the_socket_hearing(new_loop):
    """libuv stops watching a descriptor that once reports an error."""

    async def ask() -> None:
        transport = Transport(asyncio.get_running_loop())
        recording = Recording.parse(UPS.splitlines())
        async with await ReplayAgent({"ups": recording}).start("127.0.0.1") as well:
            one = Client(transport, ("127.0.0.2", well.port), Community(V2C, b"ups"))
            assert (await fails(one.get([SYS_UP_TIME]))).kind is OutageKind.REFUSED
            assert await client(transport, well, "ups", tries=1).get([SYS_UP_TIME])
        transport.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(ask())


async def test_an_answer_from_another_address_is_ignored_and_counted(transport):
    loop = asyncio.get_running_loop()
    asked, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (asked, other):
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    one = Client(transport, asked.getsockname(), Community(V2C, b"public"), tries=1)
    question = asyncio.create_task(fails(one.get([SYS_UP_TIME])))
    data, peer = await loop.sock_recvfrom(asked, 2000)
    await loop.sock_sendto(other, data.replace(b"\xa0", b"\xa2", 1), peer)
    outage = await question
    assert outage.kind is OutageKind.FOREIGN
    assert transport.counts.foreign == 1
    asked.close()
    other.close()


async def test_cut_off_and_foreign_bytes_are_malformed(transport, agent):
    agent.behaviour.truncate = True
    outage = await fails(client(transport, agent).get([SYS_UP_TIME]))
    assert outage.kind is OutageKind.MALFORMED


async def test_a_device_that_takes_five_varbinds_is_asked_for_no_more(transport, agent):
    agent.recordings["t"] = table(rows=40, columns=1)
    agent.behaviour.max_varbinds = 5
    one = client(transport, agent, "t")
    names = [f"{TABLE}.1.{n}" for n in range(40)]
    assert list((await one.get(names)).values()) == [1000 + n for n in range(40)]
    assert one.max_varbinds <= 5


@pytest.mark.parametrize("version", [V1, V2C])
async def test_what_is_not_there_is_missing_and_the_rest_is_intact(transport, agent, version):
    one = client(transport, agent, version=version)
    nothing = "1.3.6.1.2.1.1.99.0"
    answers = await one.get([SYS_UP_TIME, nothing, "1.3.6.1.2.1.33.1.2.4.0"])
    assert list(answers.items()) != []
    assert answers == {
        SYS_UP_TIME: 4711,
        nothing: Missing.NO_SUCH_INSTANCE,
        "1.3.6.1.2.1.33.1.2.4.0": 97,
    }


async def test_an_object_the_agent_fails_on_does_not_cost_the_others(transport, agent):
    broken = "1.3.6.1.2.1.33.1.2.4.0"
    agent.behaviour.gen_err = {broken}
    one = client(transport, agent)
    answers = await one.get([SYS_UP_TIME, broken])
    assert answers == {SYS_UP_TIME: 4711, broken: Missing.NO_SUCH_INSTANCE}
    assert one.stats.errors == 1


@pytest.mark.parametrize("version", [V1, V2C])
@pytest.mark.parametrize("max_bytes", [1472, 300])
async def test_a_walk_gives_every_row_of_its_columns_and_no_other(
    transport, agent, version, max_bytes
):
    agent.recordings["t"] = table()
    agent.behaviour.max_bytes = max_bytes
    found = await client(transport, agent, "t", version).walk([f"{TABLE}.1", f"{TABLE}.3"])
    assert found == {f"{TABLE}.{c}.{r}": c * 1000 + r for c in (1, 3) for r in range(50)}


@pytest.mark.parametrize("version", [V1, V2C])
async def test_a_walk_that_does_not_advance_ends_and_says_so(transport, agent, version):
    agent.recordings["t"] = table()
    agent.behaviour.repeat = True
    one = client(transport, agent, "t", version)
    async with asyncio.timeout(5):
        await one.walk([f"{TABLE}.2"])
    assert one.fault is not None
    assert one.fault.kind is OutageKind.NOT_INCREASING


async def test_a_late_answer_to_the_first_try_counts(transport, agent):
    agent.behaviour.delay_s = 0.3
    one = client(transport, agent)
    one.stats.latency_s = 0.001  # known as fast: the first try is given up after 0.2 s
    assert await one.get([SYS_UP_TIME]) == {SYS_UP_TIME: 4711}
    assert transport.counts.retries == 1


async def test_both_families_are_asked_by_one_transport(transport, agent):
    six = type(agent)(agent.recordings)
    try:
        await six.start("::1")
    except OSError:
        pytest.skip("no IPv6 on loopback")
    async with six:
        one = Client(transport, ("::1", six.port), Community(V2C, b"ups"))
        assert await one.get([SYS_UP_TIME]) == {SYS_UP_TIME: 4711}
        assert await client(transport, agent).get([SYS_UP_TIME]) == {SYS_UP_TIME: 4711}


async def test_an_error_status_without_an_index_is_narrowed_down(transport, agent):
    response = await client(transport, agent).ask(pdu.get([encode_oid("1.3.6.1.2.1.1.99.0")]))
    assert response.varbinds[0].value is Missing.NO_SUCH_INSTANCE
