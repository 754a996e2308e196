"""Against servers and clients of other people: pyModbusTCP, modbus-serial, libmodbus, mbpoll."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pyModbusTCP.server import ModbusServer

from collectors.modbus.collector import probe
from collectors.modbus.profile import Profile
from dcim.clock import SystemClock
from dcim.model.reading import OutageKind
from fixtures.peers.modbus_server import Unit, Wire, gateway
from fixtures.peers.registers import image
from tests.collectors.modbus.peers import (
    DEADLINE_S,
    lacking,
    modbus_profiles,
    need,
    profile,
    target,
)

HERE = Path(__file__).parent
TABLES = profile(
    point=[
        {"metric": "value", "component": "i", "at": {"table": "input", "address": 20}},
        {"metric": "value", "component": "h", "at": {"address": 10}},
        {
            "metric": "value",
            "component": "wide",
            "at": {"address": 30, "type": "i32", "word_order": "little"},
        },
        {
            "metric": "alarm",
            "component": "c",
            "at": {"table": "coil", "address": 3},
            "states": {0: "inactive", 1: "active"},
        },
        {
            "metric": "alarm",
            "component": "d",
            "at": {"table": "discrete", "address": 6},
            "states": {0: "inactive", 1: "active"},
        },
    ]
)


async def _values(port: int, unit: int, one: Profile = TABLES) -> dict[str, float | None]:
    url = f"modbus://127.0.0.1:{port}/{unit}"
    result = await probe(target(url, "test"), {"test": one}, SystemClock())
    assert result.outage is None
    return {reading.point.removeprefix("dev-1/"): reading.value for reading in result.readings}


# --- pyModbusTCP ---


@pytest.fixture
def pymodbustcp() -> Iterator[int]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = ModbusServer("127.0.0.1", port, no_block=True)
    server.start()
    server.data_bank.set_input_registers(20, [2020])
    server.data_bank.set_holding_registers(10, [1010])
    server.data_bank.set_holding_registers(30, [0xFFFE, 0xFFFF])
    server.data_bank.set_coils(3, [True])
    server.data_bank.set_discrete_inputs(6, [False])
    try:
        yield port
    finally:
        server.stop()


@pytest.mark.filterwarnings("default::ResourceWarning")  # its own, at its end
async def test_all_tables_of_pymodbustcp(pymodbustcp: int):
    expected = {"i/value": 2020, "h/value": 1010, "wide/value": -2, "c/alarm": 1, "d/alarm": 0}
    assert await _values(pymodbustcp, 1) == expected


# --- npm modbus-serial ---


@pytest.fixture(scope="session")
def modbus_serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modbus-serial: DCIM_NODE_MODULES, else installed once a session."""
    need("node", "nodejs")
    need("npm", "npm")
    if given := os.environ.get("DCIM_NODE_MODULES"):
        return Path(given).parent
    folder = tmp_path_factory.mktemp("modbus-serial")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "modbus-serial@8.0.25"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lacking(f"npm cannot install modbus-serial: {done.stderr[-200:]}")
    return folder


