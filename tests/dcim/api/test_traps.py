"""What the trap receiver has seen, as viewers ask for it."""

import httpx

from collectors.snmp.traps import TRAP, Notification, TrapLog
from dcim.api.views import traps_out
from dcim.model.wire import TrapsOut
from tests.dcim.api.running import Running, bearer


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
