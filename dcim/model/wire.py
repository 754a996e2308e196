"""What the agent's HTTP API says, shared by the server and its client. Times are RFC 3339, UTC."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dcim.model.alarm import Alarm, AlarmState
from dcim.model.metric import Registry
from dcim.model.reading import Reading, rfc3339


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")  # a newer agent may say more


class PointOut(Wire):
    """One point as it is now."""

    point: str
    value: float | None = None
    unit: str = "1"
    state: str | None = None
    raw: int | None = None
    ts: str
    quality: str = "good"
    reason: str | None = None
    source: str | None = None
    coverage: float | None = None  # derived readings only
    category: int | None = None  # of a PUE, 1..3


class AlarmOut(Wire):
    """One alarm as it stands."""

    id: str
    rule: str
    address: str
    occurrence: int
    seq: int
    state: AlarmState
    priority: int
    title: str
    title_zh: str = ""
    value: float | None = None  # at the raise, an escalation or the clear, whichever was last
    value_state: str | None = None
    raised_value: float | None = None
    raised_state: str | None = None
    unit: str = ""
    limit: float | None = None
    condition: str = ""
    quality: str = "good"
    reason: str | None = None
    raised_at: str
    acked_at: str | None = None
    ack_by: str | None = None
    comment: str | None = None
    cleared_at: str | None = None
    latching: bool = False
    shelved_until: str | None = None
    suppressed_by: str | None = None
    suppressed_children: int = 0
    path: list[str] = []  # from the site down to the object
    because: str = ""  # its reason: which other conditions, or the kind of an outage
    cause: str = ""
    consequence: str = ""
    action: str = ""
    runbook_url: str = ""


class DeviceOut(Wire):
    """One device: what it is and how it is doing."""

    id: str
    name: str = ""
    kind: str = ""
    vendor: str = ""
    model: str = ""
    profiles: list[str] = []
    place: str = ""
    path: list[str] = []
    address: str = ""  # URL without secrets
    protocol: str = ""
    status: Literal["ok", "degraded", "outage", "unknown"] = "unknown"
    outage: str | None = None  # kind
    detail: str | None = None
    since: str | None = None
    last_answer: str | None = None
    points: int = 0
    inventory: dict[str, str] = {}


class RackOut(Wire):
    """One rack for the planner."""

    id: str
    row: str
    hall: str
    position: int = 0
    u: int = 48
    cooling: str = "air"
    limit_kw: float | None = None
    limit_kw_feed: float | None = None
    power_kw: float | None = None
    share: float | None = None  # power over limit, 0..1
    feeds_kw: dict[str, float | None] = {}  # by feed, "A": 31.2
    failover: str | None = None  # state code of feed.failover
    quality: str = "good"
    reason: str | None = None
    coverage: float | None = None
    alarms: int = 0  # annunciated alarms on the rack or what stands in it
    worst: int | None = None  # best (lowest number) priority among them


class PlaceOut(Wire):
    id: str
    kind: Literal["site", "hall", "row", "rack", "loop"]
    parent: str | None = None
    name: str = ""


class EdgeOut(Wire):
    """An edge of the power (`feed`) or cooling (`loop`) graph."""

    source: str
    target: str
    feed: str | None = None
    loop: str | None = None
    rating_a: float | None = None


class SiteOut(Wire):
    """The tree and the graphs: what a client needs once to draw everything."""

    id: str
    name: str = ""
    timezone: str = "UTC"
    places: list[PlaceOut] = []
    racks: list[RackOut] = []
    devices: list[DeviceOut] = []
    feeds: list[EdgeOut] = []
    serves: list[EdgeOut] = []
    metering: list[dict[str, Any]] = []


class ProtocolOut(Wire):
    """The devices behind one protocol."""

    devices: int = 0
    ok: int = 0
    degraded: int = 0  # they answer, but something is wrong
    outage: int = 0
    readings: int = 0  # since the start
    polls: int = 0
    late: int = 0


class StoreOut(Wire):
    kind: str = ""  # embedded, influx
    ok: bool = True
    detail: str | None = None
    stored: int = 0  # readings
    queued: int = 0
    spooled: int = 0  # readings on disk, waiting for the store
    dropped: int = 0


class WebhookOut(Wire):
    name: str
    ok: bool = True
    detail: str | None = None
    delivered: int = 0
    pending: int = 0
    failed_attempts: int = 0
    dropped: int = 0
    last_latency_s: float | None = None


class SlowOut(Wire):
    """A device that takes long to answer."""

    device: str
    latency_s: float


class TrapCountsOut(Wire):
    """SNMP traps and informs since the agent started."""

    listen: str = ""  # empty: not switched on
    problem: str = ""
    received: int = 0
    known: int = 0
    unknown: int = 0
    dropped: int = 0  # over a limit
    dropped_by: dict[str, int] = {}  # by limit
    refused: dict[str, int] = {}  # by reason
    informs: int = 0  # answered
    confirmations: int = 0  # polls asked for


class DeviceOutageOut(Wire):
    """A device that does not answer, or answers with something wrong."""

    device: str
    outage: str
    detail: str = ""
    degraded: bool = False


class StatusOut(Wire):
    """How the agent itself is doing; small, sent with every second's tick."""

    site: str
    version: str
    now: str
    started: str
    points: dict[str, int] = {}  # by quality
    alarms: dict[str, int] = {}  # annunciated, by priority "1".."4"
    unacknowledged: int = 0
    shelved: int = 0
    suppressed: int = 0
    protocols: dict[str, ProtocolOut] = {}
    store: StoreOut = StoreOut()
    webhooks: list[WebhookOut] = []
    slow: list[SlowOut] = []  # devices that take long to answer, the slowest first
    out: list[DeviceOutageOut] = []  # devices that are out, then degraded ones; on a tick some
    more_out: int = 0  # beside those
    more_degraded: int = 0
    traps: TrapCountsOut = TrapCountsOut()
    cpu_s: float = 0.0  # of the agent since its start
    rss_mb: float = 0.0
    user: str = ""  # who the token belongs to
    role: str = ""


