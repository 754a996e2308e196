"""An agent of a few lines on a real socket: site, event stream, answers to alarms."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, unquote

from dcim.model.reading import rfc3339
from dcim.model.wire import ActionOut, Event, SiteOut, TrendBucket, TrendOut

TOKEN = "secret-token"


class FakeAgent:
    """Serves what it is given; keeps what it was asked."""

    def __init__(self, site: SiteOut, snapshot: Event) -> None:
        self.site = site
        self.snapshot = snapshot
        self.answer: tuple[int, ActionOut | dict[str, Any]] = (200, ActionOut(result="accepted"))
        self.requests: list[tuple[str, str, dict[str, Any]]] = []  # method, path, body
        self.selections: list[str] = []
        self.last_event_ids: list[str | None] = []
        self.streams: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Gone at once, in the middle of whatever it was saying."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def push(self, event: Event) -> None:
        for writer in list(self.streams):
            writer.write(sse(event))
            await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                await self._answer_one(line, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            self.streams.discard(writer)
            writer.close()

    async def _answer_one(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, target, _ = first.decode().split()
        headers = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or "{}")
        path, _, query = target.partition("?")
        self.requests.append((method, unquote(path), body))
        if headers.get("authorization") != f"Bearer {TOKEN}":
            _reply(writer, 401, b'{"detail": "no such token"}')
        elif path == "/v1/events":
            self.last_event_ids.append(headers.get("last-event-id"))
            self.selections.append(parse_qs(query).get("select", [""])[0])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            writer.write(sse(self.snapshot))
            self.streams.add(writer)
        else:
            _reply(writer, *self._content(method, path, parse_qs(query)))
        await writer.drain()

    def _content(self, method: str, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if method == "POST":
            code, answer = self.answer
            said = answer.model_dump_json() if isinstance(answer, ActionOut) else json.dumps(answer)
            return code, said.encode()
        if path == "/v1/site":
            return 200, self.site.model_dump_json().encode()
        if path == "/v1/status":
            assert self.snapshot.status is not None
            return 200, self.snapshot.status.model_dump_json().encode()
        if path == "/v1/points":
            return 200, json.dumps([p.model_dump() for p in self.snapshot.points]).encode()
        if path == "/v1/alarms":
            return 200, json.dumps([a.model_dump() for a in self.snapshot.alarms]).encode()
        if path == "/v1/trend":
            start = query["from"][0]
            buckets = [TrendBucket(ts=start, mean=40.0 + n) for n in range(8)]
            trend = TrendOut(point=query["point"][0], unit="degC", step_s=450, buckets=buckets)
            return 200, trend.model_dump_json().encode()
        if path.startswith("/v1/points/"):
            wanted = unquote(path.removeprefix("/v1/points/"))
            for point in self.snapshot.points:
                if point.point == wanted:
                    return 200, point.model_dump_json().encode()
        return 404, b'{"detail": "no such thing"}'


def sse(event: Event) -> bytes:
    return f"event: {event.kind}\nid: {event.seq}\ndata: {event.model_dump_json()}\n\n".encode()


def _reply(writer: asyncio.StreamWriter, code: int, body: bytes) -> None:
    head = f"HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body)


async def serve(port: int) -> None:
    """For looking at the console by hand: values move a little, once a second."""
    import math
    import time

    from tests.tui import hall

    shift = time.time() - hall.NOW
    now = time.time()

    def moved(text: str | None) -> str | None:
        from datetime import datetime

        return None if text is None else rfc3339(datetime.fromisoformat(text).timestamp() + shift)

    snapshot = hall.snapshot(now=now)
    for item in snapshot.points:
        item.ts = moved(item.ts) or ""
    for alarm in snapshot.alarms:
        alarm.raised_at = moved(alarm.raised_at) or ""
        alarm.acked_at, alarm.shelved_until = moved(alarm.acked_at), moved(alarm.shelved_until)
    agent = FakeAgent(hall.site(), snapshot)
    agent.port = port
    await agent.start()
    base = {p.point: p.value for p in snapshot.points}
    for second in range(10**6):
        await asyncio.sleep(1)
        now = time.time()
        changed = []
        for index, item in enumerate(snapshot.points):
            value = base[item.point]
            if value is not None and item.quality == "good" and (index + second) % 5 == 0:
                item.value = value * (1 + 0.02 * math.sin(second / 7 + index))
                item.ts = rfc3339(now)
                changed.append(item)
        snapshot.status = hall.status(now=now)
        await agent.push(
            Event(kind="delta", seq=second + 2, points=changed, status=snapshot.status)
        )


if __name__ == "__main__":
    import sys

    asyncio.run(serve(int(sys.argv[1])))
