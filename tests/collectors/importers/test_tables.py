# ruff: noqa: RUF001 (vendors' own characters)
"""Register tables as vendors of coolant distribution units hand them out, imported and served."""

import socket
import struct
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyModbusTCP.server import ModbusServer

from collectors.importers import cells
from collectors.importers.draft import Draft, ImportFault
from collectors.importers.load import Answers, complete, read
from collectors.importers.write import text_of
from collectors.modbus.collector import probe
from collectors.modbus.profile import Profile
from dcim.clock import SystemClock
from tests.collectors.modbus.peers import target

HEAD = {"name": "test", "vendor": "ACME", "kind": "cdu"}

GERMAN = """\
ACME CDU 1200 - Modbus, rev. C;;;;;;;;
;;;;;;;;
Register;Bezeichnung;Datentyp;Skalierung;Einheit;Wertebereich;R/W;Wortreihenfolge;Werte
Messwerte;;;;;;;;
30101;Vorlauftemperatur Sekundärkreis;INT16;0,1;°C;-50..150;R;;
30102;Rücklauftemperatur Sekundärkreis;INT16;/10;℃;;R;;
30103;Durchfluss Sekundärkreis;UINT16;x0,1;m³/h;;R;;
30104;Differenzdruck;INT16;1;kPa;;R;;
30106;Kühlleistung;UINT32;0,1;kW;;R;CDAB;
30108;Wärmemenge;FLOAT;;kWh;;R;ABCD;
;;;;;;;;
Register;Bezeichnung;Datentyp;Skalierung;Einheit;Wertebereich;R/W;Wortreihenfolge;Werte
30110;Pumpe 1 Drehzahl;UINT16;1;1/min;;R;;
30111;Pumpe 1 Status;UINT16;;;;R;;0=Aus, 1=Ein, 2=Störung
30113;Alarmwort;UINT16;;;;R;;"bit0: Pumpe 1 fault, bit 4: leak rack side"
40201;Sollwert Vorlauftemperatur;INT16;0,1;°C;;R/W;;
40202;Reset;UINT16;;;;W;;
40210;Reserve;UINT16;;;;R/W;;
"""
GERMAN_WORDS = {
    "input": {100: -55, 101: 312, 102: 425, 103: 87, 105: 0x1234, 106: 0x0001, 109: 2900}
    | dict(zip((107, 108), struct.unpack(">2H", struct.pack(">f", 4321.5)), strict=True))
    | {110: 2, 112: 0x10},
    "holding": {200: 180},
}
GERMAN_VALUES = {
    "loop/secondary/temperature.supply": -5.5,
    "loop/secondary/temperature.return": 31.2,
    "loop/secondary/flow": 42.5 * 1000 / 60,
    "pressure.differential": 87,
    "cooling.power": 0x11234 * 100,
    "energy.heat": 4321.5,
    "pump/1/speed": 2900,
    "pump/1/run": "fault",
    "supply/temperature.setpoint": 18.0,
    "pump_1_fault/alarm": "inactive",
    "unnamed/alarm": "inactive",
    "zone/leak_rack_side/leak": "wet",
}

CHINESE = """\
序号,地址,参数名称,数据类型,倍率,单位,读写,功能码,说明
1,0x0000,二次侧供水温度,有符号16位,0.1,℃,R,03,
2,0x0001,二次侧回水温度,有符号16位,0.1,℃,R,03,
3,0x0002,二次侧流量,无符号16位,0.1,L/min,R,03,
4,0x0003,二次侧供水压力,无符号16位,0.001,MPa,R,03,
5,0x0004,一次侧进水温度,INT16,0.1,℃,R,03,
6,0x0005,1号循环泵转速,UINT16,1,转/分,R,03,
7,0x0006,2号循环泵转速,UINT16,1,转/分,R,03,
8,0x0007,1号循环泵运行状态,UINT16,,,R,03,0:停止；1:运行；2:故障
9,0x0008,电动阀开度,UINT16,0.1,%,R,03,
10,0x000A,总有功功率,UINT32,0.1,kW,R,03,
11,0x0001,漏水告警,BOOL,,,R,02,0:正常 1:告警
12,0x0002,1号循环泵故障,BOOL,,,R,02,
13,0x0010,备用,,,,,03,
"""
CHINESE_WORDS = {
    "holding": {0: 181, 1: 279, 2: 6120, 3: 312, 4: 152, 5: 2890, 6: 2901, 7: 1, 8: 433}
    | {10: 0x0001, 11: 0x86A0},
    "discrete": {1: 1, 2: 0},
}
CHINESE_VALUES = {
    "loop/secondary/temperature.supply": 18.1,
    "loop/secondary/temperature.return": 27.9,
    "loop/secondary/flow": 612.0,
    "loop/secondary/pressure.supply": 312.0,
    "loop/primary/temperature.inlet": 15.2,
    "pump/1/speed": 2890,
    "pump/2/speed": 2901,
    "pump/1/run": "running",
    "valve/position": 43.3,
    "power.active": 10_000_000,
    "leak": "wet",
    "pump/1/fault/alarm": "inactive",
}

