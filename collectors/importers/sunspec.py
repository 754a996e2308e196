"""SunSpec model definitions (JSON): points of ours, with scale factors and what is not implemented.

Source: sunspec/models json/model_N.json; "SunSpec Device Information Model Specification".
Addresses of the rows count from the model's ID register.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from collectors.importers.draft import FLAGS, Draft
from collectors.importers.guess import slug
from collectors.importers.row import Row

NOT_IMPLEMENTED: dict[str, tuple[str, float | None]] = {  # SunSpec type -> ours, "no value"
    "int16": ("i16", -0x8000),
    "uint16": ("u16", 0xFFFF),
    "acc16": ("u16", 0),
    "enum16": ("u16", 0xFFFF),
    "bitfield16": ("u16", None),
    "int32": ("i32", -0x80000000),
    "uint32": ("u32", 0xFFFFFFFF),
    "acc32": ("u32", 0),
    "bitfield32": ("u32", None),
    "int64": ("i64", -0x8000000000000000),
    "uint64": ("u64", 0xFFFFFFFFFFFFFFFF),
    "acc64": ("u64", 0),
    "float32": ("f32", float("nan")),
    "float64": ("f64", float("nan")),
}
_UNITS = {"C": "degC", "Pct": "%", "Var": "var", "Varh": "varh", "WH": "Wh", "%WHRtg": "%"}
_PHASES = {"A": "L1", "B": "L2", "C": "L3", "AB": "L1-L2", "BC": "L2-L3", "CA": "L3-L1"}
_NAMES: dict[str, tuple[str, str]] = {  # point without its phase -> metric, component
    "A": ("current", ""),
    "PhV": ("voltage", ""),
    "V": ("voltage", ""),
    "LNV": ("voltage", ""),
    "PPV": ("voltage", "line"),
    "LLV": ("voltage", "line"),
    "W": ("power.active", ""),
    "VA": ("power.apparent", ""),
    "VAR": ("power.reactive", ""),
    "VAr": ("power.reactive", ""),
    "Var": ("power.reactive", ""),
    "Hz": ("frequency", ""),
    "PF": ("power_factor", ""),
    "WH": ("energy.active", ""),
    "TotWhImp": ("energy.active", ""),
    "TotWhExp": ("energy.active.exported", ""),
    "TotWhAbs": ("energy.active", ""),
    "TotWhInj": ("energy.active.exported", ""),
    "TotVAhImp": ("energy.apparent", ""),
    "TotVAhExp": ("energy.apparent", "exported"),
    "TotVArhImpQ1": ("energy.reactive", "q1"),
    "TotVArhImpQ2": ("energy.reactive", "q2"),
    "TotVArhExpQ3": ("energy.reactive", "q3"),
    "TotVArhExpQ4": ("energy.reactive", "q4"),
    "TotVarhAbs": ("energy.reactive", ""),
    "TotVarhInj": ("energy.reactive", "exported"),
    "DCA": ("current", "dc"),
    "DCV": ("voltage", "dc"),
    "DCW": ("power.active", "dc"),
    "DCWhInj": ("energy.active.exported", "dc"),
    "DCWhAbs": ("energy.active", "dc"),
    "ThrotPct": ("share", "throttling"),
    "Tmp": ("temperature", ""),
    "TmpAmb": ("temperature", "ambient"),
    "TmpCab": ("temperature", "cabinet"),
    "TmpSnk": ("temperature", "heat_sink"),
    "TmpTrns": ("temperature", "transformer"),
    "TmpSw": ("temperature", "switch"),
    "TmpOt": ("temperature", "other"),
    "SoC": ("charge", ""),
    "DoD": ("share", "discharged"),
    "SoH": ("health", ""),
    "NCyc": ("count", "cycles"),
    "AHRtg": ("charge.capacity", "rating"),
    "WHRtg": ("energy.capacity", "rating"),
    "WHAvail": ("energy.capacity", "available"),
    "WChaRteMax": ("power.rating", "charging"),
    "WDisChaRteMax": ("power.rating", "discharging"),
    "DisChaRte": ("share", "self_discharge"),
    "SoCMax": ("share", "charge/max"),
    "SoCMin": ("share", "charge/min"),
    "SocRsvMax": ("share", "charge/reserve_max"),
    "SoCRsvMin": ("share", "charge/reserve_min"),
    "VMax": ("voltage", "limit/max"),
    "VMin": ("voltage", "limit/min"),
    "AChaMax": ("current", "limit/charging"),
    "ADisChaMax": ("current", "limit/discharging"),
    "ReqW": ("power.active", "requested"),
    "CellVMax": ("voltage", "cell/highest"),
    "CellVMin": ("voltage", "cell/lowest"),
    "CellVAvg": ("voltage", "cell/average"),
    "CellTmpMax": ("temperature", "cell/highest"),
    "CellTmpMin": ("temperature", "cell/lowest"),
    "CellTmpAvg": ("temperature", "cell/average"),
    "CellV": ("voltage", ""),
    "CellTmp": ("temperature", ""),
    "ModTmpMax": ("temperature", "module/highest"),
    "ModTmpMin": ("temperature", "module/lowest"),
    "ModTmpAvg": ("temperature", "module/average"),
    "StrVMax": ("voltage", "strings/highest"),
    "StrVMin": ("voltage", "strings/lowest"),
    "StrVAvg": ("voltage", "strings/average"),
    "StrAMax": ("current", "strings/highest"),
    "StrAMin": ("current", "strings/lowest"),
    "StrAAvg": ("current", "strings/average"),
    "NStr": ("count", "strings"),
    "NStrCon": ("count", "strings/connected"),
    "NMod": ("count", "modules"),
    "NCell": ("count", "cells"),
    "NCellBal": ("count", "cells/balancing"),
    # which of them is the highest or lowest
    "CellVMaxStr": ("value", "cell/highest/string"),
    "CellVMaxMod": ("value", "cell/highest/module"),
    "CellVMaxCell": ("value", "cell/highest/cell"),
    "CellVMinStr": ("value", "cell/lowest/string"),
    "CellVMinMod": ("value", "cell/lowest/module"),
    "CellVMinCell": ("value", "cell/lowest/cell"),
    "CellTmpMaxCell": ("value", "cell/hottest/cell"),
    "CellTmpMinCell": ("value", "cell/coldest/cell"),
    "ModTmpMaxStr": ("value", "module/hottest/string"),
    "ModTmpMaxMod": ("value", "module/hottest/module"),
    "ModTmpMinStr": ("value", "module/coldest/string"),
    "ModTmpMinMod": ("value", "module/coldest/module"),
    "StrVMaxStr": ("value", "strings/highest/string"),
    "StrVMinStr": ("value", "strings/lowest/string"),
    "StrAMaxStr": ("value", "strings/highest_current/string"),
    "StrAMinStr": ("value", "strings/lowest_current/string"),
    "StVnd": ("value", "state/vendor"),
    "StateVnd": ("value", "state/vendor"),
}
_SWITCHED = frozenset(["DERMode", "ThrotSrc", "CellSt"])  # flags that tell what is on
_STATES: dict[str, tuple[str, str, dict[str, str]]] = {  # enum -> metric, component, codes
    "St": (
        "mode",
        "",
        {
            "OFF": "off",
            "ON": "online",
            "SLEEPING": "sleep",
            "STARTING": "starting",
            "MPPT": "online",
            "THROTTLED": "online",
            "SHUTTING_DOWN": "other",
            "FAULT": "fault",
            "STANDBY": "standby",
        },
    ),
    "InvSt": (
        "mode",
        "inverter",
        {
            "OFF": "off",
            "SLEEPING": "sleep",
            "STARTING": "starting",
            "RUNNING": "online",
            "THROTTLED": "online",
            "SHUTTING_DOWN": "other",
            "FAULT": "fault",
            "STANDBY": "standby",
        },
    ),
    "ConnSt": ("contact", "grid", {"DISCONNECTED": "open", "CONNECTED": "closed"}),
    "Sta": ("status", "", {"OK": "ok", "WARNING": "warning", "ERROR": "fault"}),
    "ChaSt": (
        "state",
        "",
        {
            "OFF": "off",
            "EMPTY": "depleted",
            "DISCHARGING": "discharging",
            "CHARGING": "charging",
            "FULL": "floating",
            "HOLDING": "resting",
            "TESTING": "self_test",
        },
    ),
    "State": (
        "state",
        "bank",
        {
            "DISCONNECTED": "disconnected",
            "INITIALIZING": "init",
            "CONNECTED": "online",
            "STANDBY": "standby",
            "SOC_PROTECTION": "other",
            "SUSPENDING": "other",
            "FAULT": "fault",
        },
    ),
    "ConFail": (
        "alarm",
        "connection",
        {"NO_FAILURE": "inactive"},
    ),
    "DisRsn": (
        "status",
        "disabled",
        {"NONE": "ok", "FAULT": "fault", "MAINTENANCE": "maintenance", "EXTERNAL": "disabled"},
    ),
    "LocRemCtl": ("enabled", "remote_control", {"REMOTE": "yes", "LOCAL": "no"}),
    "DCSta": (
        "status",
        "",
        {"OFF": "off", "ON": "ok", "WARNING": "warning", "ERROR": "fault"},
    ),
}
_PREFIXES = ("Str", "Mod")  # of the points of a repeating group: StrSoC is a string's SoC
_SKIPPED = frozenset(["ID", "L"])


def is_map(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("group"), dict) and "id" in data


def read(data: Mapping[str, Any], source: str) -> Draft:
    """A draft of one model; its repeating groups are left out, as their number is the device's."""
    draft = Draft(source, name=f"sunspec_{data['id']}", vendor="SunSpec")
    draft.model = data["group"].get("label", "")
    draft.kind = kind_of(data["id"])
    offsets = dict(offsets_of(data["group"]["points"]))
    draft.rows = list(rows_of(data["group"]["points"], 0, offsets))
    draft.left_out = [f"repeating group {g['name']}" for g in data["group"].get("groups", ())]
    return draft


