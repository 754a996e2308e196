"""What a recording must not tell: secrets, people, addresses and serial numbers are taken out. Pure.

Rather too much than too little; the person who records looks at the rest before sending it. All
objects are looked at before the first one is changed: what is private is taken out wherever it
stands, and the same text or number always becomes the same other one, so that tables still join.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.snmp.ber import IP_ADDRESS, OBJECT_ID, OPAQUE, Value
from collectors.snmp.identify import SYS_DESCR, SYS_OBJECT_ID
from collectors.snmp.record_addresses import Addresses, Arcs
from collectors.snmp.record_known import Known
from collectors.snmp.record_names import Names
from collectors.snmp.record_places import Places
from collectors.snmp.record_secrets import secrets, without_secrets
from collectors.snmp.record_serials import Serials

_CONTACT, _LOCATION = "1.3.6.1.2.1.1.4.0", "1.3.6.1.2.1.1.6.0"
_NAMES = frozenset(["1.3.6.1.2.1.1.5", "1.3.6.1.2.1.33.1.1.5"])  # sysName, upsIdentName
_LABELS = frozenset(
    [
        "1.3.6.1.2.1.31.1.1.1.18",  # ifAlias
        "1.3.6.1.2.1.47.1.1.1.1.14",  # entPhysicalAlias
        "1.3.6.1.2.1.47.1.1.1.1.15",  # entPhysicalAssetID
    ]
)
_PATHS = frozenset(
    [
        "1.3.6.1.2.1.25.2.3.1.3",  # hrStorageDescr
        "1.3.6.1.4.1.2021.9.1.2",  # dskPath
    ]
)
_EMPTIED = frozenset(
    [
        _CONTACT,
        _LOCATION,
        "1.3.6.1.2.1.33.1.1.6",  # upsIdentAttachedDevices
        "1.3.6.1.2.1.25.1.4",  # hrSystemInitialLoadParameters: a kernel's command line
        "1.3.6.1.2.1.25.3.8.1.2",  # hrFSMountPoint
        "1.3.6.1.2.1.25.3.8.1.3",  # hrFSRemoteMountPoint
    ]
)
_SMALLEST_SERIAL = 10_000
_ENTERPRISE_ARCS, _STANDARD_ARCS = 9, 9  # of an object's name, before anything that is an index
_SHORTEST_SPELT = 3
_FLOAT = 0x9F  # first octet of the floating-point numbers in an Opaque
_PRINTABLE = range(0x20, 0x100)
_ADDRESS = re.compile(r"[\d.]+|.*:.*")


class Object(NamedTuple):
    """One object of a device."""

    oid: str  # dotted
    tag: int  # of its ASN.1 type
    value: Value


@dataclass(frozen=True, slots=True)
class Private:
    """What is known of a device to be private before it says anything."""

    secrets: tuple[str, ...] = field(default=(), repr=False)  # communities, users, keys
    hosts: tuple[str, ...] = ()  # names and addresses of the device
    keep_serials: bool = False


@dataclass(slots=True)
class Stripped:
    """Objects that may be told, and what was done to them."""

    objects: list[Object]
    replaced: Counter[str] = field(default_factory=Counter)
    guessed: list[str] = field(default_factory=list)  # objects that perhaps held serial numbers


def stripped(objects: Iterable[Object], private: Private, known: Known) -> Stripped:
    """The objects in order, without what is private."""
    objects = list(objects)
    stripper = Stripper(private, known)
    stripper.learn(objects)
    told: dict[Arcs, Object] = {}
    for one in objects:
        other = stripper.strip(one)
        stripper.clashes += told.setdefault(_arcs(other.oid), other) is not other
    out = Stripped([told[arcs] for arcs in sorted(told)])
    out.replaced, out.guessed = stripper.counts(), stripper.guessed
    return out


class Stripper:
    """Takes private things out of one device's objects, once it has learned from all of them."""

    def __init__(self, private: Private, known: Known) -> None:
        self.guessed: list[str] = []
        self.clashes = 0  # objects that are named like others now, and left out
        self._counts: Counter[str] = Counter()
        self._known = known
        self._keep_serials = private.keep_serials
        self._descr = ""
        self._names = Names(known.words)
        self._addresses = Addresses()
        self._places = Places()
        self._serials = Serials(self._names.keeps)
        for secret in filter(None, private.secrets):
            self._names.learn_secret(secret)
        self._hosts = [host for host in private.hosts if host]

    def learn(self, objects: Sequence[Object]) -> None:
        """Take up what is private in a device's objects; what is a maker's word first."""
        for oid, _, value in objects:
            if isinstance(value, bytes) and _below(oid, self._known.models):
                self._names.keep(_text(value)[0])
            elif isinstance(value, bytes) and oid == SYS_DESCR:
                self._descr = _text(value)[0]
                self._names.keep(self._descr, words=False)
        for host in self._hosts:
            self._addresses.learn(host)
            if not _ADDRESS.fullmatch(host):
                self._names.learn_host(host)
        for one in objects:
            self._learn(one)
        names = [(_arcs(one.oid), self._own_arcs(one.oid)) for one in objects]
        self._addresses.learn_columns(names)

    def _learn(self, one: Object) -> None:
        oid, tag, value = one
        self._addresses.learn_index(_arcs(oid), self._own_arcs(oid))
        if tag == IP_ADDRESS:
            self._addresses.learn(str(value))
        if not isinstance(value, bytes):
            return
        text, _ = _text(value)
        if oid in (_CONTACT, _LOCATION):
            self._names.learn(text, people=oid == _CONTACT)
        elif _below(oid, _NAMES) or oid in self._known.names:
            self._names.learn_host(text, self._descr)
        elif _below(oid, _LABELS):
            self._names.learn_label(text)
        elif _below(oid, self._known.serials):
            self._serials.learn(text)
        self._serials.learn_said(text)
        for secret in secrets(text, self._names.keeps):
            self._names.learn_label(secret)
        self._places.learn(text, is_place=oid == _LOCATION)
        self._addresses.learn_text(text, _below(oid, self._known.versions))
        self._addresses.learn_octets(value, _below(oid, self._known.macs))

    def strip(self, one: Object) -> Object:
        """The object as it may be told."""
        oid, tag, value = one
        told = self._oid(oid)
        if tag == OBJECT_ID and isinstance(value, str) and value and oid != SYS_OBJECT_ID:
            value = self._oid(value)
        elif tag == IP_ADDRESS:
            value = self._addresses.address(str(value))
        elif isinstance(value, bytes) and value and not (tag == OPAQUE and value[0] == _FLOAT):
            value = self._octets(oid, told, value)
        elif isinstance(value, int) and self._is_serial(oid) and value >= _SMALLEST_SERIAL:
            self._counts["serial number"] += 1
            value = 0
        return Object(told, tag, value)

    def counts(self) -> Counter[str]:
        """How many of what were replaced."""
        more = Counter({"address": self._addresses.replaced, "place": self._places.replaced})
        more["object, left out: its index reads like another's now"] = self.clashes
        return +(self._counts + self._names.counts + self._serials.counts + more)

    def _octets(self, oid: str, told: str, value: bytes) -> bytes:
        if _below(oid, _NAMES | _LABELS | _EMPTIED) or oid in self._known.names:
            self._counts["name, contact or place"] += 1
            return b""
        text, codec = _text(self._addresses.octets(value))
        if self._is_serial(oid):
            return self._counted("serial number", text, self._serials.instead(text)).encode(codec)
        versions, is_mac = _below(oid, self._known.versions), _below(oid, self._known.macs)
        if _below(oid, _PATHS):
            text = self._names.path(text)
        if not self._keep_serials:
            text = self._serials.known(text)
        text = self._names.hosts(self._places.text(text))
        text = self._names.phones(self._addresses.text(text, versions, is_mac))
        text = self._names.names(text)
        other = without_secrets(text, self._names.keeps)
        text = self._counted("password, key or user", text, other)
        is_model = (versions or _below(oid, self._known.models)) and oid != SYS_DESCR
        if not self._keep_serials and not is_model:
            text, before = self._serials.guessed(text), text
            self.guessed += [told] * (text != before)
        return text.encode(codec)

    def _oid(self, oid: str) -> str:
        """An object's name without the addresses and names that its index spells."""
        start = self._own_arcs(oid)
        arcs = list(self._addresses.index(_arcs(oid), start))
        for at, end in _spelt(arcs, start):
            text, codec = _text(bytes(arcs[at:end]))
            other = text if self._keep_serials else self._serials.known(text)
            other = self._addresses.text(self._names.text(other, same_length=True))
            other = other if self._keep_serials else self._serials.guessed(other)
            if len(other.encode(codec)) != end - at:  # an address of another length
                other = re.sub(r"\W", "", other)[at - end :].rjust(end - at, "x")
            arcs[at:end] = other.encode(codec)
        told = ".".join(map(str, arcs))
        self._counts["index"] += told != oid
        return told

    def _own_arcs(self, oid: str) -> int:
        """How many of an object's numbers are its own name; what comes behind may be an index."""
        at = len(oid)
        while at > 0:
            if oid[:at] in self._known.objects:
                return oid.count(".", 0, at) + 1
            at = oid.rfind(".", 0, at)
        return _ENTERPRISE_ARCS if oid.startswith("1.3.6.1.4.1.") else _STANDARD_ARCS

    def _is_serial(self, oid: str) -> bool:
        return not self._keep_serials and _below(oid, self._known.serials)

    def _counted(self, what: str, text: str, told: str) -> str:
        self._counts[what] += told != text
        return told


def _text(octets: bytes) -> tuple[str, str]:
    """Octets as text that can be turned back, and how."""
    if len(octets) > 3 and len(octets) % 2 == 0:
        for codec, letters in (("utf-16-le", octets[::2]), ("utf-16-be", octets[1::2])):
            if not any(octets[codec == "utf-16-le" :: 2]) and all(letters):
                return octets.decode(codec), codec
    try:
        return octets.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return octets.decode("latin-1"), "latin-1"


def _spelt(arcs: Sequence[int], start: int) -> Iterator[tuple[int, int]]:
    """Where an index spells a text: three numbers or more that are letters and signs."""
    at = start
    while at < len(arcs):
        end = at
        while end < len(arcs) and arcs[end] in _PRINTABLE:
            end += 1
        if end - at >= _SHORTEST_SPELT:
            yield at, end
        at = end + 1


def _arcs(oid: str) -> Arcs:
    return tuple(map(int, oid.split(".")))


def _below(oid: str, roots: frozenset[str]) -> bool:
    """Whether an object is one of these or below one."""
    at = len(oid)
    while at > 0:
        if oid[:at] in roots:
            return True
        at = oid.rfind(".", 0, at)
    return False
