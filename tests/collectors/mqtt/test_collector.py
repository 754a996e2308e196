"""The collector and the probe against a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import aiomqtt
import pytest

from collectors.base import Target
from collectors.mqtt.collector import MqttCollector, probe
from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock, SystemClock
from dcim.model.reading import OutageKind, Quality
from fixtures.peers.broker import Broker, broker, free_port
from tests.collectors.mqtt.peers import (
    DEADLINE_S,
    Memory,
    mqtt_profiles,
    need_mosquitto,
    publish,
    target,
)

LEAK = {"battery": 100, "battery_low": False, "linkquality": 144, "tamper": False}


@pytest.fixture(params=["mosquitto", "amqtt"])
async def any_broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    if request.param == "mosquitto":
        need_mosquitto()
    async with broker(inside=request.param == "amqtt") as running:
        yield running


@pytest.fixture
async def mosquitto() -> AsyncIterator[Broker]:
    need_mosquitto()
    async with broker() as running:
        yield running


class Running:
    """A collector at work, its sink, its clock and its counters."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.sink = Memory()
        self.clock = ManualClock()
        self.wheel = Wheel(self.clock)
        self.counters = Counters()
        self.collector = MqttCollector(
            targets, mqtt_profiles(), self.sink, self.clock, self.wheel, self.counters
        )


@contextlib.asynccontextmanager
async def collecting(*targets: Target) -> AsyncIterator[Running]:
    running = Running(targets)
    task = asyncio.create_task(running.collector.run())
    try:
        yield running
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def url(server: Broker, topic: str) -> str:
    return f"mqtt://{server.host}:{server.port}/{topic}"


async def subscribed(client: aiomqtt.Client, running: Running, topic: str) -> None:
    """The collector has subscribed: it has heard a message that says nothing."""
    async with asyncio.timeout(DEADLINE_S):
        while not running.counters.polls:
            await client.publish(topic, b"{}", qos=1)
            await asyncio.sleep(0.02)


async def test_a_leak_sensor_of_unknown_make_is_identified_and_read(any_broker: Broker) -> None:
    where = target("leak-01", url(any_broker, "zigbee2mqtt/row1/leak"))
    async with (
        collecting(where) as running,
        aiomqtt.Client(any_broker.host, any_broker.port) as client,
    ):
        await subscribed(client, running, "zigbee2mqtt/row1/leak")
        await publish(client, "zigbee2mqtt/row1/leak", LEAK | {"water_leak": True})
        await running.sink.until(lambda: "leak-01/leak" in running.sink.latest)
    assert running.sink.identities[0].profiles == ("zigbee2mqtt_leak",)
    assert running.sink.identities[0].kind == "leak_detector"
    leak = running.sink.latest["leak-01/leak"]
    assert (leak.state, leak.raw, leak.quality) == ("wet", 1, Quality.GOOD)
    assert leak.source == "zigbee2mqtt/row1/leak#water_leak"
    assert running.sink.latest["leak-01/battery/charge"].value == 100
    assert running.sink.expected["leak-01"]["leak-01/leak"] == 2.5 * 36000
    assert running.sink.batches[-1].protocol == "mqtt"
