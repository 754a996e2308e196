"""What the person at the console has chosen; with the state, all that a view depends on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tui.state import State, seconds

PAUSE_S = 300.0
MUTE_S = 600.0


@dataclass
class Ui:
    """Choices and the moment of drawing."""

    now: float = 0.0  # UTC seconds, console's clock
    columns: int = 80
    lines: int = 24
    flash: bool = False  # turns over once a second
    local: bool = False
    paused_at: float | None = None
    muted_until: float = 0.0
    notice: str = ""  # an answer for the person, at the foot
    notice_until: float = 0.0
    cursor: str = ""  # id of the selected alarm
    filter: str = ""
    unfolded: set[str] = field(default_factory=set)
    read_only: bool = False

    @property
    def muted(self) -> bool:
        return self.now < self.muted_until

    @property
    def noticed(self) -> str:
        return self.notice if self.now < self.notice_until else ""

    @property
    def wide(self) -> bool:
        return self.columns >= 110


def zone(state: State, ui: Ui) -> tzinfo:
    if not ui.local or state.site is None:
        return UTC
    try:
        return ZoneInfo(state.site.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def clock_text(ts: float, state: State, ui: Ui, form: str = "%H:%M:%S") -> str:
    """A time of the agent in the chosen zone; UTC carries a Z."""
    tz = zone(state, ui)
    text = datetime.fromtimestamp(ts, tz).strftime(form)
    return f"{text}Z" if tz is UTC else text


def moment(ts: str, state: State, ui: Ui) -> str:
    """Eight cells: the time of day, or the date where it is longer ago than a day."""
    then = datetime.fromtimestamp(seconds(ts), zone(state, ui))
    old = state.age_s(ts, ui.now) >= 86400
    return then.strftime("%m-%d %Hh") if old else then.strftime("%H:%M:%S")
