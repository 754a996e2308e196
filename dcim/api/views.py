"""The agent's state in the words of the wire."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from functools import lru_cache
from heapq import nlargest
from typing import Any, Literal

import orjson

from collectors.base import Target, stale_after_s
from collectors.snmp.traps import TrapLog
from dcim import __version__
from dcim.api import cost
from dcim.api.agent import Agent
from dcim.config import User
from dcim.live import DeviceState
from dcim.model.alarm import Alarm
from dcim.model.asset import Device, Rack
from dcim.model.metric import Registry
from dcim.model.reading import Quality, Reading, object_of, rfc3339
from dcim.model.wire import (
    AlarmOut,
    DeviceOut,
    DeviceOutageOut,
    EdgeOut,
    ExplainOut,
    PlaceOut,
    ProtocolOut,
    RackOut,
    SiteOut,
    SlowOut,
    StatusOut,
    TrapCountsOut,
    TrapOut,
    TrapsOut,
    alarm_out,
    point_out,
)

_CHUNK = 250  # points between two looks at the rest of the loop
_RECENT_S = 30.0  # a device that gave something within this is not wholly out
_SLOW_S = 0.5  # smoothed time to answer
_MOST_SLOW = 10  # devices named
_time = lru_cache(1024)(rfc3339)  # the readings of a batch share theirs
MAX_PATTERNS = 64
MAX_PATTERN = 200


class Selection:
    """Points by glob patterns, comma-separated; `*` also crosses a slash. Empty: all."""

    def __init__(self, text: str | None) -> None:
        patterns = [part.strip() for part in (text or "").split(",") if part.strip()]
        if len(patterns) > MAX_PATTERNS or any(len(part) > MAX_PATTERN for part in patterns):
            raise ValueError(
                f"at most {MAX_PATTERNS} patterns of at most {MAX_PATTERN} characters each"
            )
        self._match = re.compile("|".join(map(translate, patterns))).match if patterns else None

    def of(self, readings: Iterable[Reading]) -> list[Reading]:
        match = self._match
        return [r for r in readings if match is None or match(r.point)]


def points_json(
    readings: Sequence[Reading], chosen: Selection, registry: Registry
) -> Iterator[bytes]:
    """The selected items of a JSON array of points, some at a time."""
    separator = b""
    for start in range(0, len(readings), _CHUNK):
        part = chosen.of(readings[start : start + _CHUNK])
        if part:
            yield separator + orjson.dumps([point_fields(r, registry) for r in part])[1:-1]
            separator = b","
        else:
            yield b""


def point_fields(reading: Reading, registry: Registry) -> dict[str, Any]:
    """`wire.PointOut` of a reading as a plain dict, for the many."""
    metric = registry.get(reading.metric)
    derivation = reading.derivation
    return {
        "point": reading.point,
        "value": reading.value,
        "unit": metric.unit if metric else "1",
        "state": reading.state,
        "raw": reading.raw,
        "ts": _time(reading.ts),
        "quality": reading.quality,
        "reason": reading.reason,
        "source": reading.source,
        "coverage": derivation.coverage if derivation else None,
        "category": derivation.category if derivation else None,
    }


def alarm(agent: Agent, one: Alarm) -> AlarmOut:
    return alarm_out(one, agent.site.path(object_of(one.address)))


def alarms(agent: Agent) -> list[AlarmOut]:
    """Gravest first, and of these the newest."""
    ordered = sorted(agent.alarms.alarms(), key=lambda one: (one.priority, -one.raised_at))
    return [alarm(agent, one) for one in ordered]


def device(agent: Agent, one: Device) -> DeviceOut:
    state = agent.live.devices.get(one.id, DeviceState(one.id))
    identity, target = state.identity, agent.targets.get(one.id)
    return DeviceOut(
        id=one.id,
        name=one.name,
        kind=identity.kind if identity else one.kind,
        vendor=identity.vendor if identity else "",
        model=identity.model if identity else "",
        profiles=list(identity.profiles) if identity else [],
        place=one.place,
        path=list(agent.site.path(one.id)),
        address=one.address,
        protocol=target.url.protocol if target else "",
        status=status_of(state, agent.clock.now(), target),
        outage=state.outage.kind if state.outage else None,
        detail=state.outage.detail if state.outage else None,
        since=_when(state.since),
        last_answer=_when(state.last_answer),
        points=len(agent.live.points_of(one.id)),
        inventory=identity.inventory if identity else {},
    )


def status_of(
    state: DeviceState, now: float, target: Target | None = None
) -> Literal["ok", "degraded", "outage", "unknown"]:
    """Degraded: something is wrong, or it gave less than asked, but it did give something."""
    if state.outage is None:
        return "unknown" if state.since is None else "ok"
    if state.last_answer is None or state.since is None or state.last_answer < state.since:
        return "outage"
    recent_s = max(_RECENT_S, stale_after_s(target.intervals.normal) if target else 0.0)
    return "degraded" if now - state.last_answer <= recent_s else "outage"


def devices(agent: Agent) -> list[DeviceOut]:
    return [device(agent, one) for one in agent.site.devices.values()]


def racks(agent: Agent) -> list[RackOut]:
    """Every rack with its derived power, and the alarms on it and on what stands in it."""
    standing: dict[str, list[Alarm]] = {}
    for one in agent.alarms.alarms():
        if one.annunciated:
            for place in agent.site.path(object_of(one.address)):
                if place in agent.site.racks:
                    standing.setdefault(place, []).append(one)
    feeds = sorted({edge.feed for edge in agent.site.feeds})
    return [rack(agent, one, feeds, standing.get(one.id, [])) for one in agent.site.racks.values()]


def rack(agent: Agent, one: Rack, feeds: Sequence[str], standing: Sequence[Alarm]) -> RackOut:
    readings = agent.live.readings
    power = readings.get(f"{one.id}/power.active")
    share = readings.get(f"{one.id}/power.limit_share")
    failover = readings.get(f"{one.id}/feed.failover")
    by_feed = {feed: readings.get(f"{one.id}/feed/{feed}/power.active") for feed in feeds}
    row = agent.site.rows.get(one.row)
    return RackOut(
        id=one.id,
        row=one.row,
        hall=row.hall if row else "",
        position=one.position,
        u=one.u,
        cooling=one.cooling,
        limit_kw=one.limit_kw,
        limit_kw_feed=one.limit_kw_feed,
        power_kw=_kw(power),
        share=share.value / 100 if share and share.value is not None else None,
        feeds_kw={feed: _kw(reading) for feed, reading in by_feed.items() if reading},
        failover=failover.state if failover else None,
        quality=power.quality if power else "bad",
        reason=power.reason if power else "no power reading yet",
        coverage=power.derivation.coverage if power and power.derivation else None,
        alarms=len(standing),
        worst=min((int(a.priority) for a in standing), default=None),
    )


def site(agent: Agent) -> SiteOut:
    here = agent.site
    places = [PlaceOut(id=here.id, kind="site", name=here.name)]
    places += [
        PlaceOut(id=h.id, kind="hall", parent=here.id, name=h.name) for h in here.halls.values()
    ]
    places += [
        PlaceOut(id=r.id, kind="row", parent=r.hall, name=r.name) for r in here.rows.values()
    ]
    places += [
        PlaceOut(id=r.id, kind="rack", parent=r.row, name=r.name) for r in here.racks.values()
    ]
    places += [PlaceOut(id=one.id, kind="loop", parent=here.id) for one in here.loops.values()]
    return SiteOut(
        id=here.id,
        name=here.name,
        timezone=agent.timezone,
        places=places,
        racks=racks(agent),
        devices=devices(agent),
        feeds=[
            EdgeOut(source=f.source, target=f.target, feed=f.feed, rating_a=f.rating_a)
            for f in here.feeds
        ],
        serves=[
            EdgeOut(source=s.source, target=s.target, loop=s.loop or None) for s in here.serves
        ],
        metering=[
            {"role": m.role.value, "point": m.point, "category": m.category} for m in here.metering
        ],
    )


def protocols(agent: Agent) -> dict[str, ProtocolOut]:
    now = agent.clock.now()
    found: dict[str, ProtocolOut] = {}
    for target in agent.targets.values():
        one = found.setdefault(target.url.protocol, ProtocolOut())
        state = agent.live.devices.get(target.device, DeviceState(target.device))
        status = status_of(state, now, target)
        one.devices += 1
        one.ok += status == "ok"
        one.degraded += status == "degraded"
        one.outage += status == "outage"
    for protocol, count in agent.hub.counts.items():
        found.setdefault(protocol, ProtocolOut()).readings = count
    for protocol, counters in agent.polls.items():
        one = found.setdefault(protocol, ProtocolOut())
        one.polls, one.late = counters.polls, counters.late
    return found


def status(agent: Agent, user: User | None = None, most_out: int | None = None) -> StatusOut:
    """How the agent is doing; some milliseconds on a large site. `most_out`: devices named."""
    silent = out(agent)
    named = silent[:most_out]
    rest = silent[len(named) :]
    alarms = list(agent.alarms.alarms())
    shown = [one for one in alarms if one.annunciated]
    return StatusOut(
        site=agent.site.id,
        version=__version__,
        now=rfc3339(agent.clock.now()),
        started=rfc3339(agent.started),
        points={q.value: n for q, n in qualities(agent).items()},
        alarms={str(p): n for p, n in sorted(Counter(int(a.priority) for a in shown).items())},
        unacknowledged=sum(not one.state.acknowledged for one in shown),
        shelved=sum(one.shelved_until is not None for one in alarms),
        suppressed=sum(one.suppressed_by is not None for one in alarms),
        protocols=protocols(agent),
        store=agent.store_status(),
        webhooks=list(agent.webhooks_status()),
        slow=slow(agent),
        out=named,
        more_out=sum(not one.degraded for one in rest),
        more_degraded=sum(one.degraded for one in rest),
        traps=agent.trap_counts(),
        cpu_s=round(cost.cpu_s(), 3),
        rss_mb=round(cost.rss_mb(), 1),
        user=user.name if user else "",
        role=user.role if user else "",
    )


def slow(agent: Agent) -> list[SlowOut]:
    """The devices that take longest to answer, if that is long."""
    found = [(one.latency_s, device) for device, one in agent.requests().items()]
    worst = nlargest(_MOST_SLOW, (each for each in found if each[0] >= _SLOW_S))
    return [SlowOut(device=device, latency_s=round(s, 3)) for s, device in worst]


def out(agent: Agent) -> list[DeviceOutageOut]:
    """Devices that are out, then degraded ones."""
    now, found = agent.clock.now(), []
    for device, state in agent.live.devices.items():
        if state.outage is not None:
            degraded = status_of(state, now, agent.targets.get(device)) == "degraded"
            found.append((degraded, device, state.outage))
    return [
        DeviceOutageOut(device=device, outage=outage.kind, detail=outage.detail, degraded=degraded)
        for degraded, device, outage in sorted(found, key=lambda each: each[:2])
    ]


def qualities(agent: Agent) -> dict[Quality, int]:
    found = [reading.quality for reading in agent.live.readings.values()]
    return {quality: found.count(quality) for quality in Quality}  # compares by identity: fast


def explain(agent: Agent, reading: Reading) -> ExplainOut:
    """Where a value comes from."""
    owner, _, key = reading.point.partition("/")
    metric = agent.registry.get(reading.metric)
    derivation = reading.derivation
    target = agent.targets.get(owner)
    override = target.override.get(key) if target else None
    one = agent.site.devices.get(owner)
    return ExplainOut(
        point=point_out(reading, agent.registry),
        meaning=metric.meaning if metric else "",
        kind=metric.kind if metric else "",
        range=metric.range if metric else None,
        age_s=round(max(0.0, agent.clock.now() - reading.ts), 3),
        stale_after_s=agent.live.stale_after_s(reading.point),
        device=device(agent, one) if one else None,
        override={"scale": override.scale, "offset": override.offset} if override else None,
        formula=f"{derivation.formula} v{derivation.version}" if derivation else None,
        inputs=[
            {"point": i.point, "value": i.value, "age_s": i.age_s, "quality": i.quality.value}
            for i in (derivation.inputs if derivation else ())
        ],
        coverage=derivation.coverage if derivation else None,
        uncertainty=derivation.uncertainty if derivation else None,
        rules=agent.alarms.rules_for(reading.point),
        alarms=[
            alarm(agent, a) for a in agent.alarms.alarms() if a.address in (reading.point, owner)
        ],
    )


def _kw(reading: Reading | None) -> float | None:
    return reading.value / 1000 if reading and reading.value is not None else None


def _when(ts: float | None) -> str | None:
    return None if ts is None else rfc3339(ts)


def traps_out(log: TrapLog) -> TrapsOut:
    """What the trap receiver has seen; newest first."""
    kinds = [
        TrapOut(
            source=one.source,
            devices=list(one.devices),
            version=one.version,
            oid=one.oid,
            hint=one.hint,
            first=rfc3339(one.first),
            last=rfc3339(one.last),
            count=one.count,
            varbinds=dict(one.varbinds),
        )
        for one in reversed(log.kinds.values())
    ]
    return TrapsOut(**trap_counts(log).model_dump(), traps=kinds)


def trap_counts(log: TrapLog) -> TrapCountsOut:
    """The trap receiver's counters."""
    return TrapCountsOut(
        listen=log.listen,
        problem=log.problem,
        received=log.received,
        known=log.known,
        unknown=log.unknown,
        dropped=sum(log.dropped.values()),
        dropped_by=dict(log.dropped),
        refused=dict(log.refused),
        informs=log.informs,
        confirmations=log.confirmations,
    )
