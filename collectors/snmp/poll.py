"""One recurring poll of one device, by callbacks: no task, no future, no await."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from collectors.lint import went_back
from collectors.snmp.ber import Malformed, Missing, Value
from collectors.snmp.client import Client, outage_of
from collectors.snmp.message import decode_pdu
from collectors.snmp.pdu import ErrorStatus, Response
from collectors.snmp.plan import Ask, Bound, Plan, get_ask
from collectors.snmp.transport import Transport
from dcim.clock import Clock
from dcim.model.metric import MetricKind
from dcim.model.reading import Outage, OutageKind, Reading

_IN_FLIGHT = 3  # requests to one device at a time
DENIED = frozenset(  # the device is there, but answers nothing to this user
    [
        OutageKind.UNKNOWN_USER,
        OutageKind.WRONG_AUTH_KEY,
        OutageKind.WRONG_PRIV_KEY,
        OutageKind.UNSUPPORTED_LEVEL,
        OutageKind.UNKNOWN_CONTEXT,
        OutageKind.NOT_IN_WINDOW,
        OutageKind.UNKNOWN_ENGINE,
        OutageKind.NOT_AUTHENTIC,
    ]
)
SILENT = DENIED | {OutageKind.TIMEOUT, OutageKind.REFUSED, OutageKind.FOREIGN}
_SMALL = 8  # varbinds; a request of so few is not the reason for silence


@dataclass(slots=True)
class Result:
    """What one run of a plan gave."""

    readings: list[Reading] = field(default_factory=list)
    outage: Outage | None = None
    answered: bool = False  # the device said something
    gone: bool = False  # an instance that was there is not there any more
    shrunk: bool = False  # requests must be smaller: plan anew
    values: dict[bytes, Value] = field(default_factory=dict)


class Poll:
    """Runs a plan once for every `start`, and calls `done` with what it gave."""

    def __init__(
        self,
        plan: Plan,
        client: Client,
        transport: Transport,
        clock: Clock,
        done: Callable[["Poll", Result], None],
    ) -> None:
        self.plan = plan
        self.busy = False
        self._client = client
        self._transport = transport
        self._clock = clock
        self._done = done
        self._todo: list[Ask] = []
        self._flying: dict[int, Ask] = {}
        self._result = Result()
        self._stamps: dict[bytes, float] = {}
        self._ts = 0.0

    def start(self) -> None:
        """Send the first requests. Must not be called while busy."""
        self.busy = True
        self._result = Result()
        self._stamps = {}
        self._todo = list(reversed(self.plan.asks))
        self._send()

    def cancel(self) -> None:
        """Forget what is under way; `done` is not called."""
        for request_id in self._flying:
            self._transport.cancel(request_id)
        self._flying.clear()
        self._todo.clear()
        self.busy = False

    def _send(self) -> None:
        client = self._client
        while self._todo and len(self._flying) < _IN_FLIGHT:
            ask = self._todo.pop()
            client.stats.requests += 1
            request_id = self._transport.request(
                client.peer, ask.template, self._answered, client.stats.timeout_s(), client.tries
            )
            self._flying[request_id] = ask

    def _answered(self, request_id: int, answer: bytes | Outage, took_s: float) -> None:
        ask = self._flying.pop(request_id)
        if isinstance(answer, Outage):
            self._silent(ask, answer)
        else:
            self._client.stats.answered(took_s)
            self._result.answered = True
            try:
                self._take(ask, decode_pdu(answer))
            except Malformed as error:
                self._client.stats.errors += 1
                self._result.outage = Outage(OutageKind.MALFORMED, str(error))
        if self._todo:
            self._send()
        if not self._flying and not self._todo:
            self._finish()

    def _silent(self, ask: Ask, outage: Outage) -> None:
        result, client = self._result, self._client
        client.stats.timeouts += 1
        result.outage = outage
        if not result.answered and outage.kind in SILENT:
            self._todo.clear()  # it is away: asking on would only hold up the next poll
        elif outage.kind not in DENIED and len(ask.oids) > _SMALL:
            client.max_varbinds = max(_SMALL, client.max_varbinds // 2)
            result.shrunk = True

    def _take(self, ask: Ask, response: Response) -> None:
        result = self._result
        if response.status != ErrorStatus.NO_ERROR:
            self._refused(ask, response)
            return
        self._keep({varbind[0]: varbind[2] for varbind in response.varbinds})
        values = result.values
        missing = [oid for oid in ask.oids if oid not in values]
        if missing:
            self._incomplete(ask, missing, len(response.varbinds) < len(ask.oids))

    def _keep(self, values: dict[bytes, Value]) -> None:
        """Take values over, each with the time of its own frame."""
        self._ts = self._clock.now()
        self._result.values.update(values)
        if len(self.plan.asks) > 1:
            self._stamps |= dict.fromkeys(values, self._ts)

    def _incomplete(self, ask: Ask, missing: Sequence[bytes], cut_short: bool) -> None:
        """An answer without all that was asked: cut short, or a table that has changed."""
        client = self._client
        if ask.bulk:
            for at in range(0, len(missing), client.max_varbinds):
                self._todo.append(get_ask(missing[at : at + client.max_varbinds], client.access))
            if cut_short:
                client.max_varbinds = max(_SMALL, client.max_varbinds - 2)
                self._result.shrunk = True
            return
        self._client.stats.errors += 1
        self._result.outage = Outage(OutageKind.MALFORMED, "answer holds other objects than asked")

    def _refused(self, ask: Ask, response: Response) -> None:
        """An error-status: smaller, or without what the device cannot give."""
        client, result = self._client, self._result
        client.stats.errors += 1
        if response.status == ErrorStatus.TOO_BIG and len(ask.oids) > 1:
            middle = len(ask.oids) // 2
            client.max_varbinds = max(1, min(client.max_varbinds, middle))
            result.shrunk = True
            self._todo += [
                get_ask(o, client.access) for o in (ask.oids[:middle], ask.oids[middle:])
            ]
            return
        bad = response.index - 1
        if response.status == ErrorStatus.NO_SUCH_NAME and 0 <= bad < len(ask.oids):
            self._keep({ask.oids[bad]: Missing.NO_SUCH_INSTANCE})
        else:
            result.outage = outage_of(response)
        left = [oid for n, oid in enumerate(ask.oids) if n != bad]
        if 0 <= bad < len(ask.oids) and left:
            self._todo.append(get_ask(left, client.access))

    def _finish(self) -> None:
        result = self._result
        values, stamps, ts = result.values, self._stamps, self._ts
        plan, readings = self.plan, result.readings
        bounds = plan.bounds
        raws = list(map(values.get, plan.plain))
        if {*map(type, raws)} == {int}:
            times = map(stamps.__getitem__, plan.plain) if stamps else [ts] * len(raws)
            readings += plan.strip.readings(cast(list[int], raws), times)
            bounds = plan.others
        for bound in bounds:
            oid = bound.oid
            if oid not in values:
                continue  # its request failed; it turns stale unless the next one succeeds
            value = values[oid]
            if stamps:
                ts = stamps[oid]
            if bound.number is not None and type(value) is int:
                readings.append(bound.number(value, ts))
                continue
            if type(value) is Missing:
                result.gone = True
            reading = _decoded(bound, value, values, ts)
            if reading is not None:
                readings.append(reading)
        self.busy = False
        result.outage = result.outage or self._client.access.warning
        self._done(self, result)


def _decoded(
    bound: Bound, value: Value, values: Mapping[bytes, Value], ts: float
) -> Reading | None:
    """A reading that needs more than a factor."""
    binding = bound.binding
    guard = values.get(bound.guard) if bound.guard is not None else None
    reading = binding.decode(value, guard, ts)
    if reading is None and binding.expected:
        return binding.channel.bad("the part is not there any more", ts)
    if reading is None or binding.channel.metric.kind is not MetricKind.COUNTER:
        return reading
    before, bound.before = bound.before, reading.value
    return went_back(reading, before)
