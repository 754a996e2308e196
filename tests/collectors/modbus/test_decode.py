"""Decoding by round trip against an encoder of the tests' own, and against rackmon's vectors."""

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collectors.modbus.decode import Answer, Program, spans_of, value_of
from collectors.modbus.plan import plan
from collectors.modbus.profile import WORDS, At, Profile
from collectors.modbus.registers import channel_of
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading
from tests.collectors.modbus.peers import REFERENCE, Words, profile

FORMS = {
    "u16": (">H", st.integers(0, 2**16 - 1)),
    "i16": (">h", st.integers(-(2**15), 2**15 - 1)),
    "u32": (">I", st.integers(0, 2**32 - 1)),
    "i32": (">i", st.integers(-(2**31), 2**31 - 1)),
    "u64": (">Q", st.integers(0, 2**64 - 1)),
    "i64": (">q", st.integers(-(2**63), 2**63 - 1)),
    "f32": (">f", st.floats(width=32, allow_nan=False)),
    "f64": (">d", st.floats(allow_nan=False)),
}
orders = st.sampled_from(["big", "little"])


def encoded(raw: bytes, word_order: str, byte_order: str) -> list[int]:
    """Words on the wire of a value given most significant byte first."""
    pairs = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    if byte_order == "little":
        pairs = [bytes(reversed(pair)) for pair in pairs]
    if word_order == "little":
        pairs = list(reversed(pairs))
    return [pair[0] << 8 | pair[1] for pair in pairs]


