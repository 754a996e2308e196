"""Receives traps and informs of all versions, and has the devices they come from polled at once.

A trap is a hint, never a reading: UDP loses it, anybody can send it. What it says is looked up by
polling the device (see `device.Device.confirm`), at most once a second however many come. A trap
that no profile knows is a hint too, but a weaker one: those have the device polled less often.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from collectors.base import CollectError, Target
from collectors.snmp.ber import OCTETS, Malformed, header, tlv
from collectors.snmp.message import V1, V3, Unauthentic, inside
from collectors.snmp.pdu import RESPONSE
from collectors.snmp.survey import user_of
from collectors.snmp.traps import (
    INFORM,
    INFORMATION,
    Notification,
    TrapLog,
    decode_notification,
    is_known,
    told_oid,
)
from collectors.snmp.traps_limits import Budgets, Kind
from collectors.snmp.traps_v3 import Engine, Inbox, Reply
from collectors.snmp.usm import User
from dcim import log as logs
from dcim.clock import Clock

_log = logs.get("traps")
_GATHER_S = 0.02
_MOST_ASKED = 100  # of the devices at one address, what a trap of it means
_BUFFER_BYTES = 4 << 20
_AGAIN_S = 60.0
_NAMES = {0: "1", 1: "2c", 3: "3"}


class Polled(Protocol):
    """What the receiver asks of the collector."""

    @property
    def traps(self) -> frozenset[str]:
        """What any profile knows, as `traps.known_keys`."""

    def devices_at(self, host: str) -> Sequence[str]: ...

    def devices_of(self, engine_id: bytes) -> Sequence[str]: ...

    def hint(self, device: str, oid: str) -> str | None: ...

    def confirm(self, device: str, known: bool) -> None: ...


class TrapReceiver(asyncio.DatagramProtocol):
    """One UDP port. Bounds what a storm can cost: the rest of it is counted, not taken apart."""

    def __init__(
        self,
        listen: tuple[str, int],
        targets: Iterable[Target],
        polled: Polled,
        log: TrapLog,
        clock: Clock,
        engine_file: Path,
    ) -> None:
        self.address = listen
        self._users = [user for target in targets if (user := _user(target)) is not None]
        self._polled = polled
        self._log = log
        self._clock = clock
        self._engine_file = engine_file
        self._inbox: Inbox | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._budgets = Budgets()
        self._wanted: dict[str, bool] = {}  # to be polled, in order: by a trap that is known
        self._latest: tuple[Sequence[str], bool] = ((), False)  # added to them last
        self._flush: asyncio.TimerHandle | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Receive until cancelled; where the port is not to be had, try again later."""
        loop = asyncio.get_running_loop()
        engine = await asyncio.to_thread(Engine.started, self._engine_file)
        self._inbox = Inbox(self._users, engine, loop.time)
        while True:
            try:
                await self._listen(loop)
            except OSError as error:
                self._refused(error)
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        sock = await self._bound(loop)
        transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)
        self.address = transport.get_extra_info("sockname")[:2]
        self._log.listen, self._log.problem = f"{self.address[0]}:{self.address[1]}", ""
        self._transport = transport
        self.ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            transport.close()
            if self._flush is not None:
                self._flush.cancel()

    async def _bound(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """The port, or an OSError that says why not: uvloop's own would not."""
        found = await loop.getaddrinfo(*self.address, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, where = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            sock.bind(where)
        except OSError:
            sock.close()
            raise
        return sock

    def _refused(self, error: OSError) -> None:
        host, port = self.address
        problem = f"cannot listen on {host}:{port}: {error.strerror or error}"
        if problem != self._log.problem:
            _log.warning("no traps", reason=problem)
        self._log.problem = problem

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take one apart; nothing a sender says gets further than the log and a poll."""
        host = addr[0].removeprefix("::ffff:")
        self._log.received += 1
        kind = self._kind(data)
        dropped = self._budgets.refusal(kind, host, self._clock.now())
        if dropped:
            self._log.drop(dropped)
            self._confirm(self._polled.devices_at(host), kind is not Kind.OTHER)
            return
        try:
            one, version, reply = self._opened(data)
        except Reply as report:
            if str(report) != "discovery":
                self._log.refuse(str(report))
            self._send(report.data, addr)
            return
        except Unauthentic as error:
            self._log.refuse(error.outage.detail)
            return
        except Malformed:
            self._log.refuse("malformed")
            return
        self._take(one, version, host)
        if one.kind == INFORM:
            self._log.informs += 1
            self._send(reply, addr)

    def _kind(self, data: bytes) -> Kind:
        """Told by little of the datagram: in a storm it is all that most of them cost."""
        try:
            version, at, end = inside(data)
            if version == V3:
                assert self._inbox is not None
                return self._inbox.kind(data)
            _, _, at = header(data, at, end)  # the community
            if header(data, at, end)[0] == INFORM:
                return Kind.INFORM
            known = is_known(self._polled.traps, told_oid(data, at, end))
        except Malformed:
            known = False
        return Kind.KNOWN if known else Kind.OTHER

    def _opened(self, data: bytes) -> tuple[Notification, str, bytes]:
        """(what it says, version, the answer to an inform)."""
        version, at, end = inside(data)
        if version == V3:
            assert self._inbox is not None
            body, engine_id, wrap = self._inbox.open(data)
            one = replace(decode_notification(body, 0, len(body)), engine_id=engine_id)
            return one, _NAMES[V3], wrap(_response(body)) if one.kind == INFORM else b""
        tag, _, pdu_at = header(data, at, end)
        if tag != OCTETS:
            raise Malformed("message without a community")
        one = decode_notification(data, pdu_at, end)
        if one.kind == INFORM and version == V1:
            raise Malformed("an inform in a message of v1")
        _, start, _ = header(data, 0, len(data))
        head, body = data[start:pdu_at], data[pdu_at:end]
        return one, _NAMES[version], tlv(0x30, head + _response(body))

    def _take(self, one: Notification, version: str, host: str) -> None:
        ask = self._polled
        devices = ask.devices_at(host) or ask.devices_at(one.agent) or ask.devices_of(one.engine_id)
        hints = (ask.hint(device, one.oid) for device in devices[:_MOST_ASKED])
        hint = next((hint for hint in hints if hint is not None), None)
        self._log.keep(one, version, host, devices[:_MOST_ASKED], hint, self._clock.now())
        if one.oid not in INFORMATION:
            self._confirm(devices, hint is not None)

    def _confirm(self, devices: Sequence[str], known: bool = True) -> None:
        """Have devices polled a moment later: a storm asks once for all that came in it."""
        if devices and self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(_GATHER_S, self._confirm_all)
        if devices is not self._latest[0] or known > self._latest[1]:
            self._latest = devices, known
            for device in devices:
                self._wanted[device] = known or self._wanted.get(device, False)

    def _confirm_all(self) -> None:
        wanted, self._wanted, self._flush = self._wanted, {}, None
        self._latest = ((), False)
        self._log.confirmations += len(wanted)
        for device, known in wanted.items():
            self._polled.confirm(device, known)

    def _send(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, addr)


def _response(body: bytes) -> bytes:
    """An inform's own content, as the response to it."""
    return bytes((RESPONSE,)) + body[1:]


def _user(target: Target) -> User | None:
    try:
        return user_of(target) if target.url.scheme == "snmp3" else None
    except CollectError:
        return None  # its polls say what is wrong
