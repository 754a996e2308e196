"""Every question of the command line and the console, put to an agent on the simulated hall."""

import asyncio
import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dcim.cli.stage import Settings, Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall() -> AsyncIterator[Stage]:
    async with stage(Settings(past_days=1)) as one:
        yield one


async def dcim(one: Stage, *words: str, token: str | None = None) -> tuple[int, str, str]:
    """Run a command as a user would; its exit code, output and complaints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dcim", *words),
        env=os.environ | {"DCIM_URL": one.url, "DCIM_TOKEN": token or one.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def asked(one: Stage, *words: str):
    code, out, err = await dcim(one, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def until(one: Stage, met, what: str):
    """Ask for the alarms again and again until they are as they should be."""
    for _ in range(80):
        alarms = {alarm.id: alarm for alarm in await one.client.alarms()}
        if met(alarms):
            return alarms
        await asyncio.sleep(0.25)
    raise AssertionError(f"{what}; alarms: {sorted(alarms)}")


async def test_status_tells_that_everything_answers(hall: Stage):
    status = await asked(hall, "status")
    assert {p["ok"] == p["devices"] > 0 for p in status["protocols"].values()} == {True}
    assert status["store"]["ok"]
    code, text, _ = await dcim(hall, "status")
    assert code == 0
    assert "store     embedded ok" in text


async def test_racks_as_text_json_and_csv(hall: Stage):
    racks = await asked(hall, "racks")
    assert len(racks) == 16
    assert all(0 < rack["power_kw"] <= rack["limit_kw"] for rack in racks)
    _, text, _ = await dcim(hall, "racks", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["rack"] for row in rows] == [rack["id"] for rack in racks]
    _, text, _ = await dcim(hall, "racks")
    assert "rack-r16" in text


async def test_the_past_is_there_and_joins_the_present(hall: Stage):
    trend = await asked(
        hall, "trend", "cdu-1/loop/secondary/flow", "--from", "-20h", "--step", "3600"
    )
    counted = [bucket["count"] for bucket in trend["buckets"]]
    assert all(counted), counted
    assert trend["unit"] == "l/min"


async def test_explain_names_device_source_and_inputs(hall: Stage):
    measured = await asked(hall, "explain", "cdu-1/loop/secondary/flow")
    assert measured["device"]["id"] == "cdu-1"
    assert measured["point"]["source"].startswith("11:")
    derived = await asked(hall, "explain", "site-1/pue")
    assert derived["formula"].startswith("pue")
    assert "meter-main/power.active" in {one["point"] for one in derived["inputs"]}
    _, text, _ = await dcim(hall, "explain", "site-1/pue")
    assert re.search(r"^input +meter-main/power.active = \d+ W \(good,", text, re.MULTILINE)
    points = await asked(hall, "points", "site-1/pue")
    assert points[0]["category"] == 3


async def test_points_and_what_is_not_there(hall: Stage):
    points = await asked(hall, "points", "ups-a/output/*/voltage")
    assert {point["point"] for point in points} >= {"ups-a/output/L1/voltage"}
    assert all(200 < point["value"] < 260 for point in points)
    code, _, complaint = await dcim(hall, "explain", "ups-x/mode")
    assert code == 1
    assert "nothing is called 'ups-x'" in complaint


async def test_a_wrong_token_is_one_clear_line(hall: Stage):
    code, out, complaint = await dcim(hall, "status", token="dcim_wrong")
    assert (code, out) == (1, "")
    assert complaint.startswith("dcim: unauthorised:")
    assert complaint.count("\n") == 1


async def test_no_agent_is_one_clear_line(hall: Stage):
    code, _, complaint = await dcim(hall, "status", "--url", "http://127.0.0.1:9")
    assert code == 1
    assert complaint.startswith("dcim: no connection: http://127.0.0.1:9: nobody answers;")
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "at"),
    [
        ("leak", "row-2"),
        ("feed_a_loss", ""),
        ("pump_trip", "cdu-1"),
        ("bbu_module_missing", "bbu-r03"),
    ],
)
async def test_a_fault_raises_its_alarms_once_and_no_other(hall: Stage, fault: str, at: str):
    before = {alarm.id: alarm.occurrence for alarm in await hall.client.alarms()}
    hall.receiver.requests.clear()
    told = await hall.plant.fault(fault, at)
    may = {f"{alarm['rule']}@{alarm['address']}" for alarm in told["expected"]}
    must = {f"{a['rule']}@{a['address']}" for a in told["expected"] if a["always"]}
    assert must
    try:
        alarms = await until(hall, lambda alarms: must <= alarms.keys(), f"expected {must}")
        fresh = {i for i, a in alarms.items() if before.get(i, 0) < a.occurrence}
        assert [i for i in fresh if not _may(i, may)] == []
        sent = {one for one in must if alarms[one].suppressed_by is None}  # no consequences
        assert sent
        await hall.receiver.until(lambda: sent <= set(_raised(hall)))
        assert {one: _raised(hall).count(one) for one in must} == {i: i in sent for i in must}
        assert hall.receiver.duplicates == 0
    finally:
        await hall.plant.clear()


def _raised(one: Stage) -> list[str]:
    """Ids of the alarms whose raise the receiver has got."""
    bodies = [delivery.body["data"] for delivery in one.receiver.of_type("alarm.raised")]
    return [str(data["alarm_id"]) for data in bodies if isinstance(data, dict)]


def _may(alarm_id: str, may: set[str]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(alarm_id, pattern) for pattern in may)


async def test_a_leak_is_acknowledged_cleared_and_reset(hall: Stage):
    """Its latch holds until a person has looked: acknowledge, dry, reset."""
    alarm_id = "leak@leak-row2/zone/1/leak"
    await hall.plant.fault("leak", "row-2")
    await until(hall, lambda a: alarm_id in a and a[alarm_id].state.active, "a leak")
    code, _, complaint = await dcim(hall, "ack", alarm_id, "--comment", "valve closed by hand")
    assert code == 0, complaint
    alarms = await until(hall, lambda a: a[alarm_id].ack_by is not None, "acknowledged")
    assert (alarms[alarm_id].ack_by, alarms[alarm_id].comment) == ("demo", "valve closed by hand")
    await hall.plant.clear("leak", "row-2")
    alarms = await until(hall, lambda a: not a[alarm_id].state.active, "latched")
    assert alarms[alarm_id].state.value == "latched_acknowledged"
    answer = await hall.client.reset(alarm_id, alarms[alarm_id].occurrence)
    assert answer.result == "accepted"
    await until(hall, lambda alarms: alarm_id not in alarms, "gone")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_the_console_shows_a_leak(hall: Stage, width: int, height: int):
    tmux = shutil.which("tmux")
    if tmux is None:
        if os.environ.get("CI"):
            raise AssertionError("tmux is missing")
        pytest.skip("install tmux: the console is looked at through it")
    await hall.plant.fault("leak", "row-1")
    name = f"dcim-test-{os.getpid()}-{width}"

    async def run(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(tmux, "-L", name, *words), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode()

    command = f"env DCIM_TOKEN={hall.token} {sys.executable} -m dcim tui {hall.url}"
    await run("new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), command)
    try:
        screen = ""
        for _ in range(120):
            screen = await run("capture-pane", "-p", "-t", "t")
            if "coolant leak detected" in screen:
                break
            await asyncio.sleep(0.25)
        lines = screen.splitlines()
        assert len(lines) <= height
        assert any("coolant leak detected" in line and "UNACK" in line for line in lines), screen
        assert "L1 Overview" in lines[0]
        assert "PUE" in screen
    finally:
        await run("kill-server")
        await hall.plant.clear()
