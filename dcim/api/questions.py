"""What a viewer may ask."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse

from dcim.api import views
from dcim.api.access import TheAgent, Viewer
from dcim.api.agent import Agent
from dcim.api.times import parse_span, parse_time, usual_step
from dcim.model.metric import Registry
from dcim.model.reading import Reading, metric_of, object_of
from dcim.model.wire import (
    AlarmOut,
    DeviceOut,
    ExplainOut,
    PointOut,
    RackOut,
    SiteOut,
    StatusOut,
    TrapsOut,
    TrendOut,
    UsageOut,
    point_out,
)
from dcim.storage.store import StoreDown

router = APIRouter(prefix="/v1", tags=["questions"])

Select = Annotated[
    str | None,
    Query(max_length=8000, description="Glob patterns of addresses, comma-separated; default all"),
]


@router.get("/points", response_model=list[PointOut])
async def points(agent: TheAgent, user: Viewer, select: Select = None) -> StreamingResponse:
    """The latest reading of every selected point."""
    body = _array(list(agent.live.readings.values()), selection(select), agent.registry)
    return StreamingResponse(body, media_type="application/json")


@router.get("/points/{address:path}")
async def point(agent: TheAgent, user: Viewer, address: str) -> PointOut:
    """The latest reading of one point."""
    return point_out(_reading(agent, address), agent.registry)


@router.get("/explain/{address:path}")
async def explain(agent: TheAgent, user: Viewer, address: str) -> ExplainOut:
    """Where a point's value comes from, and what watches it."""
    return views.explain(agent, _reading(agent, address))


@router.get("/alarms")
async def alarms(agent: TheAgent, user: Viewer) -> list[AlarmOut]:
    """Every alarm that is not normal, the shelved and suppressed among them; gravest first."""
    return views.alarms(agent)


@router.get("/traps")
async def traps(agent: TheAgent, user: Viewer) -> TrapsOut:
    """SNMP traps and informs: counted, the latest of each kind and sender; newest first."""
    return agent.traps()


@router.get("/racks")
async def racks(agent: TheAgent, user: Viewer) -> list[RackOut]:
    """Every rack with its power, its share of the limit, its feeds and its alarms."""
    return views.racks(agent)


@router.get("/devices")
async def devices(agent: TheAgent, user: Viewer) -> list[DeviceOut]:
    """Every device: what it is and how it is doing."""
    return views.devices(agent)


@router.get("/site")
async def site(agent: TheAgent, user: Viewer) -> SiteOut:
    """The tree of places, the graphs of power and cooling, the metering boundary."""
    return views.site(agent)


@router.get("/status")
async def status(agent: TheAgent, user: Viewer) -> StatusOut:
    """How the agent itself is doing."""
    return views.status(agent, user)


@router.get("/trend")
async def trend(
    agent: TheAgent,
    user: Viewer,
    point: Annotated[str, Query(max_length=300)],
    start: Annotated[str, Query(alias="from", max_length=40)] = "-1h",
    end: Annotated[str, Query(alias="to", max_length=40)] = "now",
    step: Annotated[str | None, Query(max_length=40)] = None,
) -> TrendOut:
    """A point over time: mean, lowest, highest and last of every step.

    Times are RFC 3339, `now`, or a span back (`-6h`); a step is `60`, `5m`, `1h`.
    """
    metric = agent.registry.get(metric_of(point))
    if metric is None:
        raise HTTPException(404, f"no point {point!r}: the registry has no such metric")
    now = agent.clock.now()
    start_s, end_s = _time("from", start, now), _time("to", end, now)
    if end_s <= start_s:
        raise HTTPException(422, "query.to: expected a time after from")
    step_s = _span("step", step) if step else usual_step(end_s - start_s)
    try:
        buckets = await agent.store.trend(point, start_s, end_s, step_s)
    except ValueError as error:
        raise HTTPException(422, f"query: {error}") from None
    except StoreDown as error:
        raise HTTPException(503, f"the store does not answer: {error}") from None
    if point not in agent.live.readings and not any(bucket.count for bucket in buckets):
        raise HTTPException(404, f"no point {point!r}")
    return TrendOut(point=point, unit=metric.unit, step_s=step_s, buckets=buckets)


@router.get("/usage")
async def usage(
    agent: TheAgent,
    user: Viewer,
    start: Annotated[str, Query(alias="from", max_length=40)] = "-15m",
    end: Annotated[str, Query(alias="to", max_length=40)] = "now",
) -> UsageOut:
    """PUE, WUE and CUE of a window within the last hours, by energy and water."""
    now = agent.clock.now()
    start_s, end_s = _time("from", start, now), _time("to", end, now)
    if end_s <= start_s:
        raise HTTPException(422, "query.to: expected a time after from")
    if agent.usage is None:
        raise HTTPException(409, "this agent keeps no energy")
    return agent.usage(start_s, end_s)


def selection(text: str | None) -> views.Selection:
    """The points a query selects, or 422."""
    try:
        return views.Selection(text)
    except ValueError as error:
        raise HTTPException(422, f"query.select: {error}") from None


def _reading(agent: Agent, address: str) -> Reading:
    reading = agent.live.readings.get(address)
    if reading is None:
        owner = object_of(address)
        known = owner in agent.site.devices or len(agent.site.path(owner)) > 1
        what = f"{owner} has no point {address!r}" if known else f"nothing is called {owner!r}"
        raise HTTPException(404, what)
    return reading


async def _array(
    readings: Sequence[Reading], chosen: views.Selection, registry: Registry
) -> AsyncIterator[bytes]:
    yield b"["
    for part in views.points_json(readings, chosen, registry):
        yield part
        await asyncio.sleep(0)  # polling goes on meanwhile
    yield b"]"


def _time(name: str, text: str, now: float) -> float:
    try:
        return parse_time(text, now)
    except ValueError as error:
        raise HTTPException(422, f"query.{name}: {error}") from None


def _span(name: str, text: str) -> float:
    try:
        return parse_span(text)
    except ValueError as error:
        raise HTTPException(422, f"query.{name}: {error}") from None
