"""The engine: consequences, actions of people, restarts, and that it does not scan."""

import json
import random
from dataclasses import replace

from dcim.model.alarm import AlarmState, EventType
from dcim.model.asset import Device, Feed
from dcim.model.reading import Batch, Identity, Outage, OutageKind, Quality, Reading
from dcim.notify.body import Asset, alarm_body
from tests.rules.conftest import Plant, small_site

NO_PDU_A, NO_PDU_B = "no-data@pdu-r01-a", "no-data@pdu-r01-b"
UPS_A = "ups-output-lost@ups-a/mode"


def test_a_device_without_power_is_a_consequence_only_if_all_its_feeds_are_dead(builtin_rules):
    site = small_site()
    both = (*site.feeds, Feed("ups-b", "cdu-1", "B"), Feed("ups-a", "cdu-1", "A"))
    plant = Plant(builtin_rules, replace(site, feeds=both))
    plant.say("ups-a/mode", "off")
    plant.until(5)
    for device in ("pdu-r01-a", "cdu-1"):
        plant.silent(device)
    plant.until(70)
    assert plant.alarm(NO_PDU_A).suppressed_by == UPS_A
    assert plant.alarm("no-data@cdu-1").suppressed_by is None
    assert plant.alarm(UPS_A).suppressed_children == 1


def test_an_outage_tells_its_kind_and_that_of_today(plant):
    """The alarm, the console and the webhook say why; another kind is no news for a pager."""
    plant.silent("pdu-r01-a")
    plant.until(60)
    alarm = plant.alarm(NO_PDU_A)
    assert (alarm.because, alarm.reason) == ("timeout: no answer", "timeout: no answer")
    raised = next(e for e in plant.events if e.alarm.id == NO_PDU_A)
    said = json.loads(alarm_body(raised, Asset("pdu-r01-a"), "dc1", "1"))["data"]
    assert said["message"]["en"].endswith("(pdu-r01-a); timeout: no answer")
    told = len(plant.notified())
    plant.silent("pdu-r01-a", OutageKind.WRONG_AUTH_KEY)
    plant.silent("pdu-r01-a", OutageKind.WRONG_AUTH_KEY)
    alarm = plant.alarm(NO_PDU_A)
    assert (alarm.because, alarm.seq) == ("wrong_auth_key: no answer", 2)
    assert (alarm.occurrence, len(plant.notified())) == (1, told)


def test_a_cause_found_later_takes_in_what_already_stands(plant):
    plant.silent("pdu-r01-a")
    plant.until(60)
    assert plant.alarm(NO_PDU_A).suppressed_by is None
    plant.say("ups-a/mode", "off")
    plant.until(62)
    assert plant.alarm(NO_PDU_A).suppressed_by == UPS_A
    assert not any(e.notify for e in plant.events if e.type is EventType.UPDATED)


def test_a_consequence_that_outlives_its_cause_by_a_minute_stands_alone(plant):
    plant.say("ups-a/mode", "off")
    plant.until(5)
    plant.silent("pdu-r01-a")
    plant.until(70)
    plant.say("ups-a/mode", "online")
    plant.until(134)
    assert plant.alarm(NO_PDU_A).suppressed_by == UPS_A
    plant.until(136)
    alarm = plant.alarm(NO_PDU_A)
    assert (alarm.suppressed_by, alarm.state, alarm.occurrence) == (None, AlarmState.UNACK, 1)
    assert plant.notified()[-1] == ("alarm.raised", NO_PDU_A)


def test_consequences_that_are_over_close_with_their_cause(plant):
    plant.say("ups-a/mode", "off")
    plant.until(5)
    plant.silent("pdu-r01-a")
    plant.until(70)
    plant.answers("pdu-r01-a")
    assert plant.alarm(NO_PDU_A).state is AlarmState.RTN_UNACK
    plant.say("ups-a/mode", "online")
    plant.until(80)
    assert plant.standing() == [UPS_A]
    assert plant.alarm(UPS_A).suppressed_children == 0


