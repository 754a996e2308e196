"""Traps and informs as net-snmp sends them; a storm; what is refused."""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collectors.base import Credentials, Intervals, Target, parse_url
from collectors.profile import Profile
from collectors.snmp import v3
from collectors.snmp.ber import OBJECT_ID, OCTETS, SEQUENCE, encode_integer, encode_oid, tlv
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.profile import SnmpProfile, trap_key
from collectors.snmp.traps import TRAP, TRAP_V1, TrapLog
from collectors.snmp.traps_limits import Budgets, Kind
from collectors.snmp.traps_receiver import TrapReceiver
from collectors.snmp.traps_v3 import Engine
from collectors.snmp.usm import AUTH, PRIV, KeyRing, User
from collectors.wheel import Counters, Wheel
from dcim.clock import ManualClock, SystemClock
from fixtures.peers.replay import ReplayAgent
from tests.collectors.snmp import netsnmp
from tests.collectors.snmp.netsnmp import AUTH_PASSWORD, PRIV_PASSWORD
from tests.collectors.snmp.peers import DEADLINE_S, Sink, target

ON_BATTERY = "1.3.6.1.2.1.33.2.1"
UNKNOWN = "1.3.6.1.4.1.99999.0.7"
MINUTES = "1.3.6.1.2.1.33.1.2.3.0"
UPS_ENGINE = bytes.fromhex("80001f880475707321")
LEVELS = [("", ""), ("sha", ""), ("md5", "des"), ("sha256", "aes128"), ("sha512", "aes256c")]


UPS = SnmpProfile.model_validate(
    {
        "name": "ups",
        "protocol": "snmp",
        "kind": "ups",
        "vendor": "Acme",
        "evidence": "synthetic",
        "sources": ["SNMPv2-MIB"],
        "identify": {"tables": ["1.3.6.1.2.1.1.8"]},
        "point": [
            {"at": "1.3.6.1.2.1.1.8.0", "metric": "time.running", "unit": "s", "scale": 0.01}
        ],
        "trap": [{"oid": ON_BATTERY, "hint": "on battery"}],
    }
)


class Desk:
    """Devices at 127.0.0.1, and what was asked of them."""

    def __init__(self) -> None:
        self.traps = frozenset([trap_key(ON_BATTERY)])
        self.confirmed: list[str] = []
        self.unsure: list[str] = []

    def devices_at(self, host: str) -> Sequence[str]:
        return ("ups",) if host == "127.0.0.1" else ()

    def devices_of(self, engine_id: bytes) -> Sequence[str]:
        return ("ups",) if engine_id == UPS_ENGINE else ()

    def hint(self, device: str, oid: str) -> str | None:
        return "on battery" if oid == ON_BATTERY else None

    def confirm(self, device: str, known: bool) -> None:
        (self.confirmed if known else self.unsure).append(device)


def v3_target(auth: str, priv: str) -> Target:
    given = Credentials(
        auth_protocol=auth or "none",
        auth_key=AUTH_PASSWORD if auth else "",
        priv_protocol=priv,
        priv_key=PRIV_PASSWORD if priv else "",
    )
    name = netsnmp.user_name(auth, priv)
    return Target(name, parse_url(f"snmp3://{name}@192.0.2.1"), credentials=given)


Receiving = tuple[TrapReceiver, TrapLog, Desk]


@pytest.fixture
async def receiving(tmp_path: Path) -> AsyncIterator[Receiving]:
    log, desk = TrapLog(), Desk()
    targets = [v3_target(*pair) for pair in LEVELS]
    one = TrapReceiver(
        ("127.0.0.1", 0), targets, desk, log, ManualClock(), tmp_path / "engine.json"
    )
    async with running(one):
        yield one, log, desk


@contextlib.asynccontextmanager
async def running(one: TrapReceiver) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run(), name="traps")
    try:
        async with asyncio.timeout(DEADLINE_S):
            await one.ready.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (the receiver tells nobody)
            await asyncio.sleep(0.005)


def v3_options(auth: str, priv: str) -> list[str]:
    """net-snmp's options of a user."""
    level = "authPriv" if priv else "authNoPriv" if auth else "noAuthNoPriv"
    options = ["-v3", "-u", netsnmp.user_name(auth, priv), "-l", level]
    if auth:
        options += ["-a", netsnmp.AUTH[auth], "-A", AUTH_PASSWORD]
    if priv:
        options += ["-x", {"aes256c": "AES-256-C"}.get(priv, netsnmp.PRIV[priv])]
        options += ["-X", PRIV_PASSWORD]
    return options


