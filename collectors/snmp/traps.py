"""Traps and informs: what a device says unasked, of any version, as one kind of thing.

Source: RFC 1157 section 4.1.6 (v1), RFC 3416 section 4.2.6 and 4.2.7, RFC 3584 section 3.1
(v1's numbers as an object identifier).
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.snmp.ber import (
    IP_ADDRESS,
    OBJECT_ID,
    SEQUENCE,
    Malformed,
    Value,
    Varbind,
    decode_oid,
    decode_value,
    decode_varbinds,
    encode_oid,
    header,
    read_integer,
    tlv,
)
from collectors.snmp.pdu import decode_response
from collectors.snmp.profile import SnmpProfile, Trap, trap_key
from collectors.snmp.values import text_of

TRAP_V1, INFORM, TRAP = 0xA4, 0xA6, 0xA7
_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
_NAMED_OID = tlv(OBJECT_ID, encode_oid(_TRAP_OID))
_UP_TIME = "1.3.6.1.2.1.1.3.0"
_STANDARD = "1.3.6.1.6.3.1.1.5"
_ENTERPRISE_SPECIFIC = 6
_TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
_SECRET = ("1.3.6.1.6.3.18.1.4.", "1.3.6.1.6.3.18.1.1.1.2.")  # snmpTrapCommunity, and its table's
_STANDARD_HINTS = {  # SNMPv2-MIB, ENTITY-MIB, ENTITY-STATE-MIB (RFC 4268), NET-SNMP-AGENT-MIB
    f"{_STANDARD}.1": "started (cold)",
    f"{_STANDARD}.2": "started (warm)",
    f"{_STANDARD}.3": "a network link went down",
    f"{_STANDARD}.4": "a network link came up",
    f"{_STANDARD}.5": "somebody asked with a wrong community or key",
    f"{_STANDARD}.6": "an EGP neighbour was lost",
    "1.3.6.1.2.1.47.2.1": "its parts have changed",
    "1.3.6.1.2.1.131.1": "a part works again",
    "1.3.6.1.2.1.131.2": "a part has stopped working",
    "1.3.6.1.4.1.8072.4.1": "its SNMP agent started",
    "1.3.6.1.4.1.8072.4.2": "its SNMP agent stops",
    "1.3.6.1.4.1.8072.4.3": "its SNMP agent started anew",
}
# nothing a poll could confirm; and our own polls may be what authenticationFailure is about
INFORMATION = frozenset(f"{_STANDARD}.{n}" for n in (3, 4, 5, 6))
_MOST_VARBINDS = 20  # of one trap that are kept
_MOST_KINDS = 500  # of traps that are kept: one for each sender and kind


@dataclass(frozen=True, slots=True)
class Notification:
    """A trap or inform."""

    kind: int
    oid: str  # snmpTrapOID
    varbinds: tuple[tuple[str, Value], ...]
    agent: str = ""  # the address the agent says it has
    engine_id: bytes = b""  # v3: whose news it is


def decode_notification(data: bytes, at: int, end: int) -> Notification:
    """The trap or inform PDU at `at`; Malformed where it is none."""
    kind, start, stop = header(data, at, end)
    if kind == TRAP_V1:
        return _v1(data, start, stop)
    if kind not in (INFORM, TRAP):
        raise Malformed(f"PDU {kind:#x} is no trap")
    binds = _named(decode_response(data, at, end, kind).varbinds)
    oid = next((value for name, value in binds if name == _TRAP_OID), None)
    if not isinstance(oid, str):
        raise Malformed("a trap that does not say which")
    rest = tuple(bind for bind in binds if bind[0] not in (_TRAP_OID, _UP_TIME))
    agent = next((str(value) for name, value in rest if name == _TRAP_ADDRESS), "")
    return Notification(kind, oid, rest, agent)


def told_oid(data: bytes, at: int, end: int) -> str:
    """The trap's OID in the PDU at `at`, without a look at anything else; Malformed."""
    kind, start, stop = header(data, at, end)
    if kind == TRAP_V1:
        return _v1_head(data, start, stop)[0]
    found = data.find(_NAMED_OID, start, stop)
    if found < 0:
        raise Malformed("a trap that does not say which")
    tag, start, stop = header(data, found + len(_NAMED_OID), stop)
    if tag != OBJECT_ID:
        raise Malformed("a trap that does not say which")
    return decode_oid(data[start:stop])


