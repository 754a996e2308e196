"""Registers in a CSV, as vendors' manuals and spreadsheets have them; only an address is needed.

Which column is which: `header`. What a cell may say: `cells`. What the table as a whole leaves
open is in the draft's `unsaid`, and every number that rests on it is doubtful.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from collectors.importers import cells, unsaid
from collectors.importers.draft import Draft, ImportFault
from collectors.importers.guess import component_of, split
from collectors.importers.header import Sheet, sheet_of, title_hint
from collectors.importers.line import Line
from collectors.importers.meaning import check, meaning, one_loop
from collectors.importers.nature import OPEN_POWER, is_open
from collectors.importers.row import Row
from collectors.modbus.at import BIT_TABLES, WORDS, At
from collectors.modbus.checks import overlapping

_ENCODINGS = ("utf-8-sig", "gb18030", "cp1252")
_SPARE = re.compile(
    r"^(reserved?|spare|not used|unused|n/?a|-+|备用|预留|保留|frei)\b", re.IGNORECASE
)
_WRITE_ONLY = frozenset(["w", "wo", "write", "write only", "write-only", "只写"])
_IN_BRACKETS = re.compile(r"\s*[\[(\uff08]([^\[\]()\uff08\uff09]+)[\])\uff09]\s*$")


def read(path: Path, source: str, conventions: Mapping[str, str] | None = None) -> Draft:
    """A draft; ImportFault with everything that cannot be read, by line."""
    sheet = sheet_of(_text(path))
    if sheet is None:
        raise ImportFault(
            f"{path}: no header found; expected a line with a column like address, register or 地址"
        )
    return _Table(sheet, conventions or {}).draft(source)


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data[:4] == b"PK\x03\x04":
        raise ImportFault(
            f"{path}: a spreadsheet; save the sheet with the registers as CSV (UTF-8)"
        )
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    for encoding in _ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "gb18030" or re.search("[地址寄存器名称单位]{2}", text):
            return text
    return data.decode("latin-1")


class _Table:
    """The whole of it: what its columns say together, then line by line."""

    def __init__(self, sheet: Sheet, conventions: Mapping[str, str]) -> None:
        self._sheet = sheet
        self._told = conventions
        self._hex = {
            title: title_hint([title], r"\bhex|十六进制|0x")
            for title in sheet.titles.get("address", ())
        }
        self._lines = list(_sections(sheet))
        self._whole = self._all_end_in_nought()
        self._unsaid: dict[str, unsaid.Unsaid] = {}
        self._addresses = self._told.get("addresses") or self._notation()
        self._divides = sheet.has("divisor")
        self._multiplies = any(
            0 < abs(one.value) < 1 for line in self._lines if (one := _factor_of(line)) is not None
        )
        self._left_out: list[str] = []

    def draft(self, source: str) -> Draft:
        draft = Draft(source)
        pairs = [(line, self._row(line, draft)) for line in self._lines]
        faults = [f"{line.label}: {text}" for line, _ in pairs for text in line.faults]
        faults += overlapping(_placed((line, row) for line, row in pairs if row is not None))
        if faults:
            raise ImportFault("\n".join(faults))
        rows = [(line, row) for line, row in pairs if row is not None]
        self._powers(rows)
        self._ask(rows)
        for line, row in rows:
            row.doubtful = "; ".join(
                _DOUBTS[key] for key in _DOUBTS if key in line.doubts and key in self._unsaid
            )
        draft.rows = [row for _, row in rows]
        draft.remarks += one_loop(draft.rows)
        draft.unsaid = list(self._unsaid.values())
        if self._sheet.unused:
            draft.remarks.append(f"columns not used: {', '.join(self._sheet.unused)}")
        if not draft.rows and not draft.left_out:
            raise ImportFault("no line with an address")
        return draft

    # --- what the table says as a whole ---

    def _all_end_in_nought(self) -> bool:
        """Whether a spreadsheet wrote its numbers as 100.0."""
        texts = [text for line in self._lines if (text := line.get("address"))]
        return bool(texts) and all(re.fullmatch(r"\d+\.0", text) for text in texts)

    def _places(self, line: Line) -> Iterator[cells.Place]:
        for title, hexadecimal in self._hex.items():
            text = line.raw.get(title, "")
            if text:
                yield cells.address(text.removesuffix(".0") if self._whole else text, hexadecimal)

    def _notation(self) -> str:
        """4xxxx, 0 (as on the wire) or 1 (counted from 1), as titles and numbers tell."""
        plain: list[tuple[str, str]] = []
        for line in self._lines:
            try:
                digits = [place.digits for place in self._places(line) if place.digits]
                said = cells.table(line.get("table")) if line.get("table") else line.section
            except ValueError:
                continue  # said with the line itself
            plain += [(one, said) for one in digits[:1]]
        meant = [cells.classic(digits) for digits, _ in plain]
        whole = [one for one in meant if one is not None]
        agree = len(whole) == len(plain) and all(
            said in ("", one[0]) for one, (_, said) in zip(whole, plain, strict=False)
        )
        if whole and agree and any(digits[0] != "0" for digits, _ in plain):
            asked = unsaid.addresses_classic(plain[0][0], *whole[0])
            self._unsaid["addresses"] = asked
            return asked.default
        if title_hint(tuple(self._hex), r"1[- ]?based|base 1|从1"):
            return "1"
        told = title_hint(tuple(self._hex), r"0[- ]?based|base 0|hex|wire|从0")
        if plain and not told and all(int(digits) > 0 for digits, _ in plain):
            self._unsaid["addresses"] = unsaid.addresses_from(len(plain))
        return "0"

    def _ask(self, rows: list[tuple[Line, Row]]) -> None:
        """What nobody has told of the rows that are numbers."""
        for key, make in _QUESTIONS.items():
            named = [row.name for line, row in rows if key in line.doubts]
            if named and key not in self._told:
                some = ", ".join(named[:2]) + (", ..." if len(named) > 2 else "")
                self._unsaid[key] = make(len(named), some)
        for key, value in self._told.items():
            if value == "doubtful" and key in _QUESTIONS:
                self._unsaid[key] = _QUESTIONS[key](0, "")

    def _powers(self, rows: list[tuple[Line, Row]]) -> None:
        """Powers that may be of heat: as told, or open."""
        metrics = {row.metric for _, row in rows}
        told = {"heat": "heat", "cooling": "cooling.power"}.get(self._told.get("power", ""))
        for line, row in rows:
            words = set(split(f"{row.name} {line.get('description')}"))
            if row.guessed and is_open(row.metric, words, metrics):
                line.doubts.add("power")
                row.metric = told or row.metric

    # --- line by line ---

    def _row(self, line: Line, draft: Draft) -> Row | None:
        name = " ".join((line.get("name") or line.get("description")).split())
        access = line.get("access").lower()
        if _SPARE.match(name) or access in _WRITE_ONLY:
            reason = "can only be written" if access in _WRITE_ONLY else "a spare"
            draft.left_out.append(f"{name} ({line.get('address')}): {reason}")
            return None
        at = self._at(line)
        row = Row(name or f"register {line.get('address')}", at)
        self._measure(line, row)
        if at.get("type") == "string":
            item = component_of(name).replace("/", "_") or "text"
            draft.inventory.append({"name": item, "at": at})
            return None
        if not line.faults:
            meaning(line, row)
        if not line.faults:
            check(line, row)
        if line.faults:
            return None
        return row

    def _at(self, line: Line) -> dict[str, object]:
        """Where it stands and how it is written."""
        at: dict[str, object] = {}
        place = self._place(line)
        said = line.take("table", cells.table, line.section)
        table, address = self._wire(line, place, said)
        if table != "holding":
            at["table"] = table
        at["address"] = address
        kind = self._kind(line, place)
        bit = line.take("bit", _bits, None) or ((place.bit, 1) if place.bit is not None else None)
        if table in BIT_TABLES:
            return at
        if kind.type == "string":
            return at | {"type": "string", "length": kind.length or place.count or 1}
        if kind.type not in ("", "u16", "bit"):
            at["type"] = kind.type
        if kind.type == "bit" and bit is None:
            bit = 0, 1
        if bit is not None:
            at |= {"bit": bit[0]} | ({"width": bit[1]} if bit[1] > 1 else {})
        self._orders(line, at, kind)
        return at

    def _orders(self, line: Line, at: dict[str, object], kind: cells.Kind) -> None:
        word_order, byte_order = line.take("word_order", cells.order, ("", ""))
        byte_order = line.get("byte_order").lower() or byte_order or kind.byte_order
        word_order = word_order or kind.word_order
        remarks = " ".join((line.get("name"), line.get("description"), line.get("note")))
        word_order = word_order or cells.order_said(remarks)
        if WORDS.get(kind.type, 1) > 1 and not word_order:
            line.doubts.add("word_order")
            word_order = self._told.get("word_order", "big")
        if word_order == "little" and WORDS.get(kind.type, 1) > 1:
            at["word_order"] = "little"
        if byte_order == "little":
            at["byte_order"] = "little"

    def _kind(self, line: Line, place: cells.Place) -> cells.Kind:
        length = line.get("length") or (str(place.count) if place.count else "")
        try:
            kind = cells.kind(line.get("type"), line.get("signed"), length)
        except ValueError as error:
            line.faults.append(f"type: {error}")
            return cells.Kind()
        if kind.type:
            return kind
        line.doubts.add("type")
        told = self._told.get("type", "u16")
        return cells.Kind("i16" if told == "i16" else "", 0, kind.word_order, kind.byte_order)

    def _place(self, line: Line) -> cells.Place:
        try:
            places = list(self._places(line))
        except ValueError as error:
            line.faults.append(f"address: {error}")
            return cells.Place(0)
        if not places:
            line.faults.append("no address")
            return cells.Place(0)
        said = line.section
        meant = {self._wire(line, place, said)[1] for place in places}
        if len(meant) > 1:
            titles = " and ".join(self._hex)
            found = " and ".join(map(str, sorted(meant)))
            line.faults.append(f"{titles} disagree ({found} on the wire): keep one of them")
        return places[0]

    def _wire(self, line: Line, place: cells.Place, said: str) -> tuple[str, int]:
        """(table, address on the wire)."""
        if place.table:
            return place.table, place.number
        found = cells.classic(place.digits) if self._addresses == "4xxxx" else None
        if found is not None:
            return found
        number = place.number - (self._addresses == "1")
        if not 0 <= number <= 0xFFFF:
            line.faults.append(f"address: found {place.number}, expected 0..65535 on the wire")
            return said or "holding", 0
        return said or "holding", number

    def _measure(self, line: Line, row: Row) -> None:
        """Unit, scale and offset."""
        comma = self._sheet.decimal_comma
        nothing: tuple[str, cells.Factor | None] = "", None
        row.unit, beside = line.take("unit", lambda text: cells.unit(text, comma), nothing)
        if not row.unit and (match := _IN_BRACKETS.search(row.name)):
            unit, of_name = cells.unit(match[1], comma)
            if cells.is_unit(unit):
                row.unit, beside = unit, of_name
                row.name = row.name[: match.start()].strip() or row.name
        factor = line.take("scale", lambda text: cells.factor(text, comma), None)
        factor = line.take("divisor", lambda text: _divided(text, comma), factor)
        factor = line.take("decimals", lambda text: _decimals(text, comma), factor)
        if factor is not None and beside is not None and factor.value != beside.value:
            text = f"{factor.value:g}, the unit says {beside.value:g}: which one is it?"
            line.faults.append(f"scale: found {text}")
        factor = factor or beside
        row.offset = line.take("offset", lambda text: cells.number(text, comma), 0.0)
        invalid = line.get("invalid").replace(";", " ").split()
        if invalid:
            row.invalid = line.take(
                "invalid", lambda _: {cells.number(one): "no value" for one in invalid}, {}
            )
        if factor is None:
            if str(row.at.get("type", "u16"))[0] != "f":
                line.doubts.add("scale")
            return
        row.unit = row.unit or factor.unit
        row.scale = factor.value
        if factor.open and not self._multiplies and not self._divides:
            line.doubts.add("factors")
            if self._told.get("factors") == "divide":
                row.scale = 1 / factor.value


_DOUBTS = {
    "type": "the map gives no type: u16 assumed",
    "scale": "the map gives no scale: 1 assumed",
    "factors": "the map's scale may divide: times assumed",
    "word_order": "the map gives no word order: high word first assumed",
    "power": OPEN_POWER,
}
_QUESTIONS: Mapping[str, Callable[[int, str], unsaid.Unsaid]] = {
    "type": unsaid.no_type,
    "scale": unsaid.no_scale,
    "factors": unsaid.factors,
    "word_order": unsaid.no_word_order,
    "power": unsaid.open_power,
}


def _sections(sheet: Sheet) -> Iterator[Line]:
    """Lines with an address; a heading between them may tell the table of those below."""
    section = ""
    for number, raw in sheet.lines:
        filled = [text for text in raw.values() if text]
        line = Line(sheet, number, raw, section)
        if len(filled) > 1 or (line.get("address") and filled[0][:1].isdigit()):
            yield line
        elif filled:
            try:
                section = cells.table(re.sub(r"\d{3,}", "", filled[0]))
            except ValueError:
                section = (
                    section if not re.search("register|寄存器", filled[0], re.IGNORECASE) else ""
                )


def _placed(rows: Iterable[tuple[Line, Row]]) -> Iterator[tuple[str, At]]:
    """Where every line with a meaning stands, bit by bit where its bits have names."""
    for line, row in rows:
        if row.metric or row.bits:
            for bit in row.bits or [None]:
                yield line.label, At.model_validate(row.at | ({} if bit is None else {"bit": bit}))


def _factor_of(line: Line) -> cells.Factor | None:
    try:
        return cells.factor(line.get("scale"), line.sheet.decimal_comma)
    except ValueError:
        return None  # said with the line itself


def _divided(text: str, comma: bool) -> cells.Factor:
    found = cells.factor(text, comma)
    return cells.Factor(1 / found.value if found.value > 1 else found.value)


def _decimals(text: str, comma: bool) -> cells.Factor:
    places = cells.number(text, comma)
    if places != int(places) or not 0 <= places <= 9:
        raise ValueError(f"found {text!r}, expected a number of decimals, 0 to 9")
    return cells.Factor(10.0**-places)


def _bits(text: str) -> tuple[int, int] | None:
    """(first bit, how many) of 3 or 0-3."""
    found = re.fullmatch(r"(?:bit\s*)?(\d+)(?:\.0)?(?:\s*(?:-|\.\.|~|:)\s*(\d+))?", text.lower())
    if found is None:
        raise ValueError(f"found {text!r}, expected a bit like 3, or bits like 0-3")
    ends = sorted((int(found[1]), int(found[2] or found[1])))
    return ends[0], ends[1] - ends[0] + 1
