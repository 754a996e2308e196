"""One device behind a broker: what it is, what it last said, whether it is alive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.base import CollectError, Sink, Target
from collectors.decode import channel
from collectors.mqtt.decode import Slot, Topic, alive, decode, has, parse
from collectors.mqtt.profile import Availability, MqttPoint, MqttProfile
from dcim.model.metric import Metric, registry
from dcim.model.reading import (
    Batch,
    Identity,
    Outage,
    OutageKind,
    Quality,
    Reading,
    address,
)

STALE_FACTOR = 2.5  # DESIGN section 2: pushed points
_IDENTIFY_S = 30.0  # so long after its first message an unknown device is reported as such


@dataclass(slots=True)
class Message:
    """One message as it came."""

    payload: bytes
    retained: bool
    received: float


class Device:
    """Turns the messages of one target into batches for a sink."""

    def __init__(
        self, target: Target, profiles: Mapping[str, MqttProfile], sink: Sink, now: float
    ) -> None:
        self.target = target
        self.identity: Identity | None = None
        self.last: dict[str, Reading] = {}
        self.outage: Outage | None = None
        self._sink = sink
        self._profile: MqttProfile | None = None
        self._topics: dict[str, Topic] = {}
        self._stale_after: dict[str, float] = {}
        self._optional: dict[str, float] = {}  # seconds for points of which nothing is known yet
        self._heard = now
        self._early: dict[str, Message] = {}  # latest of each topic before the device was known
        self._expect_s = seconds_of(target, "expect_s")
        self.malformed = 0
        if target.profile == "auto":
            self._candidates = tuple(profiles.values())
        else:
            if target.profile not in profiles:
                raise ValueError(f"{target.url}: no MQTT profile {target.profile!r}")
            self._candidates = (profiles[target.profile],)
            self._become(self._candidates[0], "configured")

    @property
    def topics(self) -> frozenset[str]:
        """Full topics to subscribe to."""
        return frozenset(self._full(topic) for p in self._candidates for topic in p.topics())

    @property
    def complete(self) -> bool:
        """Every point of the profile has been read from a fresh message."""
        wanted = self._stale_after.keys() | self._optional.keys()
        fresh = {p for p, r in self.last.items() if r.quality is not Quality.UNCERTAIN}
        return self.identity is not None and wanted <= fresh

    def take(self, topic: str, payload: bytes, retained: bool, now: float) -> None:
        """One message of one of our topics."""
        if not retained:
            self._heard = now
        if self._profile is None:
            self._early[topic] = Message(payload, retained, now)
            self._identify()
            return
        rule = self._profile.availability
        if rule is not None and topic == self._full(rule.topic):
            self._availability(rule, payload, now)
        else:
            self._readings(topic, payload, retained, now)

    def broker_lost(self, detail: str, now: float) -> None:
        if self.outage is None or self.outage.kind is not OutageKind.BROKER:
            self._fail(Outage(OutageKind.BROKER, detail), now)

    def broker_back(self, now: float) -> None:
        """The device gets the benefit of the doubt until its expected time has passed."""
        self._heard = now
        if self.outage is not None and self.outage.kind is OutageKind.BROKER:
            self._publish((), None, now)

    def check(self, now: float) -> None:
        """Report a device that has gone silent, or that no profile knows."""
        silent_s = now - self._heard
        if self.outage is not None:
            return
        if self._profile is None and self._early:
            first = min(message.received for message in self._early.values())
            if now - first > _IDENTIFY_S:
                self._fail(self.unidentified(), now)
        elif self._profile is not None and silent_s > self._longest():
            self._fail(Outage(OutageKind.SILENT, f"no message for {silent_s:.0f} s"), now)

    def unidentified(self) -> Outage:
        """Why no profile was chosen."""
        if not self._early:
            return Outage(OutageKind.SILENT, f"no message on {self.target.url.path}")
        names = ", ".join(profile.name for profile in self._candidates)
        return Outage(OutageKind.UNIDENTIFIED, f"payload fits none of the profiles {names}")

    def _full(self, topic: str) -> str:
        base = self.target.url.path
        return f"{base}/{topic}" if topic else base

    def _availability(self, rule: Availability, payload: bytes, now: float) -> None:
        try:
            online = alive(rule, payload)
        except CollectError as error:
            self.malformed += 1
            self._fail(error.outage, now)
            return
        offline = self.outage is not None and self.outage.kind is OutageKind.OFFLINE
        if online is False and not offline:
            reason = "its availability topic says offline"
            gone = [r._replace(quality=Quality.STALE, reason=reason) for r in self.last.values()]
            self._publish(gone, Outage(OutageKind.OFFLINE, reason), now)
        elif online and offline:
            self._heard = now
            self._publish((), None, now)

    def _readings(self, topic: str, payload: bytes, retained: bool, now: float) -> None:
        known = self._topics.get(topic)
        if known is None:
            return
        try:
            readings = decode(known, payload, retained, now)
        except CollectError as error:
            self.malformed += 1
            self._fail(error.outage, now)
            return
        if retained and self.outage is not None and self.outage.kind is OutageKind.OFFLINE:
            reason = self.outage.detail
            readings = [r._replace(quality=Quality.STALE, reason=reason) for r in readings]
            self._publish(readings, self.outage, now)
        elif readings:
            self._expect_more(readings)
            self._publish(readings, None, now)

    def _fail(self, outage: Outage, now: float) -> None:
        self._publish((), outage, now)

    def _publish(self, readings: Sequence[Reading], outage: Outage | None, now: float) -> None:
        self.outage = outage
        self.last.update((reading.point, reading) for reading in readings)
        self._sink.publish(Batch(self.target.device, now, readings, outage, "mqtt"))

    def _identify(self) -> None:
        """Choose the profile of which most is in the payloads so far, and read those."""
        documents = {topic: _document(m.payload) for topic, m in self._early.items()}
        fitting = [
            profile
            for profile in self._candidates
            if all(has(documents.get(self._full(p.topic)), p.path) for p in profile.identify)
        ]
        if not fitting:
            return
        best = max(fitting, key=lambda profile: len(profile.identify))
        keys = ", ".join(str(place).lstrip("#") for place in best.identify)
        self._become(best, f"payload has {keys}", tuple(p.name for p in fitting if p is not best))
        early, self._early = self._early, {}
        for topic, message in early.items():
            self.take(topic, message.payload, message.retained, message.received)

    def _become(self, profile: MqttProfile, why: str, others: tuple[str, ...] = ()) -> None:
        self._profile = profile
        slots: dict[str, list[Slot]] = {}
        for point in profile.point:
            self._add(profile, point, slots)
        for topic, of_topic in slots.items():
            rule = profile.rule(topic)
            self._topics[self._full(topic)] = Topic(tuple(of_topic), rule.partial, rule.time)
        self.identity = Identity(
            self.target.device,
            profile.kind,
            profile.vendor,
            profile.model,
            (profile.name,),
            why,
            others,
        )
        self._sink.identified(self.identity)
        self._sink.expect(self.target.device, self._stale_after)

    def _add(self, profile: MqttProfile, point: MqttPoint, slots: dict[str, list[Slot]]) -> None:
        """Put one point under each of its topics, and note when it is stale."""
        where = address(self.target.device, point.component, point.metric)
        expect_s = 0.0
        for place in point.at:
            source = f"{self._full(place.topic)}#{'.'.join(place.path)}"
            slots.setdefault(place.topic, []).append(_slot(point, place.path, where, source, self))
            told_s = profile.rule(place.topic).expect_s or profile.expect_s
            expect_s = max(expect_s, self._expect_s or told_s)
        expected = self._optional if point.optional else self._stale_after
        expected[where] = STALE_FACTOR * expect_s

    def _expect_more(self, readings: Sequence[Reading]) -> None:
        """An optional point that has come once is expected from now on."""
        new = [r.point for r in readings if r.point in self._optional]
        for point in new:
            self._stale_after[point] = self._optional.pop(point)
        if new:
            self._sink.expect(self.target.device, self._stale_after)

    def _longest(self) -> float:
        return max(self._stale_after.values(), default=float("inf"))


def seconds_of(target: Target, key: str) -> float | None:
    """A site's own figure from the URL's query: `?expect_s=600`; `parse_url` has checked it."""
    text = target.url.query.get(key)
    return None if text is None else float(text)


def _slot(point: MqttPoint, path: tuple[str, ...], where: str, source: str, device: Device) -> Slot:
    metric = registry().get(point.metric) or Metric(
        name=point.metric, unit=point.unit or "1", meaning=point.note
    )
    key = f"{point.component}/{point.metric}" if point.component else point.metric
    made = channel(
        where,
        metric,
        source,
        unit=point.unit,
        scale=point.scale,
        offset=point.offset,
        states=point.states,
        sentinels=point.invalid,
        doubtful=point.doubtful,
        override=device.target.override.get(key),
    )
    return Slot(path, made, point.texts, point.number_as_text, point.optional, point.absent)


def _document(payload: bytes) -> object:
    try:
        return parse(payload)
    except CollectError:
        return None
