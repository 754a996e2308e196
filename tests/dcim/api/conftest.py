"""The agent's API: called in the same process, or on a real socket where streams matter."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from dcim.api.app import create
from tests.dcim.api.running import DEADLINE_S, Running


@pytest.fixture
def running() -> Running:
    """A filled agent."""
    agent = Running()
    agent.fill()
    return agent


@pytest.fixture
async def http(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, without a socket."""
    transport = httpx.ASGITransport(create(running.agent, running.stream))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client


@pytest.fixture
async def served(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token of an agent that listens."""
    app = create(running.agent, running.stream)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    running.port = listener.getsockname()[1]
    task = asyncio.create_task(server.serve([listener]), name="api")
    try:
        async with httpx.AsyncClient(
            base_url=running.url, timeout=DEADLINE_S, trust_env=False
        ) as client:
            yield client
    finally:
        running.stream.close()
        server.should_exit = True
        async with asyncio.timeout(DEADLINE_S):
            await task
        listener.close()
