"""Secrets for commands that talk to devices themselves: from the environment or a configuration."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from collectors.base import CollectError, Credentials, Target, Url
from collectors.snmp.survey import user_of
from dcim.cli.output import Stop
from dcim.config import ConfigError, MissingSecret, load_credentials

AUTH_ENV, PRIV_ENV = "DCIM_SNMP3_AUTH", "DCIM_SNMP3_PRIV"
_HERE = Path("dcim.toml")
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The dcim.toml whose [credentials.NAME] URLs refer to."),
]


def credentials_of(url: Url, config: Path | None) -> Credentials:
    """What `?credentials=NAME` refers to, else v3 keys of the environment, else the community."""
    name = url.query.get("credentials")
    if name is not None:
        if config is None and not _HERE.is_file():
            raise Stop(f"?credentials={name} needs --config FILE: there is no {_HERE} here", 2)
        return _configured(name, config or _HERE)
    if url.scheme == "snmp3" and url.query.get("auth") == "none":
        return Credentials(auth_protocol="none")
    if url.scheme == "snmp3":
        return Credentials(
            auth_protocol=url.query.get("auth", "sha" if os.environ.get(AUTH_ENV) else ""),
            auth_key=os.environ.get(AUTH_ENV, ""),
            priv_protocol=url.query.get("priv", "aes128" if os.environ.get(PRIV_ENV) else ""),
            priv_key=os.environ.get(PRIV_ENV, ""),
        )
    return Credentials(community=url.user) if url.scheme == "snmp" else Credentials()


def check_user(target: Target) -> None:
    """End the command where an SNMPv3 target cannot be asked as it is, before anything is sent."""
    try:
        user_of(target)
    except CollectError as error:
        advice, query = "", target.url.query
        if "credentials" not in query and query.get("auth") != "none":
            advice = (
                f". Keys stand in {AUTH_ENV} and {PRIV_ENV}, or in what ?credentials=NAME "
                "refers to; without any: ?auth=none"
            )
        raise Stop(f"{target.url}: {error.outage.detail}{advice}", 2) from None


def _configured(name: str, file: Path) -> Credentials:
    try:
        return load_credentials(file, name, os.environ)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        raise Stop(f"{file}: no credentials to take from it", 2) from None
    except MissingSecret as error:
        raise Stop(f"{file}: {error}", 2) from None
