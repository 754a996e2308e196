"""The console as its user drives it: keys, dialogs, sizes, a lost agent."""

import random
from typing import Any

import pytest

from dcim.client import Client, ClientError, ErrorKind
from dcim.clock import ManualClock
from dcim.model.alarm import AlarmState
from dcim.model.wire import ActionOut, DeviceOut, Event
from tests.tui import hall
from tests.tui.conftest import COLOURS, console
from tests.tui.fake_agent import FakeAgent
from tui import keys
from tui.app import ConsoleApp
from tui.keys import Place
from tui.state import Link
from tui.widgets.lines import Lines

LEAK = "leak@leak-row1/zone/2/leak"


def posts(agent: FakeAgent) -> list[tuple[str, dict[str, Any]]]:
    return [(path, body) for method, path, body in agent.requests if method == "POST"]


# --- navigation


async def test_screens_by_key_and_back(agent):
    async with console(agent) as c:
        assert "L1 Overview" in c.text
        await c.press("5")
        assert "L2 Alarms" in c.text
        await c.press("question_mark")
        assert "EVERYWHERE" in c.text
        await c.press("escape")
        assert "L2 Alarms" in c.text
        await c.press("escape")
        assert "L1 Overview" in c.text
        await c.press("enter")
        assert "L2 Alarms" in c.text


async def test_what_is_drawn_is_what_the_view_says(agent):
    async with console(agent) as c:
        c.app.draw()
        lines = c.app.query_one(Lines)
        strips = [lines.render_line(y).text for y in range(24)]
        assert strips == ["".join(span.text for span in row) for row in c.app.picture()]


async def test_a_new_screen_asks_for_its_own_points(agent):
    async with console(agent) as c:
        await c.press("5")
        await c.until(lambda: len(agent.selections) == 2)
        assert "ups-*/battery/charge" in agent.selections[0]
        assert agent.selections[1] == "dc1/*"


async def test_the_cursor_moves_and_keeps_its_alarm(agent):
    async with console(agent) as c:
        await c.press("5", "j", "j")
        assert c.app.ui.cursor == "ups_on_battery@ups-b/mode"
        await agent.push(Event(kind="delta", seq=2, alarms=[hall.leak(occurrence=9)]))
        await c.until(lambda: c.app.state.alarms[LEAK].occurrence == 9)
        assert c.app.ui.cursor == "ups_on_battery@ups-b/mode"
        await c.press("G")
        assert c.app.ui.cursor.startswith("filter_dp_high@")
        await c.press("g")
        assert c.app.ui.cursor == LEAK
        await c.press("ctrl+d", "ctrl+u", "k", "down", "up")
        assert c.app.ui.cursor == LEAK


async def test_a_new_alarm_on_top_does_not_slip_under_the_cursor(agent):
    async with console(agent) as c:
        await c.press("5")
        new = hall.alarm("smoke", "env-1/smoke", "smoke detected", 1, AlarmState.UNACK, 0)
        await agent.push(Event(kind="delta", seq=2, alarms=[new]))
        await c.until(lambda: new.id in c.app.state.alarms)
        await c.press("a", *"seen", "enter")
        await c.until(lambda: posts(agent) != [])
        assert LEAK in posts(agent)[0][0]


async def test_filter_hides_and_escape_drops_it(agent):
    async with console(agent) as c:
        await c.press("5", "slash", *"supply", "enter")
        assert "coolant supply too warm" in c.text
        assert "UPS on battery" not in c.text
        assert "5 hidden" in c.text
        await c.press("escape")
        assert "UPS on battery" in c.text


async def test_commands(agent):
    async with console(agent) as c:
        await c.press("colon", *"alarms", "enter")
        assert "L2 Alarms" in c.text
        await c.press("colon", *"nonsense", "enter")
        assert "no command nonsense" in c.text
        await c.press("colon", "q", "enter")
        await c.until(lambda: not c.app.is_running, "quit")


async def test_one_interrupt_warns_and_a_second_one_soon_after_quits(agent):
    async with console(agent) as c:
        await c.press("ctrl+c")
        assert "ctrl+c once more to quit" in c.text
        c.clock.advance(3)
        await c.press("ctrl+c")
        assert c.app.is_running
        await c.press("ctrl+c")
        await c.until(lambda: not c.app.is_running, "quit")


async def test_full_width_keys_of_an_input_method_work(agent):
    async with console(agent) as c:
        c.app.press("fullwidth_digit_five", "５")  # noqa: RUF001
        assert "L2 Alarms" in c.text
        c.app.press("fullwidth_question_mark", "？")  # noqa: RUF001
        assert "EVERYWHERE" in c.text


