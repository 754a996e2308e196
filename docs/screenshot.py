"""Draw docs/console.svg: the console on the simulated hall, a leak under row 1."""

import asyncio
from pathlib import Path

from dcim.cli.stage import Settings, stage
from dcim.client import Client
from dcim.clock import SystemClock
from tui.app import ConsoleApp

HERE = Path(__file__).parent
_SETTLE_S = 40.0


async def main() -> None:
    async with stage(Settings(past_days=1)) as one:
        await asyncio.sleep(_SETTLE_S)
        await one.plant.fault("leak", "row-1")
        async with Client(one.url, one.token) as client:
            app = ConsoleApp(client, SystemClock())
            async with app.run_test(size=(100, 30)) as pilot:
                await asyncio.sleep(6.0)
                await pilot.pause()
                drawing = app.export_screenshot(title="dcim tui")
    (HERE / "console.svg").write_text(drawing, "utf-8")


asyncio.run(main())
