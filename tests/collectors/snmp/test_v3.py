"""SNMPv3 message by message: as pysnmp has it, and against a device that lies, repeats and forgets."""

# pysnmp and pyasn1 carry no types
# mypy: disable-error-code="no-untyped-call,attr-defined"

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ
from pysnmp.proto.mpmod.rfc3412 import ScopedPDU, SNMPv3Message
from pysnmp.proto.secmod.rfc3414.auth.hmacmd5 import HmacMd5
from pysnmp.proto.secmod.rfc3414.auth.hmacsha import HmacSha
from pysnmp.proto.secmod.rfc3414.priv.des import Des
from pysnmp.proto.secmod.rfc3414.service import UsmSecurityParameters, aes192, aes256
from pysnmp.proto.secmod.rfc3826.priv.aes import Aes
from pysnmp.proto.secmod.rfc7860.auth.hmacsha2 import HmacSha2

from collectors.base import (
    AUTH_PROTOCOLS,
    PRIV_PROTOCOLS,
    CollectError,
    Credentials,
    Target,
    parse_url,
)
from collectors.snmp import pdu, v3
from collectors.snmp.ber import (
    OBJECT_ID,
    OCTETS,
    SEQUENCE,
    Malformed,
    encode_integer,
    encode_oid,
    tlv,
)
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.engines import Engines, Timeline
from collectors.snmp.message import Again, Refused, Unauthentic, decode_pdu
from collectors.snmp.survey import access_of, user_of
from collectors.snmp.transport import Transport
from collectors.snmp.usm import AUTH, PRIV, KeyRing, Keys, User
from collectors.snmp.v3 import AUTHENTIC, PRIVATE, REPORTABLE, Usm
from dcim.config.tables import CredentialsTable
from dcim.model.reading import OutageKind

PASSWORD = "maplesyrup"
ENGINE = bytes.fromhex("80001f8804616263")
STATS = "1.3.6.1.6.3.15.1.1"
THEIR_AUTH: dict[str, Any] = {
    "md5": HmacMd5(),
    "sha": HmacSha(),
    **{
        f"sha{size}": HmacSha2((1, 3, 6, 1, 6, 3, 10, 1, 1, n))
        for n, size in ((4, 224), (5, 256), (6, 384), (7, 512))
    },
}
THEIR_PRIV: dict[str, Any] = {
    "des": Des(),
    "aes128": Aes(),
    "aes192": aes192.AesBlumenthal192(),
    "aes256": aes256.AesBlumenthal256(),
    "aes192c": aes192.Aes192(),
    "aes256c": aes256.Aes256(),
}
RING = KeyRing()  # keys of one password: hashing it anew for every example would take minutes
THEIR_MASTERS = {
    name: one.hash_passphrase(univ.OctetString(PASSWORD)) for name, one in THEIR_AUTH.items()
}

engine_ids = st.binary(min_size=5, max_size=32).filter(lambda b: 0 not in b)
numbers = st.integers(1, 2**31 - 2)
ids = st.integers(pdu.FIRST_ID, pdu.LAST_ID)
contexts = st.text(max_size=20)
names = st.text("abcdefghijklmnop-@.", min_size=1, max_size=32)
oids = st.lists(st.integers(0, 2**32 - 1), max_size=20).map(
    lambda tail: ".".join(map(str, (1, 3, *tail)))
)


def user(auth: str, priv: str, name: str = "lin") -> User:
    return User(name, AUTH.get(auth), PRIV.get(priv), PASSWORD, PASSWORD)


def level(one: User) -> int:
    return (AUTHENTIC if one.auth else 0) | (PRIVATE if one.priv else 0)


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("md5", "526f5eed9fcce26f8964c2930787d82b"),
        ("sha", "6695febc9288e36282235fc7151f128497b38f3f"),
    ],
)
def test_keys_are_those_of_the_standards_examples(auth: str, expected: str) -> None:
    """RFC 3414 A.3.1 and A.3.2."""
    engine_id = bytes.fromhex("000000000000000000000002")
    assert RING.keys(user(auth, ""), engine_id).auth.hex() == expected


