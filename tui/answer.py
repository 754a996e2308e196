"""May this person do this to this alarm, and what came of it: pure, before any dialog opens."""

import re
from enum import StrEnum

from dcim.model.alarm import AlarmState
from dcim.model.wire import ActionOut, AlarmOut
from tui.state import Link, State
from tui.view.alarmlist import state_text
from tui.view.text import clean

COMMENT = (3, 200)  # characters, where one is asked for
LONGEST_SHELF_S = 8 * 3600.0
_DURATION = re.compile(r"(\d{1,4})\s*(min|m|h)")


class Verb(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    RESET = "reset"


def refusal(verb: Verb, alarm: AlarmOut | None, state: State, read_only: bool) -> str:
    """Why not; empty where nothing stands against it. The agent has the last word."""
    if read_only:
        return f"this console is read-only: it cannot {verb} alarms"
    if state.link is not Link.UP or state.status is None:
        return f"no connection: to {verb} now would answer an unknown state"
    if state.status.role == "viewer":
        user = clean(state.status.user)
        return f"{user} is a viewer and may not {verb} alarms; an operator may"
    if alarm is None:
        return f"no alarm to {verb}"
    return _about(verb, alarm, state.status.role)


def _about(verb: Verb, alarm: AlarmOut, role: str) -> str:
    match verb:
        case Verb.ACKNOWLEDGE if alarm.state in (AlarmState.ACKED, AlarmState.LATCH_ACKED):
            return f"already acknowledged by {clean(alarm.ack_by or '?')}"
        case Verb.SHELVE if alarm.priority == 1 and role == "operator":
            return "an alarm of priority 1 may only be shelved by a supervisor"
        case Verb.RESET if alarm.state is AlarmState.LATCH_UNACK:
            return "acknowledge it first, then reset it"
        case Verb.RESET if alarm.state is not AlarmState.LATCH_ACKED:
            return f"nothing to reset: it is not latched ({state_text(alarm)})"
    return ""


def comment_fault(text: str, required: bool) -> str:
    """What is wrong with a comment; empty where nothing is."""
    shortest, longest = COMMENT
    if len(text) > longest:
        return f"{len(text)} characters, at most {longest}"
    if required and len(text) < shortest:
        return f"a comment of {shortest} to {longest} characters is needed"
    return ""


def tidy(text: str) -> str:
    """A comment without control characters and outer blanks."""
    return "".join(char for char in text if char.isprintable()).strip()


def duration_s(text: str) -> float | None:
    """`30m` or `2h` in seconds; None where it is neither, or longer than a shelf may be."""
    found = _DURATION.fullmatch(text.strip().casefold())
    if not found:
        return None
    seconds = int(found[1]) * (3600.0 if found[2] == "h" else 60.0)
    return seconds if 0 < seconds <= LONGEST_SHELF_S else None


def outcome(verb: Verb, alarm: AlarmOut, answer: ActionOut) -> str:
    """The agent's answer in one line."""
    name = f"{clean(alarm.address)} {clean(alarm.title)}"
    detail = f": {clean(answer.detail)}" if answer.detail else ""
    match answer.result:
        case "accepted":
            return f"accepted: {verb} {name}"
        case "already":
            return f"already done{detail or f' by {_who(answer)}'}: {name}"
        case "returned":
            return f"returned meanwhile, look again{detail}: {name}"
        case "refused":
            return f"refused{detail}: {name}"


def _who(answer: ActionOut) -> str:
    return clean((answer.alarm and answer.alarm.ack_by) or "someone else")
