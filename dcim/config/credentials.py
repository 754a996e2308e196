"""Whether credentials are whole, and whether those of SNMPv3 devices say how to speak it."""

from collectors.base import parse_url
from dcim.config.draft import Draft
from dcim.config.faults import Report
from dcim.config.tables import CredentialsTable, DeviceTable
from dcim.config.toml_lines import Path

_WANTED = 'auth_protocol and auth_key_env or auth_key_file; or "none": without any protection'


def check_credentials(draft: Draft, report: Report) -> None:
    """Faults of every [credentials], and of every SNMPv3 device that has not what it needs.

    What has a fault of its own already is not looked at: more of them would be its consequences.
    """
    broken = {name for name in draft.credentials if report.speaks_of(("credentials", name))}
    for name, table in draft.credentials.items():
        if name not in broken:
            _whole(("credentials", name), table, report)
    for n, device in draft.devices.items():
        speaks_v3 = device.address and parse_url(device.address).scheme == "snmp3"
        if speaks_v3 and _credentials_of(device) not in broken:
            _speaks_v3(("devices", n), device, draft, report)


def _whole(path: Path, table: CredentialsTable, report: Report) -> None:
    """An algorithm has its key, a key its algorithm; privacy has authentication."""
    protected = table.auth_protocol not in ("", "none")
    if protected and not _key(table, "auth_key"):
        found, expected = repr(table.auth_protocol), "auth_key_env or auth_key_file beside it"
        report.add((*path, "auth_protocol"), found, expected)
    if not protected and _key(table, "auth_key"):
        expected = "auth_protocol beside it: which algorithm"
        report.add((*path, _key(table, "auth_key")), "an authentication key", expected)
    if table.priv_protocol and not _key(table, "priv_key"):
        found, expected = repr(table.priv_protocol), "priv_key_env or priv_key_file beside it"
        report.add((*path, "priv_protocol"), found, expected)
    if not table.priv_protocol and _key(table, "priv_key"):
        expected = "priv_protocol beside it: which algorithm"
        report.add((*path, _key(table, "priv_key")), "a privacy key", expected)
    if table.priv_protocol and not protected:
        expected = "auth_protocol beside it: there is no privacy without authentication"
        report.add((*path, "priv_protocol"), repr(table.priv_protocol), expected)


def _credentials_of(device: DeviceTable) -> str:
    return device.credentials or parse_url(device.address).query.get("credentials", "")


def _key(table: CredentialsTable, name: str) -> str:
    """Which of NAME_env and NAME_file is given; empty where neither is."""
    given = (f"{name}_env", f"{name}_file")
    return next((one for one in given if getattr(table, one)), "")


def _speaks_v3(path: Path, device: DeviceTable, draft: Draft, report: Report) -> None:
    url = parse_url(device.address)
    name = _credentials_of(device)
    if name and name not in draft.credentials:  # reported already
        return
    table = draft.credentials.get(name, CredentialsTable())
    at = (*path, "credentials" if device.credentials else "address")
    if not url.user and not table.user:
        expected = "snmp3://USER@HOST, or user in its [credentials]"
        report.add((*path, "address"), "no user", expected)
    asked = url.query.get("auth", table.auth_protocol)
    if not asked:
        found = f"{name!r}, which has no auth_protocol" if name else "no credentials"
        expected = f"the name of a [credentials] with {_WANTED}"
        report.add(at, found, expected)
    elif asked != "none" and not _key(table, "auth_key") and "auth" in url.query:
        report.add(
            (*path, "address"), f"auth={asked} without a key", f"[credentials] with {_WANTED}"
        )
    elif url.query.get("auth") == "none" and _key(table, "auth_key"):
        report.add((*path, "address"), "auth=none beside a key", "one or the other")
    if "priv" in url.query and not _key(table, "priv_key"):
        expected = "[credentials] with priv_key_env or priv_key_file"
        report.add((*path, "address"), f"priv={url.query['priv']} without a key", expected)
