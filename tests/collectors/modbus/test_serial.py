"""Serial framing over a pty pair and over TCP, against libmodbus and pymodbus."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collectors.modbus.collector import probe
from collectors.modbus.profile import Link
from dcim.clock import SystemClock
from dcim.model.reading import OutageKind
from tests.collectors.modbus.peers import DEADLINE_S, need, profile, serving, target

SLAVE_C = r"""
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    modbus_mapping_t *map = modbus_mapping_new(32, 32, 64, 64);
    modbus_t *ctx;
    int tcp = !strcmp(argv[1], "tcp"), socket = -1;
    for (int i = 0; i < 64; i++) map->tab_registers[i] = 1000 + i;
    for (int i = 0; i < 64; i++) map->tab_input_registers[i] = 2000 + i;
    for (int i = 0; i < 32; i++) map->tab_input_bits[i] = i % 3 == 0;
    if (tcp) {
        ctx = modbus_new_tcp("127.0.0.1", atoi(argv[2]));
        socket = modbus_tcp_listen(ctx, 1);
    } else {
        ctx = modbus_new_rtu(argv[2], 19200, 'N', 8, 1);
        modbus_set_slave(ctx, 12);
        if (modbus_connect(ctx) < 0) return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (tcp) modbus_tcp_accept(ctx, &socket);
        for (;;) {
            int n = modbus_receive(ctx, query);
            if (n > 0) modbus_reply(ctx, query, n, map);
            else if (n < 0) break;
        }
        if (tcp) modbus_close(ctx);
    }
}
"""
STATES = {0: "inactive", 1: "active"}
POINTS = profile(
    point=[
        {"metric": "value", "component": "h", "at": {"address": 10}},
        {"metric": "value", "component": "i", "at": {"table": "input", "address": 20}},
        {
            "metric": "alarm",
            "component": "d/{index}",
            "at": {"table": "discrete", "address": 9},
            "repeat": {"count": 4, "stride": 1},
            "states": STATES,
        },
    ],
    link=Link(timeout_s=1.0, baud=19200, parity="N").model_dump(),
)


@pytest.fixture(scope="module")
def slave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server on libmodbus, written in C."""
    compiler = need("gcc", "gcc")
    if not Path("/usr/include/modbus/modbus.h").exists():
        need("libmodbus", "libmodbus-dev")
    folder = tmp_path_factory.mktemp("libmodbus")
    source, program = folder / "slave.c", folder / "slave"
    source.write_text(SLAVE_C, "ascii")
    subprocess.run(
        [compiler, "-I/usr/include/modbus", source, "-o", program, "-lmodbus"], check=True
    )
    return program


@contextlib.asynccontextmanager
async def running(*command: str | Path, says: bytes = b"") -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        if says and process.stdout is not None:
            async with asyncio.timeout(DEADLINE_S):
                while says not in await process.stdout.readline():
                    assert not process.stdout.at_eof()
        yield
    finally:
        process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def line(folder: Path) -> AsyncIterator[tuple[Path, Path]]:
    """Two ttys tied together."""
    need("socat", "socat")
    ends = folder / "a", folder / "b"
    command = ["socat", "-d", "-d", "-lf/dev/stdout", *(f"pty,raw,echo=0,link={e}" for e in ends)]
    async with running(*command, says=b"starting data transfer loop"):
        yield ends


def check(readings: dict[str, float | None], states: dict[str, str | None]) -> None:
    assert readings["dev-1/h/value"] == 1010
    assert readings["dev-1/i/value"] == 2020
    assert [states[f"dev-1/d/{n}/alarm"] for n in (1, 2, 3, 4)] == [
        "active",
        "inactive",
        "inactive",
        "active",
    ]


async def read(url: str) -> None:
    result = await probe(target(url, "test"), {"test": POINTS}, SystemClock())
    assert result.outage is None
    check({r.point: r.value for r in result.readings}, {r.point: r.state for r in result.readings})


async def test_a_libmodbus_slave_on_a_serial_line(slave: Path, tmp_path: Path):
    async with line(tmp_path) as (ours, theirs), running(slave, "rtu", theirs, says=b"ready\n"):
        await read(f"modbus+rtu://{ours}/12")


async def test_another_units_silence_on_a_serial_line_is_a_time_out(slave: Path, tmp_path: Path):
    async with line(tmp_path) as (ours, theirs), running(slave, "rtu", theirs, says=b"ready\n"):
        url = f"modbus+rtu://{ours}/13?timeout_s=0.2"
        result = await probe(target(url, "test"), {"test": POINTS}, SystemClock())
    assert result.outage is not None
    assert result.outage.kind is OutageKind.TIMEOUT


async def test_a_line_that_is_not_there_says_so():
    url = "modbus+rtu:///dev/no-such-line/1"
    result = await probe(target(url, "test"), {"test": POINTS}, SystemClock())
    assert result.outage is not None
    assert result.outage.kind is OutageKind.UNREACHABLE


async def test_a_libmodbus_server_over_tcp(slave: Path, unused_port: int):
    async with running(slave, "tcp", str(unused_port), says=b"ready\n"):
        await read(f"modbus://127.0.0.1:{unused_port}/1")


async def test_serial_framing_over_tcp():
    bits = [SimData(0, values=[i % 3 == 0 for i in range(32)], datatype=DataType.BITS)]
    holding = [SimData(0, values=[1000 + i for i in range(64)], datatype=DataType.REGISTERS)]
    given = [SimData(0, values=[2000 + i for i in range(64)], datatype=DataType.REGISTERS)]
    device = SimDevice(12, simdata=(bits, bits, holding, given))
    server = ModbusTcpServer(device, framer=FramerType.RTU, address=("127.0.0.1", 0))
    async with serving(server) as port:
        await read(f"modbus+rtutcp://127.0.0.1:{port}/12")


async def test_a_libmodbus_slave_behind_a_gateway_that_passes_serial_frames_on(
    slave: Path, tmp_path: Path, unused_port: int
):
    """socat between a TCP port and the serial line, as a plain terminal server is."""
    listen = f"TCP-LISTEN:{unused_port},bind=127.0.0.1,reuseaddr"
    async with line(tmp_path) as (ours, theirs), running(slave, "rtu", theirs, says=b"ready\n"):
        command = ["socat", "-d", "-d", "-lf/dev/stdout", listen, f"FILE:{ours},raw,echo=0"]
        async with running(*command, says=b"listening on"):
            await read(f"modbus+rtutcp://127.0.0.1:{unused_port}/12")


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port
