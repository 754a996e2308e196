"""Heat and moist air: the vectors of THERMAL sections 2, 3 and 4."""

import pytest

from rules.fluid import FLUIDS, heat_uncertainty, heat_w
from rules.psychro import dew_point_c, humidity_at


@pytest.mark.parametrize(
    ("flow_lpm", "supply_c", "return_c", "water_kw", "pg25_kw"),
    [
        (150, 30, 40, 104.025, 100.390),
        (600, 32, 42, 415.830, 401.667),
        (100, 25, 33, 55.570, 53.466),
        (150, 30, 30, 0, 0),
        (150, 40, 30, -103.669, -99.898),
    ],
)
def test_heat_of_a_stream(flow_lpm, supply_c, return_c, water_kw, pg25_kw):
    for fluid, kilowatts in (("water", water_kw), ("pg25", pg25_kw)):
        found = heat_w(FLUIDS[fluid], flow_lpm, supply_c, return_c) / 1000
        assert found == pytest.approx(kilowatts, abs=0.0005)


@pytest.mark.parametrize(
    ("fluid", "temperature_c", "density", "specific_heat"),
    [
        ("pg25", 20, 1019.32, 3.9204),
        ("pg25", 40, 1009.91, 3.9686),
        ("pg25", 60, 998.35, 4.0158),
        ("water", 30, 995.71, 4.1796),
        ("water", 50, 988.15, 4.1807),
    ],
)
def test_properties_agree_with_the_table(fluid, temperature_c, density, specific_heat):
    assert FLUIDS[fluid].density_at(temperature_c) == pytest.approx(density, abs=0.15)
    assert FLUIDS[fluid].heat_at(temperature_c) == pytest.approx(specific_heat, abs=0.0013)


@pytest.mark.parametrize(("difference_k", "percent"), [(10, 2.4), (5, 3.5), (3, 5.1)])
def test_uncertainty_grows_as_the_difference_shrinks(difference_k, percent):
    assert 100 * heat_uncertainty(difference_k) == pytest.approx(percent, abs=0.051)


@pytest.mark.parametrize(
    ("temperature_c", "humidity", "dew_c"),
    [
        (24, 50, 12.939),
        (27, 60, 18.575),
        (22, 45, 9.522),
        (32, 40, 16.718),
        (18, 30, 0.157),
        (35, 70, 28.709),
        (20, 100, 20.000),
        (20, 70, 14.362),
        (22, 20, -2.003),
        (18, 8, -16.819),
    ],
)
def test_dew_point(temperature_c, humidity, dew_c):
    assert dew_point_c(temperature_c, humidity) == pytest.approx(dew_c, abs=0.0005)


@pytest.mark.parametrize(("temperature_c", "humidity"), [(27, 47.822), (18, 82.631)])
def test_humidity_at_a_dew_point_of_15_degrees(temperature_c, humidity):
    assert humidity_at(temperature_c, 15) == pytest.approx(humidity, abs=0.0005)


def test_humidity_is_clamped():
    assert dew_point_c(20, 0) == dew_point_c(20, 0.5)
    assert dew_point_c(20, 103) == dew_point_c(20, 100)
