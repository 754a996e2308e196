"""Walks a device politely and writes what it says as a recording, without what is private."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from errno import EEXIST
from ipaddress import ip_address
from pathlib import Path

from collectors.base import CollectError, Target
from collectors.profile import Profile
from collectors.snmp import pdu
from collectors.snmp.ber import Missing, decode_oid, encode_oid, oid_parts
from collectors.snmp.client import Client
from collectors.snmp.identify import SYS_DESCR, SYS_OBJECT_ID
from collectors.snmp.pdu import ErrorStatus, Response
from collectors.snmp.record_known import Known
from collectors.snmp.record_strip import Object, Private, stripped
from collectors.snmp.recording import Part, Whose, write
from collectors.snmp.survey import access_of, peer_of, snmp_profiles
from collectors.snmp.transport import Transport
from collectors.snmp.values import text_of
from dcim.model.reading import OutageKind

_START = "1.3"
_ENGINE_ID = "1.3.6.1.6.3.10.2.1.1.0"  # snmpEngineID
_OWN_ADDRESSES = ("1.3.6.1.2.1.4.20.1.1", "1.3.6.1.2.1.4.34.1.3")  # ipAdEntAddr, ipAddressIfIndex
_LENGTHS = (4, 16)  # of an address in ipAddressTable's index, behind its type
_MOST_OBJECTS = 500_000
_FIRST_ROWS = 10
# Not walked at all: neighbours, connections, users, processes, commands.
SKIPPED = (
    "1.3.6.1.2.1.3",  # address translation
    "1.3.6.1.2.1.4",  # ip
    "1.3.6.1.2.1.5",  # icmp
    "1.3.6.1.2.1.6",  # tcp
    "1.3.6.1.2.1.7",  # udp
    "1.3.6.1.2.1.8",  # egp
    "1.3.6.1.2.1.14",  # ospf
    "1.3.6.1.2.1.15",  # bgp
    "1.3.6.1.2.1.16",  # rmon
    "1.3.6.1.2.1.17",  # bridge
    "1.3.6.1.2.1.23",  # rip
    "1.3.6.1.2.1.25.4",  # hrSWRun
    "1.3.6.1.2.1.25.5",  # hrSWRunPerf
    "1.3.6.1.2.1.25.6",  # hrSWInstalled
    "1.3.6.1.2.1.31.1.4",  # ifRcvAddressTable
    "1.3.6.1.2.1.55",  # ipv6
    "1.3.6.1.2.1.80",  # ping
    "1.3.6.1.2.1.88",  # event
    "1.3.6.1.2.1.92",  # notification log
    "1.3.6.1.4.1.9.9.23",  # Cisco's discovery protocol
    "1.3.6.1.4.1.2021.2",  # UCD: processes
    "1.3.6.1.4.1.2021.8",  # UCD: commands
    "1.3.6.1.4.1.2021.15",  # UCD: files
    "1.3.6.1.4.1.2021.16",  # UCD: log files
    "1.3.6.1.4.1.8072.1",  # net-snmp: access control, commands
    "1.3.6.1.6",  # SNMP itself: users, communities, receivers of traps
    "1.3.111.2.802.1.1.13",  # LLDP
)


@dataclass(slots=True)
class Recorded:
    """What came of it."""

    file: Path
    objects: int = 0
    resumed: int = 0  # of them from an earlier, broken run
    replaced: Mapping[str, int] = field(default_factory=dict)
    guessed: list[str] = field(default_factory=list)  # objects to look at: perhaps serial numbers
    note: str = ""  # why the walk ended before the end


Progress = Callable[[Path, int, str], None]  # file on the way, objects in it, the one just read


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
    and the same call goes on from there. OtherDevice where that was begun with another device,
    FileExistsError where there is a recording of that name."""
    transport = Transport(asyncio.get_running_loop())
    try:
        peer = await peer_of(target)
        client = Client(transport, peer, access_of(target, peer, transport))
        await client.knock()
        whose = await _whose(client, target)
        name = (wish.name or whose.sys_object_id).strip(".") or "device"
        wish.folder.mkdir(parents=True, exist_ok=True)
        file = wish.folder / f"{name}.snmprec"
        if file.exists():
            raise FileExistsError(
                EEXIST, "is there already; remove it, or give another --name", file
            )
        part = Part(file.with_suffix(".part"), whose)
        progress(part.path, len(part), part.last)
        note = await _Walk(client, part, wish.rate, progress).run()
        private = await _private(client, target, wish)
    finally:
        transport.close()
    out = Recorded(file, resumed=part.resumed, note=note)
    known = Known(tuple(snmp_profiles(profiles).values()))
    done = await asyncio.to_thread(stripped, part.objects(), private, known)
    await asyncio.to_thread(write, out.file, done.objects)
    part.path.unlink()
    out.objects, out.replaced, out.guessed = len(done.objects), done.replaced, done.guessed
    return out


