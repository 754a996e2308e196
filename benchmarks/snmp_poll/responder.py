"""The devices: one address of the loopback each, all answered for by one process.

usage: python -m benchmarks.snmp_poll.responder DEVICES DEAD SHAPE CORE

Prints its port. For every line on standard input it prints, as JSON, when each living device was
asked for its first value since the line before, and its own share of the core.
"""

import asyncio
import json
import os
import sys
import time

import uvloop

from fixtures.peers.replay import Recording, ReplayAgent, numbers, oid_body

ROOT = "1.3.6.1.4.1.9999.1"
# what a poll asks exactly once: the first scalar, or what a table's walk begins with
_MARKS = {"scalars": f"{ROOT}.1.1.0", "tables": f"{ROOT}.2.1.2"}


def host(number: int) -> str:
    """The address of a device."""
    return f"127.2.{number // 250}.{number % 250 + 1}"


def recording() -> Recording:
    """Twenty scalars, and a table of ten rows and two columns."""
    lines = [
        "1.3.6.1.2.1.1.1.0|4|Bench",
        "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9999",
        "1.3.6.1.2.1.1.3.0|67|1",
    ]
    lines += [f"{ROOT}.1.{n}.0|2|{2300 + n}" for n in range(1, 19)]
    lines += [f"{ROOT}.1.19.0|2|97", f"{ROOT}.1.20.0|2|40"]
    lines += [f"{ROOT}.2.1.2.{row}|2|2300" for row in range(1, 11)]
    lines += [f"{ROOT}.2.1.3.{row}|2|57" for row in range(1, 11)]
    return Recording.parse(line.encode() for line in lines)


class _Device(ReplayAgent):
    """Notes when it was asked for the marked object."""

    def __init__(self, one: Recording, mark: bytes) -> None:
        super().__init__({"public": one})
        self.asked: list[float] = []
        self._mark = mark

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        if self._mark in data:
            self.asked.append(time.monotonic())
        super().datagram_received(data, addr)


async def serve(devices: int, dead: int, shape: str) -> None:
    body = oid_body(numbers(_MARKS[shape]))
    mark = bytes((0x06, len(body))) + body + b"\x05\x00"
    one = recording()
    living = [_Device(one, mark) for _ in range(devices)]
    await living[0].start(host(0))
    port = living[0].port
    for number, device in enumerate(living[1:], 1):
        await device.start(host(number), port)
    for device in living[devices - dead :]:
        device.behaviour.dead = {"public"}
    print(port, flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    cpu, wall = time.process_time(), time.monotonic()
    while await reader.readline():
        busy = (time.process_time() - cpu) / (time.monotonic() - wall)
        print(json.dumps([busy, [d.asked for d in living[: devices - dead]]]), flush=True)
        cpu, wall = time.process_time(), time.monotonic()
        for device in living:
            device.asked = []


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[4])})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
