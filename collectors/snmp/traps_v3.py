"""v3's side of receiving: users, the senders' clocks, and an engine of our own for informs.

Of a trap the sender is the authoritative engine, of an inform the receiver. Source: RFC 3414
section 1.5.1, 3.2; RFC 3412 section 7.2.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from collectors.snmp import v3
from collectors.snmp.ber import (
    COUNTER32,
    OBJECT_ID,
    SEQUENCE,
    encode_integer,
    encode_oid,
    header,
    tlv,
)
from collectors.snmp.engines import WINDOW_S, Timeline
from collectors.snmp.message import Unauthentic
from collectors.snmp.pdu import REPORT
from collectors.snmp.traps_limits import Kind
from collectors.snmp.usm import KeyRing, Keys, Undecipherable, User
from collectors.snmp.v3 import AUTHENTIC, PRIVATE, REPORTABLE, Frame
from dcim.model.reading import Outage, OutageKind

_MOST_SENDERS = 20_000
_ID_FORMAT_OCTETS = 5  # RFC 3411 SnmpEngineID: octets chosen by the administrator


@dataclass(frozen=True, slots=True)
class Engine:
    """Who we are to those who send informs; boots grow with every start."""

    engine_id: bytes
    boots: int

    @classmethod
    def started(cls, file: Path) -> "Engine":
        """The engine kept in `file`, started once more."""
        try:
            kept = json.loads(file.read_text("utf-8"))
            engine_id, boots = bytes.fromhex(kept["engine_id"]), int(kept["boots"])
        except (OSError, ValueError, KeyError, TypeError):
            engine_id = bytes((0x80, 0, 0, 0, _ID_FORMAT_OCTETS)) + os.urandom(8)
            boots = 0
        one = cls(engine_id, boots + 1)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps({"engine_id": engine_id.hex(), "boots": one.boots}), "utf-8")
        draft.replace(file)
        return one


class Reply(Exception):
    """Not to be taken; `data` is what the sender must be told."""

    def __init__(self, data: bytes, reason: str) -> None:
        super().__init__(reason)
        self.data = data


class Inbox:
    """Opens v3 messages of senders."""

    def __init__(self, users: Iterable[User], engine: Engine, now: Callable[[], float]) -> None:
        self._users: dict[bytes, list[User]] = {}
        for user in dict.fromkeys(users):
            self._users.setdefault(user.name.encode(), []).append(user)
        self._engine = engine
        self._now = now
        self._started = now()
        self._ring = KeyRing()
        self._senders: dict[bytes, Timeline] = {}
        self._salt = int.from_bytes(os.urandom(8), "big")

    def kind(self, data: bytes) -> Kind:
        """What a message claims to be; Malformed."""
        frame = v3.parse(data)
        asks = bool(frame.flags & REPORTABLE)
        if frame.user not in self._users and (frame.user or not asks):
            return Kind.OTHER
        return Kind.INFORM if asks else Kind.V3

    def open(self, data: bytes) -> tuple[bytes, bytes, Callable[[bytes], bytes]]:
        """(PDU, engine id of the sender, what wraps its response).

        Of an inform we are the engine: there only the context tells. Malformed, Unauthentic, or
        Reply.
        """
        frame = v3.parse(data)
        ours = frame.engine_id == self._engine.engine_id
        if not ours and frame.flags & REPORTABLE:
            raise Reply(self._report(frame, 4), "discovery")
        user, keys = self._user(data, frame)
        if frame.flags & AUTHENTIC and not self._in_window(frame, ours):
            if ours:
                raise Reply(self._report(frame, 2, user, keys), "outside the time window")
            raise _refused("outside the time window (replayed?)")
        try:
            body, context = v3.scoped_pdu(data, frame, user, keys)
        except Undecipherable:
            raise _refused("wrong privacy key") from None
        _, start, stop = header(context, 0, len(context))
        wrap = partial(self._message, frame.message_id, frame.flags & ~REPORTABLE, user, keys)
        sender = context[start:stop] if ours else frame.engine_id
        return body, sender, partial(wrap, context)

    def _user(self, data: bytes, frame: Frame) -> tuple[User, Keys]:
        """The user whose key signed, at the level that the configuration has for it."""
        users = self._users.get(frame.user, [])
        if not users:
            raise self._refusal(frame, 3, "unknown user")
        level = frame.flags & (AUTHENTIC | PRIVATE)
        fit = [u for u in users if level == bool(u.auth) * AUTHENTIC + bool(u.priv) * PRIVATE]
        if not fit:
            raise self._refusal(frame, 1, "unsupported security level")
        for user in fit:
            signing = self._ring.signing(user, frame.engine_id)
            if user.auth is None or v3.is_signed(data, frame, user, signing):
                return user, self._ring.keys(user, frame.engine_id)
        raise self._refusal(frame, 5, "wrong authentication key, or altered")

    def _in_window(self, frame: Frame, ours: bool) -> bool:
        if ours:
            boots, time = self._engine.boots, int(self._now() - self._started)
            return frame.boots == boots and abs(frame.time - time) <= WINDOW_S
        sender = self._senders.get(frame.engine_id)
        if sender is None:
            if len(self._senders) >= _MOST_SENDERS:
                self._senders.clear()
            sender = self._senders[frame.engine_id] = Timeline(self._now)
        return sender.admits(frame.boots, frame.time)

    def _refusal(self, frame: Frame, stat: int, reason: str) -> Exception:
        """With a report where the sender waits for one."""
        if frame.flags & REPORTABLE:
            return Reply(self._report(frame, stat), reason)
        return _refused(reason)

    def _report(
        self, frame: Frame, stat: int, user: User | None = None, keys: Keys | None = None
    ) -> bytes:
        """One of the usmStats; signed only where the sender has proven who it is."""
        name = encode_oid(f"1.3.6.1.6.3.15.1.1.{stat}.0")
        bind = tlv(SEQUENCE, tlv(OBJECT_ID, name) + encode_integer(1, COUNTER32))
        zeros = encode_integer(0) * 2
        body = tlv(REPORT, encode_integer(frame.message_id) + zeros + tlv(SEQUENCE, bind))
        flags = AUTHENTIC if user is not None else 0
        return self._message(
            frame.message_id,
            flags,
            user or User(""),
            keys or Keys(),
            v3.context_of(self._engine.engine_id, b""),
            body,
        )

    def _message(
        self, message_id: int, flags: int, user: User, keys: Keys, context: bytes, body: bytes
    ) -> bytes:
        engine = self._engine
        time = int(self._now() - self._started)
        self._salt += 1
        salt = user.priv.salt_of(engine.boots, self._salt) if user.priv and flags & PRIVATE else b""
        scoped = tlv(SEQUENCE, context + body)
        who = (engine.engine_id, engine.boots, time)
        return v3.build(message_id, flags, user, keys, who, scoped, salt)


def _refused(reason: str) -> Unauthentic:
    return Unauthentic(Outage(OutageKind.NOT_AUTHENTIC, reason))
