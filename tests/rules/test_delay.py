"""Deadband and delays: the worked trace of ALARMS section 2, and what bad data do to a delay."""

from pathlib import Path

import pytest

from dcim.model.reading import Quality
from tests.rules.conftest import Plant, rules_of

TRACE = "26.5 27.2 26.9 27.1 27.3 27.4 27.2 26.8 27.1 26.4 26.3 26.2 25.9 25.8 25.7"
ID = "hot@env-1/temperature"


def hot(tmp_path: Path, deadband: float | str, on_s: float, off_s: float) -> Plant:
    text = f"""
[[alarm]]
id = "hot"
title = "too hot"
match = {{ metric = "temperature" }}
condition = ">="
level = [{{ priority = "low", limit = 27 }}]
deadband = {deadband!r}
on_delay_s = {on_s}
off_delay_s = {off_s}
cause = "c"
consequence = "q"
action = "a"
"""
    return Plant(rules_of(tmp_path, text))


@pytest.mark.parametrize(
    ("deadband", "on_s", "off_s", "transitions"),
    [
        (0.0, 0, 0, [30, 60, 90, 210, 240, 270]),
        (1.0, 0, 0, [30, 360]),
        (1.0, 60, 0, [150, 360]),
        (1.0, 60, 60, [150, 420]),
        (0.5, 60, 60, [150, 330]),
    ],
)
def test_worked_trace(tmp_path, deadband, on_s, off_s, transitions):
    plant = hot(tmp_path, deadband, on_s, off_s)
    for index, value in enumerate(TRACE.split()):
        plant.until(index * 30)
        plant.say("env-1/temperature", float(value))
    plant.until(1000)
    kinds = ["alarm.raised", "alarm.cleared"] * 3
    found = [(event.type.value, event.ts) for event in plant.events]
    assert found == list(zip(kinds, map(float, transitions), strict=False))


def test_a_delay_runs_out_without_a_further_sample(tmp_path):
    plant = hot(tmp_path, 0.0, 60, 0)
    plant.say("env-1/temperature", 28.0)
    plant.until(59)
    assert plant.events == []
    plant.until(60)
    assert [event.ts for event in plant.events] == [60.0]


def test_the_limit_itself_counts(tmp_path):
    plant = hot(tmp_path, 0.0, 0, 0)
    plant.say("env-1/temperature", 27.0)
    assert plant.standing() == [ID]


def test_a_deadband_in_percent_is_of_the_limit(tmp_path):
    plant = hot(tmp_path, "10 %", 0, 0)
    plant.say("env-1/temperature", 27.0)
    plant.say("env-1/temperature", 24.3)
    assert plant.alarm(ID).state.active
    plant.say("env-1/temperature", 24.2)
    assert not plant.alarm(ID).state.active


def test_a_bad_sample_neither_starts_nor_resets_a_delay(tmp_path):
    plant = hot(tmp_path, 0.0, 60, 0)
    plant.say("env-1/temperature", 28.0, Quality.BAD)
    plant.until(100)
    assert plant.events == []
    plant.say("env-1/temperature", 28.0)
    plant.until(130)
    plant.say("env-1/temperature", None, Quality.BAD)
    plant.until(160)
    assert [event.ts for event in plant.events] == [160.0]


def test_stale_data_hold_what_stands_and_forget_what_was_under_way(tmp_path):
    plant = hot(tmp_path, 0.0, 60, 60)
    plant.say("env-1/temperature", 28.0)
    plant.until(30)
    plant.say("env-1/temperature", 28.0, Quality.STALE)
    plant.until(200)
    assert plant.events == []
    plant.say("env-1/temperature", 28.0)
    plant.until(260)
    plant.say("env-1/temperature", 20.0)
    plant.until(290)
    plant.say("env-1/temperature", 20.0, Quality.STALE)
    plant.until(1000)
    assert [event.type.value for event in plant.events] == ["alarm.raised"]