SERVICE = {
    "md5": HmacMd5.SERVICE_ID,
    "sha": HmacSha.SERVICE_ID,
    **{
        f"sha{size}": (1, 3, 6, 1, 6, 3, 10, 1, 1, n)
        for n, size in enumerate((224, 256, 384, 512), 4)
    },
}


@pytest.mark.parametrize("priv", PRIV)
@pytest.mark.parametrize("auth", AUTH)
def test_keys_are_pysnmps(auth: str, priv: str) -> None:
    """Both ways of extension, where the hash is shorter than the key."""
    keys = RING.keys(user(auth, priv), ENGINE)
    master, engine = THEIR_MASTERS[auth], univ.OctetString(ENGINE)
    assert keys.auth == THEIR_AUTH[auth].localize_key(master, engine).asOctets()
    theirs = THEIR_PRIV[priv].localize_key(SERVICE[auth], master, engine)
    assert keys.priv == theirs.asOctets()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(AUTH)),
    st.sampled_from(["", *sorted(PRIV)]),
    engine_ids,
    st.tuples(numbers, numbers),
    names,
    contexts,
    ids,
    st.lists(oids, max_size=20),
)
def test_requests_are_understood_by_pysnmp(
    auth: str,
    priv: str,
    engine_id: bytes,
    clock: tuple[int, int],
    name: str,
    context: str,
    request_id: int,
    asked: list[str],
) -> None:
    """Header, digest, cipher and scoped PDU of our request, each taken apart by pysnmp."""
    one = user(auth, priv, name)
    access = met(one, engine_id, context)
    access.timeline.set(*clock)
    data = access.template(pdu.get([encode_oid(oid) for oid in asked])).message(request_id)
    message, rest = decoder.decode(data, asn1Spec=SNMPv3Message())
    assert not rest
    assert int(message["msgGlobalData"]["msgID"]) == request_id
    assert bytes(message["msgGlobalData"]["msgFlags"])[0] == level(one) | REPORTABLE
    security, _ = decoder.decode(
        bytes(message["msgSecurityParameters"]), asn1Spec=UsmSecurityParameters()
    )
    assert bytes(security["msgAuthoritativeEngineId"]) == engine_id
    assert bytes(security["msgUserName"]) == name.encode()
    told = tuple(int(security[f"msgAuthoritativeEngine{what}"]) for what in ("Boots", "Time"))
    assert told == clock
    keys = RING.keys(one, engine_id)
    THEIR_AUTH[auth].authenticate_incoming_message(
        univ.OctetString(keys.auth), security["msgAuthenticationParameters"], data
    )
    if not priv:
        scoped = message["msgData"]["plaintext"]
    else:
        parameters = (*clock, security["msgPrivacyParameters"])
        plain = THEIR_PRIV[priv].decrypt_data(
            univ.OctetString(keys.priv), parameters, message["msgData"]["encryptedPDU"]
        )
        scoped, _ = decoder.decode(bytes(plain), asn1Spec=ScopedPDU())
    assert bytes(scoped["contextEngineId"]) == engine_id
    assert bytes(scoped["contextName"]) == context.encode()
    inner = scoped["data"]["get-request"]
    assert int(inner["request-id"]) == request_id
    assert [str(bind[0]) for bind in inner["variable-bindings"]] == asked


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(AUTH)),
    st.sampled_from(["", *sorted(PRIV)]),
    engine_ids,
    st.tuples(numbers, numbers),
    ids,
    st.binary(max_size=300),
)
def test_responses_of_pysnmp_are_read(
    auth: str,
    priv: str,
    engine_id: bytes,
    clock: tuple[int, int],
    request_id: int,
    text: bytes,
) -> None:
    one = user(auth, priv)
    body = response(request_id, "1.3.6.1.2.1.1.1.0", tlv(OCTETS, text))
    data = theirs(one, engine_id, clock, request_id, body)
    answer = decode_pdu(met(one, engine_id).open(data))
    assert answer.request_id == request_id
    assert [bind.value for bind in answer.varbinds] == [text]


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_an_altered_response_is_never_taken(data: st.DataObject) -> None:
    """Whatever octet changes: not authentic, or not even a message."""
    one = user(data.draw(st.sampled_from(sorted(AUTH))), data.draw(st.sampled_from(["", "aes128"])))
    body = response(FIRST, "1.3.6.1.2.1.1.1.0", tlv(OCTETS, b"text"))
    whole = theirs(one, ENGINE, (3, 1000), FIRST, body)
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    altered = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    with pytest.raises((Malformed, Unauthentic)):
        met(one, ENGINE).open(altered)