async def _whose(client: Client, target: Target) -> Whose:
    said = await client.get([SYS_OBJECT_ID, SYS_DESCR, _ENGINE_ID])
    engine_id = said.get(_ENGINE_ID)
    return Whose(
        f"{target.url.host}:{target.url.port}",
        text_of(said.get(SYS_OBJECT_ID)),
        text_of(said.get(SYS_DESCR)),
        engine_id.hex() if isinstance(engine_id, bytes) else "",
    )


async def _private(client: Client, target: Target, wish: Wish) -> Private:
    """What the device is called and reached by, wherever else it says it."""
    given = target.credentials
    secrets = (target.url.user, given.community, given.user, given.password)
    hosts = [target.url.host, client.peer[0]]
    for oid in await client.walk(_OWN_ADDRESSES):
        index = [int(arc) for arc in oid.split(".")[10:]]
        if index[1:2] and index[1] in _LENGTHS and len(index) == index[1] + 2:
            index = index[2:]
        if len(index) in _LENGTHS and max(index) < 256:
            hosts.append(str(ip_address(bytes(index))))
    return Private((*secrets, given.auth_key, given.priv_key), tuple(hosts), wish.keep_serials)


class _Walk:
    """From the first object to the last, or on from where an earlier walk broke off."""

    def __init__(self, client: Client, part: Part, rate: float, progress: Progress) -> None:
        self._client = client
        self._part = part
        self._pause_s = 1 / rate
        self._progress = progress
        self._rows = _FIRST_ROWS

    async def run(self) -> str:
        """Walk; returns why it ended before the end, where it did."""
        part, note = self._part, ""
        at = part.last or _START
        while at and len(part) < _MOST_OBJECTS:
            batch, at, note = await self._step(jump(at) or at)
            part.add(batch)
            self._progress(part.path, len(part), at)
            if at:
                await asyncio.sleep(self._pause_s)
        return note

    async def _step(self, at: str) -> tuple[list[Object], str, str]:
        """(objects behind `at`, where to go on: empty at the end, why it ends early)."""
        response = await self._ask(at)
        if response.status == ErrorStatus.NO_SUCH_NAME:
            return [], "", ""
        if response.status != ErrorStatus.NO_ERROR or not response.varbinds:
            return [], "", f"the device ends the walk behind {at} (error {response.status})"
        batch: list[Object] = []
        for varbind in response.varbinds:
            if isinstance(varbind.value, Missing):
                return batch, "", ""
            oid = decode_oid(varbind.oid)
            if not is_after(oid, at):
                return batch, "", f"{oid} does not come after {at}"
            at = oid
            if jump(oid) is not None:
                break
            batch.append(Object(oid, varbind.tag, varbind.value))
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


def jump(oid: str) -> str | None:
    """Where a walk goes on, if `oid` lies in a subtree that is not walked."""
    for root in SKIPPED:
        if oid == root or oid.startswith(f"{root}."):
            head, _, last = root.rpartition(".")
            return f"{head}.{int(last) + 1}"
    return None


def is_after(oid: str, before: str) -> bool:
    """Whether an object comes later in a device's order."""
    return oid_parts(encode_oid(oid)) > oid_parts(encode_oid(before))
