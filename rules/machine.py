"""The ISA-18.2 base machine and its overlays (shelved, suppressed) as pure functions.

Source: ALARMS section 1, tables "Transitions (base)" and "Transitions (overlay)".
"""

from enum import StrEnum
from typing import NamedTuple

from dcim.model.alarm import AlarmState, Priority

NORM = AlarmState.NORM
UNACK = AlarmState.UNACK
ACKED = AlarmState.ACKED
RTN_UNACK = AlarmState.RTN_UNACK
LATCH_UNACK = AlarmState.LATCH_UNACK
LATCH_ACKED = AlarmState.LATCH_ACKED


class Event(StrEnum):
    """What the base machine reacts to."""

    SET = "set"  # the condition came true, on-delay over
    CLEAR = "clear"  # it is gone, deadband left and off-delay over
    ACK = "ack"
    RESET = "reset"
    RAISE = "raise"  # a higher priority, H -> HH
    LOWER = "lower"
    RENEW = "renew"  # an overlay has ended: the shelf-expiry rule


class Outcome(StrEnum):
    """What came of an event."""

    CHANGED = "changed"
    NOOP = "noop"
    REFUSED = "refused"


class Step(NamedTuple):
    """The next state, and what to make of it."""

    state: AlarmState
    outcome: Outcome = Outcome.CHANGED
    announce: bool = False  # people are told (again)
    new_occurrence: bool = False


def step(state: AlarmState, event: Event, *, latching: bool = False) -> Step:
    """The base machine's next step."""
    match event:
        case Event.SET:
            return _set(state)
        case Event.CLEAR:
            return _clear(state, latching)
        case Event.ACK:
            return _ack(state)
        case Event.RESET:
            return _reset(state)
        case Event.RAISE:
            return Step(UNACK, announce=True) if state.active else Step(state)
        case Event.LOWER:
            return Step(state)
        case Event.RENEW:
            return _renew(state)


def _set(state: AlarmState) -> Step:
    if state.active:
        return Step(state, Outcome.NOOP)
    latched = state in (LATCH_UNACK, LATCH_ACKED)
    return Step(UNACK, announce=True, new_occurrence=not latched)


def _clear(state: AlarmState, latching: bool) -> Step:
    match state:
        case AlarmState.UNACK:
            return Step(LATCH_UNACK if latching else RTN_UNACK)
        case AlarmState.ACKED:
            return Step(LATCH_ACKED if latching else NORM)
    return Step(state, Outcome.NOOP)


def _ack(state: AlarmState) -> Step:
    after = {UNACK: ACKED, RTN_UNACK: NORM, LATCH_UNACK: LATCH_ACKED}
    return Step(after[state]) if state in after else Step(state, Outcome.NOOP)


def _reset(state: AlarmState) -> Step:
    return Step(NORM) if state is LATCH_ACKED else Step(state, Outcome.REFUSED)


def _renew(state: AlarmState) -> Step:
    if state.active:
        return Step(UNACK, announce=True)
    if state is RTN_UNACK:
        return Step(NORM)
    return Step(state, Outcome.NOOP)


HOUR_S = 3600.0
SHELF_MAX_S = {  # ALARMS section 1, overlay table
    Priority.LOW: 8 * HOUR_S,
    Priority.MEDIUM: 4 * HOUR_S,
    Priority.HIGH: 1 * HOUR_S,
}
CRITICAL_SHELF_MAX_S = 0.5 * HOUR_S  # by a supervisor


def longest_shelf_s(priority: Priority, role: str) -> float:
    """How long a person of this role may shelve an alarm; 0: not at all."""
    if role not in ("operator", "supervisor"):
        return 0.0
    if priority is Priority.CRITICAL:
        return CRITICAL_SHELF_MAX_S if role == "supervisor" else 0.0
    return SHELF_MAX_S[priority]
