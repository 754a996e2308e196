"""The headless demo: run for a time, then hold what the agent found against what the plant knows."""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any

from dcim.cli.stage import Settings, Stage, stage
from dcim.model.alarm import AlarmState
from dcim.model.reading import object_of
from dcim.model.wire import AlarmOut, StatusOut
from fixtures.peers.receiver import Delivery
from fixtures.plant.expected import Expected

LEAK_AT = "row-1"
_PUE_WITHIN = 0.01
_WUE_WITHIN = 0.02
_LEAK_WITHIN_S = 3.0
_LATE_SHARE = 0.01  # of all polls: the agent shares the machine with the plant that it watches
PROTOCOLS = ("snmp", "modbus", "mqtt")


async def report(settings: Settings, duration_s: float) -> dict[str, Any]:
    """Run the stage, a leak at half time, and tell what came of it; `failed` lists what is wrong."""
    async with stage(settings) as one:
        seen: dict[str, AlarmOut] = {}
        watching = asyncio.create_task(_watch(one, seen), name="watch alarms")
        before = await one.client.status()
        start = time.time()
        await asyncio.sleep(duration_s / 2)
        leak = await one.plant.fault("leak", LEAK_AT)
        await asyncio.sleep(duration_s / 2)
        end = time.time() - 1.0  # what is on the wire now is not yet in
        found = await _found(one, start, end, before)
        found |= _alarms(one, seen, leak)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    return found | {"failed": _failed(found)}


async def _watch(one: Stage, seen: dict[str, AlarmOut]) -> None:
    """Every alarm that comes up, however short."""
    async for event in one.client.follow(["site-1/pue"]):
        for alarm in getattr(event, "alarms", ()):
            if alarm.state is not AlarmState.NORM or alarm.id in seen:
                seen[alarm.id] = alarm


async def _found(one: Stage, start: float, end: float, before: StatusOut) -> dict[str, Any]:
    """What can be counted and measured between two moments (UTC seconds)."""
    status = await one.client.status()
    usage = await one.client.usage(start, end)
    truth = await one.plant.truth(start, end)
    protocol = {device.id: device.protocol for device in await one.client.devices()}
    points = await one.client.points()
    counted = Counter(
        protocol[owner]
        for p in points
        if (owner := object_of(p.point)) in protocol and p.quality in ("good", "uncertain")
    )
    elapsed_s = time.time() - start
    return {
        "points": {name: counted[name] for name in PROTOCOLS},
        "readings_stored": status.store.stored,
        "store_detail": status.store.detail,
        "polls": _polls(status) - _polls(before),
        "polls_late": _late(status) - _late(before),
        "pue": usage.pue,
        "pue_truth": truth.pue,
        "wue": usage.wue,
        "wue_truth": truth.wue_l_per_kwh,
        "racks": len(await one.client.racks()),
        "cpu_percent": round(100 * (status.cpu_s - before.cpu_s) / elapsed_s, 1),
        "rss_mb": status.rss_mb,
    }


def _polls(status: StatusOut) -> int:
    return sum(protocol.polls for protocol in status.protocols.values())


def _late(status: StatusOut) -> int:
    return sum(protocol.late for protocol in status.protocols.values())


def _alarms(one: Stage, seen: dict[str, AlarmOut], leak: dict[str, Any]) -> dict[str, Any]:
    expected = [Expected(**alarm) for alarm in leak["expected"]]
    wanted = {f"{e.rule}@{e.address}" for e in expected if e.always}
    raised = one.receiver.of_type("alarm.raised")
    told = [d for d in raised if _data(d).get("alarm_id") in wanted]
    unexpected = [
        a.id for a in seen.values() if not any(e.matches(a.rule, a.address) for e in expected)
    ]
    return {
        "alarms": [
            {
                "address": a.address,
                "rule": a.rule,
                "priority": a.priority,
                "raised_at": a.raised_at,
                "cleared_at": a.cleared_at,
            }
            for a in seen.values()
        ],
        "unexpected_alarms": len(unexpected),
        "unexpected": unexpected,
        "missing_alarms": sorted(wanted - seen.keys()),
        "webhooks_delivered": len(one.receiver.deliveries),
        "webhooks_duplicate": one.receiver.duplicates,
        "webhooks_invalid": one.receiver.invalid,
        "leak_deliveries": len(told),
        "leak_to_webhook_s": round(told[0].arrived - leak["ts"], 3) if told else None,
    }


def _data(delivery: Delivery) -> dict[str, Any]:
    data = delivery.body.get("data")
    return data if isinstance(data, dict) else {}


def _failed(found: dict[str, Any]) -> list[str]:
    """What is not as it must be."""
    late = found["leak_to_webhook_s"]
    checks = {
        "a protocol delivered nothing": all(found["points"].values()),
        f"nothing was stored: {found['store_detail']}": found["readings_stored"] > 0,
        "polls came late": found["polls_late"] <= _LATE_SHARE * found["polls"],
        "PUE differs from the truth": _agrees(found["pue"], found["pue_truth"], _PUE_WITHIN),
        "WUE differs from the truth": _agrees(found["wue"], found["wue_truth"], _WUE_WITHIN),
        "the leak was not alarmed": not found["missing_alarms"],
        "unexpected alarms": found["unexpected_alarms"] == 0,
        "the leak was not delivered exactly once": found["leak_deliveries"] == 1,
        "the leak was delivered late": late is not None and late <= _LEAK_WITHIN_S,
        "duplicate webhooks": found["webhooks_duplicate"] == 0,
        "a signature was not valid": found["webhooks_invalid"] == 0,
    }
    return [what for what, good in checks.items() if not good]


def _agrees(value: float | None, truth: float | None, within: float) -> bool:
    return value is not None and truth is not None and abs(value - truth) <= within * abs(truth)
