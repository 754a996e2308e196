"""One scheduler per endpoint (a gateway or a serial line): one connection shared by its units.

Work comes as scripts: generators that yield a `Read` and are sent its `Answer` or `Outage`.
After every read the script with the earliest deadline goes next, so a slow group of one unit
never holds up the fast group of another.
"""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import cast

from collectors.base import CollectError
from collectors.modbus.decode import Answer
from collectors.modbus.frame import (
    SENT_BY_UNIT,
    Frame,
    Framing,
    Read,
    RtuFraming,
    TcpFraming,
    data_of,
)
from collectors.modbus.profile import Link
from dcim.clock import Clock
from dcim.model.reading import Outage, OutageKind

Script = Generator[Read, Answer | Outage, None]

# Source: MODBUS Application Protocol V1.1b3 section 7, exceptions 5, 6, 10. Not 11: the gateway has
# waited for the unit already, and every repetition would hold the line for another time-out.
_PASSING = frozenset([OutageKind.BUSY, OutageKind.GATEWAY_PATH])

_COUNTED_AS_THEY_COME = frozenset([OutageKind.WRONG_UNIT, OutageKind.WRONG_TRANSACTION])

_CONNECT_TIMEOUT_S = 3.0
_RECONNECT_S = (0.5, 10.0)  # first and longest pause before connecting again
_SILENT_BEFORE_RECONNECT = 2  # time-outs in a row, of any units, after which a connection is dead
_REMEMBERED_LATE = 64
_AGAIN_S = (0.05, 0.2, 0.5)  # pauses before a request is repeated that the device could not serve
_TURNAROUND_S = 0.002  # between an answer and the next request where the line is serial


@dataclass(slots=True)
class _Waiting:
    """A request under way."""

    unit: int
    answer: asyncio.Future[bytes]
    fault: Outage | None = None  # what came instead so far


class Connection(asyncio.Protocol):
    """An open stream to an endpoint: requests out, answers matched to them."""

    def __init__(self, framing: Framing, counts: Counter[str]) -> None:
        self._framing = framing
        self._counts = counts
        self._serial = isinstance(framing, RtuFraming)
        self._waiting: dict[int, _Waiting] = {}
        self._late: deque[int] = deque(maxlen=_REMEMBERED_LATE)
        self._transactions = itertools.count(1)
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self.any_transaction = False

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._closed.is_set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()
        why = f": {exc}" if exc is not None else ""
        self._fail(CollectError(OutageKind.RESET, f"connection closed by the device{why}"))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._framing.feed(data):
                self._take(frame)
        except CollectError as error:
            self._fail(error)
            if not self._serial and self._transport is not None:
                self._transport.abort()

    async def ask(self, unit: int, read: Read, timeout_s: float) -> bytes:
        """The data of one read; CollectError says what came instead."""
        if self._transport is None or self._closed.is_set():
            raise CollectError(OutageKind.RESET, "connection closed by the device")
        loop = asyncio.get_running_loop()
        transaction = 0 if self._serial else next(self._transactions) & 0xFFFF
        if self._serial:
            self._framing.reset()
        waiting = self._waiting[transaction] = _Waiting(unit, loop.create_future())
        timer = loop.call_later(timeout_s, self._expire, transaction, timeout_s, read)
        self._transport.write(self._framing.request(transaction, unit, read))
        try:
            return data_of(read, await waiting.answer)
        finally:
            timer.cancel()
            self._waiting.pop(transaction, None)

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            await self._closed.wait()

    def _take(self, frame: Frame) -> None:
        waiting = self._waiting.get(frame.transaction)
        if waiting is None and self.any_transaction and len(self._waiting) == 1:
            waiting = next(iter(self._waiting.values()))
        if waiting is None:
            self._stray(frame)
        elif frame.unit != waiting.unit:
            text = f"unit {frame.unit} answered what unit {waiting.unit} was asked"
            self._counts[OutageKind.WRONG_UNIT] += 1
            if self._serial:  # perhaps late: the right answer may still come
                waiting.fault = Outage(OutageKind.WRONG_UNIT, text)
            elif not waiting.answer.done():
                waiting.answer.set_exception(CollectError(OutageKind.WRONG_UNIT, text))
        elif not waiting.answer.done():
            waiting.answer.set_result(frame.pdu)

    def _stray(self, frame: Frame) -> None:
        """An answer to a request that timed out is dropped; to one that never was, remembered."""
        if self._serial or frame.transaction in self._late:
            self._counts["late_answers"] += 1
            return
        self._counts[OutageKind.WRONG_TRANSACTION] += 1
        for transaction, waiting in self._waiting.items():
            text = f"answer to request {frame.transaction}, asked was {transaction}"
            waiting.fault = Outage(OutageKind.WRONG_TRANSACTION, text)

    def _expire(self, transaction: int, timeout_s: float, read: Read) -> None:
        waiting = self._waiting.get(transaction)
        if waiting is None or waiting.answer.done():
            return
        self._late.append(transaction)
        outage = waiting.fault
        if outage is None and self._framing.reset():
            text = f"{read}: the answer broke off within {timeout_s:g} s"
            outage = Outage(OutageKind.SHORT_FRAME, text)
        if outage is None:
            outage = Outage(OutageKind.TIMEOUT, f"{read}: no answer within {timeout_s:g} s")
        waiting.answer.set_exception(CollectError(outage.kind, outage.detail))

    def _fail(self, error: CollectError) -> None:
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(error)


Connect = Callable[[Connection], Awaitable[None]]


