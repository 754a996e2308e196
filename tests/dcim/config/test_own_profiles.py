"""A site's own profiles beside its configuration: used, and checked with it."""

from pathlib import Path

import pytest

from dcim.config import ConfigError, load

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
            1,
            "current: overlaps voltage at holding 1",
        ),
        ('[[point]]\nmetric = "wattage"\nat = { address = 0 }\n', 7, "'wattage' is not in the"),
        ('[[point]]\nmetric = "voltage"\nat = { adress = 0 }\n', 9, "Extra inputs"),
        ("[[point", 1, "Expected"),
    ],
)
def test_its_faults_are_told_with_file_and_line(tmp_path: Path, points: str, line: int, found: str):
    with pytest.raises(ConfigError) as caught:
        load(_site(tmp_path, points))
    fault = next(one for one in caught.value.faults if found in one.found)
    assert fault.file == str(tmp_path / "profiles" / "own_meter.toml")
    assert fault.line == line
