"""Stripping takes nothing that a device is known by or read for: all recordings of the corpus."""

import pytest

from collectors.base import ProbeResult
from collectors.catalog import load_catalog
from collectors.snmp.record_known import Known
from collectors.snmp.record_strip import Private, stripped
from collectors.snmp.recording import line
from collectors.snmp.survey import probe, snmp_profiles
from dcim.clock import ManualClock
from fixtures.peers.replay import Recording
from tests.collectors.snmp.corpus import CORPUS, objects
from tests.collectors.snmp.peers import target

OTHER_INDEX = {"chatsworth-pdu"}  # its rows are numbered by the MACs of its units
# "SNMP Smart II Card v1.05 (SN 1123...)"
SERIAL_IN_MODEL = {"ats", "cxc_e3", "cxc_ups", "ipoman", "webpower-smart2"}
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus is not at {CORPUS}")


async def test_a_stripped_recording_is_the_same_device(agent, transport):
    catalog = load_catalog()
    known = Known(tuple(snmp_profiles(catalog).values()))
    for file in sorted((CORPUS / "recordings").glob("*.snmprec")):
        recorded = objects(file)
        told = stripped(recorded, Private(("public",)), known).objects
        assert len(told) == len(recorded), file.stem
        assert stripped(told, Private(("public",)), known).objects == told, file.stem
        found = []
        for way, lines in (("whole", recorded), ("stripped", told)):
            agent.recordings[way] = Recording.parse(line(*one).encode() for one in lines)
            found.append(await probe(target(way, agent.port), catalog, ManualClock(), transport))
        whole, other = found
        assert identity(other, file.stem) == identity(whole, file.stem)
        assert readings(other, file.stem) == readings(whole, file.stem), file.stem


def identity(found: ProbeResult, name: str) -> tuple[object, ...]:
    one = found.identity
    model = "" if name in SERIAL_IN_MODEL else one.model
    return name, one.profiles, one.kind, one.vendor, model, one.inventory.get("firmware")


def readings(found: ProbeResult, name: str) -> list[tuple[object, ...]]:
    indexed = name in OTHER_INDEX
    return [
        (r.metric, r.value, r.state, r.quality, None if indexed else r.source)
        for r in found.readings
    ]
