"""Telegraf's modbus input (TOML), in its `register`, `request` and `metric` styles.

Source: influxdata/telegraf plugins/inputs/modbus README.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.importers.draft import Draft, Row
from collectors.importers.guess import named_unit, slug

_TABLES = {
    "coil": "coil",
    "coils": "coil",
    "discrete": "discrete",
    "discrete_inputs": "discrete",
    "holding": "holding",
    "holding_registers": "holding",
    "input": "input",
    "input_registers": "input",
}
_TYPES = {
    "INT16": "i16",
    "UINT16": "u16",
    "INT32": "i32",
    "UINT32": "u32",
    "INT64": "i64",
    "UINT64": "u64",
    "FLOAT32": "f32",
    "FLOAT32-IEEE": "f32",
    "FLOAT64": "f64",
    "FLOAT64-IEEE": "f64",
    "FIXED": "i",
    "UFIXED": "u",
}
_ORDERS = {  # (word order, byte order)
    "AB": ("big", "big"),
    "BA": ("big", "little"),
    "ABCD": ("big", "big"),
    "DCBA": ("little", "little"),
    "BADC": ("big", "little"),
    "CDAB": ("little", "big"),
    "ABCDEFGH": ("big", "big"),
    "HGFEDCBA": ("little", "little"),
    "BADCFEHG": ("big", "little"),
    "GHEFCDAB": ("little", "big"),
}


def is_map(data: Mapping[str, Any]) -> bool:
    return "modbus" in data.get("inputs", {}) or any(k in data for k in _TABLES)


def read(data: Mapping[str, Any], source: str) -> Draft:
    """A draft of the first device; the fields of others are left out, and said so."""
    plugins = data["inputs"]["modbus"] if "inputs" in data else [data]
    plugin = plugins[0]
    draft = Draft(source, name=slug(str(plugin.get("name", ""))) if plugin.get("name") else "")
    if "baud_rate" in plugin:
        draft.link = {"baud": plugin["baud_rate"], "parity": plugin.get("parity", "N")}
    workarounds = plugin.get("workarounds", {})
    if pause := workarounds.get("pause_after_connect"):
        draft.link["connect_delay_s"] = _seconds(pause)
    found = [one for section in plugins for one in _fields(section)]
    for device, table, field, order in found:
        row = _row(table, field, order)
        if device != found[0][0]:
            draft.left_out.append(f"{field.get('name')}: of another device, {device}")
        elif row is None:
            draft.left_out.append(f"{field.get('name')}: {field.get('data_type') or field['type']}")
        else:
            draft.rows.append(row)
    return draft


def _fields(plugin: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], str]]:
    """(device, table, field, byte order) of all styles."""

    def device(part: Mapping[str, Any]) -> str:
        where = plugin.get("controller", "")
        unit = part.get("slave_id", plugin.get("slave_id", 1))
        return f"unit {unit} at {where}" if where else f"unit {unit}"

    for key in ("coils", "discrete_inputs", "holding_registers", "input_registers"):
        for field in plugin.get(key, ()):
            yield device(plugin), _TABLES[key], field, field.get("byte_order", "")
    for request in plugin.get("request", ()):
        for field in request.get("fields", ()):
            table = _TABLES[request.get("register", "holding")]
            yield device(request), table, field, request.get("byte_order", "ABCD")
    for metric in plugin.get("metric", ()):
        for field in metric.get("fields", ()):
            table = _TABLES[field.get("register", "holding")]
            yield device(metric), table, field, metric.get("byte_order", "ABCD")


def _row(table: str, field: Mapping[str, Any], order: str) -> Row | None:
    address = field["address"]
    if table in ("coil", "discrete"):
        first = address[0] if isinstance(address, list) else address
        return Row(field["name"], {"table": table, "address": first})
    kind = _TYPES.get(str(field.get("data_type") or field.get("type")))
    if kind is None:
        return None
    words = address if isinstance(address, list) else [address]
    if kind in ("i", "u"):
        kind += str(16 * len(words))
    at: dict[str, Any] = {"address": words[0]} | ({} if kind == "u16" else {"type": kind})
    if table != "holding":
        at = {"table": table} | at
    if isinstance(address, list) and words != list(range(words[0], words[0] + len(words))):
        at = {key: value for key, value in at.items() if key != "address"} | {"words": words}
        order = "AB" if order[:2] == "AB" else "BA"
    word_order, byte_order = _ORDERS.get(order, ("big", "big"))
    at |= {"word_order": "little"} if word_order == "little" and kind[1:] != "16" else {}
    at |= {"byte_order": "little"} if byte_order == "little" else {}
    if "bit" in field:
        at["bit"] = field["bit"]
    unit = named_unit(field["name"])
    return Row(field["name"], at, unit=unit, scale=float(field.get("scale") or 1.0))


def _seconds(text: str) -> float:
    """Telegraf writes 2s or 500ms."""
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.rstrip("s"))
