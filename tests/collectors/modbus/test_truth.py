"""What certain devices' words mean to who runs them: faults that must be seen, doubts that are real."""

import pytest

from collectors.modbus.checks import cells
from dcim.model.reading import Quality
from tests.collectors.modbus.peers import modbus_profiles, profile, readings_of

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


@pytest.mark.parametrize("name", ["orv3_bbu", "orv3_hpr_bbu"])
def test_a_battery_module_that_may_not_carry_load_says_why(name):
    able = {126: 100, 94: 100, 142: 98, 311: 1, 168: 0, 165: 0b10} | dict.fromkeys(
        range(109, 121), 4000
    )
    readings = readings_of(PROFILES[name], {"holding": able})
    assert readings["discharging/enabled"].state == "yes"
    assert readings["psu/input/status"].state == "ok"
    assert readings["battery/present"].state == "present"
    barred = able | {165: 1 | 1 << 4, 104: 1 << 15, 168: 1 << 12, 162: 1 << 14, 110: 3300, 311: 0}
    readings = readings_of(PROFILES[name], {"holding": barred})
    assert readings["discharging/enabled"].state == "no"
    assert readings["discharge_not_allowed/alarm"].state == "active"
    assert readings["battery/failure/alarm"].state == "active"
    assert readings["self_test/not_started/end_of_life/alarm"].state == "active"
    assert readings["self_test/failure/alarm"].state == "active"
    assert readings["psu/input/status"].state == "fault"
    cells = {k: r.value for k, r in readings.items() if k.endswith("/voltage") and "cell/" in k}
    assert min(cells, key=lambda key: cells[key] or 0) == "cell/2/voltage"


def test_faults_of_a_capacitor_shelf_are_seen():
    words = {153: 1 << 5, 154: 1 << 4, 155: 1, 157: 1 << 4, 164: 1 << 8}
    readings = readings_of(PROFILES["orv3_hpr_cbu"], {"holding": words})
    for point in (
        "converter/fan/3",
        "boost/input_undervoltage",
        "charger/overcurrent",
        "temperature/pack",
        "daisy_chain",
    ):
        assert readings[f"{point}/alarm"].state == "active", point


@pytest.mark.parametrize("address", [6561, 6562, 6563, 6564, 6565, 6569])
def test_a_leak_that_was_stays_visible_on_the_pumping_unit(address):
    def leaks(words: dict[int, int]) -> dict[str, str | None]:
        readings = readings_of(PROFILES["aalc_rpu"], {"holding": words})
        return {k: r.state for k, r in readings.items() if r.source == f"7:holding:{address}"}

    ((point, state),) = leaks({address: 1}).items()
    ((_, dry),) = leaks({}).items()
    assert (state != dry, "leak" in point) == (True, True)


def test_levels_and_lights_of_the_pumping_unit():
    words = {40994: 33, 40995: 34, 41011: 35, 36887: 1 << 2}
    readings = readings_of(PROFILES["aalc_rpu"], {"holding": words})
    values = {r.source: r.value for r in readings.values()}
    assert [values[f"7:holding:{a}"] for a in (40994, 40995, 41011)] == [33, 34, 35]
    assert readings["led/leak/enabled"].state == "yes"


def test_a_rectifier_controllers_encoding_can_be_written_as_a_profile():
    """NetSure: a number times 10 plus a base offset; an alarm is one bit and a two-bit level.

    Source: manualshive.com manual 1008032, page 109.
    """
    level = {0: "ok", 1: "informational", 2: "warning", 3: "critical"}
    controller = profile(
        point=[
            {"metric": "current", "at": {"address": 0}, "scale": 0.1, "offset": -1000},
            {
                "metric": "alarm",
                "at": {"address": 1, "bit": 4},
                "states": {0: "inactive", 1: "active"},
            },
            {"metric": "status", "at": {"address": 1, "bit": 5, "width": 2}, "states": level},
        ]
    )
    readings = readings_of(controller, {"holding": {0: 10123, 1: 0b111 << 4}})
    assert readings["current"].value == pytest.approx(12.3)
    assert (readings["alarm"].state, readings["status"].state) == ("active", "critical")


def test_the_place_of_a_power_supply_is_two_words_long():
    words = {73: 1, 74: 0x000F}
    place = readings_of(PROFILES["orv3_psu"], {"holding": words})["position/value"]
    assert place.value == 0x1000F