async def test_pause_holds_the_picture_but_never_the_connection(agent):
    async with console(agent) as c:
        await c.press("p")
        delta = Event(kind="delta", seq=2, points=[hall.point("dc1/wue", 9.99)])
        await agent.push(delta)
        await c.until(lambda: c.app.state.points["dc1/wue"].value == 9.99)
        assert "PAUSED" in c.text
        assert "9.99" not in c.text
        await agent.kill()
        await c.until(lambda: c.app.state.link is Link.LOST)
        assert "NO CONNECTION" in c.text
        await c.press("p")
        assert "PAUSED" not in c.text
        await agent.start()


async def test_counters_and_new_alarms_are_never_paused(agent):
    async with console(agent) as c:
        await c.press("p")
        new = hall.alarm("smoke", "env-1/smoke", "smoke detected", 1, AlarmState.UNACK, 0)
        await agent.push(Event(kind="delta", seq=2, alarms=[new]))
        await c.until(lambda: new.id in c.app.state.alarms)
        assert "PAUSED" in c.text
        assert "smoke detected" in c.text
        assert "[1!]2" in c.text
        assert "6 alarms" in c.text


async def test_a_held_list_says_what_is_new_since(agent):
    async with console(agent) as c:
        await c.press("5", "p")
        new = hall.alarm("smoke", "env-1/smoke", "smoke detected", 1, AlarmState.UNACK, 0)
        await agent.push(Event(kind="delta", seq=2, alarms=[new]))
        await c.until(lambda: new.id in c.app.state.alarms)
        assert "smoke detected" not in c.text
        assert "[1!]2" in c.text
        assert "1 new since the pause: p" in c.text
        await c.press("p")
        assert "smoke detected" in c.text
        assert "since the pause" not in c.text


async def test_an_empty_held_list_is_not_called_empty_now(agent):
    agent.snapshot = Event(kind="snapshot", seq=1, status=hall.status())
    async with console(agent) as c:
        await c.press("5", "p")
        await agent.push(Event(kind="delta", seq=2, alarms=[hall.leak()]))
        await c.until(lambda: c.app.state.alarms != {})
        assert "no active alarm" not in c.text
        assert "no alarm when the pause began" in c.text


async def test_another_screen_is_not_paused(agent):
    async with console(agent) as c:
        await c.press("5", "p", "question_mark", "escape")
        assert "PAUSED" in c.text
        await c.press("1")
        assert "no longer paused" in c.text
        assert "PAUSED" not in c.text
        await c.until(lambda: "62.0 %" in c.text, "values of the new screen")


async def test_pause_ends_by_itself(agent):
    async with console(agent) as c:
        await c.press("p")
        c.clock.advance(301)
        await c.until(lambda: c.app.ui.paused_at is None, "end of the pause")


async def test_local_time(agent):
    async with console(agent) as c:
        await c.press("z")
        assert "05:14:05" in c.text
        await c.press("z")
        assert "21:14:05Z" in c.text


# --- alarms


async def test_a_new_alarm_is_shown_at_once(agent):
    async with console(agent) as c:
        new = hall.alarm("smoke", "env-1/smoke", "smoke detected", 1, AlarmState.UNACK, 0)
        await agent.push(Event(kind="delta", seq=2, alarms=[new]))
        await c.until(lambda: new.id in c.app.state.alarms)
        drawn = "\n".join(c.app.query_one(Lines).render_line(y).text for y in range(24))
        assert "smoke detected" in drawn
        over = new.model_copy(update={"state": AlarmState.NORM})
        await agent.push(Event(kind="delta", seq=3, alarms=[over]))
        await c.until(lambda: new.id not in c.app.state.alarms)


async def test_the_bell_rings_once_for_each_new_critical_alarm(agent):
    bells = []

    class Ringing(ConsoleApp):
        def bell(self) -> None:
            bells.append(self.state.alarms.keys())

    client = Client(agent.url, "wrong")
    app = Ringing(client, ManualClock(hall.NOW), environ=COLOURS)
    async with client, app.run_test() as pilot:
        for item in (hall.snapshot(), hall.snapshot()):
            app._take(item)
        assert len(bells) == 1
        again = hall.leak(occurrence=3)
        app._take(Event(kind="delta", seq=2, alarms=[again]))
        assert len(bells) == 2
        await pilot.press("m")
        assert app.ui.muted
        app._take(Event(kind="delta", seq=3, alarms=[hall.leak(occurrence=4)]))
        assert len(bells) == 2


