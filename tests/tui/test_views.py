"""The pictures: dumps as they should be, and what each state must show."""

from pathlib import Path

import pytest

from dcim.model.alarm import AlarmState
from dcim.model.reading import rfc3339
from dcim.model.wire import Event, RackOut
from tests.tui import hall
from tui.palette import palette
from tui.state import State
from tui.view import alarmlist, alarms, other, overview, plant
from tui.view.text import Row, plain, width
from tui.view.ui import Ui

SNAPSHOTS = Path(__file__).parent / "snapshots"
VIEWS = {"overview": overview.rows, "alarms": alarms.rows, "help": other.help_rows}
SIZES = [(80, 24), (120, 40), (200, 60)]


def live() -> State:
    state = State(site=hall.site())
    state.apply(hall.snapshot(), hall.NOW)
    return state


def ui(columns: int = 80, lines: int = 24, **more) -> Ui:
    return Ui(now=hall.NOW, columns=columns, lines=lines, **more)


def roles(rows: list[Row], text: str) -> set[str]:
    return {span.role for row in rows for span in row if text in span.text}


def line(text: str, part: str) -> str:
    return next(row for row in text.splitlines() if part in row)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ["overview", "alarms"])
def test_picture_is_as_it_was_looked_at(name, size):
    """To take a new picture: delete the file, run once, look at it."""
    file = SNAPSHOTS / f"{name}-{size[0]}x{size[1]}.txt"
    got = plain(VIEWS[name](live(), ui(*size)))
    if not file.exists():
        file.write_text(got)
        pytest.fail(f"new picture {file.name}: look at it")
    assert got == file.read_text()


@pytest.mark.parametrize("size", [*SIZES, (81, 25), (109, 30), (110, 24)])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("state", [live(), State(), State(site=hall.site())])
def test_every_row_fills_the_screen_exactly(view, size, state):
    rows = view(state, ui(*size))
    assert len(rows) == size[1]
    assert {width(row) for row in rows} == {size[0]}
    assert {span.role for row in rows for span in row} <= palette({}).roles


def test_without_an_agent_nothing_is_said_to_be_well():
    for view in (overview.rows, alarms.rows):
        text = plain(view(State(error="no connection: refused"), ui()))
        assert "no data" in text
        assert "no active alarm" not in text
        assert "[1!]?" in text
        assert "NO CONNECTION" in text


def test_a_lost_connection_freezes_counters_and_ages_values():
    state = live()
    state.lose("no connection: reset", hall.NOW + 2)
    later = ui()
    later.now = hall.NOW + 62
    text = plain(overview.rows(state, later))
    assert "NO CONNECTION since 21:14:07Z, data frozen" in text
    assert "[1!]? [2*]? [3+]?" in text
    assert "? alarms, ? not acknowledged" in text
    assert "62.0* %" in text
    assert "63 s old" in text
    assert "??" in line(text, "row-1")
    assert "55" not in line(text, "row-1")
    assert "fullest" not in text
    assert "2 of 2 rows unknown" in line(text, "feeds")
    assert "old" in line(text, "dew margin")


def test_no_value_of_a_lost_plant_is_drawn_as_fresh():
    state = live()
    state.lose("gone", hall.NOW)
    later = ui(120, 40)
    later.now = hall.NOW + 30
    look = plant.Plant(hall.site(), state, later.now)
    items = [*look.power(), *look.cooling()]
    assert items
    assert {item.shown.role for item in items} <= {"stale", "bad"}


@pytest.mark.parametrize(
    ("redundancy", "ready", "told"),
    [
        ("full", 6, "6/6 ready"),
        ("degraded", 5, "5/6 ready"),
        ("lost", 5, "5/6 NO SPARE"),
        ("lost", 4, "4/6 NO SPARE"),
        ("unknown", 5, "5/6 spare unknown"),
        (None, 6, "6/6 spare unknown"),
    ],
)
def test_modules_that_answer_each_are_counted_by_what_their_rack_says(redundancy, ready, told):
    state = live()
    rack = hall.site().racks[0].id
    own = [
        hall.point(f"{rack}/bbu/modules/count", 6),
        hall.point(f"{rack}/bbu/modules/ready/count", ready),
        hall.point(f"{rack}/bbu/redundancy", state=redundancy),
    ]
    state.points |= {point.point: point for point in own}
    state.points = {p: o for p, o in state.points.items() if not p.startswith("bbu-r01/module")}
    state.site = site = hall.site()
    site.devices = [  # the module answers for itself, the shelf does not speak
        device.model_copy(update={"place": rack} if device.kind == "bbu" else {})
        for device in site.devices
    ]
    assert told in line(plain(overview.rows(state, ui(120, 40))), "BBU worst")


