"""The tables of dcim.toml as a person writes them (DESIGN section 3); unknown keys are faults."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from collectors.base import parse_url
from dcim.model.asset import KINDS, MeterRole
from dcim.storage.store import parse_store

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN_HASH = re.compile(r"scrypt\$\d+\$\d+\$\d+\$[A-Za-z0-9+/=_-]+\$[A-Za-z0-9+/=_-]+")


def _object_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("an id of lower-case letters, digits, - and _, beginning with no - or _")
    return value


def _env_name(value: str) -> str:
    if not _ENV.fullmatch(value):
        raise ValueError("the name of an environment variable")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('a name of the time zone database, as "Asia/Shanghai"') from None
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("HOST:PORT")
    return value


def _store(value: str) -> str:
    try:
        parse_store(value)
    except ValueError:
        raise ValueError("embedded:DIR or influx://HOST:PORT/ORG/BUCKET") from None
    return value


def _token_hash(value: str) -> str:
    if not _TOKEN_HASH.fullmatch(value):
        raise ValueError("a hash as `dcim user add` writes it")
    return value


def _device_url(value: str) -> str:
    try:
        url = parse_url(value)
    except ValueError as error:
        raise ValueError(_wanted(str(error))) from None
    if url.password or (url.user not in ("", "public") and url.scheme != "snmp3"):
        raise ValueError("an address without a secret: put that into [credentials.NAME]")
    return value


def _wanted(message: str) -> str:
    """What parse_url wants, without the value, which stands there already."""
    expected = re.search(r"expected (.+?)(?=, found |, in |$)", message)
    if expected:
        return f"a device URL: {expected[1]}"
    return f"a device URL ({re.split(r'(?::| in|, found) ', message)[0]})"


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL that begins with https:// or http://")
    return value


def _feed(value: str) -> str:
    if value not in ("A", "B"):
        raise ValueError('"A" or "B"')
    return value


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"one of {', '.join(sorted(KINDS))}")
    return value


ObjectId = Annotated[str, Field(max_length=64), AfterValidator(_object_id)]
EnvName = Annotated[str, AfterValidator(_env_name)]
Reference = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(max_length=120)]
Positive = Annotated[float, Field(gt=0)]


REPAIR = {"repair": True}  # validation context of the second reading


class Table(BaseModel):
    """What all tables share: no unknown keys, no conversion of types, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="wrap")
    @classmethod
    def _repair(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        """On the second reading of a faulty table: the default, or "", for what is at fault."""
        if info.context is not REPAIR:
            return handler(value)
        try:
            return handler(value)
        except ValueError:
            return cls.placeholder(str(info.field_name))

    @classmethod
    def placeholder(cls, name: str) -> Any:
        """What stands for a key that is at fault: "" is reported already, wherever it is found."""
        one = cls.model_fields[name]
        return "" if one.is_required() else one.get_default(call_default_factory=False)


def _not_both(*names: str) -> Any:
    """A validator: of NAME_env and NAME_file, at most one."""

    def check(table: BaseModel) -> BaseModel:
        for name in names:
            if getattr(table, f"{name}_env") and getattr(table, f"{name}_file"):
                raise ValueError(f"{name}_env or {name}_file, not both")
        return table

    return model_validator(mode="after")(check)


class AgentTable(Table):
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8460"
    store: Annotated[str, AfterValidator(_store)] = "embedded:data"
    state_dir: str = "data"  # alarms, outbox, spool
    token_env: EnvName | None = None  # the store's
    token_file: str | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    spool_mb: Annotated[int, Field(gt=0, le=1_000_000)] = 1024
    traps: Annotated[str, AfterValidator(_listen)] | None = None  # as "0.0.0.0:162"
    log: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    _secrets = _not_both("token")


class UserTable(Table):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    role: Literal["viewer", "operator", "supervisor"]
    token_hash: Annotated[str, AfterValidator(_token_hash)]


class CredentialsTable(Table):
    community_env: EnvName | None = None
    community_file: str | None = None
    user: str = ""
    password_env: EnvName | None = None
    password_file: str | None = None
    # "none": without any protection, which is never assumed
    auth_protocol: Literal["", "none", "md5", "sha", "sha224", "sha256", "sha384", "sha512"] = ""
    auth_key_env: EnvName | None = None
    auth_key_file: str | None = None
    priv_protocol: Literal["", "des", "aes128", "aes192", "aes256", "aes192c", "aes256c"] = ""
    priv_key_env: EnvName | None = None
    priv_key_file: str | None = None
    context: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    _secrets = _not_both("community", "password", "auth_key", "priv_key")


class SiteTable(Table):
    id: ObjectId
    name: Name = ""
    it_capacity_kw: Positive | None = None
    grid_kg_per_kwh: Annotated[float, Field(ge=0)] | None = None
    breaker_factor: Annotated[float, Field(gt=0, le=1)] = 0.8


class HallTable(Table):
    id: ObjectId
    name: Name = ""


class RowTable(Table):
    id: ObjectId
    hall: Reference
    name: Name = ""


class RackTable(Table):
    id: ObjectId
    row: Reference
    position: Annotated[int, Field(ge=0)] = 0
    u: Annotated[int, Field(gt=0, le=100)] = 48
    limit_kw: Positive | None = None
    limit_kw_feed: Positive | None = None
    bbu_required: Annotated[int, Field(ge=1)] | None = None
    cooling: Literal["air", "liquid", "hybrid"] = "air"
    name: Name = ""


class LoopTable(Table):
    id: ObjectId
    fluid: Literal["pg25", "water"] = "pg25"


class IntervalsTable(Table):
    fast: Positive | None = None
    normal: Positive | None = None
    slow: Positive | None = None


class OverrideTable(Table):
    scale: float = 1.0
    offset: float = 0.0


class DeviceTable(Table):
    id: ObjectId
    profile: Reference = "auto"
    address: Annotated[str, AfterValidator(_device_url)]
    credentials: Reference | None = None
    place: Reference
    interval_s: IntervalsTable = IntervalsTable()
    override: dict[str, OverrideTable] = {}
    name: Name = ""

    @property
    def profile_name(self) -> str:
        """The key's, or that of the address (`?profile=NAME`)."""
        if self.profile == "auto" and self.address:
            return parse_url(self.address).query.get("profile", "auto")
        return self.profile


class EquipmentTable(Table):
    """A piece of plant that feeds or serves but does not speak: a utility, a switchboard."""

    id: ObjectId
    kind: Annotated[str, AfterValidator(_kind)]
    place: Reference
    name: Name = ""


class FeedTable(Table):
    source: Annotated[Reference, Field(alias="from")]
    target: Annotated[Reference, Field(alias="to")]
    feed: Annotated[str, AfterValidator(_feed)] = "A"
    rating_a: Positive | None = None


class ServeTable(Table):
    source: Annotated[Reference, Field(alias="from")]
    target: Annotated[Reference, Field(alias="to")]
    loop: str = ""


class MeteringTable(Table):
    role: Annotated[MeterRole, Field(strict=False)]
    point: Reference
    category: Annotated[int, Field(ge=1, le=3)] | None = None

    @model_validator(mode="after")
    def _category_belongs_to_pue(self) -> Self:
        if self.category is not None and self.role not in (MeterRole.IT, MeterRole.SITE_TOTAL):
            raise ValueError("a category only where the role is it or site_total")
        return self


class RulesTable(Table):
    files: list[str] = []  # of the site's own, relative to dcim.toml


class MetricTable(Table):
    """A metric of the site's own, named `x.` and quoted: [metrics."x.door.opened"]."""

    unit: str = "1"
    kind: Literal["gauge", "counter", "state"] = "gauge"
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    aggregate: Literal["mean", "last", "max", "min"] = "mean"
    digits: Annotated[int, Field(ge=0, le=6)] = 1
    states: dict[str, int] = {}
    safety: bool = False
    meaning: str


class WebhookTable(Table):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, AfterValidator(_web_url)]
    secret_env: EnvName | None = None
    secret_file: str | None = None
    # 1 critical ... 4 low: this and graver; default 4, or no alarms where it gets heartbeats
    min_priority: Annotated[int, Field(ge=1, le=4)] | None = None
    heartbeat_s: Annotated[float, Field(ge=1)] | None = None  # a dead-man's switch
    allow_loopback: bool = False

    _secrets = _not_both("secret")
