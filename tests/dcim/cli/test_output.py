"""What commands print: text for people, CSV and JSON for programs."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dcim.cli import agent as agent_commands
from dcim.cli import console, demo, questions, traps
from dcim.cli.output import Stop
from dcim.model.alarm import AlarmState
from dcim.model.reading import rfc3339
from dcim.model.wire import Event, TrapOut, TrapsOut
from fixtures.plant.faults import FAULTS
from tests.tui import hall
from tests.tui.fake_agent import TOKEN, FakeAgent


@pytest.fixture
async def agent(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeAgent]:
    monkeypatch.setenv("DCIM_TOKEN", TOKEN)
    fake = FakeAgent(hall.site(), hall.snapshot())
    await fake.start()
    yield fake
    await fake.kill()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_an_alarm_that_is_over_shows_what_was_and_when_it_ended(agent, capsys):
    over = hall.leak(
        state=AlarmState.LATCH_ACKED, raised_state="wet", cleared_at=rfc3339(hall.NOW), ack_by="liw"
    )
    over.value_state = "dry"
    hot = hall.alarms()[1]
    agent.snapshot = Event(kind="snapshot", seq=1, alarms=[over, hot], status=hall.status())
    await asyncio.to_thread(questions.alarms, agent.url)
    _, first, second = capsys.readouterr().out.splitlines()
    assert "over, latched until reset, acknowledged by liw  2026-11-21T21:14:05  leak-row1" in first
    assert first.endswith("was wet")
    assert "active, acknowledged by liw" in second
    assert second.rstrip().endswith("47.5 degC (limit 45)  +1 consequences")


async def test_an_alarm_of_an_outage_says_why(agent, capsys):
    why = "wrong_auth_key: authentication key or algorithm is not right"
    away = hall.alarm("no-data", "ups-b", "no data from device", 4, AlarmState.UNACK, 90)
    away.because = away.reason = why
    agent.snapshot = Event(kind="snapshot", seq=1, alarms=[away], status=hall.status())
    await asyncio.to_thread(questions.alarms, agent.url)
    assert capsys.readouterr().out.rstrip().endswith(f"no data from device         {why}")
    await asyncio.to_thread(questions.alarms, agent.url, csv_=True)
    assert table(capsys.readouterr().out)[0]["because"] == why


async def test_alarms_as_csv(agent, capsys):
    await asyncio.to_thread(questions.alarms, agent.url, csv_=True, all_=True)
    rows = table(capsys.readouterr().out)
    assert {row["id"] for row in rows} == {alarm.id for alarm in hall.alarms()}
    hot = next(row for row in rows if row["address"].startswith("cdu-2"))
    assert (hot["value"], hot["limit"], hot["state"]) == ("47.5", "45.0", "acknowledged")
    assert hot["cleared_at"] == ""


async def test_points_as_csv_in_full_and_empty_where_there_is_no_value(agent, capsys):
    agent.snapshot.points[0].value = 1 / 3
    await asyncio.to_thread(questions.points, "*", agent.url, csv_=True)
    rows = {row["point"]: row for row in table(capsys.readouterr().out)}
    assert float(rows["ups-a/output/load"]["value"]) == 1 / 3
    absent = rows["dc1/pue.window"]
    assert (absent["value"], absent["quality"]) == ("", "bad")
    assert rows["ups-a/mode"]["state"] == "online"


async def test_trend_as_csv_leaves_empty_what_is_not_there(agent, capsys):
    await asyncio.to_thread(questions.trend, "dc1/pue", "-1h", "now", 450.0, agent.url, csv_=True)
    rows = table(capsys.readouterr().out)
    assert [row["mean"] for row in rows] == [str(40.0 + n) for n in range(8)]
    assert {row["min"] for row in rows} == {""}


def test_a_trap_of_an_address_with_many_devices_names_few_of_them(capsys):
    trap = TrapOut(
        source="192.0.2.1",
        devices=[f"device-{n}" for n in range(39)],
        oid="1.3.6.1.2.1.33.2.1",
        first=rfc3339(hall.NOW),
        last=rfc3339(hall.NOW),
    )
    for line in traps.lines(TrapsOut(listen="127.0.0.1:162", traps=[trap])):
        print(line)
    last = capsys.readouterr().out.splitlines()[-1]
    assert "  device-0, device-1 and 37 more  " in last
    assert len(last) < 120


async def test_no_agent_names_the_address_and_what_to_do(agent):
    await agent.kill()
    with pytest.raises(Stop, match=rf"{agent.url}: nobody answers; .*`dcim run FILE`.* --url"):
        await asyncio.to_thread(questions.status, agent.url)
    await agent.start()


async def test_a_wrong_token_says_where_one_goes(agent, monkeypatch):
    monkeypatch.setenv("DCIM_TOKEN", "wrong")
    with pytest.raises(Stop, match=r"unauthorised: .* DCIM_TOKEN"):
        await asyncio.to_thread(questions.status, agent.url)


def test_check_prints_its_faults_as_json(tmp_path: Path, capsys):
    file = tmp_path / "dcim.toml"
    file.write_text('[site]\nid = "s"\ncolour = 3\n', "utf-8")
    with pytest.raises(Stop) as stop:
        agent_commands.check(file, json=True)
    assert stop.value.code == 2
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(file)
    fault = next(one for one in said["faults"] if "colour" in one["key"])
    assert fault["line"] == 3
    assert fault.keys() == {"file", "key", "line", "found", "expected"}


def test_the_help_of_fault_names_every_fault():
    assert demo.NAMES == FAULTS


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"cleared": []}, "no fault was on"),
        ({"cleared": [{"fault": "leak", "at": "row-1"}]}, "cleared: leak at row-1"),
        ({"fault": "job_end", "at": "row-1", "expected": []}, "job_end at row-1: expect no alarm"),
        (
            {
                "fault": "feed_a_loss",
                "at": "",
                "expected": [
                    {"rule": "ups-on-battery", "address": "ups-a/mode", "always": True},
                    {"rule": "rack-single-fed", "address": "rack-r*", "always": False},
                ],
            },
            "feed_a_loss: expect ups-on-battery@ups-a/mode; later perhaps rack-single-fed@rack-r*",
        ),
    ],
)
def test_what_a_fault_did_is_told(answer, text):
    assert console.told(answer) == text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-9, "the agent ended by signal 9 (Killed) while the console ran; its log ends: bye"),
        (3, "the agent ended with exit code 3 while the console ran; its log ends: bye"),
        (None, ""),
    ],
)
def test_a_dead_agent_is_told(tmp_path: Path, code, said):
    log = tmp_path / "dcim.log"
    log.write_text("hello\nbye\n\n", "utf-8")
    assert console.obituary(code, log) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, "stale"),
        ("stale: pdu-r03-a/power.active", "stale: pdu-r03-a/power.active"),
        ("no answer since 21:14:05Z", "stale: no answer since 21:14:05Z"),
    ],
)
def test_a_reason_does_not_say_the_quality_twice(reason, said):
    assert questions.said("stale", reason) == said
