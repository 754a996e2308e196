"""Every Modbus profile loads, names its sources, and measures nothing twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.modbus.decode import spans_of
from collectors.modbus.plan import plan
from collectors.modbus.profile import Profile
from collectors.modbus.registers import GROUPS
from dcim.model.metric import MetricKind, registry
from dcim.model.reading import Quality
from tests.collectors.modbus.peers import modbus_profiles, profile, readings_of

PROFILES = modbus_profiles()
ALL = pytest.mark.parametrize("one", PROFILES.values(), ids=PROFILES.keys())


def test_the_demo_plants_devices_are_known():
    assert {
        "cdu_generic",
        "aalc_rpu",
        "power_shelf_generic",
        "bbu_shelf_generic",
        "hvdc_generic",
        "sdm630",
        "iem3000",
        "rle_seahawk",
        "water_meter_generic",
        "dry_cooler_generic",
        "weather_generic",
    } <= PROFILES.keys()


@ALL
def test_every_source_is_published_once(one: Profile):
    sources = [placed.at.source(1) for placed in one.placed]
    assert len(sources) == len(set(sources))


@ALL
def test_every_point_has_a_registered_metric_and_states_have_codes(one: Profile):
    for placed in one.placed:
        metric = registry()[placed.point.metric]
        assert (metric.kind is MetricKind.STATE) == bool(placed.point.states), placed.key


@ALL
def test_evidence_and_sources_agree(one: Profile):
    assert all(source.strip() for source in one.sources)
    if one.evidence == "synthetic":
        assert any("our own map" in source for source in one.sources)


@ALL
def test_safety_points_are_polled_every_second(one: Profile):
    for placed in one.placed:
        if registry()[placed.point.metric].safety:
            assert placed.point.poll_group() == "fast", placed.key


@ALL
def test_reads_stay_within_the_device_limits(one: Profile):
    for group in GROUPS:
        spans = [s for p in one.placed if p.point.poll_group() == group for s in spans_of(p)]
        for block in plan(spans, one.link):
            assert block.read.quantity <= (
                one.link.max_bits if block.read.function <= 2 else one.link.max_registers
            )


def test_overlapping_addresses_are_a_fault():
    with pytest.raises(ValidationError, match=r"power\.active: overlaps voltage at input 1"):
        profile(
            point=[
                {"metric": "voltage", "at": {"table": "input", "address": 0, "type": "u32"}},
                {"metric": "power.active", "at": {"table": "input", "address": 1}},
            ]
        )


def test_a_flag_may_stand_again_in_a_field_that_combines_it():
    flag = {"metric": "value", "component": "flag", "at": {"address": 1, "bit": 1}}
    field = {"metric": "value", "component": "field", "at": {"address": 1, "bit": 0, "width": 2}}
    assert len(profile(point=[field, flag]).placed) == 2
    other = field | {"component": "other", "at": {"address": 1, "bit": 1, "width": 2}}
    with pytest.raises(ValidationError, match="other/value: overlaps field/value"):
        profile(point=[field, other])
    again = flag | {"component": "again"}
    with pytest.raises(ValidationError, match="again/value: overlaps flag/value"):
        profile(point=[flag, again])


def test_two_bits_of_one_register_do_not_overlap():
    states = {0: "inactive", 1: "active"}
    one = profile(
        point=[
            {
                "metric": "alarm",
                "component": "{name}",
                "at": {"address": 9},
                "bits": {0: "fan", 3: "mains"},
                "states": states,
            }
        ]
    )
    assert [p.at.source(7) for p in one.placed] == ["7:holding:9#0", "7:holding:9#3"]


ALARMS = {
    "metric": "alarm",
    "component": "{name}",
    "at": {"address": 9},
    "bits": {0: "fan", 3: "mains"},
    "states": {0: "inactive", 1: "active"},
    "rest": "unnamed",
}
LEAK = {
    "metric": "leak",
    "component": "tray",
    "at": {"address": 9, "bit": 15},
    "states": {0: "dry", 1: "wet"},
}


@given(st.integers(0, 0xFFFF))
def test_the_bits_that_no_point_names_are_one_alarm_with_their_number(word: int):
    one = profile(point=[ALARMS, LEAK])
    readings = readings_of(one, {"holding": {9: word}})
    unnamed = word & 0x7FF6
    said = readings["unnamed/alarm"]
    assert (said.state, said.raw) == ("active" if unnamed else "inactive", unnamed)
    assert (said.quality, said.source) == (Quality.GOOD, "7:holding:9")
    states = {"fan/alarm": word & 1, "mains/alarm": word >> 3 & 1, "tray/leak": word >> 15}
    assert {key: readings[key].raw for key in states} == states


@given(st.integers(0, 0xFFFFFFFF), st.sampled_from(["big", "little"]))
def test_the_rest_of_two_words_is_told_in_either_order(number: int, order: str):
    at = {"address": 9, "type": "u32", "word_order": order}
    one = profile(point=[ALARMS | {"at": at, "bits": {0: "fan", 31: "mains"}}])
    words = dict(zip((9, 10) if order == "big" else (10, 9), divmod(number, 1 << 16), strict=True))
    said = readings_of(one, {"holding": words})["unnamed/alarm"]
    assert said.raw == number & 0x7FFFFFFE


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([ALARMS | {"states": {0: "inactive"}}], "states of 0 and 1"),
        ([ALARMS | {"bits": {}, "component": "fan"}], "stands with `bits`"),
        ([ALARMS | {"repeat": {"count": 2, "stride": 1}}], "needs {index}"),
        ([ALARMS | {"bits": {bit: f"b{bit}" for bit in range(16)}}], "every bit is named"),
        (
            [ALARMS, ALARMS | {"component": "again/{name}", "rest": "again", "bits": {5: "x"}}],
            "again/alarm: overlaps unnamed/alarm",
        ),
        ([{"metric": "value", "at": {"address": 1, "mask": 1 << 16}}], "not of 16 bits"),
        ([{"metric": "value", "at": {"address": 1, "mask": 1, "bit": 3}}], "without `bit`"),
        ([{"metric": "value", "at": {"address": 1, "mask": 1, "type": "i16"}}], "of a whole u16"),
    ],
)
def test_a_rest_that_tells_nothing_is_a_fault(points, message):
    with pytest.raises(ValidationError, match=message):
        profile(point=points)


def test_addresses_counted_from_one_are_moved_to_the_wire():
    one = profile(
        one_based=True,
        point=[{"metric": "frequency", "at": {"address": 40, "type": "f32", "scale_at": 44}}],
    )
    at = one.placed[0].at
    assert (at.address, at.scale_at) == (39, 43)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"metric": "voltage", "at": {"address": 0, "words": [1, 2]}}, "either `address` or"),
        ({"metric": "voltage", "at": {"words": [1, 2, 3], "type": "u32"}}, "2 words, found 3"),
        ({"metric": "voltage", "at": {"table": "coil", "address": 0, "bit": 1}}, "single bits"),
        ({"metric": "voltage", "at": {"address": 0, "type": "f32", "bit": 1}}, "makes no sense"),
        ({"metric": "voltage", "at": {"address": 0, "bit": 16}}, "outside the 16 bits"),
        ({"metric": "voltage", "at": {"address": 0, "type": "string"}}, "no reading"),
        (
            {"metric": "voltage", "at": {"address": 0}, "repeat": {"count": 3, "stride": 1}},
            "needs {index}",
        ),
        ({"metric": "run", "at": {"address": 0, "type": "f32"}, "states": {0: "stopped"}}, "whole"),
        ({"metric": "run", "at": {"address": 0}}, "no states"),
    ],
)
def test_a_senseless_point_is_refused_with_the_reason(point: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        profile(point=[point])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"plausible": [{"point": "voltage", "range": [300, 80]}]}, "range 300..80 is empty"),
        (
            {"plausible": [{"point": "voltage", "range": [70000, 80000]}]},
            "plausible.0: voltage: the range 70000..60000 is empty: voltage is within",
        ),
        ({"plausible": [{"point": "current", "range": [0, 1]}]}, "no point 'current'"),
        (
            {"identify": [{"at": {"address": 9}, "range": [5, 1]}]},
            "identify.0: 9: the range 5..1 is empty",
        ),
        ({"sources": []}, "at least 1 item"),
    ],
)
def test_what_cannot_be_right_is_a_fault(parts: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        profile(point=[{"metric": "voltage", "at": {"address": 0}}], **parts)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"at": {"address": 0, "type": "i16"}, "absent": [65535]}, "raw 65535 cannot come of i16"),
        ({"at": {"address": 0, "bit": 0}, "invalid": {2: "no"}}, "raw 2 cannot come of u16"),
        ({"at": {"address": 0, "type": "bcd16"}, "absent": [12345]}, "cannot come of bcd16"),
    ],
)
def test_a_sentinel_that_the_register_cannot_hold_is_a_fault(
    point: dict[str, object], message: str
):
    with pytest.raises(ValidationError, match=message):
        profile(point=[{"metric": "voltage"} | point])


def test_the_largest_sentinel_is_kept_exactly():
    largest = 0xFFFF_FFFF_FFFF_FFFF
    at = {"address": 0, "type": "u64"}
    one = profile(point=[{"metric": "energy.active", "at": at, "invalid": {str(largest): "none"}}])
    assert largest in one.point[0].invalid


def test_further_devices_of_one_unit_id_are_profiles_of_their_own():
    moves = [{"range": [0, 99], "by": 1000}, {"range": [100, 199], "by": 50}]
    first = profile(
        point=[
            {"metric": "voltage", "at": {"address": 3}},
            {"metric": "alarm", "at": {"address": 104}, "states": {"0": "inactive"}},
        ],
        identify=[{"at": {"address": 3}, "range": [1, 2]}],
        further={"count": 3, "moves": moves},
    )
    copies = list(first.copies())
    assert [one.name for one in copies] == [f"{first.name}_2", f"{first.name}_3"]
    places = [[placed.at.addresses[0] for placed in one.placed] for one in copies]
    assert places == [[1003, 154], [2003, 204]]
    assert not any(one.identify or one.further for one in copies)


def test_a_value_that_is_not_moved_is_a_fault():
    further = {"count": 2, "moves": [{"range": [0, 9], "by": 10}]}
    with pytest.raises(ValidationError, match="10 is in no range"):
        profile(point=[{"metric": "voltage", "at": {"address": 10}}], further=further)
