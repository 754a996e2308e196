"""Docs are code: generated pages are current, examples load, commands named exist."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from collectors.base import QUERY_KEYS
from collectors.catalog import load_catalog
from collectors.snmp.profile import SnmpProfile
from collectors.snmp.traps_limits import ALL_SENDERS, EACH_SENDER
from dcim.cli.commands import app
from dcim.config import load
from dcim.model.reading import OutageKind

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["metrics.md", "devices.md", "rules.md", "commands.md"])
def test_generated_page_is_current(name: str):
    """`make docs` writes them."""
    generate = _generator()
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == generate.NOTE + generate.PAGES[name]()


def test_the_example_configuration_has_no_fault(tmp_path: Path):
    text = (ROOT / "docs" / "configure.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    file = tmp_path / "dcim.toml"
    file.write_text(example[1], "utf-8")
    assert len(load(file).targets) == 5


def test_the_example_profile_loads_also_with_the_traps_added(tmp_path: Path):
    text = (ROOT / "docs" / "add-an-snmp-device.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    profile, traps = (b for b in blocks if "[credentials" not in b)
    (tmp_path / "acme_pdu.toml").write_text(profile + traps, "utf-8")
    loaded = load_catalog([tmp_path])["acme_pdu"]
    assert isinstance(loaded, SnmpProfile)
    assert len(loaded.trap_hints) == 4


def test_every_kind_of_outage_is_explained_once():
    page = (ROOT / "docs" / "operate.md").read_text("utf-8")
    _, _, section = page.partition("## When a device is out\n")
    table = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert table == [kind.value for kind in OutageKind]


def test_every_query_key_of_an_address_is_in_the_page():
    page = (ROOT / "docs" / "configure.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)[:+].* \| (.*) \|$", page, re.MULTILINE)
    told = {scheme: set(re.findall(r"`(\w+)", keys)) for scheme, keys in rows}
    assert told == {scheme: set(keys) for scheme, keys in QUERY_KEYS.items()}


def test_the_limits_of_traps_are_in_the_page():
    page = (ROOT / "docs" / "operate.md").read_text("utf-8")
    assert (
        f"{EACH_SENDER} datagrams a second are looked at from one sender, {ALL_SENDERS} from"
        in page
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_in_a_page_exists(page: Path):
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    blocks = re.findall(r"```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    named = {
        m for block in blocks for m in re.findall(r"^(?:\S*/)?dcim ([a-z]+)", block, re.MULTILINE)
    }
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
