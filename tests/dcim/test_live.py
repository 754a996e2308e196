"""The latest readings: when one goes stale, and what is said of it."""

from dcim.live import Live
from dcim.model.reading import Batch, Quality, Reading

POINT = "cdu-1/loop/secondary/flow"
NOW = 1_795_295_645.0  # 2026-11-21T21:14:05Z


def test_a_stale_reading_says_since_when_which_stays_true():
    live = Live()
    live.expect("cdu-1", {POINT: 30.0}, NOW - 5)
    live.update(Batch("cdu-1", NOW, [Reading(POINT, 800.0, NOW - 0.2)]), NOW)
    assert list(live.stale(NOW + 30)) == []
    (stale,) = live.stale(NOW + 31)
    assert (stale.value, stale.ts, stale.quality) == (800.0, NOW - 0.2, Quality.STALE)
    assert stale.reason == "no answer since 21:14:05Z"
    live.mark([stale])
    assert list(live.stale(NOW + 3600)) == []
