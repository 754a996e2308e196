"""The header of somebody's register table: which column is which, in the words of vendors. Pure."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_SEARCHED = 40  # lines from the top that may stand before the header
_NAMES: Mapping[str, str] = {  # column -> what vendors call it, after `_plain`
    "address": "address|addr|adr|adresse|register|registers|reg|register address|registeradresse"
    "|modbus address|modbus register|modbus addr|register no|register number|register nr|reg no"
    "|reg addr|data address|start address|plc address|modbus adresse|modbusadresse"
    "|地址|寄存器|寄存器地址|寄存器编号|寄存器号|起始地址|modbus地址|数据地址|点位地址",
    "name": "name|parameter|parameter name|signal|signal name|point|point name|data point|datapoint"
    "|variable|variable name|tag|tag name|item|register name|object|bezeichnung|benennung|titel"
    "|title|名称|参数|参数名称|信号|信号名称|变量|变量名|变量名称|点位|点位名称|数据名称|寄存器名称"
    "|测点名称|监控量",
    "description": "description|desc|meaning|beschreibung|bedeutung|definition|描述|说明|含义|定义",
    "table": "table|function|function code|func|fc|modbus function|register type|object type"
    "|read function|area|memory area|funktion|funktionscode|registertyp|功能码|功能|读功能码"
    "|寄存器类型|区域",
    "type": "type|data type|datatype|format|fmt|dtype|data fmt|data format|datentyp|typ|数据类型|类型|数据格式|格式",
    "signed": "signed|sign|signedness|signed unsigned|vorzeichen|符号|有无符号|有符号",
    "length": "length|len|size|words|word count|registers count|no of registers"
    "|number of registers|register count|quantity|qty|count|laenge|länge|anzahl|anzahl register"
    "|长度|数量|寄存器数量|寄存器个数|寄存器长度|数据长度|字数|bits|bytes",
    "scale": "scale|scaling|scal|scale factor|scaling factor|factor|multiplier|mult|resolution|res|resol|coefficient"
    "|gain|ratio|faktor|skalierung|auflösung|aufloesung|step|倍率|系数|比例|比例系数|精度|分辨率|缩放"
    "|缩放系数|比例因子",
    "divisor": "divisor|divider|divide by|teiler|除数",
    "decimals": "decimals|decimal places|decimal|number of decimals|nachkommastellen|小数位|小数位数"
    "|小数点",
    "offset": "offset|value offset|zero|versatz|偏移|偏移量",
    "unit": "unit|units|engineering unit|engineering units|eng unit|eng units|uom|einheit|单位",
    "metric": "metric",
    "component": "component",
    "word_order": "word order|wordorder|register order|endian|endianness|byte word order"
    "|data order|wortreihenfolge|字序|字节序|字节顺序|大小端",
    "byte_order": "byte order",
    "bit": "bit|bit no|bit number|bit position|位|位号",
    "states": "states|state|values|enum|enumeration|value description|coding|codes|value meaning"
    "|bit description|bits description|zustände|werte|wertebedeutung|枚举|取值|取值说明|值说明|状态"
    "|位定义",
    "access": "access|r w|rw|read write|access type|attribute|zugriff|读写|属性|读写属性|访问|权限",
    "invalid": "invalid|invalid value|no value|error value|无效值",
    "note": "note|notes|remark|remarks|comment|comments|bemerkung|bemerkungen|kommentar|hinweis"
    "|备注|注释|说明备注",
}
_COLUMNS = {word: column for column, words in _NAMES.items() for word in words.split("|")}
KNOWN = tuple(_NAMES)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its header understood."""

    titles: Mapping[str, tuple[str, ...]]  # column -> the titles that mean it; mostly one
    unused: tuple[str, ...]  # titles that mean nothing to us
    lines: tuple[tuple[int, Mapping[str, str]], ...]  # line number, cells by title
    decimal_comma: bool

    def has(self, column: str) -> bool:
        return column in self.titles


def sheet_of(text: str) -> Sheet | None:
    """The table in a text, whatever stands between its cells; None where no header is found."""
    if text[:4].lower() == "sep=":  # Excel's own first line
        text = "\n" + text.partition("\n")[2]
    best: tuple[int, int, str, list[tuple[int, list[str]]]] | None = None
    for delimiter in ",;\t|":
        rows = list(_rows(text, delimiter))
        for place, (_, cells) in enumerate(rows[:_SEARCHED]):
            known = _understood(cells)
            score = len(known) if "address" in known else 0
            if score and (best is None or score > best[0]):
                best = score, place, delimiter, rows
    if best is None:
        return None
    _, place, delimiter, rows = best
    return _sheet(rows[place][1], rows[place + 1 :], delimiter)


def title_hint(titles: Sequence[str], pattern: str) -> bool:
    """Whether a title says something on the side: `Address (hex)`, `Register (1-based)`."""
    return any(re.search(pattern, title, re.IGNORECASE) for title in titles)


def _sheet(header: list[str], rows: list[tuple[int, list[str]]], delimiter: str) -> Sheet:
    titles: dict[str, tuple[str, ...]] = {}
    unused: list[str] = []
    for title in header:
        column = _column(title)
        if column is not None:
            titles[column] = (*titles.get(column, ()), title)
        elif title:
            unused.append(title)
    lines = tuple(
        (number, dict(zip(header, _whole(cells, header, delimiter), strict=False)))
        for number, cells in rows
        if any(cells) and cells[: len(header)] != header  # a page break repeats the header
    )
    return Sheet(titles, tuple(unused), lines, delimiter in ";\t")


def _whole(cells: list[str], header: list[str], delimiter: str) -> list[str]:
    """With an unquoted `0=off; 1=on` of the last column in one piece again."""
    last = len(header) - 1
    if len(cells) <= len(header) or not header[last]:
        return cells
    return [*cells[:last], f"{delimiter} ".join(cells[last:]).rstrip(f"{delimiter} ")]


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) without the spaces around; a cell may hold line breaks."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    before = 0
    for cells in reader:
        yield before + 1, [cell.strip().strip("\u00a0\u200b\ufeff ") for cell in cells]
        before = reader.line_num


def _understood(cells: Sequence[str]) -> set[str]:
    return {column for cell in cells if (column := _column(cell)) is not None}


def _column(title: str) -> str | None:
    plain = _plain(title)
    return _COLUMNS.get(plain) or _COLUMNS.get(re.sub(r" (dec|hex|decimal|0|1 based)$", "", plain))


def _plain(title: str) -> str:
    """Lower case, without what stands in brackets, one space between words."""
    text = unicodedata.normalize("NFKC", title).lower()
    text = re.sub(r"[\[(].*?[\])]", " ", text)
    return " ".join(re.sub(r"[^\w]+|_", " ", text).split())
