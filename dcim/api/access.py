"""What a request may do: its agent, its user, its role."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dcim.api.agent import Agent
from dcim.api.auth import Busy, allows
from dcim.api.stream import Stream
from dcim.config import User

_bearer = HTTPBearer(auto_error=False, description="A token that `dcim user add` printed")


def agent_of(request: Request) -> Agent:
    agent: Agent = request.app.state.agent
    return agent


def stream_of(request: Request) -> Stream:
    stream: Stream = request.app.state.stream
    return stream


TheAgent = Annotated[Agent, Depends(agent_of)]
TheStream = Annotated[Stream, Depends(stream_of)]


async def signed_in(
    agent: TheAgent, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> User:
    """The token's user, or 401."""
    if given is None:
        raise _unauthorised("no token: send the header Authorization: Bearer TOKEN")
    try:
        user = await agent.authority.user(given.credentials, agent.users)
    except Busy as error:
        raise HTTPException(503, str(error)) from None
    if user is None:
        raise _unauthorised("the token is nobody's")
    return user


def role(needed: str) -> Callable[[User], Awaitable[User]]:
    """A dependency: the user, if the role is enough, or 403."""

    async def check(user: Annotated[User, Depends(signed_in)]) -> User:
        if not allows(user.role, needed):
            raise HTTPException(403, f"{user.name} is a {user.role}; this needs {needed}")
        return user

    return check


Viewer = Annotated[User, Depends(role("viewer"))]
Operator = Annotated[User, Depends(role("operator"))]
Supervisor = Annotated[User, Depends(role("supervisor"))]


def _unauthorised(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})
