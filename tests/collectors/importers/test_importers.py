"""Maps of other tools become profiles that load, with what they say and nothing else."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collectors.importers import generate
from collectors.importers.draft import Draft, ImportFault
from collectors.importers.load import Answers, complete, read
from collectors.importers.write import text_of
from collectors.modbus.profile import Placed, Profile
from dcim.cli.commands import app

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "modbus"
DOCS = Path(__file__).parents[3] / "docs" / "add-a-modbus-device.md"
HEAD = {"name": "test", "vendor": "ACME", "kind": "cdu"}


def _imported(path: Path, **answers: object) -> tuple[Profile, Draft]:
    draft = read(path)
    complete(draft, Answers.model_validate(HEAD | answers))
    draft.settle()
    return Profile.model_validate(tomllib.loads(text_of(draft))), draft


def _by_key(profile: Profile) -> dict[str, Placed]:
    return {placed.key: placed for placed in profile.placed}


def _write(folder: Path, name: str, data: object) -> Path:
    file = folder / name
    file.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return file


def test_rackmon(tmp_path: Path):
    registers = [
        {"begin": 0, "length": 8, "format": "STRING", "name": "MFR_Model"},
        {"begin": 20, "length": 1, "format": "FLOAT", "name": "PSU_Temp0_Inlet", "precision": 7}
        | {"sign": True, "unit": "DegreesC"},
        {"begin": 30, "length": 1, "format": "INTEGER", "name": "Cell", "endian": "L"},
        {"begin": 31, "length": 1, "format": "FLAGS", "name": "Alarm_Status_Register"}
        | {"flags": [[3, "Fan_Fail"], [4, "Rack_Leak"], [5, "AC_OK"]]},
        {"begin": 40, "length": 1, "format": "FLOAT", "name": "Fan1_Speed", "unit": "RPMS"},
        {"begin": 42, "length": 1, "format": "FLOAT", "name": "Fan2_Speed", "unit": "RPMS"},
    ]
    data = {"name": "RACK", "address_range": [[4, 6]], "probe_register": 0, "baudrate": 115200}
    file = _write(tmp_path, "map.json", data | {"parity": "NONE", "registers": registers})
    profile, draft = _imported(file, registers={"Cell": "voltage mV cell/1"})
    points = _by_key(profile)
    inlet = points[_only(points, "temperature")]
    assert (inlet.at.type, inlet.at.binary) == ("i16", 7)
    assert points["cell/1/voltage"].at.byte_order == "little"
    assert points["fan_fail/alarm"].at.bit == 3
    assert points["zone/rack_leak/leak"].at.bit == 4
    assert points["ac_ok/enabled"].at.bit == 5
    assert points["fan/2/speed"].at.address == 42
    assert (profile.link.baud, profile.link.parity, profile.link.units) == (115200, "N", (4, 5, 6))
    assert [item.name for item in profile.inventory] == ["mfr_model"]
    assert draft.left_out == []


def _only(points: dict[str, Placed], metric: str) -> str:
    (key,) = (key for key in points if key.rpartition("/")[2].startswith(metric))
    return key


def test_phosphor_modbus_identifies_by_its_probe_register(tmp_path: Path):
    data = {
        "DeviceType": "PowerShelf",
        "DeviceModel": "X1",
        "Parity": "Even",
        "BaudRate": 115200,
        "ProbeRegister": {"Offset": "0x188", "Size": 8, "ExpectedValue": "Delta"},
        "InventoryRegisters": [{"Type": "SerialNumber", "Offset": "0x1A8", "Size": 16}],
        "SensorRegisters": [
            {"Name": f"PSU{k}_INPUT_AC_VOLT", "Type": "Voltage", "Offset": hex(0x101 + 16 * k)}
            | {"Size": 1, "Precision": 6, "Format": "FixedPoint"}
            for k in (1, 2, 3)
        ],
        "StatusRegisters": [
            {"Offset": "0x59", "Bits": [{"Name": "FAN", "BitPosition": 2, "Value": True}]}
        ],
    }
    profile, _ = _imported(_write(tmp_path, "shelf.json", data), kind="")
    assert profile.kind == "power_shelf"
    assert profile.identify[0].holds("Delta")
    third = _by_key(profile)["module/3/input/voltage"]
    assert (third.at.address, third.at.binary) == (0x131, 6)


def test_sunspec_model_at_its_address(tmp_path: Path):
    points = [
        {"name": "ID", "type": "uint16", "size": 1},
        {"name": "L", "type": "uint16", "size": 1},
        {"name": "AphB", "type": "uint16", "size": 1, "sf": "A_SF", "units": "A"},
        {"name": "A_SF", "type": "sunssf", "size": 1},
    ]
    file = _write(tmp_path, "model.json", {"id": 101, "group": {"points": points}})
    profile, _ = _imported(file, base=40070)
    at = _by_key(profile)["L2/current"].at
    assert (at.address, at.scale_at) == (40072, 40073)


def test_telegraf_register_style(tmp_path: Path):
    text = """
