"""Serial numbers in what a device says, and others of the same shape in their place. Pure."""

import re
from collections import Counter
from collections.abc import Callable

from collectors.snmp.record_addresses import is_other_mac

# Model numbers are shorter ("AP8959NA3"), or say so.
_LOOKS_SERIAL = re.compile(r"(?<!MN:)\b(?=(?:[A-Z]*\d){6})[A-Z0-9]{10,}\b")
_LOOKS_JOINED = re.compile(
    r"\s*(?!\d{4}-\d\d-\d\d)(?=(?:[A-Z-]*\d){6})(?=.{10})[A-Z0-9]+(?:-[A-Z0-9]+)+\s*"
)
_SAID = re.compile(
    r"(?i)(?:(?<![a-z0-9])s[/.]?n|serial(?:[ _-]?(?:number|num|no|nr))?"
    r"|(?<![a-z])ser(?:ien)?[ ._-]{0,2}(?:nummer|no|nr))"
    r"(?:\s(?:is|ist)\s|\W{1,5}|(?=\d))(?P<serial>[a-z0-9]+(?:[-./_][a-z0-9]+)*)"
)
_SERIAL = re.compile(r"(?:\D*\d){4}|(?=.*\d)[A-Z0-9-]{8,}$")  # "RS232", "Port1" are none
_NUMBER = re.compile(r"(?i)v?\d+(?:\.\d+)+")  # a version, an address, a reading
_DIGITS = re.compile(r"(?=(?:\D*\d){3}).{6,}")  # a shorter one is only sure where it stands
_COUNTED_DIGITS = 4


class Serials:
    """One recording's serial numbers: learns them first, then puts the same other one for each."""

    def __init__(self, keeps: Callable[[str], bool]) -> None:
        self.counts: Counter[str] = Counter()
        self._keeps = keeps  # whether a word is a maker's
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._masked: dict[str, str] = {}

    def learn(self, text: str) -> None:
        """Take up what an object of serial numbers says."""
        if _DIGITS.search(text):
            self._known.add(text.strip("\0 \t\r\n"))
            self.instead(text)
            self._pattern = None

    def learn_said(self, text: str) -> None:
        """Take up what a text calls a serial number."""
        for match in _SAID.finditer(text):
            if self._is_said(match["serial"]):
                self.instead(match["serial"])
                self.learn(match["serial"])

    def known(self, text: str) -> str:
        """The text with others for the serial numbers that it calls so, or another object does."""

        def said(match: re.Match[str]) -> str:
            serial = match["serial"]
            head = match[0].removesuffix(serial)
            return head + self.instead(serial) if self._is_said(serial) else match[0]

        other = self._ways().sub(lambda match: self.instead(match[0]), text)
        other = _SAID.sub(said, other)
        self.counts["serial number"] += other != text
        return other

    def guessed(self, text: str) -> str:
        """The text with others for what only looks like a serial number."""

        def guess(match: re.Match[str]) -> str:
            serial = match[0]
            joined = serial.replace("-", "")
            kept = self._keeps(serial) or is_other_mac(joined) or not joined.strip("0")
            return serial if kept or serial in self._masked.values() else self.instead(serial)

        whole = _LOOKS_JOINED.fullmatch(text)
        other = guess(whole) if whole is not None else _LOOKS_SERIAL.sub(guess, text)
        self.counts["looks like a serial number"] += other != text
        return other

    def instead(self, serial: str) -> str:
        """What stands for a serial number, the same for the same one."""
        if serial in self._masked.values():
            return serial
        if serial.casefold() not in self._masked:
            self._masked[serial.casefold()] = masked(serial, len(self._masked) + 1)
        return self._masked[serial.casefold()]

    def _is_said(self, serial: str) -> bool:
        kept = _NUMBER.fullmatch(serial) is not None or self._keeps(serial)
        return _SERIAL.match(serial) is not None and not kept

    def _ways(self) -> re.Pattern[str]:
        if self._pattern is None:
            ways = "|".join(map(re.escape, sorted(self._known, key=len, reverse=True)))
            pattern = rf"(?<!\d)(?:{ways})(?!\d)" if ways else r"(?!)"
            self._pattern = re.compile(pattern, re.IGNORECASE)
        return self._pattern


def masked(serial: str, number: int = 0) -> str:
    """The shape of a serial number: letters as X, digits as 0, the last ones counting."""
    shape = list(re.sub(r"[^\W\d_]", "X", re.sub(r"\d", "0", serial)))
    places = [at for at, sign in enumerate(shape) if sign == "0"][-_COUNTED_DIGITS:]
    for at, digit in zip(places, str(number)[-_COUNTED_DIGITS:].zfill(len(places)), strict=False):
        shape[at] = digit
    return "".join(shape)
