"""The timer wheel on a clock moved by hand."""

from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock


def test_jobs_run_when_due_and_keep_their_phase():
    clock = ManualClock(100.0)
    wheel = Wheel(clock)
    runs: list[float] = []
    wheel.every(10, runs.append, phase_s=3)
    for _ in range(30):
        clock.advance(1.0)
        wheel.run_due()
    assert runs == [103.0, 113.0, 123.0]


def test_what_was_missed_is_not_made_up_for():
    clock = ManualClock(100.0)
    wheel = Wheel(clock)
    runs: list[float] = []
    wheel.every(1, runs.append)
    clock.advance(5.5)
    wheel.run_due()
    clock.advance(0.5)
    wheel.run_due()
    assert runs == [100.0, 106.0]


def test_a_cancelled_job_and_one_that_runs_once():
    clock = ManualClock(100.0)
    wheel = Wheel(clock)
    runs: list[float] = []
    job = wheel.every(1, runs.append, phase_s=1)
    wheel.once(2, runs.append)
    job.cancelled = True
    clock.advance(5)
    wheel.run_due()
    clock.advance(5)
    wheel.run_due()
    assert runs == [102.0]


def test_a_job_that_raises_stops_no_other():
    clock = ManualClock(100.0)
    wheel = Wheel(clock)
    runs: list[float] = []

    def broken(due: float) -> None:
        raise KeyError("a bug")

    wheel.every(1, broken)
    wheel.every(1, runs.append)
    for _ in range(3):
        wheel.run_due()
        clock.advance(1)
    assert runs == [100.0, 101.0, 102.0]
    assert wheel.faults == 3


def test_late_is_more_than_50_ms_or_a_twentieth_of_the_interval():
    counters = Counters()
    for lateness_s, interval_s in ((0.05, 0.5), (0.051, 0.5), (0.4, 10), (0.51, 10)):
        counters.started(100.0, 100.0 + lateness_s - 1e-6, interval_s)
    assert (counters.polls, counters.late) == (4, 2)
