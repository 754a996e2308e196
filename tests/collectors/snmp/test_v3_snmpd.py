"""SNMPv3 against net-snmp's agent: every pair of algorithms, and every way to be refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.base import CollectError, Credentials, Target, parse_url
from collectors.snmp import pdu
from collectors.snmp.ber import encode_oid
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.survey import access_of
from collectors.snmp.transport import Transport
from collectors.snmp.v3 import Usm
from dcim.model.reading import OutageKind
from tests.collectors.snmp import netsnmp
from tests.collectors.snmp.netsnmp import AUTH_PASSWORD, PRIV_PASSWORD, Snmpd, user_name

SYS_DESCR = "1.3.6.1.2.1.1.1.0"


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return netsnmp.all_users()


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Snmpd]:
    lines = netsnmp.user_lines([("", ""), ("sha256", ""), ("sha256", "aes128"), ("md5", "des")])
    async with netsnmp.snmpd(tmp_path, lines) as one:
        yield one


def target(port: int, auth: str = "", priv: str = "", name: str = "", context: str = "") -> Target:
    url = parse_url(f"snmp3://{name or user_name(auth, priv)}@127.0.0.1:{port}")
    return Target(
        "d",
        url,
        credentials=Credentials(
            auth_protocol=auth or "none",
            auth_key=AUTH_PASSWORD if auth else "",
            priv_protocol=priv,
            priv_key=PRIV_PASSWORD if priv else "",
            context=context,
        ),
    )


def client_of(transport: Transport, one: Target, tries: int = 2) -> Client:
    peer = ("127.0.0.1", one.url.port)
    return Client(transport, peer, access_of(one, peer, transport), tries=tries)


async def outage(transport: Transport, one: Target) -> OutageKind:
    client = client_of(transport, one)
    client.stats.latency_s = 0.05  # so that silence is told soon
    with pytest.raises(CollectError) as error:
        await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]))
    return error.value.outage.kind


async def test_every_pair_of_algorithms_is_understood_by_snmpd(
    tmp_path: Path, transport: Transport, pairs: list[tuple[str, str]]
) -> None:
    """Short and long, GET and walk, with each of the 43 users."""
    failed: dict[str, str] = {}
    async with netsnmp.snmpd(tmp_path, netsnmp.user_lines(pairs)) as one:
        for auth, priv in pairs:
            client = client_of(transport, target(one.port, auth, priv))
            try:
                values = await client.get([SYS_DESCR, SYS_UP_TIME])
                rows = await client.walk(["1.3.6.1.2.1.1.9.1.3"])
            except CollectError as error:
                failed[user_name(auth, priv)] = str(error.outage)
                continue
            if not isinstance(values[SYS_DESCR], bytes) or len(rows) < 3:
                failed[user_name(auth, priv)] = repr(values)
    assert failed == {}


async def test_an_unknown_user_is_named(agent: Snmpd, transport: Transport) -> None:
    kind = await outage(transport, target(agent.port, "sha256", "aes128", "nobody"))
    assert kind is OutageKind.UNKNOWN_USER


@pytest.mark.parametrize("priv", ["", "aes128"])
async def test_a_wrong_authentication_key_is_named(
    agent: Snmpd, transport: Transport, priv: str
) -> None:
    one = target(agent.port, "sha256", priv)
    wrong = replace(one.credentials, auth_key="wrong horse auth")
    kind = await outage(transport, replace(one, credentials=wrong))
    assert kind is OutageKind.WRONG_AUTH_KEY


@pytest.mark.parametrize(("auth", "priv"), [("sha256", "aes128"), ("md5", "des")])
async def test_a_wrong_privacy_key_is_named(
    agent: Snmpd, transport: Transport, auth: str, priv: str
) -> None:
    """net-snmp says nothing where it can not decrypt; the difference to silence is told."""
    one = target(agent.port, auth, priv)
    wrong = replace(one.credentials, priv_key="wrong staple priv")
    kind = await outage(transport, replace(one, credentials=wrong))
    assert kind is OutageKind.WRONG_PRIV_KEY


async def test_a_level_that_the_user_has_not_is_named(agent: Snmpd, transport: Transport) -> None:
    one = target(agent.port, "sha256", "aes128", user_name("sha256", ""))
    assert await outage(transport, one) is OutageKind.UNSUPPORTED_LEVEL


async def test_a_level_below_what_the_device_demands_is_no_access(
    agent: Snmpd, transport: Transport
) -> None:
    one = target(agent.port, "sha256", "", user_name("sha256", "aes128"))
    client = client_of(transport, one)
    response = await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]))
    assert response.status == pdu.ErrorStatus.AUTHORIZATION_ERROR


async def test_a_context_that_is_not_there_is_named(agent: Snmpd, transport: Transport) -> None:
    kind = await outage(transport, target(agent.port, "sha256", "aes128", context="elsewhere"))
    assert kind is OutageKind.UNKNOWN_CONTEXT


async def test_a_reboot_of_the_device_costs_no_answer(tmp_path: Path, transport: Transport) -> None:
    """Boots grow by one and the time begins anew; the same access goes on."""
    lines = netsnmp.user_lines([("sha", "aes128")])
    async with netsnmp.snmpd(tmp_path, lines) as one:
        client = client_of(transport, target(one.port, "sha", "aes128"))
        await client.get([SYS_UP_TIME])
        port = one.port
        before = _boots(client)
    async with netsnmp.snmpd(tmp_path, lines, port):
        values = await client.get([SYS_UP_TIME])
    assert isinstance(values[SYS_UP_TIME], int)
    assert _boots(client) == before + 1


async def test_another_device_at_the_old_address_is_met_anew(
    tmp_path: Path, transport: Transport
) -> None:
    lines = netsnmp.user_lines([("sha", "aes128")])
    async with netsnmp.snmpd(tmp_path / "a", lines) as one:
        client = client_of(transport, target(one.port, "sha", "aes128"))
        await client.get([SYS_UP_TIME])
        port = one.port
    async with netsnmp.snmpd(tmp_path / "b", lines, port):
        values = await client.get([SYS_UP_TIME])
    assert isinstance(values[SYS_UP_TIME], int)


async def test_two_devices_with_one_engine_id_are_both_named_and_both_read(
    tmp_path: Path, transport: Transport
) -> None:
    lines = [*netsnmp.user_lines([("sha", "aes128")]), "exactEngineID 0x80001f8804636c6f6e65"]
    async with (
        netsnmp.snmpd(tmp_path / "a", lines) as first,
        netsnmp.snmpd(tmp_path / "b", lines) as second,
    ):
        clients = [client_of(transport, target(o.port, "sha", "aes128")) for o in (first, second)]
        answers = await asyncio.gather(*(client.get([SYS_UP_TIME]) for client in clients))
    assert all(isinstance(values[SYS_UP_TIME], int) for values in answers)
    kinds = [client.access.warning.kind for client in clients if client.access.warning]
    assert kinds == [OutageKind.ENGINE_ID_CONFLICT] * 2


async def test_an_engine_id_that_was_only_said_is_no_conflict(
    tmp_path: Path, transport: Transport
) -> None:
    """Anybody can say an engine id; only whose answers are taken has it, while it is asked."""
    lines = [*netsnmp.user_lines([("sha", "aes128")]), "exactEngineID 0x80001f8804636c6f6e65"]
    async with (
        netsnmp.snmpd(tmp_path / "a", lines) as first,
        netsnmp.snmpd(tmp_path / "b", lines) as second,
    ):
        good = client_of(transport, target(first.port, "sha", "aes128"))
        await good.get([SYS_UP_TIME])
        one = target(second.port, "sha", "aes128")
        wrong = replace(one, credentials=replace(one.credentials, auth_key="wrong horse auth"))
        assert await outage(transport, wrong) is OutageKind.WRONG_AUTH_KEY
        stranger = client_of(transport, wrong)
        with pytest.raises(CollectError):
            await stranger.get([SYS_UP_TIME])
        assert good.access.warning is None
        other = client_of(transport, one)
        await other.get([SYS_UP_TIME])
        assert good.access.warning is not None
        del other
        assert good.access.warning is None


def _boots(client: Client) -> int:
    assert isinstance(client.access, Usm)
    return client.access.timeline.present()[0]
