"""The writer: what is stored of what passes, and order, once and counts while the store is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from dcim.clock import ManualClock
from dcim.model.reading import Quality
from dcim.storage.spool import Spool
from dcim.storage.store import StoreRefused
from dcim.storage.writer import StoreWriter
from tests.dcim.storage.plant import MIDNIGHT, SwitchedStore, mode, until, volts


class Bench:
    """A writer with a store that can be switched off."""

    def __init__(self, path: Path, queue: int = 1000, limit_bytes: int = 1 << 20) -> None:
        self.clock = ManualClock(MIDNIGHT)
        self.store = SwitchedStore()
        self.spool = Spool(path, limit_bytes)
        self.writer = StoreWriter(
            self.store, self.spool, self.clock, batch=10, every_s=0.01, queue=queue
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def send(self, first: int, last: int) -> None:
        for n in range(first, last):
            self.writer.readings([volts(n, MIDNIGHT + n)])

    @property
    def kept(self) -> list[float | None]:
        return [reading.value for reading in self.store.kept]


def spooled_more_than(bench: Bench, count: int) -> bool:
    return bench.writer.status().spooled > count


@pytest.fixture
def bench(tmp_path: Path):
    bench = Bench(tmp_path / "spool.db")
    yield bench
    bench.spool.close()


async def test_readings_reach_the_store_within_the_period(bench):
    async with bench.running():
        bench.send(0, 3)
        await until(lambda: bench.kept == [0, 1, 2])
    status = bench.writer.status()
    assert (status.ok, status.stored, status.queued, status.dropped) == (True, 3, 0, 0)


async def test_what_is_left_is_written_on_shutdown(bench):
    async with bench.running():
        await asyncio.sleep(0)
        bench.send(0, 35)
    assert bench.kept == list(range(35))


async def test_what_is_left_on_shutdown_is_spooled_while_the_store_is_down(bench):
    bench.store.up = False
    async with bench.running():
        await asyncio.sleep(0)
        bench.send(0, 35)
    assert (bench.kept, bench.spool.pending) == ([], 35)


async def test_after_an_outage_everything_arrives_in_order_and_once(bench):
    async with bench.running():
        bench.send(0, 5)
        await until(lambda: len(bench.kept) == 5)
        bench.store.up = False
        bench.send(5, 60)
        await until(lambda: bench.writer.status().spooled == 55)
        status = bench.writer.status()
        assert (status.ok, status.detail, status.queued) == (False, "switched off", 0)
        bench.store.up = True
        bench.send(60, 90)
        bench.clock.advance(60)
        await until(lambda: len(bench.kept) == 90)
        bench.send(90, 95)
        await until(lambda: len(bench.kept) == 95)
    assert bench.kept == list(range(95))
    status = bench.writer.status()
    assert (status.ok, status.detail, status.stored) == (True, None, 95)
    assert (status.spooled, status.dropped) == (0, 0)


async def test_a_store_that_is_down_is_asked_again_with_growing_patience(bench):
    asked: list[float] = []

    class Watched(SwitchedStore):
        async def write(self, readings, mark=""):
            asked.append(bench.clock.now() - MIDNIGHT)
            await super().write(readings, mark)

    bench.writer.store = Watched()
    bench.writer.store.up = False
    async with bench.running():
        for step in range(40):
            bench.writer.readings([volts(step, bench.clock.now())])
            await until(partial(spooled_more_than, bench, step))
            bench.clock.advance(1)
    # the clock may step once while a turn asks, and once before it notes that the store is down
    waits = [later - earlier for earlier, later in pairwise(asked)]
    for wait, doubled in zip(waits, (1, 2, 4, 8), strict=False):
        assert doubled <= wait <= doubled + 2
    assert len(waits) >= 4


async def test_a_spool_survives_a_restart_and_is_drained_first(tmp_path):
    first = Bench(tmp_path / "spool.db")
    first.store.up = False
    async with first.running():
        first.send(0, 25)
        await until(lambda: first.spool.pending == 25)
    first.spool.close()
    second = Bench(tmp_path / "spool.db")
    second.send(25, 40)
    async with second.running():
        await until(lambda: len(second.kept) == 40)
    assert second.kept == list(range(40))
    second.spool.close()


async def test_a_batch_that_was_stored_but_not_crossed_off_is_stored_once(tmp_path):
    bench = Bench(tmp_path / "spool.db")
    bench.spool.push([volts(1, MIDNIGHT)])
    first = bench.spool.first()
    assert first is not None
    await bench.store.write(first[1], first[0])  # and here the agent was killed
    async with bench.running():
        await until(lambda: bench.spool.pending == 0)
    assert bench.kept == [1]
    bench.spool.close()


async def test_what_does_not_fit_into_the_spool_is_counted(tmp_path):
    bench = Bench(tmp_path / "spool.db", limit_bytes=400)
    bench.store.up = False
    async with bench.running():
        bench.send(0, 200)
        await until(lambda: bench.writer.status().queued == 0)
        status = bench.writer.status()
        assert status.dropped > 0
        assert status.spooled + status.dropped == 200
        bench.store.up = True
        bench.clock.advance(60)
        await until(lambda: bench.spool.pending == 0)
    assert bench.kept == list(range(status.dropped, 200))
    bench.spool.close()


async def test_what_does_not_fit_into_the_queue_is_counted(tmp_path):
    bench = Bench(tmp_path / "spool.db", queue=20)
    bench.send(0, 50)
    assert bench.writer.status().dropped == 30
    async with bench.running():
        await until(lambda: len(bench.kept) == 20)
    assert bench.spool.dropped == 30
    bench.spool.close()


async def test_what_the_store_will_never_take_is_counted_and_said(bench):
    class Choosy(SwitchedStore):
        async def write(self, readings, mark=""):
            await super().write([r for r in readings if r.value != 2], mark)
            raise StoreRefused(1, "no twos")

    bench.writer.store = bench.store = Choosy()
    async with bench.running():
        bench.send(0, 5)
        await until(lambda: bench.writer.status().dropped == 1)
    status = bench.writer.status()
    assert (status.ok, status.detail, status.stored) == (True, "refused: no twos", 4)
    assert bench.kept == [0, 1, 3, 4]


async def test_a_state_is_stored_on_change_and_every_15_minutes(bench):
    for ts, state in [(0, "online"), (1, "online"), (2, "on_battery"), (3, "on_battery")]:
        bench.writer.readings([mode(state, MIDNIGHT + ts)])
    for ts in (901, 902, 903):
        bench.writer.readings([mode("on_battery", MIDNIGHT + ts)])
    bench.writer.readings([mode("on_battery", MIDNIGHT + 904, Quality.UNCERTAIN)])
    async with bench.running():
        await until(lambda: bench.writer.status().stored > 0)
    assert [r.ts - MIDNIGHT for r in bench.store.kept] == [0, 2, 902, 904]


async def test_a_stale_reading_is_stored_at_the_time_it_became_so(bench):
    bench.clock.advance(30)
    bench.writer.readings([volts(230, MIDNIGHT + 5, Quality.STALE)])
    async with bench.running():
        await until(lambda: bench.writer.status().stored > 0)
    (reading,) = bench.store.kept
    assert (reading.value, reading.ts) == (230, MIDNIGHT + 30)


async def test_a_state_whose_change_was_dropped_is_stored_with_its_next_reading(tmp_path):
    bench = Bench(tmp_path / "spool.db", queue=1)
    for ts, state in [(0, "online"), (1, "on_battery")]:
        bench.writer.readings([mode(state, MIDNIGHT + ts)])
    async with bench.running():
        await until(lambda: len(bench.store.kept) == 1)
        bench.writer.readings([mode("on_battery", MIDNIGHT + 2)])
        await until(lambda: len(bench.store.kept) == 2)
    assert [r.state for r in bench.store.kept] == ["online", "on_battery"]
    bench.spool.close()
