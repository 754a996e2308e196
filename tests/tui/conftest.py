"""A console on a fake agent, driven by Textual's pilot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from dcim.client import Backoff, Client
from dcim.clock import ManualClock
from tests.tui import hall
from tests.tui.fake_agent import TOKEN, FakeAgent
from tui.app import ConsoleApp
from tui.state import Link
from tui.view.text import plain

COLOURS = {"TERM": "xterm-256color"}


@pytest.fixture
async def agent() -> AsyncIterator[FakeAgent]:
    fake = FakeAgent(hall.site(), hall.snapshot())
    await fake.start()
    yield fake
    await fake.kill()


class Console:
    """The application under test, its pilot and its clock."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None], clock: ManualClock) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock

    @property
    def text(self) -> str:
        self.app.draw()
        return plain(self.app.picture())

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait for something to become true, at most 10 s."""
        try:
            async with asyncio.timeout(10):
                while not true():
                    await self.pilot.pause(0.01)
        except TimeoutError:
            pytest.fail(f"never: {what or true}\n{self.text}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()


@asynccontextmanager
async def console(
    agent: FakeAgent,
    size: tuple[int, int] = (80, 24),
    *,
    wait: bool = True,
    read_only: bool = False,
    token: str = TOKEN,
) -> AsyncIterator[Console]:
    """A running console; with `wait` it has had its first snapshot."""
    clock = ManualClock(hall.NOW)
    async with Client(agent.url, token) as client:
        app = ConsoleApp(
            client,
            clock,
            read_only=read_only,
            backoff=Backoff(first_s=0.01, longest_s=0.05),
            environ=COLOURS,
        )
        async with app.run_test(size=size) as pilot:
            running = Console(app, pilot, clock)
            if wait:
                await running.until(lambda: app.state.link is Link.UP, "first snapshot")
            yield running
