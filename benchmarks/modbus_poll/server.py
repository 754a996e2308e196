"""Servers of the benchmark, each in a process of its own: many fast meters, or one slow gateway.

usage: python -m benchmarks.modbus_poll.server meters|gateway PORT [CORE]
On SIGUSR1 the number of reads served so far is printed; at its end the gateway prints one JSON
line: the times at which every unit was read.
"""

import asyncio
import json
import os
import signal
import struct
import sys
import time

REGISTERS = 100  # of a meter: 50 floats
DEAD_UNITS = (5, 11)
_BYTE_S = 11 / 9600  # start, 8 data, parity, stop at 9600 baud
_DEVICE_S = 0.010  # what a unit thinks
_GATEWAY_TIMEOUT_S = 1.0  # how long the gateway holds the line for a unit that is dead
_GATEWAY_TARGET_FAILED = 11


def answered(frame: bytes, unit: int) -> bytes:
    """The answer to one read, with floats that look like voltages."""
    transaction, _, _, _, function, _, count = struct.unpack(">HHHBBHH", frame)
    data = struct.pack(f">{count // 2}f", *(230.0 + n / 8 for n in range(count // 2)))
    head = struct.pack(">HHHBBB", transaction, 0, len(data) + 3, unit, function, len(data))
    return head + data


class Meter(asyncio.Protocol):
    """Answers every read at once, and counts."""

    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._tail = answered(struct.pack(">HHHBBHH", 0, 0, 6, 1, 4, 0, REGISTERS), 1)[2:]

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 12):
            Meter.served += 1
            self._transport.write(data[start : start + 2] + self._tail)


class Gateway:
    """One serial line behind any number of connections: one request at a time."""

    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self.reads: dict[int, list[float]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readexactly(12)
                async with self._line:
                    writer.write(await self._ask(frame))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _ask(self, frame: bytes) -> bytes:
        unit, count = frame[6], struct.unpack(">H", frame[10:])[0]
        if unit in DEAD_UNITS:
            await asyncio.sleep(_GATEWAY_TIMEOUT_S)
            return frame[:4] + bytes((0, 3, unit, frame[7] | 0x80, _GATEWAY_TARGET_FAILED))
        await asyncio.sleep((8 + 5 + 2 * count) * _BYTE_S + _DEVICE_S)
        self.reads.setdefault(unit, []).append(time.monotonic())
        return answered(frame, unit)


async def main(kind: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: print(Meter.served, flush=True))
    gateway = Gateway()
    if kind == "gateway":
        server: asyncio.Server = await asyncio.start_server(gateway.serve, "127.0.0.1", port)
    else:
        server = await loop.create_server(Meter, "0.0.0.0", port, backlog=1024)
    print("ready", flush=True)
    await stop.wait()
    server.close()
    print(json.dumps(gateway.reads), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        os.sched_setaffinity(0, {int(sys.argv[3])})
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
