"""The one place that wires: from a configuration to a running agent."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import uvicorn

from collectors.base import Target
from collectors.modbus.collector import ModbusCollector
from collectors.mqtt.collector import MqttCollector
from collectors.snmp.client import Stats
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.traps import TrapLog
from collectors.snmp.traps_receiver import TrapReceiver
from collectors.wheel import Counters, Wheel
from dcim import __version__, log
from dcim.api.agent import Agent as ApiAgent
from dcim.api.app import create
from dcim.api.stream import Stream
from dcim.api.views import trap_counts, traps_out
from dcim.clock import Clock, SystemClock
from dcim.config import Config, ConfigError, MissingSecret, WebhookSettings, load
from dcim.hub import Hub
from dcim.live import Live
from dcim.model.reading import rfc3339
from dcim.model.wire import UsageOut
from dcim.notify.body import assets_of
from dcim.notify.outbox import Outbox
from dcim.notify.sender import Webhook
from dcim.notify.webhooks import TestResult, Webhooks
from dcim.storage.journal import Journal
from dcim.storage.open import open_store
from dcim.storage.spool import Spool
from dcim.storage.store import StoreError
from dcim.storage.writer import StoreWriter
from dcim.supervise import calm_collector, keep_running, tell_systemd
from rules.alarms import AlarmEngine
from rules.metrics import MetricEngine
from rules.rule import RuleError, RuleSet, builtin
from rules.rule import load as load_rules
from rules.usage import Usage

COLLECTORS: dict[str, type[SnmpCollector] | type[ModbusCollector] | type[MqttCollector]] = {
    "snmp": SnmpCollector,
    "modbus": ModbusCollector,
    "mqtt": MqttCollector,
}
_log = log.get("agent")


class StartError(Exception):
    """The agent cannot start; one clear line."""


class Plant:
    """What a configuration decides, from collectors to alarms; a reload makes a new one."""

    def __init__(self, agent: "Agent", config: Config, before: "Plant | None" = None) -> None:
        self.config = config
        self.metrics: MetricEngine = (
            before.metrics
            if before is not None and before.config.site == config.site
            else MetricEngine(config.site, config.registry, agent.live.readings)
        )
        self.alarms = AlarmEngine(read_rules(config), config.site, config.registry)
        self.webhooks: Webhooks = make_webhooks(
            config, agent.outbox, agent.clock, agent.live, before.webhooks if before else None
        )
        outlets = (agent.journal, self.webhooks, agent.stream, agent.writer)
        self.hub = Hub(agent.clock, agent.live, self.metrics, self.alarms, outlets)
        self.wheel = Wheel(agent.clock)
        self.counters: dict[str, Counters] = (
            before.counters if before else {name: Counters() for name in COLLECTORS}
        )
        self._clock = agent.clock
        self.requests: Callable[[], Mapping[str, Stats]] = dict  # by device
        self.endpoints: Callable[[], Mapping[str, Mapping[str, int]]] = dict  # counts by kind
        self._traps = agent.traps

    def start(self, group: asyncio.TaskGroup) -> Sequence[asyncio.Task[None]]:
        """Start polling; cancel all the tasks to stop."""
        jobs = {"wheel": self.wheel.run, "tick": self._tick, "webhooks": self.webhooks.run}
        for name, collector in COLLECTORS.items():
            targets = [t for t in self.config.targets if t.url.protocol == name]
            if targets or (name == "snmp" and self.config.agent.traps is not None):
                one = collector(
                    targets,
                    self.config.profiles,
                    self.hub,
                    self._clock,
                    self.wheel,
                    self.counters[name],
                )
                jobs[name] = one.run
                if isinstance(one, SnmpCollector):
                    self.requests = one.stats
                if isinstance(one, ModbusCollector):
                    self.endpoints = one.counts
                if isinstance(one, SnmpCollector) and self.config.agent.traps is not None:
                    jobs["traps"] = self._trap_receiver(one, targets, self.config.agent.traps).run
        return [group.create_task(keep_running(name, job), name=name) for name, job in jobs.items()]

    def _trap_receiver(
        self, polled: SnmpCollector, targets: Sequence[Target], listen: tuple[str, int]
    ) -> TrapReceiver:
        file = self.config.agent.state_dir / "snmp-engine.json"
        return TrapReceiver(listen, targets, polled, self._traps, self._clock, file)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.hub.tick()
            tell_systemd("WATCHDOG=1")


class Agent:
    """A running agent: what outlives a reload, and the present Plant."""

    def __init__(self, file: Path, config: Config, clock: Clock) -> None:
        self.file = file
        self.clock = clock
        self.live = Live()
        self.stream = Stream(clock)
        self.traps = TrapLog()
        self._config = config
        self._reloads: asyncio.Queue[Config] = asyncio.Queue(1)

    async def run(self) -> None:
        """Serve until cancelled. StartError where the port, the store or a file is not to be had."""
        state = self._config.agent.state_dir
        async with contextlib.AsyncExitStack() as stack:
            listener = stack.enter_context(
                contextlib.closing(_listen(self._config.agent.host, self._config.agent.port))
            )
            try:
                state.mkdir(parents=True, exist_ok=True)
                store = await open_store(
                    self._config.store.text,
                    self.clock,
                    self._config.registry,
                    token=self._config.store.token,
                    site=self._config.site.id,
                )
                stack.push_async_callback(store.close)
                self.journal = stack.enter_context(Journal(state / "journal.db"))
                self.outbox = stack.enter_context(Outbox(state / "outbox.db", Random()))
                spool = Spool(state / "spool.db", self._config.agent.spool_mb << 20)
                stack.callback(spool.close)
            except (StoreError, OSError, sqlite3.Error) as error:
                raise StartError(f"cannot use {state}: {error}") from None
            self.writer = StoreWriter(store, spool, self.clock)
            await self._serve(listener)

    async def _serve(self, listener: socket.socket) -> None:
        plant = Plant(self, self._config)
        plant.hub.announce(plant.alarms.restore(self.journal.open_alarms(), self.clock.now()))
        api = ApiAgent(
            site=plant.config.site,
            timezone=plant.config.agent.timezone,
            registry=plant.config.registry,
            targets={},
            users=(),
            clock=self.clock,
            live=self.live,
            hub=plant.hub,
            alarms=plant.alarms,
            store=self.writer.store,
            store_status=self.writer.status,
            reload=self.reload,
            traps=lambda: traps_out(self.traps),
            trap_counts=lambda: trap_counts(self.traps),
            kept=self.journal.flush,
        )
        server = _Server(
            uvicorn.Config(create(api, self.stream), log_config=None, lifespan="off", ws="none")
        )
        async with asyncio.TaskGroup() as group:
            for name, job in (("store", self.writer.run), ("stream", self.stream.run)):
                group.create_task(keep_running(name, job), name=name)
            group.create_task(server.serve([listener]), name="api")
            group.create_task(calm_collector(), name="garbage collector")
            _on_hangup(lambda: group.create_task(self._hangup(), name="reload"))
            tell_systemd("READY=1")
            _log.info("agent started", site=plant.config.site.id, devices=len(plant.config.targets))
            await self._plants(plant, api, group)

    async def _plants(self, plant: Plant, api: ApiAgent, group: asyncio.TaskGroup) -> None:
        """Run one plant after the other, one a reload."""
        while True:
            self._present(plant, api)
            tasks = plant.start(group)
            config = await self._reloads.get()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            after = Plant(self, config, plant)
            await asyncio.to_thread(self.journal.flush)
            after.hub.announce(after.alarms.restore(self.journal.open_alarms(), self.clock.now()))
            for state in self.live.devices.values():
                if state.identity is not None:
                    after.hub.identified(state.identity)
            plant = after
            _log.info("configuration read again", devices=len(config.targets))

    def _present(self, plant: Plant, api: ApiAgent) -> None:
        """Let the API speak for `plant`."""
        config = plant.config
        wanted = {target.device for target in config.targets}
        for gone in self.live.devices.keys() - wanted:
            self.live.remove_device(gone)
        for device in wanted:
            self.live.add_device(device)
        api.site, api.registry, api.timezone = config.site, config.registry, config.agent.timezone
        api.targets = {target.device: target for target in config.targets}
        api.users, api.alarms, api.hub = config.users, plant.alarms, plant.hub
        api.usage = lambda start, end: _usage(plant.metrics.window(start, end))
        api.polls, api.webhooks_status = plant.counters, plant.webhooks.status
        api.requests = lambda: plant.requests()
        api.endpoints = lambda: plant.endpoints()

    async def reload(self) -> str:
        """Read the file again; ValueError names every fault, and nothing has changed then."""
        try:
            config = await asyncio.to_thread(load, self.file, os.environ)
            _check(config)
        except ConfigError as error:
            raise ValueError("\n".join(map(str, error.faults))) from None
        except (MissingSecret, RuleError) as error:
            raise ValueError(str(error)) from None
        fixed = [
            name
            for name in ("host", "port", "state_dir", "spool_mb")
            if getattr(config.agent, name) != getattr(self._config.agent, name)
        ]
        if fixed or config.store != self._config.store:
            what = ", ".join(fixed or ["store"])
            raise ValueError(f"a change of [agent] {what} needs a restart; nothing was changed")
        if self._reloads.full():
            raise ValueError("another reload is under way")
        self._config = config
        self._reloads.put_nowait(config)
        return f"{self.file}: {len(config.targets)} devices"

    async def _hangup(self) -> None:
        try:
            await self.reload()
        except ValueError as error:
            _log.error("configuration not taken over", faults=str(error))


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the agent's loop has them."""

    def install_signal_handlers(self) -> None:
        """None."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _usage(usage: Usage) -> UsageOut:
    times = {"start": rfc3339(usage.start), "end": rfc3339(usage.end)}
    return UsageOut.model_validate(asdict(usage) | times)


def read_rules(config: Config) -> RuleSet:
    """The suite's rules and the site's own; RuleError lists every fault."""
    return load_rules([*builtin(), *config.rules])


def _check(config: Config) -> None:
    """What the file itself cannot show: RuleError for rules, ValueError for a webhook's secret."""
    read_rules(config)
    for settings in config.webhooks:
        try:
            _webhook(settings).keys()
        except ValueError as error:
            raise ValueError(f"webhooks.{settings.name}: secret: {error}") from None