AMERICAN = """\
Vendor: ColdCo
"Modbus address","Parameter name","Data type","Scale","Units","R/W","Remarks"
"Holding registers",,,,,,
40001,"Supply temperature (TCS)",INT16,x0.1,degC,R,
40002,"Return temperature (TCS) [°F]",INT16,x0.1,,R,
40003,"TCS flow",UINT16,0.1,LPM,R,
40004,"Pump 1 speed",UINT16,1,%,RW,
40006-40007,"Cooling capacity","Unsigned, low word first",10,W,R,
40008.0,"Leak detected",BOOL,,,R,
40008.1,"Pump 1 fault",BOOL,,,R,
40010,"Reservoir level",UINT16,1/10,%,R,
40012,"Cell voltage","Unsigned 16 bit",0.001,V,R,"65535 = no sensor"
40013,"Ambient","16-bit signed",,0.1 °C,R,
"Input registers (FC 04)",,,,,,
30001,"Inlet pressure",REAL,,psi,R,
"""
AMERICAN_WORDS = {
    "holding": {0: 181, 1: 806, 2: 6120, 3: 61, 5: 0x86A0, 6: 0x0001, 7: 0b10, 9: 733}
    | {11: 0xFFFF, 12: -12},
    "input": dict(enumerate(struct.unpack(">2H", struct.pack(">f", 20.0)))),
}
AMERICAN_VALUES = {
    "loop/secondary/temperature.supply": 18.1,
    "loop/secondary/temperature.return": 27.0,
    "loop/secondary/flow": 612.0,
    "pump/1/speed.share": 61,
    "cooling.power": 1_000_000,
    "leak": "dry",
    "pump/1/fault/alarm": "active",
    "reservoir/level": 73.3,
    "cell/voltage": None,
    "ambient/temperature": -1.2,
    "pressure.inlet": 137.89514586,
}


def imported(folder: Path, text: str | bytes, **conventions: str) -> tuple[Profile, Draft]:
    file = folder / "map.csv"
    file.write_bytes(text.encode("utf-8-sig") if isinstance(text, str) else text)
    draft = read(file, conventions)
    complete(draft, Answers.model_validate(HEAD))
    draft.settle()
    return Profile.model_validate(tomllib.loads(text_of(draft))), draft


def served(words: Mapping[str, Mapping[int, int]]) -> tuple[ModbusServer, int]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    server = ModbusServer("127.0.0.1", port, no_block=True)
    server.start()
    for address, word in words.get("holding", {}).items():
        server.data_bank.set_holding_registers(address, [word & 0xFFFF])
    for address, word in words.get("input", {}).items():
        server.data_bank.set_input_registers(address, [word & 0xFFFF])
    for address, word in words.get("discrete", {}).items():
        server.data_bank.set_discrete_inputs(address, [bool(word)])
    return server, port


@pytest.mark.filterwarnings("default::ResourceWarning")  # of pyModbusTCP, at its end
@pytest.mark.parametrize(
    ("table", "words", "values"),
    [
        (GERMAN, GERMAN_WORDS, GERMAN_VALUES),
        (GERMAN.replace("℃", "°C").encode("cp1252"), GERMAN_WORDS, GERMAN_VALUES),
        (CHINESE, CHINESE_WORDS, CHINESE_VALUES),
        (CHINESE.encode("gb18030"), CHINESE_WORDS, CHINESE_VALUES),
        (AMERICAN, AMERICAN_WORDS, AMERICAN_VALUES),
        (AMERICAN.encode("utf-16"), AMERICAN_WORDS, AMERICAN_VALUES),
    ],
    ids=["german", "german in cp1252", "chinese", "chinese in gb18030", "american", "utf-16"],
)
async def test_every_number_of_an_imported_table_is_right(
    tmp_path: Path,
    table: str | bytes,
    words: Mapping[str, Mapping[int, int]],
    values: Mapping[str, object],
):
    profile, _ = imported(tmp_path, table)
    server, port = served(words)
    try:
        where = target(f"modbus://127.0.0.1:{port}/1", "test")
        result = await probe(where, {"test": profile}, SystemClock())
    finally:
        server.stop()
    assert result.outage is None
    found = {
        reading.point.removeprefix("dev-1/"): reading.state or reading.value
        for reading in result.readings
    }
    assert found == {
        key: pytest.approx(value) if isinstance(value, float) else value
        for key, value in values.items()
    }


