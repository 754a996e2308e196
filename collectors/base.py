"""What every collector is given and gives: targets in; identities, expectations and batches out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from dcim.model.reading import Batch, Identity, Outage, OutageKind, Reading


class CollectError(Exception):
    """A device is silent, refuses or talks nonsense. Becomes a published Outage."""

    def __init__(self, kind: OutageKind, detail: str) -> None:
        super().__init__(detail)
        self.outage = Outage(kind, detail)


class Sink(Protocol):
    """Where a collector's results go (the hub, or the probe's list)."""

    def identified(self, identity: Identity) -> None:
        """The device is known now; comes before its first `expect`."""

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        """All points of a device, each with the seconds of silence after which it is stale."""

    def publish(self, batch: Batch) -> None: ...


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between polls, by group."""

    fast: float = 1.0
    normal: float = 10.0
    slow: float = 3600.0


@dataclass(frozen=True, slots=True)
class Override:
    """A site's correction of one point of gear that lies; applied after the profile."""

    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets of one `[credentials.NAME]`, resolved from environment or file. Never printed."""

    community: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    auth_protocol: str = ""  # SNMPv3: md5, sha, sha224 ... sha512, or none: without protection
    auth_key: str = field(default="", repr=False)
    priv_protocol: str = ""  # SNMPv3: des, aes128, aes192, aes256, aes192c, aes256c
    priv_key: str = field(default="", repr=False)
    context: str = ""
    ca_file: str = ""  # TLS
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One device to be collected."""

    device: str  # object id
    url: "Url"
    profile: str = "auto"
    intervals: Intervals = Intervals()
    credentials: Credentials = Credentials()
    override: Mapping[str, Override] = field(default_factory=dict)  # by `component/metric`


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds that a device publishes for one of its points, in the registry's unit."""

    low_critical: float | None = None
    low_warning: float | None = None
    high_warning: float | None = None
    high_critical: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one look at a device gave: what it is, and everything it says, read once."""

    identity: Identity  # kind, vendor and model are empty where it could not be told
    readings: list[Reading]
    outage: Outage | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict)  # by point
    notes: Sequence[str] = ()  # points that were left out, and why
    plan: Sequence[str] = ()  # the requests of one poll, where the protocol plans them


SCHEMES = {
    "snmp": "snmp",
    "snmp3": "snmp",
    "modbus": "modbus",
    "modbus+rtu": "modbus",
    "modbus+rtutcp": "modbus",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
}
AUTH_PROTOCOLS = ("none", "md5", "sha", "sha224", "sha256", "sha384", "sha512")
PRIV_PROTOCOLS = ("des", "aes128", "aes192", "aes256", "aes192c", "aes256c")
SHORTEST_KEY = 8  # characters of a password of SNMPv3; RFC 3414 section 11.2
_LINK = ("baud", "parity", "gap", "timeout_s", "max_registers", "max_bits", "in_flight")
_LINK_MORE = ("connect_delay_s", "request_delay_s", "any_transaction")
QUERY_KEYS = {  # by protocol; secrets have no place in a URL's query
    "snmp": ("profile", "credentials", "version"),
    "snmp3": ("profile", "credentials", "auth", "priv", "context"),
    "modbus": ("profile", *_LINK, *_LINK_MORE),
    "mqtt": ("profile", "credentials", "listen_s", "expect_s"),
}
_CHOICES = {"version": ("1", "2c"), "auth": AUTH_PROTOCOLS, "priv": PRIV_PROTOCOLS}
_SECRET = re.compile("key|pass|secret|token|community|user", re.IGNORECASE)
_PORTS = {"snmp": 161, "snmp3": 161, "modbus": 502, "mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Url:
    """A device's URL (DESIGN section 4)."""

    scheme: str
    host: str
    port: int
    path: str = ""  # Modbus unit, MQTT topic, serial device
    user: str = field(default="", repr=False)  # SNMP community or user, MQTT user
    password: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        return SCHEMES[self.scheme]

    def __str__(self) -> str:
        """Without secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port in (0, _PORTS.get(self.scheme)) else f":{self.port}"
        user = f"{self.user}@" if self.scheme == "snmp3" and self.user else ""
        path = self.path if self.path.startswith("/") or not self.path else f"/{self.path}"
        query = "&".join(f"{k}={v}" for k, v in self.query.items())
        return f"{self.scheme}://{user}{host}{port}{path}" + (f"?{query}" if query else "")


def parse_url(text: str) -> Url:
    """Take a device URL apart; ValueError says what is wrong with it."""
    scheme = text.partition("://")[0]
    if "://" not in text or scheme not in SCHEMES:
        known = ", ".join(f"{s}://" for s in SCHEMES)
        raise ValueError(f"not a device URL: {masked(text)!r}; expected one of {known}")
    # urlsplit only knows the authority of schemes written with these characters; ours all are
    parts = urlsplit(text)
    query = _query(scheme, parts.query, text)
    if "#" in text:
        raise ValueError(f"expected a URL without # (as text %23), in {masked(text)!r}")
    if scheme == "modbus+rtu":
        device, _, unit = parts.path.rpartition("/")
        if not device or not unit.isdigit():
            raise ValueError(f"expected modbus+rtu:///dev/TTY/UNIT, found {masked(text)!r}")
        return Url(scheme, device, 0, unit, query=query)
    if not parts.hostname:
        raise ValueError(f"no host in {masked(text)!r}")
    try:
        port = parts.port or _PORTS.get(scheme, 0)
    except ValueError as error:
        raise ValueError(f"bad port in {masked(text)!r}: {error}") from None
    path = unquote(parts.path.removeprefix("/"))
    if scheme.startswith("modbus") and not (path.isdigit() and int(path) <= 255):
        raise ValueError(
            f"expected {scheme}://HOST[:PORT]/UNIT with UNIT 0..255, found {masked(text)!r}"
        )
    if scheme.startswith("mqtt"):
        _check_mqtt(path, query, text)
    if not port:
        raise ValueError(f"{scheme}:// needs a port: {masked(text)!r}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    userless = scheme.startswith("modbus") and parts.username is not None
    if userless or (parts.password is not None and not scheme.startswith("mqtt")):
        raise ValueError(f"expected {_INSTEAD[SCHEMES[scheme]]}, in {masked(text)!r}")
    return Url(scheme, parts.hostname, port, path, user, password, query)


_INSTEAD = {
    "snmp": "no password before the @ (keys: [credentials] by ?credentials=NAME, or the variables "
    "DCIM_SNMP3_AUTH and DCIM_SNMP3_PRIV; a colon in a community: %3A)",
    "modbus": "no user and no password: Modbus knows none",
}


def _query(scheme: str, text: str, url: str) -> dict[str, str]:
    """The query's keys and values; ValueError names those that have no meaning, never a value."""
    query = {k: v[-1] for k, v in parse_qs(text, keep_blank_values=True).items()}
    known = _known_keys(scheme)
    unknown = [key for key in query if key not in known]
    if unknown:
        named = "credentials" in known and any(map(_SECRET.search, unknown))
        secret = "; secrets stand in [credentials], by ?credentials=NAME" if named else ""
        raise ValueError(f"expected a query of {', '.join(known)}{secret}, in {masked(url)!r}")
    for key, choices in _CHOICES.items():
        if query.get(key, choices[0]) not in choices:
            raise ValueError(f"expected {key}={'|'.join(choices)}, in {masked(url)!r}")
    return query


