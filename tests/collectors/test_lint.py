"""Readings of one device that cannot all be right."""

import pytest

from collectors.lint import judged, lint, went_back
from dcim.model.reading import Quality, Reading


def device(**values: float) -> list[Reading]:
    """Readings by address within the device."""
    return [Reading(f"d/{point}", value, 1.0) for point, value in values.items()]


def points(**values: float) -> set[str]:
    return {point.removeprefix("d/") for point in lint(device(**values))}


OUTLET = {"outlet/1/voltage": 230.0, "outlet/1/current": 4.0}


@pytest.mark.parametrize("watts", [920, 850, 300, 2700])
def test_power_that_fits_volts_and_amps_is_left_alone(watts):
    assert points(**OUTLET, **{"outlet/1/power.active": watts}) == set()


@pytest.mark.parametrize("watts", [9200, 85])
def test_a_wrong_factor_of_ten_is_found(watts):
    assert points(**OUTLET, **{"outlet/1/power.active": watts}) == {
        "outlet/1/current",
        "outlet/1/power.active",
    }


@pytest.mark.parametrize("amps", [40.0, 0.4, 0.004])
def test_a_current_in_the_wrong_unit_is_found(amps):
    phase = {"input/L1/voltage": 230.0, "input/L1/current": amps, "input/L1/power.active": 874.0}
    assert points(**phase) == {"input/L1/current", "input/L1/power.active"}


def test_whole_amperes_may_have_been_rounded():
    load = {"output/voltage": 230.0, "output/current": 0.0, "output/power.active": 190.0}
    assert points(**load) == set()


@pytest.mark.parametrize(
    ("point", "value"),
    [("output/L1/voltage", 2300.0), ("power_factor", 98.0), ("probe/1/temperature", 253.0)],
)
def test_what_no_such_thing_can_be_is_found(point, value):
    assert points(**{point: value}) == {point}
    assert points(**{point: value / 100}) == set()
    assert points(**{"exhaust/temperature": 420.0, "L1/voltage": 11500.0}) == set()


def test_loads_near_nothing_say_nothing():
    little = {"outlet/1/voltage": 230.0, "outlet/1/current": 0.1, "outlet/1/power.active": 0.0}
    assert points(**little) == set()


def test_a_power_of_nought_under_load_is_not_measured():
    found = lint(device(**OUTLET, **{"outlet/1/power.active": 0.0}))
    assert set(found) == {"d/outlet/1/power.active"}
    assert "not measured" in found["d/outlet/1/power.active"]


def test_active_power_is_not_more_than_apparent():
    assert points(**{"power.active": 1500, "power.apparent": 1000}) == {
        "power.active",
        "power.apparent",
    }


def test_apparent_power_may_be_signed_by_direction():
    assert points(**{"power.active": -900.0, "power.apparent": -1000.0}) == set()


def test_a_power_factor_must_fit_watts_and_volt_amperes():
    powers = {"power.active": 500.0, "power.apparent": 1000.0}
    assert points(**powers, power_factor=0.5) == set()
    assert points(**powers, power_factor=0.98) == {"power_factor"}


def test_phases_must_add_up():
    phases = {f"input/L{n}/power.active": 1000.0 for n in (1, 2, 3)}
    assert points(**phases, **{"power.active": 3050.0}) == set()
    assert points(**phases, **{"power.active": 300.0}) == {*phases, "power.active"}


@pytest.mark.parametrize(("hertz", "right"), [(50, 1), (60.1, 1), (400, 1), (5, 0), (499, 0)])
def test_mains_has_a_mains_frequency(hertz, right):
    assert (points(**{"input/frequency": hertz}) == set()) is bool(right)
    assert points(**{"blower/1/frequency": hertz}) == set()


def test_a_share_is_within_a_hundred():
    assert points(**{"battery/charge": 974}) == {"battery/charge"}


def test_what_contradicts_is_uncertain_and_bad_stays_bad():
    good = Reading("d/load", 1.0, 1.0)
    bad = good._replace(quality=Quality.BAD, reason="sentinel")
    found = {"d/load": "why"}
    assert judged(good, found)[3:5] == (Quality.UNCERTAIN, "why")
    assert judged(bad, found) == bad
    assert judged(good, {}) == good


def test_a_counter_that_goes_back_is_uncertain_once():
    reading = Reading("d/energy.active", 5.0, 1.0)
    assert went_back(reading, None) == reading
    assert went_back(reading, 5.0) == reading
    assert went_back(reading, 9.0).quality is Quality.UNCERTAIN
