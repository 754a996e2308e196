"""Every published map, served with random values by an encoder of its own, is read back whole.

Reads ../shared/reference/modbus; skipped where that is not there.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from collectors.modbus.collector import probe
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading
from tests.collectors.modbus.maps import (
    REFERENCE,
    UNITS,
    Fact,
    device_facts,
    phosphor_facts,
    rackmon_facts,
)
from tests.collectors.modbus.peers import (
    Peer,
    answer,
    framed,
    modbus_profiles,
    peer,
    target,
)

pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared/reference/modbus")

PROFILES = modbus_profiles()
UNIT = 7
ENOUGH = 0.9
NO_STATUS = frozenset(
    ["Setting", "Settings", "Override", "Control", "Test", "Clear"]
)  # registers that are written
SAME_AS = {"%": ("%RH",), "degC": ("K",)}  # units that maps do not tell apart


@dataclass(frozen=True)
class Case:
    """A map, the profile that reads it, and what of it is left out on purpose."""

    map: str
    profile: str
    unit_class: str = ""
    but: dict[str, str] = field(default_factory=dict)  # address -> why the profile differs

    def facts(self) -> list[Fact]:
        path = REFERENCE / f"{self.map}.json"
        if self.map.startswith("rackmon/"):
            return list(rackmon_facts(path))
        if self.map.startswith("phosphor-modbus/"):
            return list(phosphor_facts(path))
        return [fact for kind, fact in device_facts(path) if kind == self.unit_class]


CASES = [
    Case("devices/abb_b23_b24", "abb_b23"),
    Case("devices/acrel_adw300", "acrel_adw300"),
    Case("devices/acrel_dtsd1352", "acrel_dtsd1352"),
    Case("devices/apc_smart_ups", "apc_smart_ups"),
    Case("devices/belimo_energy_valve", "belimo_ev200"),
    Case("devices/carlo_gavazzi_em24", "carlo_gavazzi_em24"),
    Case("devices/carlo_gavazzi_em340", "carlo_gavazzi_em340"),
    Case("devices/cdu_plc_fx5", "cdu_plc_fx5"),
    Case("devices/clever_pdu", "clever_pdu"),
    Case("devices/danfoss_003z8540", "danfoss_003z8540"),
    Case("devices/delta_ups", "delta_ups"),
    Case("devices/discover_aes", "discover_aes"),
    Case("devices/eastron_sdm630", "sdm630"),
    Case("devices/huawei_ups2000", "huawei_ups2000"),
    Case("devices/janitza_b23", "janitza_b23"),
    Case("devices/janitza_umg", "janitza_umg"),
    Case("devices/kamstrup_multical", "kamstrup_multical"),
    Case("devices/liebert_dcd", "liebert_dcd"),
    Case("devices/liebert_icom", "liebert_icom"),
    Case("devices/riello_multicom", "riello_multicom"),
    Case("devices/rle_seahawk", "rle_seahawk"),
    Case("devices/robotina_btms", "robotina_ups", "ups"),
    Case("devices/robotina_btms", "robotina_string", "string"),
    Case("devices/schneider_iem3000_pm3000", "iem3000"),
    Case("devices/schneider_pm5500", "schneider_pm5000"),
    Case("devices/siemens_pac2200", "siemens_pac2200"),
    Case("devices/socomec_diris_a10", "socomec_diris_a10"),
    Case("devices/socomec_diris_a14_countis_e", "socomec_diris_a14"),
    Case("devices/socomec_diris_b30", "socomec_diris_b30"),
    Case("devices/socomec_jbus_ups", "socomec_jbus_ups"),
    Case("devices/tracetek", "tracetek_nmm"),
    Case("openbic_aalc_rpu", "aalc_rpu", but={"36881": "half of an int32", "41012": "half"}),
    Case("rackmon/orv3_rpu", "aalc_rpu"),
    Case("rackmon/orv2_psu", "orv2_psu"),
    Case("rackmon/orv3_psu", "orv3_psu"),
    Case("rackmon/orv3_bbu", "orv3_bbu"),
    Case("rackmon/orv3_power_recv", "orv3_power_tether"),
    Case("rackmon/orv3_hpr_psu", "orv3_hpr_psu"),
    Case("rackmon/orv3_hpr_bbu", "orv3_hpr_bbu"),
    Case("rackmon/orv3_hpr_cbu", "orv3_hpr_cbu"),
    Case("rackmon/orv3_hpr_pmm_psu", "orv3_hpr_pmm"),
    Case("rackmon/orv3_hpr_pmm_bbu", "orv3_hpr_pmm"),
    Case(
        "rackmon/orv3_rpu2",
        "aalc_rpu2",
        but={"Pa": "read as kPa", "W": "the meters' power is read as kW"},
    ),
    *(
        Case(f"phosphor-modbus/{file}", profile)
        for file, profile in (
            ("Artesyn7000552480000PowerSupplyUnit", "orv3_hpr_psu"),
            ("Artesyn7000552531000PowerShelf", "artesyn_7000552531000"),
            ("Artesyn7000555240000PowerMonitorModule", "orv3_hpr_pmm"),
            ("BelimoEV200ARXEValve", "belimo_ev200"),
            ("DeltaBBUBC100AE000PowerMonitorModule", "orv3_hpr_pmm"),
            ("DeltaBBUBS723AE000PowerShelf", "delta_bbubs723ae000"),
            ("DeltaBBUBU123AE000BatteryBackupUnit", "orv3_hpr_bbu"),
            ("DeltaECD17020037PowerSupplyUnit", "orv3_hpr_psu"),
            ("DeltaECD27010006CapacitorBankUnit", "orv3_hpr_cbu"),
            ("DeltaECD68000047PowerShelf", "delta_ecd68000047"),
            ("DeltaECD68000049PowerShelf", "delta_ecd68000049"),
            ("DeltaECD70000017PowerMonitorModule", "orv3_hpr_pmm"),
            ("DeltaECD70000020PowerMonitorModule", "orv3_hpr_pmm"),
            ("DeltaRDF040DSS5193E0ReservoirPumpUnit", "aalc_rpu"),
            ("PanasonicBJA3C0002ABatteryBackupUnit", "orv3_hpr_bbu"),
            ("PanasonicBJBPM103APowerMonitorModule", "orv3_hpr_pmm"),
            ("PanasonicBJBSB103APowerShelf", "panasonic_bjbsb103a"),
        )
    ),
]


@dataclass
class Findings:
    """What a read-back of a map showed."""

    wanted: int = 0
    missing: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)  # bits and enumerations
    wrong: list[str] = field(default_factory=list)


async def _read_back(case: Case, facts: Iterable[Fact], seed: int) -> Findings:
    rng = random.Random(seed)
    tables: dict[str, dict[int, int]] = {}
    values: dict[str, tuple[Fact, float | None]] = {}
    kept = list(facts)
    for fact in kept:
        words, value = fact.random(rng)
        for number, word in enumerate(words):
            tables.setdefault(fact.table, {})[fact.address + number] = word
        values[fact.source] = (fact, value)
    tables.setdefault("holding", {})

    async def reply(one: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer(tables, pdu))

    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/{UNIT}?gap=0"
        result = await probe(target(url, case.profile), PROFILES, SystemClock())
    by_source = {(r.source or "").partition(":")[2]: r for r in result.readings}
    findings = Findings()
    for source, (fact, value) in values.items():
        if value is None or str(fact.address) in case.but or fact.unit in case.but:
            continue
        findings.wanted += 1
        reading = by_source.get(source)
        if reading is None:
            findings.missing.append(f"{fact.name} at {source}")
        elif reading.value is None or reading.quality is Quality.BAD:
            findings.wrong.append(f"{fact.name} at {source}: {reading.reason}, not {value:g}")
        elif registry()[reading.metric].unit not in SAME_AS.get(str(fact.unit), ()) and (
            registry()[reading.metric].unit != UNITS[str(fact.unit)][0]
        ):
            unit = registry()[reading.metric].unit
            findings.wrong.append(f"{fact.name} at {source}: in {unit}")
        elif abs(reading.value - value) > 1e-6 * max(1.0, abs(value)):
            findings.wrong.append(f"{fact.name} at {source}: {reading.value:g}, not {value:g}")
    findings.unseen = list(_unseen(kept, tables, by_source))
    return findings


def _unseen(
    facts: Iterable[Fact], tables: dict[str, dict[int, int]], by_source: dict[str, Reading]
) -> Iterator[str]:
    """Bits and codes of which no reading shows what they are."""
    for fact in facts:
        if fact.enum:
            reading = by_source.get(fact.source)
            if reading is None or _shown(reading) != fact.held(tables):
                yield f"{fact.name} at {fact.source}"
        for bit, name in fact.bits.items():
            if not any(
                _shown(reading) == fact.held(tables) >> start & mask
                for start, mask, reading in _fields(fact, bit, by_source)
            ):
                yield f"{fact.name} {name} at {fact.source}#{bit}"


def _fields(
    fact: Fact, bit: int, by_source: dict[str, Reading]
) -> Iterator[tuple[int, int, Reading]]:
    """Readings that may show a bit: itself, a field that holds it, the whole word."""
    whole = by_source.get(fact.source)
    if whole is not None:
        yield 0, (1 << 16 * fact.words) - 1, whole
    for start in range(bit + 1):
        reading = by_source.get(f"{fact.source}#{start}")
        if reading is not None:
            yield from ((start, (1 << width) - 1, reading) for width in range(bit - start + 1, 7))


def _shown(reading: Reading) -> int:
    """The number on the wire that a reading of a state or a plain word stands for."""
    return int(reading.raw if reading.raw is not None else reading.value or 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.map}-{case.profile}")
async def test_a_map_is_read_back_at_its_sources_in_canonical_units(case: Case):
    facts = case.facts()
    measured = [fact for fact in facts if fact.unit in UNITS and not fact.bits]
    findings = await _read_back(case, facts, seed=1)
    assert findings.wrong == []
    assert len(findings.missing) <= (1 - ENOUGH) * len(measured), findings.missing
    told = [text for text in findings.unseen if not NO_STATUS & set(text.split()[0].split("_"))]
    flags = sum(len(fact.bits) + bool(fact.enum) for fact in facts)
    assert len(told) <= (1 - ENOUGH) * flags, told
