"""From dcim.toml to what the agent is built of; or every fault of the file at once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.base import Credentials, Intervals, Override, Target, parse_url
from collectors.profile import Profile
from dcim.config.boundary import check_feeds, check_metering
from dcim.config.catalog import Catalog, read_catalog
from dcim.config.draft import Draft, read_draft
from dcim.config.faults import ConfigError, Fault, Note, Report
from dcim.config.references import References
from dcim.config.secrets import MissingSecret, Secrets, look_at_secrets
from dcim.config.tables import DeviceTable, UserTable, WebhookTable
from dcim.config.toml_lines import key_lines
from dcim.config.toml_words import place_of
from dcim.model.asset import (
    Device,
    Feed,
    Hall,
    Loop,
    Metering,
    Rack,
    Row,
    Serve,
    Site,
)
from dcim.model.metric import Metric, Registry
from dcim.model.metric import registry as builtin_registry
from dcim.notify.sign import key_of


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How the agent itself runs."""

    host: str
    port: int
    timezone: str
    state_dir: Path  # alarms, outbox, spool
    spool_mb: int
    log: str  # text | json
    log_level: str
    traps: tuple[str, int] | None = None  # where SNMP traps and informs are received


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The store's name, as `dcim.storage.open.open_store` takes it, and its token."""

    text: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: str  # viewer | operator | supervisor
    token_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """One webhook; with `heartbeat_s` a dead-man's switch, with `min_priority` 0 nothing else."""

    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    min_priority: int = 4
    heartbeat_s: float | None = None
    allow_loopback: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """A file without faults."""

    path: Path
    agent: AgentSettings
    store: StoreSettings
    site: Site
    targets: list[Target]
    users: tuple[User, ...]
    webhooks: tuple[WebhookSettings, ...]
    rules: tuple[Path, ...]  # files of the site's own
    registry: Registry  # the suite's, with the site's own metrics
    profiles: Mapping[str, Profile]


def load(
    path: Path,
    env: Mapping[str, str] | None = None,
    profiles: Mapping[str, Profile] | None = None,
    registry: Registry | None = None,
) -> Config:
    """Read a configuration; opens no socket.

    Without `env` secrets are checked for their form only and stay empty.
    Raises ConfigError with every fault, or MissingSecret where the file itself is sound.
    """
    path = Path(path)
    draft, known, profiles, report = _checked(path, profiles, registry)
    report.raise_all()
    return _build(path, draft, Secrets(env, path.parent), profiles, known)


def check(
    path: Path, env: Mapping[str, str], profiles: Mapping[str, Profile] | None = None
) -> tuple[Config, list[Note]]:
    """As `load` without secrets, and what is missing of them here, where they may not be needed.

    ConfigError also where a secret is there and can be of no use.
    """
    path = Path(path)
    draft, known, profiles, report = _checked(path, profiles, None)
    notes = look_at_secrets(draft, Secrets(env, path.parent), report)
    report.raise_all()
    return _build(path, draft, Secrets(None, path.parent), profiles, known), notes


def _checked(
    path: Path, profiles: Mapping[str, Profile] | None, registry: Registry | None
) -> tuple[Draft, Registry, Mapping[str, Profile], Report]:
    """A file and all of its faults so far."""
    catalog = read_catalog(path.parent) if profiles is None else Catalog(profiles)
    try:
        tables, report = _read(path)
    except ConfigError as error:
        raise ConfigError([*error.faults, *catalog.faults]) from None
    report.elsewhere += catalog.faults
    profiles = catalog.profiles
    draft = read_draft(tables, report)
    known = (registry or builtin_registry()).extended(_metrics(draft))
    references = References(draft, catalog, known, report)
    references.check(path.parent)
    check_feeds(draft, report)
    check_metering(draft, references, known, report)
    return draft, known, profiles, report


def load_credentials(path: Path, name: str, env: Mapping[str, str]) -> Credentials:
    """One `[credentials.NAME]` with its secrets. ConfigError, or MissingSecret."""
    tables, report = _read(Path(path))
    draft = read_draft(tables, report)
    report.raise_all()
    if name not in draft.credentials:
        raise MissingSecret(f"there is no [credentials.{name}]")
    return Secrets(env, Path(path).parent).credentials(name, draft.credentials[name])