async def test_acknowledging_sends_the_occurrence_on_the_screen_and_a_comment(agent):
    async with console(agent) as c:
        await c.press("5", "a", *"ok", "enter")
        assert posts(agent) == []  # two characters are no comment
        await c.press(*"ay now", "enter")
        await c.until(lambda: posts(agent) != [])
        assert posts(agent) == [
            (f"/v1/alarms/{LEAK}/ack", {"occurrence": 2, "comment": "okay now"})
        ]
        await c.until(lambda: "accepted: acknowledge" in c.text, "the answer")


async def test_the_occurrence_is_the_one_seen_when_the_dialog_opened(agent):
    async with console(agent) as c:
        await c.press("5", "a")
        later = hall.leak(occurrence=3)
        await agent.push(Event(kind="delta", seq=2, alarms=[later]))
        await c.until(lambda: c.app.state.alarms[LEAK].occurrence == 3)
        agent.answer = (409, ActionOut(result="returned", detail="that occurrence is over"))
        await c.press(*"seen", "enter")
        await c.until(lambda: "returned meanwhile" in c.text, "the answer")
        assert posts(agent)[0][1]["occurrence"] == 2


async def test_somebody_was_faster(agent):
    async with console(agent) as c:
        taken = hall.leak(occurrence=2, ack_by="chen")
        agent.answer = (200, ActionOut(result="already", alarm=taken))
        await c.press("5", "a", *"mine", "enter")
        await c.until(lambda: "already done by chen" in c.text, "the answer")


async def test_escape_leaves_the_dialog_without_a_word_to_the_agent(agent):
    async with console(agent) as c:
        await c.press("5", "a", *"never mind", "escape", "j", "s", "escape")
        assert posts(agent) == []
        assert "L2 Alarms" in c.text


async def test_shelving_needs_time_and_reason(agent):
    async with console(agent) as c:
        await c.press("5", "j", "s", "end", "backspace", "backspace", *"9h", "enter")
        assert posts(agent) == []
        await c.press("backspace", "backspace", *"30m", "tab", *"known, WO-118", "enter")
        await c.until(lambda: posts(agent) != [])
        path, body = posts(agent)[0]
        assert path.endswith("temperature.supply/shelve")
        assert body == {"occurrence": 1, "duration_s": 1800, "reason": "known, WO-118"}


async def test_reset_and_unshelve(agent):
    async with console(agent) as c:
        await c.press("5", "j", "j", "r", "enter")
        await c.until(lambda: len(posts(agent)) == 1)
        await c.press("G", "s", "enter")
        await c.until(lambda: len(posts(agent)) == 2)
        assert [path.rpartition("/")[2] for path, _ in posts(agent)] == ["reset", "unshelve"]


async def test_a_viewer_is_told_why_not(agent):
    agent.snapshot = hall.snapshot(role="viewer")
    async with console(agent) as c:
        for key, verb in (("a", "acknowledge"), ("s", "shelve"), ("r", "reset")):
            await c.press("5", key)
            assert f"liw is a viewer and may not {verb}" in c.text
        assert len(c.app.screen_stack) == 1


async def test_a_read_only_console_answers_nothing(agent):
    async with console(agent, read_only=True) as c:
        await c.press("5", "a")
        assert "read-only" in c.text
        assert len(c.app.screen_stack) == 1


# --- the agent goes and comes


async def test_connection_lost_and_found_again(agent):
    async with console(agent) as c:
        await agent.kill()
        await c.until(lambda: c.app.state.link is Link.LOST, "loss noticed")
        assert "NO CONNECTION since 21:14:05Z, data frozen" in c.text
        assert "[1!]?" in c.text
        c.clock.advance(10)
        assert "62.0* %" in c.text
        await c.press("5", "a")
        assert "no connection: to acknowledge now would answer an unknown state" in c.text
        assert len(c.app.screen_stack) == 1
        new = hall.alarm("smoke", "env-1/smoke", "smoke detected", 1, AlarmState.UNACK, 3)
        agent.snapshot = hall.snapshot(now=hall.NOW + 10)
        agent.snapshot.alarms = [*agent.snapshot.alarms[1:], new]
        await agent.start()
        await c.until(lambda: c.app.state.link is Link.UP, "reconnect")
        assert "connected again after 10 s, 1 new: env-1/smoke smoke detected" in c.text
        assert LEAK not in c.app.state.alarms
        await c.press("1")
        await c.until(lambda: "62.0 %" in c.text, "fresh values")
        assert posts(agent) == []


async def test_nothing_is_sent_when_the_agent_goes_while_a_dialog_is_open(agent):
    async with console(agent) as c:
        await c.press("5", "a", *"valve shut")
        await agent.kill()
        await c.until(lambda: c.app.state.link is Link.LOST)
        await c.press("enter")
        await c.until(lambda: "nothing was sent" in c.text, "the refusal")
        await agent.start()
        await c.until(lambda: c.app.state.link is Link.UP)
        assert posts(agent) == []