def _v1(data: bytes, at: int, end: int) -> Notification:
    oid, agent, at = _v1_head(data, at, end)
    _, _, at = header(data, at, end)  # the time
    tag, start, stop = header(data, at, end)
    if tag != SEQUENCE:
        raise Malformed("a trap without a list of varbinds")
    return Notification(TRAP_V1, oid, tuple(_named(decode_varbinds(data, start, stop))), agent)


def _v1_head(data: bytes, at: int, end: int) -> tuple[str, str, int]:
    """(OID as v2 has it, the agent's address, where the time stands)."""
    tag, start, at = header(data, at, end)
    if tag != OBJECT_ID:
        raise Malformed("a trap without an enterprise")
    enterprise = decode_oid(data[start:at])
    tag, start, at = header(data, at, end)
    if tag != IP_ADDRESS:
        raise Malformed("a trap without an agent's address")
    agent = str(decode_value(IP_ADDRESS, data[start:at]))
    generic, at = read_integer(data, at, end)
    specific, at = read_integer(data, at, end)
    oid = f"{enterprise}.0.{specific}"
    if generic != _ENTERPRISE_SPECIFIC:
        oid = f"{_STANDARD}.{generic + 1}"
    return oid, agent, at


def _named(varbinds: Iterable[Varbind]) -> list[tuple[str, Value]]:
    return [(decode_oid(oid), value) for oid, _, value in varbinds]


def hint_of(profiles: Iterable[SnmpProfile], oid: str) -> str | None:
    """What a trap means by these profiles, None where they do not know it.

    A trap that is named goes before one that only falls under a wider entry.
    """
    known = [profile.trap_hints for profile in profiles]
    key = trap_key(oid)
    found = _first(known, key)
    if found is None and key in _STANDARD_HINTS:
        return _STANDARD_HINTS[key]
    while found is None and key:
        key = key.rpartition(".")[0]
        found = _first(known, f"{key}.*")
    if found is None:
        return None
    return f"{found.hint} ({found.about})" if found.about else found.hint


def known_keys(profiles: Iterable[SnmpProfile]) -> frozenset[str]:
    """The `trap_key` of every trap that any of these profiles, or the standard, knows."""
    return frozenset(_STANDARD_HINTS).union(*(profile.trap_hints for profile in profiles))


def is_known(keys: frozenset[str], oid: str) -> bool:
    """Whether a trap is one of `known_keys`, by name or under a wider entry."""
    key = trap_key(oid)
    if key in keys:
        return True
    while key:
        key = key.rpartition(".")[0]
        if f"{key}.*" in keys:
            return True
    return False


def _first(known: Iterable[Mapping[str, Trap]], key: str) -> Trap | None:
    return next((traps[key] for traps in known if key in traps), None)


@dataclass(slots=True)
class Seen:
    """Traps of one kind from one sender; the values are the latest's."""

    source: str
    devices: tuple[str, ...]
    version: str
    oid: str
    hint: str | None
    first: float
    last: float = 0.0
    count: int = 0
    varbinds: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class TrapLog:
    """What came, counted; the kinds seen last are kept."""

    listen: str = ""
    problem: str = ""  # why nothing can be received
    received: int = 0
    known: int = 0
    unknown: int = 0  # no profile of the sender knows the trap, or nobody knows the sender
    # more than can be looked at in a second, by reason; their devices are polled all the same
    dropped: dict[str, int] = field(default_factory=dict)
    informs: int = 0  # answered
    confirmations: int = 0  # polls asked for
    refused: dict[str, int] = field(default_factory=dict)  # by reason
    kinds: "OrderedDict[tuple[str, str], Seen]" = field(default_factory=OrderedDict)

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def keep(
        self,
        one: Notification,
        version: str,
        source: str,
        devices: Sequence[str],
        hint: str | None,
        now: float,
    ) -> None:
        """Count a trap, and keep it as the latest of its kind."""
        if hint is None:
            self.unknown += 1
        else:
            self.known += 1
        key = (source, one.oid)
        seen = self.kinds.get(key)
        if seen is None:
            seen = self.kinds[key] = Seen(source, tuple(devices), version, one.oid, hint, now)
            if len(self.kinds) > _MOST_KINDS:
                self.kinds.popitem(last=False)
        self.kinds.move_to_end(key)
        seen.devices, seen.version, seen.hint = tuple(devices), version, hint
        seen.last, seen.count = now, seen.count + 1
        kept = one.varbinds[:_MOST_VARBINDS]
        seen.varbinds = tuple(
            (name, "***" if name.startswith(_SECRET) else text_of(value)[:200])
            for name, value in kept
        )
