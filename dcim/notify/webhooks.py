"""Alarms to webhooks: an outlet of the hub, with a durable outbox and one courier a receiver."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import ParamSpec, TypeVar

import httpx

from dcim import log
from dcim.clock import Clock
from dcim.model.alarm import AlarmEvent, AlarmState, EventType
from dcim.model.reading import Reading
from dcim.model.wire import WebhookOut
from dcim.notify.body import AssetOf, alarm_body, envelope, message_id
from dcim.notify.outbox import Added, Draft, Message, Outbox
from dcim.notify.sender import Attempt, ClientFactory, Webhook, http_client, send

__all__ = ["TestResult", "Webhook", "Webhooks"]

MAX_WAITING = 20_000  # events between the hub and the disk
_LOOK_S = 0.25  # how often a courier that waits looks at the clock

_CLOSING = (EventType.CLEARED, EventType.RESET)
_OPENING = (EventType.RAISED, EventType.ESCALATED, EventType.UNSHELVED)

P = ParamSpec("P")
T = TypeVar("T")
_log = log.get("webhooks")


@dataclass(frozen=True, slots=True)
class TestResult:
    """What `dcim notify test` prints."""

    name: str
    ok: bool
    status: int | None
    latency_s: float
    error: str | None


class Webhooks:
    """Sends what becomes of alarms; one slow or dead receiver delays no other.

    `alarms` returns at once; a thread has the events on disk milliseconds later. `before`, stopped,
    is what these replace at a reload: counts go on, and heartbeats keep their rhythm.
    """

    def __init__(
        self,
        hooks: Sequence[Webhook],
        outbox: Outbox,
        clock: Clock,
        *,
        site: str,
        asset: AssetOf,
        version: str,
        random: Random,
        client: ClientFactory = http_client,
        before: "Webhooks | None" = None,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._site = site
        self._asset = asset
        self._version = version
        self._random = random
        self._client = client
        self._waiting: deque[Draft] = deque()
        self._arrived = asyncio.Event()
        known: dict[str, Courier] = before._couriers if before else {}
        self._couriers: dict[str, Courier] = {
            hook.name: Courier(hook, known.get(hook.name)) for hook in hooks
        }
        for hook in hooks:
            hook.keys()  # a faulty secret is a ValueError now, not at the first alarm
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    def readings(self, readings: Sequence[Reading]) -> None:
        """Webhooks speak of alarms only."""

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        """Queue what is to be sent. Bounded: what does not fit is dropped and counted."""
        for event in events:
            draft = self._draft(event)
            if draft is None:
                continue
            if len(self._waiting) >= MAX_WAITING:
                for courier in self._couriers.values():
                    courier.out.dropped += 1
            else:
                self._waiting.append(draft)
                self._arrived.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is still in memory then goes to disk."""
        try:
            await self._store()
            async with self._client() as client, asyncio.TaskGroup() as group:
                group.create_task(self._write(), name="webhook writer")
                for name, courier in self._couriers.items():
                    group.create_task(self._deliver(client, courier), name=f"webhook {name}")
                    if courier.hook.heartbeat_s is not None:
                        beat = self._beat(client, courier, courier.hook.heartbeat_s)
                        group.create_task(beat, name=f"heartbeat {name}")
        finally:
            # after whatever the thread still has to do
            self._thread.submit(self._outbox.add, list(self._waiting), self._names()).result()
            self._waiting.clear()

    async def test(self, name: str) -> TestResult:
        """Send a `webhook.test` now, past the outbox; KeyError where there is no such webhook."""
        courier = self._couriers[name]
        data = self._about() | {"webhook": name}
        async with self._client() as client:
            attempt = await self._post(client, courier, "webhook.test", data)
        if attempt.ok:
            courier.disabled = False
        return TestResult(name, attempt.ok, attempt.status, attempt.latency_s, attempt.error)

    def status(self) -> list[WebhookOut]:
        return [courier.out.model_copy() for courier in self._couriers.values()]

    def _draft(self, event: AlarmEvent) -> Draft | None:
        """What to send, and to whom; None where it is for nobody."""
        alarm = event.alarm
        # who was told of an alarm must hear its end, even if it was suppressed meanwhile
        if not self._names() or not (event.notify or event.type in _CLOSING):
            return None
        opening = event.notify and event.type in _OPENING
        opens = frozenset(
            name
            for name, courier in self._couriers.items()
            if opening and courier.takes_alarms and alarm.priority <= courier.hook.min_priority
        )
        body = alarm_body(
            event, self._asset(alarm.address.partition("/")[0]), self._site, self._version
        )
        identity = message_id(event, self._site)
        return Draft(
            identity,
            alarm.id,
            alarm.occurrence,
            int(alarm.priority),
            body,
            event.ts,
            opens,
            returned=alarm.state in (AlarmState.NORM, AlarmState.RTN_UNACK),
            over=alarm.state is AlarmState.NORM,
        )

    def _names(self) -> list[str]:
        return [name for name, courier in self._couriers.items() if courier.takes_alarms]

    async def _write(self) -> None:
        while True:
            await self._arrived.wait()
            await self._store()

    async def _store(self) -> None:
        """Put what waits in memory on disk, in one transaction, and wake the couriers."""
        self._arrived.clear()
        drafts = list(self._waiting)
        names = self._names()
        self._waiting.clear()
        try:
            added = await self._on_thread(self._outbox.add, drafts, names)
        except sqlite3.Error:
            self._waiting.extendleft(reversed(drafts))
            raise
        for name in names:
            self._couriers[name].stored(added)

    async def _deliver(self, client: httpx.AsyncClient, courier: "Courier") -> None:
        name = courier.hook.name
        while True:
            courier.news.clear()
            now = self._clock.now()
            if now < courier.quiet_until:
                await self._until(courier.quiet_until)
                continue
            found = await self._on_thread(self._outbox.take, name, now)
            if isinstance(found, Message):
                await self._try(client, courier, found)
            elif found is None:
                await courier.news.wait()
            else:
                await self._until(found, courier.news)

    async def _try(self, client: httpx.AsyncClient, courier: "Courier", message: Message) -> None:
        attempt = await send(client, courier.hook, message.id, message.body, self._clock)
        now = self._clock.now()
        courier.tried(attempt)
        if attempt.ok:
            await self._on_thread(self._outbox.delivered, message)
            courier.out.delivered += 1
            courier.out.pending -= 1
            courier.out.last_latency_s = round(now - message.created, 3)
        elif attempt.gone:
            courier.disabled = True
            count = await self._on_thread(self._outbox.discard, courier.hook.name)
            courier.out.dropped += count
            courier.out.pending = 0
        else:
            again = await self._on_thread(
                self._outbox.failed,
                message,
                now,
                perhaps=attempt.perhaps,
                after_s=attempt.retry_after_s,
            )
            courier.put_back(again, attempt)

    async def _beat(self, client: httpx.AsyncClient, courier: "Courier", interval_s: float) -> None:
        """A dead-man's switch: whoever misses these for 3 minutes calls somebody."""
        courier.beat_due = max(courier.beat_due, self._clock.now())
        while True:
            await self._until(courier.beat_due)
            if not courier.disabled:
                data = self._about() | {"every_s": interval_s}
                attempt = await self._post(client, courier, "agent.heartbeat", data)
                courier.tried(attempt)
                courier.out.delivered += attempt.ok
                courier.disabled = attempt.gone
            courier.beat_due = max(courier.beat_due + interval_s, self._clock.now())

    def _about(self) -> dict[str, object]:
        return {"site": self._site, "agent_version": self._version}

    async def _post(
        self, client: httpx.AsyncClient, courier: "Courier", kind: str, data: dict[str, object]
    ) -> Attempt:
        """Send what is not kept: a heartbeat or a test."""
        identity = f"msg_{self._random.getrandbits(128):032x}"
        body = envelope(kind, self._clock.now(), data)
        return await send(client, courier.hook, identity, body, self._clock)

    async def _until(self, due: float, news: asyncio.Event | None = None) -> None:
        """Wait for a time of the clock, or for news."""
        while (left_s := due - self._clock.now()) > 0:
            if news is None:
                await asyncio.sleep(min(left_s, _LOOK_S))
                continue
            try:
                async with asyncio.timeout(min(left_s, _LOOK_S)):
                    await news.wait()
                return
            except TimeoutError:
                continue

    async def _on_thread(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job of the outbox; it is done even where we are cancelled meanwhile."""
        future = self._thread.submit(job, *args, **kwargs)
        return await asyncio.shield(asyncio.wrap_future(future))


class Courier:
    """How delivery to one receiver stands."""

    def __init__(self, hook: Webhook, before: "Courier | None" = None) -> None:
        self.hook = hook
        self.news = asyncio.Event()
        self.out: WebhookOut = before.out if before else WebhookOut(name=hook.name)
        self.disabled = False  # it said 410
        self.quiet_until = 0.0  # it asked for a pause
        self.beat_due = 0.0  # when the next heartbeat is sent
        if before is not None and before.hook == hook:
            self.quiet_until, self.beat_due = before.quiet_until, before.beat_due

    @property
    def takes_alarms(self) -> bool:
        return self.hook.min_priority > 0 and not self.disabled

    def stored(self, added: Added) -> None:
        name = self.hook.name
        self.out.pending = added.pending.get(name, 0)
        self.out.dropped += added.dropped.get(name, 0)
        self.news.set()

    def tried(self, attempt: Attempt) -> None:
        """Note an attempt; a change for the worse or the better is logged once."""
        if attempt.ok is not self.out.ok:
            if attempt.ok:
                _log.info("webhook recovered", webhook=self.hook.name)
            else:
                _log.warning("webhook failing", webhook=self.hook.name, reason=attempt.error)
        self.out.ok = attempt.ok
        self.out.detail = attempt.error
        self.out.failed_attempts += not attempt.ok

    def put_back(self, due: float | None, attempt: Attempt) -> None:
        """A message waits for its next try, or was given up; a throttling receiver gets a pause."""
        if due is None:
            self.out.pending -= 1
            self.out.dropped += 1
        elif attempt.throttled:
            self.quiet_until = due