FIRST = pdu.FIRST_ID


def theirs(
    one: User, engine_id: bytes, clock: tuple[int, int], request_id: int, body: bytes
) -> bytes:
    """A response as pysnmp encodes, encrypts and signs it."""
    keys = RING.keys(one, engine_id)
    security, message = UsmSecurityParameters(), SNMPv3Message()
    scoped = v3.scope(engine_id, b"", body)
    salt = b""
    message["msgVersion"] = 3
    header = message["msgGlobalData"]
    header["msgID"], header["msgMaxSize"] = request_id, 65507
    header["msgFlags"], header["msgSecurityModel"] = bytes([level(one)]), 3
    if one.priv is not None:
        cipher, salt = THEIR_PRIV[one.priv.name].encrypt_data(
            univ.OctetString(keys.priv), (*clock, b""), scoped
        )
        message["msgData"]["encryptedPDU"] = cipher
    else:
        plain, _ = decoder.decode(scoped, asn1Spec=ScopedPDU())
        message["msgData"]["plaintext"] = plain
    assert one.auth is not None
    for n, value in enumerate((engine_id, *clock, one.name, bytes(one.auth.size), salt)):
        security.setComponentByPosition(n, value)
    message["msgSecurityParameters"] = encoder.encode(security)
    whole = encoder.encode(message)
    signed = THEIR_AUTH[one.auth.name].authenticate_outgoing_message(
        univ.OctetString(keys.auth), whole
    )
    return bytes(signed)


def met(one: User, engine_id: bytes, context: str = "") -> Usm:
    """Access to a device that has told its engine id."""
    engines = Engines()
    engines.ring = RING
    access = Usm(one, ("192.0.2.1", 161), engines, lambda: 0.0, context)
    with pytest.raises(Again):
        access.open(report(f"{STATS}.4.0", FIRST, engine_id))
    return access


def response(request_id: int, oid: str, value: bytes, kind: int = pdu.RESPONSE) -> bytes:
    bind = tlv(SEQUENCE, tlv(OBJECT_ID, encode_oid(oid)) + value)
    zeros = encode_integer(0) * 2
    return tlv(kind, encode_integer(request_id) + zeros + tlv(SEQUENCE, bind))


def report(
    oid: str,
    request_id: int,
    engine_id: bytes = ENGINE,
    clock: tuple[int, int] = (1, 1),
    one: User | None = None,
) -> bytes:
    """A report; signed where a user is given."""
    body = response(request_id, oid, tlv(0x41, b"\x01"), pdu.REPORT)
    flags, keys = (AUTHENTIC, RING.keys(one, engine_id)) if one else (0, Keys())
    scoped = v3.scope(engine_id, b"", body)
    return v3.build(request_id, flags, one or User(""), keys, (engine_id, *clock), scoped)


def test_the_window_is_150_seconds_wide_and_moves_with_the_device() -> None:
    now = [0.0]
    timeline = Timeline(lambda: now[0])
    assert timeline.admits(3, 1000)
    now[0] = 200.0
    assert timeline.present() == (3, 1200)
    assert timeline.admits(3, 1200)
    assert timeline.admits(3, 1050)
    assert not timeline.admits(3, 1049)  # recorded, played again
    assert not timeline.admits(2, 99999)
    assert timeline.admits(4, 5)  # a reboot
    assert not timeline.admits(3, 1200)
    assert not timeline.admits(2**31 - 1, 0)


