"""The suite's own MQTT profiles against payloads that such devices really send."""

import copy
import tomllib
from importlib import resources

import orjson
import pytest
from pydantic import ValidationError

from collectors.base import parse_url
from collectors.mqtt.device import Device
from collectors.mqtt.profile import MqttProfile
from dcim.model.reading import Quality
from tests.collectors.mqtt.peers import Memory, mqtt_profiles, target

NOW = 1_747_561_101.0


def device(topic: str, sink: Memory, profile: str = "auto") -> Device:
    profiles = {n: p for n, p in mqtt_profiles().items() if isinstance(p, MqttProfile)}
    return Device(target("d", f"mqtt://broker/{topic}", profile), profiles, sink, NOW)


def say(to: Device, topic: str, payload: object, retained: bool = False) -> None:
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    to.take(topic, data, retained, NOW)


# Values: home-assistant/core tests/components/shelly/fixtures/pro_3em.json, rounded
EM = {
    **{f"{p}_voltage": 227.0 + i for i, p in enumerate("abc")},
    **{f"{p}_current": 9.5 for p in "abc"},
    **{f"{p}_act_power": 2166.2 for p in "abc"},
    **{f"{p}_aprt_power": 2175.9 for p in "abc"},
    **{f"{p}_pf": 0.99 for p in "abc"},
    **{f"{p}_freq": 49.9 for p in "abc"},
    "id": 0,
    "n_current": None,
    "total_act_power": 2413.8,
    "total_aprt_power": 2525.8,
    "total_current": 11.1,
}


def test_a_shelly_meter_is_identified_by_its_status_and_read_in_our_units() -> None:
    sink, topic = Memory(), "shellypro3em-1"
    meter = device(topic, sink)
    say(meter, f"{topic}/online", b"true", retained=True)
    say(meter, f"{topic}/status/em:0", EM)
    say(
        meter,
        f"{topic}/status/emdata:0",
        {
            "total_act": 5415414.19,
            "total_act_ret": 0.0,
            **{f"{p}_total_act_energy": 1000.0 for p in "abc"},
        },
    )
    assert sink.identities[0].profiles == ("shelly_pro3em",)
    latest = sink.latest
    assert latest["d/L2/voltage"].value == 228.0
    assert latest["d/L2/voltage"].source == f"{topic}/status/em:0#b_voltage"
    assert latest["d/energy.active"].value == pytest.approx(5415.41419)
    assert "d/N/current" not in latest
    assert {r.quality for r in latest.values()} == {Quality.GOOD}
    assert sink.expected["d"]["d/power.active"] == 150
    assert sink.expected["d"]["d/energy.active"] == 750


def test_a_notification_of_a_shelly_changes_only_what_it_holds_and_brings_its_time() -> None:
    sink, topic = Memory(), "shellypro3em-1"
    meter = device(topic, sink, "shelly_pro3em")
    say(meter, f"{topic}/status/em:0", EM)
    before = len(sink.batches)
    params = {"ts": NOW - 2.5, "em:0": {"id": 0, "a_voltage": 231.5}}
    say(meter, f"{topic}/events/rpc", {"method": "NotifyStatus", "params": params})
    (batch,) = sink.batches[before:]
    assert [(r.point, r.value, r.ts) for r in batch.readings] == [
        ("d/L1/voltage", 231.5, NOW - 2.5)
    ]
    assert batch.readings[0].source == f"{topic}/events/rpc#params.em:0.a_voltage"


def test_a_notification_of_something_else_says_nothing() -> None:
    sink, topic = Memory(), "shellypro3em-1"
    meter = device(topic, sink, "shelly_pro3em")
    say(meter, f"{topic}/events/rpc", {"params": {"ts": NOW, "cloud": {"connected": False}}})
    assert not sink.batches