def _read(path: Path) -> tuple[dict[str, Any], Report]:
    try:
        text = path.read_bytes().decode("utf-8")
        tables = tomllib.loads(text)
        lines = key_lines(text)
    except OSError as error:
        found = error.strerror or str(error)
        raise ConfigError([Fault(str(path), "", 1, found.lower(), "a file to read")]) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Fault(str(path), "", line, "other bytes", "UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(str(path), "", *place_of(str(error), text))]) from None
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits, arrays 1,000 deep
        found = str(error).partition(";")[0].lower()
        raise ConfigError([Fault(str(path), "", 1, found, "TOML of a sane size")]) from None
    return tables, Report(str(path), lines)


def _metrics(draft: Draft) -> dict[str, Metric]:
    return {
        name: Metric.model_validate({"name": name, **table.model_dump()})
        for name, table in draft.metrics.items()
    }


def _build(
    path: Path,
    draft: Draft,
    secrets: Secrets,
    profiles: Mapping[str, Profile],
    registry: Registry,
) -> Config:
    folder = path.parent
    agent = draft.agent
    host, port = _address(agent.listen)
    kind, _, place = agent.store.partition(":")
    return Config(
        path=path,
        agent=AgentSettings(
            host=host,
            port=port,
            timezone=agent.timezone,
            state_dir=folder / agent.state_dir,
            spool_mb=agent.spool_mb,
            log=agent.log,
            log_level=agent.log_level,
            traps=_address(agent.traps) if agent.traps else None,
        ),
        store=StoreSettings(
            f"{kind}:{folder / place}" if kind == "embedded" else agent.store,
            secrets.get("agent.token", agent.token_env, agent.token_file)
            if kind != "embedded"
            else "",
        ),
        site=_site(draft, profiles),
        targets=_targets(draft, secrets),
        users=tuple(_user(table) for table in draft.users.values()),
        webhooks=tuple(_webhook(table, secrets) for table in draft.webhooks.values()),
        rules=tuple(folder / name for name in draft.rules.files),
        registry=registry,
        profiles=profiles,
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _targets(draft: Draft, secrets: Secrets) -> list[Target]:
    """One for each device; secrets only of the credentials that a device refers to."""
    return [_target(device, draft, secrets) for device in draft.devices.values()]


def _target(device: DeviceTable, draft: Draft, secrets: Secrets) -> Target:
    url = parse_url(device.address)
    name = device.credentials or url.query.get("credentials")
    extra = {"credentials": secrets.credentials(name, draft.credentials[name])} if name else {}
    return Target(
        device=device.id,
        url=url,
        profile=device.profile_name,
        intervals=Intervals(**device.interval_s.model_dump(exclude_none=True)),
        override={key: Override(one.scale, one.offset) for key, one in device.override.items()},
        **extra,
    )


def _user(table: UserTable) -> User:
    return User(table.name, table.role, table.token_hash)


def _webhook(table: WebhookTable, secrets: Secrets) -> WebhookSettings:
    what = f"webhooks.{table.name}"
    secret = secrets.get(what, table.secret_env, table.secret_file)
    try:
        if secret:
            key_of(secret)
    except ValueError as error:
        raise MissingSecret(f"{what}: {error}") from None
    return WebhookSettings(
        name=table.name,
        url=table.url,
        secret=secret,
        min_priority=table.min_priority or (0 if table.heartbeat_s else 4),
        heartbeat_s=table.heartbeat_s,
        allow_loopback=table.allow_loopback,
    )


def _site(draft: Draft, profiles: Mapping[str, Profile]) -> Site:
    if draft.site is None:
        raise ValueError("a draft without faults has a site")
    return Site(
        **draft.site.model_dump(),
        halls={t.id: Hall(**t.model_dump()) for t in draft.halls.values()},
        rows={t.id: Row(**t.model_dump()) for t in draft.rows.values()},
        racks={t.id: Rack(**t.model_dump()) for t in draft.racks.values()},
        loops=_loops(draft),
        devices=_devices(draft, profiles),
        feeds=tuple(Feed(**t.model_dump()) for t in draft.feeds.values()),
        serves=tuple(Serve(**t.model_dump()) for t in draft.serves.values()),
        metering=tuple(Metering(**t.model_dump()) for t in draft.metering.values()),
    )


def _loops(draft: Draft) -> dict[str, Loop]:
    """Those declared; where none is, those that serves name."""
    if draft.loops:
        return {t.id: Loop(**t.model_dump()) for t in draft.loops.values()}
    return {t.loop: Loop(t.loop) for t in draft.serves.values() if t.loop}


def _devices(draft: Draft, profiles: Mapping[str, Profile]) -> dict[str, Device]:
    """Devices that speak, and equipment that does not (no address)."""
    devices: dict[str, Device] = {}
    for table in draft.devices.values():
        url = str(parse_url(table.address))
        known = profiles.get(table.profile_name)
        kind = known.kind if known else ""
        devices[table.id] = Device(table.id, table.place, table.profile_name, url, kind, table.name)
    for plant in draft.equipment.values():
        devices[plant.id] = Device(plant.id, plant.place, "", "", plant.kind, plant.name)
    return devices