@pytest.mark.parametrize(
    ("name", "addresses", "points"),
    [
        ("orv3_bbu", (133, 134), ("runtime", "average/runtime")),
        ("orv3_hpr_bbu", (133, 134), ("runtime", "average/runtime")),
        ("orv2_psu", (139, 141), ("battery/runtime", "battery/average/runtime")),
        ("orv3_bbu", (144, 145), ("charging/wanted/current", "charging/wanted/voltage")),
        ("orv3_hpr_bbu", (144, 145), ("charging/wanted/current", "charging/wanted/voltage")),
        ("orv2_psu", (145,), ("battery/charging/voltage",)),
    ],
)
def test_a_smart_battery_that_has_no_number_gives_none(name, addresses, points):
    """Smart Battery Data Specification 1.1: 65535 is no run time, or no limit to the charge."""
    some = readings_of(PROFILES[name], {"holding": dict.fromkeys(addresses, 0x0101)})
    none = readings_of(PROFILES[name], {"holding": dict.fromkeys(addresses, 0xFFFF)})
    assert set(points) <= some.keys()
    assert not set(points) & none.keys()


PARTLY_READ = {  # words of which other bits may be set in health: states, not alarms
    ("aalc_rpu2", 240),
    ("aalc_rpu2", 37519),
    ("aalc_rpu2", 37530),
    ("aalc_rpu2", 37539),
    ("aalc_rpu2", 37566),
    ("aalc_rpu2", 37568),
    ("aalc_rpu2", 37648),
    ("aalc_rpu", 41478),
    ("apc_smart_ups", 0),
    ("apc_smart_ups", 150),
    ("orv2_psu", 285),
    ("orv3_hpr_cbu", 153),
    ("rle_seahawk", 0),
}


@pytest.mark.parametrize("name", PROFILES)
def test_no_bit_of_an_alarm_word_goes_unseen(name):
    """A word of which all named bits are alarms: the others are told as well."""
    seen: dict[tuple[str, int], dict[int, str]] = {}
    words = [one for one in PROFILES[name].placed if one.point.bits or one.at.mask is not None]
    for one in PROFILES[name].placed:
        for (table, address, bit), _ in cells(one.at):
            seen.setdefault((table, address), {})[bit] = one.point.metric
    for one in words:
        for address in one.at.addresses:
            metrics = seen.get((one.at.table, address), {})
            if (
                metrics
                and set(metrics.values()) <= {"alarm", "leak"}
                and (name, address) not in PARTLY_READ
            ):
                assert len(metrics) == 16, (address, sorted(set(range(16)) - metrics.keys()))


@pytest.mark.parametrize(
    ("name", "table", "address", "number", "point"),
    [
        ("cdu_plc_fx5", "holding", 10003, 1 << 14, "word/3/unnamed/alarm"),
        ("huawei_ups2000", "holding", 41198, 1 << 1, "word/41198/unnamed/alarm"),
        ("socomec_jbus_ups", "holding", 4162, 1 << 14, "word/2/unnamed/alarm"),
        ("apc_smart_ups", "holding", 20, 1 << 15, "unnamed/alarm"),  # bit 31 of two words
        ("orv3_psu", "holding", 60, 1 << 12, "general/unnamed/alarm"),
        ("orv3_power_tether", "holding", 64, 1 << 2, "communication/unnamed/alarm"),
        ("orv2_psu", "holding", 209, 1 << 15, "pfc/unnamed/alarm"),
        ("orv3_bbu", "holding", 105, 1 << 13, "permanent/unnamed/alarm"),
        ("orv3_bbu", "holding", 162, 1 << 6, "self_test/unnamed/alarm"),
        ("aalc_rpu", "holding", 37377, 1 << 11, "status/unnamed/alarm"),
        ("aalc_rpu", "holding", 41473, 1 << 4, "exchanger/fan/unnamed/alarm"),
        ("riello_multicom", "input", 0, 1 << 10, "unnamed/enabled"),
    ],
)
def test_a_bit_that_no_document_names_is_shown(name, table, address, number, point):
    silent = readings_of(PROFILES[name], {})[point]
    assert silent.state in ("inactive", "no")
    raised = readings_of(PROFILES[name], {table: {address: number}})[point]
    assert raised.state in ("active", "yes")
    assert raised.raw in (number, number << 16)


def test_a_power_supply_that_talks_has_no_alarm_of_it():
    readings = readings_of(PROFILES["orv3_psu"], {"holding": {64: 0x0300}})
    assert readings["communication/unnamed/alarm"].state == "inactive"
    assert readings["communication/modbus/enabled"].state == "yes"


def test_what_a_leak_controller_has_latched_is_read():
    readings = readings_of(PROFILES["rle_seahawk"], {"holding": {3: 5}})
    assert readings["zone/1/latched/value"].value == 5
