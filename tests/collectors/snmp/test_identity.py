"""What a device is by its system group alone: 201 devices of the corpus, most without readings."""

import csv
import re
from pathlib import Path

import pytest

from collectors.catalog import load_catalog
from collectors.snmp.survey import probe
from dcim.clock import SystemClock
from dcim.model.reading import Identity, OutageKind
from fixtures.peers.replay import Recording
from tests.collectors.snmp.peers import target

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "snmp"
KINDS = {
    "ups": "ups",
    "pdu": "rack_pdu|rpp|busway",
    "dc-power": "dc_power|hvdc|power_shelf",
    "meter": "meter|rack_pdu|rpp",
    "ats": "ats",
    "cooling": "crah|chiller|cdu|rear_door|dry_cooler|cooling_unit",
    "environment": "environment|leak_detector",
    "leak": "leak_detector|environment",
    "genset": "genset",
    "battery": "battery_string|ups|dc_power|supercap",
    "network": "environment|network",
}
TYPES = {  # of devices whose kind the corpus does not tell
    "power": "ups|rack_pdu|rpp|dc_power|meter|ats|genset",
    "environment": "environment|leak_detector|crah|chiller|cooling_unit",
}
NOT_TOLD = {
    "apc": "the corpus says power; NBRK0200 is a NetBotz rack monitor",
    "cxc_ups": "the same sysObjectID and sysDescr as the maker's DC plants",
    "edgeos-ep": "sysObjectID and sysDescr of all of the maker's radios",
    "huaweiups": "no sysObjectID; the controller's name stands in DC plants as well",
    "morningstar-pwm": "only the maker is known, and no sysDescr",
    "netvision-rfc": "net-snmp on an unnamed Linux",
    "pcoweb": "net-snmp on an unnamed Linux",
    "poweralert_pdu": "the same sysObjectID and sysDescr as the maker's UPSs",
    "spectracool": "no sysObjectID; sysDescr is the operating system's",
    "wti-mpc": "net-snmp on an unnamed Linux",
}
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus is not at {CORPUS}")


def rows(name: str) -> list[dict[str, str]]:
    with (CORPUS / name).open() as file:
        return list(csv.DictReader(file))


def system_group(row: dict[str, str]) -> Recording:
    lines = [f"1.3.6.1.2.1.1.1.0|4|{row['sysDescr']}", "1.3.6.1.2.1.1.3.0|67|4711"]
    if row["sysObjectID"]:
        lines.append(f"1.3.6.1.2.1.1.2.0|6|{row['sysObjectID']}")
    return Recording.parse(line.encode() for line in lines)


def fits(row: dict[str, str], makers: dict[str, str], identity: Identity) -> bool:
    """Whether kind and maker are what the corpus says of the device."""
    kinds = KINDS.get(row["kind"]) or TYPES.get(row["type"], ".+")
    expected = makers.get(row["product_line"], row["product_line"])
    words = re.findall(r"[a-z0-9]{2,}", expected.lower())
    vendor = expected == "Generic" or any(word in identity.vendor.lower() for word in words)
    return vendor and re.fullmatch(kinds, identity.kind) is not None


async def test_devices_are_told_by_their_system_group(agent, transport):
    devices = rows("IDENTITY.csv")
    maker = {row["recording"]: row["vendor"] for row in rows("INDEX.csv")}
    lines = {d["product_line"]: maker[d["recording"]] for d in devices if d["recording"] in maker}
    agent.recordings |= {row["recording"]: system_group(row) for row in devices}
    catalog = load_catalog()
    wrong = {}
    for row in devices:
        url = target(row["recording"], agent.port)
        found = await probe(url, catalog, SystemClock(), transport)
        assert found.readings == []
        assert found.outage is not None
        assert found.outage.kind is OutageKind.UNIDENTIFIED
        if not fits(row, lines, found.identity):
            wrong[row["recording"]] = (found.identity.kind, found.identity.vendor)
    assert {k: v for k, v in wrong.items() if k not in NOT_TOLD} == {}
    assert wrong.keys() == NOT_TOLD.keys()
