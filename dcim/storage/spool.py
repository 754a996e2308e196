"""The spool: batches of readings that wait on disk, in order, while the store is down."""

import sqlite3
import uuid
import zlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from dcim.model.reading import Quality, Reading

_SCHEMA = """
create table if not exists batch (
    id integer primary key autoincrement, readings integer not null, body blob not null
);
create table if not exists counter (name text primary key, value not null) without rowid;
"""


class SpoolError(Exception):
    """The spool's disk does not take or give anything; one line for people."""


class Spool:
    """A queue of batches in one SQLite file; first in, first out.

    Beyond `limit_bytes` of batches the oldest is dropped and its readings are counted: when a
    store stays away for long, the recent past is worth more than the far one. A batch is on disk
    when `push` returns; the count of what was dropped stays right through a crash, as it is
    changed in the transaction that drops. Not for use from two threads at once.
    """

    def __init__(self, path: Path, limit_bytes: int = 1 << 30) -> None:
        self._limit = limit_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise SpoolError(f"{path}: {error}") from error
        try:
            # wal: a killed process loses nothing that was committed
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(_SCHEMA)
            self._load()
        except sqlite3.Error as error:
            self._db.close()
            raise SpoolError(f"{path}: {error}") from error

    def _load(self) -> None:
        db = self._db
        db.execute(
            "insert or ignore into counter values ('dropped', 0), ('name', ?)", [uuid.uuid4().hex]
        )
        counters = dict(db.execute("select name, value from counter"))
        self._name: str = counters["name"]
        self.dropped: int = counters["dropped"]
        ((self.pending, self.bytes),) = db.execute(
            "select coalesce(sum(readings), 0), coalesce(sum(length(body)), 0) from batch"
        )

    def push(self, readings: Sequence[Reading]) -> None:
        """Put a batch at the end; SpoolError where the disk does not take it, nothing counted."""
        body = _pack(readings)
        pending, size, dropped = self.pending + len(readings), self.bytes + len(body), 0
        with _Transaction(self._db):
            self._db.execute(
                "insert into batch (readings, body) values (?, ?)", [len(readings), body]
            )
            while size > self._limit:
                ((oldest, count, length),) = self._db.execute(
                    "select id, readings, length(body) from batch order by id limit 1"
                )
                self._db.execute("delete from batch where id = ?", [oldest])
                pending, size, dropped = pending - count, size - length, dropped + count
            self._count(dropped)
        self.pending, self.bytes = pending, size
        self.dropped += dropped

    def first(self) -> tuple[str, list[Reading]] | None:
        """The oldest batch, and its mark, which no other batch of any spool ever has."""
        try:
            rows = self._db.execute("select id, body from batch order by id limit 1").fetchall()
        except sqlite3.Error as error:
            raise SpoolError(str(error)) from error
        if not rows:
            return None
        ((id_, body),) = rows
        return f"{self._name}/{id_}", _unpack(body)

    def remove(self, mark: str) -> None:
        """Forget the batch with this mark; it has arrived."""
        id_ = int(mark.rpartition("/")[2])
        with _Transaction(self._db):
            rows = self._db.execute(
                "delete from batch where id = ? returning readings, length(body)", [id_]
            ).fetchall()
        for count, length in rows:
            self.pending, self.bytes = self.pending - count, self.bytes - length

    def drop(self, count: int) -> None:
        """Count readings that were lost elsewhere on the way to the store."""
        with _Transaction(self._db):
            self._count(count)
        self.dropped += count

    def close(self) -> None:
        self._db.close()

    def _count(self, dropped: int) -> None:
        if dropped:
            self._db.execute(
                "update counter set value = value + ? where name = 'dropped'", [dropped]
            )


class _Transaction:
    """All or nothing; SQLite's errors become SpoolError."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        try:
            self._db.execute("begin immediate")
        except sqlite3.Error as error:
            raise SpoolError(str(error)) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._db.execute("commit" if error is None else "rollback")
        except sqlite3.Error as failure:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise SpoolError(str(failure)) from failure
        if isinstance(error, sqlite3.Error):
            raise SpoolError(str(error)) from error


def _pack(readings: Sequence[Reading]) -> bytes:
    """What a store keeps of a reading: neither source nor derivation."""
    rows = [(r.point, r.value, r.ts, r.quality, r.reason, r.state, r.raw) for r in readings]
    return zlib.compress(orjson.dumps(rows), 1)


def _unpack(body: bytes) -> list[Reading]:
    return [
        Reading(point, value, ts, Quality(quality), reason, state, raw)
        for point, value, ts, quality, reason, state, raw in orjson.loads(zlib.decompress(body))
    ]
