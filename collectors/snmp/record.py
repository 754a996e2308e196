"""Walks a device politely and writes what it says as a recording, without what is private.

A recording is text, one object a line: `OID|TAG|VALUE`, TAG the number of the ASN.1 type with `x`
behind it for hex (the form of snmpsim's recordings).
"""

import asyncio
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.base import CollectError, Target
from collectors.profile import Profile
from collectors.snmp import pdu
from collectors.snmp.ber import (
    OBJECT_ID,
    OCTETS,
    OPAQUE,
    Missing,
    Value,
    decode_oid,
    encode_oid,
)
from collectors.snmp.client import Client
from collectors.snmp.pdu import ErrorStatus, Response
from collectors.snmp.record_strip import (
    SERIAL_COLUMN,
    SYS_CONTACT,
    SYS_LOCATION,
    SYS_NAME,
    Stripper,
    is_after,
    jump,
    serial_objects,
)
from collectors.snmp.survey import access_of, peer_of, snmp_profiles
from collectors.snmp.transport import Transport
from collectors.snmp.values import text_of
from dcim.model.reading import OutageKind

_START = "1.3"
_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
_OWN_ADDRESSES = "1.3.6.1.2.1.4.20.1.1"  # ipAdEntAddr
_MOST_OBJECTS = 500_000
_FIRST_ROWS = 10


@dataclass(slots=True)
class Recorded:
    """What came of it."""

    file: Path
    objects: int = 0
    resumed: int = 0  # of them from an earlier, broken run
    replaced: Mapping[str, int] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)  # objects to look at: perhaps serial numbers
    note: str = ""  # why the walk ended before the end


Progress = Callable[[int, str], None]  # objects so far, the one just read


@dataclass(frozen=True, slots=True)
class Wish:
    """How to record."""

    folder: Path
    name: str = ""  # of the file; default: the device's sysObjectID
    rate: float = 10.0  # requests a second
    keep_serials: bool = False


async def record(
    target: Target, wish: Wish, profiles: Mapping[str, Profile], progress: Progress
) -> Recorded:
    """Write a device's recording. CollectError where it falls silent: what came is kept,
    and the same call goes on from there."""
    transport = Transport(asyncio.get_running_loop())
    try:
        peer = await peer_of(target)
        client = Client(transport, peer, access_of(target, peer, transport))
        await client.knock()
        stripper = await _stripper(client, target, wish, snmp_profiles(profiles))
        name = wish.name or text_of((await client.get([_OBJECT_ID]))[_OBJECT_ID]) or "device"
        wish.folder.mkdir(parents=True, exist_ok=True)
        file = wish.folder / f"{name.strip('.')}.snmprec"
        return await _Walk(client, stripper, wish.rate, progress).write(file)
    finally:
        transport.close()


async def _stripper(
    client: Client, target: Target, wish: Wish, profiles: Mapping[str, Profile]
) -> Stripper:
    """One that knows what is private to this device, whatever order it is met in."""
    secrets = [target.url.user, target.credentials.community, target.credentials.user]
    words = [*secrets, target.url.host, client.peer[0]]
    named = await client.get([SYS_NAME, SYS_CONTACT, SYS_LOCATION])
    words += [text_of(value) for value in named.values() if isinstance(value, bytes)]
    stripper = Stripper(words, serial_objects(snmp_profiles(profiles)), wish.keep_serials)
    for oid, value in (await client.walk([SERIAL_COLUMN, _OWN_ADDRESSES])).items():
        if oid.startswith(_OWN_ADDRESSES):
            stripper.learn(text_of(value))
        else:
            stripper.learn_serial(text_of(value))
    return stripper


class _Walk:
    """From the first object to the last, into a file that can be taken up again."""

    def __init__(self, client: Client, stripper: Stripper, rate: float, progress: Progress) -> None:
        self._client = client
        self._stripper = stripper
        self._pause_s = 1 / rate
        self._progress = progress
        self._rows = _FIRST_ROWS

    async def write(self, file: Path) -> Recorded:
        part = file.with_suffix(".part")
        out = Recorded(file)
        at = _START
        lines = await asyncio.to_thread(_kept, part)
        if lines:
            at, out.resumed = lines[-1].partition("|")[0], len(lines)
            out.objects = len(lines)
        with part.open("a", encoding="ascii") as sink:
            while out.objects < _MOST_OBJECTS:
                at = jump(at) or at
                batch, at, out.note = await self._step(at)
                for oid, tag, value in batch:
                    told = self._stripper.strip(oid, tag, value)
                    if told is not None or value is None:
                        sink.write(line(oid, tag, told))
                        out.objects += 1
                sink.flush()
                self._progress(out.objects, at)
                if not at:
                    break
                await asyncio.sleep(self._pause_s)
        part.replace(file)
        out.replaced, out.guessed = dict(self._stripper.counts), self._stripper.guessed
        return out

    async def _step(self, at: str) -> tuple[list[tuple[str, int, Value]], str, str]:
        """(objects behind `at`, where to go on: empty at the end, why it ends early)."""
        response = await self._ask(at)
        if response.status == ErrorStatus.NO_SUCH_NAME:
            return [], "", ""
        if response.status != ErrorStatus.NO_ERROR or not response.varbinds:
            return [], "", f"the device ends the walk behind {at} (error {response.status})"
        batch: list[tuple[str, int, Value]] = []
        for varbind in response.varbinds:
            if isinstance(varbind.value, Missing):
                return batch, "", ""
            oid = decode_oid(varbind.oid)
            if not is_after(oid, at):
                return batch, "", f"{oid} does not come after {at}"
            at = oid
            if jump(oid) is not None:
                break
            batch.append((oid, varbind.tag, varbind.value))
        return batch, at, ""

    async def _ask(self, at: str) -> Response:
        """GETBULK, of fewer rows where the device can not; GETNEXT for v1."""
        name = [encode_oid(at)]
        while self._client.bulk and self._rows > 1:
            try:
                response = await self._client.ask(pdu.get_bulk(name, self._rows), tries=2)
            except CollectError as error:
                if error.outage.kind is not OutageKind.TIMEOUT:
                    raise
            else:
                if response.status != ErrorStatus.TOO_BIG:
                    return response
            self._rows //= 2
        return await self._client.ask(pdu.get_next(name))


def _kept(part: Path) -> list[str]:
    """The whole lines of an earlier run; a broken last one is cut off."""
    if not part.exists():
        return []
    text = part.read_text("ascii")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        part.write_text(whole, "ascii")
    return whole.splitlines()


def line(oid: str, tag: int, value: Value) -> str:
    """One line of a recording."""
    if tag == OPAQUE and isinstance(value, float):
        value = b"\x9f\x78\x04" + struct.pack(">f", value)
    if isinstance(value, bytes):
        if tag == OCTETS and value.isascii() and value.decode("ascii").isprintable():
            return f"{oid}|{tag}|{value.decode('ascii')}\n"
        return f"{oid}|{tag}x|{value.hex()}\n"
    if value is None:
        return f"{oid}|{tag}|\n"
    if tag == OBJECT_ID and not value:
        value = "0.0"
    return f"{oid}|{tag}|{value}\n"
