"""The spool: order, limit and exact counts, through restarts."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcim.model.reading import Quality, Reading
from dcim.storage.spool import Spool, SpoolError
from tests.dcim.storage.plant import mode, volts

BATCH = st.integers(1, 40)
STEPS = st.lists(st.one_of(BATCH, st.sampled_from(["take", "restart", "peek"])), max_size=40)


def contents(spool: Spool) -> list[Reading]:
    found: list[Reading] = []
    while first := spool.first():
        found += first[1]
        spool.remove(first[0])
    return found


def test_what_is_put_in_comes_out_in_order_after_a_restart(tmp_path):
    batches = [[volts(1, 10.5), mode("online", 11)], [volts(None, 12, Quality.BAD)]]
    spool = Spool(tmp_path / "spool.db")
    for batch in batches:
        spool.push(batch)
    spool.close()
    again = Spool(tmp_path / "spool.db")
    assert again.pending == 3
    assert contents(again) == [*batches[0], *batches[1]]
    assert (again.pending, again.bytes) == (0, 0)
    again.close()


def test_marks_are_never_used_again(tmp_path):
    marks = set()
    for name in ("a.db", "a.db", "b.db"):
        spool = Spool(tmp_path / name)
        spool.push([volts(1, 1)])
        first = spool.first()
        assert first is not None
        marks.add(first[0])
        spool.remove(first[0])
        spool.close()
    assert len(marks) == 3


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, limit=st.integers(150, 2_000))
def test_beyond_its_limit_the_oldest_go_and_every_reading_is_accounted_for(steps, limit):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spool.db"
        spool = Spool(path, limit)
        put = 0
        taken: list[float] = []
        for step in steps:
            if isinstance(step, int):
                spool.push([volts(n, n) for n in range(put, put + step)])
                put += step
            elif step == "restart":
                spool.close()
                spool = Spool(path, limit)
            elif (first := spool.first()) and step == "take":
                taken += [reading.ts for reading in first[1]]
                spool.remove(first[0])
            assert spool.bytes <= limit
            assert len(taken) + spool.pending + spool.dropped == put
        left = [reading.ts for reading in contents(spool)]
        assert taken + left == sorted(set(taken + left))
        assert left == list(range(put - len(left), put))  # what was dropped is older
        spool.close()


def test_losses_elsewhere_are_counted_through_a_restart(tmp_path):
    spool = Spool(tmp_path / "spool.db")
    spool.drop(5)
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert spool.dropped == 5
    spool.close()


def test_a_disk_that_does_not_take_a_batch_is_said_and_nothing_is_counted(tmp_path):
    spool = Spool(tmp_path / "spool.db")
    other = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(SpoolError, match="locked"):
        spool.push([volts(1, 1)])
    assert (spool.pending, spool.dropped) == (0, 0)
    other.execute("rollback")
    spool.push([volts(1, 1)])
    assert contents(spool) == [volts(1, 1)]
    other.close()
    spool.close()


def test_a_file_that_is_no_spool_is_said(tmp_path):
    (tmp_path / "spool.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(SpoolError, match=r"spool\.db: file is not a database"):
        Spool(tmp_path / "spool.db")
