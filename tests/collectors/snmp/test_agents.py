"""The client and the probe against agents of other makers: net-snmp's snmpd and pysnmp."""

# pysnmp and pyasn1 carry no types
# mypy: disable-error-code="no-untyped-call"

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto.api import v2c
from pysnmp.smi.instrum import MibInstrumController

from collectors.profile import Profile
from collectors.snmp.client import Client
from collectors.snmp.message import V1, V2C, Community
from collectors.snmp.survey import probe
from collectors.snmp.transport import Transport
from dcim.clock import SystemClock
from dcim.model.reading import Quality
from tests.collectors.snmp.peers import target

UPS = {
    "1.3.6.1.2.1.33.1.1.1.0": v2c.OctetString("Acme"),
    "1.3.6.1.2.1.33.1.2.1.0": v2c.Integer32(2),
    "1.3.6.1.2.1.33.1.2.4.0": v2c.Integer32(97),
    "1.3.6.1.2.1.33.1.2.6.0": v2c.Integer32(-25),
    "1.3.6.1.2.1.33.1.4.1.0": v2c.Integer32(5),
    "1.3.6.1.2.1.33.1.4.4.1.2.1": v2c.Integer32(230),
    "1.3.6.1.2.1.33.1.4.4.1.2.2": v2c.Integer32(231),
}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def snmpd(tmp_path: Path) -> Iterator[int]:
    """net-snmp's agent with some objects of a UPS; gives its port."""
    program = shutil.which("snmpd") or shutil.which("snmpd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("snmpd is missing")
        pytest.skip("install snmpd: apt-get install snmpd")
    lines = ["rocommunity ups 127.0.0.1", "sysDescr Acme UPS card"]
    for oid, value in UPS.items():
        kind = "octet_str" if isinstance(value, v2c.OctetString) else "integer"
        lines.append(f"override .{oid} {kind} {value}")
    conf = tmp_path / "snmpd.conf"
    conf.write_text("\n".join(lines) + "\n")
    port = free_port()
    agent = subprocess.Popen(
        [program, "-f", "-C", "-c", str(conf), "-Lf", "/dev/null", f"udp:127.0.0.1:{port}"],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path / "state"), "MIBS": ""},
    )
    snmpget = ["snmpget", "-v2c", "-c", "ups", "-t", "0.2", "-r", "50", "-On"]
    subprocess.run(  # answers once it is up
        [*snmpget, f"127.0.0.1:{port}", "1.3.6.1.2.1.1.3.0"], check=True, capture_output=True
    )
    yield port
    agent.terminate()
    agent.wait(10)


class Objects(MibInstrumController):
    """What pysnmp's responder asks for values: a sorted list of objects."""

    def __init__(self, values):
        self._values = {tuple(map(int, oid.split("."))): v for oid, v in values.items()}

    def read_variables(self, *binds, **_):
        nothing = v2c.NoSuchInstance("")
        return [(name, self._values.get(tuple(name), nothing)) for name, _ in binds]

    def read_next_variables(self, *binds, **_):
        out = []
        for name, _value in binds:
            later = sorted(oid for oid in self._values if oid > tuple(name))
            if later:
                out.append((v2c.ObjectIdentifier(later[0]), self._values[later[0]]))
            else:
                out.append((name, v2c.EndOfMibView("")))
        return out


@pytest.fixture
async def pysnmp_agent() -> AsyncIterator[int]:
    """pysnmp's agent with the same objects; gives its port."""
    port = free_port()
    snmp = engine.SnmpEngine()
    config.add_transport(
        snmp, udp.DOMAIN_NAME, udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", port))
    )
    config.add_v1_system(snmp, "area", "ups")
    for model in (1, 2):
        config.add_vacm_user(snmp, model, "area", "noAuthNoPriv", (1, 3, 6))
    own = context.SnmpContext(snmp)
    own.unregister_context_name(b"")
    system = {
        "1.3.6.1.2.1.1.1.0": v2c.OctetString("Acme UPS card"),
        "1.3.6.1.2.1.1.2.0": v2c.ObjectIdentifier("1.3.6.1.2.1.33"),
        "1.3.6.1.2.1.1.3.0": v2c.TimeTicks(4711),
    }
    own.register_context_name(b"", Objects(system | UPS))
    for responder in (cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder):
        responder(snmp, own)
    cmdrsp.BulkCommandResponder(snmp, own)
    yield port
    snmp.close_dispatcher()
    await asyncio.sleep(0)


@pytest.mark.parametrize("query", ["", "?version=1"])
async def test_probe_reads_a_ups_from_a_real_agent(snmpd, profiles, transport, query):
    await reads_the_ups(snmpd, profiles, transport, query)


@pytest.mark.parametrize("query", ["", "?version=1"])
async def test_probe_reads_a_ups_from_pysnmp(pysnmp_agent, profiles, transport, query):
    await reads_the_ups(pysnmp_agent, profiles, transport, query)


async def reads_the_ups(
    port: int, profiles: dict[str, Profile], transport: Transport, query: str
) -> None:
    found = await probe(target("ups", port, query=query), profiles, SystemClock(), transport)
    assert found.outage is None
    assert (found.identity.kind, found.identity.profiles) == ("ups", ("ups_mib",))
    assert {r.point: (r.state or r.value, r.quality) for r in found.readings} == {
        "ups/battery/state": ("normal", Quality.GOOD),
        "ups/battery/charge": (97, Quality.GOOD),
        "ups/battery/current": (-2.5, Quality.GOOD),
        "ups/mode": ("on_battery", Quality.GOOD),
        "ups/output/L1/voltage": (230, Quality.GOOD),
        "ups/output/L2/voltage": (231, Quality.GOOD),
    }


@pytest.mark.parametrize("version", [V1, V2C])
async def test_a_walk_finds_what_net_snmp_finds(snmpd, transport, version):
    one = Client(transport, ("127.0.0.1", snmpd), Community(version, b"ups"))
    await one.knock()
    system = "1.3.6.1.2.1.1"
    walk = ["snmpwalk", "-v2c", "-c", "ups", "-m", "", "-Onq", f"127.0.0.1:{snmpd}", system]
    theirs = await asyncio.create_subprocess_exec(*walk, stdout=asyncio.subprocess.PIPE)
    listed, _ = await theirs.communicate()
    wanted = [line.partition(" ")[0].lstrip(".") for line in listed.decode().splitlines()]
    assert list(await one.walk([system])) == wanted
    assert len(wanted) > 10
