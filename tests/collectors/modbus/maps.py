"""The published register maps as facts, read from ../shared, with an encoder of the tests' own.

Nothing here uses the product's decoding: a fact knows its words, and the value they stand for.
"""

import json
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "modbus"
TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}

# unit of the maps -> (unit of the registry, factor, plausible range of the canonical value)
UNITS: dict[str, tuple[str, float, tuple[float, float]]] = {
    "V": ("V", 1, (40, 260)),
    "mV": ("V", 1e-3, (2.5, 4.2)),
    "A": ("A", 1, (1, 60)),
    "uA": ("A", 1e-6, (3e-5, 1.7e-4)),
    "W": ("W", 1, (100, 3000)),
    "kW": ("W", 1e3, (2000, 60000)),
    "VA": ("VA", 1, (100, 3000)),
    "kVA": ("VA", 1e3, (2000, 60000)),
    "var": ("var", 1, (10, 300)),
    "kvar": ("var", 1e3, (2000, 6000)),
    "degC": ("degC", 1, (5, 60)),
    "%": ("%", 1, (1, 99)),
    "kWh": ("kWh", 1, (10, 600)),
    "Wh": ("kWh", 1e-3, (10, 600)),
    "varh": ("kvarh", 1e-3, (10, 600)),
    "kvarh": ("kvarh", 1, (10, 600)),
    "Hz": ("Hz", 1, (49, 61)),
    "L/min": ("l/min", 1, (10, 300)),
    "s": ("s", 1, (60, 3600)),
    "min": ("s", 60, (60, 6000)),
    "rpm": ("rpm", 1, (500, 6000)),
    "Ah": ("Ah", 1, (1, 90)),
    "ohm": ("ohm", 1, (10, 4000)),
    "kohm": ("ohm", 1e3, (1e4, 4e6)),
    "bar": ("kPa", 100, (50, 400)),
    "Pa": ("kPa", 1e-3, (0.01, 0.2)),
    "m": ("m", 1, (1, 200)),
}
RACKMON_UNITS = {
    "Volts": "V",
    "Amperes": "A",
    "Watts": "W",
    "DegreesC": "degC",
    "LPM": "L/min",
    "RPMS": "rpm",
    "Percent": "%",
    "PercentRH": "%",
    "Hertz": "Hz",
    "AmpereHours": "Ah",
}


