"""Delivery to a real receiver over a real socket."""

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from dcim.clock import ManualClock, SystemClock
from dcim.model.alarm import AlarmState, EventType, Priority
from dcim.notify.outbox import Outbox
from dcim.notify.sender import http_client, send
from fixtures.peers.broker import free_port
from fixtures.peers.receiver import Receiver, serving
from tests.dcim.notify.samples import (
    NEW_SECRET,
    SECRET,
    event,
    running,
    until,
    webhook,
    webhooks,
)

UNACK, ACKED, NORM = AlarmState.UNACK, AlarmState.ACKED, AlarmState.NORM


async def test_a_raised_alarm_arrives_signed_once_and_says_what_it_is() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event()])
            await receiver.until(lambda: len(receiver.deliveries) == 1)
        assert (receiver.invalid, receiver.duplicates, len(receiver.requests)) == (0, 0, 1)
        body = receiver.deliveries[0].body
    assert body["type"] == "alarm.raised"
    data = body["data"]
    assert isinstance(data, dict)
    assert data["alarm_id"] == "leak@leak-row1/zone/2/leak"
    assert data["asset"] == {
        "id": "leak-row1",
        "name": "Row 1 rope",
        "type": "leak_detector",
        "path": ["site-1", "hall-1", "leak-row1"],
    }
    assert data["message"]["en"] == (
        "CRITICAL raised: coolant leak detected at Row 1 rope (leak-row1/zone/2/leak = wet)"
    )


async def test_a_failing_receiver_gets_it_later_with_the_same_id() -> None:
    clock = ManualClock(time.time())
    async with serving(Receiver(SECRET, fail_first=2)) as receiver:
        async with running(webhooks([webhook(receiver.url)], clock=clock)) as notify:
            notify.alarms([event()])
            await until(lambda: notify.status()[0].failed_attempts == 1)
            clock.advance(6.1)
            await until(lambda: notify.status()[0].failed_attempts == 2)
            clock.advance(18.1)
            await receiver.until(lambda: len(receiver.deliveries) == 1)
        assert [r.status for r in receiver.requests] == [500, 500, 204]
        assert len({r.id for r in receiver.requests}) == 1
        assert len({r.headers["webhook-timestamp"] for r in receiver.requests}) == 3
        assert receiver.invalid == 0


async def test_who_was_told_of_an_alarm_hears_its_end_and_nobody_else() -> None:
    async with serving(Receiver(SECRET)) as low, serving(Receiver(SECRET)) as high:
        hooks = [webhook(low.url, "all"), webhook(high.url, "critical only", min_priority=1)]
        async with running(webhooks(hooks)) as notify:
            notify.alarms([event(UNACK, priority=Priority.LOW)])
            await low.until(lambda: len(low.deliveries) == 1)
            notify.alarms([event(ACKED, seq=2, priority=Priority.LOW)])
            notify.alarms([event(NORM, seq=3, priority=Priority.LOW)])
            notify.alarms([event(UNACK, address="leak-row2/leak")])
            await low.until(lambda: len(low.deliveries) == 4)
            await high.until(lambda: len(high.deliveries) == 1)
        types = ["alarm.raised", "alarm.acknowledged", "alarm.cleared", "alarm.raised"]
        assert [d.type for d in low.deliveries] == types
        assert [d.body["data"]["point"] for d in high.deliveries] == ["leak-row2/leak"]  # type: ignore[index]


async def test_an_alarm_that_grows_critical_reaches_those_who_want_only_these() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url, min_priority=1)])) as notify:
            notify.alarms([event(UNACK, priority=Priority.HIGH)])
            notify.alarms([event(UNACK, seq=2, kind=EventType.ESCALATED)])
            await receiver.until(lambda: len(receiver.deliveries) == 1)
            notify.alarms([event(NORM, seq=3, priority=Priority.HIGH)])
            await receiver.until(lambda: len(receiver.deliveries) == 2)
        assert [d.type for d in receiver.deliveries] == ["alarm.escalated", "alarm.cleared"]


async def test_an_alarm_over_before_anybody_heard_of_it_is_not_sent() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event(UNACK), event(NORM, seq=2), event(address="leak-row2/leak")])
            await until(lambda: notify.status()[0].delivered == 1)
        assert [d.body["data"]["point"] for d in receiver.deliveries] == ["leak-row2/leak"]  # type: ignore[index]


async def test_a_leak_that_has_dried_is_still_told_because_it_is_latched() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event(UNACK), event(AlarmState.LATCH_UNACK, seq=2)])
            await receiver.until(lambda: len(receiver.deliveries) == 2)
        assert [d.type for d in receiver.deliveries] == ["alarm.raised", "alarm.cleared"]


async def test_an_alarm_returned_before_anybody_heard_is_not_told_when_acknowledged() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event(UNACK), event(AlarmState.RTN_UNACK, seq=2)])
            notify.alarms([event(NORM, seq=3, kind=EventType.ACKNOWLEDGED)])
            notify.alarms([event(UNACK, address="leak-row2/leak")])
            await until(lambda: notify.status()[0].delivered == 1)
        assert [d.body["data"]["point"] for d in receiver.deliveries] == ["leak-row2/leak"]  # type: ignore[index]


