"""Secrets, taken from the environment or from a file, never from dcim.toml itself."""

from collections.abc import Mapping
from pathlib import Path

from collectors.base import Credentials
from dcim.config.tables import CredentialsTable


class MissingSecret(Exception):
    """A secret that the file refers to is not there, or is none; one line, for people."""


class Secrets:
    """Where secrets come from; with no environment (`dcim check`) all are empty."""

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
