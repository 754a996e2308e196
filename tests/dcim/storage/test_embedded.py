"""The embedded history: what goes in comes out, through sealing, lateness, retention and kills."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dcim.clock import ManualClock
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading
from dcim.storage.embedded import EmbeddedStore
from dcim.storage.store import Sample, StoreDown, StoreLocked, StoreRefused
from tests.dcim.storage.plant import DAY_S, MIDNIGHT, MODE, VOLTAGE, mode, volts


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MIDNIGHT)


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[EmbeddedStore]:
    store = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    yield store
    await store.close()


def files(store_dir: Path) -> list[str]:
    return sorted(str(p.relative_to(store_dir)) for p in store_dir.glob("*/*.parquet"))


async def test_a_reading_comes_back_as_it_went_in(store):
    stored = [volts(230.5, MIDNIGHT + 0.123), volts(None, MIDNIGHT + 1, Quality.BAD)]
    await store.write([*stored, mode("on_battery", MIDNIGHT + 2)])
    assert await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 10) == [
        Sample(MIDNIGHT + 0.123, 230.5, Quality.GOOD),
        Sample(MIDNIGHT + 1, None, Quality.BAD),
    ]
    on_battery = registry().of(MODE).states["on_battery"]
    assert [s.value for s in await store.raw(MODE, MIDNIGHT, MIDNIGHT + 10)] == [on_battery]


async def test_a_trend_counts_good_and_uncertain_samples_only(store):
    await store.write(
        [
            volts(10, MIDNIGHT + 1),
            volts(30, MIDNIGHT + 2, Quality.UNCERTAIN),
            volts(999, MIDNIGHT + 3, Quality.STALE),
            volts(None, MIDNIGHT + 4, Quality.BAD),
            volts(7, MIDNIGHT + 20),
        ]
    )
    full, empty, last = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 30, 10)
    assert (full.mean, full.min, full.max, full.last, full.count) == (20, 10, 30, 30, 2)
    assert (empty.mean, empty.count) == (None, 0)
    assert (last.ts, last.last) == ("2024-10-04T00:00:20.000Z", 7)


async def test_a_trend_of_an_unknown_point_is_empty(store):
    (bucket,) = await store.trend("nobody/voltage", MIDNIGHT, MIDNIGHT + 60, 60)
    assert bucket.count == 0


async def test_steps_are_multiples_of_the_step(store):
    buckets = await store.trend(VOLTAGE, MIDNIGHT + 65, MIDNIGHT + 125, 60)
    assert [b.ts[11:19] for b in buckets] == ["00:01:00", "00:02:00"]


async def test_too_many_steps_are_refused(store):
    with pytest.raises(ValueError, match="at most 20000 steps"):
        await store.trend(VOLTAGE, 0, MIDNIGHT, 1)


async def test_an_unknown_state_or_time_is_refused_and_counted_and_the_rest_is_kept(store):
    with pytest.raises(StoreRefused) as refused:
        await store.write(
            [mode("dancing", MIDNIGHT), volts(1, -5), volts(1, 1e18), volts(2, MIDNIGHT)]
        )
    assert refused.value.dropped == 3
    assert [s.value for s in await store.raw(VOLTAGE, 0, MIDNIGHT + 1)] == [2]


async def test_a_marked_write_is_taken_once(tmp_path, clock):
    store = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    await store.write([volts(1, MIDNIGHT)], "spool/1")
    await store.write([volts(1, MIDNIGHT)], "spool/1")
    await store.write([volts(2, MIDNIGHT + 1)], "spool/2")
    await store.close()
    again = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    await again.write([volts(2, MIDNIGHT + 1)], "spool/2")
    assert [s.value for s in await again.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 10)] == [1, 2]
    await again.close()


async def test_a_day_is_sealed_a_day_after_its_end_and_reads_the_same(store, tmp_path, clock):
    samples = [volts(200 + i, MIDNIGHT + 40 * i) for i in range(300)]
    await store.write([*samples, volts(1, MIDNIGHT + 50, Quality.BAD)])
    before = await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + DAY_S)
    trends = [
        await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + DAY_S, step) for step in (50, 300, 7200)
    ]
    clock.advance(2 * DAY_S - 1)
    await store.maintain()
    assert files(tmp_path / "data") == []
    clock.advance(1)
    await store.maintain()
    day = "2024-10-04.1.parquet"
    assert files(tmp_path / "data") == [f"1h/{day}", f"1min/{day}", f"raw/{day}"]
    assert await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + DAY_S) == before
    for step, trend in zip((50, 300, 7200), trends, strict=True):
        sealed = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + DAY_S, step)
        for old, new in zip(trend, sealed, strict=True):
            assert new.mean == pytest.approx(old.mean)
            assert (new.ts, new.min, new.max) == (old.ts, old.min, old.max)
            assert (new.last, new.count) == (old.last, old.count)


async def test_sealed_files_explain_themselves_to_any_tool(store, tmp_path, clock):
    await store.write([volts(230, MIDNIGHT + 61, Quality.UNCERTAIN), mode("online", MIDNIGHT)])
    clock.advance(3 * DAY_S)
    await store.maintain()
    with duckdb.connect() as tool:
        rows = tool.execute(
            f"select point, epoch_ms(ts), value, quality, reason from '{tmp_path}/data/raw/*.parquet'"
            " order by point"
        ).fetchall()
        assert rows == [
            (MODE, MIDNIGHT * 1000, 1.0, "good", None),
            (VOLTAGE, (MIDNIGHT + 61) * 1000, 230.0, "uncertain", "is uncertain"),
        ]
        minutes = tool.execute(
            f"select epoch_ms(ts), mean, last, epoch_ms(last_ts), count"
            f" from '{tmp_path}/data/1min/*.parquet' where point = '{VOLTAGE}'"
        ).fetchall()
        at = MIDNIGHT * 1000
        assert minutes == [(at + 60_000, 230.0, 230.0, at + 61_000, 1)]


async def test_late_readings_join_their_sealed_day_once(store, tmp_path, clock):
    await store.write([volts(1, MIDNIGHT + 10), volts(3, MIDNIGHT + 30)])
    clock.advance(3 * DAY_S)
    await store.maintain()
    await store.write([volts(2, MIDNIGHT + 20)])

    async def check() -> None:
        raw = await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)
        assert [s.value for s in raw] == [1, 2, 3]
        (minute,) = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 60, 60)
        assert (minute.mean, minute.last, minute.count) == (2, 3, 3)

    await check()  # from DuckDB and Parquet
    await store.maintain()
    await check()  # from the second generation
    await store.maintain()
    await check()
    day = "2024-10-04.2.parquet"
    assert files(tmp_path / "data") == [f"1h/{day}", f"1min/{day}", f"raw/{day}"]


async def test_what_is_out_of_order_is_put_in_order(store):
    await store.write([volts(2, MIDNIGHT + 2), volts(1, MIDNIGHT - 1), volts(3, MIDNIGHT + 1)])
    raw = await store.raw(VOLTAGE, MIDNIGHT - DAY_S, MIDNIGHT + DAY_S)
    assert [s.value for s in raw] == [1, 3, 2]


async def test_retention_deletes_files_by_resolution(store, tmp_path, clock):
    await store.write([volts(5, MIDNIGHT + 10)])
    clock.advance(3 * DAY_S)
    await store.maintain()
    day = "2024-10-04.1.parquet"
    clock.advance(4 * DAY_S)
    await store.maintain()
    assert files(tmp_path / "data") == [f"1h/{day}", f"1min/{day}", f"raw/{day}"]
    clock.advance(DAY_S)
    await store.maintain()
    assert files(tmp_path / "data") == [f"1h/{day}", f"1min/{day}"]
    assert await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60) == []
    assert [b.count for b in await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 20, 10)] == [1, 0]
    clock.advance(400 * DAY_S)
    await store.maintain()
    assert files(tmp_path / "data") == [f"1h/{day}"]
    (hour,) = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 3600, 3600)
    assert (hour.mean, hour.count) == (5, 1)


async def test_a_new_database_takes_up_the_days_it_finds(tmp_path, clock):
    store = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    await store.write([volts(5, MIDNIGHT + 10)])
    clock.advance(3 * DAY_S)
    await store.maintain()
    await store.close()
    (tmp_path / "data" / "recent.duckdb").unlink()
    again = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    assert [s.value for s in await again.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)] == [5]
    await again.close()


async def test_a_past_is_backfilled_into_sealed_days_and_recent_ones(store, tmp_path, clock):
    clock.advance(10 * DAY_S)
    minutes = [MIDNIGHT + 60 * i for i in range(10 * 1440)]
    table = pa.table(
        {
            "point": pa.array([VOLTAGE] * len(minutes)).dictionary_encode(),
            "ts": pa.array([1000 * ts for ts in minutes], pa.timestamp("ms", "UTC")),
            "value": pa.array([float(i % 1440) for i in range(len(minutes))]),
        }
    )
    assert await store.backfill(table) == 14_400
    assert len(files(tmp_path / "data")) == 9 + 9 + 6
    days = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 10 * DAY_S, DAY_S)
    assert [(b.count, b.mean, b.last) for b in days] == [(1440, 719.5, 1439)] * 10


SCRIPT = """
import asyncio, sys
from pathlib import Path
from dcim.clock import SystemClock
from dcim.model.metric import registry
from dcim.model.reading import Reading
from dcim.storage.embedded import EmbeddedStore
from dcim.storage.spool import Spool
from dcim.storage.writer import StoreWriter

