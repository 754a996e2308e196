"""What a profile's words make of a device's answers."""

import tomllib
from collections.abc import Mapping

import pytest

from collectors.base import Limits, Override
from collectors.profile import ProfileError, load_profiles
from collectors.snmp.ber import Value
from collectors.snmp.place import Answers
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.resolve import Resolved, resolve
from collectors.snmp.wanted import wanted
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading

ROOT = "1.3.6.1.4.1.9999.1"
HEAD = f"""
name = "acme"
protocol = "snmp"
kind = "rack_pdu"
vendor = "ACME"
evidence = "synthetic"
sources = ["made up"]
root = "{ROOT}"
[identify]
sys_object_id = ["1.3.6.1.4.1.9999"]
"""


def profile(text: str, head: str = HEAD) -> SnmpProfile:
    return SnmpProfile.model_validate(tomllib.loads(head + text))


def read(
    text: str,
    values: Mapping[str, Value],
    *more: SnmpProfile,
    override: Mapping[str, Override] | None = None,
) -> tuple[dict[str, Reading], Resolved]:
    """Readings by `component/metric`, absent ones left out."""
    answers = Answers({f"{ROOT}{k}" if k.startswith(".") else k: v for k, v in values.items()})
    found = resolve("d", [profile(text), *more], answers, registry(), 1.0, override)
    readings = {r.point.removeprefix("d/"): r for r in found.readings if r is not None}
    return readings, found


def values(readings: Mapping[str, Reading]) -> dict[str, object]:
    return {point: pytest.approx(r.value, rel=1e-9) for point, r in readings.items()}


def test_a_scalar_is_scaled_and_converted():
    text = '[[point]]\nat = ".1.0"\nmetric = "power.active"\nunit = "kW"\nscale = 0.01\n'
    readings, _ = read(text, {".1.0": 270})
    assert values(readings) == {"power.active": 2700.0}
    assert readings["power.active"].source == f"{ROOT}.1.0"


def test_each_writes_one_line_for_three_phases():
    text = """
[[point]]
at = ".1.{each}.0"
each = { 7 = "L1", 8 = "L2" }
component = "input/{each}"
metric = "voltage"
scale = 0.1
"""
    readings, _ = read(text, {".1.7.0": 2301, ".1.8.0": 2295})
    assert values(readings) == {"input/L1/voltage": 230.1, "input/L2/voltage": 229.5}


def test_an_index_of_two_parts_names_unit_and_outlet():
    text = """
[[table]]
at = ".2.1"
component = "{index.1}outlet/{index.2}"
maps = { "index.1" = { 1 = "", 2 = "unit/2/" } }
column = [{ at = 5, metric = "current", scale = 0.1 }]
"""
    readings, _ = read(text, {".2.1.5.1.3": 12, ".2.1.5.2.10": 7})
    assert values(readings) == {"outlet/3/current": 1.2, "unit/2/outlet/10/current": 0.7}


def test_rows_are_chosen_and_told_apart_by_other_columns():
    text = """
[[table]]
at = ".2.1"
name = 2
component = "probe/{name}"
when = { 3 = [1, 2] }
column = [{ at = 4, cases = "sensor", decimals_from = 5 }]
[[cases.sensor]]
when = { 6 = "~(?i)deg" }
metric = "temperature"
[[cases.sensor]]
when = { name = "~^Hum" }
metric = "humidity"
"""
    rows: dict[int, tuple[Value, ...]] = {
        1: (b"Cold aisle", 1, 2155, 2, b"DegC"),
        2: (b"Humidity 1", 2, 44, 0, b"%"),
        3: (b"unplugged", 0, 1, 0, b"DegC"),
    }
    answers: dict[str, Value] = {
        f".2.1.{column}.{row}": cell
        for row, cells in rows.items()
        for column, cell in enumerate(cells, 2)
    }
    readings, _ = read(text, answers)
    assert values(readings) == {
        "probe/cold_aisle/temperature": 21.55,
        "probe/humidity_1/humidity": 44,
    }


