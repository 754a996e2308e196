"""Words of other languages and other spellings, in ours: units, and what registers are called."""

import re
import unicodedata

from collectors.units import CONVERSIONS

_SPELLINGS = {  # ours -> how else it is written: lower case, without spaces
    "degC": "°c|c|degc|deg.c|degreesc|degreec|celsius|degreescelsius|grdc|grad|tmp|摄氏度|度",
    "degF": "°f|degf|deg.f|fahrenheit",
    "K": "kelvin difference|k",
    "l/min": "lpm|l/min|ltr/min|lit/min|liter/min|l/m|slpm|升/分|升/分钟",
    "l/s": "lps|升/秒",
    "l/h": "lph|l/hr|升/小时",
    "m3/h": "cmh|m3/hr|m^3/h|m3h|cbm/h|m3·h-1|立方米/小时|立方/小时|方/小时",
    "gpm": "usgpm|gal/min",
    "m3": "m^3|cbm|立方米",
    "V": "volts|volt|vac|vdc|伏",
    "A": "amperes|amps|amp|aac|adc|安|安培",
    "W": "watts|watt|瓦",
    "kW": "kwatt|千瓦",
    "kWh": "kw.h|kw·h|kw-h|度电|千瓦时",
    "rpm": "rpms|r/min|1/min|min-1|min^-1|u/min|rev/min|转/分|转/分钟|转",
    "%": "percent|pct|百分比",
    "%RH": "percentrh|%rh|rh%|rh|%r.h.|%r.h|%rf",
    "Hz": "hertz|赫兹",
    "Ah": "amperehours|安时",
    "Pa": "pascals|pascal|帕",
    "kPa": "kpag|kpa(g)|kpa.g|千帕",
    "bar": "barg|bar(g)|bar.g|巴",
    "MPa": "mpag|mpa(g)|兆帕",
    "psi": "psig|psi(g)",
    "s": "secs|sec|seconds|second|秒",
    "min": "mins|minute|minutes|分|分钟",
    "h": "hr|hrs|hour|hours|std|小时|时",
    "d": "day|days|天",
    "uS/cm": "us/cm|µs/cm|μs/cm",
    "ohm": "ω|ohms",
    "kohm": "kω",
    "VAh": "vah",
}
UNITS = {text: unit for unit, texts in _SPELLINGS.items() for text in texts.split("|")}
_CASELESS = {
    unit.lower(): unit
    for unit in CONVERSIONS
    if sum(unit.lower() == other.lower() for other in CONVERSIONS) == 1
}
_ENGLISH = {  # Chinese and German as plant makers write it; the longest word first
    "电导率": "conductivity",
    "循环泵": "pump",
    "堵塞": "clogged",
    "补液泵": "makeup pump",
    "补水泵": "makeup pump",
    "电动阀": "valve",
    "调节阀": "valve",
    "过滤器": "filter",
    "二次侧": "secondary",
    "一次侧": "primary",
    "设定值": "setpoint",
    "露点温度": "dew point",
    "制冷量": "cooling power",
    "制冷": "cooling",
    "供冷量": "cooling power",
    "供冷": "cooling",
    "冷负荷": "cooling load",
    "冷量": "cooling",
    "热负荷": "heat load",
    "散热量": "heat",
    "制热量": "heat",
    "加热": "heater",
    "换热器": "exchanger",
    "热功率": "heat power",
    "耗电": "electric consumption",
    "用电": "electric consumption",
    "电功率": "electric power",
    "换热量": "heat",
    "换热": "heat",
    "热量": "heat",
    "set point": "setpoint",
    "水泵": "pump",
    "风机": "fan",
    "风扇": "fan",
    "阀门": "valve",
    "阀位": "valve position",
    "开度": "position",
    "二次": "secondary",
    "一次": "primary",
    "供水": "supply",
    "供液": "supply",
    "回水": "return",
    "回液": "return",
    "进水": "inlet",
    "进液": "inlet",
    "进口": "inlet",
    "出水": "outlet",
    "出液": "outlet",
    "出口": "outlet",
    "温度": "temperature",
    "流量": "flow",
    "压差": "differential pressure",
    "压力": "pressure",
    "转速": "speed",
    "频率": "frequency",
    "电压": "voltage",
    "电流": "current",
    "有功": "active",
    "无功": "reactive",
    "视在": "apparent",
    "功率": "power",
    "电能": "energy",
    "电量": "energy",
    "液位": "level",
    "水位": "level",
    "湿度": "humidity",
    "露点": "dew point",
    "漏液": "leak",
    "漏水": "leak",
    "泄漏": "leak",
    "告警": "alarm",
    "报警": "alarm",
    "故障": "fault",
    "状态": "state",
    "运行": "run",
    "设定": "setpoint",
    "环境": "ambient",
    "室内": "room",
    "水箱": "tank",
    "液箱": "tank",
    "总": "total",
    "泵": "pump",
    "阀": "valve",
    "alarmwort": "alarm word",
    "taupunktabstand": "dew point margin",
    "taupunkttemperatur": "dew point",
    "taupunkt": "dew point",
    "kälteleistung": "cooling power",
    "kältemenge": "cooling",
    "kältebedarf": "cooling load",
    "kälte": "cooling",
    "abwärme": "heat",
    "rückkühlleistung": "heat rejection power",
    "gesamt": "total",
    r"raum\b": "room",
    "wärmetauscher": "exchanger",
    "wärmestrom": "heat",
    "wärmelast": "heat load",
    "heizleistung": "heating power",
    "thermische": "thermal",
    "elektrische": "electric",
    "leistungsaufnahme": "power consumption",
    "ventilstellung": "valve position",
    "ventilöffnung": "valve position",
    "stellgrad": "position",
    "öffnungsgrad": "position",
    "betriebszustand": "run state",
    "betriebsstatus": "run state",
    "betriebsart": "mode",
    "zustand": "state",
    "sammelstörung": "common fault",
    "verschmutzt": "clogged",
    "ventilator": "fan",
    r"boden\b": "floor",
    "wärmemenge": "heat",
    "wärme": "heat",
    r"energie\b": "energy",
    "rücklauf": "return",
    "ruecklauf": "return",
    "vorlauf": "supply",
    "eintritt": "inlet",
    "austritt": "outlet",
    "temperatur(?!e)": "temperature",
    "durchfluss": "flow",
    "volumenstrom": "flow",
    "differenzdruck": "differential pressure",
    "druck": "pressure",
    "drehzahl": "speed",
    "frequenz": "frequency",
    "wirkleistung": "active power",
    "scheinleistung": "apparent power",
    "blindleistung": "reactive power",
    "kühlleistung": "cooling power",
    "leistung": "power",
    "spannung": "voltage",
    "füllstand": "level",
    "feuchte": "humidity",
    "leckage": "leak",
    "leitfähigkeit": "conductivity",
    "störung": "fault",
    "sollwert": "setpoint",
    "lüfter": "fan",
    r"strom\b": "current",
    r"pumpen?": "pump",
    r"ventil\b": "valve",
    "primärkreis": "primary",
    "sekundärkreis": "secondary",
    "primär": "primary",
    "sekundär": "secondary",
}
_NUMBERED = re.compile(r"(\d+)\s*[号#]\s*")


def unit_of(text: str) -> str:
    """The unit in our spelling; unchanged where it is not known."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain in CONVERSIONS:
        return plain
    bare = plain.lower().replace(" ", "")
    return UNITS.get(bare) or _CASELESS.get(bare) or _CASELESS.get(plain.lower(), plain)


def english(name: str) -> str:
    """A register's name with the Chinese and German words of the trade in English."""
    text = unicodedata.normalize("NFKC", name)
    chinese = not text.isascii()
    text = _NUMBERED.sub(lambda match: f"#{match[1]} ", text) if chinese else text
    for word, ours in _ENGLISH.items():
        if word[:1].isascii() or chinese:
            text = re.sub(_spelled(word), f" {ours} ", text, flags=re.IGNORECASE)
    text = re.sub(r"#(\d+)\s+(\w+)", r"\2 \1", text)  # 1号泵 is pump 1
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _spelled(word: str) -> str:
    """A pattern that also finds ae, oe and ue for ä, ö and ü."""
    for letter, two in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        word = word.replace(letter, f"(?:{letter}|{two})")
    return word
