"""One attempt to deliver one webhook: where it may go, how it is sent, what came of it."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpx

from dcim.clock import Clock
from dcim.notify import sign

TIMEOUT_S = 15.0  # Source: Standard Webhooks 1.0.0, 15 to 30 s
MAX_RETRY_AFTER_S = 300.0  # an alarm waits no longer than by our own schedule

_GONE = 410
_THROTTLE = (429, 502, 504)  # the receiver as a whole asks for less
_METADATA = frozenset(  # of clouds; those not link-local
    map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
ClientFactory = Callable[[], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver of webhooks."""

    name: str
    url: str = field(repr=False)  # may hold a token
    secrets: tuple[str, ...] = field(default=(), repr=False)  # two while a secret is changed
    min_priority: int = 4  # 1 critical ... 4 low: this and graver; 0: no alarms
    heartbeat_s: float | None = None  # a dead-man's switch: seconds between heartbeats
    allow_loopback: bool = False
    allow_hosts: tuple[str, ...] = ()  # host names that may be link-local or the like

    def keys(self) -> tuple[bytes, ...]:
        return tuple(map(sign.key_of, self.secrets))


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt."""

    ok: bool
    status: int | None
    error: str | None
    latency_s: float
    perhaps: bool = False  # no answer, though the receiver may have got it
    retry_after_s: float | None = None

    @property
    def gone(self) -> bool:
        """The receiver wants nothing more, for ever."""
        return self.status == _GONE

    @property
    def throttled(self) -> bool:
        return self.status in _THROTTLE


class Refused(Exception):
    """The address is one that a webhook must not reach."""


def http_client() -> httpx.AsyncClient:
    """A client as webhooks want it: no redirects, no proxy from the environment.

    Every message has its own connection: one that the receiver has closed meanwhile would
    cost the alarm a try.
    """
    return httpx.AsyncClient(
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def send(
    client: httpx.AsyncClient, hook: Webhook, message_id: str, body: bytes, clock: Clock
) -> Attempt:
    """POST a body once, signed for this attempt; never raises for what the network does."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    status = error = retry_after_s = None
    perhaps = False
    try:
        async with asyncio.timeout(TIMEOUT_S):
            response = await _post(client, hook, message_id, body, int(clock.now()))
        status = response.status_code
        error = None if response.is_success else f"answered {status}"
        retry_after_s = _retry_after(response.headers.get("retry-after"), clock.now())
    except Refused as refused:
        error = str(refused)
    except (httpx.ConnectError, httpx.ConnectTimeout, socket.gaierror) as failure:
        error = _reason(failure)
    except TimeoutError:
        error, perhaps = f"no answer within {TIMEOUT_S:g} s", True
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as failure:
        error, perhaps = _reason(failure), True
    latency_s = loop.time() - started
    return Attempt(error is None, status, error, latency_s, perhaps, retry_after_s)


def check_address(address: Address, hook: Webhook, host: str) -> None:
    """Refuse what a webhook must not reach: link-local, metadata, loopback unless allowed.

    Private ranges are normal in a plant and allowed. Source: NOTIFY.md section 1, SSRF.
    """
    if host in hook.allow_hosts:
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        if not hook.allow_loopback:
            raise Refused(f"{host} is this machine itself; allow_loopback = true permits it")
    elif (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
    ):
        raise Refused(f"{host} is at {address}: link-local, metadata or no unicast address")


async def _post(
    client: httpx.AsyncClient, hook: Webhook, message_id: str, body: bytes, timestamp: int
) -> httpx.Response:
    """Resolve, check, and connect to the very address that was checked."""
    url = httpx.URL(hook.url)
    headers = {
        "content-type": "application/json",
        "host": url.netloc.decode(),
        "user-agent": "dcim-suite",
        **sign.headers(hook.keys(), message_id, timestamp, body),
    }
    addresses = await _resolve(url, hook)
    for last, address in zip([False] * (len(addresses) - 1) + [True], addresses, strict=True):
        try:
            return await client.post(
                url.copy_with(host=str(address)),
                content=body,
                headers=headers,
                extensions={"sni_hostname": url.host},
            )
        except httpx.ConnectError:
            if last:
                raise
    raise Refused(f"{url.host} has no address")


async def _resolve(url: httpx.URL, hook: Webhook) -> list[Address]:
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused("a webhook's URL is http:// or https:// with a host")
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(info[4][0])) for info in found))
    for address in addresses:
        check_address(address, hook, url.host)
    return addresses


def _retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a Retry-After header, a number or a date; None where it is neither."""
    if value is None:
        return None
    try:
        seconds = (
            float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - now
        )
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _reason(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
