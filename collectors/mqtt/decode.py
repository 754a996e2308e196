"""From one MQTT payload to readings. Pure: what came and when it came go in, readings come out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from collectors.base import CollectError
from collectors.decode import Channel
from collectors.mqtt.profile import Availability, PayloadTime
from dcim.model.reading import OutageKind, Quality, Reading

# Limits. Source: reference/mqtt/NOTES.md section 6; the skew: DESIGN section 2.
MAX_PAYLOAD = 256 * 1024
MAX_DEPTH = 32
MAX_SKEW_S = 300.0
_MAX_RAW_STATE = 2**31
_LONGEST_WORD = 64

RETAINED = "retained message, of unknown age"

_MISSING = object()
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


@dataclass(slots=True)
class Slot:
    """Where in a payload one point stands, and the channel that makes it a reading."""

    path: tuple[str, ...]
    channel: Channel
    texts: Mapping[str, int] = field(default_factory=dict)
    number_as_text: bool = False
    optional: bool = False
    absent: tuple[float, ...] = ()


@dataclass(slots=True)
class Topic:
    """What is known of the payloads of one topic of one device."""

    slots: tuple[Slot, ...]
    partial: bool = False
    time: PayloadTime | None = None


def decode(topic: Topic, payload: bytes, retained: bool, received: float) -> list[Reading]:
    """Readings of one payload; CollectError where it is not JSON or breaks a limit."""
    document = parse(payload)
    if not isinstance(document, dict):
        raise CollectError(
            OutageKind.MALFORMED,
            f"a JSON object is due, found {_what(document)}: {_shown(payload)}",
        )
    ts = _time(topic.time, document, received)
    skip = topic.partial
    readings = [
        reading
        for slot in topic.slots
        if (reading := _reading(slot, find(document, slot.path), ts, skip)) is not None
    ]
    return [_of_unknown_age(reading) for reading in readings] if retained else readings


def parse(payload: bytes) -> object:
    """JSON, with NaN and Infinity let through so that they spoil one reading, not the message."""
    if len(payload) > MAX_PAYLOAD:
        detail = f"{len(payload)} bytes of payload, at most {MAX_PAYLOAD} are read"
        raise CollectError(OutageKind.MALFORMED, detail)
    try:
        document = _loads(payload)
    except (ValueError, RecursionError) as error:
        detail = f"not JSON ({type(error).__name__}): {_shown(payload)}"
        raise CollectError(OutageKind.MALFORMED, detail) from error
    if payload.count(b"{") + payload.count(b"[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        raise CollectError(OutageKind.MALFORMED, f"JSON nested deeper than {MAX_DEPTH}")
    return document


def find(document: object, path: tuple[str, ...]) -> object:
    """What stands at the end of `path`; a number as key is an index where a list stands."""
    for key in path:
        if isinstance(document, dict):
            document = document.get(key, _MISSING)
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return _MISSING
    return document


def has(document: object, path: tuple[str, ...]) -> bool:
    """Whether anything stands at the end of `path`."""
    return find(document, path) is not _MISSING


def alive(rule: Availability, payload: bytes) -> bool | None:
    """What an availability topic says: True, False, or None where the profile does not know it.

    The payload is the word itself or a JSON object that holds it.
    """
    text = payload[:_LONGEST_WORD].decode("utf-8", "replace").strip().strip('"')
    if payload.lstrip()[:1] == b"{":
        text = _word(find(parse(payload), tuple(rule.path.split("."))))
    if text in rule.online:
        return True
    return False if text in rule.offline else None


def _word(found: object) -> str:
    """A JSON scalar as the availability rules write it."""
    return str(found).lower() if isinstance(found, bool) else str(found)


def _loads(payload: bytes) -> object:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return json.loads(payload.decode("utf-8"))


def _depth(document: object) -> int:
    depth, level = 0, [document]
    while level and depth <= MAX_DEPTH:
        depth += 1
        containers = [one for one in level if isinstance(one, (dict, list))]
        level = [
            child
            for one in containers
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _reading(slot: Slot, found: object, ts: float, partial: bool) -> Reading | None:
    """One reading; None where the part is absent, or nothing is said of it."""
    if found is _MISSING and (partial or slot.optional):
        return None
    if found is None and slot.optional:
        return None
    raw = _raw(slot, found)
    if isinstance(raw, str):
        return slot.channel.bad(raw, ts)
    if raw in slot.absent:
        return None
    return slot.channel.decode(raw, ts)


def _raw(slot: Slot, found: object) -> float | str:
    """The raw number, or why there is none."""
    if found is _MISSING:
        return "missing from the payload"
    if found is None:
        return "null"
    is_state = slot.channel.states is not None
    if isinstance(found, bool):
        return int(found) if is_state else f"{_word(found)} where a number is due"
    if isinstance(found, str):
        if found in slot.texts:
            return slot.texts[found]
        if not (slot.number_as_text and _NUMBER.fullmatch(found)):
            return f"text {found[:40]!r} where {'a known state' if is_state else 'a number'} is due"
        found = float(found)
    if not isinstance(found, (int, float)):
        return f"{_what(found)} where {'a state' if is_state else 'a number'} is due"
    try:
        raw = float(found)
    except OverflowError:
        return "a number too large to hold"
    if is_state and not (abs(raw) < _MAX_RAW_STATE and raw.is_integer()):
        return f"{raw:g} is not the number of a state"
    return raw


def _time(rule: PayloadTime | None, document: object, received: float) -> float:
    """The payload's own time where it is plausible, else that of receipt."""
    if rule is None:
        return received
    found = find(document, tuple(rule.path.split(".")))
    if isinstance(found, bool):
        return received
    if rule.format == "iso8601":
        ts = _iso8601(found)
    else:
        scale = 1e-3 if rule.format == "unix_ms" else 1.0
        known = isinstance(found, float) or (isinstance(found, int) and abs(found) < 2**53)
        ts = float(found) * scale if known else None  # type: ignore[arg-type]
    return ts if ts is not None and abs(ts - received) <= MAX_SKEW_S else received


def _iso8601(found: object) -> float | None:
    """UTC seconds; None where it is no time, or a local one without an offset."""
    if not isinstance(found, str):
        return None
    try:
        when = datetime.fromisoformat(found)
        return None if when.tzinfo is None else when.timestamp()
    except (ValueError, OverflowError):
        return None


def _of_unknown_age(reading: Reading) -> Reading:
    if reading.quality is not Quality.GOOD:
        return reading
    return reading._replace(quality=Quality.UNCERTAIN, reason=RETAINED)


def _what(found: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(found), "a number")


def _shown(payload: bytes) -> str:
    """The start of a payload, for people."""
    return repr(payload[:60].decode("utf-8", "replace"))
