"""What an operator may do to an alarm, and a supervisor to the agent."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import ConfigDict, Field

from dcim import log
from dcim.api import views
from dcim.api.access import Operator, Supervisor, TheAgent
from dcim.api.agent import Action, Agent
from dcim.config import User
from dcim.model.wire import AckIn, ActionOut, ShelveIn

router = APIRouter(prefix="/v1", tags=["actions"])

_REFUSED = {
    "ack": "there is nothing to acknowledge",
    "reset": "only an acknowledged, latched alarm whose condition is gone can be reset",
    "shelve": "this role may not put that alarm aside for so long",
    "unshelve": "the alarm is not shelved",
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ActionOut, "description": "another occurrence, or refused"}
}


class Ack(AckIn):
    """Which occurrence, and why; who it is, the token says."""

    model_config = ConfigDict(extra="forbid", title="Ack")
    occurrence: Annotated[int, Field(ge=0, le=2**53)]
    comment: Annotated[str, Field(max_length=1000)] = ""


class Shelve(ShelveIn):
    model_config = ConfigDict(extra="forbid", title="Shelve")
    occurrence: Annotated[int, Field(ge=0, le=2**53)]
    duration_s: Annotated[float, Field(gt=0, le=366 * 86400, allow_inf_nan=False)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


@router.post("/alarms/{alarm_id:path}/ack", responses=_CONFLICT)
async def ack(
    agent: TheAgent, user: Operator, alarm_id: str, body: Ack, response: Response
) -> ActionOut:
    """Acknowledge one occurrence of an alarm."""
    now = agent.clock.now()
    _known(agent, alarm_id)
    done = agent.alarms.ack(alarm_id, body.occurrence, user.name, body.comment, now)
    return await _outcome(agent, user, "ack", alarm_id, done, response)


@router.post("/alarms/{alarm_id:path}/reset", responses=_CONFLICT)
async def reset(
    agent: TheAgent, user: Operator, alarm_id: str, body: Ack, response: Response
) -> ActionOut:
    """Un-latch an acknowledged alarm whose condition is gone."""
    now = agent.clock.now()
    _known(agent, alarm_id)
    done = agent.alarms.reset(alarm_id, body.occurrence, user.name, body.comment, now)
    return await _outcome(agent, user, "reset", alarm_id, done, response)


@router.post("/alarms/{alarm_id:path}/shelve", responses=_CONFLICT)
async def shelve(
    agent: TheAgent, user: Operator, alarm_id: str, body: Shelve, response: Response
) -> ActionOut:
    """Put an alarm aside for a time, within what the role may do for its priority."""
    _known(agent, alarm_id)
    done = agent.alarms.shelve(
        alarm_id,
        body.occurrence,
        duration_s=body.duration_s,
        reason=body.reason,
        user=user.name,
        role=user.role,
        now=agent.clock.now(),
    )
    return await _outcome(agent, user, "shelve", alarm_id, done, response)


@router.post("/alarms/{alarm_id:path}/unshelve", responses=_CONFLICT)
async def unshelve(
    agent: TheAgent, user: Operator, alarm_id: str, body: Ack, response: Response
) -> ActionOut:
    """Take a shelved alarm back before its time."""
    _known(agent, alarm_id)
    done = agent.alarms.unshelve(alarm_id, body.occurrence, user.name, agent.clock.now())
    return await _outcome(agent, user, "unshelve", alarm_id, done, response)


@router.post("/reload")
async def reload(agent: TheAgent, user: Supervisor) -> dict[str, str]:
    """Read the configuration again; a faulty file changes nothing."""
    if agent.reload is None:
        raise HTTPException(409, "this agent runs without a configuration file")
    try:
        said = await agent.reload()
    except ValueError as error:
        raise HTTPException(409, str(error)) from None
    log.get("api").info("configuration reloaded", user=user.name)
    return {"detail": said}


def _known(agent: Agent, alarm_id: str) -> None:
    if agent.alarms.get(alarm_id) is None:
        raise HTTPException(404, f"no alarm {alarm_id!r}")


async def _outcome(
    agent: Agent, user: User, verb: str, alarm_id: str, done: Action, response: Response
) -> ActionOut:
    result, events = done
    if events:
        agent.hub.announce(events)
        if agent.kept is not None and not await asyncio.to_thread(agent.kept):
            raise HTTPException(503, f"{verb} was done, but is not on disk yet: the disk is slow")
    log.get("api").info("alarm action", verb=verb, alarm=alarm_id, user=user.name, result=result)
    after = agent.alarms.get(alarm_id)
    detail = ""
    if result == "returned":
        detail = "that occurrence is over"
    elif result == "refused":
        detail = _REFUSED[verb]
    if detail:
        response.status_code = 409
    return ActionOut.model_validate(
        {
            "result": str(result),
            "detail": detail,
            "alarm": views.alarm(agent, after) if after else None,
        }
    )
