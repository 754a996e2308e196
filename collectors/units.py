"""Units that devices speak, and how each becomes the registry's."""

# unit on the device -> (registry's unit, factor, offset): canonical = raw * factor + offset
CONVERSIONS: dict[str, tuple[str, float, float]] = {
    "W": ("W", 1, 0),
    "kW": ("W", 1e3, 0),
    "MW": ("W", 1e6, 0),
    "mW": ("W", 1e-3, 0),
    "BTU/h": ("W", 0.29307107, 0),
    "VA": ("VA", 1, 0),
    "kVA": ("VA", 1e3, 0),
    "var": ("var", 1, 0),
    "kvar": ("var", 1e3, 0),
    "Wh": ("kWh", 1e-3, 0),
    "kWh": ("kWh", 1, 0),
    "MWh": ("kWh", 1e3, 0),
    "J": ("kWh", 1 / 3.6e6, 0),
    "VAh": ("kVAh", 1e-3, 0),
    "kVAh": ("kVAh", 1, 0),
    "varh": ("kvarh", 1e-3, 0),
    "kvarh": ("kvarh", 1, 0),
    "V": ("V", 1, 0),
    "mV": ("V", 1e-3, 0),
    "kV": ("V", 1e3, 0),
    "A": ("A", 1, 0),
    "mA": ("A", 1e-3, 0),
    "uA": ("A", 1e-6, 0),
    "Ah": ("Ah", 1, 0),
    "mAh": ("Ah", 1e-3, 0),
    "Hz": ("Hz", 1, 0),
    "ohm": ("ohm", 1, 0),
    "mohm": ("ohm", 1e-3, 0),
    "kohm": ("ohm", 1e3, 0),
    "Mohm": ("ohm", 1e6, 0),
    "degC": ("degC", 1, 0),
    "degF": ("degC", 5 / 9, -160 / 9),
    "K": ("K", 1, 0),
    "kelvin": ("degC", 1, -273.15),  # an absolute temperature in kelvin
    "degF difference": ("K", 5 / 9, 0),
    "%": ("%", 1, 0),
    "%RH": ("%RH", 1, 0),
    "s": ("s", 1, 0),
    "ms": ("s", 1e-3, 0),
    "min": ("s", 60, 0),
    "h": ("s", 3600, 0),
    "d": ("s", 86400, 0),
    "ticks": ("s", 0.01, 0),
    "l/min": ("l/min", 1, 0),
    "l/s": ("l/min", 60, 0),
    "l/h": ("l/min", 1 / 60, 0),
    "m3/h liquid": ("l/min", 1000 / 60, 0),
    "gpm": ("l/min", 3.785411784, 0),
    "m3/h": ("m3/h", 1, 0),
    "cfm": ("m3/h", 1.699010795, 0),
    "l/s air": ("m3/h", 3.6, 0),
    "m3/min": ("m3/h", 60, 0),
    "m3": ("m3", 1, 0),
    "l": ("m3", 1e-3, 0),
    "kPa": ("kPa", 1, 0),
    "Pa": ("kPa", 1e-3, 0),
    "hPa": ("kPa", 0.1, 0),
    "bar": ("kPa", 100, 0),
    "MPa": ("kPa", 1e3, 0),
    "mbar": ("kPa", 0.1, 0),
    "psi": ("kPa", 6.894757293, 0),
    "inH2O": ("kPa", 0.249088908, 0),
    "rpm": ("rpm", 1, 0),
    "m/s": ("m/s", 1, 0),
    "ft/min": ("m/s", 0.00508, 0),
    "m": ("m", 1, 0),
    "cm": ("m", 0.01, 0),
    "ft": ("m", 0.3048, 0),
    "kg": ("kg", 1, 0),
    "lb": ("kg", 0.45359237, 0),
    "uS/cm": ("uS/cm", 1, 0),
    "mS/cm": ("uS/cm", 1e3, 0),
    "pH": ("pH", 1, 0),
    "NTU": ("NTU", 1, 0),
    "1": ("1", 1, 0),
}


def conversion(unit: str, canonical: str) -> tuple[float, float]:
    """(factor, offset) from a device's unit to the registry's; ValueError where they do not fit."""
    if unit not in CONVERSIONS:
        raise ValueError(f"unknown unit {unit!r}; known: {', '.join(CONVERSIONS)}")
    target, factor, offset = CONVERSIONS[unit]
    if target == canonical:
        return factor, offset
    if {target, canonical} == {"%", "1"}:  # a share told as 0..100 or as 0..1
        return (factor * 0.01, 0.0) if canonical == "1" else (factor * 100, 0.0)
    if {target, canonical} == {"%", "%RH"}:
        return factor, offset
    if (target, canonical) == ("degC", "K"):
        return factor, 0.0
    raise ValueError(f"unit {unit!r} is a {target}, the metric wants {canonical}")
