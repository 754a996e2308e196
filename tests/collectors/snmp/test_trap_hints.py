"""What profiles say of traps: every entry by table, and how often a device is polled for them."""

import asyncio
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from collectors.base import Intervals
from collectors.catalog import load_catalog
from collectors.profile import Profile
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.profile import SnmpProfile, trap_key
from collectors.snmp.survey import snmp_profiles
from collectors.snmp.traps import INFORMATION, hint_of
from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock
from fixtures.peers.replay import ReplayAgent
from tests.collectors.snmp.peers import Latest, Sink, target

CATALOG = snmp_profiles(load_catalog())
KNOWING = [profile for profile in CATALOG.values() if profile.trap]
HEAD = {
    "name": "acme",
    "protocol": "snmp",
    "kind": "rack_pdu",
    "vendor": "ACME",
    "evidence": "document",
    "sources": ["ACME-MIB"],
    "root": "1.3.6.1.4.1.99999",
    "identify": {"sys_object_id": ["1.3.6.1.4.1.99999"]},
    "table": [
        {
            "at": ".2.1",
            "component": "outlet/{index}",
            "column": [{"at": 7, "metric": "switch", "states": {1: "on", 2: "off"}}],
        }
    ],
}


def profile(*traps: Mapping[str, object]) -> SnmpProfile:
    return SnmpProfile.model_validate({**HEAD, "trap": list(traps)})


@pytest.mark.parametrize("one", KNOWING, ids=lambda one: one.name)
def test_every_entry_is_found_in_both_forms(one: SnmpProfile) -> None:
    """As v2 sends it, and as v1's enterprise and number are put together."""
    for trap in one.trap:
        enterprise, _, last = one.oid(trap.oid).rpartition(".")
        enterprise, number = enterprise.removesuffix(".0"), last.replace("*", "4711")
        for oid in (f"{enterprise}.0.{number}", f"{enterprise}.{number}"):
            hint = hint_of([one], oid)
            assert hint is not None, oid
            assert hint.startswith(trap.hint), oid


@pytest.mark.parametrize("one", KNOWING, ids=lambda one: one.name)
def test_every_trap_belongs_to_the_family(one: SnmpProfile) -> None:
    """Nobody takes traps of another vendor's number, and nobody takes a vendor as a whole but here."""
    enterprises = {"1.3.6.1.2.1": 7, "1.3.6.1.4.1": 7}
    stated = (*one.identify.sys_object_id, one.root, *map(one.oid, one.identify.tables))
    own = {".".join(oid.split(".")[:7]) for oid in stated}
    for trap in one.trap:
        parts = trap_key(one.oid(trap.oid)).split(".")
        assert ".".join(parts[:6]) in enterprises, trap.oid
        assert ".".join(parts[:7]) in own, trap.oid


def test_a_family_line_names_each_by_number() -> None:
    one = profile(
        {"oid": ".9.0.{each}", "each": {3: "off", 4: "on"}, "hint": "outlet {each}"},
        {"oid": ".9.*", "hint": "something else"},
    )
    assert hint_of([one], "1.3.6.1.4.1.99999.9.0.3") == "outlet off"
    assert hint_of([one], "1.3.6.1.4.1.99999.9.4") == "outlet on"
    assert hint_of([one], "1.3.6.1.4.1.99999.9.0.5") == "something else"
    assert hint_of([one], "1.3.6.1.4.1.99999.8.0.3") is None


def test_a_named_trap_of_one_profile_goes_before_anothers_wider_entry() -> None:
    wide, named = (
        profile({"oid": ".*", "hint": "anything"}),
        profile({"oid": ".0.3", "hint": "off"}),
    )
    assert hint_of([wide, named], "1.3.6.1.4.1.99999.0.3") == "off"
    assert hint_of([wide, named], "1.3.6.1.6.3.1.1.5.1") == "started (cold)"


def test_the_point_a_trap_is_about_stands_in_the_hint() -> None:
    one = profile({"oid": ".0.3", "hint": "an outlet went off", "about": "outlet/*/switch"})
    assert hint_of([one], "1.3.6.1.4.1.99999.0.3") == "an outlet went off (outlet/*/switch)"


@pytest.mark.parametrize(
    ("traps", "said"),
    [
        ([{"oid": ".0.3", "hint": "a"}, {"oid": ".3", "hint": "b"}], "stands here twice: 1.3.6"),
        ([{"oid": ".0.3", "hint": "a", "about": "outlet/*/power"}], "no point or column reads"),
        ([{"oid": ".0.x", "hint": "a"}], "not an object identifier"),
        ([{"oid": ".0.*.3", "hint": "a"}], "not an object identifier"),
        ([{"oid": ".0.3", "hint": ""}], "at least 1 character"),
    ],
)
def test_a_wrong_entry_is_refused(traps: list[dict[str, object]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        profile(*traps)


def test_what_a_poll_cannot_confirm_is_known_all_the_same() -> None:
    assert all(hint_of([], oid) for oid in INFORMATION)


async def test_unknown_traps_have_a_device_polled_once_in_ten_seconds(
    agent: ReplayAgent, profiles: dict[str, Profile], sink: Sink
) -> None:
    """And a known one in between is not held up by them."""
    clock = ManualClock()
    wheel = Wheel(clock)
    wanted = [target("ups", agent.port, Intervals(60.0, 60.0, 60.0))]
    collector = SnmpCollector(wanted, profiles, sink, clock, wheel, Counters(), Latest())

    def after(seconds: float, known: bool) -> bool:
        """Whether a trap has the device polled now."""
        clock.advance(seconds)
        asked = collector.stats()["ups"].requests
        collector.confirm("ups", known)
        wheel.run_due()
        return collector.stats()["ups"].requests > asked

    running = asyncio.create_task(collector.run(), name="collector")
    try:
        await asyncio.sleep(0)
        clock.advance(2.0)
        wheel.run_due()
        await sink.until(lambda: len(sink.batches) == 1)
        assert after(0.0, known=False)
        await sink.until(lambda: len(sink.batches) == 2)
        assert [after(1.1, known=False) for _ in range(8)] == [False] * 8
        assert after(0.0, known=True)
        await sink.until(lambda: len(sink.batches) == 3)
        assert not after(9.0, known=False)
        clock.advance(1.0)
        wheel.run_due()
        await sink.until(lambda: len(sink.batches) == 4)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
