"""SunSpec devices: marker, chain, scale factors, what is not implemented, repeating groups."""

import json
import random
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from collectors.base import ProbeResult
from collectors.modbus.collector import probe
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import OutageKind, Quality
from tests.collectors.modbus.maps import REFERENCE
from tests.collectors.modbus.peers import (
    Peer,
    answer,
    framed,
    modbus_profiles,
    peer,
    pymodbus_server,
    target,
)

PROFILES = modbus_profiles()
FORMS = {  # type -> struct code, registers, "not implemented"
    "int16": ("h", 1, b"\x80\x00"),
    "uint16": ("H", 1, b"\xff\xff"),
    "enum16": ("H", 1, b"\xff\xff"),
    "sunssf": ("h", 1, b"\x80\x00"),
    "acc32": ("I", 2, b"\x00" * 4),
    "uint32": ("I", 2, b"\xff" * 4),
    "bitfield32": ("I", 2, b"\xff" * 4),
    "uint64": ("Q", 4, b"\xff" * 8),
    "float32": ("f", 2, b"\x7f\xc0\x00\x00"),
}
UNITS = {  # of the models -> of the registry, factor
    "A": ("A", 1),
    "V": ("V", 1),
    "W": ("W", 1),
    "VA": ("VA", 1),
    "var": ("var", 1),
    "Var": ("var", 1),
    "Hz": ("Hz", 1),
    "C": ("degC", 1),
    "Wh": ("kWh", 1e-3),
    "WH": ("kWh", 1e-3),
    "VAh": ("kVAh", 1e-3),
    "varh": ("kvarh", 1e-3),
    "Varh": ("kvarh", 1e-3),
    "Ah": ("Ah", 1),
    "%": ("%", 1),
    "%WHRtg": ("%", 1),
}
SCALES = {"V_SF": -1, "A_SF": -2, "Hz_SF": -2, "CellV_SF": -3, "PF_SF": -1}
COMMON = (1, b"ACME".ljust(32, b"\0") + b"M1".ljust(32, b"\0") + b"\0" * 32 + b"S-1".ljust(36))
RAW = {"uint64": 123456789, "acc32": 1234567, "uint32": 5001}