def _known_keys(scheme: str) -> Sequence[str]:
    return QUERY_KEYS.get(scheme) or QUERY_KEYS.get(SCHEMES.get(scheme, ""), ())


def _check_mqtt(topic: str, query: Mapping[str, str], text: str) -> None:
    """A plain topic of at most 512 characters, and seconds where seconds are due."""
    if not topic or len(topic) > 512 or any(sign in topic for sign in "+#\0"):
        raise ValueError(f"expected mqtt://HOST[:PORT]/TOPIC without + or #, in {masked(text)!r}")
    for key in ("listen_s", "expect_s"):
        seconds = query.get(key, "1")
        if not seconds.replace(".", "", 1).isdecimal() or float(seconds) <= 0:
            raise ValueError(f"{key} must be seconds above 0, found {seconds!r}")


def masked(text: str) -> str:
    """A URL without what may be a secret: before the @, and in the query what is not ours."""
    scheme, sep, rest = text.partition("://") if "://" in text else ("", "", text)
    place, mark, query = rest.partition("?")
    if "@" in query or "#" in rest:  # a secret that was not quoted: no telling where it ends
        return f"{scheme}{sep}***"
    _, at, where = place.rpartition("@")
    pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
    shown = [f"{k if eq else '***'}{eq}{_shown(scheme, k, v)}" for k, eq, v in pairs]
    return f"{scheme}{sep}{'***@' if at else ''}{where}{mark}{'&'.join(shown)}"


def _shown(scheme: str, key: str, value: str) -> str:
    fits = value in _CHOICES.get(key, (value,)) and re.fullmatch(r"[\w.-]*", value)
    return value if fits and key in _known_keys(scheme) else "***" if value else ""


def stale_after_s(interval_s: float) -> float:
    """The rule of DESIGN section 2 for polled points."""
    return max(3 * interval_s, 5.0)