def test_two_devices_of_their_own_addresses_are_two_alarms(plant):
    for device in ("ups-a", "ups-b"):
        plant.silent(device)
    plant.until(60)
    assert [alarm.suppressed_by for alarm in plant.engine.alarms()] == [None, None]


def test_a_silent_device_says_why(plant):
    plant.silent("ups-a", OutageKind.REFUSED)
    plant.until(60)
    alarm = plant.alarm("no-data@ups-a")
    assert alarm.reason == "refused: no answer"
    assert alarm.condition == "no answer for 60 s"


def test_stale_readings_that_come_with_an_outage_are_no_answer(plant):
    """What a broker's availability topic makes of a device."""
    last = Reading("env-1/temperature", 21.0, 0.0, Quality.STALE, "offline")
    outage = Outage(OutageKind.OFFLINE, "the device says so")
    plant.events.extend(plant.engine.outage(Batch("env-1", 0.0, [last], outage), 0.0))
    plant.until(60)
    assert plant.alarm("no-data@env-1").reason == "offline: the device says so"


SHIFTED = Outage(OutageKind.MISIDENTIFIED, "frequency is 7, expected 45..65")


def doubted(plant: Plant, device: str = "meter-main", outage: Outage | None = SHIFTED) -> None:
    """A poll whose numbers cannot be right, or (without outage) are."""
    reading = Reading(f"{device}/frequency", 7.0, plant.now, Quality.UNCERTAIN)
    plant.events.extend(plant.engine.outage(Batch(device, plant.now, [reading], outage), plant.now))


def test_a_misidentified_device_is_told_once_and_is_over_when_it_is_plausible(plant):
    for second in range(0, 300, 10):
        plant.until(second)
        doubted(plant)
    alarm = plant.alarm("misidentified@meter-main")
    assert plant.standing() == ["misidentified@meter-main"]
    assert plant.notified() == [("alarm.raised", alarm.id)]
    assert alarm.because == "misidentified: frequency is 7, expected 45..65"
    assert (alarm.condition, alarm.raised_at) == ("misidentified for 60 s", 60.0)
    doubted(plant, outage=None)
    assert plant.alarm(alarm.id).state is AlarmState.RTN_UNACK
    doubted(plant)
    plant.until(plant.now + 59)
    doubted(plant, outage=None)
    plant.until(plant.now + 60)
    assert plant.alarm(alarm.id).occurrence == 1


def test_a_misidentified_device_that_falls_silent_is_still_misidentified(plant):
    doubted(plant)
    plant.until(60)
    plant.silent("meter-main")
    plant.until(130)
    assert plant.standing() == ["misidentified@meter-main", "no-data@meter-main"]
    doubted(plant)
    assert plant.alarm("no-data@meter-main").state is AlarmState.RTN_UNACK
    assert plant.alarm("misidentified@meter-main").state is AlarmState.UNACK
    doubted(plant, outage=None)
    assert plant.alarm("misidentified@meter-main").state is AlarmState.RTN_UNACK


def test_other_outages_with_readings_are_not_told(plant):
    doubted(plant, outage=Outage(OutageKind.ILLEGAL_ADDRESS, "a part is not there"))
    plant.until(300)
    assert plant.standing() == []


def test_a_meter_that_starts_on_a_dead_feed_is_a_consequence_of_it(builtin_rules):
    site = small_site()
    plant = Plant(builtin_rules, replace(site, feeds=(*site.feeds, Feed("ups-a", "env-1", "A"))))
    plant.say("ups-a/mode", "off")
    plant.until(5)
    doubted(plant, "env-1")
    plant.until(70)
    assert plant.alarm("misidentified@env-1").suppressed_by == UPS_A


def test_a_misidentified_device_that_is_plausible_after_a_restart_is_cleared(plant, builtin_rules):
    doubted(plant)
    plant.until(60)
    after = Plant(builtin_rules)
    after.engine.restore(plant.engine.alarms(), 100.0)
    after.now = 100.0
    doubted(after, outage=None)
    assert after.alarm("misidentified@meter-main").state is AlarmState.RTN_UNACK


