"""pymodbus's asynchronous client and struct, nothing else: FOLDER DEVICES PORT, until it is ended."""

import asyncio
import struct
import sys

from pymodbus.client import AsyncModbusTcpClient

from benchmarks.modbus_poll.clients import host
from benchmarks.modbus_poll.server import REGISTERS
from dcim.cli.output import run

_WORDS = struct.Struct(f">{REGISTERS}H")
_FLOATS = struct.Struct(f">{REGISTERS // 2}f")


async def poll(address: str, port: int, phase_s: float) -> None:
    """Read one device every second."""
    client = AsyncModbusTcpClient(address, port=port)
    await client.connect()
    loop = asyncio.get_running_loop()
    due = loop.time() + phase_s
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += 1
        reply = await client.read_input_registers(0, count=REGISTERS, device_id=1)
        _FLOATS.unpack(_WORDS.pack(*reply.registers))


async def main(devices: int, port: int) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(devices):
            group.create_task(poll(host(n), port, n / devices))


if __name__ == "__main__":
    run(main(int(sys.argv[2]), int(sys.argv[3])))
