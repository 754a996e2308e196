"""The API's client against a small agent on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from dcim.client import Backoff, Client, ClientError, ErrorKind, SseParser, default_token
from dcim.model.wire import ActionOut, Event
from tests.tui import hall
from tests.tui.fake_agent import TOKEN, FakeAgent

LEAK = "leak@leak-row1/zone/2/leak"


@pytest.fixture
async def agent():
    fake = FakeAgent(hall.site(), hall.snapshot())
    await fake.start()
    yield fake
    await fake.kill()


@pytest.fixture
async def client(agent):
    async with Client(agent.url, TOKEN) as made:
        yield made


async def test_addresses_and_alarm_ids_travel_whole(agent, client):
    point = await client.point("cdu-2/loop/secondary/temperature.supply")
    assert point.value == 47.5
    await client.ack(LEAK, 2, "valve shut")
    assert agent.requests[-1] == (
        "POST",
        f"/v1/alarms/{LEAK}/ack",
        {"occurrence": 2, "comment": "valve shut"},
    )


async def test_a_foreign_occurrence_is_an_answer_and_no_error(agent, client):
    agent.answer = (409, ActionOut(result="returned", detail="that occurrence is over"))
    answer = await client.ack(LEAK, 1, "late")
    assert (answer.result, answer.detail) == ("returned", "that occurrence is over")


@pytest.mark.parametrize(
    ("code", "detail"),
    [(409, "this agent runs without a configuration file"), (403, "viewer"), (422, "occurrence")],
)
async def test_other_refusals_are_what_the_server_said(agent, client, code, detail):
    agent.answer = (code, {"detail": detail})
    with pytest.raises(ClientError, match=detail) as caught:
        await client.reset(LEAK, 2)
    assert caught.value.kind is ErrorKind.SERVER


async def test_a_wrong_token_is_unauthorised(agent):
    async with Client(agent.url, "wrong") as client:
        with pytest.raises(ClientError, match="no such token") as caught:
            await client.site()
        assert caught.value.kind is ErrorKind.UNAUTHORISED
        with pytest.raises(ClientError) as caught:
            await anext(client.events())
        assert caught.value.kind is ErrorKind.UNAUTHORISED


async def test_nobody_there_is_no_connection(agent):
    async with Client(agent.url, TOKEN) as client:
        await agent.kill()
        with pytest.raises(ClientError, match=f"{agent.url}: nobody answers; is") as caught:
            await client.status()
        assert caught.value.kind is ErrorKind.NO_CONNECTION
        await agent.start()


@asynccontextmanager
async def peer(last: bytes) -> AsyncIterator[str]:
    """Something that reads up to `last` and hangs up without a word; its address."""
    over = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(last)
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(5):
            await over.wait()


async def test_an_agent_that_says_nothing_is_named():
    async with peer(b"never") as url, Client(url, TOKEN, timeout_s=0.2) as client:
        with pytest.raises(ClientError, match=f"{url}: no answer in time") as caught:
            await client.status()
        assert caught.value.kind is ErrorKind.NO_CONNECTION


async def test_what_is_no_agent_is_named():
    async with peer(b"\r\n\r\n") as url, Client(url, TOKEN) as client:
        with pytest.raises(ClientError, match=f"{url}: broke off"):
            await client.status()


async def test_an_answer_of_another_form_is_refused(agent, client):
    agent.answer = (200, {"result": "perhaps"})
    with pytest.raises(ClientError) as caught:
        await client.unshelve(LEAK, 2)
    assert caught.value.kind is ErrorKind.SERVER


async def test_trend_asks_for_the_span(client):
    trend = await client.trend("cdu-1/flow", hall.NOW - 3600, hall.NOW, 450)
    assert trend.buckets[0].ts == "2026-11-21T20:14:05.000Z"


async def test_events_begin_with_a_snapshot_and_go_on(agent, client):
    async with asyncio.timeout(5), aclosing(client.events(["cdu-*/loop/*", "dc1/*"])) as events:
        first = await anext(events)
        assert (first.kind, len(first.alarms)) == ("snapshot", len(hall.alarms()))
        assert agent.selections == ["cdu-*/loop/*,dc1/*"]
        await agent.push(Event(kind="delta", seq=2, points=[hall.point("dc1/pue", 1.2)]))
        second = await anext(events)
        assert second.points[0].value == 1.2


async def test_follow_tells_the_error_and_takes_the_stream_up_again(agent, client):
    quick = Backoff(first_s=0.01, longest_s=0.02)
    async with asyncio.timeout(10), aclosing(client.follow(["dc1/*"], quick)) as items:
        assert isinstance(await anext(items), Event)
        await agent.kill()
        error = await anext(items)
        assert isinstance(error, ClientError)
        assert error.kind is ErrorKind.NO_CONNECTION
        await agent.start()
        while isinstance(item := await anext(items), ClientError):
            pass
        assert item.kind == "snapshot"
        assert agent.last_event_ids == [None, "1"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_whatever_the_pieces_they_come_in(size):
    stream = (
        b': keep-alive\n\nevent: delta\r\nid: 7\r\ndata: {"a":\r\ndata:  "\xe6\xb3\x84"}\r\n\r\n'
        b"data:two\r\rretry: 5\n\ndata\n\nhalf: of"
    )
    parser = SseParser()
    events = []
    for start in range(0, len(stream), size):
        events += parser.feed(stream[start : start + size])
    assert events == ['{"a":\n "泄"}', "two", ""]


def test_back_off_grows_with_chance_and_ends_at_the_longest():
    low, high = Backoff(chance=lambda: 0.0), Backoff(chance=lambda: 1.0)
    assert [low.next_s() for _ in range(6)] == [1, 2, 4, 8, 15, 15]
    assert [high.next_s() for _ in range(3)] == [1.5, 3, 6]
    low.reset()
    assert low.next_s() == 1


def test_the_token_of_the_environment_goes_before_the_file(tmp_path: Path):
    file = tmp_path / "token"
    assert default_token({}, file) is None
    file.write_text("from-file\n")
    assert default_token({}, file) == "from-file"
    assert default_token({"DCIM_TOKEN": " from-env "}, file) == "from-env"