def test_an_alarm_carries_what_its_reader_needs(plant):
    plant.say("cdu-1/reservoir/level", 39.0)
    plant.until(30)
    alarm = plant.alarm("reservoir-level-low@cdu-1/reservoir/level")
    assert (alarm.value, alarm.limit, alarm.unit) == (39.0, 40.0, "%")
    assert alarm.condition == "level <= 40 % for 30 s"
    assert alarm.raised_at == 30
    assert alarm.cause
    assert alarm.consequence
    assert alarm.action


def test_flow_loss_names_the_pumps_that_failed_and_does_not_wait_for_them(plant):
    plant.say("cdu-1/pump/1/run", "fault")
    plant.say("cdu-1/pump/2/run", "fault")
    plant.say("cdu-1/pump/3/run", "stopped")
    plant.say("cdu-1/loop/secondary/flow", 0.0)
    plant.until(2)
    flow = plant.alarm("coolant-flow-lost@cdu-1/loop/secondary/flow")
    assert flow.because == "coolant pump failed: pump/1, pump/2"
    assert flow.because_zh == "冷却液泵故障：pump/1、pump/2"  # noqa: RUF001
    plant.until(20)
    assert plant.notified() == [("alarm.raised", flow.id)]
    assert plant.alarm(flow.id).suppressed_children == 2


def test_flow_loss_of_no_known_reason_names_none(plant):
    plant.say("cdu-1/pump/1/run", "running")
    plant.say("cdu-1/loop/secondary/flow", 0.0)
    plant.until(2)
    assert plant.alarm("coolant-flow-lost@cdu-1/loop/secondary/flow").because == ""


def test_lost_redundancy_names_the_module_and_keeps_its_name_when_it_is_over(plant):
    plant.say("hvdc-1/module/3/state", "fault")
    plant.say("hvdc-1/redundancy", "lost")
    plant.until(5)
    lost = "redundancy-lost@hvdc-1/redundancy"
    assert plant.alarm(lost).because == "power module failed or missing: module/3"
    plant.say("hvdc-1/module/3/state", "online")
    plant.say("hvdc-1/redundancy", "full")
    plant.until(20)
    assert plant.alarm(lost).cleared_at is not None
    assert plant.alarm(lost).because == "power module failed or missing: module/3"


def test_a_cleared_alarm_says_what_is_now_and_what_was(plant):
    plant.say("leak-row1/zone/1/leak", "wet")
    plant.say("leak-row1/zone/1/leak", "dry")
    alarm = plant.alarm("leak@leak-row1/zone/1/leak")
    assert alarm.cleared_at is not None
    assert (alarm.value_state, alarm.raised_state) == ("dry", "wet")
    plant.say("env-1/temperature.inlet", 28.0)
    plant.until(61)
    plant.say("env-1/temperature.inlet", 33.0)
    plant.until(80)
    hot = "inlet-sensor-hot@env-1/temperature.inlet"
    assert (plant.alarm(hot).value, plant.alarm(hot).raised_value) == (33.0, 28.0)
    plant.say("env-1/temperature.inlet", 25.0)
    plant.until(200)
    assert (plant.alarm(hot).value, plant.alarm(hot).raised_value) == (25.0, 28.0)


def test_the_next_occurrence_forgets_what_the_one_before_was_raised_at(plant):
    for level in (39.0, 60.0, 38.0):
        plant.say("cdu-1/reservoir/level", level)
        plant.until(plant.now + 61)
        plant.ack("reservoir-level-low@cdu-1/reservoir/level")
    assert plant.alarm("reservoir-level-low@cdu-1/reservoir/level").occurrence == 2
    assert plant.alarm("reservoir-level-low@cdu-1/reservoir/level").raised_value == 38.0