@pytest.mark.parametrize("more", [{"state": "lost"}, {"state": None}, {"quality": "stale"}, None])
def test_a_shelf_whose_spare_is_lost_or_not_known_is_never_called_well(more):
    state = live()
    del state.points["bbu-r01/modules/redundancy"]
    if more is not None:
        said = hall.point("bbu-r01/modules/redundancy", **{"state": "full", **more})
        state.points[said.point] = said
    look = plant.Plant(hall.site(), state, hall.NOW)
    item = next(item for item in look.power() if item.name == "BBU worst")
    lost = more is not None and more.get("state", "full") == "lost"
    for text in (item.tail, *item.brief):
        assert ("NO SPARE" if lost else "spare") in text
        assert "ok" not in text
        assert "ready" not in text


def test_an_empty_list_is_called_empty_only_while_connected():
    state = State(site=hall.site())
    state.apply(Event(kind="snapshot", seq=1, status=hall.status()), hall.NOW)
    assert "no active alarm" in plain(overview.rows(state, ui()))
    state.lose("gone", hall.NOW)
    assert "no active alarm" not in plain(overview.rows(state, ui()))


def test_pue_is_absent_with_its_reason():
    text = plain(overview.rows(live(), ui(120, 40)))
    assert "? coverage below 95 %" in line(text, "PUE 15 min")


def test_totals_state_their_coverage():
    assert "(15/16 racks)" in line(plain(overview.rows(live(), ui())), "IT load")


def test_an_alarm_marks_panel_and_rack():
    rows = overview.rows(live(), ui())
    text = plain(rows)
    assert "2*cdu-2 sup" in text
    assert "1!leak sensors" in text
    assert "98+" in line(text, "row-1")
    assert "p3" in roles(rows, "98+")


def test_an_unacknowledged_mark_turns_over_and_no_other_cell():
    still, turned = overview.rows(live(), ui()), overview.rows(live(), ui(flash=True))
    changed = {
        (a.text, b.role)
        for old, new in zip(still, turned, strict=True)
        for a, b in zip(old, new, strict=True)
        if a != b
    }
    assert ("1!", "p1.turned") in changed
    assert {text for text, _ in changed} <= {"1!", "3+", "98+", "[3+]"}
    assert plain(still) == plain(turned)


@pytest.mark.parametrize(
    ("state", "more", "shown", "mark"),
    [
        (AlarmState.UNACK, {}, "UNACK", " 1! "),
        (AlarmState.ACKED, {"ack_by": "liw"}, "ack liw", " 1! "),
        (AlarmState.RTN_UNACK, {}, "RTN-UNACK", "[1!]"),
        (AlarmState.LATCH_UNACK, {}, "LATCH-UNACK", " 1! "),
        (AlarmState.LATCH_ACKED, {"ack_by": "liw"}, "LATCHED", " 1! "),
        (AlarmState.UNACK, {"shelved_until": rfc3339(hall.NOW + 60)}, "SHELVED", " S! "),
    ],
)
def test_states_of_an_alarm(state, more, shown, mark):
    alarm = hall.leak(state=state, **more)
    assert alarmlist.state_text(alarm) == shown
    assert "".join(span.text for span in alarmlist.mark(alarm, False)) == mark


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"value": 47.5, "limit": 45.0, "condition": "t >= 45 for 120 s"}, "47.5 >= 45.0 C"),
        ({"value": 11.0, "limit": 12.0, "condition": "t < 12"}, "11.0 < 12.0 C"),
        ({"value": 47.5}, "47.5 C"),
        ({"value": 47.5, "quality": "uncertain"}, "~47.5 C"),
        ({"value": 47.5, "quality": "stale"}, "47.5* C"),
        ({"value": None, "quality": "bad"}, "?"),
        ({"value": None}, ""),
        ({"reason": "timeout: no answer within 2.6 s"}, "timeout"),
        ({"state": AlarmState.RTN_UNACK, "reason": "timeout: no answer"}, "was timeout"),
        ({"value_state": "on_battery"}, "ON BATTERY"),
        ({"state": AlarmState.ACKED, "value_state": "wet"}, "WET"),
        ({"state": AlarmState.LATCH_UNACK, "value_state": "wet"}, "was WET"),
        ({"state": AlarmState.LATCH_ACKED, "value_state": "wet"}, "was WET"),
        (
            {"state": AlarmState.LATCH_ACKED, "value_state": "dry", "raised_state": "wet"},
            "was WET",
        ),
        (
            {"state": AlarmState.RTN_UNACK, "value": 40.0, "raised_value": 47.5, "limit": 45.0},
            "was 47.5 C",
        ),
        ({"state": AlarmState.RTN_UNACK, "value": 47.5}, "was 47.5 C"),
        ({"state": AlarmState.RTN_UNACK}, "over"),
    ],
)
def test_value_against_limit(more, shown):
    state = more.pop("state", AlarmState.UNACK)
    alarm = hall.alarm("r", "cdu-1/temperature", "hot", 2, state, 10, unit="degC", **more)
    assert alarmlist.against(alarm) == shown