class Device:
    """A SunSpec device in an encoder of the tests' own."""

    def __init__(self, base: int = 40000) -> None:
        self.base = base
        self.words: list[int] = [0x5375, 0x6E53]
        self.expected: dict[str, tuple[float, str]] = {}  # source -> value, unit
        self.nothing: set[str] = set()  # sources of what is not implemented

    def add(self, number: int, data: bytes) -> None:
        self.words += [number, len(data) // 2, *struct.unpack(f">{len(data) // 2}H", data)]

    def model(self, number: int, rng: random.Random, parts: int = 0, holes: bool = False) -> None:
        """A model with random values; with `holes` every third point is not implemented."""
        group = json.loads((REFERENCE / f"sunspec/model_{number}.json").read_text())["group"]
        points = list(group["points"])
        for part in group.get("groups", ()):
            points += part["points"] * parts
        start = self.base + len(self.words)
        data = b""
        for count, point in enumerate(points):
            address = start + len(data) // 2
            data += self._point(point, address, rng, holes and count % 3 == 0)
        self.add(number, data[4:])

    def _point(
        self, point: Mapping[str, Any], address: int, rng: random.Random, hole: bool
    ) -> bytes:
        kind = point["type"]
        if kind not in FORMS:
            return b"\0" * 2 * int(point["size"])
        code, _, nothing = FORMS[kind]
        source = f"1:holding:{address}"
        if kind == "sunssf":
            return struct.pack(">h", SCALES.get(point["name"], 0))
        unit = point.get("units", "")
        if hole and unit:
            self.nothing.add(source)
            return nothing
        raw: float = RAW.get(kind, rng.randrange(10, 90))
        if kind == "float32":
            raw = rng.randrange(1, 900) / 8
        if kind == "bitfield32" or point["name"] in ("ID", "L"):
            raw = 0
        elif point.get("symbols"):
            raw = point["symbols"][0]["value"]
        if unit in UNITS and point["name"] not in ("ID", "L"):
            name, factor = UNITS[unit]
            exponent = SCALES.get(str(point.get("sf")), 0)
            self.expected[source] = (raw * 10.0**exponent * factor, name)
        return struct.pack(f">{code}", raw)

    def tables(self) -> dict[str, dict[int, int]]:
        words = [*self.words, 0xFFFF, 0]
        return {"holding": {self.base + i: word for i, word in enumerate(words)}}


async def _probe(device: Device, profile: str = "auto") -> ProbeResult:
    tables = device.tables()

    async def reply(one: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer(tables, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1"
        return await probe(target(url, profile), PROFILES, SystemClock())


def _faults(device: Device, result: ProbeResult) -> Iterator[str]:
    by_source = {reading.source or "": reading for reading in result.readings}
    for source, (value, unit) in device.expected.items():
        reading = by_source.get(source)
        if reading is None:
            yield f"{source}: missing"
        elif registry()[reading.metric].unit != unit:
            yield f"{source}: {reading.metric} in {registry()[reading.metric].unit}, not {unit}"
        elif reading.value != pytest.approx(value):
            yield f"{source}: {reading.value}, not {value}"
    yield from (f"{source}: not implemented" for source in device.nothing & by_source.keys())


needs_models = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared/reference/modbus")


@needs_models
@pytest.mark.parametrize(
    ("model", "parts", "kind"),
    [
        *((number, 0, "pv") for number in (101, 102, 103, 111, 112, 113, 701)),
        *((number, 0, "meter") for number in (201, 202, 203, 204, 211, 212, 213, 214)),
        (713, 0, "storage"),
        (714, 2, "pv"),
        (802, 0, "storage"),
        (803, 3, "storage"),
        (804, 5, "storage"),
        (805, 14, "storage"),
    ],
)
@pytest.mark.parametrize("holes", [False, True])
async def test_a_model_is_read_whole(model: int, parts: int, kind: str, holes: bool):
    device = Device()
    device.add(*COMMON)
    device.model(model, random.Random(model), parts, holes)
    result = await _probe(device)
    assert result.identity.kind == kind
    assert result.identity.profiles == ("sunspec",)
    assert result.identity.inventory["manufacturer"] == "ACME"
    assert result.identity.identity == f"SunSpec marker at 40000, models 1, {model}: ACME M1 S-1"
    assert result.identity.vendor == "ACME"
    assert list(_faults(device, result)) == []
    assert device.expected


@needs_models
@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_the_marker_is_found_at_each_place(base: int):
    device = Device(base)
    device.add(*COMMON)
    device.model(203, random.Random(1))
    assert list(_faults(device, await _probe(device, "sunspec"))) == []


@needs_models
async def test_models_of_one_device_do_not_collide():
    device = Device()
    device.add(*COMMON)
    device.add(64900, bytes(20))  # a vendor's own: stepped over by its length
    for model in (103, 701, 802, 713, 804, 804):
        device.model(model, random.Random(model), 2)
    result = await _probe(device)
    assert list(_faults(device, result)) == []
    points = [reading.point for reading in result.readings]
    assert len(points) == len(set(points))


@needs_models
async def test_a_model_shorter_than_its_definition_ends_where_it_says():
    device = Device()
    device.add(*COMMON)
    whole = Device()
    whole.model(203, random.Random(3))
    device.add(203, struct.pack(">30H", *whole.words[4:34]))
    result = await _probe(device)
    assert result.outage is None
    last = max(int((r.source or "").split(":")[2].partition("#")[0]) for r in result.readings)
    assert last < device.base + len(device.words)


async def test_a_scale_factor_that_is_not_there_makes_values_bad():
    device = Device()
    device.add(*COMMON)
    words = [0x8000] * 105
    words[1], words[2] = 10, 11  # phase currents without A_SF
    device.add(203, struct.pack(">105H", *words))
    result = await _probe(device)
    bad = {r.point: r for r in result.readings}["dev-1/L1/current"]
    assert (bad.quality, bad.reason) == (Quality.BAD, "the scale factor is missing")


async def test_no_marker_is_said():
    device = Device(3000)
    result = await _probe(device, "sunspec")
    assert result.outage is not None
    assert result.outage.kind in (OutageKind.UNIDENTIFIED, OutageKind.ILLEGAL_ADDRESS)


@needs_models
async def test_served_by_pymodbus():
    device = Device()
    device.add(*COMMON)
    device.model(701, random.Random(7))
    async with pymodbus_server({1: device.tables()}) as port:
        found = await probe(target(f"modbus://127.0.0.1:{port}/1"), PROFILES, SystemClock())
    assert list(_faults(device, found)) == []


async def test_a_meter_may_sign_its_volt_amperes_by_direction():
    device = Device()
    device.add(*COMMON)
    words = [0x8000] * 105
    words[21], words[25] = 0xFF38, 1  # VA -200, VA_SF 1
    device.add(203, struct.pack(">105H", *words))
    result = await _probe(device)
    read = {r.point: r for r in result.readings}["dev-1/power.apparent"]
    assert (read.value, read.reason) == (-2000.0, None)


def _word(value: int) -> bytes:
    return struct.pack(">I", value)


async def _states(model: int, size: int, words: Mapping[int, bytes]) -> dict[str, str | None]:
    """What a device of one model says, given some of its words by their offset."""
    data = bytearray(2 * size)
    for offset, value in words.items():
        data[2 * offset - 4 : 2 * offset - 4 + len(value)] = value
    device = Device()
    device.add(*COMMON)
    device.add(model, bytes(data))
    return {r.point.removeprefix("dev-1/"): r.state for r in (await _probe(device)).readings}


async def test_a_bit_without_a_symbol_is_seen():
    said = await _states(103, 50, {40: _word(1 << 20 | 2), 42: _word(4), 44: _word(8)})
    assert said["output/dc_over_volt/alarm"] == "active"
    assert said["output/ground_fault/alarm"] == "inactive"
    assert said["output/evt1/bits_16_30/alarm"] == "active"
    assert said["output/evt2/alarm"] == "active"
    assert said["output/evt_vnd1/alarm"] == "active"
    assert said["output/evt_vnd4/alarm"] == "inactive"


async def test_flags_that_are_not_implemented_are_no_alarms():
    said = await _states(103, 50, {40: _word(0xFFFFFFFF), 42: _word(0xFFFFFFFF)})
    assert not any("evt1" in point or "evt2" in point or "volt/" in point for point in said)


async def test_what_is_on_is_no_alarm():
    said = await _states(804, 46 + 16, {4: _word(3), 8: b"\0\2", 18: _word(1)})
    string = "battery/string/1"
    assert said[f"{string}/string_enabled/enabled"] == "yes"
    assert said[f"{string}/contactor_status/contact"] == "closed"


@needs_models
async def test_the_string_and_module_of_the_worst_cell_are_told():
    device = Device()
    device.add(*COMMON)
    device.model(802, random.Random(1))
    values = {r.point.removeprefix("dev-1/"): r.value for r in (await _probe(device)).readings}
    for part in ("string", "module"):
        assert values[f"battery/cell/lowest/{part}/value"] is not None
        assert values[f"battery/cell/highest/{part}/value"] is not None
