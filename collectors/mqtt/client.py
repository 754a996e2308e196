"""One connection to one broker: connects, subscribes, hands over what comes, and comes back."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

import aiomqtt

from collectors.base import Credentials, Url
from dcim import log
from dcim.clock import Clock

MAX_QUEUED = 5000  # messages between the socket and the decoder; what comes on top is dropped
BACKOFF_FIRST_S = 1.0
BACKOFF_LAST_S = 60.0
_CONNECT_TIMEOUT_S = 10.0
_TOPICS_A_PACKET = 500
_REFUSED = 0x80  # return code of SUBACK. Source: MQTT 3.1.1, section 3.9.3
_STEADY_S = 10.0  # a connection that held so long starts the back-off anew

Take = Callable[[str, bytes, bool], None]  # topic, payload, retained

_log = log.get("mqtt")


class BrokerLost(Exception):
    """The broker refused us, does not answer, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one connection is made from; targets that share it share the connection."""

    host: str
    port: int
    tls: bool
    credentials: Credentials

    @classmethod
    def of(cls, url: Url, credentials: Credentials) -> "Endpoint":
        """The broker of a target; user and password in the URL go before the credentials'."""
        if url.user:
            credentials = replace(credentials, user=url.user, password=url.password)
        return cls(url.host, url.port, url.scheme == "mqtts", credentials)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """The bounded queue of a connection; counts what it drops."""

    dropped = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        self.dropped += self.full()
        super().put_nowait(item)


async def listen(
    endpoint: Endpoint,
    topics: Collection[str],
    take: Take,
    *,
    subscribed: Callable[[], None] = lambda: None,
    dropped: Callable[[int], None] = lambda count: None,
) -> None:
    """Hand every message of `topics` to `take` until the connection ends in BrokerLost."""
    inbox = Inbox(MAX_QUEUED)
    try:
        async with _client(endpoint, inbox) as client:
            await _subscribe(client, sorted(topics))
            subscribed()
            async for message in client.messages:
                take(message.topic.value, message.payload, message.retain)
                while not inbox.empty():
                    more = inbox.get_nowait()
                    take(more.topic.value, more.payload, more.retain)
                if inbox.dropped:
                    dropped(inbox.dropped)
                    inbox.dropped = 0
    except (aiomqtt.MqttError, OSError) as error:
        raise BrokerLost(f"broker {endpoint}: {_reason(error)}") from error


async def _subscribe(client: aiomqtt.Client, topics: Sequence[str]) -> None:
    for start in range(0, len(topics), _TOPICS_A_PACKET):
        part = topics[start : start + _TOPICS_A_PACKET]
        granted = await client.subscribe([(topic, 1) for topic in part])
        for topic, qos in zip(part, granted, strict=True):
            if qos == _REFUSED:
                _log.warning("subscription refused", topic=topic)


async def stay_connected(
    endpoint: Endpoint,
    topics: Collection[str],
    take: Take,
    clock: Clock,
    *,
    lost: Callable[[str], None],
    subscribed: Callable[[], None],
    dropped: Callable[[int], None],
) -> None:
    """Listen for ever: come back after 1, 2, 4 ... 60 s when the broker is lost."""
    wait_s = BACKOFF_FIRST_S
    while True:
        started = clock.now()
        try:
            await listen(endpoint, topics, take, subscribed=subscribed, dropped=dropped)
        except BrokerLost as error:
            if clock.now() - started >= _STEADY_S:
                wait_s = BACKOFF_FIRST_S
            _log.warning("broker lost", broker=str(endpoint), reason=str(error), retry_s=wait_s)
            lost(str(error))
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, BACKOFF_LAST_S)


def _client(endpoint: Endpoint, inbox: Inbox) -> aiomqtt.Client:
    """MQTT 3.1.1, clean session: half the CPU of MQTT 5 (reference/mqtt/NOTES.md section 7)."""
    secret = endpoint.credentials
    quiet = logging.getLogger("collectors.mqtt.paho")
    quiet.setLevel(logging.CRITICAL)  # what it would say of each dropped message, `dropped` counts
    tls = aiomqtt.TLSParameters(
        ca_certs=secret.ca_file or None,
        certfile=secret.cert_file or None,
        keyfile=secret.key_file or None,
    )
    return aiomqtt.Client(
        endpoint.host,
        endpoint.port,
        username=secret.user or None,
        password=secret.password or None,
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        timeout=_CONNECT_TIMEOUT_S,
        keepalive=20,
        logger=quiet,
        # aiomqtt makes the queue itself, with its own bound; this one is ours and counts
        queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: inbox),
        tls_params=tls if endpoint.tls else None,
    )


def _reason(error: Exception) -> str:
    return str(error.__cause__ or error) or type(error).__name__
