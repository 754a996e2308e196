"""The body of a webhook."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dcim.model.alarm import AlarmState
from dcim.notify.body import MAX_BYTES, Asset, alarm_body, assets_of, message_id
from tests.dcim.notify.samples import SITE, event

KEYS = (
    "alarm_id occurrence_id seq state previous_state priority asset point value unit limit"
    " condition raised_at acked_at cleared_at ack_by message cause consequence action runbook_url"
    " suppressed_children quality reason site agent_version"
)


def test_it_holds_everything_that_receivers_were_promised() -> None:
    body = json.loads(alarm_body(event(ts=1_700_000_000.5), Asset("leak-row1"), "site-1", "0.1"))
    assert body["timestamp"] == "2023-11-14T22:13:20.500Z"
    assert set(KEYS.split()) <= body["data"].keys()
    assert set(body["data"]["message"]) == {"en", "zh"}
    assert body["data"]["occurrence_id"] == 1
    assert body["data"]["value"] == "wet"
    assert body["data"]["asset"]["name"] == "leak-row1"  # no name of its own


def said(**change: object) -> tuple[dict[str, object], str, str]:
    """`data`, and the two lines for people, of a leak alarm with some facts changed."""
    one = event(AlarmState.LATCH_UNACK, ts=1.0)
    one = replace(one, alarm=replace(one.alarm, title_zh="检测到冷却液泄漏", **change))  # type: ignore[arg-type]
    data = json.loads(alarm_body(one, Asset("leak-row1"), "site-1", "0.1"))["data"]
    return data, data["message"]["en"], data["message"]["zh"]


def test_a_cleared_alarm_says_what_is_now_and_what_was() -> None:
    data, en, zh = said(value_state="dry", raised_state="wet")
    assert (data["value"], data["raised_value"]) == ("dry", "wet")
    line = "coolant leak detected at leak-row1 (leak-row1/zone/2/leak was wet, now dry)"
    assert en == f"CRITICAL cleared: {line}"
    assert zh == (
        "【紧急】告警恢复：leak-row1 检测到冷却液泄漏（leak-row1/zone/2/leak 曾为 wet，现为 dry）"  # noqa: RUF001
    )
    _, en, _ = said(value_state=None, value=38.9, raised_value=43.25, unit="degC")
    assert en.endswith("(leak-row1/zone/2/leak was 43.25 degC, now 38.9 degC)")
    data, en, _ = said(value_state=None, value=None)  # a device that answers again has no value
    assert data["raised_value"] is None
    assert en.endswith("(leak-row1/zone/2/leak)")


def test_the_reason_stands_in_the_line_as_long_as_the_alarm_does() -> None:
    reason = {
        "because": "coolant pump failed: pump/1, pump/2",
        "because_zh": "冷却液泵故障：pump/1",  # noqa: RUF001
    }
    data, en, zh = said(**reason, state=AlarmState.UNACK)
    assert data["because"] == reason["because"]
    assert en.endswith("= wet); coolant pump failed: pump/1, pump/2")
    assert zh.endswith("；冷却液泵故障：pump/1")  # noqa: RUF001
    assert "pump" not in said(**reason)[1]


@given(text=st.text(min_size=1, max_size=50), times=st.integers(1, 2000))
def test_it_stays_below_20_kb_whatever_the_texts_are(text: str, times: int) -> None:
    long = (text * times).encode("utf-8", "replace").decode()
    asset = Asset("leak-row1", long, "leak_detector", ("site-1",))
    assert len(alarm_body(event(action=long), asset, "site-1", "0.1")) < MAX_BYTES


def test_places_are_assets_too() -> None:
    look_up = assets_of(SITE, {"leak-row1": "environment"}.get)  # type: ignore[arg-type]
    assert look_up("hall-1") == Asset("hall-1", "", "hall", ("site-1", "hall-1"))
    assert look_up("site-1") == Asset("site-1", "", "site", ("site-1",))
    assert look_up("leak-row1").type == "environment"


def test_an_event_has_one_id_and_another_event_another() -> None:
    raised, cleared = event(ts=1.0), event(AlarmState.NORM, seq=2, ts=2.0)
    assert message_id(raised, "site-1") == message_id(event(ts=1.0), "site-1")
    assert message_id(raised, "site-1") != message_id(cleared, "site-1")
    assert "." not in message_id(raised, "site-1")