async def test_the_end_of_an_alarm_is_told_even_if_it_was_suppressed_meanwhile() -> None:
    async with (
        serving(Receiver(SECRET)) as receiver,
        running(webhooks([webhook(receiver.url)])) as notify,
    ):
        notify.alarms([event(UNACK)])
        await receiver.until(lambda: len(receiver.deliveries) == 1)
        notify.alarms([event(NORM, seq=2, notify=False)])
        await receiver.until(lambda: len(receiver.deliveries) == 2)


async def test_what_is_not_to_be_notified_is_not_sent() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event(notify=False), event(address="leak-row2/leak")])
            await receiver.until(lambda: len(receiver.requests) > 0)
        assert [d.body["data"]["point"] for d in receiver.deliveries] == ["leak-row2/leak"]  # type: ignore[index]


async def test_the_messages_of_one_alarm_keep_their_order_over_failures() -> None:
    clock = ManualClock(time.time())
    async with serving(Receiver(SECRET, fail_first=1)) as receiver:
        async with running(webhooks([webhook(receiver.url)], clock=clock)) as notify:
            notify.alarms([event(UNACK)])
            await until(lambda: notify.status()[0].failed_attempts == 1)
            notify.alarms([event(ACKED, seq=2), event(UNACK, address="leak-row2/leak")])
            await receiver.until(lambda: len(receiver.deliveries) == 1)
            clock.advance(7)
            await receiver.until(lambda: len(receiver.deliveries) == 3)
        points = [d.body["data"]["point"] for d in receiver.deliveries]  # type: ignore[index]
        assert points == ["leak-row2/leak", "leak-row1/zone/2/leak", "leak-row1/zone/2/leak"]
        assert [d.type for d in receiver.deliveries[1:]] == ["alarm.raised", "alarm.acknowledged"]


async def test_a_dead_and_a_slow_receiver_delay_no_other() -> None:
    async with serving(Receiver(SECRET, delay_s=60)) as slow, serving(Receiver(SECRET)) as well:
        hooks = [
            webhook(f"http://127.0.0.1:{free_port()}/", "dead"),
            webhook(slow.url, "slow"),
            webhook(well.url, "well"),
        ]
        async with running(webhooks(hooks)) as notify:
            notify.alarms([event(address=f"leak-{i}/leak") for i in range(20)])
            await until(lambda: notify.status()[2].delivered == 20)
            await until(lambda: notify.status()[0].failed_attempts == 20)
            states = {s.name: (s.ok, s.delivered, s.pending) for s in notify.status()}
        assert states["well"] == (True, 20, 0)
        assert states["dead"] == (False, 0, 20)
        assert not slow.requests


