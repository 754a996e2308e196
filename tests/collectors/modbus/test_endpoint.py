"""The endpoint against a server that misbehaves: every outage by its name, and nobody else late."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from collectors.modbus.collector import probe
from collectors.modbus.connect import endpoint_of
from collectors.modbus.decode import Answer
from collectors.modbus.endpoint import Endpoint, Script
from collectors.modbus.frame import Read
from collectors.modbus.profile import Link
from dcim.clock import ManualClock, SystemClock
from dcim.model.reading import Outage, OutageKind
from tests.collectors.modbus.peers import DEADLINE_S, Peer, answer, framed, peer, profile, target

HELD = {"holding": {address: 100 + address for address in range(200)}}
ONE = profile(
    point=[{"metric": "value", "at": {"address": 3, "type": "u32"}}], link={"timeout_s": 0.15}
)
GOOD = b"\x03\x04\x00\x67\x00\x68"

Reply = Callable[[Peer, int, int, bytes], Awaitable[bytes | None]]


def says(make: Callable[[int, int], bytes | None]) -> Reply:
    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        return make(transaction, unit)

    return reply


async def well(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
    return framed(transaction, unit, answer(HELD, pdu))


async def look(port: int) -> Outage | None:
    where = target(f"modbus://127.0.0.1:{port}/1", "test")
    return (await probe(where, {"test": ONE}, SystemClock())).outage


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda t, u: b"", OutageKind.TIMEOUT),
        (lambda t, u: framed(t + 5, u, GOOD), OutageKind.WRONG_TRANSACTION),
        (lambda t, u: framed(t, u + 1, GOOD), OutageKind.WRONG_UNIT),
        (lambda t, u: framed(t, u, b"\x04" + GOOD[1:]), OutageKind.WRONG_FUNCTION),
        (lambda t, u: framed(t, u, GOOD)[:-2], OutageKind.SHORT_FRAME),
        (lambda t, u: framed(t, u, GOOD[:-2]), OutageKind.SHORT_FRAME),
        (lambda t, u: framed(t, u, b"\x03\x02\x00\x67"), OutageKind.SHORT_FRAME),
        (lambda t, u: framed(t, u, GOOD + b"\0\0"), OutageKind.OVERSIZED_FRAME),
        (lambda t, u: framed(t, u, bytes(300)), OutageKind.OVERSIZED_FRAME),
        (lambda t, u: b"SSH-2.0-OpenSSH_9.2\r\n", OutageKind.MALFORMED),
        (lambda t, u: framed(t, u, b"\x83\x01"), OutageKind.ILLEGAL_FUNCTION),
        (lambda t, u: framed(t, u, b"\x83\x02"), OutageKind.ILLEGAL_ADDRESS),
        (lambda t, u: framed(t, u, b"\x83\x03"), OutageKind.ILLEGAL_VALUE),
        (lambda t, u: framed(t, u, b"\x83\x04"), OutageKind.DEVICE_FAILURE),
        (lambda t, u: framed(t, u, b"\x83\x06"), OutageKind.BUSY),
        (lambda t, u: framed(t, u, b"\x83\x0a"), OutageKind.GATEWAY_PATH),
        (lambda t, u: framed(t, u, b"\x83\x0b"), OutageKind.GATEWAY_TARGET),
        (lambda t, u: None, OutageKind.RESET),
    ],
)
async def test_every_failure_is_an_outage_of_its_own(
    make: Callable[[int, int], bytes | None], kind: OutageKind
):
    async with peer(says(make)) as server:
        outage = await look(server.port)
    assert outage is not None
    assert outage.kind is kind, outage.detail


@pytest.mark.parametrize("exception", [5, 6, 10])
async def test_a_passing_failure_is_asked_again_in_the_same_poll(exception: int):
    asked = 0

    async def every_second(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        nonlocal asked
        asked += 1
        refusal = bytes((pdu[0] | 0x80, exception))
        return framed(transaction, unit, refusal if asked % 2 else answer(HELD, pdu))

    points = [
        {"metric": "value", "component": str(n), "at": {"address": n}} for n in (3, 50, 100, 150)
    ]
    async with peer(every_second) as server:
        where = target(f"modbus://127.0.0.1:{server.port}/1", "test")
        result = await probe(where, {"test": profile(point=points)}, SystemClock())
    assert result.outage is None
    assert [reading.value for reading in result.readings] == [103, 150, 200, 250]
    assert asked == 8


async def test_a_unit_that_its_gateway_has_waited_for_holds_the_line_once():
    asked = 0

    async def gone(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return framed(transaction, unit, b"\x83\x0b")

    points = [{"metric": "value", "component": str(n), "at": {"address": n}} for n in (3, 50, 100)]
    async with peer(gone) as server:
        where = target(f"modbus://127.0.0.1:{server.port}/1", "test")
        result = await probe(where, {"test": profile(point=points)}, SystemClock())
    assert result.outage is not None
    assert result.outage.kind is OutageKind.GATEWAY_TARGET
    assert asked == 1


async def test_a_lasting_failure_is_asked_again_a_few_times_in_all():
    asked = 0

    async def busy(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return framed(transaction, unit, b"\x83\x06")

    points = [
        {"metric": "value", "component": str(n), "at": {"address": n}} for n in (3, 50, 100, 150)
    ]
    async with peer(busy) as server:
        where = target(f"modbus://127.0.0.1:{server.port}/1", "test")
        result = await probe(where, {"test": profile(point=points)}, SystemClock())
    assert result.outage is not None
    assert result.outage.kind is OutageKind.BUSY
    assert asked == 4 + 3  # blocks, repeats


async def test_a_unit_that_is_busy_holds_up_no_other():
    async def one_busy(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, b"\x83\x06" if unit == 1 else answer(HELD, pdu))

    read = Read("holding", 3, 1)
    busy, well = Asked(read), Asked(*[read] * 5)
    async with peer(one_busy) as server, endpoint(server.port, Link()) as one:
        one.submit(0.0, 1, Link(), busy.script())
        one.submit(1.0, 2, Link(), well.script())
        async with asyncio.timeout(DEADLINE_S):
            await well.done.wait()
            assert not busy.done.is_set()
            await busy.done.wait()
    assert [type(reply) for reply in well.replies] == [Answer] * 5


async def test_a_closed_port_refuses():
    async with peer(well) as server:
        port = server.port
    outage = await look(port)
    assert outage is not None
    assert outage.kind is OutageKind.REFUSED


# --- scripts ---


@contextlib.asynccontextmanager
async def endpoint(
    port: int, link: Link, clock: ManualClock | None = None
) -> AsyncIterator[Endpoint]:
    url = target(f"modbus://127.0.0.1:{port}/1").url
    one = endpoint_of(url, link, clock or SystemClock())
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Asked:
    """A script of some reads, with what came of it."""

    def __init__(self, *reads: Read) -> None:
        self.reads = reads
        self.replies: list[Answer | Outage] = []
        self.done = asyncio.Event()

    def script(self) -> Script:
        for read in self.reads:
            self.replies.append((yield read))
        self.done.set()

    async def all(self) -> list[Answer | Outage]:
        async with asyncio.timeout(DEADLINE_S):
            await self.done.wait()
        return self.replies


async def test_the_earliest_deadline_goes_first_and_between_the_reads_of_others():
    async with peer(well) as server, endpoint(server.port, Link()) as one:
        slow = Asked(*(Read("holding", address, 1) for address in range(4)))
        fast = Asked(Read("holding", 100, 1))

        def starts_fast() -> Script:
            yield from slow.script()

        def slow_then() -> Script:
            script = starts_fast()
            read = next(script)
            for number in range(3):
                reply = yield read
                if number == 1:
                    one.submit(1.0, 2, Link(), fast.script())
                read = script.send(reply)
            with contextlib.suppress(StopIteration):
                script.send((yield read))

        one.submit(10.0, 1, Link(), slow_then())
        await slow.all()
        await fast.all()
        assert [request[2] for request in server.requests] == [0, 1, 100, 2, 3]


async def test_a_late_answer_is_dropped_and_never_taken_for_the_next():
    held_back: list[bytes] = []

    async def reply(server: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        said = framed(transaction, unit, answer(HELD, pdu))
        if len(server.requests) == 1:
            held_back.append(said)
            return b""
        return b"".join(held_back) + said

    async with peer(reply) as server, endpoint(server.port, Link(timeout_s=0.1)) as one:
        asked = Asked(Read("holding", 3, 1), Read("holding", 7, 1))
        one.submit(0.0, 1, Link(timeout_s=0.1), asked.script())
        first, second = await asked.all()
        assert isinstance(first, Outage)
        assert first.kind is OutageKind.TIMEOUT
        assert isinstance(second, Answer)
        assert second.data == (107).to_bytes(2, "big")
        assert one.counts["late_answers"] == 1


async def test_a_gateway_with_a_constant_transaction_id_works_where_the_profile_says_so():
    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        return framed(0, unit, answer(HELD, pdu))

    link = Link(any_transaction=True)
    async with peer(reply) as server, endpoint(server.port, link) as one:
        asked = Asked(Read("holding", 3, 1))
        one.submit(0.0, 1, link, asked.script())
        (got,) = await asked.all()
        assert isinstance(got, Answer)


async def test_it_connects_again_after_a_reset():
    async def reply(server: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        if len(server.requests) == 1:
            return None
        return framed(transaction, unit, answer(HELD, pdu))

    async with peer(reply) as server, endpoint(server.port, Link()) as one:
        asked = Asked(Read("holding", 3, 1), Read("holding", 3, 1))
        one.submit(0.0, 1, Link(), asked.script())
        first, second = await asked.all()
        assert isinstance(first, Outage)
        assert first.kind is OutageKind.RESET
        assert isinstance(second, Answer)
        assert server.connections == 2


async def test_all_units_share_one_connection():
    async with peer(well) as server, endpoint(server.port, Link()) as one:
        asked = [Asked(Read("holding", unit, 1)) for unit in range(1, 20)]
        for unit, each in enumerate(asked, 1):
            one.submit(0.0, unit, Link(), each.script())
        for each in asked:
            await each.all()
        assert server.connections == 1
        assert [request[0] for request in server.requests] == list(range(1, 20))


async def test_only_as_many_requests_are_in_flight_as_the_link_bears():
    most = under_way = 0

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return framed(transaction, unit, answer(HELD, pdu))

    async with peer(reply) as server, endpoint(server.port, Link()) as one:
        asked = [Asked(Read("holding", 1, 1)) for _ in range(10)]
        for each in asked:
            one.submit(0.0, 1, Link(), each.script())
        for each in asked:
            await each.all()
        assert most == 1


async def test_after_a_refusal_it_waits_before_it_connects_again():
    clock = ManualClock()
    async with peer(well) as server:
        port = server.port
    async with endpoint(port, Link(), clock) as one:
        asked = Asked(*[Read("holding", 1, 1)] * 3)
        one.submit(0.0, 1, Link(), asked.script())
        kinds = [reply.kind for reply in await asked.all() if isinstance(reply, Outage)]
        assert kinds == [OutageKind.REFUSED] * 3
        assert one.counts["requests"] == 0


async def test_what_is_no_longer_wanted_is_not_sent():
    async with peer(well) as server, endpoint(server.port, Link()) as one:
        dropped, kept = Asked(Read("holding", 1, 1)), Asked(Read("holding", 2, 1))
        one.submit(0.0, 1, Link(), dropped.script(), lambda: False)
        one.submit(1.0, 1, Link(), kept.script())
        await kept.all()
        assert [request[2] for request in server.requests] == [2]


async def test_pauses_after_connecting_and_between_requests_are_kept():
    times: list[float] = []

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        times.append(asyncio.get_running_loop().time())
        return framed(transaction, unit, answer(HELD, pdu))

    link = Link(connect_delay_s=0.1, request_delay_s=0.05)
    async with peer(reply) as server, endpoint(server.port, link) as one:
        start = asyncio.get_running_loop().time()
        asked = Asked(Read("holding", 1, 1), Read("holding", 2, 1))
        one.submit(0.0, 1, link, asked.script())
        await asked.all()
    assert times[0] - start >= 0.095
    assert times[1] - times[0] >= 0.045