def test_a_flag_of_the_plant_changes_the_scale_of_its_currents():
    text = """
[[point]]
at = ".5.0"
metric = "current"
factor_from = { at = ".2.15.0", map = { 0 = 1, 1 = 0.1 } }
"""
    assert values(read(text, {".5.0": 123, ".2.15.0": 0})[0]) == {"current": 123}
    assert values(read(text, {".5.0": 123, ".2.15.0": 1})[0]) == {"current": 12.3}
    readings, found = read(text, {".5.0": 123, ".2.15.0": 7})
    assert readings == {}
    assert "scale '7' is not known" in found.notes[0]


def test_the_unit_may_stand_in_another_column():
    text = """
[[table]]
at = ".2.1"
component = "probe/{index}"
column = [{ at = 6, metric = "temperature", scale = 0.1, unit_from = { at = 13, map = { 0 = "degC", 1 = "degF" } } }]
"""
    readings, _ = read(text, {".2.1.6.1": 215, ".2.1.13.1": 0, ".2.1.6.2": 707, ".2.1.13.2": 1})
    assert values(readings) == {"probe/1/temperature": 21.5, "probe/2/temperature": 21.5}


def test_scale_and_unit_stand_in_a_table_beside():
    text = """
[[table]]
at = ".5.2.3.1"
component = "input/{index.2}"
when = { "index.3" = 1 }
column = [{ at = 4, metric = "current", decimals_from = ".3.3.4.1.7.{index}" }]
"""
    answers = {".5.2.3.1.4.1.1.1": 2153, ".5.2.3.1.4.1.1.4": 230, ".3.3.4.1.7.1.1.1": 3}
    assert values(read(text, answers)[0]) == {"input/1/current": 2.153}


@pytest.mark.parametrize(("precision", "value"), [(1, 23.4), (0, 234.0), (-2, 234.0)])
def test_a_precision_below_nought_is_no_scale(precision, value):
    text = """
[[table]]
at = ".2"
column = [{ at = 4, metric = "temperature", decimals_from = 3 }]
"""
    readings, _ = read(text, {".2.3.1": precision, ".2.4.1": 234})
    assert values(readings) == {"temperature": value}


@pytest.mark.parametrize(
    ("raw", "celsius"),
    [(b"70 F", 21.1111111), (b"21.5C", 21.5), (b" 22 ", 22.0), (b"-3,5 C", -3.5)],
)
def test_text_with_a_unit_is_a_number(raw, celsius):
    text = """
[[point]]
at = ".1.0"
metric = "temperature"
text_units = { F = "degF", C = "degC" }
"""
    readings, _ = read(text, {".1.0": raw})
    assert readings["temperature"].value == pytest.approx(celsius, abs=1e-6)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"N/A", "not a number: 'N/A'"),
        (b"\xff\xfe", "text is not UTF-8"),
        (None, "no value (NULL)"),
        (65535, "sensor broken"),
        (2000, "outside"),
    ],
)
def test_what_is_no_value_is_bad_and_says_why(raw, reason):
    text = """
[[point]]
at = ".1.0"
metric = "temperature"
invalid = { 65535 = "sensor broken" }
"""
    readings, _ = read(text, {".1.0": raw})
    assert readings["temperature"].quality is Quality.BAD
    assert readings["temperature"].value is None
    assert reason in str(readings["temperature"].reason)


@pytest.mark.parametrize(
    ("metric", "raw", "good"),
    [
        ("power.active", 4294967295, False),
        ("power.active", 2147483647, False),
        ("power.active", -2147483648, False),
        ("power.active", -1, True),
        ("energy.active", -1, False),
        ("energy.active", 4294967294, True),
    ],
)
def test_the_ends_of_an_integer_are_no_values(metric, raw, good):
    text = f'[[point]]\nat = ".1.0"\nmetric = "{metric}"\nscale = 0.001\n'
    readings, _ = read(text, {".1.0": raw})
    assert (readings[metric].quality is Quality.GOOD) is good
    assert ("not available" in (readings[metric].reason or "")) is not good


def test_an_absent_part_gives_no_reading_but_is_kept_in_mind():
    text = '[[point]]\nat = ".1.0"\nmetric = "temperature"\nabsent = [-1]\n'
    readings, found = read(text, {".1.0": -1})
    assert readings == {}
    assert [b.expected for b in found.bindings] == [False]