@contextlib.asynccontextmanager
async def _node(folder: Path) -> AsyncIterator[int]:
    environment = os.environ | {"NODE_PATH": str(folder / "node_modules")}
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "node" / "server.js"), stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            line = await process.stdout.readline()
        yield int(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_a_gateway_of_modbus_serial_tells_its_units_apart(modbus_serial: Path):
    async with _node(modbus_serial) as port:
        first, second = await _values(port, 1), await _values(port, 2)
        url = f"modbus://127.0.0.1:{port}/3"
        dead = await probe(target(url, "test"), {"test": TABLES}, SystemClock())
    assert (first["i/value"], second["i/value"]) == (1020, 2020)
    assert (first["h/value"], second["h/value"]) == (2010, 4010)
    assert (first["c/alarm"], second["c/alarm"], first["d/alarm"]) == (1, 0, 1)
    assert dead.outage is not None
    assert dead.outage.kind is OutageKind.GATEWAY_TARGET


# --- libmodbus, with its own ways to fail ---

FAULTS_C = r"""
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_mapping_t *map = modbus_mapping_new(0, 0, 1024, 0);
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    int socket = modbus_tcp_listen(ctx, 1);
    map->tab_registers[16] = 1616;
    puts("ready");
    fflush(stdout);
    for (;;) {
        modbus_tcp_accept(ctx, &socket);
        for (;;) {
            int n = modbus_receive(ctx, query);
            if (n < 0) break;
            int address = query[8] << 8 | query[9];
            uint8_t other[] = {9, 3, 2, 0, 1};
            if (address == 0x170) modbus_reply_exception(ctx, query, 6);
            else if (address == 0x171) modbus_send_raw_request(ctx, other, sizeof other);
            else if (address == 0x172) { usleep(900000); modbus_reply(ctx, query, n, map); }
            else if (address == 0x173 || address == 0x174) {
                uint8_t slow[] = {query[0], query[1], 0, 0, 0, 5, query[6], 3, 2, 0x01, 0x73};
                for (int i = 0; i < (address == 0x173 ? 11 : 8); i++) {
                    if (send(modbus_get_socket(ctx), slow + i, 1, MSG_NOSIGNAL) < 0) break;
                    usleep(5000);
                }
                if (address == 0x174) break;
            }
            else modbus_reply(ctx, query, n, map);
        }
        modbus_close(ctx);
    }
}
"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A libmodbus server whose registers 0x170 to 0x174 fail each in its own way."""
    compiler = need("gcc", "gcc")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"],
        capture_output=True,
        text=True,
        check=False,
    )
    if flags.returncode:
        need("libmodbus", "libmodbus-dev")
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.c").write_text(FAULTS_C)
    command = [compiler, "faults.c", "-o", "faults", *flags.stdout.split()]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "faults"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (16, None),
        (0x170, OutageKind.BUSY),
        (0x171, OutageKind.WRONG_TRANSACTION),
        (0x172, OutageKind.TIMEOUT),
        (0x173, None),  # byte by byte, but in time
        (0x174, OutageKind.RESET),  # in the middle of its answer
        (2000, OutageKind.ILLEGAL_ADDRESS),
    ],
)
async def test_the_faults_of_libmodbus_are_told_apart(
    faulty: Path, address: int, kind: OutageKind | None
):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    process = await asyncio.create_subprocess_exec(str(faulty), str(port), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            await process.stdout.readline()
        one_point = profile(point=[{"metric": "value", "at": {"address": address}}])
        url = f"modbus://127.0.0.1:{port}/1?timeout_s=0.4"
        result = await probe(target(url, "test"), {"test": one_point}, SystemClock())
    finally:
        process.kill()
        await process.communicate()
    assert (result.outage.kind if result.outage else None) is kind
    held = {16: 1616, 0x173: 0x173}
    assert [reading.value for reading in result.readings] == ([held[address]] if not kind else [])


# --- mbpoll reads our simulated devices ---


@pytest.mark.parametrize(
    ("unit", "register", "form", "says"),
    [
        (1, 70, ["-t", "3:float", "-B"], "[70]: \t50.02"),
        (1, 0, ["-t", "3:float", "-B"], "[0]: \t231.5"),
        (2, 70, ["-t", "3:float", "-B"], "[70]: \t59.98"),
        (2, 2000, ["-t", "3"], "Illegal data address"),
        (3, 70, ["-t", "3"], "Target device failed to respond"),
    ],
)
async def test_mbpoll_reads_a_simulated_gateway(
    unit: int, register: int, form: list[str], says: str
):
    mbpoll = need("mbpoll", "mbpoll")
    meter = modbus_profiles()["sdm630"]
    units = [
        Unit(1, "a", image(meter, {"frequency": lambda: 50.02, "L1/voltage": lambda: 231.5})),
        Unit(2, "b", image(meter, {"frequency": lambda: 59.98})),
    ]
    async with gateway(units, lambda device: Wire()) as server:
        process = await asyncio.create_subprocess_exec(
            *(mbpoll, "-m", "tcp", "-p", str(server.port), "-a", str(unit), "-0"),
            *("-r", str(register), "-c", "1", "-1", "-q", *form, "127.0.0.1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    assert says.lower() in output.decode().lower()
