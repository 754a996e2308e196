"""ISA-18.2 states: the transition tables and the sequence vectors of ALARMS section 1."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcim.model.alarm import AlarmState, EventType, Priority
from dcim.model.metric import registry
from rules.alarms import AlarmEngine
from rules.machine import Event, Outcome, longest_shelf_s, step
from tests.rules.conftest import Plant, rules_of, small_site

A, B, C = AlarmState.NORM, AlarmState.UNACK, AlarmState.ACKED
D, E, F = AlarmState.RTN_UNACK, AlarmState.LATCH_UNACK, AlarmState.LATCH_ACKED

RULES = """
[[alarm]]
id = "hot"
title = "too hot"
match = { metric = "temperature" }
condition = ">="
level = [{ priority = "medium", limit = 30 }, { priority = "high", limit = 40 }]
cause = "c"
consequence = "q"
action = "a"
[[alarm]]
id = "slow"
title = "too hot for a while"
match = { metric = "temperature.inlet" }
condition = ">="
level = [{ priority = "low", limit = 30 }]
on_delay_s = 10
cause = "c"
consequence = "q"
action = "a"
[[alarm]]
id = "latched"
title = "was too hot"
match = { metric = "temperature.outlet" }
condition = ">="
level = [{ priority = "critical", limit = 30 }]
latching = true
cause = "c"
consequence = "q"
action = "a"
"""
HOT, SLOW, LATCHED = (
    "hot@env-1/temperature",
    "slow@env-1/temperature.inlet",
    "latched@env-1/temperature.outlet",
)
TRUE, FALSE = 35.0, 20.0


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(rules_of(tmp_path, RULES))


def path(plant: Plant, alarm_id: str) -> list[AlarmState]:
    """The states an alarm went through, repeats left out."""
    states = [A]
    for event in plant.events:
        if event.alarm.id == alarm_id and event.alarm.state is not states[-1]:
            states.append(event.alarm.state)
    return states


@pytest.mark.parametrize(
    ("before", "event", "latching", "after", "outcome", "announce"),
    [
        (A, Event.SET, False, B, "changed", True),
        (B, Event.ACK, False, C, "changed", False),
        (B, Event.CLEAR, False, D, "changed", False),
        (B, Event.CLEAR, True, E, "changed", False),
        (C, Event.CLEAR, False, A, "changed", False),
        (C, Event.CLEAR, True, F, "changed", False),
        (D, Event.ACK, False, A, "changed", False),
        (D, Event.SET, False, B, "changed", True),
        (B, Event.SET, False, B, "noop", False),
        (C, Event.SET, False, C, "noop", False),
        (A, Event.CLEAR, False, A, "noop", False),
        (D, Event.CLEAR, False, D, "noop", False),
        (E, Event.CLEAR, True, E, "noop", False),
        (F, Event.CLEAR, True, F, "noop", False),
        (E, Event.ACK, True, F, "changed", False),
        (E, Event.SET, True, B, "changed", True),
        (E, Event.RESET, True, E, "refused", False),
        (F, Event.RESET, True, A, "changed", False),
        (A, Event.RESET, True, A, "refused", False),
        (B, Event.RESET, True, B, "refused", False),
        (C, Event.RESET, True, C, "refused", False),
        (D, Event.RESET, False, D, "refused", False),
        (F, Event.SET, True, B, "changed", True),
        (A, Event.ACK, False, A, "noop", False),
        (C, Event.ACK, False, C, "noop", False),
        (F, Event.ACK, True, F, "noop", False),
        (B, Event.RAISE, False, B, "changed", True),
        (C, Event.RAISE, False, B, "changed", True),
        (C, Event.LOWER, False, C, "changed", False),
        (D, Event.RAISE, False, D, "changed", False),
        (E, Event.RAISE, True, E, "changed", False),
        (F, Event.RAISE, True, F, "changed", False),
        (C, Event.RENEW, False, B, "changed", True),
        (D, Event.RENEW, False, A, "changed", False),
        (E, Event.RENEW, True, E, "noop", False),
        (F, Event.RENEW, True, F, "noop", False),
        (A, Event.RENEW, False, A, "noop", False),
    ],
)
def test_transition_table(before, event, latching, after, outcome, announce):
    got = step(before, event, latching=latching)
    assert (got.state, got.outcome, got.announce) == (after, Outcome(outcome), announce)


def test_a_new_occurrence_begins_only_where_nothing_was_latched():
    assert {s: step(s, Event.SET).new_occurrence for s in (A, D, E, F)} == {
        A: True,
        D: True,
        E: False,
        F: False,
    }


@given(st.lists(st.sampled_from(list(Event)), max_size=30), st.booleans())
def test_states_agree_with_a_model_of_three_facts(events, latching):
    """An independent model: active, acknowledged, latched as three booleans."""
    active, acked, latched = False, True, False
    state = A
    for event in events:
        state = step(state, event, latching=latching).state
        match event:
            case Event.SET if not active:
                active, acked, latched = True, False, False
            case Event.CLEAR if active:
                active, latched = False, latching
            case Event.ACK:
                acked = True
            case Event.RESET if latched and acked and not active:
                latched = False
            case Event.RAISE | Event.RENEW if active:
                acked = False
            case Event.RENEW if not latched:
                acked = True
        assert state.active is active
        assert state.acknowledged is acked
        assert (state in (E, F)) is latched


def test_vector_1_shorter_than_the_on_delay_is_no_alarm(plant):
    plant.say("env-1/temperature.inlet", TRUE)
    plant.until(9)
    plant.say("env-1/temperature.inlet", FALSE)
    plant.until(60)
    assert plant.events == []


def test_vector_2_set_ack_clear(plant):
    plant.say("env-1/temperature", TRUE)
    plant.ack(HOT)
    plant.say("env-1/temperature", FALSE)
    assert path(plant, HOT) == [A, B, C, A]
    assert plant.standing() == []


def test_vector_3_set_clear_ack(plant):
    plant.say("env-1/temperature", TRUE)
    plant.say("env-1/temperature", FALSE)
    plant.ack(HOT)
    assert path(plant, HOT) == [A, B, D, A]


def test_vector_4_latched_set_clear_ack_reset(plant):
    plant.say("env-1/temperature.outlet", TRUE)
    plant.say("env-1/temperature.outlet", FALSE)
    assert plant.reset(LATCHED) == "refused"
    plant.ack(LATCHED)
    assert plant.reset(LATCHED) == "accepted"
    assert path(plant, LATCHED) == [A, B, E, F, A]


def test_vector_5_reset_while_active_is_refused(plant):
    plant.say("env-1/temperature.outlet", TRUE)
    plant.ack(LATCHED)
    assert plant.reset(LATCHED) == "refused"
    assert plant.alarm(LATCHED).state is C


def test_vector_6_cleared_on_the_shelf_ends_normal(plant):
    plant.say("env-1/temperature", TRUE)
    plant.shelve(HOT, 60)
    plant.until(30)
    plant.say("env-1/temperature", FALSE)
    assert plant.standing() == [HOT]
    plant.until(60)
    assert plant.alarm(HOT).state is A
    assert plant.standing() == []
    assert plant.notified() == [("alarm.raised", HOT), ("alarm.shelved", HOT)]


def test_vector_7_still_set_when_the_shelf_ends_is_told_again(plant):
    plant.say("env-1/temperature", TRUE)
    plant.ack(HOT)
    plant.shelve(HOT, 60)
    plant.until(60)
    alarm = plant.alarm(HOT)
    assert (alarm.state, alarm.occurrence, alarm.shelved_until) == (B, 1, None)
    assert plant.notified()[-1] == ("alarm.unshelved", HOT)


def test_vector_8_escalation_returns_to_unacknowledged(plant):
    plant.say("env-1/temperature", TRUE)
    plant.ack(HOT)
    plant.say("env-1/temperature", 41.0)
    alarm = plant.alarm(HOT)
    assert (alarm.state, alarm.priority, alarm.occurrence) == (B, Priority.HIGH, 1)
    assert plant.notified()[-1] == ("alarm.escalated", HOT)
    plant.ack(HOT)
    plant.say("env-1/temperature", TRUE)
    assert plant.alarm(HOT).priority is Priority.MEDIUM
    assert plant.alarm(HOT).state is C
    assert plant.events[-1].type is EventType.UPDATED
    assert not plant.events[-1].notify


def test_vector_9_the_second_user_finds_it_done(plant):
    plant.say("env-1/temperature", TRUE)
    assert plant.ack(HOT, user="lin") == "accepted"
    assert plant.ack(HOT, user="wu") == "already"
    assert plant.alarm(HOT).ack_by == "lin"


def test_vector_10_a_restart_tells_nobody(plant, tmp_path):
    plant.say("env-1/temperature", 41.0)
    plant.ack(HOT)
    engine = AlarmEngine(rules_of(tmp_path, RULES), small_site(), registry())
    assert list(engine.restore(plant.engine.alarms(), 100.0)) == []
    after = Plant(rules_of(tmp_path, RULES))
    after.engine = engine
    after.say("env-1/temperature", 41.0)
    assert (after.alarm(HOT).state, after.alarm(HOT).priority) == (C, Priority.HIGH)
    assert after.events == []
    after.say("env-1/temperature", FALSE)
    assert after.alarm(HOT).state is A


def test_vector_11_setting_again_is_a_new_occurrence(plant):
    plant.say("env-1/temperature", TRUE)
    plant.say("env-1/temperature", FALSE)
    plant.say("env-1/temperature", TRUE)
    assert (plant.alarm(HOT).state, plant.alarm(HOT).occurrence) == (B, 2)
    assert plant.ack(HOT, occurrence=1) == "returned"
    assert plant.ack(HOT, occurrence=2) == "accepted"


def test_a_latched_alarm_that_sets_again_keeps_its_occurrence(plant):
    for value in (TRUE, FALSE, TRUE):
        plant.say("env-1/temperature.outlet", value)
    assert (plant.alarm(LATCHED).state, plant.alarm(LATCHED).occurrence) == (B, 1)
    assert [kind for kind, _ in plant.notified()].count("alarm.raised") == 2


def test_a_shelf_that_expired_during_the_restart_ends_at_once(plant, tmp_path):
    plant.say("env-1/temperature", TRUE)
    plant.shelve(HOT, 60)
    after = Plant(rules_of(tmp_path, RULES))
    after.engine.restore(plant.engine.alarms(), 100.0)
    after.now = 100.0
    after.until(101)
    assert after.alarm(HOT).shelved_until is None
    assert after.notified() == [("alarm.unshelved", HOT)]


def test_an_alarm_whose_rule_is_gone_ends_after_a_restart(plant, builtin_rules):
    plant.say("env-1/temperature", TRUE)
    engine = AlarmEngine(builtin_rules, small_site(), registry())
    (event,) = engine.restore(plant.engine.alarms(), 100.0)
    assert (event.type, event.alarm.state, event.notify) == (EventType.CLEARED, A, False)
    assert list(engine.alarms()) == []


@pytest.mark.parametrize(
    ("priority", "role", "longest_s"),
    [
        (Priority.LOW, "operator", 28800),
        (Priority.MEDIUM, "operator", 14400),
        (Priority.HIGH, "operator", 3600),
        (Priority.CRITICAL, "operator", 0),
        (Priority.CRITICAL, "supervisor", 1800),
        (Priority.LOW, "viewer", 0),
    ],
)
def test_who_may_shelve_how_long(priority, role, longest_s):
    assert longest_shelf_s(priority, role) == longest_s


def test_shelving_needs_a_reason_and_stays_within_the_limits(plant):
    plant.say("env-1/temperature", TRUE)
    assert plant.shelve(HOT, 60, reason=" ") == "refused"
    assert plant.shelve(HOT, 4 * 3600 + 1) == "refused"
    assert plant.shelve(HOT, 4 * 3600) == "accepted"
    plant.say("env-1/temperature.outlet", TRUE)
    assert plant.shelve(LATCHED, 60) == "refused"
    assert plant.shelve(LATCHED, 60, role="supervisor") == "accepted"


def test_unshelving_by_hand_follows_the_shelf_expiry_rule(plant):
    plant.say("env-1/temperature", TRUE)
    plant.shelve(HOT, 60)
    result, events = plant.engine.unshelve(HOT, 1, "lin", plant.now)
    assert result == "accepted"
    assert [(e.type, e.actor, e.notify) for e in events] == [(EventType.UNSHELVED, "lin", True)]
    assert plant.engine.unshelve(HOT, 1, "lin", plant.now) == ("already", ())
