"""Addresses in what a device says, in every form they are written, and others in their place. Pure.

The others are those kept for documentation: RFC 5737, RFC 2544 (IPv4), RFC 3849 (IPv6), RFC 7042
section 2.1.2 (MAC). They stay as they are, so what is replaced once is not replaced again.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import product

Arcs = tuple[int, ...]
_TEST_NETS = [IPv4Network(f"{net}/24") for net in ("192.0.2.0", "198.51.100.0", "203.0.113.0")]
_MORE_V4 = IPv4Network("198.18.0.0/15")
_SITE_V4 = [
    IPv4Network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
]
_DOC_V6 = IPv6Network("2001:db8::/32")
_PLACED_V6 = [IPv6Network(net) for net in ("2000::/3", "fc00::/7", "fe80::/10")]
_DOC_MAC, _MORE_MAC = 0x00005E005300, 0x02005E000000  # the second is locally administered
_LARGEST_ARC = 63  # of what may as well be an object's own name, or a version

_V4 = re.compile(r"(?<!\d)(?<!\d\.)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?!\d)(?!\.\d)")
_V4_JOINED = re.compile(
    r"(?<!\d)(?<!\d[-_])(\d{1,3})([-_])(\d{1,3})\2(\d{1,3})\2(\d{1,3})(?!\d)(?!\2\d)"
)
_VERSION = re.compile(
    r"(?i)(?<![a-z])(?:v|ver|vers|version|fw|firmware|rev|revision|rel|release|build|sw|software"
    r"|hw|hardware|bios|boot|bootloader|pf|mb|af1|an1)[\s:=.#(]*$"
)
_SAYS_ADDRESS = re.compile(
    r"(?i)(?<![a-z])(?:ip|ipv4|addr|address|gw|gateway|dns|ntp|host|server|router|proxy|from|to|://)"
    r"[\s:=(@/]*$"
)
_COLONS = re.compile(r"(?<![0-9A-Fa-f:])[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(?:%\w+)?")
_PAIRS = re.compile(
    r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}([-. ])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f])"
)
_FOURS = re.compile(
    r"(?<![0-9A-Fa-f])(?<![0-9A-Fa-f]{4}[-.:])"
    r"[0-9A-Fa-f]{4}([-.:])[0-9A-Fa-f]{4}\1[0-9A-Fa-f]{4}(?![0-9A-Fa-f]|\1[0-9A-Fa-f]{4})"
)
_SIXES = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{6}[-:][0-9A-Fa-f]{6}(?![0-9A-Fa-f])")
_TWELVE = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
_SAYS_MAC = re.compile(r"(?i)(?:mac|hwaddr|ether\w*|phys\w*|hardware|addr\w*)\W{0,4}$")
_PAIR_BEFORE, _PAIR_BEHIND = re.compile(r"[0-9A-Fa-f]{2}\s$"), re.compile(r"\s[0-9A-Fa-f]{2}(?!\w)")
_PAIR_OF_COLONS = re.compile(r"[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}")


class Addresses:
    """One recording's addresses: learns them first, then puts the same other one for each."""

    def __init__(self) -> None:
        self.replaced = 0
        self._other: dict[IPv4Address | IPv6Address, IPv4Address | IPv6Address] = {}
        self._other_mac: dict[int, int] = {}
        self._v4: set[IPv4Address] = set()  # known: looked for in indices and octets as well
        self._v6: set[IPv6Address] = set()
        self._mac: set[int] = set()
        self._taken: set[object] = set()  # for documentation, and already in the recording
        self._spare = {4: _spare_v4(), 6: _spare_v6()}
        self._spare_macs = _spare_macs()
        self._in_index: set[Arcs] = set()  # names up to small numbers that are an address
        self._anyhow: re.Pattern[str] | None = None  # the known MACs, however they are written

    def learn(self, text: str) -> None:
        """Take up an address that is sure to be one."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return
        self._learn(address)

    def learn_text(self, text: str, versions: bool = False) -> None:
        """Take up the addresses in a text; `versions`: it tells versions, which look alike."""
        self._in_text(text, versions, replace=False)

    def learn_octets(self, octets: bytes, is_mac: bool = False) -> None:
        """Take up what only can be an address: six octets that are no text, link-local ones."""
        if len(octets) == 6 and (is_mac or not _is_text(octets)):
            self._learn_mac(int.from_bytes(octets))
        if len(octets) == 16 and octets.startswith(b"\xfe\x80" + bytes(6)):
            self._learn(IPv6Address(octets))

    def learn_index(self, arcs: Arcs, start: int) -> None:
        """Take up addresses of sites in an index, and those that say their type and length."""
        for at in range(start, len(arcs) - 3):
            four = arcs[at : at + 4]
            if max(four) > 255:
                continue
            address = IPv4Address(bytes(four))
            said = arcs[at - 2 : at] == (1, 4) and at + 4 == len(arcs)  # InetAddress, RFC 4001
            if _of_site(address) and (said or four[0] not in (10, 100)):
                self._learn(address)
            sixteen = arcs[at : at + 16]
            if arcs[at - 2 : at] == (2, 16) and len(sixteen) == 16 and max(sixteen) < 256:
                self._learn(IPv6Address(bytes(sixteen)))

    def text(self, text: str, versions: bool = False, is_mac: bool = False) -> str:
        """The text with others for its addresses, each in the form it was written in."""
        return self._in_text(text, versions, replace=True, is_mac=is_mac)

    def address(self, text: str) -> str:
        """Another one for the value of an IpAddress."""
        return str(self._instead(IPv4Address(text)) or text)

    def octets(self, octets: bytes) -> bytes:
        """Octets with others for the addresses that they are or hold."""
        if len(octets) == 4 and (v4 := IPv4Address(octets)) in self._v4:
            return IPv4Address(self._instead(v4) or v4).packed
        if len(octets) == 16 and (v6 := IPv6Address(octets)) in self._v6:
            return IPv6Address(self._instead(v6) or v6).packed
        for mac in self._mac:
            if (wanted := mac.to_bytes(6)) in octets:
                octets = octets.replace(wanted, self._instead_mac(mac).to_bytes(6))
        return octets

    def learn_columns(self, names: Sequence[tuple[Arcs, int]]) -> None:
        """Tell indices from own names, and take up what else stands where an address does.

        `names`: all objects, each with the count of its first arcs that are surely its own name.
        Rows of one length are a column. Among others, own names are counted: next to one there is
        another.
        """
        heads: dict[Arcs, set[int]] = {}
        for arcs, start in names:
            for at in range(start, len(arcs) - 3):
                if self._known4(arcs[at : at + 4]):
                    heads[arcs[:at]] = set()
        sizes = {len(head) for head in heads}
        below: dict[Arcs, list[Arcs]] = {head: [] for head in heads}
        for arcs, _ in names:
            for size in sizes:
                if arcs[:size] in heads and len(arcs) > size:
                    heads[arcs[:size]].add(len(arcs))
                    below[arcs[:size]].append(arcs[size : size + 4])
        columns = {head for head, lengths in heads.items() if len(lengths) == 1}
        for head in columns:
            if all(max(four) < 256 and 0 < four[0] < 224 for four in below[head]):
                for four in below[head]:
                    self._learn(IPv4Address(bytes(four)))
        for head, rows in below.items():
            found = {row for row in rows if len(row) == 4}
            own = set() if head in columns else {row for row in found if not self._known4(row)}
            for *first, last in filter(self._known4, found):
                if not own & {(*first, last - 1), (*first, last + 1)}:
                    self._in_index.add((*head, *first, last))

    def index(self, arcs: Arcs, start: int) -> Arcs:
        """An object's name with others for the known addresses behind its first `start` arcs."""
        out = list(arcs)
        at = start
        while at < len(arcs) - 3:
            for size in (16, 6, 4):
                other = self._other_arcs(arcs[at : at + size], size)
                if other is not None and not (size == 4 and self._is_own_name(arcs, at)):
                    out[at : at + size] = other
                    at += size - 1
                    break
            at += 1
        return tuple(out)

    def _is_own_name(self, arcs: Arcs, at: int) -> bool:
        """Whether four small arcs are an object's own name, although an address reads the same."""
        if max(arcs[at : at + 4]) > _LARGEST_ARC:
            return False
        return arcs[: at + 4] not in self._in_index or arcs[at + 4 :] == (0,)

    def _known4(self, arcs: Arcs) -> bool:
        return max(arcs) < 256 and IPv4Address(bytes(arcs)) in self._v4

    def _other_arcs(self, arcs: Arcs, size: int) -> bytes | None:
        if len(arcs) != size or max(arcs) > 255:
            return None
        octets = bytes(arcs)
        if size == 6:
            mac = int.from_bytes(octets)
            return self._instead_mac(mac).to_bytes(6) if mac in self._mac else None
        address = ip_address(octets)
        known = address in self._v4 if size == 4 else address in self._v6
        other = self._instead(address) if known else None
        return ip_address(other).packed if other is not None else None

    # addresses in text

    def _in_text(self, text: str, versions: bool, replace: bool, is_mac: bool = False) -> str:
        def mac(match: re.Match[str]) -> str:
            return self._mac_text(match, is_mac) if replace else self._meet_mac(match, is_mac)

        def colons(match: re.Match[str]) -> str:
            return self._colon_text(match[0], replace)

        def quad(match: re.Match[str]) -> str:
            address = _quad(match, text, versions, self._v4)
            if address is None:
                return match[0]
            if not replace:
                self._meet_v4(address, text, match)
                return match[0]
            return self._like(match, ".", address)

        def joined(match: re.Match[str]) -> str:
            address = _address(match[1], match[3], match[4], match[5])
            if address is None:
                return match[0]
            sure = address in self._v4 or (match[1] in ("172", "192") and _of_site(address))
            return self._like(match, match[2], address) if sure else match[0]

        text = _COLONS.sub(colons, text)
        for pattern in (_PAIRS, _FOURS, _SIXES, _TWELVE):
            text = pattern.sub(mac, text)
        text = _V4.sub(quad, text)
        if replace:
            text = _V4_JOINED.sub(joined, text)
            text = self._known_macs().sub(lambda m: self._mac_text(m, True), text)
        return text

    def _like(self, match: re.Match[str], sign: str, address: IPv4Address) -> str:
        """The other address, written as this one is."""
        other = self._instead(address)
        if other is None:
            return match[0]
        padded = all(len(part) == 3 for part in match[0].split(sign))
        return sign.join(part.zfill(3) if padded else part for part in str(other).split("."))

    def _colon_text(self, run: str, replace: bool) -> str:
        """A run of hexadecimal digits and colons; what stands before it may run into it."""
        first = run.find(":") + 1
        for end, start in product((len(run), len(run) - 1), (0, first)):
            told = run[start:end]
            if _PAIR_OF_COLONS.fullmatch(told):
                mac = int("".join(part.zfill(2) for part in told.split(":")), 16)
                if replace:
                    return run[:start] + _as_written(told, self._instead_mac(mac)) + run[end:]
                self._learn_mac(mac)
                return run
            try:
                address = IPv6Address(told.partition("%")[0])
            except ValueError:
                continue
            if not any(address in net for net in _PLACED_V6):
                return run
            if replace:
                return run[:start] + str(self._instead(address) or told) + run[end:]
            self._learn(address)
            return run
        return run

    def _mac_text(self, match: re.Match[str], is_mac: bool) -> str:
        mac = _mac_of(match, is_mac, self._mac)
        return match[0] if mac is None else _as_written(match[0], self._instead_mac(mac))

    def _meet_mac(self, match: re.Match[str], is_mac: bool) -> str:
        mac = _mac_of(match, is_mac, self._mac)
        if mac is not None:
            self._learn_mac(mac)
        return match[0]

    def _known_macs(self) -> re.Pattern[str]:
        if self._anyhow is None:
            pairs = (re.findall("..", f"{mac:012x}") for mac in sorted(self._mac))
            ways = ["[^0-9A-Za-z]?".join(pair) for pair in pairs]
            self._anyhow = re.compile("|".join(ways) or r"(?!)", re.IGNORECASE)
        return self._anyhow

    # what is known, and what stands for it

    def _learn(self, address: IPv4Address | IPv6Address) -> None:
        if _for_documentation(address):
            self._taken.add(address)
        elif isinstance(address, IPv4Address):
            if not _of_nobody(address):
                self._v4.add(address)
        elif any(address in net for net in _PLACED_V6):
            self._v6.add(address)

    def _meet_v4(self, address: IPv4Address, text: str, match: re.Match[str]) -> None:
        """An address in a text; small numbers that may be a version are not looked for elsewhere."""
        sure = _of_site(address) or match[0] == text.strip() or max(address.packed) > _LARGEST_ARC
        if sure or _for_documentation(address):
            self._learn(address)

    def _learn_mac(self, mac: int) -> None:
        if _mac_for_documentation(mac):
            self._taken.add(mac)
        elif mac not in self._mac and 0 < mac < 0xFFFFFFFFFFFF:
            self._mac.add(mac)
            self._anyhow = None

    def _instead(self, address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
        """What stands for an address; None where it may stay."""
        if _for_documentation(address) or (address.version == 4 and _of_nobody(address)):
            return None
        self.replaced += 1
        if address not in self._other:
            spare = self._spare[address.version]
            self._other[address] = next(one for one in spare if one not in self._taken)
        return self._other[address]

    def _instead_mac(self, mac: int) -> int:
        if _mac_for_documentation(mac) or not 0 < mac < 0xFFFFFFFFFFFF:
            return mac
        self.replaced += 1
        if mac not in self._other_mac:
            spare = (one for one in self._spare_macs if one not in self._taken)
            self._other_mac[mac] = next(spare)
        return self._other_mac[mac]


def _spare_v4() -> Iterator[IPv4Address | IPv6Address]:
    for net in (*_TEST_NETS, _MORE_V4):
        yield from net.hosts()


def _spare_v6() -> Iterator[IPv4Address | IPv6Address]:
    return (_DOC_V6[n] for n in range(1, 1 << 32))


def _spare_macs() -> Iterator[int]:
    yield from range(_DOC_MAC + 1, _DOC_MAC + 256)
    yield from range(_MORE_MAC, _MORE_MAC + (1 << 24))


def _for_documentation(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return address in _DOC_V6
    return address in _MORE_V4 or any(address in net for net in _TEST_NETS)


def is_other_mac(digits: str) -> bool:
    """Whether twelve hexadecimal digits are a MAC that stands for another one."""
    return _TWELVE.fullmatch(digits) is not None and _mac_for_documentation(int(digits, 16))


def _mac_for_documentation(mac: int) -> bool:
    return mac >> 8 == _DOC_MAC >> 8 or mac >> 24 == _MORE_MAC >> 24


def _of_site(address: IPv4Address) -> bool:
    return any(address in net for net in _SITE_V4)


def _of_nobody(address: IPv4Address | IPv6Address) -> bool:
    """0.x, loopback, multicast and masks tell nothing about a site."""
    first = address.packed[0]
    return first in (0, 127) or first >= 224


def _address(*parts: str) -> IPv4Address | None:
    numbers = [int(part) for part in parts]
    return IPv4Address(bytes(numbers)) if max(numbers) < 256 else None


def _quad(
    match: re.Match[str], text: str, versions: bool, known: set[IPv4Address]
) -> IPv4Address | None:
    """The address of four numbers with dots; None where they are a version."""
    address = _address(*match.groups())
    if address is None or address in known or all(len(part) == 3 for part in match.groups()):
        return address
    if any(len(part) > 1 and part.startswith("0") for part in match.groups()):
        return None
    before, behind = text[: match.start()], text[match.end() :]
    said = _VERSION.search(before) is not None
    if _of_site(address):
        return None if said and address.packed[0] == 10 else address
    small = max(address.packed) <= _LARGEST_ARC and _SAYS_ADDRESS.search(before) is None
    built = re.match(r"-\d+(?!\d*\.)|[A-Za-z_]", behind) or re.search(r"[A-Za-z_]$", before)
    return None if versions or said or built or small else address


def _mac_of(match: re.Match[str], is_mac: bool, known: set[int]) -> int | None:
    """The MAC of hexadecimal digits in groups; None where they may be any numbers."""
    digits = re.sub("[^0-9A-Fa-f]", "", match[0])
    mac = int(digits, 16)
    if is_mac or mac in known:
        return mac
    before = match.string[: match.start()]
    if digits == match[0]:
        mixed = not digits.isdigit() and not digits.isalpha()
        alone = match[0] == match.string.strip("\0 \r\n") and mixed
        return mac if alone or _SAYS_MAC.search(before) else None
    if match[0][2] in " ." and (
        _PAIR_BEFORE.search(before) or _PAIR_BEHIND.match(match.string, match.end())
    ):
        return None  # from a dump of octets
    grouped = match[0][2] == "-" or match[0][4] == "."
    return mac if grouped or not digits.isdigit() or _SAYS_MAC.search(before) else None


def _as_written(form: str, mac: int) -> str:
    """A MAC with the signs and the case that another one is written with."""
    if re.fullmatch(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}", form) and len(form) < 17:
        return ":".join(f"{octet:x}" for octet in mac.to_bytes(6))
    digits = iter(f"{mac:012x}" if form != form.upper() else f"{mac:012X}")
    return "".join(next(digits) if sign in "0123456789abcdefABCDEF" else sign for sign in form)


def _is_text(octets: bytes) -> bool:
    try:
        return octets.decode("utf-8").rstrip("\0").isprintable()
    except UnicodeDecodeError:
        return False
