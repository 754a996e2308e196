"""What the Modbus tests share: profiles, a sink that remembers, a scripted server, real servers."""

import asyncio
import contextlib
import os
import shutil
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NoReturn

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collectors.base import Intervals, Target, parse_url
from collectors.modbus.collector import ModbusCollector
from collectors.modbus.decode import Answer
from collectors.modbus.frame import Read, data_of
from collectors.modbus.profile import Profile
from collectors.modbus.registers import GROUPS, Registers
from collectors.profile import load_profiles
from collectors.wheel import Counters, Wheel
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import Batch, Identity, Outage, Reading

DEADLINE_S = 10.0
REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "modbus"

TABLES = ("coil", "discrete", "input", "holding")
Words = Mapping[str, Mapping[int, int]]  # table -> address -> word (or bit)


def modbus_profiles() -> dict[str, Profile]:
    folder = resources.files("collectors.profiles")
    files = [
        file
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".toml") and 'protocol = "modbus"' in file.read_text("utf-8")
    ]
    loaded = load_profiles(files, {"modbus": Profile})
    return {name: one for name, one in loaded.items() if isinstance(one, Profile)}


def profile(**parts: object) -> Profile:
    """A profile of a test, from as little as it needs."""
    head = {
        "name": "test",
        "protocol": "modbus",
        "kind": "meter",
        "vendor": "test",
        "evidence": "synthetic",
        "sources": ["this test"],
    }
    return Profile.model_validate(head | parts)


def target(url: str, name: str = "auto", device: str = "dev-1", fast_s: float = 1.0) -> Target:
    return Target(device, parse_url(url), name, Intervals(fast=fast_s))


class Memory:
    """A sink that keeps everything, and wakes who waits for it."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.expected: dict[str, dict[str, float]] = {}
        self.batches: list[Batch] = []
        self.changed = asyncio.Event()

    def identified(self, identity: Identity) -> None:
        self.identities.append(identity)
        self.changed.set()

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        self.expected[device] = dict(points)
        self.changed.set()

    def publish(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.changed.set()

    def of(self, device: str) -> list[Batch]:
        return [batch for batch in self.batches if batch.device == device]

    @property
    def latest(self) -> dict[str, Reading]:
        return {r.point: r for batch in self.batches for r in batch.readings}

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def collecting(
    targets: Sequence[Target], profiles: Mapping[str, Profile]
) -> AsyncIterator[tuple[ModbusCollector, Memory]]:
    clock = SystemClock()
    wheel, sink = Wheel(clock), Memory()
    collector = ModbusCollector(targets, profiles, sink, clock, wheel, Counters())
    tasks = [asyncio.create_task(collector.run()), asyncio.create_task(wheel.run())]
    try:
        yield collector, sink
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(words: Words, pdu: bytes) -> bytes:
    """What a correct server answers: an encoder of the tests' own."""
    function, address, count = struct.unpack(">BHH", pdu)
    table = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}[function]
    held = words.get(table, {})
    wanted = range(address, address + count)
    if any(one not in held for one in wanted):
        return bytes((function | 0x80, 2))
    if function <= 2:
        data = bytearray((count + 7) // 8)
        for index, one in enumerate(wanted):
            data[index // 8] |= held[one] << index % 8
    else:
        data = bytearray(struct.pack(f">{count}H", *(held[one] for one in wanted)))
    return bytes((function, len(data))) + bytes(data)


def readings_of(one: Profile, words: Words, unit: int = 7) -> dict[str, Reading]:
    """What a device of this profile says, by component/metric; 0 stands where `words` is silent."""
    held = {
        table: dict.fromkeys(range(0x10000), 0) | dict(words.get(table, {})) for table in TABLES
    }
    registers = Registers(one, "d", unit, one.link, registry(), {})
    readings: list[Reading] = []

    def look() -> Generator[Read, Answer | Outage, None]:
        for group in GROUPS:
            readings.extend((yield from registers.read(group)).readings)

    script = look()
    read = next(script, None)
    while read is not None:
        try:
            read = script.send(Answer(data_of(read, answer(held, read.pdu())), 1.0))
        except StopIteration:
            break
    return {reading.point.removeprefix("d/"): reading for reading in readings}


class Peer:
    """A Modbus TCP server whose every answer a test may write itself."""

    def __init__(self, reply: Callable[["Peer", int, int, bytes], Awaitable[bytes | None]]) -> None:
        self._reply = reply
        self.requests: list[tuple[int, int, int, int]] = []  # unit, function, address, count
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                pdu = await reader.readexactly(length - 1)
                self.requests.append((unit, *struct.unpack(">BHH", pdu)))
                said = await self._reply(self, transaction, unit, pdu)
                if said is None:
                    return
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


def framed(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


@contextlib.asynccontextmanager
async def peer(
    reply: Callable[[Peer, int, int, bytes], Awaitable[bytes | None]],
) -> AsyncIterator[Peer]:
    """The scripted server on a free port; a reply of None closes the connection."""
    one = Peer(reply)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in asyncio.all_tasks():
            if "Peer.serve" in repr(task.get_coro()):
                task.cancel()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def pymodbus_server(units: Mapping[int, Words], port: int = 0) -> AsyncIterator[int]:
    """pymodbus's own server, each unit with its four tables."""
    devices = [
        SimDevice(
            unit,
            simdata=(
                _bits(words.get("coil", {})),
                _bits(words.get("discrete", {})),
                _registers(words.get("holding", {})),
                _registers(words.get("input", {})),
            ),
        )
        for unit, words in units.items()
    ]
    async with serving(ModbusTcpServer(devices, address=("127.0.0.1", port))) as bound:
        yield bound


@contextlib.asynccontextmanager
async def serving(server: ModbusTcpServer) -> AsyncIterator[int]:
    """Run a server of pymodbus; its port."""
    await server.serve_forever(background=True)
    try:
        sockets: Sequence[socket.socket] = getattr(server.transport, "sockets", ())
        yield sockets[0].getsockname()[1]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def _registers(words: Mapping[int, int]) -> list[SimData]:
    if not words:
        return [SimData(60000, values=[0], datatype=DataType.REGISTERS)]
    return [SimData(a, values=w, datatype=DataType.REGISTERS) for a, w in sorted(words.items())]


def _bits(bits: Mapping[int, int]) -> list[SimData]:
    """pymodbus packs bits of a table into 16-bit groups from address 0."""
    top = (max(bits, default=0) // 16 + 1) * 16
    values = [bool(bits.get(address, 0)) for address in range(top)]
    return [SimData(0, values=values, datatype=DataType.BITS)]


def need(program: str, package: str) -> str:
    """The path of a program; without it the test is skipped, in CI it fails."""
    path = shutil.which(program)
    if path is None:
        lacking(f"install {package} for {program}")
    return path


def lacking(what: str) -> NoReturn:
    """Without a peer a test is skipped; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
