# ruff: noqa: RUF001 (vendors' own dashes, crosses and minus signs)
"""One cell of a register table at a time, in the many ways vendors write it. Pure.

Every function raises ValueError with what it found and what it expected.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite

from collectors.importers.guess import unit_of
from collectors.modbus.at import WORDS
from collectors.units import CONVERSIONS

NOTHING = frozenset(["", "-", "--", "—", "–", "/", "n/a", "na", "none", "nil", "无"])
_CLASSIC = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_FUNCTIONS = {"1": "coil", "2": "discrete", "3": "holding", "4": "input"}
_TABLES = (  # what a cell says -> table
    (r"discrete|\bdi\b|离散|^1x", "discrete"),
    (r"coil|\bdo\b|线圈|^0x$", "coil"),
    (r"input|\bir\b|\bai\b|输入|^3x|eingang", "input"),
    (r"holding|\bhr\b|\bao\b|保持|^4x|halte", "holding"),
)
_TYPES = (  # what a cell says -> letter, bits (0: not said)
    (r"double|lreal|双精度", "f", 64),
    (r"float|real|single|ieee|^f32|^f64|浮点|单精度", "f", 0),
    (r"bcd", "bcd", 0),
    (r"string|ascii|char|text|字符", "string", 0),
    (r"^(bit|bool|boolean|binary|digital|di|do|coil|布尔|布尔量|开关量|位)$", "bit", 0),
    (r"enum|bitmap|bitfield|bitmask|flags|枚举|^bits$|^word$|^hex$", "u", 16),
    (r"ulint|lword", "u", 64),
    (r"^lint", "i", 64),
    (r"udint|dword|ulong|unsignedlong", "u", 32),
    (r"unsigned|无符号|^u(int|short|word|i?\d|$)|int\d+u|ushort|^word", "u", 0),
    (r"^dint|^(signed)?long", "i", 32),
    (r"signed|有符号|^s?int|^s\d|^i\d|short|整", "i", 0),
    (r"^\d+(bits?)?$", "u", 0),
)
_LOW_FIRST = (
    r"cdab|dcba|swap|little|\ble\b|low word first|lsw|lo-?hi|low first|低位在前|低字在前|小端"
)
_HIGH_FIRST = r"abcd|badc|big|\bbe\b|high word first|msw|hi-?lo|high first|高位在前|高字在前|大端"
_SAID_LOW_FIRST = (  # in a remark, where `big` and `swap` may be of anything
    r"cdab|dcba|low(?:er)? word first|lsw first|little[- ]endian|低位在前|低字在前|低16位在前|小端"
    r"|niederwertig\w* (?:wort|register) zuerst"
)
_SAID_HIGH_FIRST = (
    r"abcd|badc|high(?:er)? word first|msw first|big[- ]endian|高位在前|高字在前|高16位在前|大端"
    r"|höherwertig\w* (?:wort|register) zuerst"
)
_BYTES = r"badc|dcba"
_STATE = re.compile(
    r"(?:^|[,;/|\n\s、。])\s*(0x[0-9a-f]+|\d+)\s*(?:[=:→]|[-–](?=\s*\D))\s*", re.IGNORECASE
)
_BIT = re.compile(r"(?:^|(?<=[,;/|\n\s、]))(?:bit\s*|b|d)[.\s]?(\d+)\s*[=:→–-]?\s*", re.IGNORECASE)

_FACTOR_UNIT = re.compile(r"[x×*]?\s*(\d+[.,]?\d*|1/10+)\s*[x×*]?\s*(\D.*)")
_UNIT_FACTOR = re.compile(r"(.+?)\s*([x×*/÷]\s*\d+[.,]?\d*)")


@dataclass(frozen=True, slots=True)
class Place:
    """An address as it is written; whether it means the wire is decided for the whole table."""

    number: int
    digits: str = ""  # as written, where it is a plain decimal number
    table: str = ""  # 4x0101 says
    bit: int | None = None
    count: int = 0  # of a range: 100-101


def address(text: str, hexadecimal: bool = False) -> Place:
    """100, 0x64, 64h, 40101, 4x0101, 100.3 (bit 3), 100-101."""
    plain = _plain(text).replace(" ", "")
    if match := re.fullmatch(r"(.+?)(?:[.:]|[.,:_-]?bit[.:]?)(\d{1,2})", plain):
        where = _place(match[1], hexadecimal)
        if where is not None:
            return Place(where.number, where.digits, where.table, int(match[2]))
    if match := re.fullmatch(r"([\dx]\w*?)(?:-|–|~|\.\.|to|/|&|\+)(\w+)", plain):
        first, last = _place(match[1], hexadecimal), _place(match[2], hexadecimal)
        if first is not None and last is not None and 0 < last.number - first.number < 125:
            count = last.number - first.number + 1
            return Place(first.number, first.digits, first.table, None, count)
    where = _place(plain, hexadecimal)
    if where is None:
        raise ValueError(f"found {text!r}, expected a number like 100, 0x64, 40101 or 100.3")
    return where


def _place(text: str, hexadecimal: bool) -> Place | None:
    if match := re.fullmatch(r"([134])x:?0*(\d+)", text):
        return Place(int(match[2]) - 1, table=_CLASSIC[match[1]]) if int(match[2]) else None
    if match := re.fullmatch(r"(?:0x|&h|16#|\$)([0-9a-f]+)|([0-9a-f]+)h", text):
        return Place(int(match[1] or match[2], 16))
    if hexadecimal and re.fullmatch(r"[0-9a-f]+", text):
        return Place(int(text, 16))
    if match := re.fullmatch(r"%mw(\d+)", text):
        return Place(int(match[1]), table="holding")
    return Place(int(text), text) if re.fullmatch(r"\d+", text) else None


def classic(digits: str) -> tuple[str, int] | None:
    """(table, address on the wire) of 40101 or 400101; None where it is no such number."""
    if len(digits) not in (5, 6) or digits[0] not in _CLASSIC:
        return None
    number = int(digits[1:]) - 1
    return (_CLASSIC[digits[0]], number) if 0 <= number <= 0xFFFF else None


def table(text: str) -> str:
    """Holding, input, coil, discrete; or a function code, alone or the first that reads."""
    plain = _plain(text)
    for pattern, name in _TABLES:
        if re.search(pattern, plain):
            return name
    codes = [str(int(code)) for code in re.findall(r"(?:0x)?0*(\d+)", plain)]
    for code in codes:
        if code in _FUNCTIONS:
            return _FUNCTIONS[code]
    raise ValueError(f"found {text!r}, expected holding, input, coil, discrete or a function code")


def number(text: str, decimal_comma: bool = False) -> float:
    """0.1, 0,1, 1e-3, 0xFFFF; nothing else in the cell."""
    plain = _plain(text).replace(" ", "").replace("−", "-")
    if re.fullmatch(r"0x[0-9a-f]+", plain):
        return float(int(plain, 16))
    if re.fullmatch(r"[+-]?\d+,\d+", plain):
        whole, _, part = plain.partition(",")
        if len(part) == 3 and whole.lstrip("+-") != "0" and not decimal_comma:
            raise ValueError(f"found {text!r}: is the comma for decimals or for thousands?")
        plain = f"{whole}.{part}"
    try:
        found = float(plain)
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise ValueError(f"found {text!r}, expected a number")
    return found


@dataclass(frozen=True, slots=True)
class Factor:
    """What a number on the wire is multiplied by; `open` where it might be meant the other way."""

    value: float
    unit: str = ""  # of a resolution, like 0.1 °C
    open: bool = False


def factor(text: str, decimal_comma: bool = False) -> Factor:
    """0.1, x0.1, *0.1, /10, 1/10, 1:10, 10^-1, 0.1 °C; 10 and x10 may mean either way."""
    plain = _plain(text)
    if match := re.fullmatch(r"(?:1\s*)?[/÷:]\s*([\d.,]+)", plain):
        return Factor(1 / _not_zero(number(match[1], decimal_comma), text))
    if match := re.fullmatch(r"[x×*]?\s*10\s*(?:\^|\*\*|e)\s*\(?([+-]?\d+)\)?", plain):
        return Factor(10.0 ** int(match[1]))
    match = re.fullmatch(
        r"(?:value|raw|wert|值)?\s*[x×*]?\s*([+-]?[\d.,]+(?:e[+-]?\d+)?)\s*(.*)", plain
    )
    if match is None:
        raise ValueError(f"found {text!r}, expected a factor like 0.1, x0.1, /10 or 10")
    value = _not_zero(number(match[1], decimal_comma), text)
    rest = match[2].strip()
    unit_text = text.strip()[-len(rest) :] if rest else ""
    if rest and not is_unit(unit_text):
        raise ValueError(f"found {text!r}, expected a factor like 0.1, x0.1, /10 or 10")
    return Factor(value, unit(unit_text)[0] if rest else "", abs(value) > 1 and not rest)


def _not_zero(value: float, text: str) -> float:
    if value == 0:
        raise ValueError(f"found {text!r}: a factor of 0 leaves nothing")
    return value


def unit(text: str, decimal_comma: bool = False) -> tuple[str, Factor | None]:
    """Our spelling, and the factor that stands beside it: 0.1 °C, °C x0.1, kW/10."""
    plain = unicodedata.normalize("NFKC", text).strip().strip("[]()")
    if plain.lower() in NOTHING:
        return "", None
    if is_unit(plain):
        return unit_of(plain), None
    before = _FACTOR_UNIT.fullmatch(plain)
    if before is not None and is_unit(before[2]):
        return unit_of(before[2]), Factor(factor(before[1], decimal_comma).value)
    after = _UNIT_FACTOR.fullmatch(plain)
    if after is not None and is_unit(after[1]):
        return unit_of(after[1]), factor(after[2], decimal_comma)
    return unit_of(plain), None


def is_unit(text: str) -> bool:
    """Whether this is a unit we know."""
    return unit_of(unicodedata.normalize("NFKC", text)) in CONVERSIONS


@dataclass(frozen=True, slots=True)
class Kind:
    """How a number is written; empty where the cells do not say."""

    type: str = ""
    length: int = 0  # of a string
    word_order: str = ""
    byte_order: str = ""


def kind(text: str, signed: str = "", length: str = "") -> Kind:
    """INT16, UINT, DINT, S32, float (CDAB), 16-bit unsigned, `signed` with 2 registers."""
    plain = _plain(text)
    word_order, byte_order = order(plain)
    bare = re.sub(rf"[\s_().,/-]|{_LOW_FIRST}|{_HIGH_FIRST}", "", plain)
    size = _size(length)
    letter, bits = "", 0
    if bare:
        found = next(((a, b) for pattern, a, b in _TYPES if re.search(pattern, bare)), None)
        if found is None:
            raise ValueError(f"found {text!r}, expected a type like int16, uint32, float or bool")
        letter, bits = found
        if said := re.search(r"\d+", bare.replace("754", "")):
            bits = 16 if said[0] == "8" and letter == "u" else int(said[0])
    if signed and letter in ("", "u", "i"):
        letter = _sign(signed)
    if letter in ("bit", "string"):
        return Kind(letter, size if letter == "string" else 0, word_order, byte_order)
    if not letter and not size:
        return Kind("", 0, word_order, byte_order)
    letter = letter or "u"
    bits = bits or {0: 32 if letter == "f" else 16}.get(size) or _bits_of(size, letter)
    name = f"{letter}{bits}"
    if name not in WORDS:
        raise ValueError(f"found {text!r}, expected a type like int16, uint32, float or bool")
    if size and size not in (WORDS[name], 2 * WORDS[name], 16 * WORDS[name]):
        raise ValueError(f"{text or name} has {WORDS[name]} registers, the length says {length}")
    return Kind(name, 0, word_order, byte_order)


def _bits_of(size: int, letter: str) -> int:
    """From a length without a width: registers, or bits."""
    return size if size in (16, 32, 64) else 16 * size


def _size(text: str) -> int:
    if _plain(text) in NOTHING:
        return 0
    found = re.fullmatch(r"(\d+)(?:\.0)?\s*(?:registers?|words?|字|bits?|bytes?)?", _plain(text))
    if found is None:
        raise ValueError(f"found {text!r}, expected a number of registers")
    return int(found[1])


def _sign(text: str) -> str:
    plain = _plain(text)
    if re.search(r"unsigned|^u$|^no?$|^nein$|^false$|^0$|无|^否$", plain):
        return "u"
    if re.search(r"signed|^s$|^y(es)?$|^ja$|^true$|^1$|有|^是$|^[+±]", plain):
        return "i"
    raise ValueError(f"found {text!r}, expected signed or unsigned")


def order(text: str) -> tuple[str, str]:
    """(word order, byte order); empty where the text does not say."""
    plain = _plain(text)
    byte_order = "little" if re.search(_BYTES, plain) else ""
    if re.search(_LOW_FIRST, plain):
        return "little", byte_order
    return ("big" if re.search(_HIGH_FIRST, plain) else ""), byte_order


def order_said(text: str) -> str:
    """The word order that a remark tells on the side; empty where it speaks of other things."""
    plain = _plain(text)
    if re.search(_SAID_LOW_FIRST, plain):
        return "little"
    return "big" if re.search(_SAID_HIGH_FIRST, plain) else ""


def states(text: str) -> dict[int, str]:
    """0=off, 1: on; 2 - fault -> what each number means; empty where the text has no such list."""
    return {int(raw, 0): label for raw, label in _list(_STATE, text)}


def bits(text: str) -> dict[int, str]:
    """bit0: pump 1 fault; bit 1 = leak -> name by bit; empty where the text has no such list."""
    return {int(bit): label for bit, label in _list(_BIT, text) if int(bit) < 64}


def _list(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """(number, what stands between it and the next)."""
    plain = unicodedata.normalize("NFKC", text)
    marks = list(pattern.finditer(plain))
    for mark, following in zip_longest(marks, marks[1:]):
        label = plain[mark.end() : following.start() if following else None]
        if label := label.strip(" \t\n,;/|.、。()"):
            yield mark[1], label


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()