def test_the_list_is_sorted_by_priority_then_newest_shelved_last():
    order = [entry.alarm.rule for entry in alarmlist.entries(live())]
    assert order == [
        "leak",
        "coolant_supply_high",
        "ups_on_battery",
        "rack_over_limit",
        "no_data",
        "filter_dp_high",
    ]


def test_consequences_are_folded_with_a_count_and_unfold():
    cause = "coolant_supply_high@cdu-2/loop/secondary/temperature.supply"
    text = plain(alarms.rows(live(), ui(120, 40)))
    assert "(+1)" in line(text, "coolant supply too warm")
    assert "flow low" not in text
    text = plain(alarms.rows(live(), ui(120, 40, unfolded={cause})))
    assert "(+1)" not in text
    assert "> rack-r07" in line(text, "flow low")


def test_a_consequence_without_its_cause_in_the_list_still_shows():
    state = live()
    del state.alarms["coolant_supply_high@cdu-2/loop/secondary/temperature.supply"]
    assert "SUPPRESSED" in plain(alarms.rows(state, ui()))


@pytest.mark.parametrize(
    ("wanted", "rules"),
    [
        ("LEAK", {"leak"}),
        ("row-2", {"no_data"}),
        ("!hall-1", set()),
        ("shelved", {"filter_dp_high"}),
        ("chen", {"ups_on_battery"}),
    ],
)
def test_filter(wanted, rules):
    assert {e.alarm.rule for e in alarmlist.entries(live(), (), wanted)} == rules


def test_detail_says_what_to_do():
    text = plain(alarms.detail(hall.leak(), live(), ui(120, 40)))
    assert "dc1 > hall-1 > row-1 > leak-row1" in text
    for name in ("action", "cause", "consequence", "condition", "runbook", "raised"):
        assert f"  {name} " in text


def test_an_alarm_that_is_over_says_what_was_and_since_when():
    state = live()
    over = hall.leak(state=AlarmState.LATCH_ACKED, cleared_at=rfc3339(hall.NOW - 2), ack_by="liw")
    state.alarms = {over.id: over}
    for view in (overview.rows, alarms.rows):
        assert "was WET, over 21:14:03Z" in plain(view(state, ui(120, 40)))
        narrow = plain(view(state, ui()))
        assert "was WET" in line(narrow, "LATCHED")
    text = plain(alarms.detail(over, state, ui()))
    said = "was WET; over since 21:14:03Z after 5 s, latched until reset, acknowledged"
    assert said in " ".join(text.split())


def test_help_explains_every_sign_on_a_small_screen():
    text = plain(other.help_rows(live(), ui()))
    for sign in other.SIGNS:
        assert sign in text


