"""What the MQTT tests share: a real mosquitto, a sink that remembers, and profiles."""

import asyncio
import os
from collections.abc import Callable, Mapping
from importlib import resources

import aiomqtt
import orjson
import pytest

from collectors.base import Target, parse_url
from collectors.mqtt.profile import MqttProfile
from collectors.profile import Profile, load_profiles
from dcim.model.reading import Batch, Identity, Reading
from fixtures.peers.broker import mosquitto_path

DEADLINE_S = 10.0


class Memory:
    """A sink that keeps everything, and wakes who waits for it."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.expected: dict[str, dict[str, float]] = {}
        self.batches: list[Batch] = []
        self.changed = asyncio.Event()

    def identified(self, identity: Identity) -> None:
        self.identities.append(identity)
        self.changed.set()

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        self.expected[device] = dict(points)

    def publish(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.changed.set()

    @property
    def latest(self) -> dict[str, Reading]:
        return {r.point: r for batch in self.batches for r in batch.readings}

    def outages(self, device: str) -> list[str | None]:
        """Kinds of the device's batches in order, repetitions left out."""
        kinds = [
            b.outage.kind.value if b.outage else None for b in self.batches if b.device == device
        ]
        return [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                self.changed.clear()
                await self.changed.wait()


def need_mosquitto() -> None:
    """Skip where mosquitto is missing; fail where the tests must be complete."""
    if mosquitto_path() is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed")
        pytest.skip("install mosquitto: apt-get install mosquitto")


def mqtt_profiles() -> dict[str, Profile]:
    """The suite's own MQTT profiles."""
    folder = resources.files("collectors") / "profiles"
    files = [f for f in folder.iterdir() if b'protocol = "mqtt"' in f.read_bytes()]
    return load_profiles(files, {"mqtt": MqttProfile})


def target(device: str, url: str, profile: str = "auto") -> Target:
    return Target(device, parse_url(url), profile)


async def publish(
    client: aiomqtt.Client, topic: str, payload: object, *, retain: bool = False
) -> None:
    """Send JSON, or bytes as they are."""
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    await client.publish(topic, data, qos=1, retain=retain)
