"""Every profile, served with random words by a real socket: each point at its source, rightly read.

The words are written and understood here by arithmetic of the tests' own, from what the profile's
text says; nothing of the product's decoding is used.
"""

import math
import random
import struct
import zlib
from collections.abc import Iterator, Mapping

import pytest

from collectors.modbus.at import At
from collectors.modbus.collector import probe
from collectors.modbus.profile import Placed, Profile
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading
from tests.collectors.modbus.peers import (
    TABLES,
    Peer,
    answer,
    framed,
    modbus_profiles,
    peer,
    target,
)

PROFILES = {name: one for name, one in modbus_profiles().items() if not one.models}
UNIT = 9
CANONICAL: dict[str, tuple[float, float]] = {  # unit of a profile -> factor, offset
    "J": (1 / 3.6e6, 0),
    "Pa": (1e-3, 0),
    "Wh": (1e-3, 0),
    "bar": (100, 0),
    "gpm": (3.785411784, 0),
    "h": (3600, 0),
    "kV": (1e3, 0),
    "kVA": (1e3, 0),
    "kW": (1e3, 0),
    "kelvin": (1, -273.15),
    "kohm": (1e3, 0),
    "kvar": (1e3, 0),
    "l": (1e-3, 0),
    "l/h": (1 / 60, 0),
    "mA": (1e-3, 0),
    "mAh": (1e-3, 0),
    "mV": (1e-3, 0),
    "min": (60, 0),
    "uA": (1e-6, 0),
    "varh": (1e-3, 0),
}
LIKELY = {  # of the canonical unit
    "V": (1, 400),
    "A": (0.01, 60),
    "W": (1, 9000),
    "VA": (1, 9000),
    "var": (1, 900),
    "Hz": (45, 65),
    "degC": (5, 60),
    "%": (1, 99),
    "%RH": (1, 99),
    "1": (0, 1),
    "kPa": (1, 300),
    "pH": (4, 9),
    "s": (60, 6000),
}


