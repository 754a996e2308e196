"""Open to everybody: whether the agent is well, and its own figures."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from dcim.api import openmetrics
from dcim.api.access import TheAgent, TheStream
from dcim.api.agent import Agent

_TICK_LIMIT_S = 10.0  # the hub ticks every second
_POLL_LIMIT_S = 60.0
_MISSED_POLLS = 3

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the agent's loop turns and its polling goes on."""

    ok: bool
    uptime_s: float
    last_tick_s: float  # ago; since the start where there was none
    last_poll_s: float | None  # ago; None where nothing is polled
    detail: str = ""


def health(agent: Agent) -> Health:
    now = agent.clock.now()
    tick_s = now - (agent.hub.ticked_at or agent.started)
    poll_s = now - (agent.hub.published_at or agent.started)
    polled = [t for t in agent.targets.values() if t.url.protocol != "mqtt"]
    limit_s = max(
        _POLL_LIMIT_S, _MISSED_POLLS * min((t.intervals.normal for t in polled), default=0.0)
    )
    detail = ""
    if tick_s > _TICK_LIMIT_S:
        detail = f"the agent's loop has not ticked for {tick_s:.0f} s"
    elif polled and poll_s > limit_s:
        detail = f"nothing was polled for {poll_s:.0f} s"
    return Health(
        ok=not detail,
        uptime_s=round(now - agent.started, 3),
        last_tick_s=round(tick_s, 3),
        last_poll_s=round(poll_s, 3) if polled else None,
        detail=detail,
    )


@router.get("/healthz", response_model=Health, responses={503: {"model": Health}})
async def healthz(agent: TheAgent) -> JSONResponse:
    """200 while the agent's loop turns and polls; 503 when it has stalled."""
    found = health(agent)
    return JSONResponse(found.model_dump(), 200 if found.ok else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(agent: TheAgent, stream: TheStream) -> Response:
    """The agent's own figures, as OpenMetrics text."""
    return Response(openmetrics.render(agent, stream), media_type=openmetrics.CONTENT_TYPE)