def test_a_retained_leak_says_so(plant):
    plant.say("env-1/leak", "wet", Quality.UNCERTAIN, "retained message")
    alarm = plant.alarm("leak@env-1/leak")
    assert (alarm.quality, alarm.reason) == (Quality.UNCERTAIN, "retained message")


def test_a_silent_device_that_answers_after_a_restart_is_cleared(plant, builtin_rules):
    plant.silent("ups-a")
    plant.until(60)
    after = Plant(builtin_rules)
    after.engine.restore(plant.engine.alarms(), 100.0)
    after.now = 100.0
    after.answers("ups-a")
    assert after.alarm("no-data@ups-a").state is AlarmState.RTN_UNACK


def test_a_consequence_stays_one_after_a_restart(plant, builtin_rules):
    plant.say("ups-a/mode", "off")
    plant.until(5)
    plant.silent("pdu-r01-a")
    plant.until(70)
    after = Plant(builtin_rules)
    after.engine.restore(plant.engine.alarms(), 100.0)
    assert after.alarm(NO_PDU_A).suppressed_by == UPS_A
    after.say("ups-a/mode", "online")
    after.until(6)
    assert [event.alarm.id for event in after.events if event.notify] == [UPS_A]


def test_normal_alarms_keep_their_count_over_a_restart(plant, builtin_rules):
    for state in ("wet", "dry"):
        plant.say("env-1/leak", state)
    plant.ack("leak@env-1/leak")
    plant.reset("leak@env-1/leak")
    normal = plant.alarm("leak@env-1/leak")
    assert list(plant.engine.alarms()) == []
    after = Plant(builtin_rules)
    after.engine.restore([normal], 100.0)
    after.say("env-1/leak", "wet")
    assert after.alarm("leak@env-1/leak").occurrence == 2


def test_nobody_can_act_on_an_alarm_that_never_stood(plant):
    assert plant.ack("leak@env-1/leak") == "refused"


def test_a_kind_learned_at_first_contact_brings_its_rules(builtin_rules):
    site = small_site()
    devices = dict(site.devices) | {"ups-c": Device("ups-c", "hall-1")}
    plant = Plant(builtin_rules, replace(site, devices=devices))
    plant.say("ups-c/mode", "on_battery")
    plant.until(10)
    assert plant.standing() == []
    plant.engine.identified(Identity("ups-c", "ups", "", "", ()))
    plant.say("ups-c/mode", "on_battery")
    plant.until(20)
    assert plant.standing() == ["ups-on-battery@ups-c/mode"]
    assert plant.engine.rules_for("ups-c/mode") == [
        "ups-on-battery",
        "ups-on-bypass",
        "ups-output-lost",
    ]


def test_escalation_is_one_alarm(plant):
    for level, seconds in ((39.0, 40), (20.0, 80), (5.0, 120)):
        plant.say("cdu-1/reservoir/level", level)
        plant.until(seconds)
    assert plant.standing() == ["reservoir-level-low@cdu-1/reservoir/level"]
    kinds = [event.type for event in plant.events]
    assert kinds == [EventType.RAISED, EventType.ESCALATED, EventType.ESCALATED]
    assert [event.alarm.seq for event in plant.events] == [1, 2, 3]


def test_a_storm_leaves_every_alarm_in_the_right_state(builtin_rules):
    rng = random.Random(7)
    site = small_site()
    devices = {f"leak-{n}": Device(f"leak-{n}", "row-1") for n in range(1000)}
    plant = Plant(builtin_rules, replace(site, devices=devices))
    wet = {device: rng.random() < 0.5 for device in devices}
    for round_ in range(3):
        for device, now_wet in wet.items():
            state = "wet" if now_wet or round_ == 1 else "dry"
            plant.say(f"{device}/leak", state)
    active = {alarm.address for alarm in plant.engine.alarms() if alarm.state.active}
    assert active == {f"{device}/leak" for device, now_wet in wet.items() if now_wet}
    assert len(plant.standing()) == 1000
