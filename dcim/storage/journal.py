"""The alarm journal: every change of every alarm, and who did what, in one SQLite file."""

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter

from dcim import log
from dcim.model.alarm import Alarm, AlarmEvent
from dcim.model.reading import Reading

_SCHEMA = """
create table if not exists event (
    id integer primary key, ts real not null, alarm text not null, address text not null,
    body text not null
);
create index if not exists event_ts on event (ts);
create index if not exists event_address on event (address, ts);
create table if not exists latest (
    alarm text primary key, body text not null
) without rowid;
create table if not exists audit (
    id integer primary key, ts real not null, actor text not null, action text not null,
    target text not null, detail text not null
);
create index if not exists audit_ts on audit (ts);
"""
_EVENT = TypeAdapter(AlarmEvent)
_ALARM = TypeAdapter(Alarm)
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did."""

    ts: float  # UTC seconds
    actor: str
    action: str  # "alarm.acknowledged", "reload", "user.add"
    target: str
    detail: str = ""


class Journal:
    """An outlet of the hub with a thread of its own, which commits what came since its last commit.

    A commit is synced to the disk; an event is safe some milliseconds after `alarms` returns, or
    when `flush` does. While the disk takes nothing, up to `limit` entries wait in memory; what
    goes beyond is counted in `dropped`. Raises sqlite3.Error where the file cannot be used.
    """

    def __init__(self, path: Path, limit: int = 100_000) -> None:
        self.dropped = 0
        self.fault: str | None = None  # why nothing is being written now
        self._limit = limit
        self._waiting: list[AlarmEvent | Act] = []
        self._unsafe = 0  # entries waiting or being committed
        self._changed = threading.Condition()
        self._closing = False
        self._log = log.get("journal")
        self._write_db = _open(path)
        try:
            self._write_db.execute("pragma synchronous = full")
            self._write_db.executescript(_SCHEMA)
            self._read_db = _open(path)
        except sqlite3.Error:
            self._write_db.close()
            raise
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- in -----------------------------------------------------------------------------------

    def readings(self, readings: Sequence[Reading]) -> None:
        """Readings are the store's."""

    def alarms(self, events: Sequence[AlarmEvent]) -> None:
        """Write events; those that a person caused are audited as well."""
        self._add(events)

    def note(self, act: Act) -> None:
        """Write what a person did that is not a change of an alarm."""
        self._add([act])

    def flush(self, deadline_s: float = 5.0) -> bool:
        """Wait until everything given so far is on disk; False where it is not by then."""
        with self._changed:
            return self._changed.wait_for(lambda: self._unsafe == 0, deadline_s)

    def close(self) -> None:
        """Write what waits, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._write_db.close()
        self._read_db.close()

    # --- out ----------------------------------------------------------------------------------

    def open_alarms(self) -> list[Alarm]:
        """Every alarm as it was last, for a restart.

        Normal ones are among them, so that their occurrences are counted on.
        """
        rows = self._select("select body from latest order by alarm", [])
        return [_ALARM.validate_json(body) for (body,) in rows]

    def history(
        self, limit: int = 1000, since: float = 0.0, address: str | None = None
    ) -> list[AlarmEvent]:
        """Events since a time, the newest first; `address` is a point or an object."""
        where = "ts >= ?"
        values: list[object] = [since, limit]
        if address is not None:
            # everything below an object begins with its id and a slash; 0 follows the slash
            where += " and (address = ? or (address >= ? and address < ?))"
            values[1:1] = [address, f"{address}/", f"{address}0"]
        rows = self._select(
            f"select body from event where {where} order by ts desc, id desc limit ?", values
        )
        return [_EVENT.validate_json(body) for (body,) in rows]

    def audit(self, limit: int = 1000, since: float = 0.0) -> list[Act]:
        """Who did what since a time, the newest first."""
        rows = self._select(
            "select ts, actor, action, target, detail from audit where ts >= ?"
            " order by ts desc, id desc limit ?",
            [since, limit],
        )
        return [Act(*row) for row in rows]

    # --- inside -------------------------------------------------------------------------------

    def _add(self, entries: Sequence[AlarmEvent | Act]) -> None:
        with self._changed:
            room = max(0, self._limit - self._unsafe)
            self._waiting.extend(entries[:room])
            self._unsafe += min(room, len(entries))
            self.dropped += max(0, len(entries) - room)
            self._changed.notify_all()

    def _select(self, query: str, values: Sequence[object]) -> list[Any]:
        self.flush()
        with self._reading:
            return self._read_db.execute(query, values).fetchall()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                entries, self._waiting = self._waiting, []
            while not self._commit(entries):
                with self._changed:
                    if self._changed.wait_for(lambda: self._closing, _RETRY_S):
                        self._log.error("journal entries lost", count=self._unsafe)
                        return
            with self._changed:
                self._unsafe -= len(entries)
                self._changed.notify_all()

    def _commit(self, entries: Sequence[AlarmEvent | Act]) -> bool:
        db = self._write_db
        try:
            db.execute("begin immediate")
            for entry in entries:
                self._insert(entry)
            db.execute("commit")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("rollback")
            if self.fault is None:
                self._log.error("journal not written", reason=str(error))
            self.fault = str(error)
            return False
        self.fault = None
        return True

    def _insert(self, entry: AlarmEvent | Act) -> None:
        db = self._write_db
        if isinstance(entry, Act):
            act = entry
        else:
            alarm = entry.alarm
            db.execute(
                "insert into event (ts, alarm, address, body) values (?, ?, ?, ?)",
                [entry.ts, alarm.id, alarm.address, _EVENT.dump_json(entry).decode()],
            )
            db.execute(
                "insert or replace into latest values (?, ?)",
                [alarm.id, _ALARM.dump_json(alarm).decode()],
            )
            if not entry.actor:
                return
            act = Act(entry.ts, entry.actor, entry.type, alarm.id, entry.comment)
        db.execute(
            "insert into audit (ts, actor, action, target, detail) values (?, ?, ?, ?, ?)",
            [act.ts, act.actor, act.action, act.target, act.detail],
        )


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("pragma journal_mode = wal")
    except sqlite3.Error:
        db.close()
        raise
    return db
