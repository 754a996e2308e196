"""Device profiles of OpenBMC's phosphor-modbus (JSON). Source: openbmc/phosphor-modbus rtu/schemas."""

from collections.abc import Mapping
from typing import Any

from collectors.importers.draft import Draft
from collectors.importers.guess import slug, split
from collectors.importers.row import Row

_KINDS = {
    "ReservoirPumpUnit": "rpu",
    "PowerShelf": "power_shelf",
    "PowerSupplyUnit": "power_shelf",
    "PowerMonitorModule": "power_shelf",
    "BatteryBackupUnit": "bbu",
    "CapacitorBankUnit": "supercap",
    "Valve": "valve",
    "HeatExchanger": "rpu",
    "FanTray": "cooling_unit",
}
_UNITS = {
    "Temperature": "degC",
    "Voltage": "V",
    "Current": "A",
    "Power": "W",
    "Utilization": "%",
    "LiquidFlow": "l/min",
    "Charge": "Ah",
    "Energy": "J",
    "FanTach": "rpm",
    "Pressure": "Pa",
    "ValveOpenDuration": "s",
    "ValveClosedDuration": "s",
}


def is_map(data: Mapping[str, Any]) -> bool:
    return "DeviceType" in data and "ProbeRegister" in data


def read(data: Mapping[str, Any], source: str) -> Draft:
    """A draft that identifies its device as phosphor-modbus does: by its probe register."""
    model = data["DeviceModel"]
    draft = Draft(source, slug(model), model=model, kind=_KINDS.get(data["DeviceType"], ""))
    draft.link = {"baud": data["BaudRate"], "parity": data["Parity"][0]}
    probe = data["ProbeRegister"]
    text = isinstance(probe["ExpectedValue"], str)
    draft.identify = [{"at": _place(probe, text), "equals": probe["ExpectedValue"]}]
    for group in ("InventoryRegisters", "FirmwareRegisters"):
        for register in data.get(group, ()):
            name = "_".join(split(register.get("Name", register["Type"])))
            at = _place(register, register.get("Format") != "Integer")
            draft.inventory.append({"name": slug(name), "at": at})
    for register in (*data.get("SensorRegisters", ()), *data.get("MetricRegisters", ())):
        draft.rows.append(_sensor(register))
    for register in data.get("StatusRegisters", ()):
        bits = {bit["BitPosition"]: bit["Name"] for bit in register["Bits"] if bit["Value"]}
        draft.rows.append(Row(register.get("Name", "status"), _place(register, False), bits=bits))
    return draft


def _place(register: Mapping[str, Any], text: bool) -> dict[str, Any]:
    at: dict[str, Any] = {"address": int(register["Offset"], 0)}
    if text:
        at |= {"type": "string", "length": register["Size"]}
    elif register.get("Size", 1) > 1:
        at["type"] = f"u{16 * register['Size']}"
    return at


def _sensor(register: Mapping[str, Any]) -> Row:
    at: dict[str, Any] = {"address": int(register["Offset"], 0)}
    kind = f"{'i' if register.get('IsSigned') else 'u'}{16 * register['Size']}"
    if register["Format"] == "Float32":
        kind = "f32"
    if kind != "u16":
        at["type"] = kind
    if register.get("Precision"):
        at["binary"] = register["Precision"]
    return Row(
        register["Name"],
        at,
        unit=_UNITS.get(register["Type"], ""),
        scale=register.get("Scale", 1.0),
        offset=register.get("Shift", 0.0),
    )
