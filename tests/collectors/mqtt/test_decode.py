"""From payload to readings, without a broker."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import CollectError
from collectors.decode import Channel, channel
from collectors.mqtt.decode import MAX_DEPTH, MAX_PAYLOAD, RETAINED, Slot, Topic, alive, decode
from collectors.mqtt.profile import Availability, PayloadTime
from dcim.model.metric import registry
from dcim.model.reading import OutageKind, Quality, Reading

NOW = 1_700_000_000.0
GOOD = {"temperature": 21.5, "humidity": 44.0, "water_leak": False}


def made(metric: str, unit: str | None = None, states: dict[int, str] | None = None) -> Channel:
    return channel(f"x/{metric}", registry()[metric], f"t#{metric}", unit=unit, states=states)


TOPIC = Topic(
    (
        Slot(("temperature",), made("temperature")),
        Slot(("humidity",), made("humidity", "%")),
        Slot(("water_leak",), made("leak", states={0: "dry", 1: "wet"}), {"ON": 1, "OFF": 0}),
    )
)


def read(payload: object, topic: Topic = TOPIC, *, retained: bool = False) -> dict[str, Reading]:
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return {r.metric: r for r in decode(topic, data, retained, NOW)}


def test_a_good_payload_gives_good_readings_at_the_time_of_receipt() -> None:
    readings = read(GOOD)
    assert [(r.value, r.quality, r.ts) for r in readings.values()] == [
        (21.5, Quality.GOOD, NOW),
        (44.0, Quality.GOOD, NOW),
        (0.0, Quality.GOOD, NOW),
    ]
    assert (readings["leak"].state, readings["leak"].raw) == ("dry", 0)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"temperature": NaN, "humidity": 44, "water_leak": false}', "not a number"),
        (b'{"temperature": -Infinity, "humidity": 44, "water_leak": false}', "outside"),
        (b'{"temperature": 1e999, "humidity": 44, "water_leak": false}', "outside"),
        (b'{"temperature": 1' + b"0" * 400 + b', "humidity": 44, "water_leak": 0}', "too large"),
        (GOOD | {"temperature": None}, "null"),
        (GOOD | {"temperature": "21.5"}, "text '21.5' where a number is due"),
        (GOOD | {"temperature": ""}, "text '' where a number is due"),
        (GOOD | {"temperature": True}, "true where a number is due"),
        (GOOD | {"temperature": [21.5]}, "a list where a number is due"),
        (GOOD | {"temperature": {"value": 21.5}}, "an object where a number is due"),
        (GOOD | {"temperature": 3000}, "3000 degC is outside"),
        ({"humidity": 44.0, "water_leak": False}, "missing from the payload"),
    ],
)
def test_a_value_that_is_none_is_bad_with_its_reason_and_the_rest_is_intact(
    payload: object, reason: str
) -> None:
    readings = read(payload)
    spoilt = readings.pop("temperature")
    assert (spoilt.value, spoilt.quality) == (None, Quality.BAD)
    assert reason in (spoilt.reason or "")
    assert {r.quality for r in readings.values()} == {Quality.GOOD}


@pytest.mark.parametrize(
    ("sent", "state"), [(True, "wet"), (False, "dry"), (1, "wet"), (1.0, "wet"), ("ON", "wet")]
)
def test_a_state_comes_as_boolean_number_or_known_text(sent: object, state: str) -> None:
    assert read(GOOD | {"water_leak": sent})["leak"].state == state


@pytest.mark.parametrize("sent", ["on", "yes", 2, 0.5, -1, 1e300, None, [], "NaN", 2**70])
def test_a_state_that_nobody_knows_is_bad(sent: object) -> None:
    data = json.dumps(GOOD | {"water_leak": sent}).encode()
    leak = read(data)["leak"]
    assert (leak.quality, leak.state, leak.value) == (Quality.BAD, None, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [("21.5", 21.5), ("-3", -3.0), ("1e1", 10.0), ("21,5", None), ("nan", None), ("1_0", None)],
)
def test_a_number_as_text_counts_where_the_profile_says_so(text: str, value: float | None) -> None:
    topic = Topic((Slot(("temperature",), made("temperature"), number_as_text=True),))
    assert read({"temperature": text}, topic)["temperature"].value == value


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"21.5",
        b"[]",
        b'{"temperature": 21.5',
        b"x" * (MAX_PAYLOAD + 1),
        b"[" * 100_000,
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    ],
)
def test_what_is_no_json_object_or_breaks_a_limit_is_malformed(payload: bytes) -> None:
    with pytest.raises(CollectError) as caught:
        read(payload)
    assert caught.value.outage.kind is OutageKind.MALFORMED
    assert len(caught.value.outage.detail) < 300


def test_a_retained_message_is_uncertain_and_a_bad_value_in_it_stays_bad() -> None:
    readings = read(GOOD | {"humidity": None}, retained=True)
    assert (readings["leak"].quality, readings["leak"].reason) == (Quality.UNCERTAIN, RETAINED)
    assert readings["humidity"].quality is Quality.BAD


@pytest.mark.parametrize(
    ("form", "sent", "ts"),
    [
        ("unix", NOW - 10.5, NOW - 10.5),
        ("unix_ms", int((NOW + 1) * 1000), NOW + 1),
        ("iso8601", "2023-11-14T22:13:10Z", NOW - 10),
        ("iso8601", "2023-11-15T06:13:10+08:00", NOW - 10),
        ("iso8601", "2023-11-14T22:13:10", NOW),  # local time of nobody knows where
        ("unix", NOW - 301, NOW),  # too old
        ("unix", NOW + 301, NOW),
        ("unix", 12, NOW),  # seconds since boot
        ("unix", "yesterday", NOW),
        ("unix", True, NOW),
        ("unix", None, NOW),
        ("unix", 2**60, NOW),
    ],
)
def test_the_payloads_own_time_counts_where_plausible(form: str, sent: object, ts: float) -> None:
    rule = PayloadTime.model_validate({"path": "at.ts", "format": form})
    topic = Topic((Slot(("temperature",), made("temperature")),), time=rule)
    assert read({"temperature": 1, "at": {"ts": sent}}, topic)["temperature"].ts == ts


def test_a_partial_payload_speaks_only_of_what_it_holds() -> None:
    partial = Topic(TOPIC.slots, partial=True)
    assert list(read({"humidity": 50}, partial)) == ["humidity"]


def test_an_optional_point_that_is_missing_or_null_gives_nothing() -> None:
    topic = Topic((Slot(("battery",), made("charge"), optional=True),))
    assert not read({}, topic)
    assert not read({"battery": None}, topic)
    assert read({"battery": "x"}, topic)["charge"].quality is Quality.BAD


def test_a_path_goes_through_lists() -> None:
    topic = Topic((Slot(("sensors", "1", "t"), made("temperature")),))
    assert read({"sensors": [{}, {"t": 5}]}, topic)["temperature"].value == 5
    assert read({"sensors": [{}]}, topic)["temperature"].reason == "missing from the payload"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"online", True),
        (b'"offline"', False),
        (b'{"state": "offline"}', False),
        (b'{"state": true}', True),
        (b"asleep", None),
        (b"", None),
        (b'{"other": 1}', None),
    ],
)
def test_availability_is_told_as_text_or_in_an_object(
    payload: bytes, expected: bool | None
) -> None:
    rule = Availability(topic="a", path="state", online=("online", "true"), offline=("offline",))
    assert alive(rule, payload) is expected


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)
)


def check_every_reading(data: bytes) -> None:
    """Either malformed, or a reading for each point that is good and a number, or bad with why."""
    try:
        readings = read(data)
    except CollectError:
        return
    assert set(readings) == {"temperature", "humidity", "leak"}
    for reading in readings.values():
        if reading.quality is Quality.BAD:
            assert reading.value is None
            assert orjson.dumps(reading.reason) != b"null"
        else:
            assert reading.value is not None
            assert math.isfinite(reading.value)


@given(st.fixed_dictionaries(dict.fromkeys(GOOD, anything)))
def test_any_value_in_any_place_gives_good_or_bad_readings(payload: dict[str, object]) -> None:
    check_every_reading(json.dumps(payload).encode("utf-8", "replace"))


@given(st.data())
def test_a_mutated_payload_never_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(orjson.dumps(GOOD))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(place, min(place + 4, len(raw))))
        raw[place:end] = data.draw(st.binary(max_size=4))
    check_every_reading(bytes(raw))
