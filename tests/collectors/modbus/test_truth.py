"""What certain devices' words mean to who runs them: faults that must be seen, doubts that are real."""

import pytest

from dcim.model.reading import Quality
from tests.collectors.modbus.peers import modbus_profiles, readings_of

PROFILES = modbus_profiles()


@pytest.mark.parametrize(
    ("address", "point"),
    [
        (36883, "pump/1/warning/alarm"),
        (36888, "pump/3/error/alarm"),
        (37010, "fan_rack/1/fan/1/warning/alarm"),
        (37041, "fan_rack/2/fan/8/error/alarm"),
        (37077, "pump_rack_ups_warning/4/alarm"),
        (37094, "pump_rack_ups_fault/alarm"),
        (37465, "pump_rack_crps_warning/3/alarm"),
        (37570, "pump_rack_sensor_warning/2/alarm"),
        (37588, "fan_rack/1/sensor/1/alarm"),
        (241, "emergency_button/alarm"),
    ],
)
def test_a_fault_word_of_the_pumping_unit_is_an_alarm_and_shows_its_number(address, point):
    silent = readings_of(PROFILES["aalc_rpu2"], {})[point]
    assert (silent.state, silent.raw, silent.quality) == ("inactive", 0, Quality.GOOD)
    raised = readings_of(PROFILES["aalc_rpu2"], {"holding": {address: 0x48}})[point]
    assert (raised.state, raised.raw, raised.quality) == ("active", 0x48, Quality.GOOD)
    assert raised.source == f"7:holding:{address}"


def test_of_the_pumping_unit_only_the_numbers_are_in_doubt():
    words = {242: 1, 37090: 4, 36865: 3000}
    readings = readings_of(PROFILES["aalc_rpu2"], {"holding": words})
    assert (readings["ready/enabled"].state, readings["pump_rack_ups_mode/value"].value) == (
        "yes",
        4,
    )
    assert {r.quality for r in readings.values() if r.state} == {Quality.GOOD}
    assert readings["pump/1/speed"].quality is Quality.UNCERTAIN


@pytest.mark.parametrize(
    ("bits", "leak"),
    [(0, "dry"), (1, "wet"), (2, "fault"), (4, "fault"), (5, "wet"), (6, "fault"), (7, "wet")],
)
def test_a_leak_cable_that_cannot_tell_is_a_fault(bits, leak):
    readings = readings_of(PROFILES["rle_seahawk"], {"input": {0: bits}})
    assert readings["zone/1/leak"].state == leak
    assert (readings["zone/1/contamination/alarm"].state == "active") == bool(bits & 4)