async def snmptrap(port: int, options: Sequence[str], oid: str = ON_BATTERY) -> None:
    values = (MINUTES, "i", "42")
    code, said = await netsnmp.run("snmptrap", *options, f"127.0.0.1:{port}", "", oid, *values)
    assert code == 0, said


async def test_a_v1_trap_is_understood(receiving: Receiving) -> None:
    one, log, desk = receiving
    enterprise = ON_BATTERY.removesuffix(".1")
    args = ("-v1", "-c", "any", f"127.0.0.1:{one.address[1]}", enterprise, "", "6", "1", "")
    await netsnmp.run("snmptrap", *args, MINUTES, "i", "42")
    await until(lambda: log.received > 0)
    (seen,) = log.kinds.values()
    assert (seen.oid, seen.version) == (f"{enterprise}.0.1", "1")
    assert seen.varbinds == ((MINUTES, "42"),)
    assert desk.confirmed == []  # this desk takes v2's number only; profiles take both


async def test_a_trap_that_was_forwarded_is_of_the_address_in_it(receiving: Receiving) -> None:
    one, log, desk = receiving
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.2", 0))
        sock.sendto(v2c_trap(ON_BATTERY), one.address)
        await until(lambda: log.received == 1)
        address = tlv(OBJECT_ID, encode_oid("1.3.6.1.6.3.18.1.3.0")) + tlv(0x40, b"\x7f\0\0\1")
        sock.sendto(v2c_trap(ON_BATTERY, tlv(SEQUENCE, address)), one.address)
        await until(lambda: desk.confirmed == ["ups"])
    assert (log.known, log.unknown) == (1, 1)


async def test_a_v2c_trap_has_its_device_polled(receiving: Receiving) -> None:
    one, log, desk = receiving
    await snmptrap(one.address[1], ["-v2c", "-c", "any"])
    await until(lambda: len(desk.confirmed) > 0)
    assert (desk.confirmed, log.known, log.confirmations) == (["ups"], 1, 1)
    (seen,) = log.kinds.values()
    assert (seen.source, seen.hint, seen.devices) == ("127.0.0.1", "on battery", ("ups",))


@pytest.mark.parametrize(("auth", "priv"), LEVELS)
async def test_a_v3_trap_is_understood(receiving: Receiving, auth: str, priv: str) -> None:
    one, log, _ = receiving
    engine = ["-e", "0x80001f880474657374", "-Z", "3,1000"]
    await snmptrap(one.address[1], [*v3_options(auth, priv), *engine])
    await until(lambda: log.received > 0)
    assert log.refused == {}
    assert log.known == 1


@pytest.mark.parametrize(("auth", "priv"), LEVELS)
async def test_a_v3_inform_is_answered(receiving: Receiving, auth: str, priv: str) -> None:
    """snmpinform ends well only when the answer is signed by our engine, within its time."""
    one, log, _ = receiving
    where = f"127.0.0.1:{one.address[1]}"
    values = ("", ON_BATTERY, MINUTES, "i", "42")
    code, said = await netsnmp.run("snmpinform", *v3_options(auth, priv), where, *values)
    assert (code, said) == (0, "")
    assert (log.informs, log.known, log.refused) == (1, 1, {})


async def test_a_v2c_inform_is_answered(receiving: Receiving) -> None:
    one, log, _ = receiving
    where = f"127.0.0.1:{one.address[1]}"
    code, said = await netsnmp.run("snmpinform", "-v2c", "-c", "any", where, "", ON_BATTERY)
    assert (code, said) == (0, "")
    assert log.informs == 1


async def test_the_community_that_a_proxy_adds_is_not_shown(receiving: Receiving) -> None:
    """RFC 3584 section 3.1: snmpTrapCommunity.0."""
    one, log, _ = receiving
    community = ["1.3.6.1.6.3.18.1.4.0", "s", "not-for-viewers"]
    where = f"127.0.0.1:{one.address[1]}"
    await netsnmp.run("snmptrap", "-v2c", "-c", "any", where, "", ON_BATTERY, *community)
    await until(lambda: log.received == 1)
    (seen,) = log.kinds.values()
    assert seen.varbinds == (("1.3.6.1.6.3.18.1.4.0", "***"),)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_port_that_is_not_to_be_had_says_why(loop: str, tmp_path: Path) -> None:
    log = TrapLog()

    async def refused(where: tuple[str, int]) -> None:
        one = TrapReceiver(where, [], Desk(), log, ManualClock(), tmp_path / "engine.json")
        task = asyncio.create_task(one.run())
        await until(lambda: bool(log.problem))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    factory = pytest.importorskip(loop).new_event_loop
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy, capture_logs() as lines:
        busy.bind(("127.0.0.1", 0))
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(refused(busy.getsockname()))
    assert log.problem.endswith(": Address already in use")
    assert [(line["event"], line["reason"]) for line in lines] == [("no traps", log.problem)]