[[inputs.modbus]]
  name = "Meter A"
  holding_registers = [
    { name = "power", byte_order = "CDAB", data_type = "FLOAT32", scale=1.0, address = [6, 7] },
    { name = "apart", byte_order = "ABCD", data_type = "INT32", scale=0.1, address = [9, 3] },
    { name = "text", byte_order = "AB", data_type = "STRING", address = [20, 21] },
  ]
  coils = [ { name = "breaker", address = [0] } ]
"""
    answers = {"power": "power.active W .", "apart": "energy.active kWh ."}
    profile, draft = _imported(_write(tmp_path, "telegraf.conf", text), registers=answers)
    points = _by_key(profile)
    power = points["power.active"].at
    assert (power.type, power.address, power.word_order) == ("f32", 6, "little")
    assert points["energy.active"].at.words == (9, 3)
    assert points["energy.active"].point.scale == 0.1
    assert len(draft.left_out) == 2


def test_telegraf_coils_split_words_and_units_in_names(tmp_path: Path):
    text = """
[[inputs.modbus]]
  holding_registers = [
    { name = "energy_kwh", byte_order = "ABCD", data_type = "UINT32", address = [10, 20] },
    { name = "heat_kw", byte_order = "ABCD", data_type = "FLOAT32", address = [2, 3] },
    { name = "split", byte_order = "ABCD", data_type = "UINT32", address = [30, 40] },
    { name = "what", byte_order = "AB", data_type = "STRING", address = [50, 51] },
  ]
  coils = [ { name = "leak", address = [3] } ]
"""
    profile, draft = _imported(_write(tmp_path, "telegraf.conf", text))
    points = _by_key(profile)
    assert points["energy.active"].at.words == (10, 20)
    assert points["heat"].point.unit == "kW"
    assert points["leak"].point.states == {0: "dry", 1: "wet"}
    assert draft.left_out == [
        "what: STRING is no number that a profile has",
        "split (u32 at holding 30+40): neither name nor unit tell what it measures",
    ]


def test_rackmon_names_that_tell_unit_and_meaning(tmp_path: Path):
    names = (
        *("Coolant_Outlet_Pressure_kPa", "Pump_PWM_Pct", "Cooling_Capacity_W", "Board_Temp_C"),
        *("Input_Frequency_AC", "Sticky_Internal_Leakage_Abnormal", "Rack_Pan_Leakage"),
        *("Input_Current_V", "Fan_Current_A", "Fan_Current_B"),
    )
    registers = [
        {"begin": 10 * number, "length": 1, "format": "INTEGER", "name": name}
        for number, name in enumerate(names)
    ]
    file = _write(tmp_path, "r.json", {"name": "R", "probe_register": 0, "registers": registers})
    result = CliRunner().invoke(app, ["profiles", "import", str(file), "--defaults"])
    profile = Profile.model_validate(tomllib.loads(result.stdout))
    assert {one.key: one.point.unit for one in profile.placed} == {
        "coolant/pressure.outlet": "kPa",
        "pump/duty": "%",
        "cooling.power": "W",
        "board/temperature": "degC",
        "input/frequency": "Hz",
        "sticky_internal_leakage_abnormal/alarm": None,
        "rack_pan_leakage/leak": None,
    }
    assert _by_key(profile)["input/frequency"].point.doubtful
    assert "Input_Current_V (u16 at holding 70): the map gives neither" in result.stderr
    assert "Fan_Current_A (u16 at holding 80): " in result.stderr  # a phase, or the unit?


def test_telegraf_request_style(tmp_path: Path):
    text = """
