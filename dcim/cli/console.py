"""The demo with the console: faults come by `dcim fault`, a leak comes by itself."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from signal import strsignal
from typing import Any

from dcim.cli.demo import CONTROL
from dcim.cli.output import Stop
from dcim.cli.report import LEAK_AT
from dcim.cli.stage import Settings, Stage, stage
from fixtures.plant.process import PlantError

_LEAK_AFTER_S = 30.0


async def console(settings: Settings) -> int:
    """Run the stage and the console on this terminal; the console's exit code."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise Stop("the demo's console needs a terminal; without one: dcim demo --headless")
    print("starting the simulated hall and the agent ...", file=sys.stderr, flush=True)
    async with stage(settings) as one, control(one, CONTROL):
        leak = asyncio.create_task(_leak(one), name="leak")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dcim", "tui", one.url),
            env=os.environ | {"DCIM_TOKEN": one.token},
        )
        code = await process.wait()
        died = obituary(one.agent.returncode, one.folder / "dcim.log")
        leak.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leak
        told = len(one.receiver.deliveries)
        print(f"the demo is over; its webhook receiver got {told} messages", file=sys.stderr)
        if died:
            raise Stop(died)
    return code


def obituary(code: int | None, log: Path) -> str:
    """How the agent ended while the console ran, and its last words; empty where it lives."""
    if code is None:
        return ""
    lines = log.read_text("utf-8", "replace").split("\n") if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    how = f"by signal {-code} ({strsignal(-code)})" if code < 0 else f"with exit code {code}"
    return f"the agent ended {how} while the console ran; its log ends: {last or 'empty'}"


async def _leak(one: Stage) -> None:
    await asyncio.sleep(_LEAK_AFTER_S)
    await one.plant.fault("leak", LEAK_AT)


@contextlib.asynccontextmanager
async def control(one: Stage, path: Path) -> AsyncIterator[None]:
    """A unix socket, for this user only, that takes one fault a connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            if asked["fault"] == "clear":
                answer = await one.plant.clear(at=asked["at"])
            else:
                answer = await one.plant.fault(asked["fault"], asked["at"])
        except (PlantError, ValueError, KeyError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()
        await writer.wait_closed()

    with _place(path) as free:
        if not free:
            print("another demo takes the faults of `dcim fault`", file=sys.stderr, flush=True)
            yield
            return
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield
        finally:
            server.close()


@contextlib.contextmanager
def _place(path: Path) -> Iterator[bool]:
    """A folder of this user's only, with nothing where the socket goes; False: it is in use."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as other:
        if other.connect_ex(str(path)) == 0:
            yield False
            return
    path.unlink(missing_ok=True)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


async def command(path: Path, fault: str, at: str) -> str:
    """Have the running demo switch a fault; what it answered."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        raise Stop("no demo runs here: start `dcim demo` in another terminal") from None
    writer.write(json.dumps({"fault": fault, "at": at}).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    if "error" in answer:
        raise Stop(answer["error"])
    return told(answer)


def told(answer: dict[str, Any]) -> str:
    """What the demo did, for people."""
    if "cleared" in answer:
        mended = [_named(one) for one in answer["cleared"]]
        return f"cleared: {', '.join(mended)}" if mended else "no fault was on"
    sure = [_alarm_id(alarm) for alarm in answer["expected"] if alarm["always"]]
    perhaps = [_alarm_id(alarm) for alarm in answer["expected"] if not alarm["always"]]
    later = f"; later perhaps {', '.join(perhaps)}" if perhaps else ""
    return f"{_named(answer)}: expect {', '.join(sure) or 'no alarm'}{later}"


def _alarm_id(alarm: dict[str, Any]) -> str:
    return f"{alarm['rule']}@{alarm['address']}"


def _named(fault: dict[str, Any]) -> str:
    return f"{fault['fault']} at {fault['at']}" if fault["at"] else str(fault["fault"])
