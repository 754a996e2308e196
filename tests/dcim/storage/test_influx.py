"""InfluxDB, the real one: lines, trends, what it refuses, and an outage in the middle."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dcim.clock import ManualClock
from dcim.model.metric import registry
from dcim.model.reading import Quality, Reading
from dcim.storage.influx import InfluxStore
from dcim.storage.spool import Spool
from dcim.storage.store import Sample, StoreDown, StoreRefused
from dcim.storage.writer import StoreWriter
from tests.dcim.storage.influxd import BUCKET, ORG, TOKEN, Influxd, free_port
from tests.dcim.storage.plant import MIDNIGHT, MODE, VOLTAGE, mode, until, volts


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Influxd]:
    server = Influxd(tmp_path / "influx")
    try:
        await server.start()
        await server.setup()
        yield server
    finally:
        await server.stop()


def connect(url: str, bucket: str = BUCKET, token: str = TOKEN, site: str = "") -> InfluxStore:
    return InfluxStore(url, ORG, bucket, token, registry(), site=site)


def test_lines_are_what_the_module_says():
    store = connect("http://127.0.0.1:1", site="site 1")
    reading = Reading("x y/a=b,c/power.active", 1e16, 1.5, Quality.UNCERTAIN, 'said "no"\n')
    assert store.line(reading) == (
        r"power.active,component=a\=b\,c,object=x\ y,site=site\ 1"
        r' value=1e+16,quality="uncertain",reason="said \"no\" " 1500'
    )
    assert (
        store.line(Reading("site-1/pue", 1.2, 2))
        == "pue,object=site-1,site=site\\ 1 value=1.2 2000"
    )
    assert store.line(volts(230, 3, Quality.STALE)).endswith(
        ' quality="stale",reason="is stale" 3000'
    )
    assert store.line(mode("online", 4)).endswith(' value=1.0,state="online" 4000')
    assert store.line(volts(float("nan"), 5)).endswith(' quality="good" 5000')


async def test_readings_come_back_by_flux_and_by_our_own_questions(server):
    store = connect(server.url, site="site-1")
    await store.write(
        [
            volts(10, MIDNIGHT + 1),
            volts(30, MIDNIGHT + 2.125, Quality.UNCERTAIN),
            volts(999, MIDNIGHT + 3, Quality.STALE),
            volts(None, MIDNIGHT + 4, Quality.BAD),
            volts(7, MIDNIGHT + 20),
            Reading("ups-a/voltage", 5, MIDNIGHT + 1),  # the same metric without a component
            mode("on_battery", MIDNIGHT + 5),
        ]
    )
    assert await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60) == [
        Sample(MIDNIGHT + 1, 10, Quality.GOOD),
        Sample(MIDNIGHT + 2.125, 30, Quality.UNCERTAIN),
        Sample(MIDNIGHT + 3, None, Quality.STALE),
        Sample(MIDNIGHT + 4, None, Quality.BAD),
        Sample(MIDNIGHT + 20, 7, Quality.GOOD),
    ]
    full, empty, last = await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 30, 10)
    assert (full.mean, full.min, full.max, full.last, full.count) == (20, 10, 30, 30, 2)
    assert (full.ts, empty.mean, empty.count) == ("2024-10-04T00:00:00.000Z", None, 0)
    assert (last.last, last.count) == (7, 1)
    (state,) = await store.trend(MODE, MIDNIGHT, MIDNIGHT + 60, 60)
    assert state.last == registry().of(MODE).states["on_battery"]
    (own,) = await store.trend("ups-a/voltage", MIDNIGHT, MIDNIGHT + 60, 60)
    assert (own.last, own.count) == (5, 1)
    rows = await server.flux(
        f'from(bucket: "{BUCKET}") |> range(start: 0) |> filter(fn: (r) => r._field == "value"'
        ' and r._measurement == "voltage" and r.component == "output/L1") |> last()'
    )
    assert [(r["object"], r["site"], r["_value"]) for r in rows] == [("ups-a", "site-1", "7")]
    await store.close()


async def test_a_question_cannot_be_bent(server):
    store = connect(server.url)
    (bucket,) = await store.trend('u"/${1+1}\\/x"y/voltage', MIDNIGHT, MIDNIGHT + 60, 60)
    assert bucket.count == 0
    await store.close()


async def test_what_influxdb_refuses_is_counted_and_the_rest_is_stored(server):
    store = connect(server.url)
    good = [volts(n, MIDNIGHT + n) for n in range(20)]
    with pytest.raises(StoreRefused, match="out of range") as refused:
        await store.write([*good[:10], volts(1, 1e17), *good[10:], mode("dancing", MIDNIGHT)])
    assert refused.value.dropped == 2
    assert len(await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)) == 20
    await store.close()


async def test_a_field_of_another_type_is_refused_alone(server):
    store = connect(server.url)
    await server_write(server, 'voltage,object=ups-a,component=output/L1 value="text" 1')
    # InfluxDB settles a field's type by shard (a week); this one is the text's
    with pytest.raises(StoreRefused, match="field type conflict") as refused:
        await store.write([volts(1, 60), mode("online", 60), volts(1, MIDNIGHT)])
    assert refused.value.dropped == 1
    assert len(await store.raw(MODE, 0, 120)) == 1
    assert len(await store.raw(VOLTAGE, MIDNIGHT, MIDNIGHT + 60)) == 1
    await store.close()


async def server_write(server: Influxd, line: str) -> None:
    import httpx

    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{server.url}/api/v2/write?org={ORG}&bucket={BUCKET}&precision=ms",
            headers={"Authorization": f"Token {TOKEN}"},
            content=line,
        )
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize(
    ("bucket", "token", "says"),
    [
        ("nobucket", TOKEN, 'InfluxDB answers 404: bucket "nobucket" not found'),
        (BUCKET, "wrong-token", "InfluxDB answers 401: unauthorized access"),
    ],
)
async def test_what_a_person_can_put_right_loses_nothing(server, bucket, token, says):
    store = connect(server.url, bucket, token)
    with pytest.raises(StoreDown, match=says):
        await store.write([volts(1, MIDNIGHT)])
    with pytest.raises(StoreDown):
        await store.trend(VOLTAGE, MIDNIGHT, MIDNIGHT + 60, 60)
    await store.close()


async def test_no_server_is_said_in_one_line():
    store = connect(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreDown, match=r"InfluxDB does not answer: .*refused") as down:
        await store.write([volts(1, MIDNIGHT)])
    assert "\n" not in str(down.value)
    await store.close()


@contextmanager
def spooled(path: Path) -> Iterator[Spool]:
    spool = Spool(path)
    yield spool
    spool.close()


async def test_a_killed_influxdb_gets_everything_in_order_and_once(server, tmp_path):
    clock = ManualClock(MIDNIGHT)
    store = connect(server.url)
    order: list[float] = []

    class Watched:
        """The store itself; only notes in which order batches are given and taken."""

        def __getattr__(self, name: str):
            return getattr(store, name)

        async def write(self, readings, mark=""):
            await store.write(readings, mark)
            order.extend(reading.ts for reading in readings)

    def poll(count: int) -> None:
        for _ in range(count):
            now = clock.advance(1)
            writer.readings([Reading(f"pdu-{i}/power.active", now, now) for i in range(20)])

    with spooled(tmp_path / "spool.db") as spool:
        writer = StoreWriter(Watched(), spool, clock, batch=100, every_s=0.02)
        task = asyncio.create_task(writer.run())
        poll(50)
        await until(lambda: writer.status().stored == 1000)
        await server.kill()
        poll(50)
        await until(lambda: writer.status().spooled == 1000)
        assert not writer.status().ok
        await server.start()
        poll(50)
        clock.advance(60)
        await until(lambda: writer.status().stored == 3000)
        assert writer.status().ok
        task.cancel()
        await asyncio.wait([task])
        assert (writer.status().dropped, spool.pending) == (0, 0)

    assert order == sorted(order)
    rows = await server.flux(
        f'from(bucket: "{BUCKET}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "power.active" and r._field == "value")'
        ' |> group() |> sort(columns: ["_time", "object"])'
    )
    found = [(row["object"], float(row["_value"])) for row in rows]
    told = [
        (point, MIDNIGHT + n)
        for n in range(1, 151)
        for point in sorted(f"pdu-{i}" for i in range(20))
    ]
    assert found == told
    await store.close()
