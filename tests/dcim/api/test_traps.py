"""What the trap receiver has seen, as viewers ask for it."""

from dataclasses import replace

import httpx

from collectors.base import Intervals
from collectors.snmp.traps import TRAP, Notification, TrapLog
from dcim.api import views
from dcim.api.views import trap_counts, traps_out
from dcim.cli.questions import status_lines
from dcim.model.reading import Outage, OutageKind
from dcim.model.wire import StatusOut, TrapsOut
from tests.dcim.api.running import VOLTAGE, Running, bearer


async def test_traps_are_told_newest_first_unknown_ones_too(
    running: Running, http: httpx.AsyncClient
) -> None:
    log = TrapLog(listen="127.0.0.1:162", received=3)
    known = Notification(TRAP, "1.3.6.1.2.1.33.2.1", (("1.3.6.1.2.1.33.1.2.3.0", 42),))
    stranger = Notification(TRAP, "1.3.6.1.4.1.99999.0.7", ())
    log.keep(known, "2c", "192.0.2.1", ["ups-a"], "on battery", 1_700_000_000.0)
    log.keep(known, "2c", "192.0.2.1", ["ups-a"], "on battery", 1_700_000_001.0)
    log.keep(stranger, "3", "192.0.2.9", [], None, 1_700_000_002.0)
    running.agent.traps = lambda: traps_out(log)
    answer = await http.get("/v1/traps", headers=bearer("viewer"))
    told = TrapsOut.model_validate(answer.json())
    assert (told.listen, told.received, told.known, told.unknown) == ("127.0.0.1:162", 3, 2, 1)
    assert [(one.source, one.hint, one.count) for one in told.traps] == [
        ("192.0.2.9", None, 1),
        ("192.0.2.1", "on battery", 2),
    ]
    assert told.traps[1].varbinds == {"1.3.6.1.2.1.33.1.2.3.0": "42"}
    assert told.traps[1].last == "2023-11-14T22:13:21.000Z"


async def test_an_agent_without_a_receiver_says_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/traps", headers=bearer("viewer"))
    assert TrapsOut.model_validate(answer.json()).listen == ""


async def test_traps_need_a_token(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/traps")).status_code == 401


async def test_traps_are_counted_in_metrics_and_status(
    running: Running, http: httpx.AsyncClient
) -> None:
    log = TrapLog(listen="127.0.0.1:162", received=9, known=2, unknown=1, informs=1)
    log.drop("informs: over 100 a second from one sender")
    log.refuse("unknown user")
    log.refuse("unknown user")
    running.agent.trap_counts = lambda: trap_counts(log)
    told = (await http.get("/metrics", headers=bearer("viewer"))).text
    assert "dcim_traps_received_total 9\n" in told
    assert "dcim_traps_known_total 2\n" in told
    assert "dcim_traps_unknown_total 1\n" in told
    assert 'dropped_total{reason="informs: over 100 a second from one sender"} 1\n' in told
    assert 'dcim_traps_refused_total{reason="unknown user"} 2\n' in told
    assert "dcim_informs_answered_total 1\n" in told
    answer = await http.get("/v1/status", headers=bearer("viewer"))
    lines = list(status_lines(StatusOut.model_validate(answer.json())))
    assert (
        "traps     127.0.0.1:162, 9 received, 2 known, 1 unknown, 1 dropped, 2 refused, "
        "1 informs answered"
    ) in lines


async def test_a_device_that_is_polled_good_answers_whatever_else_is_wrong_with_it(
    running: Running, http: httpx.AsyncClient
) -> None:
    conflict = Outage(OutageKind.ENGINE_ID_CONFLICT, "192.0.2.1:161 has the same engine id")
    running.publish("ups-a", running.reading(VOLTAGE, 230.0), outage=conflict)
    slow = replace(running.agent.targets["ups-a"], intervals=Intervals(60, 60, 3600))
    running.agent.targets = {**running.agent.targets, "ups-a": slow}
    running.clock.advance(45)  # its next poll is due in 15 s
    running.publish("leak-r01", outage=Outage(OutageKind.TIMEOUT, "no answer within 3 s"))
    answer = await http.get("/v1/status", headers=bearer("viewer"))
    status = StatusOut.model_validate(answer.json())
    lines = list(status_lines(status))
    assert any(line.startswith("snmp      1/1 devices answer, 1 degraded, ") for line in lines)
    assert any(line.startswith("modbus    0/1 devices answer, ") for line in lines)
    at = lines.index("  leak-r01 out: timeout: no answer within 3 s")
    assert lines[at + 1] == f"  ups-a degraded: engine_id_conflict: {conflict.detail}"
    told = (await http.get("/metrics", headers=bearer("viewer"))).text
    assert 'dcim_devices_out{protocol="snmp"} 0\n' in told
    assert 'dcim_devices_degraded{protocol="snmp"} 1\n' in told
    assert 'dcim_devices_out{protocol="modbus"} 1\n' in told


async def test_every_device_that_is_out_is_named_before_those_that_are_degraded(
    running: Running, http: httpx.AsyncClient
) -> None:
    conflict = Outage(OutageKind.ENGINE_ID_CONFLICT, "ups-b has the same engine id")
    names = [*(f"a-{n:02}" for n in range(50)), *(f"z-{n:02}" for n in range(12))]
    like = running.agent.targets["ups-a"]
    more = {name: replace(like, device=name) for name in names}
    running.agent.targets = {**running.agent.targets, **more}
    for n in range(50):
        running.publish(f"a-{n:02}", running.reading(f"a-{n:02}/load", 1.0), outage=conflict)
    for n in range(12):  # beside leak-r01
        running.publish(f"z-{n:02}", outage=Outage(OutageKind.TIMEOUT, "no answer within 3 s"))
    answer = await http.get("/v1/status", headers=bearer("viewer"))
    status = StatusOut.model_validate(answer.json())
    wrong = ["leak-r01", *(f"z-{n:02}" for n in range(12))]
    assert [one.device for one in status.out[:13]] == wrong
    assert [one.degraded for one in status.out] == [False] * 13 + [True] * 50
    lines = [line for line in status_lines(status) if line.startswith("  ")]
    assert [line.split()[0] for line in lines[:13]] == wrong
    assert lines[-1] == "  and 40 more degraded: dcim status --json"
    tick = views.status(running.agent, most_out=10)
    assert (len(tick.out), tick.more_out, tick.more_degraded) == (10, 3, 50)
    assert "  and 3 more out: dcim status --json" in status_lines(tick)
