"""Integrals and counters: the vectors and rules of METRICS section 1."""

import pytest

from rules.ledger import (
    CounterFlag,
    CounterLedger,
    Ledger,
    RateLedger,
    counted,
    trapezoid,
    without,
)

KW = [(0, 500.0), (300, 520.0), (600, 540.0), (1500, 500.0)]


@pytest.mark.parametrize(("max_gap_s", "kwh"), [(900, 216.6667), (300, 86.6667)])
def test_trapezoid_with_uneven_steps(max_gap_s, kwh):
    assert trapezoid(KW, max_gap_s) / 3600 == pytest.approx(kwh, abs=0.00005)


def test_a_register_that_wraps():
    delta, flag = counted(4294967200, 150, 1e6, 2**32)
    assert delta * 0.1 == pytest.approx(24.6)
    assert flag is CounterFlag.WRAP


@pytest.mark.parametrize(
    ("before", "after", "most", "modulus", "result"),
    [
        (100, 120, 50, None, (20, "ok")),
        (100, 100, 50, None, (0, "ok")),
        (100, 200, 50, None, (0, "spike")),
        (100, 7, 50, None, (7, "reset")),
        (100, 7, 50, 2**16, (7, "reset")),
    ],
)
def test_counter_rules(before, after, most, modulus, result):
    assert counted(before, after, most, modulus) == result


def rate(*samples: tuple[float, float]) -> RateLedger:
    ledger = RateLedger(1 / 3600, Ledger(7200))
    for time, kilowatts in samples:
        ledger.add(time, kilowatts)
    return ledger


def test_a_rate_integrates_between_its_samples():
    ledger = rate((0, 100), (60, 200), (120, 200)).ledger
    assert ledger.grown(0, 120) == pytest.approx((150 + 200) / 60)
    assert ledger.grown(30, 60) == pytest.approx(150 / 120)
    assert ledger.holes(0, 120) == []


def test_a_gap_gives_nothing_and_is_a_hole():
    ledger = rate((0, 100), (10, 100), (1000, 100), (1010, 100)).ledger
    assert ledger.grown(0, 1010) == pytest.approx(20 * 100 / 3600)
    assert (10, 1000) in ledger.holes(0, 1010)


def test_the_first_sample_contributes_nothing():
    ledger = CounterLedger(1.0, Ledger(7200))
    ledger.add(100, 5_000_000, None)
    assert ledger.ledger.grown(0, 100) == 0
    assert (0, 100) in ledger.ledger.holes(0, 100)


def test_a_clock_that_steps_back_is_ignored():
    ledger = rate((0, 100), (10, 100), (5, 900), (20, 100)).ledger
    assert ledger.grown(0, 20) == pytest.approx(20 * 100 / 3600)


def counter(*samples: tuple[float, float], rating_per_s: float | None = None) -> CounterLedger:
    ledger = CounterLedger(1.0, Ledger(7200))
    for time, value in samples:
        ledger.add(time, value, rating_per_s)
    return ledger


def test_a_counter_knows_its_resolution():
    ledger = counter((0, 10), (1, 10), (2, 12), (3, 13), (4, 13))
    assert ledger.resolution == 1
    assert ledger.ledger.grown(0, 4) == 3


def test_a_coarse_step_is_no_spike():
    """1 kWh a step at 500 kW: the step comes within one second, but not every second."""
    samples = [(t, float(int(t * 500 / 3600))) for t in range(100)]
    ledger = counter(*samples, rating_per_s=500 / 3600)
    assert ledger.flags == {}
    assert ledger.ledger.grown(0, 99) == 13


def test_a_spike_counts_nothing_and_leaves_a_hole():
    ledger = counter((0, 10), (10, 11), (20, 12), (30, 9999), (40, 10000), rating_per_s=0.1)
    assert ledger.flags == {CounterFlag.SPIKE: 1}
    assert ledger.ledger.grown(0, 40) == pytest.approx(3)
    assert (20, 30) in ledger.ledger.holes(0, 40)


def test_a_reset_counts_from_zero():
    ledger = counter((0, 100), (10, 101), (20, 1), (30, 2), rating_per_s=0.1)
    assert ledger.flags == {CounterFlag.RESET: 1}
    assert ledger.ledger.grown(0, 30) == pytest.approx(3)


def test_a_small_step_back_is_no_reset():
    ledger = counter((0, 100), (10, 101), (20, 100.5), (30, 101.5), rating_per_s=0.1)
    assert ledger.flags == {CounterFlag.SPIKE: 1}
    assert ledger.ledger.grown(0, 30) == pytest.approx(2)


def test_history_is_bounded():
    ledger = RateLedger(1.0, Ledger(100))
    for time in range(1000):
        ledger.add(time, 1.0)
    assert 100 <= len(ledger.ledger.times) <= 126
    assert ledger.ledger.grown(900, 999) == pytest.approx(99)


def test_what_is_left_of_a_window():
    assert without((0, 100), [(20, 30), (25, 40), (90, 200)]) == [(0, 20), (40, 90)]
    assert without((0, 100), [(0, 100)]) == []