def read(one: Profile, words: Words, unit: int = 1) -> dict[str, Reading]:
    """Readings of a profile from words, by way of plan and program; address without the device."""
    points = [(p, channel_of(p, "d", unit, registry(), None)) for p in one.placed]
    blocks = plan((span for p in one.placed for span in spans_of(p)), one.link)
    answers = {}
    for number, block in enumerate(blocks):
        held = words.get(block.read.table, {})
        filler = 0 if block.read.function <= 2 else 0xDEAD
        wanted = range(block.read.address, block.read.address + block.read.quantity)
        values = [held.get(address, filler) for address in wanted]
        if block.read.function <= 2:
            packed = bytearray(block.read.data_size)
            for index, bit in enumerate(values):
                packed[index // 8] |= (bit & 1) << index % 8
            data = bytes(packed)
        else:
            data = struct.pack(f">{len(values)}H", *values)
        answers[block] = Answer(data, 100.0 + number)
    readings, _ = Program(points, blocks).decode(answers)
    return {reading.point.removeprefix("d/"): reading for reading in readings}


def number(at: dict[str, Any], words: dict[int, int], **point: Any) -> Reading:
    one = profile(point=[{"metric": "value", "at": at, **point}])
    return read(one, {at.get("table", "holding"): words})["value"]


@given(st.data(), st.sampled_from(sorted(FORMS)), orders, orders, st.integers(0, 65000))
def test_every_type_in_every_order_comes_back(
    data: st.DataObject, form: str, word_order: str, byte_order: str, address: int
):
    code, values = FORMS[form]
    value = data.draw(values)
    words = encoded(struct.pack(code, value), word_order, byte_order)
    at = At.model_validate(
        {"address": address, "type": form, "word_order": word_order, "byte_order": byte_order}
    )
    assert value_of(at, struct.pack(f">{len(words)}H", *words)) == value
    got = number(at.model_dump(), {address + i: word for i, word in enumerate(words)})
    if abs(value) <= 1e15:
        assert got.value == value
    else:
        assert got.quality is Quality.BAD


@given(st.lists(st.tuples(st.sampled_from(sorted(FORMS)), orders, st.integers(0, 3)), max_size=30))
def test_values_of_one_block_do_not_disturb_each_other(layout: list[tuple[str, str, int]]):
    assume(layout)
    points, words, wanted, address = [], {}, {}, 7
    for index, (form, word_order, gap) in enumerate(layout):
        address += gap
        at = {"address": address, "type": form, "word_order": word_order}
        points.append({"metric": "value", "component": f"p/{index}", "at": at})
        value = index + 1
        for word in encoded(struct.pack(FORMS[form][0], value), word_order, "big"):
            words[address] = word
            address += 1
        wanted[f"p/{index}/value"] = value
    one = profile(point=points, link={"gap": 3, "max_registers": 20})
    assert {k: r.value for k, r in read(one, {"holding": words}).items()} == wanted


@given(st.integers(0, 0xFFFF_FFFF), st.integers(0, 31), st.integers(1, 8))
def test_bit_fields_count_from_the_least_significant_bit(value: int, bit: int, width: int):
    assume(bit + width <= 32)
    at = {"address": 3, "type": "u32", "bit": bit, "width": width}
    got = number(at, {3: value >> 16, 4: value & 0xFFFF})
    assert got.value == int(f"{value:032b}"[32 - bit - width : 32 - bit], 2)


@given(st.integers(0, 9999_9999))
def test_binary_coded_decimal(value: int):
    digits = int(f"{value:08d}", 16)
    words = {0: digits >> 16, 1: digits & 0xFFFF}
    assert number({"address": 0, "type": "bcd32"}, words).value == value


def test_a_nibble_above_nine_is_no_number():
    got = number({"address": 0, "type": "bcd16"}, {0: 0x12A4})
    assert (got.quality, got.reason, got.value) == (Quality.BAD, "not a number", None)


@given(st.integers(-(2**15), 2**15 - 1), st.integers(0, 12))
def test_fixed_point(value: int, binary: int):
    got = number({"address": 0, "type": "i16", "binary": binary}, {0: value & 0xFFFF})
    assert got.value == pytest.approx(value / 2**binary, abs=1e-12)


def test_offset_binary():
    got = number({"address": 0}, {0: 33_250}, scale=0.1, offset=-3200)
    assert got.value == pytest.approx(125.0)


def test_words_of_one_value_may_stand_apart():
    at = {"words": [0xA034, 0x9011], "type": "i32"}
    got = number(at, {0x9011: 0xE240, 0xA034: 0x0001}, scale=0.1)
    assert got.value == pytest.approx(12_345.6)
    assert got.source == f"1:holding:{0xA034}"


@given(st.integers(-30000, 30000), st.integers(-6, 4))
def test_a_scale_register_moves_the_point(value: int, exponent: int):
    at = {"address": 0, "type": "i16", "scale_at": 9}
    got = number(at, {0: value & 0xFFFF, 9: exponent & 0xFFFF}, invalid={-32768: "none"})
    assert got.value == pytest.approx(value * 10.0**exponent)


def test_no_scale_factor_is_no_value():
    got = number({"address": 0, "type": "i16", "scale_at": 9}, {0: 5, 9: 0x8000})
    assert (got.value, got.reason) == (None, "the scale factor is missing")


@pytest.mark.parametrize(
    ("unit", "value", "reason"),
    [(0, 4.2, None), (1, 42 * 0.3048, None), (7, None, "the unit register says 7")],
)
def test_a_unit_register_tells_what_a_number_is(unit: int, value: float, reason: str | None):
    at = {"address": 1, "scale_at": 2, "scale_by": {"0": 0.1, "1": 0.3048}}
    got = number(at, {1: 42, 2: unit})
    assert got.value == (None if value is None else pytest.approx(value))
    assert got.reason == reason


def test_a_scaled_number_is_not_taken_for_a_sentinel():
    at = {"address": 0, "type": "u32", "scale_at": 9}
    words = {0: 655350 >> 16, 1: 655350 & 0xFFFF, 9: 0xFFFF}
    assert number(at, words, invalid={65535: "none"}).value == 65535.0


@pytest.mark.parametrize(
    ("form", "words", "invalid", "reason"),
    [
        ("u16", [0xFFFF], {65535: "no sensor"}, "no sensor"),
        ("i16", [0x8000], {-32768: "no sensor"}, "no sensor"),
        ("u32", [0xFFFF, 0xFFFF], {4294967295: "none"}, "none"),
        ("f32", [0x4F80, 0x0000], {4294967296: "none"}, "none"),
        ("f32", [0x7FC0, 0x0000], {}, "not a number"),
        ("f32", [0xFFFF, 0xFFFF], {}, "not a number"),
    ],
)
def test_a_sentinel_is_no_value_and_says_why(
    form: str, words: list[int], invalid: dict[int, str], reason: str
):
    at = {"address": 0, "type": form}
    got = number(at, dict(enumerate(words)), invalid=invalid)
    assert (got.value, got.quality, got.reason) == (None, Quality.BAD, reason)


def test_a_part_that_is_absent_gives_no_reading():
    one = profile(point=[{"metric": "value", "at": {"address": 0}, "absent": [65535]}])
    assert read(one, {"holding": {0: 65535}}) == {}


def test_a_value_without_meaning_now_is_uncertain_and_says_why():
    when = {"address": 0, "bit": 2, "reason": "the cable is dry"}
    one = profile(point=[{"metric": "value", "at": {"address": 1}, "when": when}])
    dry = read(one, {"holding": {0: 0b011, 1: 17}})["value"]
    wet = read(one, {"holding": {0: 0b100, 1: 17}})["value"]
    assert (dry.value, dry.quality, dry.reason) == (17, Quality.UNCERTAIN, "the cable is dry")
    assert (wet.value, wet.quality, wet.reason) == (17, Quality.GOOD, None)


def test_modules_that_are_not_there_are_left_out():
    when = {"address": 0, "values": [1, 2], "otherwise": "absent"}
    one = profile(
        point=[
            {
                "metric": "voltage",
                "component": "module/{index}",
                "at": {"address": 1},
                "repeat": {"count": 3, "stride": 2},
                "when": when,
            }
        ]
    )
    got = read(one, {"holding": {0: 1, 1: 48, 2: 0, 3: 0, 4: 2, 5: 49}})
    assert {k: r.value for k, r in got.items()} == {
        "module/1/voltage": 48,
        "module/3/voltage": 49,
    }


def test_coils_and_discrete_inputs():
    states = {0: "inactive", 1: "active"}
    one = profile(
        point=[
            {
                "metric": "alarm",
                "component": "a/{index}",
                "at": {"table": "discrete", "address": 5},
                "repeat": {"count": 12, "stride": 1},
                "states": states,
            }
        ]
    )
    got = read(one, {"discrete": {5: 1, 13: 1, 16: 1}})
    active = {k for k, r in got.items() if r.state == "active"}
    assert active == {"a/1/alarm", "a/9/alarm", "a/12/alarm"}
    assert got["a/9/alarm"].source == "1:discrete:13"


def test_an_unknown_state_is_shown():
    one = profile(point=[{"metric": "run", "at": {"address": 0}, "states": {0: "stopped"}}])
    got = read(one, {"holding": {0: 9}})["run"]
    assert (got.quality, got.raw, got.state) == (Quality.BAD, 9, None)


def test_each_value_carries_the_time_of_its_own_frame():
    one = profile(
        point=[
            {"metric": "value", "component": "a", "at": {"address": 0}},
            {"metric": "value", "component": "b", "at": {"address": 500}},
        ]
    )
    got = read(one, {"holding": {0: 1, 500: 2}})
    assert [r.ts for r in got.values()] == [100.0, 101.0]


def vectors() -> list[dict[str, Any]]:
    path = REFERENCE / "rackmon" / "decode_vectors.json"
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["vectors"]
    return found


@pytest.mark.skipif(not vectors(), reason=f"{REFERENCE} is not here: the team's shared papers")
@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v["register"]["format"] + v["raw"][0])
def test_rackmon_vectors(vector: dict[str, Any]):
    register, words = vector["register"], [int(word, 16) for word in vector["raw"]]
    length = register["length"]
    data = struct.pack(f">{length}H", *words)
    form = {1: "16", 2: "32", 4: "64"}.get(length, "")
    order = "little" if register.get("endian") == "L" else "big"
    at: dict[str, Any] = {"address": 0, "word_order": order, "byte_order": order}
    if register["format"] == "STRING":
        at |= {"type": "string", "length": length}
        assert value_of(At.model_validate(at), data) == vector["expected"].rstrip()
        return
    at["type"] = ("i" if register.get("sign") else "u") + form
    assert WORDS[at["type"]] == length
    if register["format"] == "FLAGS":
        for bit, name in register["flags"]:
            flag = At.model_validate(at | {"bit": bit})
            assert value_of(flag, data) == vector["expected"][name]
        return
    if register["format"] in ("INTEGER", "LONG"):
        assert value_of(At.model_validate(at), data) == vector["expected"]
        return
    got = number(
        at | {"binary": register.get("precision", 0)},
        dict(enumerate(words)),
        scale=register.get("scale", 1),
        offset=register.get("shift", 0),
    )
    assert got.value is not None
    assert math.isclose(got.value, vector["expected"], abs_tol=0.002)
