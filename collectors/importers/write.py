"""A draft as the TOML text of a profile, and the proof that it loads."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from collectors.importers.draft import Draft, ImportFault
from collectors.importers.row import Row
from collectors.modbus.profile import Profile


def text_of(draft: Draft) -> str:
    """The profile file; ImportFault with every reason why it would not load."""
    if not draft.rows:
        some = "; ".join(draft.left_out[:3]) or "no registers but texts"
        raise ImportFault(f"no register of this map is a measurement that is known: {some}")
    head: dict[str, Any] = {
        "name": draft.name,
        "protocol": "modbus",
        "kind": draft.kind,
        "vendor": draft.vendor,
        "model": draft.model,
        "evidence": draft.evidence,
        "sources": [draft.source],
        "note": draft.note,
    }
    lines = [f"{key} = {_value(value)}" for key, value in head.items() if value]
    lines += ["", *items("point", draft.rows)]
    if draft.plausible:
        lines += ["", *_list("plausible", draft.plausible)]
    if draft.inventory:
        lines += ["", *_list("inventory", draft.inventory)]
    if draft.link:
        lines += ["", "[link]", *(f"{key} = {_value(value)}" for key, value in draft.link.items())]
    for test in draft.identify:
        lines += ["", "[[identify]]", *(f"{key} = {_value(value)}" for key, value in test.items())]
    text = "\n".join(lines) + "\n"
    _check(text)
    return text


def items(name: str, rows: Sequence[Row]) -> list[str]:
    """Rows as the lines of an array of points."""
    return _list(name, [_point(row) for row in rows])


def _check(text: str) -> None:
    try:
        Profile.model_validate(tomllib.loads(text))
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, e['loc'])) or 'profile'}: {e['msg']}" for e in error.errors()
        )
        raise ImportFault("; ".join(faults)) from None


def _point(row: Row) -> dict[str, Any]:
    point: dict[str, Any] = {
        "metric": row.metric,
        "component": row.component,
        "unit": row.unit,
        "group": row.group,
        "scale": 0 if row.scale == 1 else row.scale,
        "offset": row.offset,
        "at": row.at,
        "repeat": row.repeat,
        "bits": row.bits,
        "rest": row.rest,
        "when": row.when,
        "states": row.states,
        "other_state": row.other_state,
        "absent": row.absent,
        "invalid": row.invalid,
        "doubtful": row.doubtful,
    }
    return {key: value for key, value in point.items() if value}


def _list(name: str, items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{name} = [", *(f"  {_value(item)}," for item in items), "]"]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return str(int(value)) if 1e15 <= abs(value) < 1e20 else f"{value:.12g}"
    return json.dumps(value, ensure_ascii=False)


def _key(key: Any) -> str:
    text = f"{key:g}" if isinstance(key, float) else str(key)
    return text if text.replace("_", "").replace("-", "").isalnum() else json.dumps(text)