def test_feeds_are_counted_by_rack():
    state = live()
    racks = [hall.point(f"{rack.id}/feed.failover", state="ok") for rack in hall.site().racks]
    row = hall.point("row-2/feed.failover", state="ok")
    state.points |= {point.point: point for point in [*racks, row]}
    assert "A or B carries all 16 racks" in plain(overview.rows(state, ui()))
    state.points[row.point] = hall.point(row.point, state="failover_risk")
    assert "row-2 FAILOVER RISK" in plain(overview.rows(state, ui()))
    state.points[racks[3].point] = hall.point(racks[3].point, state="unknown")
    state.points[row.point] = row
    assert "1 of 16 racks unknown" in plain(overview.rows(state, ui()))


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((80, 24), "1.16 36 % covered"),
        ((120, 40), "1.16 36 % covered"),
        ((200, 60), "partial: 36%"),
    ],
)
def test_a_pue_shows_its_category_and_as_much_of_its_reason_as_fits(size, shown):
    state = live()
    window = hall.point(
        "dc1/pue.window", 1.16, None, "uncertain", "partial: 36% of the window covered"
    )
    window.category, window.coverage = 3, 0.36
    state.points[window.point] = window
    said = line(plain(overview.rows(state, ui(*size))), "PUE 15m cat3")
    assert shown in said
    state.points[window.point] = window.model_copy(
        update={"reason": "storage_active: 0.5 kW into batteries", "coverage": 1.0}
    )
    state.points["dc1/wue"].category = 3
    text = plain(overview.rows(state, ui(*size)))
    assert "storage active" in line(text, "PUE 15m cat3")
    assert "  WUE " in text


def test_names_and_values_never_touch():
    state = live()
    state.points = {p: v for p, v in state.points.items() if "leak" not in p}
    assert " leak sensors no data\n" in plain(overview.rows(state, ui()))
    big = hall.point("cdu-1/loop/secondary/temperature.supply", 12345.6)
    state.points[big.point] = big
    state.lose("gone", hall.NOW)
    later = ui()
    later.now = hall.NOW + 60
    assert "cdu-1 sup    12345.6* C" in plain(overview.rows(state, later))


def test_hostile_names_do_not_reach_the_terminal():
    state = live()
    evil = hall.leak(comment="\x1b]0;owned\x07", ack_by="\u202eliw")
    evil.title, evil.address = "\x1b[2J" + "x" * 10_000, "\x1b[31m/\x07leak"
    state.alarms = {evil.id: evil}
    assert state.site is not None
    state.site.devices[0].id = "ups\x1b[5m"
    state.site.racks.append(RackOut(id="r\x07", row="\x1b[7mrow", hall="h", position=99))
    for size in SIZES:
        for view in VIEWS.values():
            rows = view(state, ui(*size))
            assert {width(row) for row in rows} == {size[0]}
            assert all(span.text.isprintable() for row in rows for span in row)


def test_a_small_terminal_gets_the_alarms_as_text():
    text = plain(other.small(live(), ui(60, 10)))
    assert "too small, needs 80x24" in text
    assert "leak-row1 WET coolant leak detected" in text
    lost = live()
    lost.lose("gone", hall.NOW)
    assert "NO CONNECTION" in plain(other.small(lost, ui(60, 10)))


def test_many_racks_and_rows_still_fit():
    state = live()
    assert state.site is not None
    state.site.racks = [
        RackOut(id=f"r{row}-{n}", row=f"row-{row}", hall="h", position=n, limit_kw=100)
        for row in range(40)
        for n in range(1, 31)
    ]
    for size in SIZES:
        rows = overview.rows(state, ui(*size))
        assert {width(row) for row in rows} == {size[0]}
        assert "more rows" in plain(rows)


def test_selection_stays_small_however_large_the_site():
    site = hall.site()
    site.devices = [
        device.model_copy(update={"id": f"{device.kind}-{n:04}"})
        for device in site.devices
        for n in range(500)
    ]
    patterns = plant.selection(site)
    assert len(patterns) <= 64
    assert "rack-r*/power.limit_share" in patterns


def test_local_time_is_marked_by_the_missing_z():
    title = plain(overview.rows(live(), ui(local=True)))
    assert "05:14:05\n" in title


def test_another_clock_of_the_agent_is_told():
    state = State(site=hall.site())
    state.apply(hall.snapshot(now=hall.NOW + 9), hall.NOW)
    assert "agent's clock +9 s" in plain(overview.rows(state, ui(120, 40)))


def test_much_bad_data_is_in_the_title():
    state = live()
    assert state.status is not None
    state.status.points = {"good": 70, "bad": 20, "stale": 10}
    assert "BAD DATA 30 %" in plain(overview.rows(state, ui()))
