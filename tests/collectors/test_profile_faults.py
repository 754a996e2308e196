"""All that is wrong in a profile is told in one round."""

from pathlib import Path

import pytest

from collectors.catalog import MODELS
from collectors.profile import ProfileError, load_profiles

HEAD = """\
name = "p"
protocol = "modbus"
kind = "meter"
vendor = "ACME"
evidence = "document"
sources = ["x"]
"""
VOLTAGE = '[[point]]\nmetric = "voltage"\nat = { address = 10, type = "f32" }\n'
MANY = (
    HEAD.replace('"meter"', '"mtr"')
    + """\
colour = "red"
[link]
max_registers = 200
[[plausible]]
point = "L1/voltage"
range = [60, 5]
[[plausible]]
point = "none/flow"
range = [100, 300]
[[identify]]
at = { address = 5 }
range = [9, 1]
[[point]]
metric = "wattage"
at = { adress = 1 }
scale = 0
[[point]]
metric = "voltage"
component = "L1"
at = { address = 10, type = "f32" }
[[point]]
metric = "voltage"
component = "L1"
at = { address = 40, type = "f32" }
[[point]]
metric = "current"
component = "L1"
at = { address = 11, type = "f32" }
[[point]]
metric = "alarm"
component = "w/{name}"
at = { address = 20 }
bits = { 17 = "boo", 1 = "ok" }
states = { 0 = "inactive", 1 = "actve" }
[[point]]
metric = "leak"
at = { table = "coil", address = 3, type = "u16" }
states = { 0 = "dry", 1 = "wet" }
[[point]]
metric = "frequency"
component = "input"
unit = "V"
at = { address = 50, type = "u24" }
[[point]]
metric = "run"
stats = { 0 = "stopped" }
at = { address = 80 }
[[point]]
metric = "speed"
at = { address = 65536 }
"""
)
TYPES = (
    "'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f32', 'f64', 'bcd16', 'bcd32', 'string' or 'bit'"
)


def _faults(folder: Path, text: str) -> list[str]:
    file = folder / "p.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profiles([file], MODELS)
    return [str(fault).removeprefix("p.toml: ") for fault in caught.value.faults]


def test_no_fault_hides_another(tmp_path: Path):
    found = _faults(tmp_path, MANY)
    (kind,) = (one for one in found if one.startswith("kind"))
    assert kind.startswith("kind: found 'mtr', expected one of ats, battery_string")
    assert sorted(set(found) - {kind}) == sorted(
        [
            "colour: found 'colour', a key that no profile has, expected a key of a profile",
            "link.max_registers: found 200, expected at most 125",
            "plausible.0: L1/voltage: the range 60..5 is empty",
            "plausible.1: no point 'none/flow'",
            "identify.0: 5: the range 9..1 is empty",
            (
                "point.0.at.adress: found 'adress', a key that no profile has, "
                "expected a key of a profile (did you mean 'address'?)"
            ),
            "point.0: found scale = 0, which leaves nothing of a number, expected another factor",
            "point.0: metric 'wattage' is not in the registry (`dcim metrics`)",
            "point.2: L1/voltage: stands twice",
            "point.3: L1/current: overlaps L1/voltage at holding 11",
            "point.4: found bit 17 in `bits`, expected 0..15: u16",
            (
                "point.4: alarm has no state actve; it has inactive, active, acknowledged, warning, "
                "unknown, disabled"
            ),
            "point.5.at: found type 'u16', expected none: coil is single bits",
            "point.6: unit 'V' is a V, the metric wants Hz",
            f"point.6.at.type: found 'u24', expected {TYPES}",
            (
                "point.7.stats: found 'stats', a key that no profile has, "
                "expected a key of a profile (did you mean 'states'?)"
            ),
            "point.8: speed: address outside 0..65535 on the wire",
        ]
    )


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("point = 5\n", ["point: found 5, expected a table or a list"]),
        ('[[point]]\nmetric = "voltage"\n', ["point.0.at: found no 'at', expected the key 'at'"]),
        (
            VOLTAGE + '[[point]]\nat = { address = 10 }\nmetric = 7\nscale = "x"\n',
            [
                "point.1.metric: found 7, expected text in quotes",
                "point.1.scale: found 'x', expected a number",
            ],
        ),
        (  # what is misspelt is not missing as well
            (
                '[[point]]\nmetric = "voltage"\nat = { address = 1 }\n[[plausible]]\n'
                'point = "voltage"\nrnge = [1, 2]\n'
            ),
            [
                (
                    "plausible.0.rnge: found 'rnge', a key that no profile has, "
                    "expected a key of a profile (did you mean 'range'?)"
                )
            ],
        ),
        (  # nor is a point that was told of
            (
                '[[point]]\nmetric = "voltage"\nunit = "A"\nat = { address = 1 }\n[[plausible]]\n'
                'point = "voltage"\nrange = [1, 2]\n'
            ),
            ["point.0: unit 'A' is a A, the metric wants V"],
        ),
    ],
)
def test_what_is_found_is_what_stands_there(tmp_path: Path, text: str, faults: list[str]):
    assert _faults(tmp_path, HEAD + text) == faults


def test_snmp_points_and_columns_are_told_where_they_stand(tmp_path: Path):
    text = HEAD.replace("modbus", "snmp") + (
        "identify = 5\n"
        '[[point]]\nat = "1.3.6.1.2"\nmetric = "wattage"\nscale = 0\n'
        '[[table]]\nat = "1.3.6"\ncolour = 1\n'
        '[[table.column]]\nat = 1\nmetric = "voltage"\nunit = "A"\n'
    )
    assert {one.partition(": ")[0] for one in _faults(tmp_path, text)} == {
        *("identify", "point.0", "table.0.colour", "table.0.column.0")
    }


def test_sound_profiles_are_told_beside_the_faults(tmp_path: Path):
    (tmp_path / "p.toml").write_text(HEAD + VOLTAGE, "utf-8")
    (tmp_path / "q.toml").write_text("what", "utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profiles([tmp_path / "p.toml", tmp_path / "q.toml"], MODELS)
    assert list(caught.value.sound) == ["p"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("defaults = 5\n[[point]]\n", "`defaults`, `cases`, `when` and `each`"),
        ('[[point]]\neach = 7\nat = "1.3.6"\nmetric = "voltage"\n', "`when` and `each`"),
        (
            '[[point]]\nat = "1.3.6"\nmetric = "voltage"\nabsent = [[1]]\n',
            "point.0.absent.0: found",
        ),
    ],
)
def test_tables_of_another_shape_are_told_too(tmp_path: Path, text: str, found: str):
    head = HEAD.replace("modbus", "snmp")
    identify = '[identify]\ntables = ["1.3.6.1.2"]\n'
    text = identify + text if text.startswith("[") else text + identify
    assert any(found in one for one in _faults(tmp_path, head + text))


def test_a_point_whose_repeat_is_wrong_is_not_missing_as_well(tmp_path: Path):
    text = (
        '[[point]]\nmetric = "voltage"\ncomponent = "{name}"\nat = { address = 1 }\n'
        "repeat = { count = 2, stride = 1, names = 5 }\n"
        '[[plausible]]\npoint = "L1/voltage"\nrange = [1, 2]\n'
    )
    assert _faults(tmp_path, HEAD + text) == [
        "point.0.repeat.names: found 5, expected a table or a list"
    ]