async def test_a_trap_of_a_device_that_never_answered_is_told(sink: Sink, tmp_path: Path) -> None:
    """It stands in the configuration with its profile; that it refuses our polls is another thing."""
    clock, log = SystemClock(), TrapLog()
    wheel = Wheel(clock)
    one = Target("ups", parse_url(f"snmp://any@127.0.0.1:{netsnmp.free_port()}"), "ups")
    collector = SnmpCollector([one], {"ups": UPS}, sink, clock, wheel, Counters())
    receiver = TrapReceiver(
        ("127.0.0.1", 0), [one], collector, log, clock, tmp_path / "engine.json"
    )
    async with asyncio.TaskGroup() as tasks, running(receiver):
        jobs = [tasks.create_task(one) for one in (wheel.run(), collector.run())]
        await sink.until(lambda: bool(sink.batches))
        await snmptrap(receiver.address[1], ["-v2c", "-c", "any"])
        await until(lambda: log.received == 1)
        for job in jobs:
            job.cancel()
    (seen,) = log.kinds.values()
    assert (seen.devices, seen.hint) == (("ups",), "on battery")


async def test_an_unknown_trap_is_kept_and_counted_and_a_weak_hint(receiving: Receiving) -> None:
    one, log, desk = receiving
    for _ in range(2):
        await snmptrap(one.address[1], ["-v2c", "-c", "any"], UNKNOWN)
    await until(lambda: log.unknown == 2)
    (seen,) = log.kinds.values()
    assert (seen.oid, seen.count, seen.hint) == (UNKNOWN, 2, None)
    await until(lambda: desk.unsure != [])
    assert desk.confirmed == []


async def test_a_known_trap_beside_an_unknown_one_counts(receiving: Receiving) -> None:
    one, _, desk = receiving
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for oid in (UNKNOWN, ON_BATTERY, UNKNOWN):
            sock.sendto(v2c_trap(oid), one.address)
    await until(lambda: desk.confirmed != [])
    assert (desk.confirmed, desk.unsure) == (["ups"], [])


async def test_an_authentication_failure_polls_nothing(receiving: Receiving) -> None:
    """It may be about our own polls: they must not make more of themselves."""
    one, log, desk = receiving
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(v2c_trap("1.3.6.1.6.3.1.1.5.5"), one.address)
        await until(lambda: log.received == 1)
        sock.sendto(v2c_trap(UNKNOWN), one.address)
    await until(lambda: desk.unsure != [])
    assert (desk.confirmed, log.confirmations) == ([], 1)


async def test_v3_traps_of_strangers_are_refused_by_reason(receiving: Receiving) -> None:
    one, log, desk = receiving
    engine = ["-e", "0x80001f880474657374"]
    wrong = v3_options("sha256", "aes128")
    wrong[wrong.index("-A") + 1] = "wrong horse auth"
    await snmptrap(one.address[1], [*wrong, *engine])
    stranger = v3_options("sha256", "aes128")
    stranger[stranger.index("-u") + 1] = "stranger"
    await snmptrap(one.address[1], [*stranger, *engine])
    await snmptrap(one.address[1], ["-v3", "-u", "u-sha256-aes128", "-l", "noAuthNoPriv", *engine])
    await until(lambda: log.received == 3)
    assert log.refused == {
        "wrong authentication key, or altered": 1,
        "unknown user": 1,
        "unsupported security level": 1,
    }
    assert desk.confirmed == []


async def test_a_v3_trap_from_another_address_is_told_by_its_engine(receiving: Receiving) -> None:
    """A device with several interfaces sends from the nearest; its key says that it is the one."""
    one, log, desk = receiving
    for engine in (UPS_ENGINE, bytes.fromhex("80001f8804616e6f7468")):
        options = [*v3_options("sha", ""), "-e", f"0x{engine.hex()}", "-Z", "3,1000"]
        await snmptrap(one.address[1], ["--clientaddr=127.0.0.2", *options])
    await until(lambda: log.received == 2)
    await until(lambda: desk.confirmed == ["ups"])
    assert (log.known, log.unknown, log.refused) == (1, 1, {})


