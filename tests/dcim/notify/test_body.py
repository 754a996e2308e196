"""The body of a webhook."""

import json

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
