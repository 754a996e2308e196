"""`dcim probe`: what is on the wire, before any configuration."""

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from collectors.base import Limits, ProbeResult, Target, parse_url
from collectors.modbus.connect import link_fault
from collectors.profile import Profile
from dcim.cli.credentials import ConfigOption, check_user, credentials_of
from dcim.cli.output import Stop, number, print_json, print_table, run
from dcim.clock import SystemClock
from dcim.config import ConfigError
from dcim.config.catalog import read_profiles
from dcim.model.metric import Registry, registry
from dcim.model.reading import OutageKind, Reading, component_of, rfc3339

RECORDING = ".snmprec"
_HOW_TO_ADD = {
    "snmp": "dcim record, then docs/add-an-snmp-device.md",
    "modbus": "docs/add-a-modbus-device.md",
}
_DIGITS = re.compile(r"(\d+)")


def register(app: typer.Typer) -> None:
    app.command()(probe)


def probe(
    urls: Annotated[
        list[str] | None,
        typer.Argument(help="snmp://, snmp3://, modbus://, mqtt:// ..., or a recording's FILE."),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="A file with one URL a line, # comments.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Use this profile, do not identify.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    toml: Annotated[bool, typer.Option("--toml", help="The [[devices]] block to paste.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show the requests of one poll.")] = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets")] = False,
    config: ConfigOption = None,
) -> None:
    """Identify each device, read it once, print what it says. Read-only.

    Keys of SNMPv3 stand in DCIM_SNMP3_AUTH and DCIM_SNMP3_PRIV (algorithms in the URL:
    ?auth=sha256&priv=aes128), or in what ?credentials=NAME refers to in --config;
    ?auth=none asks without any protection.
    A recording (*.snmprec) is replayed on this machine and probed there.
    Exit code 1 if any device did not answer, or answered but fits no profile.
    """
    texts = [*(urls or []), *(_lines(from_file) if from_file else [])]
    if not texts:
        raise Stop("nothing to probe: give URLs or --from FILE", 2)
    show = _shape(json, toml, plan)
    failed = run(_probe(texts, profile, config, show, show_secrets))
    if failed:
        said = "; ".join(f"{count} of {len(texts)} {how}" for how, count in failed.items())
        raise Stop("" if json else said)


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise Stop(f"{file}: {error.strerror}") from None
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def targets_of(
    texts: Sequence[str], profile: str | None, config: Path | None = None
) -> dict[str, tuple[str, Target]]:
    """By device id: the URL as it was given, and the target."""
    targets, faults = {}, []
    for i, text in enumerate(texts):
        try:
            url = parse_url(text)
        except ValueError as error:
            faults.append(str(error))
            continue
        if url.protocol == "modbus" and (fault := link_fault(url)):
            faults.append(f"{url}: {fault}")
            continue
        device = f"device-{i + 1}"
        name = profile or url.query.get("profile", "auto")
        target = Target(device, url, name, credentials=credentials_of(url, config))
        if url.scheme == "snmp3":
            check_user(target)
        targets[device] = (text, target)
    if faults:
        raise Stop("\n".join(faults), 2)
    return targets


Printer = Callable[[str, Target, ProbeResult], None]


def _shape(json: bool, toml: bool, plan: bool) -> Printer:
    if plan:
        return _print_plan
    return _print_json if json else print_toml if toml else _print_text


async def _probe(
    texts: Sequence[str],
    profile: str | None,
    config: Path | None,
    show: Printer,
    show_secrets: bool,
) -> Counter[str]:
    """Print every result as it comes; returns how many devices gave no readings, and how."""
    from collectors.probe import probe_all

    catalog = read_catalog()
    failed: Counter[str] = Counter()
    async with replayed([text for text in texts if text.endswith(RECORDING)]) as replays:
        targets = targets_of([replays.get(text, text) for text in texts], profile, config)
        wanted = {target.profile for _, target in targets.values()} - {"auto", *catalog}
        if wanted:
            raise Stop(f"no such profile: {', '.join(sorted(wanted))}; see `dcim profiles`", 2)
        files = {url: file for file, url in replays.items()}
        probed = probe_all([t for _, t in targets.values()], catalog, SystemClock())
        async for target, result in probed:
            given = targets[target.device][0]
            text = given if show_secrets else files.get(given, str(target.url))
            show(text, target, result)
            if result.outage is not None and not result.readings:
                unknown = result.outage.kind is OutageKind.UNIDENTIFIED
                failed["answered, but no profile fits" if unknown else "did not answer"] += 1
    return failed


@contextlib.asynccontextmanager
async def replayed(files: Sequence[str]) -> AsyncIterator[dict[str, str]]:
    """Recordings answered for on this machine: file -> URL."""
    if not files:
        yield {}
        return
    from fixtures.peers.replay import Recording, ReplayAgent

    try:
        recordings = {f"r{n}": Recording.load(Path(file)) for n, file in enumerate(files)}
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}", 2) from None
    empty = [file for file, one in zip(files, recordings.values(), strict=True) if not len(one)]
    if empty:
        raise Stop(f"no recorded objects in {', '.join(empty)}", 2)
    async with await ReplayAgent(recordings).start() as agent:
        urls = (f"snmp://{name}@127.0.0.1:{agent.port}" for name in recordings)
        yield dict(zip(files, urls, strict=True))


def read_catalog() -> dict[str, Profile]:
    """All profiles; ends the command where one is faulty."""
    try:
        return read_profiles(Path.cwd())
    except ConfigError as error:
        raise Stop("\n".join(map(str, error.faults)), 2) from None


