"""A/B failover of a rack: the vectors and states of POWER section 2."""

import pytest

from rules.power import failover


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        ([11.0], [12.0], "ok"),
        ([13.5], [14.0], "failover_risk"),
        ([9.8, 12.6, 11.1], [10.4, 13.5, 10.9], "failover_risk"),
        ([9.8, 12.0, 11.1], [10.4, 13.5, 10.9], "ok"),
        ([0.1], [12.0], "single_fed"),
        ([0.0, 0.0, 0.0], [12.0, 11.0, 0.0], "single_fed"),
        ([0.0], [0.0], "ok"),
        ([0.2], [12.0], "ok"),
        ([26.0], [1.0], "overload"),
        ([0.0], [26.0], "overload"),
        ([None], [12.0], "unknown"),
        ([11.0, None, 3.0], [26.0, 12.0, 3.0], "unknown"),
        ([], [], "unknown"),
    ],
)
def test_states_on_a_32_a_breaker(a, b, state):
    assert failover(a, b, 32, 32, 0.8) == state


def test_without_a_rating_nothing_is_known():
    assert failover([11.0], [12.0], None, 32, 0.8) == "unknown"


def test_the_smaller_breaker_decides():
    assert failover([11.0], [12.0], 32, 25, 0.8) == "failover_risk"
