"""Alarms in the sense of ISA-18.2: a condition that needs a timely response of a person."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from dcim.model.reading import Quality


class Priority(IntEnum):
    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class AlarmState(StrEnum):
    """The base machine (ALARMS.md section 1, ids A to F)."""

    NORM = "normal"
    UNACK = "unacknowledged"
    ACKED = "acknowledged"
    RTN_UNACK = "returned_unacknowledged"
    LATCH_UNACK = "latched_unacknowledged"
    LATCH_ACKED = "latched_acknowledged"

    @property
    def active(self) -> bool:
        """The condition holds."""
        return self in (AlarmState.UNACK, AlarmState.ACKED)

    @property
    def acknowledged(self) -> bool:
        return self in (AlarmState.NORM, AlarmState.ACKED, AlarmState.LATCH_ACKED)

    @property
    def words(self) -> str:
        """For people: whether it holds, then what is still to do."""
        return _WORDS[self]


_WORDS = {
    AlarmState.NORM: "normal",
    AlarmState.UNACK: "active, not acknowledged",
    AlarmState.ACKED: "active, acknowledged",
    AlarmState.RTN_UNACK: "over, not acknowledged",
    AlarmState.LATCH_UNACK: "over, latched, not acknowledged",
    AlarmState.LATCH_ACKED: "over, latched until reset, acknowledged",
}


class EventType(StrEnum):
    """What may become of an alarm; the `type` of a webhook."""

    RAISED = "alarm.raised"
    ESCALATED = "alarm.escalated"
    ACKNOWLEDGED = "alarm.acknowledged"
    CLEARED = "alarm.cleared"
    RESET = "alarm.reset"
    SHELVED = "alarm.shelved"
    UNSHELVED = "alarm.unshelved"
    UPDATED = "alarm.updated"  # told to nobody: priority lowered, children counted, a cause found


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as it stands. Its id is `rule@address`; an occurrence runs from set to normal."""

    rule: str
    address: str  # the point, or the object where the rule speaks of one
    occurrence: int
    seq: int  # grows with every change of this occurrence
    state: AlarmState
    priority: Priority
    title: str  # "coolant leak detected", a constant of the rule
    title_zh: str = ""
    value: float | None = None  # now: at the raise, an escalation or the clear
    value_state: str | None = None  # state code where the point is a state
    raised_value: float | None = None  # at the raise
    raised_state: str | None = None
    unit: str = ""
    limit: float | None = None
    condition: str = ""  # "temperature.supply >= 45 degC for 120 s"
    quality: Quality = Quality.GOOD
    reason: str | None = None  # of the quality, or why the alarm stands in spite of missing data
    raised_at: float = 0.0  # UTC seconds
    acked_at: float | None = None
    ack_by: str | None = None
    comment: str | None = None
    cleared_at: float | None = None
    latching: bool = False
    shelved_until: float | None = None
    suppressed_by: str | None = None  # id of the alarm of which this one is a consequence
    suppressed_children: int = 0
    because: str = ""  # its reason: other conditions, "coolant pump failed: pump/1", or an outage
    because_zh: str = ""
    cause: str = ""
    consequence: str = ""
    action: str = ""
    runbook_url: str = ""

    @property
    def id(self) -> str:
        return f"{self.rule}@{self.address}"

    @property
    def annunciated(self) -> bool:
        """Shown and sent: not normal, not shelved, not a consequence of another alarm."""
        return (
            self.state is not AlarmState.NORM
            and self.shelved_until is None
            and self.suppressed_by is None
        )


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One change of one alarm: what is journalled, sent and streamed."""

    type: EventType
    alarm: Alarm  # after the change
    previous: AlarmState
    ts: float  # UTC seconds
    actor: str = ""  # user name; empty: the engine
    comment: str = ""
    notify: bool = True  # False: journal and stream only (suppressed, restored after a restart)
