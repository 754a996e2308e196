"""The collector and the probe against a real broker."""

import asyncio
import contextlib
import getpass
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiomqtt
import pytest

from collectors.base import Credentials, Target, parse_url
from collectors.mqtt.client import Inbox
from collectors.mqtt.collector import MqttCollector, probe
from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock, SystemClock
from dcim.model.reading import OutageKind, Quality
from fixtures.peers.broker import Broker, Mosquitto, broker, free_port, mosquitto_path
from tests.collectors.mqtt.peers import (
    DEADLINE_S,
    Memory,
    mqtt_profiles,
    need_mosquitto,
    publish,
    target,
)
from tests.dcim.notify.certificate import certificate

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


@contextlib.asynccontextmanager
async def started(server: Mosquitto) -> AsyncIterator[Mosquitto]:
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


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


async def test_a_retained_value_is_uncertain_until_a_fresh_one_comes(any_broker: Broker) -> None:
    async with aiomqtt.Client(any_broker.host, any_broker.port) as client:
        await publish(client, "z/leak", LEAK | {"water_leak": True}, retain=True)
        async with collecting(target("leak", url(any_broker, "z/leak"))) as running:
            await running.sink.until(lambda: "leak/leak" in running.sink.latest)
            first = running.sink.latest["leak/leak"]
            await publish(client, "z/leak", LEAK | {"water_leak": False})
            await running.sink.until(lambda: running.sink.latest["leak/leak"].state == "dry")
    assert (first.state, first.quality) == ("wet", Quality.UNCERTAIN)
    assert running.sink.latest["leak/leak"].quality is Quality.GOOD


async def test_one_message_that_is_no_json_is_an_outage_and_the_loop_goes_on(
    mosquitto: Broker,
) -> None:
    where = target("leak", url(mosquitto, "z/leak"), "zigbee2mqtt_leak")
    async with (
        aiomqtt.Client(mosquitto.host, mosquitto.port) as client,
        collecting(where) as running,
    ):
        await subscribed(client, running, "z/leak")
        await publish(client, "z/leak", b'{"water_leak": fal')
        await running.sink.until(lambda: "malformed" in running.sink.outages("leak"))
        await publish(client, "z/leak", LEAK | {"water_leak": False})
        await running.sink.until(lambda: running.sink.outages("leak")[-1] is None)
    assert running.collector.malformed == 1
    assert running.sink.latest["leak/leak"].state == "dry"


async def test_a_lost_broker_is_one_outage_a_device_and_is_forgotten_when_it_is_back(
    mosquitto: Broker,
) -> None:
    targets = [
        target("leak-1", url(mosquitto, "z/leak-1"), "zigbee2mqtt_leak"),
        target("leak-2", url(mosquitto, "z/leak-2"), "zigbee2mqtt_leak"),
    ]
    async with collecting(*targets) as running:
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
            await subscribed(client, running, "z/leak-1")
            await publish(client, "z/leak-2", LEAK | {"water_leak": False})
            await running.sink.until(lambda: "leak-2/leak" in running.sink.latest)
        await mosquitto.stop()
        for device in ("leak-1", "leak-2"):
            await running.sink.until(lambda d=device: "broker" in running.sink.outages(d))  # type: ignore[misc]
        await mosquitto.start()
        await running.sink.until(lambda: running.sink.outages("leak-2")[-1] is None)
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
            await publish(client, "z/leak-2", LEAK | {"water_leak": True})
            await running.sink.until(lambda: running.sink.latest["leak-2/leak"].state == "wet")
    assert running.sink.outages("leak-2") == [None, "broker", None]


async def test_a_broker_that_was_never_there_is_an_outage_from_the_start() -> None:
    where = target("leak", f"mqtt://127.0.0.1:{free_port()}/z/leak", "zigbee2mqtt_leak")
    async with collecting(where) as running:
        await running.sink.until(lambda: bool(running.sink.batches))
    outage = running.sink.batches[0].outage
    assert outage is not None
    assert outage.kind is OutageKind.BROKER
    assert running.sink.expected["leak"]


async def test_a_device_declared_offline_is_stale_at_once_and_well_when_it_speaks(
    mosquitto: Broker,
) -> None:
    where = target("leak", url(mosquitto, "z/leak"), "zigbee2mqtt_leak")
    async with (
        aiomqtt.Client(mosquitto.host, mosquitto.port) as client,
        collecting(where) as running,
    ):
        await subscribed(client, running, "z/leak")
        await publish(client, "z/leak", LEAK | {"water_leak": False})
        await publish(client, "z/leak/availability", {"state": "offline"}, retain=True)
        await running.sink.until(lambda: running.sink.outages("leak")[-1] == "offline")
        gone = running.sink.latest["leak/leak"]
        await publish(client, "z/leak/availability", b"online", retain=True)
        await running.sink.until(lambda: running.sink.outages("leak")[-1] is None)
        await publish(client, "z/leak", LEAK | {"water_leak": True})
        await running.sink.until(lambda: running.sink.latest["leak/leak"].state == "wet")
    assert (gone.state, gone.quality) == ("dry", Quality.STALE)
    assert "offline" in (gone.reason or "")


async def test_a_device_that_falls_silent_is_reported_once() -> None:
    where = target("leak", f"mqtt://127.0.0.1:{free_port()}/z/leak", "zigbee2mqtt_leak")
    running = Running([where])
    task = asyncio.create_task(running.collector.run())
    await asyncio.sleep(0)
    for _ in range(3):
        running.clock.advance(2.5 * 36000 / 2 + 1)
        running.wheel.run_due()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert running.sink.outages("leak") == ["silent"]


