"""MQTT profiles: where in which payload each point stands, and how often it must come."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PositiveFloat, model_validator

from collectors.profile import Point, Profile, Strict
from dcim.model.metric import MetricKind, registry

MAX_POINTS = 5000  # a message; reference/mqtt/NOTES.md section 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a topic relative to the target's, and the keys down to it."""

    topic: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.topic}#{'.'.join(self.path)}"


def parse_place(text: object) -> Place:
    """`status/em:0#a_voltage`; an empty topic is the target's own."""
    if isinstance(text, Place):
        return text
    topic, mark, path = str(text).partition("#")
    if not mark or not path:
        raise ValueError(f"expected TOPIC#JSON.PATH, found {text!r}")
    if any(sign in topic for sign in "+#") or topic.startswith("/") or topic.endswith("/"):
        raise ValueError(f"expected a plain topic below the target's, found {topic!r}")
    return Place(topic, tuple(path.split(".")))


def _places(value: object) -> object:
    """One place, or a list of places."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return tuple(parse_place(one) for one in several)


Places = Annotated[tuple[Place, ...], BeforeValidator(_places), Field(min_length=1)]


class MqttPoint(Point):
    """A point in a payload. A JSON boolean counts as the raw number 0 or 1."""

    own_metrics: ClassVar[bool] = True

    at: Places  # several where more than one topic brings it
    # text on the wire -> raw number: `{ ON = 1, OFF = 0 }`
    texts: Annotated[dict[str, int], Field(default_factory=dict)]
    number_as_text: bool = False  # "21.5" is accepted
    optional: bool = False  # some models lack it: missing or null is no reading instead of `bad`

    @model_validator(mode="after")
    def _states_are_told(self) -> Self:
        known = registry().get(self.metric)
        if known is not None and known.kind is MetricKind.STATE and not self.states:
            raise ValueError(f"{self.metric} is a state: `states` must say what each raw value is")
        return self


class PayloadTime(Strict):
    """The payload's own time; used where it is within 5 minutes of ours."""

    path: str
    format: Literal["unix", "unix_ms", "iso8601"]  # iso8601 without an offset is not used


class MessageRule(Strict):
    """What holds for every payload of one topic."""

    topic: str = ""
    partial: bool = False  # brings only what has changed: the rest keeps its last value
    expect_s: PositiveFloat | None = None  # default: the profile's
    time: PayloadTime | None = None


class Availability(Strict):
    """The topic on which the device's being alive is told, usually retained and by its will."""

    topic: str
    path: str = ""  # where the payload is a JSON object
    online: Annotated[tuple[str, ...], Field(min_length=1)]
    offline: Annotated[tuple[str, ...], Field(min_length=1)]


class MqttProfile(Profile):
    """A device that speaks JSON over MQTT."""

    protocol: Literal["mqtt"]
    expect_s: PositiveFloat  # a message at least so often; stale after 2.5 times that
    identify: Places  # all of these are in its payloads; profiles with more of them win
    availability: Availability | None = None
    message: tuple[MessageRule, ...] = ()
    point: Annotated[tuple[MqttPoint, ...], Field(min_length=1, max_length=MAX_POINTS)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, keys in (
            ("point", (f"{p.component}/{p.metric}" for p in self.point)),
            ("source", (str(place) for p in self.point for place in p.at)),
            ("topic", (rule.topic for rule in self.message)),
        ):
            twice = _twice(keys)
            if twice:
                raise ValueError(f"{what} given more than once: {', '.join(twice)}")
        return self

    def rule(self, topic: str) -> MessageRule:
        """What holds for the payloads of a relative topic."""
        return next((r for r in self.message if r.topic == topic), MessageRule(topic=topic))

    def topics(self) -> frozenset[str]:
        """Relative topics to subscribe to."""
        found = {place.topic for point in self.point for place in point.at}
        found |= {place.topic for place in self.identify}
        return frozenset(found | ({self.availability.topic} if self.availability else set()))


def _twice(keys: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({key for key in keys if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
