"""One reading, the batch that brings it, and the outage that comes instead."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple


class Quality(StrEnum):
    """How far a value may be trusted, best first; a derived reading takes the worst of its inputs."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    STALE = "stale"
    BAD = "bad"


QUALITY_RANK = {quality: rank for rank, quality in enumerate(Quality)}


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a derived reading, as it was when used."""

    point: str
    value: float | None
    age_s: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class Derivation:
    """Where a derived reading comes from."""

    formula: str  # id of the metric rule, "pue"
    version: int
    inputs: tuple[Input, ...]
    coverage: float  # 0..1, share of the inputs that were usable
    uncertainty: float | None = None  # absolute, in the reading's unit, one standard deviation
    category: int | None = None  # of a PUE: where IT energy is measured, 1..3


class Reading(NamedTuple):
    """What one point was at one time.

    `value` is in the registry's unit for the point's metric (None where there is none);
    a state has `state`, a code of the registry, and `raw`, the number on the wire.
    `ts` is UTC seconds: receipt of the frame, or the payload's own plausible time.
    """

    point: str
    value: float | None
    ts: float
    quality: Quality = Quality.GOOD
    reason: str | None = None
    state: str | None = None
    raw: int | None = None
    source: str | None = None
    derivation: Derivation | None = None

    @property
    def metric(self) -> str:
        return metric_of(self.point)


class OutageKind(StrEnum):
    """Why a device gave nothing, or less than asked."""

    # any protocol
    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    MALFORMED = "malformed"
    FOREIGN = "foreign"  # an answer from another address
    UNIDENTIFIED = "unidentified"
    MISIDENTIFIED = "misidentified"
    CREDENTIALS = "credentials"
    # SNMP
    TOO_BIG = "too_big"
    GEN_ERR = "gen_err"
    NOT_INCREASING = "not_increasing"
    NO_ACCESS = "no_access"
    # SNMPv3
    UNKNOWN_USER = "unknown_user"
    WRONG_AUTH_KEY = "wrong_auth_key"
    WRONG_PRIV_KEY = "wrong_priv_key"
    UNSUPPORTED_LEVEL = "unsupported_level"
    NOT_IN_WINDOW = "not_in_window"  # clocks of device and suite do not come together
    UNKNOWN_ENGINE = "unknown_engine"
    UNKNOWN_CONTEXT = "unknown_context"
    ENGINE_ID_CONFLICT = "engine_id_conflict"  # two devices with one engine id
    NOT_AUTHENTIC = "not_authentic"  # altered or replayed
    # Modbus
    ILLEGAL_FUNCTION = "illegal_function"
    ILLEGAL_ADDRESS = "illegal_address"
    ILLEGAL_VALUE = "illegal_value"
    DEVICE_FAILURE = "device_failure"
    BUSY = "busy"
    GATEWAY_PATH = "gateway_path"
    GATEWAY_TARGET = "gateway_target"
    WRONG_UNIT = "wrong_unit"
    WRONG_TRANSACTION = "wrong_transaction"
    WRONG_FUNCTION = "wrong_function"
    SHORT_FRAME = "short_frame"
    OVERSIZED_FRAME = "oversized_frame"
    BAD_CHECKSUM = "bad_checksum"
    # MQTT
    BROKER = "broker"
    OFFLINE = "offline"  # the device's own availability topic says so
    SILENT = "silent"  # nothing within expect_s


@dataclass(frozen=True, slots=True)
class Outage:
    """A poll or push that failed, wholly or in part. News, not a crash."""

    kind: OutageKind
    detail: str  # one line for people, no secrets


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll of one device gave, or one pushed message.

    `outage` with no readings: the device gave nothing. `outage` with readings: it gave less
    than asked, the rest is intact. No outage: the device is well.
    """

    device: str
    ts: float
    readings: Sequence[Reading] = ()
    outage: Outage | None = None
    protocol: str = ""  # snmp, modbus, mqtt; empty for what the agent itself derives


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device turned out to be."""

    device: str
    kind: str
    vendor: str
    model: str
    profiles: tuple[str, ...]
    identity: str = ""  # what identified it, for people: "sysObjectID 1.3.6.1.4.1.318.1.3.4.8"
    candidates: tuple[str, ...] = ()
    inventory: dict[str, str] = field(default_factory=dict)  # serial, firmware, ...


def metric_of(point: str) -> str:
    """`ups-a/output/L1/voltage` -> `voltage`."""
    return point.rpartition("/")[2]


def object_of(point: str) -> str:
    """`ups-a/output/L1/voltage` -> `ups-a`."""
    return point.partition("/")[0]


def component_of(point: str) -> str:
    """`ups-a/output/L1/voltage` -> `output/L1`; empty where the point is the object's own."""
    return point.partition("/")[2].rpartition("/")[0]


def address(object_id: str, component: str, metric: str) -> str:
    return f"{object_id}/{component}/{metric}" if component else f"{object_id}/{metric}"


def few(names: Sequence[str], most: int = 2) -> str:
    """For people: names, or where they are many the first of them and how many more."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def rfc3339(ts: float) -> str:
    """UTC with milliseconds: `2026-11-22T03:14:05.123Z`."""
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def worst(qualities: Sequence[Quality]) -> Quality:
    return max(qualities, key=QUALITY_RANK.__getitem__, default=Quality.GOOD)