@dataclass(frozen=True)
class Fact:
    """One register of a map."""

    name: str
    table: str
    address: int
    type: str = "u16"
    words: int = 1
    word_order: str = "big"
    byte_order: str = "big"
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    bits: Mapping[int, str] = field(default_factory=dict)
    enum: Mapping[int, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Without the unit id."""
        return f"{self.table}:{self.address}"

    def held(self, tables: Mapping[str, Mapping[int, int]]) -> int:
        """The raw number that stands on the wire, without sign."""
        words = [tables[self.table][self.address + number] for number in range(self.words)]
        if self.byte_order == "little":
            words = [(word << 8 | word >> 8) & 0xFFFF for word in words]
        if self.word_order == "little":
            words.reverse()
        return sum(word << 16 * place for place, word in enumerate(reversed(words)))

    def random(self, rng: random.Random) -> tuple[list[int], float | None]:
        """(words on the wire, the measurement in the registry's unit or None)."""
        if self.enum:
            return self.encoded(rng.choice(list(self.enum))), None
        if self.bits:
            return self.encoded(sum(rng.getrandbits(1) << bit for bit in self.bits)), None
        if self.unit not in UNITS:
            return self.encoded(rng.randrange(0, 2)), None
        _, factor, (low, high) = UNITS[self.unit]
        raw = (rng.uniform(low, high) / factor - self.offset) / self.scale
        if self.type[0] != "f":
            bits = 16 * self.words - (self.type[0] == "i")
            raw = max(1, min(round(raw), (1 << bits) - 2))
        else:
            (raw,) = struct.unpack(">f", struct.pack(">f", raw))
        return self.encoded(raw), (raw * self.scale + self.offset) * factor

    def encoded(self, raw: float) -> list[int]:
        """The words as they stand on the wire."""
        if self.type == "f32":
            data = struct.pack(">f", raw)
        elif self.type == "f64":
            data = struct.pack(">d", raw)
        else:
            data = int(raw).to_bytes(2 * self.words, "big", signed=self.type[0] == "i")
        words = list(struct.unpack(f">{self.words}H", data))
        if self.byte_order == "little":
            words = [(word << 8 | word >> 8) & 0xFFFF for word in words]
        return words[::-1] if self.word_order == "little" else words


def device_facts(path: Path) -> Iterator[tuple[str, Fact]]:
    """(unit class, fact) of a map in the form of `devices/*.json`, its repeats written out."""
    data = json.loads(path.read_text("utf-8"))
    defaults = {"function": 3, "type": "u16", "word_order": "big"} | data.get("defaults", {})
    for register in data["registers"]:
        row = defaults | register
        if not isinstance(row["address"], int) or row["type"] in ("raw", "string"):
            continue
        kind = row["type"]
        words = 1 if kind in ("bit", "u16", "i16") else int(kind[1:]) // 16
        yield (
            row.get("unit_class", ""),
            Fact(
                row["name"],
                TABLES[row["function"]],
                row["address"],
                kind,
                words,
                row["word_order"],
                scale=row.get("scale", 1.0),
                offset=row.get("offset", 0.0),
                unit=row.get("unit"),
                bits={int(bit): name for bit, name in row.get("bits", {}).items()},
                enum={int(raw): name for raw, name in row.get("enum", {}).items()},
            ),
        )


def rackmon_facts(path: Path) -> Iterator[Fact]:
    """Facts of a rackmon register map."""
    for row in json.loads(path.read_text("utf-8"))["registers"]:
        form, length = row["format"], row["length"]
        if form in ("STRING", "RAW"):
            continue
        sign = "i" if row.get("sign") else "u"
        unit = row.get("unit")
        yield Fact(
            row["name"],
            "holding",
            row["begin"],
            f"{sign}{16 * length}",
            length,
            word_order="little" if row.get("endian") == "L" else "big",
            byte_order="little" if row.get("endian") == "L" else "big",
            scale=row.get("scale", 1.0) / 2 ** row.get("precision", 0),
            offset=row.get("shift", 0.0),
            unit=RACKMON_UNITS.get(unit, unit),
            bits=dict(row.get("flags", [])),
        )


PHOSPHOR_UNITS = {
    "Temperature": "degC",
    "Voltage": "V",
    "Current": "A",
    "Utilization": "%",
    "LiquidFlow": "L/min",
    "ValveOpenDuration": "s",
    "ValveClosedDuration": "s",
}


def phosphor_facts(path: Path) -> Iterator[Fact]:
    """Facts of a phosphor-modbus device profile."""
    data: dict[str, list[dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    for row in [*data.get("SensorRegisters", []), *data.get("MetricRegisters", [])]:
        size = row["Size"]
        kind = (
            "f32"
            if row["Format"] == "Float32"
            else f"{'i' if row.get('IsSigned') else 'u'}{16 * size}"
        )
        yield Fact(
            row["Name"],
            "holding",
            int(row["Offset"], 16),
            kind,
            size,
            scale=row.get("Scale", 1.0) / 2 ** row.get("Precision", 0),
            offset=row.get("Shift", 0.0),
            unit=PHOSPHOR_UNITS.get(row["Type"], row["Type"]),
        )
    for row in data.get("StatusRegisters", []):
        bits = {bit["BitPosition"]: bit["Name"] for bit in row["Bits"]}
        yield Fact(row.get("Name", "status"), "holding", int(row["Offset"], 16), bits=bits)