def test_what_the_table_leaves_open_is_said_and_doubtful(tmp_path: Path):
    text = "address,name,unit,type\n1,Supply temperature,°C,\n2,Total active power,kW,UINT32\n"
    profile, draft = imported(tmp_path, text)
    assert [one.key for one in draft.unsaid] == ["addresses", "type", "scale", "word_order"]
    assert [point.doubtful for point in profile.point] == [
        "the map gives no type: u16 assumed; the map gives no scale: 1 assumed",
        "the map gives no scale: 1 assumed; the map gives no word order: high word first assumed",
    ]


@pytest.mark.parametrize(
    ("name", "unit", "key"),
    [
        ("Kälteleistung", "kW", "cooling.power"),
        ("Kaelteleistung", "kW", "cooling.power"),
        ("Wärmeleistung", "kW", "heat"),
        ("heat_kw", "", "heat"),
        ("AALC_Cooling_Capacity_W", "", "aalc/cooling.power"),
        ("Cooling capacity", "W", "cooling.power"),
        ("Thermal power", "kW", "heat"),
        ("制冷量", "kW", "cooling.power"),
        ("冷负荷", "kW", "cooling.power"),
        ("换热功率", "kW", "heat"),
        ("Kältemenge", "kWh", "energy.heat"),
        ("Cooling pump power", "kW", "cooling_pump/power.active"),
        ("Wirkleistung", "kW", "power.active"),
        ("Leistungsaufnahme", "kW", "consumption/power.active"),
        ("电加热功率", "kW", "heater/power.active"),
        ("Taupunkt", "°C", "dew_point"),
        ("露点温度", "°C", "dew_point"),
        ("Dew pt", "C", "dew_point"),
        ("Room dew point", "°F", "room/dew_point"),
        ("Dew point margin", "K", "dew_point.margin"),
        ("Room DP temp", "°C", "room/dew_point"),
        ("Taupunktabstand", "K", "dew_point.margin"),
        ("Pumpenleistung", "kW", "pump/power.active"),
        ("Rückkühlleistung", "kW", "rejection/heat"),
        ("TCS_Supply_Temp_C", "", "loop/secondary/temperature.supply"),
        ("Ventilstellung", "%", "valve/position"),
        ("Stellgrad Ventil", "%", "valve/position"),
        ("阀门开度", "%", "valve/position"),
        ("Ventilator Drehzahl", "%", "fan/speed.share"),
        ("RPU_Coolant_Outlet_Pressure_kPa", "", "rpu_coolant/pressure.outlet"),
        ("RPU_Pump_PWM_Pct", "", "rpu_pump/duty"),
        ("MB_Hum_Pct_RH", "", "mb/humidity"),
        ("Press supply", "bar", "pressure.supply"),
        ("Heat load, float", "kW", "heat"),
        ("Sec. supply temp", "°C", "loop/secondary/temperature.supply"),
    ],
)
def test_what_a_name_and_its_unit_tell(tmp_path: Path, name: str, unit: str, key: str):
    lines = f'address,name,unit,type,scale\n0,"{name}",{unit},INT16,1\n'
    profile, _ = imported(tmp_path, lines)
    assert [one.key for one in profile.placed] == [key]
    assert profile.point[0].doubtful is None


@pytest.mark.parametrize("name", ["Leistung", "Power", "Total power", "功率"])
def test_a_power_of_a_plant_with_coolant_is_doubtful_until_somebody_tells_its_nature(
    tmp_path: Path, name: str
):
    text = f"address,name,unit,type,scale\n0,Supply flow,l/min,INT16,1\n1,{name},kW,INT16,1\n"
    profile, draft = imported(tmp_path, text, addresses="0")
    assert [one.key for one in draft.unsaid] == ["power"]
    assert "electrical or of heat" in (profile.point[1].doubtful or "")
    for told, metric in (("cooling", "cooling.power"), ("electrical", "power.active")):
        power = imported(tmp_path, text, addresses="0", power=told)[0].point[1]
        assert (power.metric, power.doubtful) == (metric, None)
    meter = text.replace("Supply flow,l/min", "Voltage L1,V")
    assert imported(tmp_path, meter)[0].point[1].doubtful is None


