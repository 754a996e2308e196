"""Who may answer an alarm, and how the answer reads."""

import pytest

from dcim.model.alarm import AlarmState
from dcim.model.wire import ActionOut
from tests.tui import hall
from tui.answer import Verb, comment_fault, duration_s, outcome, refusal, tidy
from tui.state import State


def live(role: str = "operator") -> State:
    state = State(site=hall.site())
    state.apply(hall.snapshot(role), hall.NOW)
    return state


@pytest.mark.parametrize(
    ("verb", "state", "role", "said"),
    [
        (Verb.ACKNOWLEDGE, AlarmState.UNACK, "operator", ""),
        (Verb.ACKNOWLEDGE, AlarmState.RTN_UNACK, "operator", ""),
        (Verb.ACKNOWLEDGE, AlarmState.LATCH_UNACK, "supervisor", ""),
        (Verb.ACKNOWLEDGE, AlarmState.ACKED, "operator", "already acknowledged by liw"),
        (Verb.ACKNOWLEDGE, AlarmState.UNACK, "viewer", "is a viewer"),
        (Verb.RESET, AlarmState.LATCH_ACKED, "operator", ""),
        (Verb.RESET, AlarmState.LATCH_UNACK, "operator", "acknowledge it first"),
        (Verb.RESET, AlarmState.ACKED, "operator", "nothing to reset"),
        (Verb.SHELVE, AlarmState.UNACK, "operator", "only be shelved by a supervisor"),
        (Verb.SHELVE, AlarmState.UNACK, "supervisor", ""),
    ],
)
def test_what_stands_against_an_answer(verb, state, role, said):
    why = refusal(verb, hall.leak(state=state, ack_by="liw"), live(role), read_only=False)
    assert (said in why) if said else why == ""


def test_no_alarm_no_connection_read_only():
    assert refusal(Verb.SHELVE, None, live(), read_only=False) == "no alarm to shelve"
    assert "no connection" in refusal(Verb.RESET, hall.leak(), State(), read_only=False)
    assert "read-only" in refusal(Verb.RESET, hall.leak(), live(), read_only=True)


@pytest.mark.parametrize(
    ("text", "required", "well"),
    [("ok", True, False), ("okay", True, True), ("", False, True), ("x" * 201, False, False)],
)
def test_comments(text, required, well):
    assert (comment_fault(text, required) == "") is well


def test_comments_lose_their_control_characters():
    assert tidy("  valve\x1b[2J\n shut\x07 ") == "valve[2J shut"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("30 min", 1800), ("8h", 28800), ("9h", None), ("0m", None), ("soon", None)],
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("result", ["accepted", "already", "returned", "refused"])
def test_every_answer_names_the_alarm(result):
    answer = ActionOut(result=result, detail="because")
    assert "leak-row1/zone/2/leak" in outcome(Verb.ACKNOWLEDGE, hall.leak(), answer)