def test_a_state_has_its_code_and_its_number():
    text = '[[point]]\nat = ".1.0"\nmetric = "switch"\nstates = { 1 = "on", 2 = "off" }\n'
    reading = read(text, {".1.0": 2})[0]["switch"]
    assert (reading.state, reading.raw, reading.value) == ("off", 2, 0.0)
    unknown = read(text, {".1.0": 9})[0]["switch"]
    assert (unknown.quality, unknown.state, unknown.raw) == (Quality.BAD, None, 9)


def test_bits_of_a_number_and_of_octets_are_points_of_their_own():
    text = """
[[point]]
at = ".1.0"
bit = {each}
each = { 0 = "fan", 3 = "pump" }
component = "{each}"
metric = "alarm"
states = { 0 = "inactive", 1 = "active" }
""".replace("bit = {each}", 'bit = "{each}"')
    readings, _ = read(text, {".1.0": 0b1000})
    assert {p: r.state for p, r in readings.items()} == {
        "fan/alarm": "inactive",
        "pump/alarm": "active",
    }
    assert readings["pump/alarm"].source == f"{ROOT}.1.0#3"
    octets, _ = read(text, {".1.0": b"\x80"})  # BITS: the first bit is the first octet's highest
    assert octets["fan/alarm"].state == "active"


def test_a_text_may_be_a_state():
    text = '[[point]]\nat = ".1.0"\nmetric = "switch"\ntext_states = { On = "on", Off = "off" }\n'
    assert read(text, {".1.0": b"ON "})[0]["switch"].state == "on"


def test_voltages_too_large_are_in_tenths():
    text = '[[point]]\nat = ".1.0"\nmetric = "voltage"\nlarge = { above = 1000, scale = 0.1 }\n'
    assert values(read(text, {".1.0": 2304})[0]) == {"voltage": 230.4}
    assert values(read(text, {".1.0": 230})[0]) == {"voltage": 230}


def test_an_unsigned_number_may_hold_a_sign():
    text = '[[point]]\nat = ".1.0"\nmetric = "current"\nsigned = 32\n'
    assert values(read(text, {".1.0": 4294967295})[0]) == {"current": -1}


def test_another_column_tells_that_there_is_no_value_now():
    text = """
[[table]]
at = ".2.1"
component = "probe/{index}"
column = [{ at = 4, metric = "temperature", invalid_from = { at = 5, map = { 2 = "unavailable" } } }]
"""
    readings, _ = read(text, {".2.1.4.1": 20, ".2.1.5.1": 1, ".2.1.4.2": 0, ".2.1.5.2": 2})
    assert readings["probe/1/temperature"].value == 20
    assert readings["probe/2/temperature"].reason == "unavailable"


def test_the_finer_object_wins_where_both_are_there():
    text = """
[[point]]
at = ".3.0"
metric = "charge"
scale = 0.1
absent = [-1]
[[point]]
at = ".2.0"
metric = "charge"
"""
    assert values(read(text, {".2.0": 97, ".3.0": 974})[0]) == {"charge": 97.4}
    assert values(read(text, {".2.0": 97, ".3.0": -1})[0]) == {"charge": 97}
    assert values(read(text, {".2.0": 97})[0]) == {"charge": 97}


def standard() -> SnmpProfile:
    text = """
[[point]]
at = ".9.0"
metric = "charge"
[[point]]
at = ".8.0"
metric = "voltage"
"""
    head = HEAD.replace('"acme"', '"standard"').replace("[identify]", "rank = 10\n[identify]")
    return profile(text, head)


def test_two_profiles_count_a_quantity_once():
    text = '[[point]]\nat = ".1.0"\nmetric = "charge"\nscale = 0.1\n'
    readings, found = read(text, {".1.0": 974, ".8.0": 230, ".9.0": 97}, standard())
    assert values(readings) == {"charge": 97.4, "voltage": 230}
    assert "left to acme" in found.notes[0]


