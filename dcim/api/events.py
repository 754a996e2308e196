"""GET /v1/events: a snapshot, then what changes, as server-sent events.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, HTTPException
from fastapi.responses import StreamingResponse

from dcim.api import views
from dcim.api.access import TheAgent, TheStream, Viewer
from dcim.api.agent import Agent
from dcim.api.questions import Select, selection
from dcim.api.stream import Resync, Stream, Subscription
from dcim.config import User
from dcim.model.wire import Event

router = APIRouter(prefix="/v1", tags=["events"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"model": Event, "content": {"text/event-stream": {}}}},
)
async def events(
    agent: TheAgent,
    stream: TheStream,
    user: Viewer,
    select: Select = None,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> StreamingResponse:
    """A snapshot, then every second what has changed; alarms at once.

    `Last-Event-ID` takes up where a stream broke off, if that is not too long ago. A client that
    is too slow gets `resync` and must open a new stream.
    """
    chosen = selection(select)
    if stream.clients >= stream.max_clients:
        raise HTTPException(503, f"{stream.max_clients} clients follow the events already")
    resumed = _resumed(stream, last_event_id)
    body = _events(agent, stream, user, chosen, resumed)
    return StreamingResponse(body, media_type="text/event-stream", headers=_HEADERS)


def _resumed(stream: Stream, last_event_id: str | None) -> int | None:
    """Where to go on; None where a snapshot is needed."""
    if last_event_id is None or not (last_event_id.isascii() and last_event_id.isdigit()):
        return None
    seq = int(last_event_id)
    return seq if stream.holds(seq) else None


async def _events(
    agent: Agent, stream: Stream, user: User, chosen: views.Selection, resumed: int | None
) -> AsyncIterator[bytes]:
    place = stream.open()
    try:
        if resumed is None:
            async for part in _snapshot(agent, place.seq, user, chosen):
                yield part
        else:
            place.seq = resumed
        while True:
            try:
                said = await _delta(agent, place, user, chosen)
            except Resync:
                yield _event("resync", place.seq, {})
                return
            if said is None:
                return
            yield said
    finally:
        place.close()


async def _snapshot(
    agent: Agent, seq: int, user: User, chosen: views.Selection
) -> AsyncIterator[bytes]:
    """One event in many pieces, so that polling goes on meanwhile."""
    readings = chosen.of(list(agent.live.readings.values()))
    rest = _json(
        {
            "alarms": [one.model_dump(mode="json") for one in views.alarms(agent)],
            "status": views.status(agent, user).model_dump(mode="json"),
        }
    )
    yield b'id: %d\nevent: snapshot\ndata: {"kind":"snapshot","seq":%d,"points":[' % (seq, seq)
    for part in views.points_json(readings, agent.registry):
        yield part
        await asyncio.sleep(0)
    yield b"]," + rest[1:] + b"\n\n"


async def _delta(
    agent: Agent, place: Subscription, user: User, chosen: views.Selection
) -> bytes | None:
    """The next change; None where the stream ends or the user is no more."""
    delta = await place.next()
    if delta is None or user not in agent.users:
        return None
    points = [views.point_fields(r, agent.registry) for r in chosen.of(delta.points.values())]
    body: dict[str, Any] = {
        "points": points,
        "alarms": [views.alarm(agent, one).model_dump(mode="json") for one in delta.alarms],
    }
    if delta.tick:
        body["status"] = views.status(agent, user).model_dump(mode="json")
    return _event("delta", delta.seq, body)


def _event(kind: str, seq: int, body: dict[str, Any]) -> bytes:
    data = _json({"kind": kind, "seq": seq, **body})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, kind.encode(), data)


def _json(value: Any) -> bytes:
    return orjson.dumps(value)
