"""The scan against agents and Modbus servers on loopback addresses."""

import asyncio
import contextlib
import json
import sys
import time
import tomllib
from collections.abc import AsyncIterator

import pytest

from collectors.scan import MOST_ADDRESSES, Plan, addresses, scan
from fixtures.peers.modbus_server import Gateway, Unit, Wire
from fixtures.peers.registers import Image
from fixtures.peers.replay import Recording, ReplayAgent
from tests.collectors.snmp.peers import UPS

# 127.0.0.0/8 is loopback as a whole on Linux; elsewhere the addresses would have to be made
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2 and beyond")


@pytest.fixture
async def snmp() -> AsyncIterator[ReplayAgent]:
    """A UPS on 127.0.0.3; its community is `plant`."""
    recording = Recording.parse(UPS.splitlines())
    async with await ReplayAgent({"plant": recording}).start("127.0.0.3") as agent:
        yield agent


@contextlib.asynccontextmanager
async def modbus(host: str, unit: int) -> AsyncIterator[int]:
    """A gateway with one unit of ten registers; gives its port."""
    image = Image({}, {"holding": frozenset(range(10))}, ())
    server = Gateway([Unit(unit, "meter", image)], lambda _: Wire(), host)
    await server.serve_forever(background=True)
    try:
        yield server.port
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def found(hosts: list[str], plan: Plan) -> dict[str, tuple[str, ...]]:
    return {looked.host: looked.urls async for looked in scan(hosts, plan)}


@pytest.mark.parametrize(
    ("net", "hosts"),
    [
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.7/32", ["10.0.0.7"]),
        ("10.0.0.9-11", ["10.0.0.9", "10.0.0.10", "10.0.0.11"]),
        ("10.0.0.255-10.0.1.0", ["10.0.0.255", "10.0.1.0"]),
        ("fd00::1-fd00::2", ["fd00::1", "fd00::2"]),
        ("ups-1.example", ["ups-1.example"]),
    ],
)
def test_a_range_is_a_network_a_span_or_a_host(net, hosts):
    assert addresses(net) == hosts


@pytest.mark.parametrize("net", ["10.0.0.0/8", "10.0.0.5-4", "10.0.0.1-fd00::1", "10.0.0.0/x"])
def test_what_is_no_range_is_refused(net):
    with pytest.raises(ValueError, match=net.partition("-")[0].partition("/")[0]):
        addresses(net)
    assert MOST_ADDRESSES < 2**24


async def test_devices_are_found_by_the_communities_given(snmp):
    plan = Plan(("public", "plant"), snmp.port, 1, rate=500)
    assert await found(["127.0.0.2", "127.0.0.3"], plan) == {
        "127.0.0.2": (),
        "127.0.0.3": (f"snmp://plant@127.0.0.3:{snmp.port}",),
    }
    assert await found(["127.0.0.3"], Plan(("public",), snmp.port, 1, rate=500)) == {
        "127.0.0.3": ()
    }


async def test_an_agent_of_version_1_is_found(snmp):
    snmp.behaviour.v1_only = True
    looked = await found(["127.0.0.3"], Plan(("plant",), snmp.port, 1, rate=500))
    assert looked == {"127.0.0.3": (f"snmp://plant@127.0.0.3:{snmp.port}?version=1",)}


async def test_the_modbus_unit_that_answers_is_named():
    async with modbus("127.0.0.4", 17) as port:
        plan = Plan((), 1, port, units=(1, 17), rate=500)
        looked = await found(["127.0.0.4", "127.0.0.5"], plan)
    assert looked == {"127.0.0.4": (f"modbus://127.0.0.4:{port}/17",), "127.0.0.5": ()}


async def test_no_more_questions_are_asked_in_a_second_than_allowed(snmp):
    hosts = [f"127.0.0.{n}" for n in range(2, 22)]
    started = time.monotonic()
    await found(hosts, Plan(("plant",), snmp.port, 1, rate=100))
    assert time.monotonic() - started >= 40 / 100 - 0.05  # SNMP and Modbus, of twenty hosts


async def dcim(*arguments: str) -> tuple[str, str, int]:
    """Standard output, progress and exit code of `dcim scan`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dcim", "scan", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return out.decode(), err.decode(), process.returncode


async def test_the_command_names_what_it_finds_and_hides_communities(snmp):
    async with modbus("127.0.0.3", 1) as port:
        common = ["127.0.0.2-3", "--community", "plant", "--rate", "500"]
        common += ["--snmp-port", str(snmp.port), "--port", str(port)]
        table, progress, code = await dcim(*common)
        lines, _, _ = await dcim(*common, "--json")
        blocks, _, _ = await dcim(*common, "--toml")
    assert code == 0
    assert "asked 2 of 2 addresses, 2 answers" in progress
    assert "Power 3000" in table
    assert "plant" not in table + lines
    ups, unknown = map(json.loads, lines.splitlines())
    assert (ups["kind"], ups["profile"], ups["outage"]) == ("ups", ["ups_mib"], None)
    assert ups["points"] > 5
    assert unknown["target"] == f"modbus://127.0.0.3:{port}/1"
    assert unknown["outage"] == "unidentified"
    (device,) = tomllib.loads(blocks)["devices"]
    assert device["address"] == f"snmp://127.0.0.3:{snmp.port}"


async def test_a_range_without_answers_is_said_to_be_empty():
    out, err, code = await dcim("127.0.0.2", "--snmp-port", "1", "--port", "1")
    assert (out, code) == ("", 1)
    assert "none of 1 addresses answers" in err