class Device:
    """The registers of a device, filled at random so that most numbers are likely ones."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self.words: dict[str, dict[int, int]] = {table: {} for table in TABLES}
        self.profile = profile
        rng = random.Random(seed)
        for one in profile.placed:
            for at in filter(None, (one.at, one.when)):
                held = self.words[at.table]
                for address in at.addresses:
                    held.setdefault(address, rng.randrange(2 if at.bits_only else 0x10000))
            if one.at.scale_at is not None:
                scales = list(one.at.scale_by) or [0, 1]
                self.words[one.at.table][one.at.scale_at] = rng.choice(scales)
        for one in profile.placed:
            self._put(one.at, self._likely(one, rng))
        for one in profile.placed:
            if one.when is not None and one.point.when is not None and rng.random() < 0.8:
                self._put(one.when, rng.choice(one.point.when.values))

    def raw(self, at: At) -> float:
        """The number that stands at a place."""
        held = [self.words[at.table][address] for address in at.addresses]
        if at.bits_only:
            return held[0]
        if at.byte_order == "little":
            held = [word >> 8 | (word & 255) << 8 for word in held]
        if at.word_order == "little":
            held.reverse()
        whole = sum(word << 16 * place for place, word in enumerate(reversed(held)))
        if at.bit is not None:
            return (whole >> at.bit) % (1 << at.width)
        if at.mask is not None:
            return whole & at.mask
        if at.type[0] == "f":
            form = {2: (">I", ">f"), 4: (">Q", ">d")}[len(held)]
            (number,) = struct.unpack(form[1], struct.pack(form[0], whole))
            return float(number)
        top = 1 << 16 * len(held)
        return whole - top if at.type[0] == "i" and whole >= top // 2 else whole

    def _whole(self, at: At) -> int:
        """The number of all bits of a word."""
        return int(self.raw(at.model_copy(update={"bit": None, "width": 1, "mask": None})))

    def expected(self, one: Placed) -> float | str | None:
        """The state or the value in the registry's unit; None: no good reading is due."""
        raw, point = self.raw(one.at), one.point
        if raw in point.absent or raw in point.invalid or math.isnan(raw):
            return None
        condition = point.when
        if condition and one.when and self.raw(one.when) not in condition.values:
            return None
        if one.is_rest:
            return point.states[1 if raw else 0]
        if point.states:
            return point.states.get(int(raw), point.other_state)
        number = raw / (1 << one.at.binary)
        if one.at.scale_at is not None:
            scale = self.words[one.at.table][one.at.scale_at]
            number *= one.at.scale_by[scale] if one.at.scale_by else 10.0**scale
        factor, offset = CANONICAL.get(point.unit or "", (1.0, 0.0))
        value = (number * point.scale + point.offset) * factor + offset
        low, high = registry()[point.metric].range or (float("-inf"), float("inf"))
        return value if low <= value <= high else None

    def _likely(self, one: Placed, rng: random.Random) -> float:
        point, at = one.point, one.at
        if at.mask is not None:
            return rng.choice([0, rng.getrandbits(16 * at.size)]) & at.mask
        if point.states:
            return rng.choice(list(point.states))
        unit = registry()[point.metric].unit
        factor, offset = CANONICAL.get(point.unit or "", (1.0, 0.0))
        value = (rng.uniform(*LIKELY.get(unit, (1, 900))) - offset) / factor
        number = (value - point.offset) / point.scale * (1 << at.binary)
        if at.type[0] == "f":
            return number
        bits = at.width if at.bit is not None else 16 * at.size
        low, high = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if at.type[0] == "i" else (0, (1 << bits) - 1)
        )
        return max(low, min(high, round(number)))

    def _put(self, at: At, raw: float) -> None:
        held = self.words[at.table]
        if at.bits_only:
            held[at.addresses[0]] = int(raw)
            return
        size = len(at.addresses)
        if at.type[0] == "f":
            data = struct.pack(">f" if size == 2 else ">d", raw)
        elif at.bit is not None:
            whole = self._whole(at)
            mask = ((1 << at.width) - 1) << at.bit
            data = (whole & ~mask | int(raw) << at.bit).to_bytes(2 * size, "big")
        elif at.mask is not None:
            data = (self._whole(at) & ~at.mask | int(raw)).to_bytes(2 * size, "big")
        else:
            data = int(raw).to_bytes(2 * size, "big", signed=at.type[0] == "i")
        words = [*struct.unpack(f">{size}H", data)]
        if at.word_order == "little":
            words.reverse()
        for address, word in zip(at.addresses, words, strict=True):
            held[address] = word >> 8 | (word & 255) << 8 if at.byte_order == "little" else word


async def _served(device: Device) -> Mapping[str, Reading]:
    """What the product reads, by source."""

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer(device.words, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/{UNIT}?gap=0&request_delay_s=0"
        result = await probe(target(url, device.profile.name), PROFILES, SystemClock())
    assert len({r.source for r in result.readings}) == len(result.readings)
    return {str(reading.source): reading for reading in result.readings}


def _faults(device: Device, readings: Mapping[str, Reading]) -> Iterator[str]:
    for one in device.profile.placed:
        source = f"{UNIT}:{one.at.table}:{one.at.addresses[0]}"
        source += "" if one.at.bit is None else f"#{one.at.bit}"
        wanted, reading = device.expected(one), readings.get(source)
        if reading is None:
            if wanted is not None:
                yield f"{one.key} at {source}: missing"
        elif wanted is None:
            if reading.quality is Quality.GOOD:
                yield f"{one.key} at {source}: {reading.value}, but nothing good is due"
        elif reading.point != f"dev-1/{one.key}":
            yield f"{source}: {reading.point}, not {one.key}"
        elif isinstance(wanted, str):
            if (reading.state, reading.raw) != (wanted, device.raw(one.at)):
                yield f"{one.key} at {source}: {reading.state} ({reading.raw}), not {wanted}"
        elif reading.value != pytest.approx(wanted, rel=1e-6, abs=1e-9):
            yield f"{one.key} at {source}: {reading.value}, not {wanted}"


@pytest.mark.parametrize("name", PROFILES)
async def test_every_point_is_read_at_its_source_in_canonical_unit(name: str):
    device = Device(PROFILES[name], seed=zlib.crc32(name.encode()))
    assert list(_faults(device, await _served(device))) == []
    due = [device.expected(one) for one in device.profile.placed]
    assert sum(value is not None for value in due) >= 0.8 * len(due)
