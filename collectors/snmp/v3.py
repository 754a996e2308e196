"""Messages of SNMP v3: engine discovery, time window, authentication, encryption, reports.

Source: RFC 3412 sections 6 and 7 (message, levels), RFC 3414 sections 3 and 4 (USM, discovery).
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from collectors.snmp import pdu
from collectors.snmp.ber import (
    OCTETS,
    SEQUENCE,
    Malformed,
    decode_oid,
    encode_integer,
    header,
    read_integer,
    tlv,
)
from collectors.snmp.engines import LAST_BOOTS, Address, Engines, Timeline
from collectors.snmp.message import V3, Again, Refused, Unauthentic, inside
from collectors.snmp.pdu import REPORT, RESPONSE, Request, decode_response
from collectors.snmp.usm import Keys, Undecipherable, User
from dcim.model.reading import Outage, OutageKind, few

AUTHENTIC, PRIVATE, REPORTABLE = 1, 2, 4  # message flags
_USM = 3
_MAX_SIZE = b"\x02\x03\x00\xff\xe3"  # 65,507 octets: what a datagram holds
_STATS = "1.3.6.1.6.3.15.1.1."
_NOT_IN_WINDOW, _UNKNOWN_ENGINE = f"{_STATS}2.0", f"{_STATS}4.0"
_REPORTS = {
    f"{_STATS}1.0": (OutageKind.UNSUPPORTED_LEVEL, "the device has not this user at this level"),
    _NOT_IN_WINDOW: (OutageKind.NOT_IN_WINDOW, "the device takes no time we send for its own"),
    f"{_STATS}3.0": (OutageKind.UNKNOWN_USER, "the device does not know the user"),
    _UNKNOWN_ENGINE: (OutageKind.UNKNOWN_ENGINE, "the device does not take its own engine id"),
    f"{_STATS}5.0": (OutageKind.WRONG_AUTH_KEY, "authentication key or algorithm is not right"),
    f"{_STATS}6.0": (OutageKind.WRONG_PRIV_KEY, "privacy key or algorithm is not right"),
    "1.3.6.1.6.3.12.1.4.0": (OutageKind.UNKNOWN_CONTEXT, "the context is not available"),
    "1.3.6.1.6.3.12.1.5.0": (OutageKind.UNKNOWN_CONTEXT, "the device has not this context"),
}


class Frame(NamedTuple):
    """A v3 message taken apart, its data not yet decrypted."""

    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    auth_at: int
    auth: bytes
    salt: bytes
    at: int  # where the data lies
    end: int


def parse(data: bytes) -> Frame:
    """Take a v3 message apart; Malformed where it is none."""
    version, at, end = inside(data)
    if version != V3:
        raise Malformed("not a message of SNMPv3")
    tag, head, at = header(data, at, end)
    if tag != SEQUENCE:
        raise Malformed("v3 message without a header")
    message_id, head = read_integer(data, head, at)
    _, head = read_integer(data, head, at)
    flags, head = _octets(data, head, at)
    model, _ = read_integer(data, head, at)
    if len(flags) != 1 or model != _USM:
        raise Malformed("not of the user-based security model")
    tag, start, data_at = header(data, at, end)
    if tag != OCTETS:
        raise Malformed("v3 message without security parameters")
    tag, at, stop = header(data, start, data_at)
    if tag != SEQUENCE:
        raise Malformed("security parameters are no sequence")
    engine_id, at = _octets(data, at, stop)
    boots, at = read_integer(data, at, stop)
    time, at = read_integer(data, at, stop)
    user, at = _octets(data, at, stop)
    auth, at = _octets(data, at, stop)
    auth_at = at - len(auth)
    salt, _ = _octets(data, at, stop)
    if min(message_id, boots, time) < 0 or max(message_id, boots, time) > LAST_BOOTS:
        raise Malformed("message id, engine boots or time out of range")
    return Frame(
        message_id, flags[0], engine_id, boots, time, user, auth_at, auth, salt, data_at, end
    )


def _octets(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    if at + 1 < end and data[at] == OCTETS and (size := data[at + 1]) < 0x80:  # the usual case
        stop = at + 2 + size
        if stop <= end:
            return data[at + 2 : stop], stop
    tag, start, stop = header(data, at, end)
    if tag != OCTETS:
        raise Malformed(f"no octets at byte {at}")
    return data[start:stop], stop


def build(
    message_id: int,
    flags: int,
    user: User,
    keys: Keys,
    engine: tuple[bytes, int, int],  # id, boots, time
    scoped: bytes,
    salt: bytes = b"",
) -> bytes:
    """A whole message around a scoped PDU, encrypted and signed as `flags` say."""
    engine_id, boots, time = engine
    data, size = scoped, 0
    if flags & PRIVATE and user.priv is not None:
        data = tlv(OCTETS, user.priv.encrypt(keys.priv, boots, time, salt, scoped))
    if flags & AUTHENTIC and user.auth is not None:
        size = user.auth.size
    name = tlv(OCTETS, user.name.encode())
    head = tlv(OCTETS, engine_id) + encode_integer(boots) + encode_integer(time) + name
    salted = tlv(OCTETS, salt)
    security = tlv(OCTETS, tlv(SEQUENCE, head + tlv(OCTETS, bytes(size)) + salted))
    numbers = message_id.to_bytes(4, "big") + _MAX_SIZE + bytes((OCTETS, 1, flags))
    whole = tlv(
        SEQUENCE, b"\x02\x01\x03\x30\x11\x02\x04" + numbers + b"\x02\x01\x03" + security + data
    )
    if not size or user.auth is None:
        return whole
    stop = len(whole) - len(data) - len(salted)
    return whole[: stop - size] + user.auth.sign(keys.auth, whole) + whole[stop:]


def is_signed(data: bytes, frame: Frame, user: User, keys: Keys) -> bool:
    """Whether the user's key made this message's authentication parameters."""
    if user.auth is None or len(frame.auth) != user.auth.size:
        return False
    stop = frame.auth_at + user.auth.size
    blank = data[: frame.auth_at] + bytes(user.auth.size) + data[stop : frame.end]
    return hmac.compare_digest(user.auth.sign(keys.auth, blank), frame.auth)


def scoped_pdu(data: bytes, frame: Frame, user: User, keys: Keys) -> tuple[bytes, bytes]:
    """(PDU, the context as it came) of an authentic message; Undecipherable, Malformed."""
    if frame.flags & PRIVATE:
        if user.priv is None:
            raise Undecipherable("encrypted, but the user has no privacy key")
        cipher, _ = _octets(data, frame.at, frame.end)
        data = user.priv.decrypt(keys.priv, frame.boots, frame.time, frame.salt, cipher)
        try:
            return _scoped(data, 0, len(data))
        except Malformed:
            raise Undecipherable("what was decrypted is no PDU") from None
    return _scoped(data, frame.at, frame.end)


def _scoped(data: bytes, at: int, end: int) -> tuple[bytes, bytes]:
    tag, at, end = header(data, at, end)
    if tag != SEQUENCE:
        raise Malformed("no scoped PDU")
    start = at
    _, at = _octets(data, at, end)
    _, at = _octets(data, at, end)
    _, _, stop = header(data, at, end)
    return data[at:stop], data[start:at]


class Usm:
    """Speaks v3 with one device; learns its engine id and follows its clock."""

    version = V3

    def __init__(
        self,
        user: User,
        peer: Address,
        engines: Engines,
        now: Callable[[], float],
        context: str = "",
        device: str = "",
    ) -> None:
        self.user = user
        self.name = device or f"{peer[0]}:{peer[1]}"  # for people
        self.engine_id = b""
        self.timeline = Timeline(now)
        self.peer = peer
        self._engines = engines
        self._context = context.encode()
        self._scope = b""
        self._keys = Keys()
        self._salt = int.from_bytes(os.urandom(8), "big")
        self._level = (AUTHENTIC if user.auth else 0) | (PRIVATE if user.priv else 0)
        self._heard = False  # any answer since the device was met

    @property
    def warning(self) -> Outage | None:
        others = self._engines.others(self)
        if not others:
            return None
        verb = "has" if len(others) == 1 else "have"
        return Outage(OutageKind.ENGINE_ID_CONFLICT, f"{few(others)} {verb} the same engine id")

    def template(self, request: Request) -> "Question":
        return Question(self, request)

    def message(self, request: Request, request_id: int) -> bytes:
        """The datagram of a request; a discovery as long as the engine id is unknown."""
        if not self.engine_id:
            nobody, scoped = User(""), scope(b"", b"", pdu.get([]).encode(request_id))
            return build(request_id, REPORTABLE, nobody, Keys(), (b"", 0, 0), scoped)
        scoped = tlv(SEQUENCE, self._scope + request.encode(request_id))
        if not self._level:
            engine = (self.engine_id, 0, 0)
            return build(request_id, REPORTABLE, self.user, self._keys, engine, scoped)
        boots, time = self.timeline.present()
        salt = b""
        if self.user.priv is not None:
            self._salt += 1
            salt = self.user.priv.salt_of(boots, self._salt)
        engine = (self.engine_id, boots, time)
        flags = self._level | REPORTABLE
        return build(request_id, flags, self.user, self._keys, engine, scoped, salt)

    def open(self, data: bytes) -> bytes:
        """The response PDU of a datagram (see `message.Message`)."""
        signed = False
        try:
            frame = parse(data)
            level = frame.flags & (AUTHENTIC | PRIVATE)
            if level & AUTHENTIC:
                self._check_signature(data, frame)
                signed = True
            elif level:
                raise Malformed("encrypted without authentication")
            return self._taken(data, frame, level)
        except Malformed as error:
            if signed or not self._knows_better:
                raise
            raise _unauthentic(f"a message was altered: {error}") from None

    @property
    def _knows_better(self) -> bool:
        """The device speaks v3 and signs: what is neither was altered on the way."""
        return bool(self._level and self.engine_id)

    def stray(self, data: bytes) -> Outage | None:
        """An authentic message that nobody waits for is an old one; see `message.Message`."""
        if not self._level:
            return None
        try:
            frame = parse(data)
        except Malformed as error:
            return _not_authentic(f"a message was altered: {error}") if self._knows_better else None
        engine_id = self.engine_id or frame.engine_id
        same = frame.engine_id == engine_id and frame.user == self.user.name.encode()
        if not same or not frame.flags & AUTHENTIC:
            return None
        keys = self._keys if self.engine_id else self._engines.ring.signing(self.user, engine_id)
        if is_signed(data, frame, self.user, keys):
            return _not_authentic("an old message of the device came again (replayed)")
        return _not_authentic("a message was altered") if self._knows_better else None

    def _taken(self, data: bytes, frame: Frame, level: int) -> bytes:
        """The response in a message whose signature, if it has one, is right."""
        try:
            body, _ = scoped_pdu(data, frame, self.user, self._keys)
        except Undecipherable as error:
            raise Refused(Outage(OutageKind.WRONG_PRIV_KEY, str(error))) from None
        if body[0] == REPORT:
            self._report(frame, body)
        if level & AUTHENTIC and not self.timeline.admits(frame.boots, frame.time):
            raise _unauthentic("a message from outside the time window (replayed?)")
        if level != self._level or frame.engine_id != self.engine_id:
            raise _unauthentic("an answer below the security level that was asked for")
        kind, at, end = header(body, 0, len(body))
        if kind != RESPONSE or read_integer(body, at, end)[0] != frame.message_id:
            raise _unauthentic("an answer to another request")
        if not self._heard:
            self._heard = True
            self._engines.claim(self)
        return body

    def unanswered(self) -> None:
        """Have the device tell its time anew: if it does, it is there, and what is wrong is told."""
        if self._heard and self._level:
            self._heard, self.timeline.doubted = False, True

    def silent(self) -> Outage | None:
        """Why a device is silent that has told its engine id or its time.

        net-snmp says nothing to a context it has not, nor to what it can not decrypt.
        """
        told = self.timeline.known and not self.timeline.doubted
        if self._heard or not (told if self._level else self.engine_id):
            return None
        if self._context:
            detail = "the device tells its time, but nothing of this context"
            return Outage(OutageKind.UNKNOWN_CONTEXT, detail)
        if self.user.priv is None:
            return None
        detail = "the device answers what is authenticated, not what is encrypted"
        return Outage(OutageKind.WRONG_PRIV_KEY, detail)

    def _check_signature(self, data: bytes, frame: Frame) -> None:
        ours = frame.engine_id == self.engine_id and frame.user == self.user.name.encode()
        if not ours or not is_signed(data, frame, self.user, self._keys):
            raise _unauthentic("a message was altered, or is not of this device")

    def _report(self, frame: Frame, body: bytes) -> None:
        """Heed a report, or say what is wrong; always raises."""
        response = decode_response(body, 0, len(body), REPORT)
        oid = decode_oid(response.varbinds[0].oid) if response.varbinds else ""
        kind, detail = _REPORTS.get(oid, (OutageKind.MALFORMED, f"report of {oid or 'nothing'}"))
        outage = Outage(kind, detail)
        if oid == _UNKNOWN_ENGINE and frame.engine_id and frame.engine_id != self.engine_id:
            self._meet(frame.engine_id)
            raise Again(outage)
        if oid == _NOT_IN_WINDOW:
            if not frame.flags & AUTHENTIC:
                raise Unauthentic(outage)
            # The report answers a message id of ours and is signed, so it is of now. Some devices
            # lose their boots: their clock may go back, RFC 3414 would never believe them again.
            self.timeline.set(frame.boots, frame.time)
            raise Again(outage)
        raise Refused(outage)

    def _meet(self, engine_id: bytes) -> None:
        """Take over an engine id: a new device, or another one at the old address."""
        if not 5 <= len(engine_id) <= 32:
            raise Malformed(f"an engine id of {len(engine_id)} octets")
        self._engines.withdraw(self)
        self.engine_id = engine_id
        self.timeline.known = self._heard = False
        self._scope = context_of(engine_id, self._context)
        self._keys = self._engines.ring.keys(self.user, engine_id)


@dataclass(frozen=True, slots=True)
class Question:
    """A request to one v3 device."""

    access: Usm
    request: Request

    def message(self, request_id: int) -> bytes:
        return self.access.message(self.request, request_id)

    def open(self, data: bytes) -> bytes:
        return self.access.open(data)

    def unanswered(self) -> None:
        self.access.unanswered()

    def silent(self) -> Outage | None:
        return self.access.silent()

    def stray(self, data: bytes) -> Outage | None:
        return self.access.stray(data)

    @property
    def away(self) -> str:
        return "device away or filtered"


def scope(engine_id: bytes, context: bytes, body: bytes) -> bytes:
    """A PDU with the engine and the context it is for."""
    return tlv(SEQUENCE, context_of(engine_id, context) + body)


def context_of(engine_id: bytes, name: bytes) -> bytes:
    """A context as it stands before a PDU."""
    return tlv(OCTETS, engine_id) + tlv(OCTETS, name)


def _not_authentic(detail: str) -> Outage:
    return Outage(OutageKind.NOT_AUTHENTIC, detail)


def _unauthentic(detail: str) -> Unauthentic:
    return Unauthentic(_not_authentic(detail))