def test_a_point_may_rank_apart_from_its_profile():
    text = '[[point]]\nat = ".1.0"\nmetric = "charge"\nrank = 5\n'
    readings, _ = read(text, {".1.0": 90, ".9.0": 97}, standard())
    assert values(readings) == {"charge": 97}
    assert values(read(text, {".1.0": 90}, standard())[0]) == {"charge": 90}


def test_a_profile_replaces_points_of_another():
    head = HEAD.replace("[identify]", 'replaces = ["standard:volt*"]\n[identify]')
    text = '[[point]]\nat = ".1.0"\nmetric = "load"\n'
    answers = Answers({f"{ROOT}.{n}.0": 50 for n in (1, 8, 9)})
    found = resolve("d", [profile(text, head), standard()], answers, registry(), 1.0)
    assert [b.channel.metric.name for b in found.bindings] == ["load", "charge"]


def test_rows_with_the_same_name_are_kept_apart():
    text = """
[[table]]
at = ".2.1"
name = 2
component = "{name}"
column = [{ at = 4, metric = "temperature" }]
"""
    readings, _ = read(text, {".2.1.2.1": b"T", ".2.1.2.2": b"T", ".2.1.4.1": 1, ".2.1.4.2": 2})
    assert values(readings) == {"t-1/temperature": 1, "t-2/temperature": 2}


def test_a_row_without_a_name_takes_the_other_cell():
    text = """
[[table]]
at = ".2"
name = 2
name_else = 3
component = "{name}"
column = [{ at = 4, metric = "temperature" }]
"""
    cells = {".2.2.1": b"", ".2.3.1": b"Inlet", ".2.2.2": b"CPU", ".2.3.2": b"x"}
    readings, _ = read(text, {**cells, ".2.4.1": 20, ".2.4.2": 50})
    assert values(readings) == {"inlet/temperature": 20.0, "cpu/temperature": 50.0}


def test_indices_that_begin_at_zero_may_count_from_one():
    text = """
[[table]]
at = ".2.1"
component = "input/L{index}"
rebase = true
column = [{ at = 4, metric = "voltage" }]
"""
    assert set(read(text, {".2.1.4.0": 1, ".2.1.4.1": 2})[0]) == {
        "input/L1/voltage",
        "input/L2/voltage",
    }
    assert set(read(text, {".2.1.4.1": 1})[0]) == {"input/L1/voltage"}


def test_published_thresholds_become_limits_in_the_values_scale():
    text = """
[[table]]
at = ".2.1"
component = "input/{index}"
column = [{ at = 4, metric = "current", scale = 0.001, limits = { low_warning = 5, high_critical = 6, enabled = 7, bits = { low_warning = 1, high_critical = 3 } } }]
"""
    answers: dict[str, Value] = {
        ".2.1.4.1": 900,
        ".2.1.5.1": 100,
        ".2.1.6.1": 16000,
        ".2.1.7.1": b"\x10",
    }
    assert read(text, answers)[1].limits == {"d/input/1/current": Limits(high_critical=16.0)}


def test_rows_of_a_self_describing_table_refer_to_each_other_by_name():
    text = """
[[table]]
at = ".2.1"
name = 3
name_pattern = '^(?P<what>.*)[.]Value$'
labels = { desc = "10@{what}.DescName" }
component = "{index.1}/{desc}"
when = { 4 = 2 }
column = [{ at = 11, metric = "temperature", factor_from = { at = 7, map = { -100 = 0.01, -10 = 0.1 } }, limits = { high_critical = "11@{what}.SetPtHighAlarm" } }]
"""
    rows: list[tuple[Value, ...]] = [
        (b"Temperature.DescName", 1, 0, b"Cold aisle", 0),
        (b"Temperature.Value", 2, -100, b"20.90", 2090),
        (b"Temperature.SetPtHighAlarm", 3, -100, b"45.00", 4500),
    ]
    columns = (3, 4, 7, 10, 11)
    answers = {
        f".2.1.{column}.1.{n}": cell
        for n, row in enumerate(rows, 1)
        for column, cell in zip(columns, row, strict=True)
    }
    readings, found = read(text, answers)
    assert values(readings) == {"1/cold_aisle/temperature": 20.9}
    assert found.limits == {"d/1/cold_aisle/temperature": Limits(high_critical=45.0)}


