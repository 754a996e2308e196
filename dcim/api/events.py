"""GET /v1/events: a snapshot, then what changes, as server-sent events.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, HTTPException
from fastapi.responses import StreamingResponse

from dcim.api import views
from dcim.api.access import TheAgent, TheStream, Viewer
from dcim.api.agent import Agent
from dcim.api.questions import Select, selection
from dcim.api.stream import Resync, Stream
from dcim.config import User
from dcim.model.reading import Reading
from dcim.model.wire import AlarmOut, Event

router = APIRouter(prefix="/v1", tags=["events"])

_MOST_OUT = 10  # devices named with every tick; GET /v1/status names all
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
            readings = list(agent.live.readings.values())
            rest = {"alarms": _alarms(views.alarms(agent)), "status": _status(agent, stream, user)}
            async for part in _event("snapshot", place.seq, readings, chosen, agent, rest):
                yield part
        else:
            place.seq = resumed
        while (delta := await place.next()) is not None and user in agent.users:
            rest = {"alarms": _alarms(views.alarm(agent, one) for one in delta.alarms)}
            if delta.tick:
                rest["status"] = _status(agent, stream, user)
            readings = list(delta.points.values())
            async for part in _event("delta", delta.seq, readings, chosen, agent, rest):
                yield part
    except Resync:
        async for part in _event("resync", place.seq, [], chosen, agent, {}):
            yield part
    finally:
        place.close()


async def _event(
    kind: str,
    seq: int,
    readings: Sequence[Reading],
    chosen: views.Selection,
    agent: Agent,
    rest: Mapping[str, Any],
) -> AsyncIterator[bytes]:
    """One event in pieces, so that polling goes on meanwhile."""
    head = orjson.dumps({"kind": kind, "seq": seq, **rest})
    yield b"id: %d\nevent: %s\ndata: %s" % (seq, kind.encode(), head[:-1])
    yield b',"points":['
    for part in views.points_json(readings, chosen, agent.registry):
        yield part
        await asyncio.sleep(0)
    yield b"]}\n\n"


def _alarms(alarms: Iterable[AlarmOut]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in alarms]


def _status(agent: Agent, stream: Stream, user: User) -> dict[str, Any]:
    """The agent's status, counted once for all clients, and whose token this is."""
    common = stream.once(
        stream.seq, lambda: views.status(agent, most_out=_MOST_OUT).model_dump(mode="json")
    )
    return common | {"user": user.name, "role": user.role}
