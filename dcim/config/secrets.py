"""Secrets, taken from the environment or from a file, never from dcim.toml itself."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from collectors.base import SHORTEST_KEY, Credentials, parse_url
from dcim.config.draft import Draft
from dcim.config.faults import Note, Report
from dcim.config.tables import CredentialsTable, Table
from dcim.config.toml_lines import Path as Key
from dcim.notify.sign import key_of


class MissingSecret(Exception):
    """A secret that the file refers to is not there, or is none; one line, for people."""


class Secrets:
    """Where secrets come from; with no environment all are empty."""

    def __init__(self, env: Mapping[str, str] | None, folder: Path) -> None:
        self._env = env
        self._folder = folder

    def get(self, what: str, env: str | None, file: str | None) -> str:
        """The secret that an `_env` or `_file` key names; empty where neither is given."""
        if self._env is None:
            return ""
        if env is not None:
            value = self._env.get(env, "")
            if not value:
                raise MissingSecret(f"{what}: the environment variable {env} is not set")
            return value
        if file is None:
            return ""
        path = self._folder / file
        try:
            value = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise MissingSecret(f"{what}: {path}: {reason}") from None
        if not value:
            raise MissingSecret(f"{what}: {path} is empty")
        return value

    def credentials(self, name: str, table: CredentialsTable) -> Credentials:
        what = f"credentials.{name}"
        return Credentials(
            community=self.get(what, table.community_env, table.community_file),
            user=table.user,
            password=self.get(what, table.password_env, table.password_file),
            auth_protocol=table.auth_protocol,
            auth_key=self.get(what, table.auth_key_env, table.auth_key_file),
            priv_protocol=table.priv_protocol,
            priv_key=self.get(what, table.priv_key_env, table.priv_key_file),
            context=table.context,
            ca_file=self._path(table.ca_file),
            cert_file=self._path(table.cert_file),
            key_file=self._path(table.key_file),
        )

    def _path(self, file: str) -> str:
        return str(self._folder / file) if file else ""


def look_at_secrets(draft: Draft, secrets: Secrets, report: Report) -> list[Note]:
    """A note for every secret in use that is not there; a fault for one that can be of no use."""
    notes: list[Note] = []
    for path, table, name in _in_use(draft):
        env, file = getattr(table, f"{name}_env"), getattr(table, f"{name}_file")
        at = (*path, f"{name}_env" if env else f"{name}_file")
        try:
            value = secrets.get("", env, file)
        except MissingSecret as error:
            notes.append(report.note(at, str(error).removeprefix(": ")))
            continue
        if name in ("auth_key", "priv_key") and 0 < len(value) < SHORTEST_KEY:
            expected = f"at least {SHORTEST_KEY} characters (RFC 3414 section 11.2)"
            report.add(at, "a key that is too short", expected)
        if name == "secret" and value:
            try:
                key_of(value)
            except ValueError as error:
                report.add(at, "what is no secret of a webhook", str(error))
    return notes


def _in_use(draft: Draft) -> Iterator[tuple[Key, Table, str]]:
    """(path, table, the name of the secret) of all that the agent will ask for."""
    if not draft.agent.store.startswith("embedded"):
        yield ("agent",), draft.agent, "token"
    used = [d.credentials or _in_address(d.address) for d in draft.devices.values()]
    for name, table in draft.credentials.items():
        if name in used:
            for secret in ("community", "password", "auth_key", "priv_key"):
                yield ("credentials", name), table, secret
    for n, hook in draft.webhooks.items():
        yield ("webhooks", n), hook, "secret"


def _in_address(address: str) -> str:
    return parse_url(address).query.get("credentials", "") if address else ""
