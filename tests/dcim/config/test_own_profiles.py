"""A site's own profiles beside its configuration: used, and checked with it."""

from pathlib import Path

import pytest

from dcim.config import ConfigError, load
from dcim.config.catalog import read_profiles

SITE = """\
[site]
id = "site-1"
[[devices]]
id = "m-1"
profile = "own_meter"
address = "modbus://127.0.0.1/1"
place = "site-1"
"""
HEAD = """\
name = "own_meter"
protocol = "modbus"
kind = "meter"
vendor = "ACME"
evidence = "document"
sources = ["the vendor's spreadsheet"]
"""


def _site(folder: Path, points: str) -> Path:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "own_meter.toml").write_text(HEAD + points, "utf-8")
    (folder / "dcim.toml").write_text(SITE, "utf-8")
    return folder / "dcim.toml"


def test_a_profile_beside_the_configuration_is_used(tmp_path: Path):
    file = _site(tmp_path, 'point = [{ metric = "voltage", at = { address = 0 } }]\n')
    config = load(file)
    assert config.site.devices["m-1"].kind == "meter"
    assert "own_meter" in config.profiles


@pytest.mark.parametrize(
    ("points", "line", "found"),
    [
        (
            (
                '[[point]]\nmetric = "voltage"\nat = { address = 0, type = "u32" }\n'
                '[[point]]\nmetric = "current"\nat = { address = 1 }\n'
            ),
            10,
            "current: overlaps voltage at holding 1",
        ),
        (  # told in the same round as what else is wrong
            (
                '[[point]]\nmetric = "wattage"\nat = { address = 9 }\n'
                '[[point]]\nmetric = "voltage"\nat = { address = 0, type = "u32" }\n'
                '[[point]]\nmetric = "current"\nat = { address = 1 }\n'
            ),
            13,
            "current: overlaps voltage at holding 1",
        ),
        ('[[point]]\nmetric = "wattage"\nat = { address = 0 }\n', 7, "'wattage' is not in the"),
        ('[[point]]\nmetric = "voltage"\nat = { adress = 0 }\n', 9, "a key that no profile has"),
        ("[[point", 7, "the end of the file"),
        ('point = "a" "b"\n', 7, "'\"b\"'"),
    ],
)
def test_its_faults_are_told_with_file_and_line(tmp_path: Path, points: str, line: int, found: str):
    with pytest.raises(ConfigError) as caught:
        load(_site(tmp_path, points))
    fault = next(one for one in caught.value.faults if found in one.found)
    assert fault.file == str(tmp_path / "profiles" / "own_meter.toml")
    assert fault.line == line


def test_the_faults_of_all_files_are_told_in_one_round(tmp_path: Path):
    file = _site(tmp_path, '[[point]]\nmetric = "wattage"\nat = { address = 0 }\n')
    (tmp_path / "profiles" / "torn.toml").write_text('name = "torn"\nkind = x\n', "utf-8")
    devices = (
        '[[devices]]\nid = "m-2"\nprofile = "sdm630"\nplace = "hall-9"\n'
        'address = "modbus://127.0.0.1/300"\n'
        '[[devices]]\nid = "m-3"\nprofile = "nosuch"\nplace = "site-1"\n'
        'address = "modbus://127.0.0.1/3?baudd=9600"\n'
    )
    file.write_text(SITE + devices, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [(Path(one.file).name, one.line, one.key) for one in caught.value.faults] == [
        ("dcim.toml", 11, "devices[1].place"),
        ("dcim.toml", 12, "devices[1].address"),
        ("dcim.toml", 15, "devices[2].profile"),
        ("dcim.toml", 17, "devices[2].address"),
        ("own_meter.toml", 7, "point.0"),
        ("torn.toml", 2, ""),
    ]
    file.write_text("[site\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [Path(one.file).name for one in caught.value.faults] == [
        "dcim.toml",
        "own_meter.toml",
        "torn.toml",
    ]


HOST = """\
name = "host"
protocol = "snmp"
kind = "meter"
vendor = "net-snmp"
evidence = "document"
sources = ["HOST-RESOURCES-MIB"]
[identify]
tables = ["1.3.6.1.2.1.25.1"]
[[point]]
at = "1.3.6.1.2.1.25.{each}.0"
each = { 1 = "L1", 2 = "L2", 3 = "L3" }
metric = "power.active"
component = "input/{each}"
[[point]]
at = "1.3.6.1.2.1.25.1.6.0"
metric = "x.processes"
[[table]]
at = "1.3.6.1.2.1.25.3.3.1"
component = "unit/{index}"
[[table.column]]
at = 1
cases = "sensor"
[[table.column]]
at = 2
metric = "wattage"
[[cases.sensor]]
metric = "temperature"
[[cases.sensor]]
metric = "humidity"
"""


def test_a_metric_that_nothing_can_bring_is_a_fault_of_the_profile(tmp_path: Path):
    (tmp_path / "profiles").mkdir()
    file = tmp_path / "profiles" / "host.toml"
    file.write_text(HOST, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_profiles(tmp_path)
    fault, other = caught.value.faults
    assert (fault.file, fault.line, fault.key) == (str(file), 14, "point.1")
    assert (other.line, other.key) == (23, "table.0.column.1")
    assert "'wattage' is not in the registry" in other.found
    assert "'x.processes' is not in the registry" in fault.found
    assert "declared by [metrics] in dcim.toml" in fault.found


def test_a_metric_of_the_sites_own_is_declared_before_a_profile_brings_it(tmp_path: Path):
    (tmp_path / "profiles").mkdir()
    profile = (
        'name = "door"\nprotocol = "mqtt"\nkind = "meter"\nvendor = "ACME"\n'
        'evidence = "document"\nsources = ["manual"]\nexpect_s = 60\nidentify = ["#opened"]\n'
        '[[point]]\nat = "#opened"\nmetric = "x.door.opened"\n'
    )
    (tmp_path / "profiles" / "door.toml").write_text(profile, "utf-8")
    site = SITE.replace("own_meter", "door").replace("modbus://127.0.0.1/1", "mqtt://127.0.0.1/a")
    file = tmp_path / "dcim.toml"
    file.write_text(site, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    (fault,) = caught.value.faults
    assert (fault.key, fault.line) == ("devices[0].profile", 5)
    assert fault.found == "'x.door.opened' in the profile door, which is not declared"
    assert fault.expected == 'a table [metrics."x.door.opened"] in this file'
    file.write_text(site + '[metrics."x.door.opened"]\nmeaning = "How often"\n', "utf-8")
    assert "x.door.opened" in load(file).registry
