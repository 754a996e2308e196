"""The latest readings: when one goes stale, and what is said of it."""

from structlog.testing import capture_logs

from dcim.live import Live
from dcim.model.reading import Batch, Outage, OutageKind, Quality, Reading

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


def test_the_log_has_a_line_for_every_change_and_none_for_a_repetition():
    live = Live()
    good = [Reading(POINT, 800.0, NOW)]
    refused = Outage(OutageKind.REFUSED, "nobody listens on UDP port 161")
    denied = Outage(OutageKind.WRONG_AUTH_KEY, "authentication key or algorithm is not right")
    conflict = Outage(OutageKind.ENGINE_ID_CONFLICT, "192.0.2.1:161 has the same engine id")
    with capture_logs() as lines:
        for second, (readings, outage) in enumerate(
            [
                (good, None),
                ([], refused),
                ([], refused),
                ([], denied),
                ([], denied),
                (good, conflict),
                (good, conflict),
                (good, None),
            ]
        ):
            live.update(Batch("cdu-1", NOW + second, readings, outage), NOW + second)
    told = [(line["event"], line.get("kind")) for line in lines]
    assert told == [
        ("device out", "refused"),
        ("device out", "wrong_auth_key"),
        ("device back", None),
        ("device degraded", "engine_id_conflict"),
        ("device well again", None),
    ]
    assert lines[2]["out_s"] == 4.0
    assert lines[-1]["degraded_s"] == 2.0


def test_time_without_an_answer_is_an_outage_and_time_with_doubts_is_none():
    live = Live()
    good = [Reading(POINT, 800.0, NOW)]
    doubt = Outage(OutageKind.MISIDENTIFIED, "frequency is 0")
    timeout = Outage(OutageKind.TIMEOUT, "no answer within 2 s")
    with capture_logs() as lines:
        for second, (readings, outage) in enumerate(
            [(good, doubt), (good, doubt), ([], timeout), ([], timeout), (good, None)]
        ):
            live.update(Batch("cdu-1", NOW + second, readings, outage), NOW + second)
    assert [line["event"] for line in lines] == ["device degraded", "device out", "device back"]
    assert lines[-1]["out_s"] == 2.0
    assert live.devices["cdu-1"].outages == 1
    assert live.devices["cdu-1"].since == NOW + 4