@pytest.mark.parametrize(
    ("name", "states", "key", "codes"),
    [
        ("Leak", "0 = ok, 1 = leak, 2 = cable broken", "leak", ["dry", "wet", "fault"]),
        ("Leckage", "0=keine Leckage;1=Leckage;2=Kabelbruch", "leak", ["dry", "wet", "fault"]),
        ("漏液", "0:正常；1:漏液；2:断线", "leak", ["dry", "wet", "fault"]),
        ("Betriebszustand", "0=aus; 1=ein; 2=Störung", "run", ["stopped", "running", "fault"]),
        ("Zustand", "0=aus; 1=ein; 2=Störung", "run", ["stopped", "running", "fault"]),
        (
            "Filter alarm",
            "0=normal 1=warning 2=alarm",
            "filter/alarm",
            ["inactive", "warning", "active"],
        ),
    ],
)
def test_states_of_three_words(tmp_path: Path, name: str, states: str, key: str, codes: list[str]):
    profile, _ = imported(tmp_path, f'address,name,remark\n9,{name},"{states}"\n')
    (placed,) = profile.placed
    assert (placed.key, list(placed.point.states.values())) == (key, codes)


def test_a_list_without_quotes_in_the_last_column_is_whole(tmp_path: Path):
    profile, _ = imported(
        tmp_path, "Adresse;Name;Bemerkung\n9;Betriebszustand;0=aus; 1=ein; 2=Störung\n"
    )
    assert profile.point[0].states == {0: "stopped", 1: "running", 2: "fault"}


def test_short_titles_and_a_remark_tell_type_scale_and_word_order(tmp_path: Path):
    text = (
        "Addr,Parameter,Fmt,Res.,Unit,Note\n"
        "1,Supply temp,S16,1/10,°C,\n"
        "2,制冷量,U32,0.1,kW,高字在前\n"
        "4,Heat,U32,0.1,kW,low word first\n"
        "6,Flow,U32,0.1,l/min,not to be swapped with the one of the big pump\n"
    )
    profile, draft = imported(tmp_path, text, addresses="0")
    assert draft.remarks == []
    assert [(one.at.type, one.at.word_order, one.scale) for one in profile.point] == [
        ("i16", "big", 0.1),
        ("u32", "big", 0.1),
        ("u32", "little", 0.1),
        ("u32", "big", 0.1),
    ]
    assert [bool(one.doubtful) for one in profile.point] == [False, False, False, True]


def test_parts_of_the_only_loop_stand_on_it_and_it_is_said(tmp_path: Path):
    rows = ("Sec. supply temp,°C", "Sec. return temp,°C", "Press supply,bar", "Flow rate,l/min")
    lines = [f"{address},{row},INT16,1" for address, row in enumerate(rows)]
    text = "\n".join(["address,name,unit,type,scale", *lines, ""])
    profile, draft = imported(tmp_path, text)
    assert {one.component for one in profile.point} == {"loop/secondary"}
    assert draft.remarks == [
        "assumed: loop/secondary, the only loop of the table, for Press supply, Flow rate"
    ]
    two, draft = imported(tmp_path, text.replace("Sec. return", "Primary return"))
    assert two.point[2].component == ""
    assert draft.remarks == []


def test_bits_of_an_alarm_word_that_have_no_name_are_one_alarm(tmp_path: Path):
    text = (
        "address,name,type,remark\n"
        '0,Alarm word,UINT16,"bit0: high temp, bit4: leak"\n'
        '1,Settings,UINT16,"bit0: cooling enabled, bit1: pump fault"\n'
    )
    profile, _ = imported(tmp_path, text)
    assert [one.key for one in profile.placed if one.at.mask is not None] == ["unnamed/alarm"]
    (rest,) = (one for one in profile.placed if one.at.mask is not None)
    assert (rest.at.address, rest.at.mask) == (0, 0xFFEE)