class Device(asyncio.DatagramProtocol):
    """A v3 device of which a test says how it answers."""

    def __init__(self, one: User, answer: Callable[["Device", v3.Frame, bytes], list[bytes]]):
        self.user = one
        self.engine_id = ENGINE
        self.clock = (7, 5000)
        self.requests = 0
        self.away = False
        self._answer = answer

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self.requests += 1
        if self.away:
            return
        frame = v3.parse(data)
        if frame.engine_id != self.engine_id:
            out = [report(f"{STATS}.4.0", frame.message_id, self.engine_id)]
        elif frame.flags & AUTHENTIC and frame.boots != self.clock[0]:
            out = [report(f"{STATS}.2.0", frame.message_id, ENGINE, self.clock, self.user)]
        else:
            out = self._answer(self, frame, data)
        for one in out:
            self._transport.sendto(one, peer)

    def reply(self, frame: v3.Frame, message_id: int | None = None) -> bytes:
        """The right answer, if `message_id` is that of the question."""
        message_id = message_id or frame.message_id
        body = response(message_id, SYS_UP_TIME, tlv(0x43, b"\x05"))
        if self.user.auth is None:
            scoped = v3.scope(self.engine_id, b"", body)
            return v3.build(message_id, 0, self.user, Keys(), (self.engine_id, 0, 0), scoped)
        return theirs(self.user, self.engine_id, self.clock, message_id, body)


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    transports = []

    async def begin(
        answer: Callable[[Device, v3.Frame, bytes], list[bytes]], one: User | None = None
    ) -> Device:
        device = Device(one or user("sha256", "aes128"), answer)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: device, local_addr=("127.0.0.1", 0)
        )
        transports.append(transport)
        return device

    yield begin
    for transport in transports:
        transport.close()
    await asyncio.sleep(0)


def client_of(device: Device, transport: Transport, tries: int = 2, context: str = "") -> Client:
    peer = ("127.0.0.1", device.port)
    transport.engines.ring = RING
    access = Usm(device.user, peer, transport.engines, asyncio.get_running_loop().time, context)
    client = Client(transport, peer, access, tries=tries)
    client.stats.latency_s = 0.1
    return client


async def kind_of(client: Client) -> OutageKind:
    with pytest.raises(CollectError) as error:
        await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]))
    return error.value.outage.kind


async def test_meeting_a_device_takes_three_messages_and_each_poll_one(
    start: Start, transport: Transport
) -> None:
    device = await start(lambda d, frame, _: [d.reply(frame)])
    client = client_of(device, transport)
    assert await client.get([SYS_UP_TIME]) == {SYS_UP_TIME: 5}
    assert device.requests == 3
    await client.get([SYS_UP_TIME])
    assert device.requests == 4


async def test_an_altered_answer_is_ignored_and_the_true_one_taken(
    start: Start, transport: Transport
) -> None:
    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        true = device.reply(frame)
        return [true[:-1] + bytes([true[-1] ^ 1]), true]

    client = client_of(await start(answer), transport)
    assert await client.get([SYS_UP_TIME]) == {SYS_UP_TIME: 5}
    assert transport.counts.unauthentic == 1


async def test_a_device_that_only_sends_altered_answers_is_named(
    start: Start, transport: Transport
) -> None:
    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        true = device.reply(frame)
        return [true[:-1] + bytes([true[-1] ^ 1])]

    client = client_of(await start(answer), transport)
    assert await kind_of(client) is OutageKind.NOT_AUTHENTIC