[[inputs.modbus]]
  configuration_type = "request"
  [[inputs.modbus.request]]
    register = "input"
    byte_order = "ABCD"
    fields = [ { address = 5, name = "outlet", type = "UINT32", scale = 0.01 } ]
"""
    answers = {"outlet": "temperature.outlet degC ."}
    profile, _ = _imported(_write(tmp_path, "t.toml", text), registers=answers)
    at = _by_key(profile)["temperature.outlet"].at
    assert (at.table, at.address, at.type) == ("input", 5, "u32")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x,,u16,V,voltage", "line 2, x: no address"),
        ("x,twelve,u16,V,voltage", "line 2, x: address: found 'twelve', expected a number"),
        ("x,1,u16,V,wattage", "line 2, x: metric: 'wattage' is no metric"),
        ("x,1,u16,,run", "line 2, x: run is a state: fill the column `states`"),
        ("x,1,u16,V,current", "line 2, x: unit: found 'V'; current is in one of A, mA"),
        ("x,1,i24,V,voltage", "line 2, x: type: found 'i24', expected a type"),
        (",1,u16,V,current", "line 2: unit: found 'V'"),
        ("x,y,u16,V,voltage\nz,1,u16,V,current", "40101 or 100.3\nline 3, z: unit: found 'V'"),
    ],
)
def test_a_csv_line_that_makes_no_sense_is_named(tmp_path: Path, line: str, message: str):
    file = _write(tmp_path, "map.csv", f"name,address,type,unit,metric\n{line}\n")
    with pytest.raises(ImportFault, match=re.escape(message)):
        _imported(file)


def test_a_csv_keeps_the_component_it_gives(tmp_path: Path):
    lines = "name,address,unit,metric,component\nReturn temperature TCS,101,°C,,loop/secondary\n"
    profile, _ = _imported(_write(tmp_path, "map.csv", lines))
    assert list(_by_key(profile)) == ["loop/secondary/temperature.return"]


@pytest.mark.parametrize("unit", ["m3/h", "m³/h", "m3/h liquid"])
def test_a_flow_in_cubic_metres_an_hour_is_of_liquid(tmp_path: Path, unit: str):
    lines = f"name,address,unit,metric\nflow,102,{unit},flow\nair,103,{unit[:4]},flow.air\n"
    points = _by_key(_imported(_write(tmp_path, "map.csv", lines))[0])
    assert [placed.point.unit for placed in points.values()] == ["m3/h liquid", "m3/h"]


def test_a_typed_flow_in_cubic_metres_an_hour_is_of_liquid(tmp_path: Path):
    file = _write(tmp_path, "map.csv", "name,address\nF,102\n")
    profile, _ = _imported(file, registers={"F": "flow m³/h loop/primary"})
    assert _by_key(profile)["loop/primary/flow"].point.unit == "m3/h liquid"


def test_flags_that_say_what_is_not_well_are_alarms(tmp_path: Path):
    flags = [[8, "AC_Not_OK"], [9, "Bulk_Not_Ok"], [10, "AC_OK"]]
    register = {"begin": 61, "length": 1, "format": "FLAGS", "name": "PFC", "flags": flags}
    data = {"name": "PSU", "probe_register": 0, "registers": [register]}
    points = _by_key(_imported(_write(tmp_path, "psu.json", data))[0])
    assert {key: placed.at.bit for key, placed in points.items()} == {
        "pfc/ac_not_ok/alarm": 8,
        "pfc/bulk_not_ok/alarm": 9,
        "pfc/ac_ok/enabled": 10,
    }


def test_a_word_without_bit_names_is_never_lost(tmp_path: Path):
    names = ["Pump1_Error_Info", "Pump2_Error_Info", "Pack_Status", "BBU_Max_Error"]
    registers = [
        {"begin": 9 + number, "length": 1, "format": "RAW", "name": name}
        for number, name in enumerate(names)
    ]
    button = {"begin": 20, "length": 1, "format": "INTEGER", "name": "Emergency_Button_Triggered"}
    registers.append(button)
    data = {"name": "RPU", "probe_register": 0, "registers": registers}
    profile, draft = _imported(_write(tmp_path, "rpu.json", data))
    points = _by_key(profile)
    assert list(points) == [
        "pump/1/error/alarm",
        "pump/2/error/alarm",
        "pack_status/value",
        "bbu_max_error/value",
        "emergency_button_triggered/alarm",
    ]
    point = points["pump/2/error/alarm"].point
    assert (point.states, point.other_state) == ({0: "inactive"}, "active")
    assert draft.left_out == []


def test_a_word_answered_as_a_flag_is_a_state(tmp_path: Path):
    file = _write(tmp_path, "map.csv", "name,address\nEmergency,1\nReady,2\nFault code,3\n")
    answers = {"Emergency": "alarm emergency_button", "Ready": "enabled ."}
    points = _by_key(_imported(file, registers=answers)[0])
    assert list(points) == ["emergency_button/alarm", "enabled", "fault/alarm"]
    assert points["enabled"].point.other_state == "yes"


def test_telegraf_sections_of_one_device_are_joined_and_others_named(tmp_path: Path):
    text = """
