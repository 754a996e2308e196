"""The demo's stage: broker, simulated plant, webhook receiver and agent, each a real program."""

import asyncio
import base64
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from dcim.api.auth import hash_token, new_token
from dcim.cli.output import Stop
from dcim.client import Client, ClientError
from fixtures.peers.broker import broker, free_port
from fixtures.peers.receiver import Receiver, serving
from fixtures.plant.process import PlantProcess, plant_process
from fixtures.site import User, Webhook, demo_config

_START_S = 60  # how long agent and devices may take to come up
TOKEN_ENV = "DCIM_INFLUX_TOKEN"
_SECRET_ENV = "DCIM_DEMO_HOOK_SECRET"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose."""

    seed: int = 1
    store: str | None = None
    past_days: int = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    url: str
    token: str
    plant: PlantProcess
    receiver: Receiver
    client: Client
    folder: Path
    agent: asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def stage(settings: Settings) -> AsyncIterator[Stage]:
    """Start everything, wait until all devices have answered, end everything after."""
    secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    token, port = new_token(), free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dcim-demo-")))
        mqtt = await stack.enter_async_context(broker())
        receiver = await stack.enter_async_context(serving(Receiver(secret)))
        plant = await stack.enter_async_context(
            plant_process(settings.seed, (mqtt.host, mqtt.port))
        )
        store = settings.store or f"embedded:{folder / 'history'}"
        if settings.past_days and store.startswith("embedded:"):
            await write_past(Path(store.removeprefix("embedded:")), settings)
        file = folder / "dcim.toml"
        file.write_text(
            demo_config(
                plant.targets,
                (mqtt.host, mqtt.port),
                folder,
                listen=f"127.0.0.1:{port}",
                store=store,
                token_env=TOKEN_ENV if store.startswith("influx") else None,
                webhooks=[Webhook(receiver.url, secret_env=_SECRET_ENV)],
                users=[User("demo", "supervisor", hash_token(token))],
            ),
            "utf-8",
        )
        agent = await stack.enter_async_context(_agent(file, secret))
        client = await stack.enter_async_context(Client(url, token))
        one = Stage(url, token, plant, receiver, client, folder, agent)
        await _ready(one)
        yield one


@contextlib.asynccontextmanager
async def _agent(file: Path, secret: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`dcim run FILE` as a program of its own; its log stands beside the file."""
    log = file.with_suffix(".log").open("wb")
    with log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dcim", "run", str(file)),
            env=os.environ | {_SECRET_ENV: secret},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=file.parent,
            start_new_session=True,  # ctrl-c in the console is the console's
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(one: Stage) -> None:
    """Wait until every device has answered."""
    for _ in range(_START_S * 4):
        if await _all_answer(one):
            return
        await asyncio.sleep(0.25)
    silent = [d.id for d in await one.client.devices() if d.status != "ok" and d.address]
    raise Stop(f"these devices do not answer: {', '.join(silent)}")


async def _all_answer(one: Stage) -> bool:
    if one.agent.returncode is not None:
        said = (one.folder / "dcim.log").read_text("utf-8", "replace").strip()
        last = said.splitlines()[-1].removeprefix("dcim: ") if said else "it said nothing"
        raise Stop(f"the agent did not start: {last}")
    try:
        devices = await one.client.devices()
    except ClientError:
        return False
    return all(device.status == "ok" for device in devices if device.address)


async def write_past(directory: Path, settings: Settings) -> None:
    """Days of history, before the agent opens the store."""
    from dcim.clock import SystemClock
    from dcim.model.metric import registry
    from dcim.storage.embedded import EmbeddedStore
    from fixtures.plant.past import write_past as past_of

    print(f"writing {settings.past_days} days of history ...", file=sys.stderr, flush=True)
    clock = SystemClock()
    table = await asyncio.to_thread(past_of, settings.past_days, settings.seed, clock.now())
    store = await EmbeddedStore.open(directory, clock, registry())
    try:
        await store.backfill(table)
    finally:
        await store.close()
