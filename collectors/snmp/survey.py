"""Everything that a device says to its profiles, asked once: for the probe and for planning."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.base import SHORTEST_KEY, CollectError, ProbeResult, Target
from collectors.lint import judged, lint
from collectors.profile import Profile
from collectors.snmp.ber import Value
from collectors.snmp.client import Client
from collectors.snmp.identify import Found, describe, identify
from collectors.snmp.message import V1, V2C, Access, Community
from collectors.snmp.place import Answers
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.resolve import Resolved, resolve
from collectors.snmp.transport import Address, Transport
from collectors.snmp.usm import AUTH, PRIV, User
from collectors.snmp.v3 import Usm
from collectors.snmp.wanted import wanted
from dcim.clock import Clock
from dcim.model.metric import registry
from dcim.model.reading import Identity, Outage, OutageKind


@dataclass(slots=True)
class Survey:
    """A device as found: what it is, what it said, and its points."""

    found: Found
    identity: Identity
    answers: Answers
    columns: frozenset[str]  # walked: all their rows are in the answers
    resolved: Resolved


async def survey(
    client: Client, target: Target, profiles: Mapping[str, SnmpProfile], clock: Clock
) -> Survey:
    """Identify a device and read everything its profiles know. CollectError where it is silent."""
    found = await identify(client, profiles, target.profile)
    values: dict[str, Value] = {**found.system, **found.roots}
    client.max_varbinds = min([client.max_varbinds, *(p.max_varbinds for p in found.profiles)])
    client.bulk = client.bulk and all(p.bulk for p in found.profiles)
    want = wanted(found.profiles)
    values |= await client.get([oid for oid in want.scalars if oid not in values])
    for root, answer in (await client.after(list(want.roots))).items():
        if answer is not None and answer[0].startswith(root):
            values[answer[0]] = answer[1]
    values |= await client.walk(want.columns)
    answers = Answers(values)
    resolved = resolve(
        target.device, found.profiles, answers, registry(), clock.now(), target.override
    )
    _doubt(resolved)
    identity = describe(target.device, found, answers)
    return Survey(found, identity, answers, frozenset(want.columns), resolved)


def _doubt(resolved: Resolved) -> None:
    """Mark what contradicts itself, in the readings and for the polls to come."""
    found = lint([reading for reading in resolved.readings if reading is not None])
    for n, (binding, reading) in enumerate(zip(resolved.bindings, resolved.readings, strict=True)):
        if reading is not None and reading.point in found:
            resolved.readings[n] = judged(reading, found)
            binding.channel.doubtful = binding.channel.doubtful or found[reading.point]


async def probe(
    target: Target,
    profiles: Mapping[str, Profile],
    clock: Clock,
    transport: Transport | None = None,
) -> ProbeResult:
    """Identify one device and read it once. Many may share one transport."""
    own = transport is None
    transport = transport or Transport(asyncio.get_running_loop())
    try:
        peer = await peer_of(target)
        client = Client(transport, peer, access_of(target, peer, transport))
        await client.knock()
        done = await survey(client, target, snmp_profiles(profiles), clock)
    except CollectError as error:
        return ProbeResult(Identity(target.device, "", "", "", ()), [], error.outage)
    finally:
        if own:
            transport.close()
    outage = client.fault or client.access.warning
    if not done.found.profiles:
        detail = f"{done.found.unread}: {done.identity.identity}"
        outage = Outage(OutageKind.UNIDENTIFIED, detail)
    readings = [reading for reading in done.resolved.readings if reading is not None]
    return ProbeResult(done.identity, readings, outage, done.resolved.limits, done.resolved.notes)


def snmp_profiles(profiles: Mapping[str, Profile]) -> dict[str, SnmpProfile]:
    return {name: p for name, p in profiles.items() if isinstance(p, SnmpProfile)}


def access_of(target: Target, peer: Address, transport: Transport) -> Access:
    """Version and community, or user, of a target. CollectError where they can be of no use."""
    if target.url.scheme == "snmp3":
        user = user_of(target)
        context = target.url.query.get("context", target.credentials.context)
        now = asyncio.get_running_loop().time
        return Usm(user, peer, transport.engines, now, context, target.device)
    name = target.url.user or target.credentials.community or "public"
    version = V1 if target.url.query.get("version") == "1" else V2C
    return Community(version, name.encode())


def user_of(target: Target) -> User:
    """The v3 user of a target; algorithms may stand in its URL. CollectError says what lacks.

    Unprotected only where it is asked for: auth = "none".
    """
    given, query = target.credentials, target.url.query
    name = target.url.user or given.user
    asked = query.get("auth", given.auth_protocol)
    auth = AUTH.get(asked)
    priv = PRIV.get(query.get("priv", given.priv_protocol))
    short = f"is shorter than {SHORTEST_KEY} characters (RFC 3414 section 11.2)"
    lacks = [
        (not name, "no user"),
        (not asked, 'no authentication ("none" asks without any protection)'),
        (
            priv is not None and auth is None,
            "privacy without authentication, which SNMPv3 does not have (RFC 3411 section 3.4.3)",
        ),
        (auth is not None and not given.auth_key, "no authentication key"),
        (priv is not None and not given.priv_key, "no privacy key"),
        (priv is None and given.priv_key, "a privacy key, but no algorithm for it"),
        (auth is None and given.auth_key, "an authentication key, but no algorithm for it"),
        (
            auth is not None and len(given.auth_key) < SHORTEST_KEY,
            f"the authentication key {short}",
        ),
        (priv is not None and len(given.priv_key) < SHORTEST_KEY, f"the privacy key {short}"),
    ]
    for wrong, what in lacks:
        if wrong:
            raise CollectError(OutageKind.CREDENTIALS, what)
    return User(name, auth, priv, given.auth_key, given.priv_key)


async def peer_of(target: Target) -> Address:
    """The numeric address behind a target's host name."""
    loop = asyncio.get_running_loop()
    host, port = target.url.host, target.url.port
    try:
        infos: Sequence[tuple[object, ...]] = await loop.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM
        )
    except OSError as error:
        raise CollectError(OutageKind.UNREACHABLE, f"{host}: {error.strerror}") from None
    address = infos[0][4]
    assert isinstance(address, tuple)
    return str(address[0]), int(address[1])