async def test_what_does_not_fit_the_queue_of_a_connection_is_counted() -> None:
    inbox = Inbox(1)
    message = aiomqtt.Message("z/leak", b"{}", 0, False, 1, None)
    inbox.put_nowait(message)
    for _ in range(2):
        with pytest.raises(asyncio.QueueFull):
            inbox.put_nowait(message)
    assert (inbox.qsize(), inbox.dropped) == (1, 2)


async def test_a_burst_arrives_whole_or_is_counted(mosquitto: Broker) -> None:
    count = 3000
    where = target("leak", url(mosquitto, "z/leak"), "zigbee2mqtt_leak")
    async with (
        aiomqtt.Client(mosquitto.host, mosquitto.port) as client,
        collecting(where) as running,
    ):
        await subscribed(client, running, "z/leak")
        before = running.counters.polls
        for _ in range(count):
            await client.publish("z/leak", b'{"water_leak": false}')
        await publish(client, "z/leak", {"water_leak": True})
        await running.sink.until(lambda: running.sink.latest["leak/leak"].state == "wet")
    assert running.counters.polls - before + running.counters.skipped == count + 1


async def test_a_probe_tells_what_a_device_is_and_says(any_broker: Broker) -> None:
    where = target("probe", url(any_broker, "z/env-1") + "?listen_s=8")
    async with aiomqtt.Client(any_broker.host, any_broker.port) as client:
        await publish(client, "z/env-1", {"temperature": 21.5, "humidity": 40}, retain=True)

        async def speak() -> None:
            while True:
                payload = {"temperature": 22.5, "humidity": 40, "battery": 80, "battery_low": False}
                await publish(client, "z/env-1", payload)
                await asyncio.sleep(0.05)

        speaker = asyncio.create_task(speak())
        async with asyncio.timeout(6):  # sooner than listen_s: all has been said
            result = await probe(where, mqtt_profiles(), SystemClock())
        speaker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await speaker
    assert result.outage is None
    assert (result.identity.kind, result.identity.profiles) == (
        "environment",
        ("zigbee2mqtt_climate",),
    )
    assert {r.point: (r.value, r.quality) for r in result.readings} == {
        "probe/temperature": (22.5, Quality.GOOD),
        "probe/humidity": (40, Quality.GOOD),
        "probe/battery/charge": (80, Quality.GOOD),
        "probe/battery/battery.low": (0, Quality.GOOD),
    }


async def test_a_probe_of_what_only_left_a_retained_message_says_so(mosquitto: Broker) -> None:
    where = target("probe", url(mosquitto, "z/env-1") + "?listen_s=0.3")
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        await publish(client, "z/env-1", {"temperature": 21.5, "humidity": 40}, retain=True)
        result = await probe(where, mqtt_profiles(), SystemClock())
    assert {r.quality for r in result.readings} == {Quality.UNCERTAIN}


@pytest.mark.parametrize(
    ("payload", "kind"), [(None, OutageKind.SILENT), ({"co2": 400}, OutageKind.UNIDENTIFIED)]
)
async def test_a_probe_that_finds_nothing_says_why(
    mosquitto: Broker, payload: object, kind: OutageKind
) -> None:
    where = target("probe", url(mosquitto, "z/env-1") + "?listen_s=0.3")
    async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
        if payload is not None:
            await publish(client, "z/env-1", payload, retain=True)
        result = await probe(where, mqtt_profiles(), SystemClock())
    assert result.outage is not None
    assert result.outage.kind is kind
    assert (result.identity.profiles, result.readings) == ((), [])


async def test_a_probe_without_a_broker_ends_at_once_with_the_reason() -> None:
    where = target("probe", f"mqtt://127.0.0.1:{free_port()}/z/env-1")
    async with asyncio.timeout(5):
        result = await probe(where, mqtt_profiles(), SystemClock())
    assert result.outage is not None
    assert result.outage.kind is OutageKind.BROKER
    assert "refused" in result.outage.detail.lower()


# paho leaves the socket of a failed TLS handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "heard"), [("localhost", True), ("other.example", False)])
async def test_a_broker_over_tls_must_bear_its_name(tmp_path: Path, name: str, heard: bool) -> None:
    need_mosquitto()
    cert, key = certificate(tmp_path, name)
    me = getpass.getuser()  # mosquitto gives up root, and could not read the key
    access = f"allow_anonymous true\nuser {me}\ncertfile {cert}\nkeyfile {key}"
    async with started(Mosquitto(mosquitto_path() or "", free_port(), access)) as server:
        secret = Credentials(ca_file=str(cert))
        where = parse_url(f"mqtts://localhost:{server.port}/z/leak?listen_s=3")
        trusted = ssl.create_default_context(cafile=str(cert))
        trusted.check_hostname = False
        async with aiomqtt.Client("127.0.0.1", server.port, tls_context=trusted) as client:
            await publish(client, "z/leak", LEAK | {"water_leak": True}, retain=True)
        result = await probe(Target("x", where, credentials=secret), mqtt_profiles(), SystemClock())
    assert [r.state for r in result.readings if r.point == "x/leak"] == ["wet"] * heard
    if not heard:
        assert result.outage is not None
        assert "certificate" in result.outage.detail


async def test_a_broker_that_wants_a_password_says_so() -> None:
    need_mosquitto()
    access = "allow_anonymous false"
    async with started(Mosquitto(mosquitto_path() or "", free_port(), access)) as server:
        where = parse_url(f"mqtt://lin:s3cret@127.0.0.1:{server.port}/z/leak?listen_s=3")
        result = await probe(Target("x", where), mqtt_profiles(), SystemClock())
    assert result.outage is not None
    assert "authori" in result.outage.detail.lower()
    assert "s3cret" not in result.outage.detail
