"""The console in a terminal: a client of the agent's HTTP API."""

import asyncio
import os
import signal
import sys

from dcim.client import Client
from dcim.clock import SystemClock


def run(url: str, token: str | None, *, read_only: bool = False) -> int:
    """Run the console on this terminal until its user leaves; the exit code."""
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    if not terminal or os.environ.get("TERM", "dumb") == "dumb":
        print(
            "the console needs a terminal; `dcim status` and `dcim alarms` print the same as text",
            file=sys.stderr,
        )
        return 1
    # a terminal that has gone (a lost ssh session) ends the console, also below nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ["TEXTUAL_ANIMATIONS"] = "none"  # read when textual is first imported
    return asyncio.run(_console(url, token, read_only))


async def _console(url: str, token: str | None, read_only: bool) -> int:
    from tui.app import ConsoleApp

    async with Client(url, token) as client:
        app = ConsoleApp(client, SystemClock(), read_only=read_only)
        await app.run_async(mouse=False)
        return app.return_code or 0