async def test_a_replayed_answer_is_not_taken_for_a_new_one(
    start: Start, transport: Transport
) -> None:
    """The old message bears an old id; renamed, its signature is wrong."""
    kept: list[bytes] = []

    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        kept.append(device.reply(frame))
        old = kept[0].replace(v3.parse(kept[0]).message_id.to_bytes(4, "big"), _id(frame), 1)
        return [kept[0]] if len(kept) == 1 else [kept[0], old]

    client = client_of(await start(answer), transport)
    await client.get([SYS_UP_TIME])
    assert await kind_of(client) is OutageKind.NOT_AUTHENTIC
    assert transport.counts.unauthentic >= 1
    assert transport.counts.late >= 1


def _id(frame: v3.Frame) -> bytes:
    return frame.message_id.to_bytes(4, "big")


async def test_an_old_message_with_the_right_id_is_outside_the_window(
    start: Start, transport: Transport
) -> None:
    """Signed by the device itself, but long ago."""

    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        device.clock = (7, 4000)
        old = device.reply(frame)
        device.clock = (7, 5000)
        return [old]

    client = client_of(await start(answer), transport)
    assert await kind_of(client) is OutageKind.NOT_AUTHENTIC


async def test_an_answer_of_a_lower_security_level_is_not_taken(
    start: Start, transport: Transport
) -> None:
    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        body = response(frame.message_id, SYS_UP_TIME, tlv(0x43, b"\x05"))
        scoped = v3.scope(ENGINE, b"", body)
        return [v3.build(frame.message_id, 0, device.user, Keys(), (ENGINE, *device.clock), scoped)]

    client = client_of(await start(answer), transport)
    assert await kind_of(client) is OutageKind.NOT_AUTHENTIC


async def test_a_clock_that_never_comes_into_the_window_is_named(
    start: Start, transport: Transport
) -> None:
    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        return [report(f"{STATS}.2.0", frame.message_id, ENGINE, device.clock, device.user)]

    client = client_of(await start(answer), transport)
    assert await kind_of(client) is OutageKind.NOT_IN_WINDOW


async def test_an_unsigned_report_does_not_move_the_clock(
    start: Start, transport: Transport
) -> None:
    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        return [report(f"{STATS}.2.0", frame.message_id, ENGINE, (9, 9)), device.reply(frame)]

    client = client_of(await start(answer), transport)
    await client.get([SYS_UP_TIME])
    assert isinstance(client.access, Usm)
    assert client.access.timeline.present()[0] == 7


async def test_a_device_that_lost_its_boots_is_believed_again(
    start: Start, transport: Transport
) -> None:
    """Its clock goes back without a new number of boots; only its signed report can tell."""

    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        if abs(frame.time - device.clock[1]) > 150:
            return [report(f"{STATS}.2.0", frame.message_id, ENGINE, device.clock, device.user)]
        return [device.reply(frame)]

    device = await start(answer)
    client = client_of(device, transport)
    await client.get([SYS_UP_TIME])
    device.clock = (7, 3)
    assert await client.get([SYS_UP_TIME]) == {SYS_UP_TIME: 5}


async def test_a_privacy_key_changed_under_way_is_named_at_once(
    start: Start, transport: Transport
) -> None:
    """The device falls silent; asked for its time it tells that it is there."""
    silent = False

    def answer(device: Device, frame: v3.Frame, _: bytes) -> list[bytes]:
        return [] if silent else [device.reply(frame)]

    client = client_of(await start(answer), transport)
    await client.get([SYS_UP_TIME])
    silent = True
    assert await kind_of(client) is OutageKind.WRONG_PRIV_KEY
    silent = False
    assert await client.get([SYS_UP_TIME]) == {SYS_UP_TIME: 5}


@pytest.mark.parametrize("one", [user("sha256", "aes128"), user("sha256", ""), user("", "")])
async def test_a_device_that_is_away_is_a_timeout_however_well_it_was_known(
    start: Start, transport: Transport, one: User
) -> None:
    device = await start(lambda d, frame, _: [d.reply(frame)], one)
    client = client_of(device, transport, context="vlan-7")
    await client.get([SYS_UP_TIME])
    device.away = True
    with pytest.raises(CollectError) as error:
        await client.ask(pdu.get([encode_oid(SYS_UP_TIME)]))
    assert error.value.outage.kind is OutageKind.TIMEOUT
    assert "community" not in error.value.outage.detail


