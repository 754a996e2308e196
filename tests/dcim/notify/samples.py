"""Alarms, a site and webhooks for the tests of this folder."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random

from dcim.clock import ManualClock
from dcim.model.alarm import Alarm, AlarmEvent, AlarmState, EventType, Priority
from dcim.model.asset import Device, Hall, Site
from dcim.notify.body import assets_of
from dcim.notify.outbox import Outbox
from dcim.notify.sender import ClientFactory, http_client
from dcim.notify.webhooks import Webhook, Webhooks

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
NEW_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SITE = Site(
    "site-1",
    halls={"hall-1": Hall("hall-1")},
    devices={"leak-row1": Device("leak-row1", "hall-1", kind="leak_detector", name="Row 1 rope")},
)

_TYPES = {
    AlarmState.UNACK: EventType.RAISED,
    AlarmState.ACKED: EventType.ACKNOWLEDGED,
    AlarmState.NORM: EventType.CLEARED,
    AlarmState.RTN_UNACK: EventType.CLEARED,
    AlarmState.LATCH_UNACK: EventType.CLEARED,
}


def event(
    state: AlarmState = AlarmState.UNACK,
    *,
    seq: int = 1,
    address: str = "leak-row1/zone/2/leak",
    priority: Priority = Priority.CRITICAL,
    kind: EventType | None = None,
    notify: bool = True,
    occurrence: int = 1,
    ts: float | None = None,
    action: str = "Find the wet spot",
) -> AlarmEvent:
    """A change of a leak alarm to `state`."""
    now = time.time() if ts is None else ts
    alarm = Alarm(
        "leak",
        address,
        occurrence,
        seq,
        state,
        priority,
        "coolant leak detected",
        value=1.0,
        value_state="wet",
        condition="leak = wet",
        raised_at=now,
        action=action,
    )
    return AlarmEvent(kind or _TYPES[state], alarm, AlarmState.NORM, now, notify=notify)


def webhook(url: str, name: str = "oncall", **rest: object) -> Webhook:
    settings: dict[str, object] = {"secrets": (SECRET,), "allow_loopback": True} | rest
    return Webhook(name, url, **settings)  # type: ignore[arg-type]


def webhooks(
    hooks: Sequence[Webhook],
    outbox: Outbox | None = None,
    clock: ManualClock | None = None,
    client: ClientFactory = http_client,
    before: Webhooks | None = None,
) -> Webhooks:
    return Webhooks(
        hooks,
        outbox or Outbox(":memory:", Random(1)),
        clock or ManualClock(time.time()),
        site="site-1",
        asset=assets_of(SITE),
        version="0.1",
        random=Random(2),
        client=client,
        before=before,
    )


@contextlib.asynccontextmanager
async def running(notify: Webhooks) -> AsyncIterator[Webhooks]:
    """Deliver while the block lasts."""
    task = asyncio.create_task(notify.run())
    try:
        yield notify
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(met: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - nothing wakes us when a status changes
            await asyncio.sleep(0.005)
