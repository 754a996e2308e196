"""The MQTT collector: one connection a broker, and the devices behind it."""

import asyncio
from collections.abc import Mapping, Sequence

from collectors.base import ProbeResult, Sink, Target
from collectors.mqtt.client import BrokerLost, Endpoint, listen, stay_connected
from collectors.mqtt.device import Device, seconds_of
from collectors.mqtt.profile import MqttProfile
from collectors.profile import Profile
from collectors.wheel import Counters, Wheel
from dcim.clock import Clock
from dcim.model.reading import Batch, Identity, Outage, OutageKind, Reading

_CHECK_S = 1.0
_LISTEN_S = 10.0


class MqttCollector:
    """Listens to many devices on any number of brokers.

    Counters: a message is a poll; one dropped because the queue was full is skipped.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        profiles: Mapping[str, Profile],
        sink: Sink,
        clock: Clock,
        wheel: Wheel,
        counters: Counters,
    ) -> None:
        known = mqtt_profiles(profiles)
        self._clock = clock
        self._wheel = wheel
        self._counters = counters
        self._devices: dict[Endpoint, list[Device]] = {}
        for target in targets:
            endpoint = Endpoint.of(target.url, target.credentials)
            device = Device(target, known, sink, clock.now())
            self._devices.setdefault(endpoint, []).append(device)

    @property
    def malformed(self) -> int:
        """Payloads that could not be read, since the start."""
        return sum(device.malformed for devices in self._devices.values() for device in devices)

    async def run(self) -> None:
        """Collect until cancelled."""
        job = self._wheel.every(_CHECK_S, self._check)
        try:
            async with asyncio.TaskGroup() as group:
                for endpoint, devices in self._devices.items():
                    broker = _Broker(devices, self._clock, self._counters)
                    group.create_task(broker.run(endpoint), name=f"mqtt {endpoint}")
        finally:
            job.cancelled = True

    def _check(self, due: float) -> None:
        now = self._clock.now()
        for devices in self._devices.values():
            for device in devices:
                device.check(now)


class _Broker:
    """Hands the messages of one broker to its devices."""

    def __init__(self, devices: Sequence[Device], clock: Clock, counters: Counters) -> None:
        self._devices = devices
        self._clock = clock
        self._counters = counters
        self._by_topic: dict[str, list[Device]] = {}
        for device in devices:
            for topic in device.topics:
                self._by_topic.setdefault(topic, []).append(device)

    async def run(self, endpoint: Endpoint) -> None:
        await stay_connected(
            endpoint,
            self._by_topic,
            self.take,
            self._clock,
            lost=self._lost,
            subscribed=self._subscribed,
            dropped=self._dropped,
        )

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        self._counters.polls += 1
        now = self._clock.now()
        for device in self._by_topic.get(topic, ()):
            device.take(topic, payload, retained, now)

    def _lost(self, detail: str) -> None:
        now = self._clock.now()
        for device in self._devices:
            device.broker_lost(detail, now)

    def _subscribed(self) -> None:
        now = self._clock.now()
        for device in self._devices:
            device.broker_back(now)

    def _dropped(self, count: int) -> None:
        self._counters.skipped += count


class _Findings:
    """The sink of a probe: the latest reading of each point."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}
        self.outage: Outage | None = None

    def identified(self, identity: Identity) -> None:
        """The device itself keeps it."""

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        """A probe waits for nothing to go stale."""

    def publish(self, batch: Batch) -> None:
        self.readings.update((reading.point, reading) for reading in batch.readings)
        self.outage = batch.outage


async def probe(target: Target, profiles: Mapping[str, Profile], clock: Clock) -> ProbeResult:
    """Listen to one device for `listen_s` (URL query, default 10), or until all has been said."""
    findings = _Findings()
    device = Device(target, mqtt_profiles(profiles), findings, clock.now())
    done = asyncio.Event()

    def take(topic: str, payload: bytes, retained: bool) -> None:
        device.take(topic, payload, retained, clock.now())
        if device.complete:
            done.set()

    endpoint = Endpoint.of(target.url, target.credentials)
    listening = asyncio.create_task(listen(endpoint, device.topics, take), name="mqtt probe")
    waiting = asyncio.create_task(done.wait(), name="mqtt probe done")
    listen_s = seconds_of(target, "listen_s") or _LISTEN_S
    tasks = (listening, waiting)
    try:
        await asyncio.wait(tasks, timeout=listen_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    return _result(device, findings, results[0])


def _result(device: Device, findings: _Findings, ended: object) -> ProbeResult:
    outage = findings.outage
    if isinstance(ended, BrokerLost):
        outage = Outage(OutageKind.BROKER, str(ended))
    elif isinstance(ended, Exception):
        raise ended
    elif device.identity is None:
        outage = device.unidentified()
    elif not findings.readings and outage is None:
        outage = Outage(OutageKind.SILENT, f"no message on {device.target.url.path}")
    identity = device.identity or Identity(device.target.device, "", "", "", ())
    return ProbeResult(identity, list(findings.readings.values()), outage)


def mqtt_profiles(profiles: Mapping[str, Profile]) -> dict[str, MqttProfile]:
    """Those of MQTT."""
    return {name: p for name, p in profiles.items() if isinstance(p, MqttProfile)}
