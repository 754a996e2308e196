"""Secrets of commands that talk to devices: from where, and never silently without."""

from pathlib import Path

import pytest

from collectors.base import Credentials
from dcim.cli.agent import check
from dcim.cli.credentials import AUTH_ENV, PRIV_ENV
from dcim.cli.output import Stop
from dcim.cli.probe import targets_of

SITE = """\
[site]
id = "site-1"
[credentials.v3]
auth_protocol = "sha256"
auth_key_env = "KEY"
[credentials.open]
community_env = "COMMUNITY"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (AUTH_ENV, PRIV_ENV, "KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COMMUNITY", "not-public")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(url: str, config: Path | None = None) -> Credentials:
    ((_, target),) = targets_of([url], None, config).values()
    return target.credentials


def refusal(url: str, config: Path | None = None) -> str:
    with pytest.raises(Stop) as caught:
        targets_of([url], None, config)
    assert caught.value.code == 2
    return caught.value.message


def test_credentials_by_name_need_the_file_that_has_them() -> None:
    said = refusal("snmp3://u@h?credentials=v3")
    assert said == "?credentials=v3 needs --config FILE: there is no dcim.toml here"


def test_v3_without_keys_asks_nothing_unless_that_is_wished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = refusal("snmp3://u@h")
    assert said.startswith("snmp3://u@h: no authentication")
    assert "DCIM_SNMP3_AUTH" in said
    assert "?auth=none" in said
    monkeypatch.setenv(AUTH_ENV, "correct horse")
    assert asked("snmp3://u@h").auth_protocol == "sha"
    monkeypatch.setenv(PRIV_ENV, "battery staple")
    assert asked("snmp3://u@h?auth=none") == Credentials(auth_protocol="none")


def test_a_short_key_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH_ENV, "hunter2")
    said = refusal("snmp3://u@h?auth=sha256")
    assert "shorter than 8 characters (RFC 3414 section 11.2)" in said
    assert "hunter2" not in said


def test_privacy_without_authentication_is_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRIV_ENV, "battery staple")
    said = refusal("snmp3://u@h?auth=none&priv=aes128")
    assert "privacy without authentication" in said
    assert PRIV_ENV not in said


def test_a_community_is_no_credentials_of_v3(folder: Path) -> None:
    file = folder / "site.toml"
    file.write_text(SITE, "utf-8")
    assert "no authentication" in refusal("snmp3://u@h?credentials=open", file)


def test_a_secret_in_a_url_is_not_repeated() -> None:
    said = refusal("snmp3://u@h?auth=sha256&auth_key=hunter2")
    assert "auth_key=***" in said
    assert "hunter2" not in said


def test_link_settings_that_are_none_are_told_before_anything_is_sent() -> None:
    said = refusal("modbus://h/1?timeout_s=abc&gap=500")
    assert said.startswith("modbus://h/1?timeout_s=abc&gap=500: ")
    assert "timeout_s: " in said
    assert "gap: " in said


def test_check_warns_of_missing_secrets_and_ends_well(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "site.toml"
    device = '[[devices]]\nid="d"\nplace="site-1"\naddress="snmp3://u@h?credentials=v3"\n'
    file.write_text(SITE + device, "utf-8")
    check(file)
    told = capsys.readouterr()
    assert told.out.startswith(f"{file}: ok. ")
    variable = "the environment variable KEY is not set"
    assert told.err == f"{file}:5: credentials.v3.auth_key_env: warning: {variable}\n"
