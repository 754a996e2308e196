"""The durable queue of webhooks: what was promised to a receiver survives a crash.

Synchronous and for one thread; `Webhooks` calls it on a thread of its own.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

from dcim import log

# Delays before the tries of one message. Source: reference/standards/NOTIFY.md section 1, for alarms.
DELAYS_S = (0.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
JITTER = 0.2
GIVE_UP_S = 24 * 3600.0
MAX_PENDING = 10_000  # messages a hook; beyond it the least important, oldest first, are dropped

_log = log.get("outbox")

_SCHEMA = """
create table if not exists message (
    n integer primary key autoincrement,
    hook text not null,
    id text not null,               -- webhook-id, the same on every try
    alarm text not null,            -- messages of one alarm keep their order
    occurrence integer not null,
    priority integer not null,
    body blob not null,
    created real not null,          -- UTC seconds, of the event
    due real not null,
    tries integer not null default 0,
    perhaps integer not null default 0,  -- a try broke off: it may have arrived
    unique (hook, id)
);
create index if not exists message_of on message (hook, alarm, n);
create index if not exists message_due on message (hook, due, n);
create table if not exists told (   -- who got the raise also gets what becomes of it
    hook text not null,
    alarm text not null,
    occurrence integer not null,
    sent integer not null default 0,  -- something of it has been delivered
    primary key (hook, alarm, occurrence)
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """One event on its way into the outbox."""

    id: str
    alarm: str
    occurrence: int
    priority: int
    body: bytes
    created: float
    opens: frozenset[str]  # hooks that get it in any case, and what follows of the occurrence;
    # the others get it if they were told of the occurrence before
    returned: bool = False  # the condition is gone and nothing latched: worthless if it comes first
    over: bool = False  # the last message of its occurrence


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one hook, due now."""

    n: int
    hook: str
    id: str
    alarm: str
    occurrence: int
    body: bytes = field(repr=False)
    created: float
    tries: int


@dataclass(slots=True)
class Added:
    """What became of drafts, by hook."""

    pending: dict[str, int]
    dropped: dict[str, int] = field(default_factory=dict)
    collapsed: dict[str, int] = field(default_factory=dict)


class Outbox:
    """Messages in SQLite (WAL, synchronous=FULL); ":memory:" for tests that need no crash."""

    def __init__(self, path: Path | str, random: Random, max_pending: int = MAX_PENDING) -> None:
        self._random = random
        self._max_pending = max_pending
        self._flying: dict[str, int] = {}  # n of the message under way, by hook
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def add(self, drafts: Iterable[Draft], hooks: Sequence[str]) -> Added:
        """Take over drafts in one transaction; on return they are on disk."""
        added = Added({})
        with _Transaction(self._db):
            for draft in drafts:
                for hook in hooks:
                    self._add(draft, hook, added)
            for hook in hooks:
                self._bound(hook, added)
        added.pending = {hook: self.pending(hook) for hook in hooks}
        return added

    def take(self, hook: str, now: float) -> Message | float | None:
        """The next message to send; or when the next falls due; or None where nothing waits."""
        row = self._db.execute(
            "select n, due from message as m where hook = ? and not exists (select 1 from message"
            " where hook = m.hook and alarm = m.alarm and n < m.n) order by due, n limit 1",
            (hook,),
        ).fetchone()
        if row is None:
            return None
        n, due = row
        if due > now:
            return float(due)
        found = self._db.execute(
            "select n, hook, id, alarm, occurrence, body, created, tries from message where n = ?",
            (n,),
        ).fetchone()
        self._flying[hook] = n
        return Message(*found)

    def delivered(self, message: Message) -> None:
        """Confirmed by the receiver: never sent again."""
        with _Transaction(self._db):
            self._db.execute("delete from message where n = ?", (message.n,))
            self._db.execute(
                "update told set sent = 1 where hook = ? and alarm = ? and occurrence = ?",
                (message.hook, message.alarm, message.occurrence),
            )
        self._flying.pop(message.hook, None)

    def failed(
        self, message: Message, now: float, *, perhaps: bool = False, after_s: float | None = None
    ) -> float | None:
        """When the message is tried again; None where it was given up after 24 h.

        `perhaps`: it may have arrived; `after_s`: the receiver's own Retry-After.
        """
        self._flying.pop(message.hook, None)
        if now - message.created > GIVE_UP_S:
            self._db.execute("delete from message where n = ?", (message.n,))
            _log.error("webhook given up", hook=message.hook, id=message.id, tries=message.tries)
            return None
        delay_s = DELAYS_S[min(message.tries + 1, len(DELAYS_S) - 1)]
        delay_s *= 1 + self._random.uniform(-JITTER, JITTER)
        due = now + max(delay_s, after_s or 0.0)
        self._db.execute(
            "update message set tries = tries + 1, perhaps = max(perhaps, ?), due = ? where n = ?",
            (perhaps, due, message.n),
        )
        return due

    def discard(self, hook: str) -> int:
        """Forget everything for a hook that wants nothing more; how many that were."""
        with _Transaction(self._db):
            self._db.execute("delete from told where hook = ?", (hook,))
            return self._db.execute("delete from message where hook = ?", (hook,)).rowcount

    def pending(self, hook: str) -> int:
        (count,) = self._db.execute(
            "select count(*) from message where hook = ?", (hook,)
        ).fetchone()
        return int(count)

    def _add(self, draft: Draft, hook: str, added: Added) -> None:
        key = (hook, draft.alarm, draft.occurrence)
        if hook in draft.opens:
            self._db.execute(
                "delete from told where hook = ? and alarm = ? and occurrence < ?", key
            )
            self._db.execute(
                "insert or ignore into told (hook, alarm, occurrence) values (?, ?, ?)", key
            )
        elif not self._told(key):
            return
        collapsed = draft.returned and self._collapse(key)
        if collapsed:
            _log.info("webhooks collapsed", hook=hook, alarm=draft.alarm, id=draft.id)
            added.collapsed[hook] = added.collapsed.get(hook, 0) + 1
        else:
            self._db.execute(
                "insert or ignore into message"
                " (hook, id, alarm, occurrence, priority, body, created, due)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (hook, draft.id, *key[1:], draft.priority, draft.body, draft.created, 0.0),
            )
        if draft.over or collapsed:
            self._db.execute(
                "delete from told where hook = ? and alarm = ? and occurrence = ?", key
            )

    def _told(self, key: tuple[str, str, int]) -> bool:
        found = self._db.execute(
            "select 1 from told where hook = ? and alarm = ? and occurrence = ?", key
        )
        return found.fetchone() is not None

    def _collapse(self, key: tuple[str, str, int]) -> bool:
        """Forget an occurrence of which the receiver cannot have heard."""
        of_it = "hook = ? and alarm = ? and occurrence = ?"
        (sent,) = self._db.execute(f"select sent from told where {of_it}", key).fetchone()
        rows = self._db.execute(f"select n, perhaps from message where {of_it}", key).fetchall()
        flying = self._flying.get(key[0])
        if sent or not rows or any(perhaps or n == flying for n, perhaps in rows):
            return False
        self._db.execute(f"delete from message where {of_it}", key)
        return True

    def _bound(self, hook: str, added: Added) -> None:
        excess = self.pending(hook) - self._max_pending
        if excess <= 0:
            return
        self._db.execute(
            "delete from message where n in (select n from message where hook = ? and n is not ?"
            " order by priority desc, n limit ?)",
            (hook, self._flying.get(hook), excess),
        )
        added.dropped[hook] = added.dropped.get(hook, 0) + excess
        _log.error("webhooks dropped", hook=hook, count=excess)


class _Transaction:
    """begin immediate ... commit, or rollback on an error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: object, *rest: object) -> None:
        self._db.execute("commit" if kind is None else "rollback")