def test_everything_left_out_has_a_reason(tmp_path: Path):
    text = (
        "address,name,unit,type,scale,states,access\n"
        "0,Supply temperature,°C,INT16,1,,R\n"
        "1,Reset,,,,,W\n"
        "2,Reserve,,,,,R\n"
        "3,Mystery,,INT16,1,,R\n"
        "4,Thing,furlong,INT16,1,,R\n"
        "5,Thing state,,,,0=red 1=blue,R\n"
        "6.1,Thing bit,,BOOL,,,R\n"
    )
    _, draft = imported(tmp_path, text)
    assert [one.partition("): ")[2] for one in draft.left_out] == [
        "can only be written",
        "a spare",
        "neither name nor unit tell what it measures",
        "the unit 'furlong' is not known",
        "no metric has all of these states: 0=red, 1=blue",
        "the name does not tell what a 1 means",
    ]


def test_flags_keep_the_component_they_are_given_and_the_doubt_of_their_word_order(tmp_path: Path):
    text = (
        "address,name,type,states,metric,component\n"
        '0,Alarms,UINT32,"bit0: high temp, bit20: low flow",,pump/2\n'
    )
    profile, _ = imported(tmp_path, text)
    assert [one.key for one in profile.placed] == [
        "pump/2/high_temp/alarm",
        "pump/2/low_flow/alarm",
        "pump/2/unnamed/alarm",
    ]
    assert profile.point[0].doubtful == "the map gives no word order: high word first assumed"


def test_what_was_told_is_no_longer_doubtful(tmp_path: Path):
    text = (
        "address,name,unit,type,gain\n1,Supply temperature,°C,,10\n2,Active power,kW,UINT32,100\n"
    )
    told = {"addresses": "1", "type": "i16", "word_order": "little", "factors": "divide"}
    profile, draft = imported(tmp_path, text, **told)
    supply, power = profile.point
    assert draft.unsaid == []
    assert (supply.at.address, supply.at.type, supply.scale) == (0, "i16", 0.1)
    assert (power.at.address, power.at.word_order, power.scale) == (1, "little", 0.01)
    assert {supply.doubtful, power.doubtful} == {None}


def test_a_scale_above_one_may_be_meant_either_way(tmp_path: Path):
    text = "address,name,unit,type,scale\n0,Supply temperature,°C,INT16,10\n"
    profile, draft = imported(tmp_path, text)
    assert [one.key for one in draft.unsaid] == ["factors"]
    assert profile.point[0].doubtful == "the map's scale may divide: times assumed"


def test_all_faults_are_told_at_once_by_line_with_what_was_expected(tmp_path: Path):
    text = (
        "Address;Name;Data type;Scale;Unit;Function;metric\n"
        "12x;A;INT16;0,1;°C;3;\n"
        "1;B;INT24;0,1;°C;3;\n"
        "2;C;INT16;ten;°C;9;\n"
        "3;D;INT16;0;°C;3;\n"
        "4;E;INT16;0,1;0.01 °C;3;\n"
        "5;F;INT16;1;V;3;flow\n"
    )
    with pytest.raises(ImportFault) as caught:
        imported(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert [line.partition(" expected")[0] for line in lines[:1]] == [
        "line 2, A: address: found '12x',"
    ]
    assert [line.partition(":")[0] for line in lines] == [
        *("line 2, A", "line 3, B", "line 4, C", "line 4, C", "line 5, D", "line 6, E"),
        "line 7, F",
    ]
    assert "the unit says 0.01: which one is it?" in lines[5]


def test_lines_that_share_a_register_and_codes_that_cannot_be_are_told_by_line(tmp_path: Path):
    text = (
        "address,name,type,scale,unit,states\n"
        "0,Total power,UINT32,1,W,\n"
        "1,Supply temperature,INT16,1,°C,\n"
        "2.3,Pump 1 state,BOOL,,,0=off 1=on 2=fault\n"
    )
    with pytest.raises(ImportFault) as caught:
        imported(tmp_path, text)
    assert str(caught.value).splitlines() == [
        "line 4, Pump 1 state: states: 2 cannot come of a single bit",
        "line 3, Supply temperature: overlaps line 2, Total power at holding 1",
    ]


@pytest.mark.parametrize(
    ("header", "cell", "table", "address"),
    [
        ("address", "0x64", "holding", 100),
        ("address", "64h", "holding", 100),
        ("Address (hex)", "64", "holding", 100),
        ("PLC address", "40101", "holding", 100),
        ("address", "400101", "holding", 100),
        ("address", "30101", "input", 100),
        ("address", "10101", "discrete", 100),
        ("address", "4x0101", "holding", 100),
        ("address", "3x101", "input", 100),
        ("Register (1-based)", "101", "holding", 100),
        ("地址", "100.0", "holding", 100),
        ("Adresse", "65535", "holding", 65535),
        ("address", "40000", "holding", 40000),
    ],
)
def test_addresses_in_every_notation(
    tmp_path: Path, header: str, cell: str, table: str, address: int
):
    profile, _ = imported(tmp_path, f"{header},name,unit\n{cell},Supply temperature,°C\n")
    assert (profile.placed[0].at.table, profile.placed[0].at.address) == (table, address)


def test_two_columns_of_addresses_have_to_agree(tmp_path: Path):
    text = "Register,Address (hex),Name,Unit\n40101,0x{},Supply temperature,°C\n"
    profile, _ = imported(tmp_path, text.format("64"))
    assert profile.placed[0].at.address == 100
    with pytest.raises(ImportFault, match=r"Register and Address \(hex\) disagree \(100 and 101"):
        imported(tmp_path, text.format("65"))


def test_a_function_code_keeps_an_address_that_looks_like_4xxxx_on_the_wire(tmp_path: Path):
    text = "address,FC,name,unit\n30101,3,Supply temperature,°C\n40101,3,Return temperature,°C\n"
    profile, _ = imported(tmp_path, text)
    assert [placed.at.address for placed in profile.placed] == [30101, 40101]


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("0.1", 0.1),
        ("0,1", 0.1),
        ("x0.1", 0.1),
        ("× 0.1", 0.1),
        ("*0.01", 0.01),
        ("/10", 0.1),
        ("1/10", 0.1),
        ("1:100", 0.01),
        ("10^-1", 0.1),
        ("1e-2", 0.01),
        ("0.1 °C", 0.1),
        ("-0.1", -0.1),
    ],
)
def test_factors_in_every_spelling(text: str, factor: float):
    found = cells.factor(text)
    assert found.value == pytest.approx(factor)
    assert not found.open