def make_webhooks(
    config: Config, outbox: Outbox, clock: Clock, live: Live, before: Webhooks | None = None
) -> Webhooks:
    def kind_of(device: str) -> str:
        state = live.devices.get(device)
        return state.identity.kind if state and state.identity else ""

    return Webhooks(
        [_webhook(settings) for settings in config.webhooks],
        outbox,
        clock,
        site=config.site.id,
        asset=assets_of(config.site, kind_of),
        version=__version__,
        random=Random(),
        before=before,
    )


def _webhook(settings: WebhookSettings) -> Webhook:
    return Webhook(
        name=settings.name,
        url=settings.url,
        secrets=(settings.secret,) if settings.secret else (),
        min_priority=settings.min_priority,
        heartbeat_s=settings.heartbeat_s,
        allow_loopback=settings.allow_loopback,
    )


async def test_webhooks(config: Config, name: str | None) -> list[TestResult]:
    """Send `webhook.test` to every webhook, or to one; nothing else of the agent runs."""
    chosen = [hook for hook in config.webhooks if name in (None, hook.name)]
    outbox = Outbox(":memory:", Random())
    with outbox:
        webhooks = make_webhooks(
            replace(config, webhooks=tuple(chosen)), outbox, SystemClock(), Live()
        )
        return [await webhooks.test(hook.name) for hook in chosen]


async def serve(file: Path, config: Config) -> None:
    """Run the agent of one file until SIGINT or SIGTERM."""
    try:
        _check(config)
    except (RuleError, ValueError) as error:
        raise StartError(str(error)) from None
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await Agent(file, config, SystemClock()).run()
    except asyncio.CancelledError:
        _log.info("agent stopped")
    finally:
        gc.unfreeze()  # DuckDB complains at exit of every object that nobody has collected


def _listen(host: str, port: int) -> socket.socket:
    """The API's socket, bound before anything else is touched."""
    try:
        return socket.create_server((host, port), family=_family(host), backlog=128)
    except OSError as error:
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _on_hangup(act: Callable[[], object]) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, act)
