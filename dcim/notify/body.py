"""What a webhook says of an alarm: JSON of less than 20 kB, in English and Chinese."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from dcim.model.alarm import AlarmEvent, EventType, Priority
from dcim.model.asset import Site
from dcim.model.reading import object_of, rfc3339

MAX_BYTES = 20_000  # Source: Standard Webhooks 1.0.0, "payload size"
_TEXT_LIMITS = (2000, 500, 100)  # characters of one free text; the first that fits

_PRIORITY = {
    Priority.CRITICAL: ("CRITICAL", "紧急"),
    Priority.HIGH: ("HIGH", "高"),
    Priority.MEDIUM: ("MEDIUM", "中"),
    Priority.LOW: ("LOW", "低"),
}
_CHANGE = {
    EventType.RAISED: ("raised", "告警产生"),
    EventType.ESCALATED: ("escalated", "告警升级"),
    EventType.ACKNOWLEDGED: ("acknowledged", "告警已确认"),
    EventType.CLEARED: ("cleared", "告警恢复"),
    EventType.RESET: ("reset", "告警复位"),
    EventType.SHELVED: ("shelved", "告警搁置"),
    EventType.UNSHELVED: ("unshelved", "告警取消搁置"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """The object an alarm speaks of, for people."""

    id: str
    name: str = ""
    type: str = ""
    path: tuple[str, ...] = ()  # from the site down to the object


AssetOf = Callable[[str], Asset]  # by object id


def assets_of(site: Site, kind_of: Callable[[str], str] = lambda device: "") -> AssetOf:
    """Look assets up in a site; `kind_of` knows what devices of profile `auto` turned out to be."""

    def look_up(object_id: str) -> Asset:
        path = site.path(object_id)
        if (device := site.devices.get(object_id)) is not None:
            return Asset(object_id, device.name, kind_of(object_id) or device.kind, path)
        tables: dict[str, Mapping[str, object]] = {
            "rack": site.racks,
            "row": site.rows,
            "hall": site.halls,
            "loop": site.loops,
        }
        for kind, table in tables.items():
            if object_id in table:
                return Asset(object_id, getattr(table[object_id], "name", ""), kind, path)
        name = site.name if object_id == site.id else ""
        return Asset(object_id, name, "site" if object_id == site.id else "", path)

    return look_up


def message_id(event: AlarmEvent, site: str) -> str:
    """The same for the same event, whoever asks and however often; holds no dot."""
    alarm = event.alarm
    facts = (site, alarm.id, alarm.occurrence, alarm.seq, event.type.value, round(event.ts * 1000))
    return f"msg_{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"


def alarm_body(event: AlarmEvent, asset: Asset, site: str, version: str) -> bytes:
    """The body of the webhook about one change of one alarm."""
    for limit in _TEXT_LIMITS:
        data = _data(event, asset, site, version, limit)
        body = envelope(event.type, event.ts, data)
        if len(body) < MAX_BYTES:
            break
    return body


def envelope(kind: str, ts: float, data: Mapping[str, object]) -> bytes:
    """`{"type", "timestamp", "data"}` as bytes; these are signed and sent as they are."""
    return orjson.dumps({"type": str(kind), "timestamp": rfc3339(ts), "data": data})


def _data(
    event: AlarmEvent, asset: Asset, site: str, version: str, limit: int
) -> dict[str, object]:
    """Source: reference/standards/NOTIFY.md section 1, `data` of an alarm."""
    alarm = event.alarm
    return {
        "alarm_id": alarm.id,
        "occurrence_id": alarm.occurrence,
        "seq": alarm.seq,
        "state": alarm.state.value,
        "previous_state": event.previous.value,
        "priority": int(alarm.priority),
        "asset": {
            "id": asset.id,
            "name": _clip(asset.name or asset.id, limit),
            "type": asset.type,
            "path": list(asset.path),
        },
        "point": alarm.address,
        "value": alarm.value if alarm.value_state is None else alarm.value_state,
        "raised_value": alarm.raised_value if alarm.raised_state is None else alarm.raised_state,
        "unit": alarm.unit,
        "limit": alarm.limit,
        "condition": _clip(alarm.condition, limit),
        "raised_at": rfc3339(alarm.raised_at),
        "acked_at": _when(alarm.acked_at),
        "cleared_at": _when(alarm.cleared_at),
        "shelved_until": _when(alarm.shelved_until),
        "ack_by": alarm.ack_by,
        "comment": _clip(event.comment or alarm.comment or "", limit),
        "message": {
            language: _clip(text, limit) for language, text in _message(event, asset).items()
        },
        "because": _clip(alarm.because, limit),
        "cause": _clip(alarm.cause, limit),
        "consequence": _clip(alarm.consequence, limit),
        "action": _clip(alarm.action, limit),
        "runbook_url": alarm.runbook_url if len(alarm.runbook_url) <= limit else "",
        "suppressed_children": alarm.suppressed_children,
        "quality": alarm.quality.value,
        "reason": _clip(alarm.reason or "", limit),
        "site": site,
        "agent_version": version,
    }


def _message(event: AlarmEvent, asset: Asset) -> dict[str, str]:
    """One line for a pager: what, where, the value, and the reason where it is known."""
    alarm = event.alarm
    place = asset.name or object_of(alarm.address)
    change, change_zh = _CHANGE[event.type]
    priority, priority_zh = _PRIORITY[alarm.priority]
    en = f"{priority} {change}: {alarm.title} at {place} ({alarm.address}"
    zh = f"【{priority_zh}】{change_zh}：{place} {alarm.title_zh or alarm.title}（{alarm.address}"  # noqa: RUF001
    now = _text(alarm.value_state, alarm.value, alarm.unit)
    was = _text(alarm.raised_state, alarm.raised_value, alarm.unit)
    if alarm.state.active or not was:
        value = value_zh = f" = {now}" if now else ""
    else:
        value, value_zh = f" was {was}, now {now}", f" 曾为 {was}，现为 {now}"  # noqa: RUF001
    because = because_zh = ""
    if alarm.state.active and alarm.because:
        because = f"; {alarm.because}"
        because_zh = f"；{alarm.because_zh or alarm.because}"  # noqa: RUF001
    return {"en": f"{en}{value}){because}", "zh": f"{zh}{value_zh}）{because_zh}"}  # noqa: RUF001


def _text(state: str | None, value: float | None, unit: str) -> str:
    """A value for people, "" where there is none."""
    if state is not None:
        return state
    if value is None:
        return ""
    return f"{value:g}" if unit in ("", "1") else f"{value:g} {unit}"


def _when(ts: float | None) -> str | None:
    return None if ts is None else rfc3339(ts)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