def test_a_tasmota_plug_is_read_and_its_local_time_is_not_believed() -> None:
    sink = Memory()
    plug = device("tele/pow1", sink)
    energy = {"Total": 6.294, "Power": 2635, "Factor": 0.99, "Voltage": 227, "Current": 11.661}
    say(plug, "tele/pow1/LWT", b"Online", retained=True)
    say(plug, "tele/pow1/SENSOR", {"Time": "2018-02-15T17:37:10", "ENERGY": energy})
    assert sink.identities[0].profiles == ("tasmota_energy",)
    assert sink.latest["d/energy.active"].value == 6.294
    assert sink.latest["d/power.active"].ts == NOW
    say(plug, "tele/pow1/SENSOR", {"Epoch": NOW - 3, "ENERGY": energy})
    assert sink.latest["d/power.active"].ts == NOW - 3
    say(plug, "tele/pow1/LWT", b"Offline")
    assert sink.latest["d/power.active"].quality is Quality.STALE


def test_a_climate_sensor_without_a_battery_is_well_and_expects_none() -> None:
    sink = Memory()
    sensor = device("zigbee2mqtt/row1/rack05/temp", sink)
    say(sensor, "zigbee2mqtt/row1/rack05/temp", {"temperature": 27.34, "humidity": 44.72})
    assert sink.identities[0].profiles == ("zigbee2mqtt_climate",)
    assert sink.batches[-1].outage is None
    assert set(sink.expected["d"]) == {"d/temperature", "d/humidity"}
    say(sensor, "zigbee2mqtt/row1/rack05/temp", {"temperature": 27, "humidity": 44, "battery": 9})
    assert set(sink.expected["d"]) == {"d/temperature", "d/humidity", "d/battery/charge"}


def test_availability_heard_before_the_device_was_known_is_not_lost() -> None:
    sink = Memory()
    sensor = device("z/leak", sink)
    say(sensor, "z/leak/availability", {"state": "offline"}, retained=True)
    say(sensor, "z/leak", {"water_leak": False}, retained=True)
    assert sink.outages("d")[-1] == "offline"
    assert sink.latest["d/leak"].quality is Quality.STALE


def test_a_site_may_state_how_often_its_sensor_speaks() -> None:
    sink = Memory()
    device("z/leak?expect_s=60", sink, "zigbee2mqtt_leak")
    assert sink.expected["d"]["d/leak"] == 150


@pytest.mark.parametrize("expect_s", ["soon", "-1", "0", "nan", "inf", "1e3", "", "."])
def test_a_faulty_expectation_is_refused(expect_s: str) -> None:
    with pytest.raises(ValueError, match="expect_s must be seconds"):
        parse_url(f"mqtt://broker/z/leak?expect_s={expect_s}")


@pytest.mark.parametrize("topic", ["", "/", "/z/+", "/z/%23", "/z%00", "/" + "z" * 513])
def test_a_url_without_a_plain_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="expected mqtt://HOST") as caught:
        parse_url(f"mqtt://user:secret@broker{topic}")
    assert "secret" not in str(caught.value)


def test_every_point_of_every_profile_states_its_source() -> None:
    for profile in mqtt_profiles().values():
        assert isinstance(profile, MqttProfile)
        assert all(point.source for point in profile.point)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("expect_s", None, "expect_s"),
        ("expect_s", 0, "greater than 0"),
        ("identify", "water_leak", "expected TOPIC#JSON.PATH"),
        ("identify", "+/x#a", "plain topic"),
        ("point", [{"metric": "leak", "at": "#water_leak"}], "`states` must say"),
        ("point", [{"metric": "temperature", "at": ["#a", "#a"]}], "source given more than once"),
        ("point", [{"metric": "dew_point", "at": p} for p in ("#a", "#b")], "point given more"),
        ("message", [{"topic": "a"}, {"topic": "a"}], "topic given more than once"),
        ("colour", "red", "Extra inputs"),
    ],
)
def test_a_faulty_profile_is_refused_with_what_is_wrong(
    key: str, value: object, message: str
) -> None:
    text = (resources.files("collectors") / "profiles/zigbee2mqtt_leak.toml").read_text("utf-8")
    table = copy.deepcopy(tomllib.loads(text))
    table[key] = value
    if value is None:
        del table[key]
    with pytest.raises(ValidationError, match=message):
        MqttProfile.model_validate(table)