@dataclass(order=True, slots=True)
class Job:
    """A script of one unit, in the order in which it is due."""

    deadline: float
    order: int
    unit: int = field(compare=False)
    link: Link = field(compare=False)
    script: Script = field(compare=False)
    wanted: Callable[[], bool] = field(compare=False)  # no longer: the script is dropped
    read: Read | None = field(compare=False, default=None)  # None: not started
    repeats: int = field(compare=False, default=0)  # since the last answer


class Endpoint:
    """All units behind one host and port, or on one line."""

    def __init__(self, name: str, connect: Connect, clock: Clock, serial: bool = False) -> None:
        self.name = name
        self.units: set[int] = set()
        self.in_flight = 1
        self.counts: Counter[str] = Counter()  # by kind of outage; also late_answers, requests
        self.on_revival: list[Callable[[], None]] = []
        self._connect = connect
        self._clock = clock
        self._serial = serial
        self._queue: asyncio.PriorityQueue[Job] = asyncio.PriorityQueue()  # one job a unit's group
        self._order = itertools.count()
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._retry_at = 0.0
        self._retry_s = _RECONNECT_S[0]
        self._refusal = Outage(OutageKind.UNREACHABLE, "never connected")
        self._silent = 0  # time-outs since the last answer
        self._idle_since = 0.0  # loop time of the last answer

    def submit(
        self,
        deadline: float,
        unit: int,
        link: Link,
        script: Script,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Run a script; its first read goes out when nothing more urgent waits."""
        self._queue.put_nowait(Job(deadline, next(self._order), unit, link, script, wanted))

    async def run(self) -> None:
        """Serve scripts for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(1 if self._serial else self.in_flight):
                    group.create_task(self._work(), name=f"modbus {self.name} {number}")
        finally:
            await self._drop()

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            if not job.wanted():
                job.script.close()
                continue
            try:
                if job.read is None:
                    job.read = next(job.script)
                reply = await self._serve(job, job.read)
                if self._repeats(job, reply):
                    continue
                job.read = job.script.send(reply)
            except StopIteration:
                continue
            self._queue.put_nowait(job)

    def _repeats(self, job: Job, reply: Answer | Outage) -> bool:
        """Whether the job waits to ask the same again; meanwhile the others have their turn."""
        if isinstance(reply, Answer):
            job.repeats = 0
            return False
        if reply.kind not in _PASSING or job.repeats == len(_AGAIN_S):
            return False  # a script that used up its repeats gets no more until an answer comes
        pause_s = _AGAIN_S[job.repeats]
        job.repeats += 1
        asyncio.get_running_loop().call_later(pause_s, self._queue.put_nowait, job)
        return True

    async def _serve(self, job: Job, read: Read) -> Answer | Outage:
        try:
            connection = self._connection
            if connection is None or not connection.open:
                connection = await self._connected(job.link)
            await self._pause(job.link)
            self.counts["requests"] += 1
            data = await connection.ask(job.unit, read, job.link.timeout_s)
        except CollectError as error:
            await self._failed(error.outage)
            return error.outage
        self._alive()
        return Answer(data, self._clock.now())

    def _alive(self) -> None:
        self._idle_since = asyncio.get_running_loop().time()
        if self._silent > 2 * len(self.units):  # all units were silent: the endpoint itself was
            for revive in self.on_revival:
                revive()
        self._silent = 0

    async def _failed(self, outage: Outage) -> None:
        if outage.kind not in _COUNTED_AS_THEY_COME:
            self.counts[outage.kind] += 1
        self._idle_since = asyncio.get_running_loop().time()
        if outage.kind is OutageKind.TIMEOUT:
            self._silent += 1
            if self._silent % _SILENT_BEFORE_RECONNECT == 0 and not self._serial:
                await self._drop()
        elif outage.kind in SENT_BY_UNIT:
            self._alive()

    async def _pause(self, link: Link) -> None:
        pause_s = max(link.request_delay_s, _TURNAROUND_S if self._serial else 0.0)
        wait_s = self._idle_since + pause_s - asyncio.get_running_loop().time()
        if pause_s and wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _connected(self, link: Link) -> Connection:
        async with self._connecting:
            if self._connection is not None and self._connection.open:
                return self._connection
            if self._clock.now() < self._retry_at:
                raise CollectError(self._refusal.kind, self._refusal.detail)
            framing = RtuFraming() if self._serial else TcpFraming()
            connection = Connection(framing, self.counts)
            connection.any_transaction = link.any_transaction
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    await self._connect(connection)
            except OSError as error:
                refusal = self._refused(error)
                raise CollectError(refusal.kind, refusal.detail) from error
            self._connection = connection
            self._retry_s, self._retry_at = _RECONNECT_S[0], 0.0
            if link.connect_delay_s:
                await asyncio.sleep(link.connect_delay_s)
            return connection

    def _refused(self, error: OSError) -> Outage:
        self._retry_at = self._clock.now() + self._retry_s
        self._retry_s = min(2 * self._retry_s, _RECONNECT_S[1])
        if isinstance(error, ConnectionRefusedError):
            self._refusal = Outage(OutageKind.REFUSED, f"{self.name} refuses connections")
        elif isinstance(error, TimeoutError):
            text = f"no connection to {self.name} within {_CONNECT_TIMEOUT_S:g} s"
            self._refusal = Outage(OutageKind.UNREACHABLE, text)
        else:
            text = f"no connection to {self.name}: {error.strerror or error}"
            self._refusal = Outage(OutageKind.UNREACHABLE, text)
        return self._refusal

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