def test_an_override_comes_last():
    text = '[[point]]\nat = ".1.0"\ncomponent = "input/L1"\nmetric = "current"\nscale = 0.1\n'
    readings, _ = read(text, {".1.0": 5}, override={"input/L1/current": Override(scale=10)})
    assert values(readings) == {"input/L1/current": 5}


def test_a_survey_asks_for_everything_the_profile_names():
    text = """
[inventory]
serial = [".9.1.0", ".9.2.0"]
[[table]]
at = ".2.1"
name = ".47.2.{index}"
component = "{name}/{3}"
when = { ".8" = "exists" }
column = [{ at = 4, metric = "voltage", decimals_from = ".2.15.0", divisor_from = 6 }]
"""
    want = wanted([profile(text)])
    assert set(want.scalars) == {f"{ROOT}.9.1.0", f"{ROOT}.9.2.0", f"{ROOT}.2.15.0"}
    assert set(want.columns) == {f"{ROOT}.{c}" for c in ("2.1.4", "2.1.6", "2.1.3", "47.2")}
    assert set(want.roots) == {f"{ROOT}.8"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[[point]]\nat = ".1.0"\nmetric = "nonsense"\n', "not in the registry"),
        ('[[point]]\nat = ".1.x"\nmetric = "voltage"\n', "not an object identifier"),
        ('[[point]]\nat = ".1.0"\nmetric = "voltage"\nunit = "W"\n', "wants V"),
        ('[[point]]\nat = ".1.0"\nmetric = "switch"\nstates = { 1 = "open" }\n', "no state open"),
        ('[[point]]\nat = ".1.0"\nmetric = "voltage"\nhue = 3\n', "a key that no profile has"),
        ('[[point]]\nat = ".1.0"\ncases = "none"\n', "cases 'none' are not in this file"),
        ('[[point]]\nat = ".1.0"\nmetric = "load"\npattern = "x"\n', "needs a group"),
        ('[[point]]\nat = ".1.0"\nmetric = "load"\nwhen = { ".2" = "~(" }\n', "regular expression"),
        ("", "expected points or tables"),
    ],
)
def test_a_faulty_profile_is_refused_with_file_and_key(text, found, tmp_path):
    file = tmp_path / "acme.toml"
    file.write_text(HEAD + text)
    with pytest.raises(ProfileError) as caught:
        load_profiles([file], {"snmp": SnmpProfile})
    assert found in str(caught.value)
    assert str(caught.value).startswith("acme.toml: ")


def test_a_text_in_the_index_is_spelt_out():
    text = """
[[table]]
at = ".2.1"
component = "unit/{index.2:text}/outlet/{index.1}"
column = [{ at = 3, metric = "current" }]
"""
    spelt, octets = "3.65.48.49", "2.200.7"  # "A01"; a MAC's raw octets
    readings, _ = read(text, {f".2.1.3.5.{spelt}": 1, f".2.1.3.5.{octets}": 2})
    assert values(readings) == {"unit/a01/outlet/5/current": 1, "unit/c807/outlet/5/current": 2}


def test_limits_may_have_their_own_scale():
    text = """
[[table]]
at = ".2.1"
component = "input/{index}"
[[table.column]]
at = 7
metric = "current"
scale = 0.01
limits = { high_critical = 8, scale = 1 }
"""
    _, found = read(text, {".2.1.7.1": 309, ".2.1.8.1": 24})
    assert found.limits == {"d/input/1/current": Limits(high_critical=24.0)}


def test_each_stands_in_references_of_a_match_too():
    text = """
[[point]]
at = ".4.{each}.0"
each = { 1 = "a", 2 = "b" }
component = "sensor/{each}"
metric = "alarm"
states = { 0 = "inactive", 1 = "active" }
when = { ".1.{each}.0" = "!-9" }
"""
    readings, _ = read(text, {".1.1.0": 20, ".1.2.0": -9, ".4.1.0": 1, ".4.2.0": 1})
    assert {point: r.state for point, r in readings.items()} == {"sensor/a/alarm": "active"}