def at_address(draft: Draft, base: int) -> None:
    """Move a draft from offsets to addresses: `base` is the model's ID register."""
    for row in draft.rows:  # several may share one `at`
        moved = {key: row.at[key] + base for key in ("address", "scale_at") if key in row.at}
        row.at = row.at | moved
        if row.when:
            row.when = row.when | {"address": row.when["address"] + base}


def kind_of(model: int) -> str:
    """Kind of device by model: meters 2xx, batteries 8xx and 713, the rest inverters."""
    if 200 <= model < 300:
        return "meter"
    return "storage" if model == 713 or model >= 800 else "pv"


def offsets_of(points: list[dict[str, Any]], start: int = 0) -> Iterator[tuple[str, int]]:
    """Every point's distance from the start."""
    for point in points:
        yield point["name"], start
        start += point["size"]


def rows_of(
    points: list[dict[str, Any]], start: int, offsets: Mapping[str, int], index: str = ""
) -> Iterator[Row]:
    """Rows of a group; `offsets` knows where scale factors stand, `index` names the group."""
    for point, (name, offset) in zip(points, offsets_of(points, start), strict=True):
        if name in _SKIPPED or point["type"] not in NOT_IMPLEMENTED:
            continue
        kind, no_value = NOT_IMPLEMENTED[point["type"]]
        at: dict[str, Any] = {"address": offset} | ({} if kind == "u16" else {"type": kind})
        row = Row(name, at, unit=_UNITS.get(point.get("units", ""), point.get("units", "")))
        if row.unit == "PF":
            row.unit = ""
        if no_value is not None:
            row.absent = (no_value,)
        if isinstance(point.get("sf"), int):
            row.scale = 10.0 ** point["sf"]
        elif "sf" in point:
            at["scale_at"] = offsets[point["sf"]]
        if point["type"].startswith("bitfield"):
            yield from _bits(row, point, index)
            continue
        _name(row, point, index)
        yield row