async def main(path):
    clock = SystemClock()
    store = await EmbeddedStore.open(path / "data", clock, registry())
    writer = StoreWriter(store, Spool(path / "spool.db"), clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        while True:
            now = clock.now()
            writer.readings([Reading(f"pdu-{i}/voltage", now, now) for i in range(100)])
            print(now, flush=True)
            await asyncio.sleep(0.02)

asyncio.run(main(Path(sys.argv[1])))
"""


async def agent(path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, str(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_a_killed_agent_loses_at_most_its_last_second(tmp_path, clock):
    process = await agent(tmp_path)
    assert process.stdout is not None
    said: list[float] = []
    async with asyncio.timeout(60):
        while not said or said[-1] < said[0] + 4:
            said.append(float(await process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        while line := await process.stdout.readline():
            said.append(float(line))
        await process.communicate()
    store = await EmbeddedStore.open(tmp_path / "data", clock, registry())
    kept = [s.value for s in await store.raw("pdu-99/voltage", said[0] - 1, said[-1] + 1)]
    assert kept == said[: len(kept)]
    # a second of waiting, and on a busy machine some of writing
    assert said[-1] - said[len(kept) - 1] < 2.0
    await store.close()


async def test_a_second_agent_is_told_who_has_the_directory(store, tmp_path):
    process = await agent(tmp_path)
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert StoreLocked.__name__ in stderr.decode()
    assert f"the history in {tmp_path / 'data'} is in use by another agent" in stderr.decode()


async def test_questions_are_answered_while_a_day_is_sealed(store, clock):
    await store.write(
        [Reading(f"pdu-{i}/voltage", 1.0, MIDNIGHT + j) for i in range(200) for j in range(200)]
    )
    clock.advance(2 * DAY_S)
    async with asyncio.TaskGroup() as group:
        sealing = group.create_task(store.maintain())
        while not sealing.done():
            await store.write([volts(1, clock.advance(1))])
            (bucket,) = await store.trend("pdu-7/voltage", MIDNIGHT, MIDNIGHT + 3600, 3600)
            assert bucket.count == 200


async def test_a_past_that_is_given_for_a_sealed_day_joins_it(store, tmp_path, clock):
    await store.write([volts(1, MIDNIGHT + 10)])
    clock.advance(2 * DAY_S)
    await store.maintain()
    table = pa.table({"point": [VOLTAGE], "ts": [1000 * MIDNIGHT], "value": [3.0]})
    await store.backfill(table.set_column(1, "ts", table["ts"].cast(pa.timestamp("ms", "UTC"))))
    (hour,) = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 3600, 3600)
    assert (hour.mean, hour.last, hour.count) == (2, 1, 2)
    assert [s.value for s in await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)] == [3, 1]


async def test_a_broken_file_of_a_sealed_day_is_said_in_one_line(store, tmp_path, clock):
    await store.write([volts(1, MIDNIGHT)])
    clock.advance(2 * DAY_S)
    await store.maintain()
    (path,) = (tmp_path / "data" / "1h").glob("*.parquet")
    path.write_bytes(b"not parquet")
    with pytest.raises(StoreDown, match=path.name) as down:
        await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 3600, 3600)
    assert "\n" not in str(down.value)
    assert len(await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)) == 1  # the rest is well


FULL_DISK = """
import asyncio, resource, signal, sys
from pathlib import Path
from dcim.clock import ManualClock
from dcim.model.metric import registry
from dcim.model.reading import Reading
from dcim.storage.embedded import EmbeddedStore
from dcim.storage.store import StoreDown

async def main(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await EmbeddedStore.open(path, ManualClock(), registry())
    async def write(n):
        await store.write([Reading(f"pdu-{i}/voltage", n, 1.7e9 + n) for i in range(1000)])
    await write(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))  # as good as a full disk
    refused = 0
    for n in range(1, 21):
        try:
            await write(n)
        except StoreDown as error:
            assert "\\n" not in str(error)
            refused += 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
            await write(n)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000 + 50_000 * n, -1))
    samples = await store.raw("pdu-999/voltage", 1.7e9, 1.7e9 + 100)
    print(refused, [s.value for s in samples] == list(range(21)))
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_full_disk_loses_nothing_that_is_written_again(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL_DISK, str(tmp_path / "data"), stdout=subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    assert process.returncode == 0
    refused, complete = stdout.split()
    assert (int(refused) > 0, complete) == (True, b"True")


ASKING = """
import asyncio, sys
from pathlib import Path
import pyarrow as pa
from dcim.clock import ManualClock
from dcim.model.metric import registry
from dcim.storage.embedded import EmbeddedStore

async def main(path):
    store = await EmbeddedStore.open(path, ManualClock(1.7e9 + 1e6), registry())
    ts = pa.array([1_700_000_000_000], pa.timestamp("ms", "UTC"))
    await store.backfill(pa.table({"point": ["pdu-1/voltage"], "ts": ts, "value": [230.0]}))
    buckets = await store.trend("pdu-1/voltage", 1.7e9, 1.7e9 + 60, 60)
    print(sum(bucket.count for bucket in buckets), flush=True)
    await asyncio.sleep(3600)

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_killed_agent_leaves_no_child_behind(tmp_path):
    script = tmp_path / "asking.py"
    script.write_text(ASKING, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path / "data"), stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"1\n"  # the child has answered
        process.send_signal(signal.SIGKILL)
        # its end of the pipe is inherited: the stream ends when the last of them is gone
        assert await process.stdout.read() == b""
        await process.wait()
