"""UDP for all SNMP devices: one socket a family, request ids, retries with back-off."""

import asyncio
import contextlib
import random
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from collectors.snmp.ber import Malformed
from collectors.snmp.engines import Engines
from collectors.snmp.message import Again, Message, Refused, Unauthentic, request_id_of
from collectors.snmp.pdu import FIRST_ID, LAST_ID
from dcim.model.reading import Outage, OutageKind

Address = tuple[str, int]
# the request's id, the response PDU or why there is none, and the seconds it took
OnAnswer = Callable[[int, bytes | Outage, float], None]

_BUFFER_BYTES = 4 << 20
_READS_A_WAKE = 64  # datagrams taken before the loop runs others
_BACK_OFF = 1.5
_MOST_OWED = 20_000  # requests remembered because a further answer may still come
_MOST_AGAIN = 4  # a device may tell its engine id, then its time; more leads nowhere
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # Linux: ICMP errors with the address they are about


@dataclass(slots=True)
class Counts:
    """What happened to requests since the start."""

    requests: int = 0
    retries: int = 0
    answers: int = 0
    timeouts: int = 0
    refused: int = 0
    late: int = 0  # answers to requests that were given up or answered already
    foreign: int = 0  # answers from another address than was asked
    malformed: int = 0
    unauthentic: int = 0  # v3: altered, replayed, or of a lower security level
    unsent: int = 0  # the socket's buffer was full; the retry repairs it


@dataclass(slots=True)
class _Pending:
    peer: Address
    template: Message
    on_answer: OnAnswer
    timeout_s: float
    tries: int
    sent_at: float  # loop time of the first try
    tried_at: float
    timer: asyncio.TimerHandle
    again: int = 0
    unheard: int = 1  # datagrams sent that nothing has answered yet
    doubt: Outage | None = None  # what has come instead of the answer


