"""A running collector whose SNMPv3 device changes under it: keys, users, reboots, strangers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from collectors.base import Intervals, Target
from collectors.profile import Profile
from collectors.snmp.profile import SnmpProfile
from dcim.model.reading import OutageKind, Quality
from tests.collectors.snmp import netsnmp
from tests.collectors.snmp.netsnmp import AUTH_PASSWORD, PRIV_PASSWORD
from tests.collectors.snmp.peers import Sink
from tests.collectors.snmp.test_collector import collecting
from tests.collectors.snmp.test_v3_snmpd import target

PAIR = ("sha256", "aes128")
OFTEN = Intervals(0.1, 0.2, 5)
RIGHT = netsnmp.user_lines([PAIR])
PROFILES: Mapping[str, Profile] = {
    "host": SnmpProfile.model_validate(
        {
            "name": "host",
            "protocol": "snmp",
            "kind": "ups",
            "vendor": "net-snmp",
            "evidence": "synthetic",
            "sources": ["SNMP-FRAMEWORK-MIB: snmpEngineTime"],
            "identify": {"tables": ["1.3.6.1.2.1.1.9"]},
            "point": [{"at": "1.3.6.1.6.3.10.2.1.3.0", "metric": "power.active"}],
        }
    )
}


def watched(port: int) -> Target:
    one = target(port, *PAIR)
    return Target("d", one.url, "host", OFTEN, one.credentials)


def kinds(sink: Sink, since: int = 0) -> list[OutageKind]:
    return [batch.outage.kind for batch in sink.batches[since:] if batch.outage is not None]


def good(sink: Sink, since: int = 0) -> bool:
    return any(
        reading.quality is Quality.GOOD and batch.outage is None
        for batch in sink.batches[since:]
        for reading in batch.readings
    )


def forget_users(folder: Path) -> None:
    """What snmpd kept of its users goes before what its configuration says."""
    kept = folder / "snmpd.conf"
    lines = kept.read_text("utf-8").splitlines()
    kept.write_text("\n".join(n for n in lines if not n.startswith("usmUser")) + "\n", "utf-8")


CHANGES = {
    "wrong_auth_key": [line.replace(AUTH_PASSWORD, "another horse") for line in RIGHT],
    "wrong_priv_key": [line.replace(PRIV_PASSWORD, "another staple") for line in RIGHT],
    "unknown_user": netsnmp.user_lines([("sha", "aes128")]),
}


@pytest.mark.parametrize("kind", CHANGES)
async def test_a_change_of_keys_is_named_and_its_repair_noticed(
    kind: str, tmp_path: Path, sink: Sink
) -> None:
    """Beside the restart itself (nobody listens), never a mere timeout."""
    async with netsnmp.snmpd(tmp_path, RIGHT) as first:
        port = first.port
        run = collecting([watched(port)], PROFILES, sink)
        await run.__aenter__()
        try:
            await sink.until(lambda: good(sink))
            first.process.terminate()
            await first.process.wait()
            forget_users(tmp_path)
            async with netsnmp.snmpd(tmp_path, CHANGES[kind], port):
                await sink.until(lambda: OutageKind(kind) in kinds(sink))
                named = len(sink.batches)
                await sink.until(lambda: len(sink.batches) > named)
            forget_users(tmp_path)
            assert set(kinds(sink)) <= {OutageKind.REFUSED, OutageKind(kind)}
            async with netsnmp.snmpd(tmp_path, RIGHT, port):
                back = len(sink.batches)
                await sink.until(lambda: good(sink, back))
        finally:
            await run.__aexit__(None, None, None)
