"""The console: keeps the state current, draws the chosen view once a second and alarms at once."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from textual.app import App
from textual.screen import Screen
from textual.worker import WorkType

from dcim.client import Backoff, Client, ClientError, ErrorKind
from dcim.clock import Clock
from dcim.model.alarm import AlarmState
from dcim.model.wire import AlarmOut, Event, SiteOut
from tui import answer, keys
from tui.answer import Verb
from tui.feed import feed
from tui.keys import Place
from tui.palette import palette
from tui.screens.board import Board
from tui.screens.dialogs import Prompt, answer_dialog
from tui.state import Link, State, annunciated
from tui.view import alarmlist, alarms, other, overview, plant
from tui.view.text import Row, clean
from tui.view.ui import MUTE_S, PAUSE_S, Ui

_VIEWS: Mapping[Place, Callable[[State, Ui], list[Row]]] = {
    Place.OVERVIEW: overview.rows,
    Place.ALARMS: alarms.rows,
    Place.HELP: other.help_rows,
}
_NOTICE_S = 12.0
_TWICE_S = 2.0
_SITE_EVERY_S = 60.0
_SITE_SOON_S = 3.0
_TREND_EVERY_S = 60.0
_TREND_SPAN_S = 3600.0
_TREND_STEPS = 8


class ConsoleApp(App[None], inherit_bindings=False):
    """One console, one agent; the client is the caller's to close."""

    TITLE = "dcim"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        read_only: bool = False,
        backoff: Backoff | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._palette = palette(environ)
        super().__init__(ansi_color=self._palette.ansi)
        self._client = client
        self._clock = clock
        self._backoff = backoff or Backoff()
        self.state = State()
        self.ui = Ui(now=clock.now(), read_only=read_only)
        self.place = Place.OVERVIEW
        self._before_help = Place.OVERVIEW
        self._held: State | None = None  # while paused
        self._held_place = Place.OVERVIEW
        self._rung: set[tuple[str, int]] = set()  # occurrences of priority 1 that have rung
        self._interrupted = float("-inf")
        self._trends_due = 0.0
        self._site_due = float("inf")

    def get_default_screen(self) -> Screen[None]:
        return Board(self._palette, self.press)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick, name="tick")
        self._subscribe()
        self.draw()

    # --- what comes from the agent

    def _subscribe(self) -> None:
        """A stream of the points that the present screen shows."""
        self._start(self._follow, "feed")

    def _start(self, job: WorkType[None], name: str) -> None:
        """Run a job beside the console; one of the same name ends first."""
        self.run_worker(job, name=name, group=name, exclusive=True)

    async def _follow(self) -> None:
        async with aclosing(feed(self._client, self._patterns, self._backoff)) as items:
            async for item in items:
                self._take(item)

    def _patterns(self, site: SiteOut) -> Sequence[str]:
        return [f"{site.id}/*"] if self.place is Place.ALARMS else plant.selection(site)

    def _take(self, item: SiteOut | Event | ClientError) -> None:
        now = self._clock.now()
        match item:
            case SiteOut():
                self.state.site = item
                self._site_due = now + _due_s(item)
            case ClientError():
                lost = item.kind is ErrorKind.NO_CONNECTION  # which the foot says already
                self.state.lose(item.detail if lost else str(item), now)
                self.draw()
            case Event():
                lost_at = self.state.since if self.state.link is Link.LOST else None
                fresh = self.state.apply(item, now)
                if lost_at is not None and self.state.link is Link.UP:
                    self._tell_missed(fresh, now - lost_at)
                if item.alarms or item.kind == "snapshot":
                    self._ring()
                    self.draw()

    def _tell_missed(self, fresh: Sequence[AlarmOut], away_s: float) -> None:
        names = ", ".join(f"{clean(a.address)} {clean(a.title)}" for a in fresh[:3])
        missed = f"{len(fresh)} new: {names}" if fresh else "no new alarm"
        self.tell(f"connected again after {away_s:.0f} s, {missed}")

    def _ring(self) -> None:
        """Once for each new occurrence of priority 1."""
        present = {(a.id, a.occurrence): a for a in self.state.alarms.values()}
        self._rung &= present.keys()
        loud = {key for key, alarm in present.items() if _loud(alarm)} - self._rung
        if loud and not self.ui.muted:
            self.bell()
        self._rung |= loud

    async def _fetch_site(self) -> None:
        """Devices are identified one by one; what is new may need other points."""
        try:
            site = await self._client.site()
        except ClientError:
            return  # the stream will tell
        old = self.state.site
        self._take(site)
        if old is None or self._patterns(old) != self._patterns(site):
            self._subscribe()

    async def _fetch_trends(self) -> None:
        """The last hour of what the Overview shows, once a minute."""
        if self.state.site is None:
            return
        look = plant.Plant(self.state.site, self.state, self.ui.now)
        points = dict.fromkeys(i.trend for i in (*look.power(), *look.cooling()) if i.trend)
        end = self._clock.now() + self.state.offset_s
        for point in points:
            try:
                self.state.trends[point] = await self._client.trend(
                    point, end - _TREND_SPAN_S, end, _TREND_SPAN_S / _TREND_STEPS
                )
            except ClientError:
                self.state.trends.pop(point, None)

    # --- drawing

    def _tick(self) -> None:
        now = self._clock.now()
        self.ui.flash = not self.ui.flash
        if self.ui.paused_at is not None and now - self.ui.paused_at > PAUSE_S:
            self._resume()
        wide = self.ui.wide and self.place is Place.OVERVIEW
        if wide and self.state.link is Link.UP and now >= self._trends_due:
            self._trends_due = now + _TREND_EVERY_S
            self._start(self._fetch_trends, "trends")
        if self.state.link is Link.UP and now >= self._site_due:
            self._site_due = float("inf")
            self._start(self._fetch_site, "site")
        self.draw()

    def draw(self) -> None:
        """Show the present view; rows that have not changed cost nothing."""
        if not self.screen_stack:  # it closes
            return
        board = self.screen_stack[0]
        assert isinstance(board, Board)
        self.ui.now = self._clock.now()
        self.ui.columns, self.ui.lines = self.size
        if self.place is Place.ALARMS and (alarm := self._selected()) is not None:
            self.ui.cursor = alarm.id  # a new alarm above it does not move the cursor
        board.lines.show(self.picture())

    def picture(self) -> list[Row]:
        """The rows of the present view."""
        state = self.state
        if self._held is not None:  # the connection is never shown as it was
            state = self._held
            state.link, state.since = self.state.link, self.state.since
            state.heard, state.error = self.state.heard, self.state.error
        columns, lines = other.SMALLEST
        if self.ui.columns < columns or self.ui.lines < lines:
            return other.small(state, self.ui)
        return _VIEWS[self.place](state, self.ui)

    def on_resize(self) -> None:
        self.draw()

    def tell(self, text: str) -> None:
        """One line for the person, at the foot for some seconds."""
        self.ui.notice = text
        self.ui.notice_until = self._clock.now() + _NOTICE_S
        self.draw()

    # --- keys

    def press(self, key: str, character: str | None) -> bool:
        """Do what a key means; one that comes while a dialog opens was not meant for us."""
        action = keys.action_for(key, character, self.place)
        if action is None or len(self.screen_stack) > 1:
            return False
        getattr(self, f"do_{action}")()
        self.draw()
        return True

    def _go(self, place: Place) -> None:
        if place is self.place:
            return
        self.place = place
        if place is Place.HELP:
            return
        self._subscribe()
        if self._held is not None and self._held_place is not place:
            self._resume()  # what is held is another picture
            self.tell("no longer paused: this is another screen")

    def do_overview(self) -> None:
        self._go(Place.OVERVIEW)

    def do_alarms(self) -> None:
        self._go(Place.ALARMS)

    def do_help(self) -> None:
        if self.place is not Place.HELP:
            self._before_help = self.place
            self._go(Place.HELP)

    def do_back(self) -> None:
        if self.place is Place.HELP:
            self._go(self._before_help)
        elif self.place is Place.ALARMS and self.ui.filter:
            self.ui.filter = ""
        else:
            self._go(Place.OVERVIEW)

    def do_enter(self) -> None:
        if self.place is Place.OVERVIEW:
            self._go(Place.ALARMS)
        elif (alarm := self._selected()) is not None:
            self.ui.unfolded ^= {alarm.id}

    def _move(self, lines: int) -> None:
        self.ui.cursor = alarms.moved(self._drawn, self.ui, lines)

    @property
    def _drawn(self) -> State:
        return self._held or self.state

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_page_down(self) -> None:
        self._move(self.ui.lines // 4)

    def do_page_up(self) -> None:
        self._move(-self.ui.lines // 4)

    def do_first(self) -> None:
        self._move(-len(self._drawn.alarms))

    def do_last(self) -> None:
        self._move(len(self._drawn.alarms))

    def do_pause(self) -> None:
        if self.ui.paused_at is not None:
            self._resume()
        else:
            self._held = self.state.frozen()
            self._held_place = self._before_help if self.place is Place.HELP else self.place
            self.ui.paused_at = self._clock.now()

    def _resume(self) -> None:
        self._held = None
        self.ui.paused_at = None

    def do_zone(self) -> None:
        self.ui.local = not self.ui.local

    def do_mute(self) -> None:
        now = self._clock.now()
        self.ui.muted_until = now if self.ui.muted else now + MUTE_S

    def do_quit(self) -> None:
        self.exit()

    def do_interrupt(self) -> None:
        now = self._clock.now()
        if now - self._interrupted <= _TWICE_S:
            self.exit()
        else:
            self._interrupted = now
            self.tell("ctrl+c once more to quit")

    def do_filter(self) -> None:
        self.push_screen(Prompt("/", self.ui.filter), self._set_filter)

    def _set_filter(self, text: str | None) -> None:
        if text is not None:
            self.ui.filter = text
        self.draw()

    def do_command(self) -> None:
        self.push_screen(Prompt(":"), self._command)

    def _command(self, text: str | None) -> None:
        if not text:
            return
        if action := keys.COMMANDS.get(text.casefold()):
            getattr(self, f"do_{action}")()
            self.draw()
        else:
            known = ", ".join(name for name in keys.COMMANDS if not name.isdigit())
            self.tell(f"no command {clean(text)}; there are {known}")

    # --- answering alarms

    def _selected(self) -> AlarmOut | None:
        listed = alarmlist.entries(self._drawn, self.ui.unfolded, self.ui.filter)
        return self._drawn.alarms.get(alarms.selected(listed, self.ui))

    def do_acknowledge(self) -> None:
        self._ask(Verb.ACKNOWLEDGE)

    def do_reset(self) -> None:
        self._ask(Verb.RESET)

    def do_shelve(self) -> None:
        alarm = self._selected()
        shelved = alarm is not None and alarm.shelved_until is not None
        self._ask(Verb.UNSHELVE if shelved else Verb.SHELVE)

    def _ask(self, verb: Verb) -> None:
        """Open the dialog for the alarm at the cursor, or say why not."""
        alarm = self._selected()
        why = answer.refusal(verb, alarm, self.state, self.ui.read_only)
        if why or alarm is None:
            self.tell(why)
            return
        user = self.state.status.user if self.state.status else ""

        def done(texts: list[str] | None) -> None:
            if texts is not None:
                self._start(partial(self._send, verb, alarm, texts), f"{verb} {alarm.id}")

        self.push_screen(answer_dialog(verb, alarm, user), done)

    async def _send(self, verb: Verb, alarm: AlarmOut, texts: Sequence[str]) -> None:
        """Send the occurrence that was on the screen, never a later one; not queued, not repeated."""
        comment = answer.tidy(texts[-1])
        if self.state.link is not Link.UP:
            self.tell("no connection: nothing was sent")
            return
        try:
            match verb:
                case Verb.ACKNOWLEDGE:
                    said = await self._client.ack(alarm.id, alarm.occurrence, comment)
                case Verb.RESET:
                    said = await self._client.reset(alarm.id, alarm.occurrence, comment)
                case Verb.UNSHELVE:
                    said = await self._client.unshelve(alarm.id, alarm.occurrence, comment)
                case Verb.SHELVE:
                    span_s = answer.duration_s(texts[0]) or 0.0
                    said = await self._client.shelve(alarm.id, alarm.occurrence, span_s, comment)
        except ClientError as error:
            self.tell(clean(str(error)))
        else:
            self.tell(answer.outcome(verb, alarm, said))


def _due_s(site: SiteOut) -> float:
    """Ask for the site again soon while a device has not said what it is."""
    return _SITE_SOON_S if any(not d.kind for d in site.devices) else _SITE_EVERY_S


def _loud(alarm: AlarmOut) -> bool:
    return alarm.priority == 1 and annunciated(alarm) and alarm.state is AlarmState.UNACK
