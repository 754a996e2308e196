"""Asks one device: GETs packed to what it can take, walks that adapt, failures told apart."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from collectors.base import CollectError
from collectors.snmp import pdu
from collectors.snmp.ber import Malformed, Missing, Value, decode_oid, encode_oid, oid_parts
from collectors.snmp.message import V1, Access, decode_pdu
from collectors.snmp.pdu import ErrorStatus, Request, Response
from collectors.snmp.transport import Address, Transport
from dcim.model.reading import Outage, OutageKind

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
_KNOCKS = 3
_FIRST_TIMEOUT_S = 1.0
_SHORTEST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 0.2, 3.0
_WALK_COLUMNS = 8  # columns walked side by side in one GETBULK
_FIRST_ROWS = 4  # asked in the first step of a walk, doubled with every further one
_MOST_ROWS = 20_000  # of one walk; an agent that goes on for ever ends here


@dataclass(slots=True)
class Stats:
    """Counters of one target."""

    requests: int = 0
    timeouts: int = 0
    errors: int = 0  # tooBig, genErr, malformed ...
    latency_s: float = 0.0  # smoothed
    worst_latency_s: float = 0.0
    deviation_s: float = field(default=0.0, repr=False)

    def timeout_s(self) -> float:
        """How long to wait for this device (RFC 6298's rule)."""
        if self.latency_s == 0.0:
            return _FIRST_TIMEOUT_S
        wait = 2 * self.latency_s + 4 * self.deviation_s
        return min(max(wait, _SHORTEST_TIMEOUT_S), _LONGEST_TIMEOUT_S)

    def answered(self, took_s: float) -> None:
        if self.latency_s == 0.0:
            self.latency_s, self.deviation_s = took_s, took_s / 2
        else:
            self.deviation_s += 0.25 * (abs(took_s - self.latency_s) - self.deviation_s)
            self.latency_s += 0.125 * (took_s - self.latency_s)
        self.worst_latency_s = max(self.worst_latency_s, took_s)


def outage_of(response: Response) -> Outage | None:
    """What an error-status means; None where all is well."""
    status, index = response.status, response.index
    if status == ErrorStatus.NO_ERROR:
        return None
    where = ""
    if 0 < index <= len(response.varbinds):
        where = f" at {decode_oid(response.varbinds[index - 1].oid)}"
    if status == ErrorStatus.TOO_BIG:
        return Outage(OutageKind.TOO_BIG, "the answer does not fit into the device's message")
    if status == ErrorStatus.GEN_ERR:
        return Outage(OutageKind.GEN_ERR, f"the device fails{where} (genErr)")
    if status in (ErrorStatus.NO_ACCESS, ErrorStatus.AUTHORIZATION_ERROR):
        return Outage(OutageKind.NO_ACCESS, f"no access{where}")
    if status == ErrorStatus.NO_SUCH_NAME:
        return Outage(OutageKind.NO_ACCESS, f"no such name{where}")
    return Outage(OutageKind.GEN_ERR, f"error-status {status}{where}")


class Client:
    """One device on the shared transport. Sizes of requests shrink to what it can take."""

    def __init__(
        self,
        transport: Transport,
        peer: Address,
        access: Access,
        stats: Stats | None = None,
        max_varbinds: int = 24,
        max_repetitions: int = 20,
        tries: int = 5,
    ) -> None:
        self.peer = peer
        self.access = access
        self.max_varbinds = max_varbinds
        self.max_repetitions = max_repetitions
        self.bulk = access.version != V1
        self.tries = tries
        self.stats = stats or Stats()
        self.fault: Outage | None = None  # the last thing that cost a part of an answer
        self._transport = transport

    async def knock(self) -> None:
        """One small question, soon given up; CollectError where the device is silent or refuses."""
        response = await self.ask(pdu.get([encode_oid(SYS_UP_TIME)]), tries=_KNOCKS)
        if response.status == ErrorStatus.AUTHORIZATION_ERROR:
            detail = "the device has no view for this user, context and security level"
            raise CollectError(OutageKind.NO_ACCESS, detail)

    async def ask(self, request: Request, tries: int | None = None) -> Response:
        """One request and its response; CollectError where none comes or it is nonsense."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bytes | Outage] = loop.create_future()
        took = 0.0

        def on_answer(_request_id: int, answer: bytes | Outage, took_s: float) -> None:
            nonlocal took
            took = took_s
            if not done.done():
                done.set_result(answer)

        self.stats.requests += 1
        request_id = self._transport.request(
            self.peer,
            self.access.template(request),
            on_answer,
            self.stats.timeout_s(),
            tries or self.tries,
        )
        try:
            answer = await done
        finally:
            self._transport.cancel(request_id)
        if isinstance(answer, Outage):
            self.stats.timeouts += 1
            raise CollectError(answer.kind, answer.detail)
        self.stats.answered(took)
        try:
            return decode_pdu(answer)
        except Malformed as error:
            self.stats.errors += 1
            raise CollectError(OutageKind.MALFORMED, str(error)) from None

    async def get(self, oids: Iterable[str]) -> dict[str, Value]:
        """The values of these instances; Missing for those that are not there."""
        out: dict[str, Value] = {}
        todo = list(oids)
        while todo:
            part = todo[: self.max_varbinds]
            del todo[: len(part)]
            await self._get(part, out)
        return out

    async def _get(self, oids: Sequence[str], out: dict[str, Value]) -> None:
        """One GET; smaller ones where it does not fit, without those the device refuses."""
        left = list(oids)
        while left:
            try:
                response = await self.ask(pdu.get([encode_oid(oid) for oid in left]))
            except CollectError as error:
                if error.outage.kind is not OutageKind.TIMEOUT or len(left) <= 8:
                    raise
                await self._halves(left, out)  # some agents drop what is too long for them
                return
            if response.status == ErrorStatus.TOO_BIG:
                if len(left) == 1:
                    out[left[0]] = Missing.NO_SUCH_INSTANCE
                    return
                await self._halves(left, out)
                return
            if response.status == ErrorStatus.NO_ERROR:
                for name, varbind in zip(left, response.varbinds, strict=False):
                    if varbind.oid == encode_oid(name):
                        out[name] = varbind.value
                return
            self.stats.errors += 1
            if not 0 < response.index <= len(left):  # it does not say which one: one by one
                if len(left) == 1:
                    out[left[0]] = Missing.NO_SUCH_INSTANCE
                    return
                await self._halves(left, out)
                return
            out[left.pop(response.index - 1)] = Missing.NO_SUCH_INSTANCE

    async def _halves(self, oids: Sequence[str], out: dict[str, Value]) -> None:
        self.max_varbinds = max(1, min(self.max_varbinds, len(oids)) // 2)
        middle = len(oids) // 2
        await self._get(oids[:middle], out)
        await self._get(oids[middle:], out)

    async def after(self, oids: Sequence[str]) -> dict[str, tuple[str, Value] | None]:
        """What comes next behind each of these; None at the end of the device's objects."""
        out: dict[str, tuple[str, Value] | None] = {}
        for at in range(0, len(oids), self.max_varbinds):
            await self._after(oids[at : at + self.max_varbinds], out)
        return out

    async def _after(self, oids: Sequence[str], out: dict[str, tuple[str, Value] | None]) -> None:
        left = list(oids)
        while left:
            response = await self.ask(pdu.get_next([encode_oid(oid) for oid in left]))
            if response.status == ErrorStatus.NO_ERROR:
                for name, varbind in zip(left, response.varbinds, strict=False):
                    missing = isinstance(varbind.value, Missing)
                    out[name] = None if missing else (decode_oid(varbind.oid), varbind.value)
                return
            if response.status == ErrorStatus.TOO_BIG and len(left) > 1:
                middle = len(left) // 2
                await self._after(left[:middle], out)
                await self._after(left[middle:], out)
                return
            at = response.index - 1 if 0 < response.index <= len(left) else 0
            out[left.pop(at)] = None  # v1 says noSuchName at the end

    async def walk(self, columns: Iterable[str]) -> dict[str, Value]:
        """All instances below these columns."""
        out: dict[str, Value] = {}
        todo = list(columns)
        while todo:
            side_by_side = min(_WALK_COLUMNS, self.max_varbinds)
            part = todo[:side_by_side]
            del todo[: len(part)]
            await _Walk(self, part).run(out)
        return out


class _Walk:
    """Some columns walked side by side until each has ended."""

    def __init__(self, client: Client, columns: Sequence[str]) -> None:
        self._client = client
        self._prefix = {column: oid_parts(encode_oid(column)) for column in columns}
        self._at: dict[str, tuple[int, ...]] = dict(self._prefix)  # columns not yet at their end
        self._rows = _FIRST_ROWS

    async def run(self, out: dict[str, Value]) -> None:
        client = self._client
        while self._at:
            columns = list(self._at)
            names = [encode_oid(".".join(map(str, at))) for at in self._at.values()]
            response = await self._next(names)
            if response.status == ErrorStatus.TOO_BIG:
                if client.max_repetitions > 1 and client.bulk:
                    client.max_repetitions //= 2
                elif len(columns) > 1:
                    await self._split(columns, out)
                    return
                else:
                    raise CollectError(OutageKind.TOO_BIG, f"even one row of {columns[0]}")
                continue
            if response.status != ErrorStatus.NO_ERROR:
                if response.status != ErrorStatus.NO_SUCH_NAME:
                    client.fault = outage_of(response)
                bad = response.index - 1 if 0 < response.index <= len(columns) else 0
                del self._at[columns[bad]]  # v1's end, or a column that the device fails on
                continue
            if not response.varbinds:
                raise CollectError(OutageKind.MALFORMED, "an empty answer to a walk")
            self._take(columns, response, out)

    async def _next(self, names: Sequence[bytes]) -> Response:
        client = self._client
        if not client.bulk:
            return await client.ask(pdu.get_next(names))
        rows = min(self._rows, client.max_repetitions)
        self._rows *= 2
        try:
            return await client.ask(pdu.get_bulk(names, rows))
        except CollectError as error:
            if error.outage.kind is not OutageKind.TIMEOUT or client.max_repetitions <= 2:
                raise
            client.max_repetitions //= 4
            return await client.ask(pdu.get_bulk(names, max(1, client.max_repetitions)))

    async def _split(self, columns: Sequence[str], out: dict[str, Value]) -> None:
        middle = len(columns) // 2
        for part in (columns[:middle], columns[middle:]):
            walk = _Walk(self._client, part)
            walk._at = {column: self._at[column] for column in part}
            await walk.run(out)

    def _take(self, columns: Sequence[str], response: Response, out: dict[str, Value]) -> None:
        """Rows of the answer, column by column in turn."""
        for n, varbind in enumerate(response.varbinds):
            column = columns[n % len(columns)]
            if column not in self._at:
                continue
            prefix = self._prefix[column]
            at = oid_parts(varbind.oid)
            if isinstance(varbind.value, Missing) or at[: len(prefix)] != prefix:
                del self._at[column]
                continue
            if at <= self._at[column] or len(out) > _MOST_ROWS:
                detail = f"{decode_oid(varbind.oid)} does not come after the one before"
                self._client.fault = Outage(OutageKind.NOT_INCREASING, detail)
                del self._at[column]
                continue
            self._at[column] = at
            out[".".join(map(str, at))] = varbind.value
