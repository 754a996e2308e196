"""Telegraf's modbus input (TOML), in its `register`, `request` and `metric` styles.

Source: influxdata/telegraf plugins/inputs/modbus README.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from collectors.importers.draft import Draft, ImportFault
from collectors.importers.guess import slug
from collectors.importers.row import Row
from collectors.importers.unsaid import one_of_devices

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
    "BIT": "u16",
    "UINT8L": "u16",
    "UINT8H": "u16",
}
_BYTES = {"UINT8L": 0, "UINT8H": 8}  # first bit
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


def read(
    data: Mapping[str, Any], source: str, conventions: Mapping[str, str] | None = None
) -> Draft:
    """A draft of one device, the first unless told; fields of others are left out, and said so."""
    plugins = data["inputs"]["modbus"] if "inputs" in data else [data]
    found = [(plugin, one) for plugin in plugins for one in _fields(plugin)]
    devices = list(dict.fromkeys(device for _, (device, *_) in found))
    if not devices:
        raise ImportFault("no fields in inputs.modbus")
    told = (conventions or {}).get("device", "")
    if told and not (told.isdecimal() and 1 <= int(told) <= len(devices)):
        listed = ", ".join(f"{number} ({one})" for number, one in enumerate(devices, 1))
        raise ImportFault(f"device: found {told!r}, expected one of {listed}")
    wanted = devices[int(told or "1") - 1]
    plugin = next(plugin for plugin, (device, *_) in found if device == wanted)
    draft = Draft(source, name=slug(str(plugin.get("name", ""))) if plugin.get("name") else "")
    draft.link = _link(plugin)
    if len(devices) > 1 and not told:
        draft.unsaid.append(one_of_devices(devices))
    for _, (device, table, field, order) in found:
        row = _row(table, field, order) if device == wanted else None
        if row is not None:
            draft.rows.append(row)
        elif device == wanted:
            kind = field.get("data_type") or field.get("type") or "no type"
            draft.left_out.append(f"{field.get('name')}: {kind} is no number that a profile has")
        else:
            draft.left_out.append(f"{field.get('name')}: of another device, {device}")
    return draft


def _link(plugin: Mapping[str, Any]) -> dict[str, Any]:
    link: dict[str, Any] = {}
    if "baud_rate" in plugin:
        link = {"baud": plugin["baud_rate"], "parity": plugin.get("parity", "N")}
    workarounds = plugin.get("workarounds", {})
    if pause := workarounds.get("pause_after_connect"):
        link["connect_delay_s"] = _seconds(pause)
    if pause := workarounds.get("pause_between_requests"):
        link["request_delay_s"] = _seconds(pause)
    return link


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
    said = str(field.get("data_type") or field.get("type"))
    kind = _TYPES.get(said)
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
    if said in _BYTES:
        at |= {"bit": _BYTES[said], "width": 8}
    return Row(field["name"], at, scale=float(field.get("scale") or 1.0))


def _seconds(text: str) -> float:
    """Telegraf writes 2s or 500ms."""
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.rstrip("s"))