async def test_a_first_start_without_an_agent(agent):
    await agent.kill()
    async with console(agent, wait=False) as c:
        await c.until(lambda: c.app.state.error != "", "an error")
        assert "no data" in c.text
        assert "NO CONNECTION" in c.text
        await agent.start()
        await c.until(lambda: c.app.state.link is Link.UP, "the first snapshot")
        assert "62.0 %" in c.text


async def test_a_refused_token_is_said(agent):
    async with console(agent, wait=False, token="wrong") as c:
        await c.until(lambda: "unauthorised" in c.text, "the refusal")


async def test_news_that_comes_while_it_closes_is_not_drawn(agent):
    async with console(agent) as c:
        pass
    c.app._take(ClientError(ErrorKind.NO_CONNECTION, "gone"))
    assert c.app.screen_stack == []


async def test_resync_opens_a_new_stream(agent):
    async with console(agent) as c:
        await agent.push(Event(kind="resync", seq=5))
        await c.until(lambda: len(agent.selections) == 2, "a new stream")
        assert c.app.state.link is Link.UP


async def test_a_device_identified_later_gets_its_line(agent):
    known = agent.site.devices
    agent.site.devices = [*known[2:], DeviceOut(id="ups-a")]
    async with console(agent) as c:
        assert "ups-a load" not in c.text
        agent.site.devices = known
        c.clock.advance(5)
        await c.until(lambda: "ups-a load" in c.text, "the new line")
        await c.until(lambda: len(agent.selections) == 2, "its points")


async def test_the_last_hour_is_drawn_on_a_wide_terminal(agent):
    async with console(agent, (120, 40)) as c:
        await c.until(lambda: "___--^^^" in c.text, "a trend")


# --- sizes, cost, endurance


async def test_resizing_to_anything(agent):
    async with console(agent) as c:
        for size in [(200, 60), (80, 24), (79, 24), (20, 5), (120, 40), (80, 23), (80, 24)]:
            await c.pilot.resize_terminal(*size)
            c.app.draw()
            rows = c.app.query_one(Lines).rows
            assert len(rows) == size[1]
        assert "L1 Overview" in c.text


async def test_only_changed_rows_are_repainted(agent):
    async with console(agent) as c:
        c.app.draw()
        lines = c.app.query_one(Lines)
        before = lines.repainted
        c.app.draw()
        assert lines.repainted == before
        await agent.push(Event(kind="delta", seq=2, points=[hall.point("dc1/wue", 0.55)]))
        await c.until(lambda: c.app.state.points["dc1/wue"].value == 0.55)
        c.app.draw()
        assert lines.repainted <= before + 6  # WUE, and marks that turned over meanwhile


@pytest.mark.parametrize("seed", range(3))
async def test_random_keys_never_break_it(agent, seed):
    chance = random.Random(seed)
    bound = [key for entry in keys.KEYS for key in entry.keys if key != "ctrl+c"]
    typed = [*bound, "tab", "shift+tab", "backspace", "delete", "left", "x", "9", "f1", "ctrl+p"]
    sizes = [(80, 24), (120, 40), (200, 60), (40, 10)]
    async with console(agent) as c:
        for number in range(500):
            c.app.simulate_key(chance.choice(typed))
            if number % 8 == 0:  # some keys come before the last one has been answered
                await c.pilot.pause()
            if number % 50 == 0:
                await c.pilot.resize_terminal(*chance.choice(sizes))
            if number % 100 == 50:
                await agent.push(Event(kind="delta", seq=number, alarms=hall.alarms()[:3]))
        await c.press("escape", "escape", "1")  # behind all that is still waiting
        assert c.app.is_running
        assert "L1 Overview" in c.text or "too small" in c.text


# --- the table of keys


def test_no_key_means_two_things_in_one_place():
    for place in (Place.OVERVIEW, Place.ALARMS, Place.HELP):
        bound = [k for e in keys.KEYS if e.place in (Place.ANY, place) for k in e.keys]
        assert len(bound) == len(set(bound))


def test_every_key_and_command_does_something_and_help_names_it():
    named = {name for place in Place for name, _ in keys.help_lines(place)}
    for entry in keys.KEYS:
        assert callable(getattr(ConsoleApp, f"do_{entry.action}"))
        assert " ".join(entry.keys) in named
    for action in keys.COMMANDS.values():
        assert callable(getattr(ConsoleApp, f"do_{action}"))


def test_keys_of_screens_that_do_not_exist_are_unbound():
    assert {keys.action_for(key, key, place) for key in "234678" for place in Place} == {None}