[[inputs.modbus]]
  slave_id = 1
  holding_registers = [
    { name = "power_kw", byte_order = "ABCD", data_type = "INT32", scale=0.001, address = [0, 1] },
    { name = "voltage_l1", data_type = "UINT16", scale=0.1, address = [4] },
    { name = "voltage_l1_l2", data_type = "UINT16", scale=0.1, address = [5] },
  ]
[[inputs.modbus]]
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 1
    register = "input"
    fields = [ { address = 5, name = "grid_hz", type = "UINT16", scale = 0.01 } ]
  [[inputs.modbus.request]]
    slave_id = 3
    register = "input"
    fields = [ { address = 5, name = "frequency", type = "UINT16", scale = 0.01 } ]
"""
    file = _write(tmp_path, "tg.toml", text)
    result = CliRunner().invoke(app, ["profiles", "import", str(file), "--defaults"])
    assert result.exit_code == 0, result.output
    points = _by_key(Profile.model_validate(tomllib.loads(result.stdout)))
    assert {key: placed.point.unit for key, placed in points.items()} == {
        "power.active": "kW",
        "L1/voltage": "V",
        "L1-L2/voltage": "V",
        "grid/frequency": "Hz",
    }
    assert points["power.active"].point.doubtful is None
    assert "frequency: of another device, unit 3" in result.stderr


def test_a_file_of_no_known_format_is_said(tmp_path: Path):
    with pytest.raises(ImportFault, match="neither a rackmon"):
        read(_write(tmp_path, "x.json", {"a": 1}))


def test_the_example_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = DOCS.read_text("utf-8")
    csv, answers = (
        re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("csv", "toml")
    )
    _write(tmp_path, "cdu.csv", csv)
    _write(tmp_path, "answers.toml", answers)
    monkeypatch.chdir(tmp_path)
    arguments = [
        "profiles",
        "import",
        "cdu.csv",
        "-o",
        "profiles/acme_cdu.toml",
        "--answers",
        "answers.toml",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "profiles" / "acme_cdu.toml").read_text("utf-8")
    pumps = re.findall(r"```toml\n({ metric.*?)\n```", page)[0]
    assert pumps in text
    assert "Mystery word" in result.stderr
    listed = CliRunner().invoke(app, ["profiles", "--protocol", "modbus"])
    assert "acme_cdu" in listed.stdout


def test_a_scaled_number_without_unit_is_assumed_and_doubtful(tmp_path: Path):
    registers = [{"begin": 79, "length": 1, "format": "FLOAT", "name": "Out_Volt", "precision": 10}]
    data = {"name": "PSU", "probe_register": 0, "registers": registers}
    file = _write(tmp_path, "psu.json", data)
    result = CliRunner().invoke(app, ["profiles", "import", str(file), "--defaults"])
    assert result.exit_code == 0, result.output
    (placed,) = Profile.model_validate(tomllib.loads(result.stdout)).placed
    assert (placed.point.metric, placed.point.unit) == ("voltage", "V")
    assert placed.point.doubtful == "the map gives no unit: V assumed"


def test_without_anybody_to_ask_what_was_assumed_is_said(tmp_path: Path):
    lines = "name,address,unit\nInlet temperature,1,degC\nmystery,2,\n"
    file = _write(tmp_path, "acme cdu.csv", lines)
    result = CliRunner().invoke(app, ["profiles", "import", str(file), "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    profile = Profile.model_validate(tomllib.loads((tmp_path / "acme_cdu.toml").read_text()))
    assert (profile.kind, profile.vendor) == ("cdu", "unknown")
    assert [placed.key for placed in profile.placed] == ["temperature.inlet"]
    assert "assumed: vendor = unknown" in result.stderr
    assert "mystery (u16 at holding 2)" in result.stderr


def test_what_is_typed_completes_the_profile(tmp_path: Path):
    file = _write(tmp_path, "map.csv", "name,address\nwhat,1\nwho,2\n")
    out, saved = tmp_path / "typed.toml", tmp_path / "answers.toml"
    arguments = ["profiles", "import", str(file), "-o", str(out), "--save-answers", str(saved)]
    arguments.append("--ask")
    conventions = "perhaps\n0\nb\n0\nu16\n1\n"
    registers = "wattage\n? cell\nvoltage V wrong\nb\nvoltage mV input\n-\n"
    review = "7\n1\nvoltage V input\n\n"
    said = f"{conventions}ACME\nnonsense\nmeter\n{registers}{review}"
    runner = CliRunner()
    result = runner.invoke(app, arguments, input=said)
    assert result.exit_code == 0, result.output
    profile = Profile.model_validate(tomllib.loads(out.read_text("utf-8")))
    assert [placed.key for placed in profile.placed] == ["input/voltage"]
    assert profile.point[0].unit == "V"
    assert profile.point[0].doubtful is None
    assert "'wattage' is no metric" in result.stderr
    assert "one of 0, 1; b goes back" in result.stderr
    assert tomllib.loads(saved.read_text("utf-8")) == {
        "name": "typed",
        "vendor": "ACME",
        "kind": "meter",
        "conventions": {"addresses": "0", "type": "u16", "scale": "1"},
        "registers": {"what": "voltage V input", "who": "-"},
    }
    out.unlink()
    again = [*arguments[:5], "--answers", str(saved), "--defaults"]
    assert runner.invoke(app, again).exit_code == 0
    assert out.is_file()


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared/reference/modbus")
def test_generated_profiles_are_current():
    """`python -m collectors.importers.generate ../shared/reference/modbus` writes them."""
    profiles = Path(sys.modules["collectors.importers"].__path__[0]).parent / "profiles"
    for name, text in generate.texts(REFERENCE):
        assert (profiles / name).read_text("utf-8") == text, name


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared/reference/modbus")
@pytest.mark.parametrize("folder", ["rackmon", "phosphor-modbus", "sunspec"])
def test_every_published_map_imports_or_says_why(folder: str):
    for file in sorted((REFERENCE / folder).glob("*.json")):
        if file.name in ("decode_vectors.json", "device_profile.schema.json"):
            with pytest.raises(ImportFault, match="neither a rackmon"):
                read(file)
        elif file.name == "model_1.json":
            with pytest.raises(ImportFault, match="no register of this map is a measurement"):
                _imported(file, base=40002)
        else:
            profile, _ = _imported(file, **({"base": 40070} if folder == "sunspec" else {}))
            assert len(profile.placed) > 4, file.name


def test_of_several_telegraf_devices_the_one_that_is_told(tmp_path: Path):
    field = '{{ name = "{}", data_type = "UINT16", address = [4] }}'
    text = "".join(
        f"[[inputs.modbus]]\nslave_id = {unit}\nholding_registers = [{field.format(name)}]\n"
        for unit, name in ((1, "voltage_volts"), (2, "grid_hz"))
    )
    file = _write(tmp_path, "tg.toml", text)
    assert [one.key for one in read(file).unsaid] == ["device"]
    second = read(file, {"device": "2"})
    assert [row.name for row in second.rows] == ["grid_hz"]
    assert second.left_out == ["voltage_volts: of another device, unit 1"]
    with pytest.raises(ImportFault, match=r"found '3', expected one of 1 \(unit 1\), 2 \(unit 2\)"):
        read(file, {"device": "3"})