def _print_json(text: str, target: Target, result: ProbeResult) -> None:
    if result.outage is not None and not result.readings:
        error = f"{result.outage.kind}: {result.outage.detail}"
        told = identity_line(text, result) if result.identity.identity else {"target": text}
        print_json(told | {"error": error, "outage": result.outage.kind})
        return
    print_json(identity_line(text, result))
    known = registry()
    for reading in result.readings:
        line = {"target": text} | _reading(reading, known)
        if reading.point in result.limits:
            line["limits"] = _limits(result.limits[reading.point])
        print_json(line)


def identity_line(text: str, result: ProbeResult) -> dict[str, Any]:
    """What a device is: the first object of its JSON."""
    identity = result.identity
    partial = {"outage": result.outage.kind} if result.outage is not None else {}
    return {
        "target": text,
        "profile": list(identity.profiles),
        "vendor": identity.vendor,
        "model": identity.model,
        "kind": identity.kind,
        "identity": identity.identity,
        "candidates": list(identity.candidates),
        "inventory": identity.inventory,
    } | partial


def _reading(reading: Reading, known: Registry) -> dict[str, Any]:
    metric = known.get(reading.metric)
    return {
        "metric": reading.metric,
        "component": component_of(reading.point),
        "value": None if reading.state is not None else _clean(reading.value),
        "unit": metric.unit if metric else "1",
        "state": reading.state,
        "raw": reading.raw,
        "quality": reading.quality,
        "reason": reading.reason,
        "source": reading.source,
        "ts": rfc3339(reading.ts),
    }


def _limits(limits: Limits) -> dict[str, float | None]:
    """Those that the device publishes."""
    return {name: _clean(value) for name, value in asdict(limits).items() if value is not None}


def _clean(value: float | None) -> float | None:
    """Without what binary fractions add: 20.9, not 20.900000000000002."""
    return None if value is None else float(f"{value:.12g}")


def _in_order(point: str) -> list[tuple[int, str]]:
    """Outlet 2 before outlet 10."""
    return [
        (int(part or 0), "") if n % 2 else (0, part) for n, part in enumerate(_DIGITS.split(point))
    ]


def _print_text(text: str, target: Target, result: ProbeResult) -> None:
    identity = result.identity
    own = identity.model.casefold().startswith(identity.vendor.casefold())
    what = identity.model if own else f"{identity.vendor} {identity.model}".strip()
    known = f"{what or 'unknown'}  ({identity.kind or 'unknown kind'})"
    if result.outage is not None and not result.readings:
        why = f"{result.outage.kind}: {result.outage.detail}"
        if result.outage.kind is OutageKind.UNIDENTIFIED:
            print(f"{text}  {known}  ANSWERS, BUT NO PROFILE FITS  {why}")
            print(f"  how to add it: {_HOW_TO_ADD.get(target.url.protocol, 'docs/configure.md')}\n")
            return
        known = f"{known}  NO READINGS" if identity.identity else "NO ANSWER"
        print(f"{text}  {known}  {why}\n")
        return
    print(f"{text}  {known}")
    print(f"  profile {', '.join(identity.profiles)}; {identity.identity}")
    for key, value in identity.inventory.items():
        print(f"  {key}: {value!r}")
    if result.outage is not None:
        print(f"  incomplete: {result.outage.kind}: {result.outage.detail}")
    rows = [_row(reading) for reading in sorted(result.readings, key=lambda r: _in_order(r.point))]
    if rows:
        print_table(("  point", "value", "unit", "quality", "source", ""), rows, right="lr")
    print()


def _row(reading: Reading) -> tuple[str, str, str, str, str, str]:
    metric = registry().get(reading.metric)
    value = reading.state or number(reading.value, metric.digits if metric else 2)
    unit = "" if reading.state or metric is None or metric.unit == "1" else metric.unit
    point = "  " + reading.point.partition("/")[2]
    return point, value, unit, reading.quality, reading.source or "", reading.reason or ""


def _print_plan(text: str, target: Target, result: ProbeResult) -> None:
    """The requests of one poll, by group, as they turned out on this device."""
    print(f"{text}  profile {', '.join(result.identity.profiles) or target.profile}")
    if result.outage is not None:
        print(f"  {result.outage.kind}: {result.outage.detail}")
    elif not result.plan:
        print(f"  no plan: {target.url.protocol} is not read in blocks")
    for line in result.plan:
        print(f"  {line}")
    print()


def print_toml(text: str, target: Target, result: ProbeResult) -> None:
    """The block to paste; the id is made of the model and wants the site's own name."""
    if result.outage is not None and not result.readings:
        print(f"# {text}: {result.outage.kind}: {result.outage.detail}\n")
        return
    identity = result.identity
    recording = text.endswith(RECORDING)
    address = "snmp://HOST" if recording else str(target.url)
    where = f"{identity.kind} {Path(text).stem if recording else target.url.host} {target.url.path}"
    name = re.sub(r"[^a-z0-9]+", "-", where.lower()).strip("-")
    print("[[devices]]")
    print(f'id = "{name}"                # {identity.vendor} {identity.model}'.rstrip())
    print(f'profile = "{identity.profiles[0] if len(identity.profiles) == 1 else "auto"}"')
    print(f'address = "{address}"')
    if target.url.scheme == "snmp3" and "credentials" not in target.url.query:
        print('credentials = "snmp3"        # [credentials.snmp3] auth_key_env, priv_key_env ...')
    if target.url.scheme == "snmp":
        print('credentials = "snmp-ro"      # [credentials.snmp-ro] community_env = "DCIM_SNMP_RO"')
    print('place = "hall-1"             # the rack, row or hall it stands in\n')