def _name(row: Row, point: Mapping[str, Any], index: str) -> None:
    """Metric and component by the point's name; open where the table does not know it."""
    name = _own_name(row.name, index)
    symbols = {s["name"]: s["value"] for s in point.get("symbols", ())}
    if name in _STATES and symbols:
        row.metric, component, codes = _STATES[name]
        other = "active" if row.metric == "alarm" else "other"
        row.states = {value: codes.get(symbol, other) for symbol, value in symbols.items()}
        row.component = "/".join(filter(None, (index, component)))
        return
    base, phase = _phase(name)
    if base not in _NAMES or (point["type"] == "enum16" and symbols):
        return
    row.metric, component = _NAMES[base]
    if (component == "line" and phase) or (component == "dc" and index):
        component = ""
    row.component = "/".join(filter(None, (index, component, phase)))


def _own_name(name: str, index: str) -> str:
    """A point's name without that of its repeating group."""
    for prefix in _PREFIXES:
        if index and name.startswith(prefix) and name not in _NAMES:
            name = name.removeprefix(prefix)
    return name


def _bits(row: Row, point: Mapping[str, Any], index: str) -> Iterator[Row]:
    """Flags by what they tell; bits without a symbol together, an alarm that shows their number.

    Source: SunSpec Device Information Model Specification, "bitfield": with the most significant
    bit set, the others shall be ignored.
    """
    name = _own_name(row.name, index)
    word = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    most = 16 * (2 if row.at.get("type") == "u32" else 1) - 1
    row.when = {"address": row.at["address"], "bit": 15, "values": [0], "otherwise": "absent"}
    symbols = {s["value"]: s["name"].removeprefix("M_EVENT_") for s in point.get("symbols", ())}
    for metric, states in FLAGS.items():
        bits = {v: slug(s) for v, s in symbols.items() if _flag(name, s) == metric}
        if bits:
            component = "/".join(filter(None, (index, "{name}")))
            yield replace(row, metric=metric, component=component, bits=bits, states=states)
    free = [bit for bit in range(most) if bit not in symbols]
    for _, run in groupby(enumerate(free), lambda one: one[1] - one[0]):
        first, *rest = [bit for _, bit in run]
        at, part = dict(row.at), word
        if symbols:
            at |= {"bit": first} | ({"width": 1 + len(rest)} if rest else {})
            part = f"{word}/bits_{first}_{rest[-1]}" if rest else f"{word}/bit_{first}"
        component = "/".join(filter(None, (index, part)))
        if symbols and not any(_flag(name, s) == "alarm" for s in symbols.values()):
            yield replace(row, metric="value", component=component, at=at)
        else:
            row.states, row.other_state = {0: "inactive"}, "active"
            yield replace(row, metric="alarm", component=component, at=at)


def _flag(name: str, symbol: str) -> str:
    """The metric of a bit."""
    if symbol.startswith("CONTACTOR_") and symbol != "CONTACTOR_ERROR":
        return "contact"
    return "enabled" if name in _SWITCHED or symbol.endswith("_ENABLED") else "alarm"


def _phase(name: str) -> tuple[str, str]:
    """A point's name without its phase, and the phase."""
    if name in _NAMES:
        return name, ""
    if match := re.fullmatch(r"(\w+?)(?:vph|ph|Ph)(AB|BC|CA|A|B|C)", name):
        return match[1], _PHASES[match[2]]
    if match := re.fullmatch(r"V(L\d)(L\d)", name):
        return "V", f"{match[1]}-{match[2]}"
    if match := re.fullmatch(r"(\w+?)(L[123])", name):
        return match[1], match[2]
    return name, ""