async def test_a_restart_in_the_middle_delivers_the_rest_once(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with serving(Receiver(SECRET)) as receiver:
        with Outbox(path, Random(1)) as outbox:
            async with running(webhooks([webhook(receiver.url)], outbox)) as notify:
                notify.alarms([event(address="leak-1/leak")])
                await until(lambda: notify.status()[0].delivered == 1)
                receiver.fail_first = 1
                notify.alarms([event(address="leak-2/leak")])
                await until(lambda: notify.status()[0].failed_attempts == 1)
                notify.alarms([event(address="leak-3/leak")])  # perhaps still in memory
        late = ManualClock(time.time() + 10)
        with Outbox(path, Random(1)) as outbox:
            async with running(webhooks([webhook(receiver.url)], outbox, late)):
                await receiver.until(lambda: len(receiver.deliveries) == 3)
        assert receiver.duplicates == 0


@pytest.mark.parametrize(("status", "pause_s"), [(429, 30.0), (502, None), (504, None)])
async def test_a_receiver_that_asks_for_less_gets_a_pause(
    status: int, pause_s: float | None
) -> None:
    clock = ManualClock(time.time())
    headers = {} if pause_s is None else {"Retry-After": f"{pause_s:.0f}"}
    receiver = Receiver(SECRET, fail_first=1, fail_status=status, fail_headers=headers)
    async with serving(receiver), running(webhooks([webhook(receiver.url)], clock=clock)) as notify:
        notify.alarms([event()])
        await until(lambda: notify.status()[0].failed_attempts == 1)
        notify.alarms([event(address="leak-row2/leak")])
        await until(lambda: notify.status()[0].pending == 2)
        clock.advance(32)
        await receiver.until(lambda: len(receiver.deliveries) == 2)
    first, second, _ = (int(r.headers["webhook-timestamp"]) for r in receiver.requests)
    assert second - first >= (30 if pause_s else 4)


async def test_a_receiver_that_is_gone_gets_nothing_more_until_a_test_succeeds() -> None:
    async with serving(Receiver(SECRET, fail_first=1, fail_status=410)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as notify:
            notify.alarms([event()])
            await until(lambda: notify.status()[0].dropped == 1)
            notify.alarms([event(address="leak-row2/leak")])
            assert (await notify.test("oncall")).ok
            notify.alarms([event(address="leak-row3/leak")])
            await receiver.until(lambda: len(receiver.deliveries) == 2)
        assert [d.type for d in receiver.deliveries] == ["webhook.test", "alarm.raised"]
        assert receiver.deliveries[1].body["data"]["point"] == "leak-row3/leak"  # type: ignore[index]


async def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    async with serving(Receiver(SECRET)) as other:
        moved = Receiver(
            SECRET, fail_first=1, fail_status=302, fail_headers={"Location": other.url}
        )
        async with serving(moved):
            result = await webhooks([webhook(moved.url)]).test("oncall")
        assert (result.ok, result.status, result.error) == (False, 302, "answered 302")
        assert not other.requests


async def test_a_secret_can_be_changed_without_a_gap() -> None:
    async with serving(Receiver(SECRET)) as old, serving(Receiver(NEW_SECRET)) as new:
        both = (NEW_SECRET, SECRET)
        hooks = [webhook(old.url, "old", secrets=both), webhook(new.url, "new", secrets=both)]
        notify = webhooks(hooks)
        assert (await notify.test("old")).ok
        assert (await notify.test("new")).ok


async def test_the_receiver_refuses_a_wrong_signature() -> None:
    async with serving(Receiver(NEW_SECRET)) as receiver:
        result = await webhooks([webhook(receiver.url)]).test("oncall")
        assert (result.status, receiver.invalid) == (401, 1)


async def test_the_receiver_notices_what_comes_twice() -> None:
    clock = SystemClock()
    async with serving(Receiver(SECRET, fail_first=1)) as receiver, http_client() as client:
        for message_id in ("msg_1", "msg_1", "msg_1", "msg_2"):
            await send(client, webhook(receiver.url), message_id, b"{}", clock)
        assert [r.duplicate for r in receiver.requests] == [False, False, True, False]
        assert (receiver.duplicates, len(receiver.deliveries)) == (1, 2)


async def test_a_heartbeat_comes_every_interval_and_alarms_go_elsewhere() -> None:
    clock = ManualClock(time.time())
    async with serving(Receiver(SECRET)) as dead_man, serving(Receiver(SECRET)) as oncall:
        switch = webhook(dead_man.url, "dead man", heartbeat_s=60, min_priority=0)
        hooks = [switch, webhook(oncall.url)]
        async with running(webhooks(hooks, clock=clock)) as notify:
            await until(lambda: notify.status()[0].delivered == 1)
            notify.alarms([event()])
            await oncall.until(lambda: len(oncall.deliveries) == 1)
            clock.advance(60.5)
            await dead_man.until(lambda: len(dead_man.deliveries) == 2)
        assert {d.type for d in dead_man.deliveries} == {"agent.heartbeat"}
        assert dead_man.deliveries[0].body["data"] == {
            "site": "site-1",
            "agent_version": "0.1",
            "every_s": 60,
        }


async def test_a_reload_neither_steps_counts_down_nor_beats_out_of_turn() -> None:
    clock = ManualClock(time.time())
    outbox = Outbox(":memory:", Random(1))
    async with serving(Receiver(SECRET)) as receiver:
        hooks = [webhook(receiver.url, heartbeat_s=60)]
        async with running(webhooks(hooks, outbox, clock)) as before:
            await until(lambda: before.status()[0].delivered == 1)
            clock.advance(30)
        async with running(webhooks(hooks, outbox, clock, before=before)) as after:
            after.alarms([event()])
            await until(lambda: after.status()[0].delivered == 2)
            clock.advance(30.5)
            await until(lambda: after.status()[0].delivered == 3)
    assert [request.type for request in receiver.requests] == [
        "agent.heartbeat",
        "alarm.raised",
        "agent.heartbeat",
    ]


async def test_counts_outlive_a_change_of_the_webhook() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        async with running(webhooks([webhook(receiver.url)])) as before:
            before.alarms([event()])
            await until(lambda: before.status()[0].delivered == 1)
        changed = [webhook(receiver.url, min_priority=1)]
        assert webhooks(changed, before=before).status()[0].delivered == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://0.0.0.0:{port}/",
        "ftp://127.0.0.1/",
    ],
)
async def test_addresses_a_webhook_must_not_reach_are_refused(url: str) -> None:
    async with serving(Receiver(SECRET)) as receiver:
        hook = webhook(url.format(port=receiver.port), allow_loopback=False)
        async with asyncio.timeout(1):
            result = await webhooks([hook]).test("oncall")
        assert not result.ok
        assert result.status is None
        assert not receiver.requests


async def test_a_host_the_operator_names_is_allowed() -> None:
    async with serving(Receiver(SECRET)) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        hook = webhook(url, allow_loopback=False, allow_hosts=("localhost",))
        assert (await webhooks([hook]).test("oncall")).ok


async def test_an_unknown_webhook_cannot_be_tested() -> None:
    with pytest.raises(KeyError):
        await webhooks([]).test("oncall")


def test_a_faulty_secret_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        webhooks([webhook("http://oncall.example/", secrets=("whsec_AQID",))])
