"""The event stream, over a real socket: snapshot, deltas, resync, resumption."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from dcim.api.stream import Stream, merge
from dcim.client import Client, SseParser
from dcim.clock import ManualClock
from dcim.model.reading import Reading
from dcim.model.wire import Event
from tests.dcim.api.running import DEADLINE_S, TOKENS, VOLTAGE, WET, Running, bearer


class Events:
    """One open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_bytes()
        self._parser = SseParser()
        self._ready: list[Event] = []

    async def next(self) -> Event:
        """The next event; StopAsyncIteration where the stream has ended."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._ready:
                chunk = await anext(self._chunks)
                self._ready += map(Event.model_validate_json, self._parser.feed(chunk))
        return self._ready.pop(0)


@asynccontextmanager
async def follow(
    http: httpx.AsyncClient, select: str = "", last: object = None, role: str = "viewer"
) -> AsyncIterator[Events]:
    headers = bearer(role) | ({} if last is None else {"Last-Event-ID": str(last)})
    params = {"select": select} if select else {}
    async with http.stream("GET", "/v1/events", params=params, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)


async def test_a_snapshot_has_points_alarms_and_status(running: Running, served: httpx.AsyncClient):
    running.leak("wet")
    async with follow(served, "ups-a/input/*") as events:
        snapshot = await events.next()
    assert snapshot.kind == "snapshot"
    assert snapshot.seq == running.stream.seq
    assert [(p.point, p.value) for p in snapshot.points] == [(VOLTAGE, 230.5)]
    assert [alarm.id for alarm in snapshot.alarms] == [f"leak@{WET}"]
    assert snapshot.status is not None
    assert snapshot.status.user == "viewer"


async def test_points_come_once_a_second_and_only_the_latest(
    running: Running, served: httpx.AsyncClient
):
    async with follow(served, "ups-a/*") as events:
        await events.next()
        for value in (231.0, 232.0, 233.0):
            running.publish("ups-a", running.reading(VOLTAGE, value))
        running.publish("ups-a", running.reading("rack-r01/power.active", 1.0))
        running.stream.flush()
        delta = await events.next()
    assert [(p.point, p.value) for p in delta.points] == [(VOLTAGE, 233.0)]
    assert delta.status is not None


async def test_an_alarm_comes_at_once(running: Running, served: httpx.AsyncClient):
    async with follow(served) as events:
        await events.next()
        running.leak("wet")
        delta = await events.next()
    assert [(a.id, a.state) for a in delta.alarms] == [(f"leak@{WET}", "unacknowledged")]
    assert delta.points == []
    assert delta.status is None


async def test_what_a_person_does_reaches_the_others(running: Running, served: httpx.AsyncClient):
    running.leak("wet")
    async with follow(served) as events:
        await events.next()
        path = f"/v1/alarms/leak@{WET}/ack"
        await served.post(path, json={"occurrence": 1}, headers=bearer("operator"))
        delta = await events.next()
    assert [(a.state, a.ack_by) for a in delta.alarms] == [("acknowledged", "operator")]


async def test_a_broken_stream_goes_on_where_it_broke_off(
    running: Running, served: httpx.AsyncClient
):
    async with follow(served, "ups-a/*") as events:
        seq = (await events.next()).seq
    running.publish("ups-a", running.reading(VOLTAGE, 240.0))
    running.stream.flush()
    running.leak("wet")
    async with follow(served, "ups-a/*", last=seq) as events:
        missed = await events.next()
    assert missed.kind == "delta"
    assert missed.seq == running.stream.seq
    assert [(p.point, p.value) for p in missed.points] == [(VOLTAGE, 240.0)]
    assert [a.id for a in missed.alarms] == [f"leak@{WET}"]


@pytest.mark.parametrize("last", ["0", "99999999999999999999", "x", "-1", "\u00b2"])
async def test_an_id_of_long_ago_or_of_nobody_gets_a_snapshot(served: httpx.AsyncClient, last: str):
    headers = bearer("viewer") | {"Last-Event-ID": last.encode("latin-1").decode("latin-1")}
    encoded = httpx.Headers([(k.encode(), v.encode("latin-1")) for k, v in headers.items()])
    async with served.stream("GET", "/v1/events", headers=encoded) as response:
        assert (await Events(response).next()).kind == "snapshot"


async def test_a_client_that_was_away_too_long_gets_a_snapshot(
    running: Running, served: httpx.AsyncClient
):
    async with follow(served) as events:
        seq = (await events.next()).seq
    for _ in range(30):
        running.stream.flush()
    async with follow(served, last=seq) as events:
        assert (await events.next()).kind == "snapshot"


async def test_a_client_that_falls_out_of_the_ring_is_told_and_let_go(
    running: Running, served: httpx.AsyncClient
):
    async with follow(served) as events:
        await events.next()
        for _ in range(30):  # all at once: nothing can be sent in between
            running.stream.flush()
        assert (await events.next()).kind == "resync"
        with pytest.raises(StopAsyncIteration):
            await events.next()
    assert running.stream.resyncs == 1


async def test_there_is_room_for_so_many_clients_and_no_more(
    running: Running, served: httpx.AsyncClient
):
    async with follow(served), follow(served), follow(served), follow(served) as fourth:
        await fourth.next()
        fifth = await served.get("/v1/events", headers=bearer("viewer"))
        assert fifth.status_code == 503
        assert fifth.json()["detail"] == "4 clients follow the events already"


async def test_a_client_that_goes_leaves_its_place(running: Running, served: httpx.AsyncClient):
    async with follow(served) as events:
        await events.next()
        assert running.stream.clients == 1
    async with asyncio.timeout(DEADLINE_S):
        while running.stream.clients:
            await served.get("/healthz")


async def test_the_stream_of_a_user_taken_away_ends(running: Running, served: httpx.AsyncClient):
    async with follow(served) as events:
        await events.next()
        running.agent.users = ()
        running.stream.flush()
        with pytest.raises(StopAsyncIteration):
            await events.next()


async def test_a_long_snapshot_is_whole(running: Running, served: httpx.AsyncClient):
    count = 3500
    readings = [running.reading(f"ups-a/outlet/{n}/current", float(n)) for n in range(count)]
    running.publish("ups-a", *readings)
    async with follow(served, "ups-a/outlet/*") as events:
        snapshot = await events.next()
    assert {p.point for p in snapshot.points} == {r.point for r in readings}


async def test_the_suites_own_client_understands_it(running: Running, served: httpx.AsyncClient):
    async with Client(running.url, TOKENS["operator"]) as client:
        assert [rack.id for rack in await client.racks()] == ["rack-r01", "rack-r02"]
        running.leak("wet")
        done = await client.ack(f"leak@{WET}", 1, "seen")
        assert (done.result, done.alarm and done.alarm.ack_by) == ("accepted", "operator")
        assert (await client.ack(f"leak@{WET}", 2)).result == "returned"
        assert (await client.trend(VOLTAGE, 1.7e9 - 600, 1.7e9, 60)).unit == "V"
        async for event in client.events(["ups-a/*"]):
            assert event.kind == "snapshot"
            break


def test_a_restarted_agent_uses_no_number_twice():
    clock = ManualClock()
    before = Stream(clock)
    for _ in range(10):
        before.flush()
    clock.advance(10)
    after = Stream(clock)
    assert not after.holds(before.seq)
    assert after.seq > before.seq


def test_nothing_is_kept_for_clients_that_are_long_gone():
    clock = ManualClock()
    stream = Stream(clock)
    place = stream.open()
    first = stream.seq
    stream.flush()
    place.close()
    clock.advance(60)
    stream.flush()
    assert stream.holds(first)
    clock.advance(1)
    stream.flush()
    assert not stream.holds(first)
    assert stream.holds(stream.seq)


def test_the_ring_is_bounded_by_readings_too():
    stream = Stream(ManualClock(), readings=100)
    first = stream.seq
    for second in range(5):
        stream.readings([Reading(f"d/outlet/{n}/current", 1.0, second) for n in range(30)])
        stream.flush()
    assert not stream.holds(first)
    assert len(merge(stream.after(first + 2)).points) == 30