async def test_a_v3_device_is_found_by_its_engine(tmp_path: Path, sink: Sink) -> None:
    """What net-snmp's agent calls itself, in a trap from another of its addresses."""
    clock, log = SystemClock(), TrapLog()
    wheel = Wheel(clock)
    wanted = v3_target("sha", "")
    async with netsnmp.snmpd(tmp_path, netsnmp.user_lines([("sha", "")])) as agent:
        url = parse_url(f"snmp3://{netsnmp.user_name('sha', '')}@127.0.0.1:{agent.port}")
        targets = [replace(wanted, url=url)]
        collector = SnmpCollector(targets, {"ups": UPS}, sink, clock, wheel, Counters())
        receiver = TrapReceiver(
            ("127.0.0.1", 0), targets, collector, log, clock, tmp_path / "engine.json"
        )
        engine_id = "1.3.6.1.6.3.10.2.1.1.0"
        options = v3_options("sha", "")
        asked = (*options, "-Oqvx", f"127.0.0.1:{agent.port}", engine_id)
        code, said = await netsnmp.run("snmpget", *asked)
        assert code == 0, said
        engine = "".join(said.replace('"', " ").split())
        async with asyncio.TaskGroup() as tasks, running(receiver):
            jobs = [tasks.create_task(one) for one in (wheel.run(), collector.run())]
            await until(lambda: bool(collector.devices_of(bytes.fromhex(engine))))
            sender = ["--clientaddr=127.0.0.2", *options, "-e", f"0x{engine}", "-Z", "3,1000"]
            await snmptrap(receiver.address[1], sender)
            await until(lambda: log.received == 1)
            for job in jobs:
                job.cancel()
    assert log.refused == {}
    (seen,) = log.kinds.values()
    assert (seen.source, seen.devices, seen.hint) == ("127.0.0.2", (wanted.device,), "on battery")


