"""How values, their quality, bars and trends stand on the screen."""

import pytest

from dcim.model.reading import rfc3339
from dcim.model.wire import PointOut, TrendBucket, TrendOut
from tests.tui import hall
from tui.state import Link, State
from tui.view.value import Scale, bar, label, shown, trend


def live() -> State:
    state = State(site=hall.site())
    state.apply(hall.snapshot(), hall.NOW)
    return state


@pytest.mark.parametrize(
    ("quality", "value", "text", "role", "age"),
    [
        ("good", 47.5, "47.5", "value", ""),
        ("uncertain", 47.5, "~47.5", "value", ""),
        ("stale", 47.5, "47.5*", "stale", "4 min"),
        ("bad", 47.5, "?", "bad", ""),
        ("bad", None, "?", "bad", ""),
        ("stale", None, "no data", "stale", ""),
        ("a quality of tomorrow", 47.5, "~47.5", "value", ""),
    ],
)
def test_quality_is_seen_without_colour(quality, value, text, role, age):
    point = hall.point("cdu-1/loop/secondary/temperature.supply", value, None, quality, None, 240)
    got = shown(point, live(), hall.NOW)
    assert (got.text, got.role, got.age) == (text, role, age)


def test_a_stale_or_bad_value_has_no_pointer():
    for quality in ("stale", "bad"):
        point = hall.point("ups-a/output/load", 62.0, quality=quality)
        assert shown(point, live(), hall.NOW).number is None


def test_a_point_nobody_has_heard_of_is_no_data():
    assert shown(None, live(), hall.NOW).text == "no data"


@pytest.mark.parametrize(
    ("metric", "unit", "value", "text", "shown_unit"),
    [
        ("power.active", "W", 118_240.0, "118.2", "kW"),
        ("power.active", "W", 1_842_400.0, "1842", "kW"),
        ("power.apparent", "VA", 950.0, "0.9", "kVA"),
        ("temperature", "degC", 21.84, "21.8", "C"),
        ("flow", "l/min", 412.04, "412.0", "L/min"),
        ("pue", "1", 1.1849, "1.18", ""),
        ("runtime", "s", 1080.0, "18", "min"),
        ("runtime", "s", 90.0, "90", "s"),
        ("runtime", "s", 10_800.0, "3.0", "h"),
        ("charge", "%", 97.4, "97", "%"),
        ("x.own", "furlong", 2.0, "2.0", "furlong"),
    ],
)
def test_units_and_digits(metric, unit, value, text, shown_unit):
    point = PointOut(point=f"a/{metric}", value=value, unit=unit, ts=rfc3339(hall.NOW))
    got = shown(point, live(), hall.NOW)
    assert (got.text, got.unit) == (text, shown_unit)


def test_when_the_agent_is_silent_everything_ages_into_stale():
    state = live()
    point = hall.point("ups-a/output/load", 62.0)
    state.lose("gone", hall.NOW + 1)
    assert shown(point, state, hall.NOW + 4).text == "62.0"
    assert shown(point, state, hall.NOW + 6).text == "62.0*"
    assert shown(point, state, hall.NOW + 600).age == "10 min"


def test_ages_follow_the_agents_clock():
    state = State()
    state.apply(hall.snapshot(now=hall.NOW + 100), hall.NOW)
    assert state.age_s(rfc3339(hall.NOW + 90), hall.NOW) == pytest.approx(10, abs=0.01)


def test_states_are_words_and_loud_ones_capitals():
    assert label("on_battery") == "ON BATTERY"
    assert label("end_of_life") == "end of life"


@pytest.mark.parametrize(
    ("number", "text", "pointer"),
    [
        (None, "[..====..]", None),
        (0, "[^.====..]", 1),
        (50, "[..==^=..]", 5),
        (100, "[..====.^]", 8),
        (-5, "[^.====..]", 1),
        (250, "[..====.^]", 8),
    ],
)
def test_bar_shows_range_band_and_value(number, text, pointer):
    assert bar(10, number, Scale(0, 100, 25, 75)) == (text, pointer)


def test_a_bar_without_room_is_blank():
    assert bar(5, 50.0, Scale(0, 100, 25, 75)) == ("     ", None)


def test_trend_has_thirds_and_gaps():
    means = [1.0, 2.0, None, 3.0, 3.0]
    buckets = [TrendBucket(ts=rfc3339(hall.NOW), mean=mean) for mean in means]
    out = TrendOut(point="a/b", unit="1", step_s=60, buckets=buckets)
    assert trend(out, 8) == "   _- ^^"
    assert trend(None, 4) == "    "


def test_before_the_first_answer_nothing_is_silent_but_empty():
    state = State()
    assert state.link is Link.NEVER
    assert state.points == {}
