"""The journal: what happened is there after a kill, and who did it."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dcim.model.alarm import Alarm, AlarmEvent, AlarmState, EventType, Priority
from dcim.model.reading import Quality
from dcim.storage.journal import Act, Journal

LEAK = Alarm(
    "leak", "leak-1/zone/2/leak", 1, 1, AlarmState.UNACK, Priority.CRITICAL, "coolant leak",
    value_state="wet", quality=Quality.UNCERTAIN, reason="retained", raised_at=100.25,
)  # fmt: skip
HOT = Alarm("hot", "cdu-1/temperature", 3, 1, AlarmState.ACKED, Priority.HIGH, "hot", value=51.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path) as journal:
        yield journal


def event(
    alarm: Alarm, ts: float, kind: EventType = EventType.RAISED, who: str = "", said: str = ""
) -> AlarmEvent:
    return AlarmEvent(kind, alarm, AlarmState.NORM, ts, who, said)


def test_events_come_back_as_they_were_the_newest_first(journal):
    events = [event(LEAK, 100.25), event(HOT, 101)]
    journal.alarms(events)
    assert journal.history() == [*reversed(events)]
    assert journal.history(limit=1) == [events[1]]
    assert journal.history(since=100.5) == [events[1]]


def test_history_is_asked_by_point_or_by_object(journal):
    near = replace(LEAK, address="leak-10/zone/1/leak")
    journal.alarms([event(LEAK, 1), event(HOT, 2), event(near, 3)])
    assert [e.ts for e in journal.history(address="leak-1")] == [1]
    assert [e.ts for e in journal.history(address="leak-1/zone/2/leak")] == [1]
    assert journal.history(address="leak") == []


def test_a_restart_finds_every_alarm_as_it_was_last(path):
    over = replace(LEAK, state=AlarmState.NORM, seq=2, cleared_at=110.0)
    with Journal(path) as journal:
        journal.alarms([event(LEAK, 100), event(HOT, 101), event(over, 110)])
    with Journal(path) as journal:
        assert journal.open_alarms() == [HOT, over]


def test_who_did_what_is_audited(journal):
    journal.alarms(
        [
            event(LEAK, 100),
            event(LEAK, 120, EventType.ACKNOWLEDGED, "lin", "on my way"),
        ]
    )
    journal.note(Act(130, "ada", "reload", "dcim.toml"))
    assert journal.audit() == [
        Act(130, "ada", "reload", "dcim.toml"),
        Act(120, "lin", "alarm.acknowledged", LEAK.id, "on my way"),
    ]
    assert [act.actor for act in journal.audit(since=125)] == ["ada"]


SCRIPT = """
import sys, time
from pathlib import Path
from tests.dcim.storage.test_journal import LEAK, event
from dcim.storage.journal import Journal

journal = Journal(Path(sys.argv[1]))
for ts in range(1_000_000):
    journal.alarms([event(LEAK, ts)])
    assert journal.flush()
    print(ts, flush=True)
"""


def test_a_flushed_event_survives_a_kill(path):
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout]
    with Journal(path) as journal:
        kept = [int(e.ts) for e in reversed(journal.history())]
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1


def test_what_the_disk_does_not_take_waits_and_what_does_not_fit_is_counted(path):
    with Journal(path, limit=3) as journal:
        other = sqlite3.connect(path, isolation_level=None, timeout=0)
        other.execute("begin immediate")
        journal.alarms([event(LEAK, ts) for ts in range(5)])
        assert journal.dropped == 2
        assert not journal.flush(0.01)
        other.execute("rollback")
        assert journal.flush()
        assert [e.ts for e in journal.history()] == [2, 1, 0]
        other.close()


def test_a_file_that_is_no_journal_is_said(path):
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Journal(path)
