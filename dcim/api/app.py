"""The HTTP application: routes, limits, and errors in one form."""

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dcim import __version__
from dcim.api import actions, events, health, questions
from dcim.api.access import role
from dcim.api.agent import Agent
from dcim.api.stream import Stream

_MAX_BODY = 64 * 1024


def create(agent: Agent, stream: Stream) -> FastAPI:
    """The API of one agent; `stream` is an outlet of its hub."""
    app = FastAPI(
        title="dcim",
        summary="Live truth about the power and cooling plant of an AI data centre",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.agent = agent
    app.state.stream = stream
    for module in (health, questions, actions, events):
        app.include_router(module.router)
    app.add_api_route(
        "/openapi.json",
        lambda: JSONResponse(app.openapi()),
        dependencies=[Depends(role("viewer"))],
        include_in_schema=False,
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(BodyLimit)
    return app


class BodyLimit:
    """Refuses a body of more than 64 KiB, whatever its headers say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > _MAX_BODY:
                raise HTTPException(413, f"a body of more than {_MAX_BODY} bytes")
            return message

        await self._app(scope, limited, send)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """422 with what is wrong, one line; the input itself is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
    ]
    return JSONResponse({"detail": "; ".join(faults[:10])}, 422)