async def test_a_replayed_v3_trap_is_refused(receiving: Receiving) -> None:
    """Signed by the sender, but from before its last boot."""
    one, log, _ = receiving
    user = User("u-sha256-aes128", AUTH["sha256"], PRIV["aes128"], AUTH_PASSWORD, PRIV_PASSWORD)
    engine = bytes.fromhex("80001f880474657374")
    keys, ring = KeyRing().keys(user, engine), trap_pdu(ON_BATTERY)
    flags = v3.AUTHENTIC | v3.PRIVATE
    old, new = (
        v3.build(77, flags, user, keys, (engine, boots, 10), v3.scope(engine, b"", ring), bytes(8))
        for boots in (3, 4)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in (old, new, old):
            sock.sendto(data, one.address)
    await until(lambda: log.received == 3)
    assert log.known == 2
    assert log.refused == {"outside the time window (replayed?)": 1}


def trap_pdu(oid: str, more: bytes = b"") -> bytes:
    binds = tlv(SEQUENCE, tlv(OBJECT_ID, encode_oid("1.3.6.1.2.1.1.3.0")) + tlv(0x43, b"\x01"))
    name = tlv(OBJECT_ID, encode_oid("1.3.6.1.6.3.1.1.4.1.0"))
    binds += tlv(SEQUENCE, name + tlv(OBJECT_ID, encode_oid(oid))) + more
    return tlv(TRAP, encode_integer(1) + encode_integer(0) * 2 + tlv(SEQUENCE, binds))


def v1_pdu(specific: int) -> bytes:
    head = tlv(OBJECT_ID, encode_oid("1.3.6.1.4.1.99999")) + tlv(0x40, bytes((192, 0, 2, 1)))
    numbers = encode_integer(6) + encode_integer(specific) + tlv(0x43, b"\x01")
    return tlv(TRAP_V1, head + numbers + tlv(SEQUENCE, b""))


def v2c_trap(oid: str, more: bytes = b"") -> bytes:
    return tlv(SEQUENCE, encode_integer(1) + tlv(OCTETS, b"any") + trap_pdu(oid, more))


async def test_nonsense_is_counted(receiving: Receiving) -> None:
    one, log, _ = receiving
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in (b"", b"\x30", b"hello", v2c_trap(ON_BATTERY)[:-3]):
            sock.sendto(data, one.address)
    await until(lambda: log.received == 4)
    assert log.refused == {"malformed": 4}


def test_our_engine_counts_its_starts(tmp_path: Path) -> None:
    first = Engine.started(tmp_path / "e.json")
    second = Engine.started(tmp_path / "e.json")
    assert first.engine_id == second.engine_id
    assert second.boots == first.boots + 1


async def test_a_storm_of_10_000_traps_delays_no_poll(
    agent: ReplayAgent, profiles: dict[str, Profile], sink: Sink, tmp_path: Path
) -> None:
    """Confirming polls come once a second; the regular ones start when they are due."""
    clock, log, counters = SystemClock(), TrapLog(), Counters()
    wheel = Wheel(clock)
    wanted = [target("ups", agent.port, Intervals(0.5, 0.5, 0.5))]
    collector = SnmpCollector(wanted, profiles, sink, clock, wheel, counters)
    receiver = TrapReceiver(
        ("127.0.0.1", 0), wanted, collector, log, clock, tmp_path / "engine.json"
    )
    async with asyncio.TaskGroup() as tasks, running(receiver):
        jobs = [tasks.create_task(one) for one in (wheel.run(), collector.run())]
        await sink.until(lambda: len(sink.batches) >= 3)
        asked, began = agent.requests, clock.now()
        await asyncio.to_thread(_storm, receiver.address, v2c_trap(ON_BATTERY), 10_000)
        await until(lambda: log.received == 10_000)
        batches = len(sink.batches)
        await sink.until(lambda: len(sink.batches) >= batches + 2)
        lasted = clock.now() - began
        for job in jobs:
            job.cancel()
    assert log.known > 0
    assert sum(log.dropped.values()) == 10_000 - log.known
    assert set(log.dropped) == {"known traps: over 100 a second from one sender"}
    assert counters.late == 0
    polls = agent.requests - asked
    assert polls <= 2 * (2 * lasted + lasted + 2)  # requests: two intervals' worth, confirmed


STORMS = {
    "unknown traps": [v2c_trap(f"1.3.6.1.4.1.99999.0.{n}") for n in range(3000)],
    "traps of v1": [
        tlv(SEQUENCE, encode_integer(0) + tlv(OCTETS, b"any") + v1_pdu(n)) for n in range(3000)
    ],
    "nonsense": [bytes([n % 256]) * 40 for n in range(3000)],
    "v3 of nobody": [
        v3.build(
            n,
            v3.REPORTABLE,
            User("nobody"),
            KeyRing().keys(User("nobody"), b"12345"),
            (b"", 0, 0),
            b"",
        )
        for n in range(3000)
    ],
}


@pytest.mark.parametrize("storm", STORMS)
async def test_a_storm_of_what_nobody_knows_starves_no_inform_and_no_known_trap(
    receiving: Receiving, storm: str
) -> None:
    """All from one address, all in one second (the clock stands)."""
    one, log, _ = receiving
    for data in STORMS[storm]:
        one.datagram_received(data, ("127.0.0.1", 9))
    where = f"127.0.0.1:{one.address[1]}"
    for options in (["-v2c", "-c", "any"], v3_options("sha256", "aes128")):
        code, said = await netsnmp.run(
            "snmpinform", "-t", "1", "-r", "0", *options, where, "", UNKNOWN
        )
        assert (code, said) == (0, "")
    await snmptrap(one.address[1], [*v3_options("sha", ""), "-e", "0x80001f880474657374"])
    await snmptrap(one.address[1], ["-v2c", "-c", "any"])
    await until(lambda: log.known == 2)
    assert log.informs == 2
    reason = "other traps: over 100 a second from one sender"
    assert log.dropped == {reason: len(STORMS[storm]) - 100}
    assert len(log.kinds) <= 500


def test_many_senders_share_the_budget_of_a_kind_and_no_other() -> None:
    budgets = Budgets()
    took = Counter(
        (kind, budgets.refusal(kind, f"192.0.2.{n}", 7.0))
        for kind in (Kind.OTHER, Kind.INFORM)
        for n in range(250)
        for _ in range(3)
    )
    for kind in (Kind.OTHER, Kind.INFORM):
        assert took[kind, ""] == 500
        assert took[kind, f"{kind}: over 500 a second in all"] == 250
    assert budgets.refusal(Kind.OTHER, "192.0.2.1", 8.0) == ""


def _storm(where: tuple[str, int], data: bytes, count: int) -> None:
    """As fast as one sender can, in handfuls that the socket's buffer holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for n in range(count):
            sock.sendto(data, where)
            if n % 50 == 49:
                time.sleep(0.002)
