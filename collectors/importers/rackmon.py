"""Register maps of Open Rack's rackmon (JSON).

Source: facebook/openbmc common/recipes-core/rackmon2/rackmon REGISTER_MAP.md.
"""

from collections.abc import Mapping
from typing import Any

from collectors.importers.draft import Draft
from collectors.importers.guess import slug, split, unit_of
from collectors.importers.row import Row

_PARITY = {"EVEN": "E", "ODD": "O", "NONE": "N"}


def is_map(data: Mapping[str, Any]) -> bool:
    return "registers" in data and "probe_register" in data


def read(data: Mapping[str, Any], source: str) -> Draft:
    """A draft; what rackmon writes (its time synchronisation) is left out."""
    draft = Draft(source, name=slug(data["name"]), model=data["name"])
    units = [u for low, high in data.get("address_range", ()) for u in range(low, high + 1)]
    draft.link = {
        "max_registers": data.get("max_span_length", 120),
        "baud": data.get("baudrate", 19200),
        "parity": _PARITY[data.get("parity", "EVEN")],
    } | ({"units": units} if units else {})
    for register in data["registers"]:
        if register["format"] == "STRING":
            at = {"address": register["begin"], "type": "string", "length": register["length"]}
            draft.inventory.append({"name": slug("_".join(split(register["name"]))), "at": at})
        elif register["length"] not in (1, 2, 4):
            where = f"{register['length']} registers at holding {register['begin']}"
            draft.left_out.append(f"{register['name']} ({where}): no number, and no text")
        else:
            draft.rows.append(_row(register))
    return draft


def _row(register: Mapping[str, Any]) -> Row:
    length = register["length"]
    at: dict[str, Any] = {"address": register["begin"]}
    kind = f"{'i' if register.get('sign') else 'u'}{16 * length}"
    if kind != "u16":
        at["type"] = kind
    if register.get("endian") == "L":  # all bytes reversed
        at["byte_order"] = "little"
        if length > 1:
            at["word_order"] = "little"
    if register.get("precision"):
        at["binary"] = register["precision"]
    return Row(
        register["name"],
        at,
        unit=unit_of(register.get("unit", "")),
        scale=register.get("scale", 1.0),
        offset=register.get("shift", 0.0),
        bits=dict(register.get("flags", ())),
        raw=register["format"] == "RAW",
    )