def test_a_conflict_of_engine_ids_names_few_devices_and_counts_the_others() -> None:
    engines = Engines()
    engines.ring = RING
    known = []
    for n in range(6):
        one = Usm(
            user("sha", "aes128"), ("192.0.2.1", 1000 + n), engines, lambda: 0.0, device=f"ups-{n}"
        )
        with pytest.raises(Again):
            one.open(report(f"{STATS}.4.0", FIRST))
        engines.claim(one)
        known.append(one)
    assert known[0].warning is not None
    assert known[0].warning.detail == "ups-1, ups-2 and 3 more have the same engine id"


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("", Credentials(auth_protocol="sha")),
        ("", Credentials(auth_protocol="sha", auth_key="k" * 8, priv_protocol="des")),
        ("", Credentials(priv_protocol="des", priv_key="k" * 8)),
        ("", Credentials()),  # never unprotected unless that is asked for
        ("", Credentials(community="public")),
        ("", Credentials(auth_key="k" * 8)),
        ("?auth=none", Credentials(auth_key="k" * 8)),
        ("", Credentials(auth_protocol="none", priv_protocol="des", priv_key="k" * 8)),
        ("", Credentials(auth_protocol="sha", auth_key="k" * 7)),
        ("", Credentials(auth_protocol="sha", auth_key="k" * 8, priv_key="k" * 8)),
        (
            "?priv=aes128",
            Credentials(auth_protocol="sha", auth_key="k" * 8, priv_key="k" * 7),
        ),
    ],
)
def test_credentials_that_can_be_of_no_use_are_named(query: str, given: Credentials) -> None:
    one = Target("d", parse_url(f"snmp3://lin@192.0.2.1{query}"), credentials=given)
    with pytest.raises(CollectError) as error:
        user_of(one)
    assert error.value.outage.kind is OutageKind.CREDENTIALS


@pytest.mark.parametrize(
    ("query", "given"), [("?auth=none", Credentials()), ("", Credentials(auth_protocol="none"))]
)
def test_no_protection_is_had_by_asking_for_it(query: str, given: Credentials) -> None:
    one = Target("d", parse_url(f"snmp3://lin@192.0.2.1{query}"), credentials=given)
    assert user_of(one) == User("lin")


def test_the_algorithms_are_everywhere_the_same() -> None:
    assert ("none", *AUTH) == AUTH_PROTOCOLS
    assert tuple(PRIV) == PRIV_PROTOCOLS
    fields = CredentialsTable.model_fields
    assert get_args(fields["auth_protocol"].annotation) == ("", *AUTH_PROTOCOLS)
    assert get_args(fields["priv_protocol"].annotation) == ("", *PRIV_PROTOCOLS)


async def test_secrets_are_in_no_representation(transport: Transport) -> None:
    """repr and errors of everything that holds them."""
    secrets = ("open sesame one", "open sesame two")
    given = Credentials(
        auth_protocol="sha", auth_key=secrets[0], priv_protocol="aes128", priv_key=secrets[1]
    )
    one = Target("d", parse_url("snmp3://lin@192.0.2.1"), credentials=given)
    access = access_of(one, ("192.0.2.1", 161), transport)
    assert isinstance(access, Usm)
    keys = KeyRing().keys(access.user, ENGINE)
    said = f"{one!r} {access.user!r} {keys!r} {access!r} {one.url}"
    assert not any(secret in said for secret in (*secrets, repr(keys.auth), repr(keys.priv)))


def test_reports_of_refusal_have_names_of_their_own() -> None:
    kinds = set()
    for n in (1, 3, 5, 6):
        with pytest.raises(Refused) as error:
            met(user("sha", "aes128"), ENGINE).open(report(f"{STATS}.{n}.0", FIRST))
        kinds.add(error.value.outage.kind)
    assert len(kinds) == 4