class Transport:
    """Asks devices by UDP. Every request ends in one call of its `on_answer`, never more.

    A retry repeats the same request id, so that a late answer to the first try counts.
    Needs a loop with `add_reader` (asyncio's selector loop, uvloop).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.counts = Counts()
        self.engines = Engines()  # of the v3 devices asked through here
        self._loop = loop
        self._sockets: dict[int, socket.socket] = {}
        self._polls: list[select.epoll] = []
        self._pending: dict[int, _Pending] = {}
        self._owed: dict[int, int] = {}  # answers that may honestly come late, by request id
        self._last_id = random.randint(FIRST_ID, LAST_ID)
        self._buffer = memoryview(bytearray(65536))

    def close(self) -> None:
        """Close the sockets; requests under way end without a call."""
        for pending in self._pending.values():
            pending.timer.cancel()
        self._pending.clear()
        for poll in self._polls:
            self._loop.remove_reader(poll.fileno())
            poll.close()
        for sock in self._sockets.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._polls.clear()
        self._sockets.clear()

    def request(
        self,
        peer: Address,
        template: Message,
        on_answer: OnAnswer,
        timeout_s: float,
        tries: int = 4,
    ) -> int:
        """Send, and call back with the response PDU or the outage. Returns the request's id.

        `timeout_s` is that of the first try; each further one waits half as long again.
        """
        request_id = self._next_id()
        payload = template.message(request_id)
        now = self._loop.time()
        timer = self._loop.call_later(timeout_s, self._expired, request_id)
        self._pending[request_id] = _Pending(
            peer, template, on_answer, timeout_s, tries - 1, now, now, timer
        )
        self.counts.requests += 1
        self._send(payload, peer)
        return request_id

    def cancel(self, request_id: int) -> None:
        """Forget a request; its `on_answer` is not called."""
        self._forget(request_id)

    def _forget(self, request_id: int) -> _Pending | None:
        pending = self._pending.pop(request_id, None)
        if pending is not None:
            pending.timer.cancel()
            if pending.unheard > 0:
                self._owed[request_id] = pending.unheard
                if len(self._owed) > _MOST_OWED:
                    del self._owed[next(iter(self._owed))]
        return pending

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id + 1 if self._last_id < LAST_ID else FIRST_ID
            if self._last_id not in self._pending:
                return self._last_id

    def _send(self, payload: bytes, peer: Address) -> None:
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        sock = self._sockets.get(family)
        if sock is None:
            sock = self._open(family)
        try:
            sock.sendto(payload, peer)
        except BlockingIOError:
            self.counts.unsent += 1
        except OSError:
            # an earlier datagram's ICMP error comes up here; it says nothing of this one.
            # Not at once: nobody is called back before his `request` has returned
            self._loop.call_soon(self._icmp_errors, sock)
            with contextlib.suppress(OSError):
                sock.sendto(payload, peer)

    def _open(self, family: int) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        with contextlib.suppress(OSError):  # not Linux: a refusal looks like silence
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        sock.bind(("", 0))
        self._sockets[family] = sock
        self._watch(sock)
        return sock

    def _watch(self, sock: socket.socket) -> None:
        """Have `_readable` called for datagrams and for errors.

        libuv drops a descriptor for good when it reports an error, so on Linux, where ICMP errors
        do come up, it watches an epoll around the socket, which never reports one.
        """
        if not hasattr(select, "epoll"):
            self._loop.add_reader(sock, self._readable, sock)
            return
        poll = select.epoll()
        poll.register(sock, select.EPOLLIN)
        self._polls.append(poll)
        self._loop.add_reader(poll.fileno(), self._readable, sock)

    def _readable(self, sock: socket.socket) -> None:
        for n in range(_READS_A_WAKE):
            try:
                size, peer = sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                if n == 0:
                    self._icmp_errors(sock)
                return
            except OSError:
                self._icmp_errors(sock)
                continue
            self._received(bytes(self._buffer[:size]), peer)

    def _received(self, data: bytes, peer: tuple[str, int]) -> None:
        try:
            request_id = request_id_of(data)
        except Malformed:
            self._nonsense(data, peer)
            return
        pending = self._pending.get(request_id)
        if pending is None:
            self._late(request_id, data, peer)
            return
        if peer[1] != pending.peer[1] or peer[0] != pending.peer[0]:
            self.counts.foreign += 1
            detail = f"only {peer[0]} answered, not {pending.peer[0]}"
            pending.doubt = Outage(OutageKind.FOREIGN, detail)
            return
        pending.unheard -= 1
        try:
            body = pending.template.open(data)
        except Malformed as error:
            self.counts.malformed += 1
            self._fail(request_id, Outage(OutageKind.MALFORMED, str(error)))
        except Unauthentic as error:
            self.counts.unauthentic += 1
            pending.doubt = error.outage
        except Again as error:
            self._again(request_id, pending, error.outage)
        except Refused as error:
            self._fail(request_id, error.outage)
        else:
            self._forget(request_id)
            self.counts.answers += 1
            pending.on_answer(request_id, body, self._loop.time() - pending.tried_at)

    def _late(self, request_id: int, data: bytes, peer: tuple[str, int]) -> None:
        """An answer to a request that is over, or one that came before: each sending has but one."""
        self.counts.late += 1
        owed = self._owed.pop(request_id, 0)
        if owed > 1:
            self._owed[request_id] = owed - 1
        if owed:
            return
        for pending in self._pending.values():
            if pending.peer == peer[:2]:
                self._stray(pending, data)

    def _stray(self, pending: _Pending, data: bytes) -> bool:
        """Keep in mind what came instead of an answer; whether it was anything but late."""
        wrong = pending.template.stray(data)
        if wrong is None:
            return False
        self.counts.unauthentic += 1
        pending.doubt = wrong
        return True

    def _again(self, request_id: int, pending: _Pending, outage: Outage) -> None:
        """The device told what the next message must heed: send that at once."""
        pending.again += 1
        if pending.again > _MOST_AGAIN:
            self._fail(request_id, outage)
            return
        pending.timer.cancel()
        self._try(request_id, pending)

    def _nonsense(self, data: bytes, peer: tuple[str, int]) -> None:
        """A datagram without a readable id: the oldest request to its sender learns of it."""
        self.counts.malformed += 1
        for request_id, pending in self._pending.items():
            if pending.peer == peer[:2] and not self._stray(pending, data):
                self._fail(request_id, Outage(OutageKind.MALFORMED, "answer is not SNMP"))
                return

    def _expired(self, request_id: int) -> None:
        pending = self._pending[request_id]
        if pending.tries > 0:
            pending.tries -= 1
            pending.timeout_s *= _BACK_OFF
            self.counts.retries += 1
            pending.template.unanswered()
            self._try(request_id, pending)
            return
        self.counts.timeouts += 1
        waited = self._loop.time() - pending.sent_at
        detail = f"no answer within {waited:.1f} s ({pending.template.away})"
        silence = Outage(OutageKind.TIMEOUT, detail)
        self._fail(request_id, pending.doubt or pending.template.silent() or silence)

    def _try(self, request_id: int, pending: _Pending) -> None:
        """Send once more; the message is made anew, for v3 with the time it is now."""
        pending.tried_at = self._loop.time()
        pending.unheard += 1
        pending.timer = self._loop.call_later(pending.timeout_s, self._expired, request_id)
        self._send(pending.template.message(request_id), pending.peer)

    def _icmp_errors(self, sock: socket.socket) -> None:
        """Take queued ICMP errors; each names the peer it is about."""
        flag = getattr(socket, "MSG_ERRQUEUE", None)
        if flag is None:
            return
        while True:
            try:
                _, _, _, peer = sock.recvmsg(1, 1024, flag)
            except OSError:
                return
            self._refused((peer[0], peer[1]))

    def _refused(self, peer: Address) -> None:
        """Fail what waits for a peer whose port is closed."""
        ids = [i for i, pending in self._pending.items() if pending.peer == peer]
        for request_id in ids:
            self.counts.refused += 1
            detail = f"nobody listens on UDP port {peer[1]}"
            self._fail(request_id, Outage(OutageKind.REFUSED, detail))

    def _fail(self, request_id: int, outage: Outage) -> None:
        pending = self._forget(request_id)
        if pending is None:
            return
        pending.on_answer(request_id, outage, self._loop.time() - pending.sent_at)
