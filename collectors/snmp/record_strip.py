"""What a recording must not tell: secrets, people, addresses and serial numbers are taken out. Pure.

Rather too much than too little; the person who records looks at the rest before sending it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import TypeVar

from collectors.snmp.ber import INTEGER, IP_ADDRESS, Value, encode_oid, oid_parts
from collectors.snmp.profile import SnmpProfile

T = TypeVar("T")
SYS_CONTACT, SYS_NAME, SYS_LOCATION = (f"1.3.6.1.2.1.1.{n}.0" for n in (4, 5, 6))
SERIAL_COLUMN = "1.3.6.1.2.1.47.1.1.1.1.11"  # entPhysicalSerialNum
_EMPTIED = (
    *(SYS_CONTACT, SYS_NAME, SYS_LOCATION),
    "1.3.6.1.2.1.33.1.1.5",  # upsIdentName
    "1.3.6.1.2.1.33.1.1.6",  # upsIdentAttachedDevices
    "1.3.6.1.2.1.25.1.4",  # hrSystemInitialLoadParameters: a kernel's command line
    "1.3.6.1.2.1.25.3.8.1.2",  # hrFSMountPoint
    "1.3.6.1.2.1.25.3.8.1.3",  # hrFSRemoteMountPoint
    "1.3.6.1.2.1.31.1.1.1.18",  # ifAlias
    "1.3.6.1.2.1.47.1.1.1.1.14",  # entPhysicalAlias
    "1.3.6.1.2.1.47.1.1.1.1.15",  # entPhysicalAssetID
)
# Not walked at all: neighbours, connections, users, processes, commands.
SKIPPED = (
    "1.3.6.1.2.1.3",  # address translation
    "1.3.6.1.2.1.4",  # ip
    "1.3.6.1.2.1.5",  # icmp
    "1.3.6.1.2.1.6",  # tcp
    "1.3.6.1.2.1.7",  # udp
    "1.3.6.1.2.1.8",  # egp
    "1.3.6.1.2.1.14",  # ospf
    "1.3.6.1.2.1.15",  # bgp
    "1.3.6.1.2.1.16",  # rmon
    "1.3.6.1.2.1.17",  # bridge
    "1.3.6.1.2.1.23",  # rip
    "1.3.6.1.2.1.25.4",  # hrSWRun
    "1.3.6.1.2.1.25.5",  # hrSWRunPerf
    "1.3.6.1.2.1.25.6",  # hrSWInstalled
    "1.3.6.1.2.1.55",  # ipv6
    "1.3.6.1.2.1.80",  # ping
    "1.3.6.1.2.1.88",  # event
    "1.3.6.1.2.1.92",  # notification log
    "1.3.6.1.4.1.9.9.23",  # Cisco's discovery protocol
    "1.3.6.1.4.1.2021.2",  # UCD: processes
    "1.3.6.1.4.1.2021.8",  # UCD: commands
    "1.3.6.1.4.1.2021.15",  # UCD: files
    "1.3.6.1.4.1.2021.16",  # UCD: log files
    "1.3.6.1.4.1.8072.1",  # net-snmp: access control, commands
    "1.3.6.1.6",  # SNMP itself: users, communities, receivers of traps
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]|-\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f:]{3,39}(?:%\w+)?(?![\w:])")
_MAC = re.compile(
    r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:([:\-. ])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}\b"
)
_UNAME = re.compile(r"^(Linux|FreeBSD|OpenBSD|NetBSD|Darwin) (?!host )\S+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")
# Model numbers are shorter ("AP8959NA3"), or say so.
_SERIAL = re.compile(r"(?<!MN:)\b(?=(?:[A-Z]*\d){6})[A-Z0-9]{10,}\b")
_SHORTEST_WORD = 4  # a shorter private text is only replaced where it is the whole value
_MAC_OCTETS = bytes.fromhex("00005e005301")  # RFC 7042: for documentation
_MAC_TEXT, _V4, _V6 = "00:00:5E:00:53:01", "192.0.2.1", "2001:db8::1"


def masked(serial: str) -> str:
    """The shape of a serial number: digits as 0, letters as X."""
    return re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", re.sub(r"\d", "0", serial)))


def serial_objects(profiles: Mapping[str, SnmpProfile]) -> tuple[str, ...]:
    """Objects and columns that profiles take serial numbers from."""
    found = {SERIAL_COLUMN}
    for profile in profiles.values():
        for ref in profile.inventory.get("serial", ()):
            found.add(profile.oid(ref).partition("{")[0].strip("."))
    return tuple(sorted(oid for oid in found if oid.count(".") > 6))


class Stripper:
    """Takes private things out of one device's objects; learns them as it goes."""

    def __init__(
        self, words: Iterable[str], serial_objects: Iterable[str] = (), keep_serials: bool = False
    ) -> None:
        self.counts: Counter[str] = Counter()  # what was replaced
        self.guessed: list[str] = []  # objects that only look as if they held a serial number
        self._words: list[str] = []
        self._serials: set[str] = set()
        self._serial_objects = tuple(serial_objects)
        self._keep_serials = keep_serials
        self._indices: list[str] = []  # private words as they stand in an index
        for word in words:
            self.learn(word)

    def learn(self, word: str) -> None:
        """Take a word out wherever it comes up from now on."""
        word = word.strip()
        if not word or word in self._words:
            return
        self._words = sorted([*self._words, word], key=len, reverse=True)
        if len(word) >= _SHORTEST_WORD:
            self._indices.append("." + ".".join(str(octet) for octet in word.encode()) + ".")
        if _IPV4.fullmatch(word):
            self._indices.append(f".{word}.")

    def learn_serial(self, text: str) -> None:
        if len(text.strip()) >= _SHORTEST_WORD:
            self._serials.add(text.strip())

    def strip(self, oid: str, tag: int, value: Value) -> Value | None:
        """The value as it may be told; None where the line must not be written at all."""
        if any(index in f"{oid}." for index in self._indices):
            self.counts["private index"] += 1
            return None
        if tag == IP_ADDRESS:
            return value if value == "0.0.0.0" else self._counted("address", _V4)
        if tag == INTEGER or not isinstance(value, bytes) or not value:
            return value
        if _below(oid, _EMPTIED):
            return self._counted("name, contact or place", b"")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None or not text.rstrip("\0").isprintable():
            return self._counted("address", _MAC_OCTETS) if _is_mac(value) else value
        return self._text(oid, text).encode()

    def _text(self, oid: str, text: str) -> str:
        for word in self._words:
            if text == word or (len(word) >= _SHORTEST_WORD and word in text):
                text = self._counted("private word", text.replace(word, "***"))
        if not self._keep_serials:
            text = self._without_serials(oid, text)
        text = self._replaced("host name", _UNAME, r"\1 host", text)
        text = self._replaced("mail address", _MAIL, "user@example.com", text)
        text = self._replaced("address", _MAC, _MAC_TEXT, text)
        text = _IPV4.sub(lambda m: self._address(m[0], _V4), text)
        return _IPV6.sub(lambda m: self._address(m[0], _V6), text)

    def _without_serials(self, oid: str, text: str) -> str:
        if _below(oid, self._serial_objects):
            self.learn_serial(text)
            return self._counted("serial number", masked(text))
        for serial in self._serials:
            if serial in text:
                text = self._counted("serial number", text.replace(serial, masked(serial)))
        guess = _SERIAL.sub(lambda m: masked(m[0]), text)
        if guess != text and not re.fullmatch(r"[0X]+", text):
            self.guessed.append(oid)
            self.counts["looks like a serial number"] += 1
        return guess

    def _address(self, found: str, instead: str) -> str:
        try:
            address = ip_address(found.partition("%")[0])
        except ValueError:
            return found
        if address.is_unspecified or str(address).startswith("255."):
            return found
        return self._counted("address", instead)

    def _replaced(self, what: str, pattern: re.Pattern[str], instead: str, text: str) -> str:
        text, count = pattern.subn(instead, text)
        if count:
            self.counts[what] += count
        return text

    def _counted(self, what: str, value: T) -> T:
        self.counts[what] += 1
        return value


def _below(oid: str, roots: Iterable[str]) -> bool:
    return any(oid == root or oid.startswith(f"{root}.") for root in roots)


def _is_mac(value: bytes) -> bool:
    return len(value) == len(_MAC_OCTETS) and any(value)


def jump(oid: str) -> str | None:
    """Where a walk goes on, if `oid` lies in a subtree that is not walked."""
    for root in SKIPPED:
        if oid == root or oid.startswith(f"{root}."):
            head, _, last = root.rpartition(".")
            return f"{head}.{int(last) + 1}"
    return None


def is_after(oid: str, before: str) -> bool:
    """Whether an object comes later in a device's order."""
    return oid_parts(encode_oid(oid)) > oid_parts(encode_oid(before))