class TrendBucket(Wire):
    """One step of a trend; None where no good or uncertain sample fell into it."""

    ts: str  # start of the step
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    last: float | None = None
    count: int = 0


class TrendOut(Wire):
    point: str
    unit: str
    step_s: float
    buckets: list[TrendBucket]


class UsageOut(Wire):
    """PUE, WUE and CUE of a window, by energy and water; a ratio without value has a reason."""

    start: str
    end: str
    pue: float | None = None
    wue: float | None = None  # l/kWh
    cue: float | None = None  # kg/kWh
    total_kwh: float = 0.0
    it_kwh: float = 0.0
    water_l: float = 0.0
    coverage: float = 0.0  # of PUE, 0..1
    coverage_wue: float = 0.0
    category: int | None = None  # of the PUE
    reasons: dict[str, str] = {}


class ExplainOut(Wire):
    """Where a value comes from: registry entry, device, profile, source, override, inputs, alarms."""

    point: PointOut
    meaning: str = ""
    kind: str = ""
    range: tuple[float, float] | None = None
    age_s: float | None = None
    stale_after_s: float | None = None
    device: DeviceOut | None = None
    override: dict[str, float] | None = None
    formula: str | None = None
    inputs: list[dict[str, Any]] = []
    coverage: float | None = None
    uncertainty: float | None = None
    rules: list[str] = []  # ids of the alarm rules that watch it
    alarms: list[AlarmOut] = []


class AckIn(BaseModel):
    """Body of POST /v1/alarms/{id}/ack."""

    model_config = ConfigDict(extra="forbid")
    occurrence: int
    comment: str = ""


class ShelveIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    occurrence: int
    duration_s: float
    reason: str


class ActionOut(Wire):
    """What became of an ack, shelve, unshelve or reset."""

    result: Literal["accepted", "already", "returned", "refused"]
    detail: str = ""
    alarm: AlarmOut | None = None


class Event(Wire):
    """One server-sent event of GET /v1/events; `event:` is its kind, `id:` its seq.

    snapshot: all selected points, all annunciated, shelved and suppressed alarms, status
    delta:    what has changed since (at most one each second for points, at once for alarms);
              an alarm in state `normal` is over and leaves the list
    resync:   the client was too slow; it must open a new stream
    """

    kind: Literal["snapshot", "delta", "resync"]
    seq: int
    points: list[PointOut] = []
    alarms: list[AlarmOut] = []
    status: StatusOut | None = None


def point_out(reading: Reading, registry: Registry) -> PointOut:
    metric = registry.get(reading.metric)
    return PointOut(
        point=reading.point,
        value=reading.value,
        unit=metric.unit if metric else "1",
        state=reading.state,
        raw=reading.raw,
        ts=rfc3339(reading.ts),
        quality=reading.quality,
        reason=reading.reason,
        source=reading.source,
        coverage=reading.derivation.coverage if reading.derivation else None,
        category=reading.derivation.category if reading.derivation else None,
    )


def alarm_out(alarm: Alarm, path: tuple[str, ...] = ()) -> AlarmOut:
    def when(ts: float | None) -> str | None:
        return None if ts is None else rfc3339(ts)

    return AlarmOut(
        id=alarm.id,
        rule=alarm.rule,
        address=alarm.address,
        occurrence=alarm.occurrence,
        seq=alarm.seq,
        state=alarm.state,
        priority=int(alarm.priority),
        title=alarm.title,
        title_zh=alarm.title_zh,
        value=alarm.value,
        value_state=alarm.value_state,
        raised_value=alarm.raised_value,
        raised_state=alarm.raised_state,
        unit=alarm.unit,
        limit=alarm.limit,
        condition=alarm.condition,
        quality=alarm.quality,
        reason=alarm.reason,
        raised_at=rfc3339(alarm.raised_at),
        acked_at=when(alarm.acked_at),
        ack_by=alarm.ack_by,
        comment=alarm.comment,
        cleared_at=when(alarm.cleared_at),
        latching=alarm.latching,
        shelved_until=when(alarm.shelved_until),
        suppressed_by=alarm.suppressed_by,
        suppressed_children=alarm.suppressed_children,
        path=list(path),
        because=alarm.because,
        cause=alarm.cause,
        consequence=alarm.consequence,
        action=alarm.action,
        runbook_url=alarm.runbook_url,
    )


class TrapOut(Wire):
    """SNMP traps of one kind from one sender; the values are the latest's."""

    source: str
    devices: list[str] = []
    version: str = ""
    oid: str
    hint: str | None = None  # what the device's profile says it means; None: unknown
    first: str
    last: str
    count: int = 1
    varbinds: dict[str, str] = {}


class TrapsOut(TrapCountsOut):
    """What the trap receiver has seen since the agent started."""

    traps: list[TrapOut] = []