@pytest.mark.parametrize(
    ("text", "signed", "length", "kind"),
    [
        ("INT", "", "", "i16"),
        ("UINT", "", "2", "u32"),
        ("WORD", "", "", "u16"),
        ("DINT", "", "", "i32"),
        ("UDINT", "", "2", "u32"),
        ("S32", "", "", "i32"),
        ("uint16_t", "", "", "u16"),
        ("16-bit signed", "", "", "i16"),
        ("32 bit unsigned integer", "", "", "u32"),
        ("INT32U", "", "", "u32"),
        ("Float", "", "2", "f32"),
        ("IEEE 754", "", "", "f32"),
        ("float64", "", "4", "f64"),
        ("无符号32位", "", "", "u32"),
        ("", "yes", "2", "i32"),
        ("", "unsigned", "16", "u16"),
        ("Boolean", "", "", "bit"),
        ("BCD", "", "2", "bcd32"),
    ],
)
def test_types_in_every_spelling(text: str, signed: str, length: str, kind: str):
    assert cells.kind(text, signed, length).type == kind


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("°C", "degC"),
        ("℃", "degC"),
        ("deg. C", "degC"),
        ("L/min", "l/min"),
        ("LPM", "l/min"),
        ("m³/h", "m3/h"),
        ("m^3/h", "m3/h"),
        ("barg", "bar"),
        ("KPa", "kPa"),
        ("KW", "kW"),
        ("kwh", "kWh"),
        ("％", "%"),
        ("r/min", "rpm"),
        ("μS/cm", "uS/cm"),
        ("-", ""),
    ],
)
def test_units_in_every_spelling(text: str, unit: str):
    assert cells.unit(text) == (unit, None)


def test_lists_of_states_and_bits_in_every_spelling():
    assert cells.states("0=off,1=on") == {0: "off", 1: "on"}
    assert cells.states("0: Off; 1: On; 2 - Fault") == {0: "Off", 1: "On", 2: "Fault"}
    assert cells.states("0 - stopped / 1 - running") == {0: "stopped", 1: "running"}
    assert cells.states("0=off\n1=on") == {0: "off", 1: "on"}
    assert cells.bits("bit0: pump 1 fault, Bit 1 = leak") == {0: "pump 1 fault", 1: "leak"}
    assert cells.bits("b0 high temp; b15 low level") == {0: "high temp", 15: "low level"}


def test_a_spreadsheet_is_told_to_be_saved_as_csv(tmp_path: Path):
    file = tmp_path / "map.xlsx"
    file.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ImportFault, match="save the sheet with the registers as CSV"):
        read(file)
