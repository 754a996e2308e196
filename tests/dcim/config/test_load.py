"""dcim.toml: what is right becomes settings; everything wrong is told at once, with its line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import Credentials, Intervals, Override
from collectors.profile import Point, Profile
from dcim.config import Config, ConfigError, Fault, MissingSecret, check, load
from dcim.model.asset import Feed, MeterRole, Rack

HASH = "scrypt$16384$8$1$c2FsdHNhbHQ=$aGFzaGhhc2g="

SECRET = "whsec_" + "c2VjcmV0" * 4

HEAD = """\
[site]
id = "site-1"
[[halls]]
id = "hall-1"
[[rows]]
id = "row-1"
hall = "hall-1"
[[racks]]
id = "rack-r01"
row = "row-1"
[[loops]]
id = "loop-tcs-1"
[credentials.snmp-ro]
community_env = "DCIM_SNMP_RO"
[[devices]]
id = "ups-a"
address = "snmp://10.0.0.11"
place = "hall-1"
[[devices]]
id = "pdu-a"
profile = "acme_pdu"
address = "snmp://10.0.1.1"
credentials = "snmp-ro"
place = "rack-r01"
[[feeds]]
from = "ups-a"
to = "pdu-a"
feed = "A"
"""
NEXT = HEAD.count("\n") + 1  # the line of what is added


class PduProfile(Profile):
    point: tuple[Point, ...]


PROFILES = {
    "acme_pdu": PduProfile.model_validate(
        {
            "name": "acme_pdu",
            "protocol": "snmp",
            "kind": "rack_pdu",
            "vendor": "ACME",
            "evidence": "synthetic",
            "sources": ["none"],
            "point": [
                {"metric": "power.active"},
                {"metric": "energy.active"},
                {"metric": "current", "component": "input/{name}"},
                {"metric": "power.active", "component": "outlet/{index}"},
            ],
        }
    )
}


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "dcim.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def faults_of(path: Path) -> list[str]:
    """The faults without the folder's name."""
    with pytest.raises(ConfigError) as caught:
        load(path, profiles=PROFILES)
    return [str(fault).replace(f"{path.parent}/", "") for fault in caught.value.faults]


def config_or_faults(path: Path) -> Config | tuple[Fault, ...]:
    try:
        return load(path, profiles=PROFILES)
    except ConfigError as error:
        return error.faults


def test_a_whole_file_becomes_site_targets_and_settings(write, tmp_path: Path):
    text = f"""
[agent]
listen = "127.0.0.1:9000"
timezone = "Asia/Shanghai"
{HEAD}
rating_a = 160
[[devices]]
id = "pdu-b"
profile = "acme_pdu"
address = "snmp://10.0.1.2:1161"
place = "rack-r01"
interval_s = {{ fast = 2 }}
override = {{ "input/L1/current" = {{ scale = 10 }} }}
[[equipment]]
id = "utility"
kind = "utility"
place = "site-1"
[[serves]]
from = "ups-a"
to = "rack-r01"
loop = "loop-tcs-1"
[[metering]]
role = "it"
point = "pdu-b/energy.active"
category = 2
[[users]]
name = "lin"
role = "operator"
token_hash = "{HASH}"
[[webhooks]]
name = "oncall"
url = "https://oncall.example/hook"
secret_env = "HOOK"
min_priority = 2
[metrics."x.door.opened"]
meaning = "How often the door was opened"
"""
    config = load(write(text), {"DCIM_SNMP_RO": "s3cret", "HOOK": SECRET}, PROFILES)
    assert config.agent.port == 9000
    assert config.store.text == f"embedded:{tmp_path / 'data'}"
    assert config.site.racks == {"rack-r01": Rack("rack-r01", "row-1")}
    assert config.site.feeds == (Feed("ups-a", "pdu-a", "A", 160),)
    assert config.site.metering[0].role is MeterRole.IT
    assert config.site.path("pdu-b") == ("site-1", "hall-1", "row-1", "rack-r01", "pdu-b")
    assert config.site.devices["pdu-b"].kind == "rack_pdu"
    assert config.site.devices["utility"].address == ""
    ups, pdu_a, pdu_b = config.targets
    assert ups.credentials == Credentials()
    assert pdu_a.credentials == Credentials(community="s3cret")
    assert pdu_b.intervals == Intervals(fast=2.0)
    assert pdu_b.override == {"input/L1/current": Override(scale=10)}
    assert str(pdu_b.url) == "snmp://10.0.1.2:1161"
    assert config.users[0].role == "operator"
    assert config.webhooks[0].min_priority == 2
    assert "x.door.opened" in config.registry
    for secret in ("s3cret", SECRET, HASH):
        assert secret not in repr(config)


def test_a_five_line_file_is_enough(write):
    text = """\
[site]
id = "site-1"
[[devices]]
id = "ups-a"
address = "snmp://10.0.0.11"
place = "site-1"
"""
    config = load(write(text), {}, PROFILES)
    assert config.agent.host == "127.0.0.1"
    assert config.targets[0].profile == "auto"


def test_structural_and_reference_faults_come_in_one_run_in_the_order_of_the_file(write):
    text = """\
[agent]
listn = "127.0.0.1:1"
[site]
id = "site-1"
[[racks]]
id = "rack-r09"
row = "row-7"
u = "48"
[[devices]]
id = "ups-a"
profile = "apc"
address = "snmp://10.0.0.11"
place = "rack-r99"
interval_s = { fast = 0 }
"""
    assert faults_of(write(text)) == [
        (
            "dcim.toml:2: agent.listn: found unknown key 'listn', "
            "expected a known key (did you mean 'listen'?)"
        ),
        "dcim.toml:7: racks[0].row: found 'row-7', expected the id of a row",
        "dcim.toml:8: racks[0].u: found '48', expected an integer",
        (
            "dcim.toml:11: devices[0].profile: found 'apc', "
            'expected "auto" or the name of a profile, see `dcim profiles`'
        ),
        (
            "dcim.toml:13: devices[0].place: found 'rack-r99', "
            "expected the id of a site, hall, row or rack (did you mean 'rack-r09'?)"
        ),
        "dcim.toml:14: devices[0].interval_s.fast: found 0, expected a number greater than 0",
    ]


# (what is added to HEAD, line of the fault after HEAD's end, its key, what its text says)
CASES = {
    "unknown section": ("[webhook]\n", 0, "webhook", "did you mean 'webhooks'?"),
    "unknown key": ('[[halls]]\nid = "h2"\ncolour = 1\n', 2, "halls[1].colour", "one of id, name"),
    "missing key": ("[[rows]]\nid = 'row-2'\n", 0, "rows[1]", "no 'hall', expected the key 'hall'"),
    "table for list": ('[[agent]]\nlog="text"\n', 0, "agent", "expected a table"),
    "list for table": ("[users]\n", 0, "users", "headed [[users]]"),
    "not a number": (
        "[[racks]]\nid='r2'\nrow='row-1'\nlimit_kw=nan\n",
        3,
        "racks[1].limit_kw",
        "found nan",
    ),
    "bool for int": ("[agent]\nspool_mb = true\n", 1, "agent.spool_mb", "found true"),
    "duplicate id": ("[[loops]]\nid = 'ups-a'\n", 1, "loops[1].id", "(the device of line 16 has"),
    "form of an id": ("[[halls]]\nid = 'Hall 1'\n", 1, "halls[1].id", "found 'Hall 1'"),
    "row as a hall": (
        "[[rows]]\nid='row-2'\nhall='row-1'\n",
        2,
        "rows[1].hall",
        "found 'row-1', a row, expected the id of a hall",
    ),
    "time zone": ("[agent]\ntimezone='Mars/Base'\n", 1, "agent.timezone", "time zone database"),
    "listen": ("[agent]\nlisten='8460'\n", 1, "agent.listen", "expected HOST:PORT"),
    "store": ("[agent]\nstore='sqlite:x'\n", 1, "agent.store", "expected embedded:DIR or"),
    "role of a user": (
        f"[[users]]\nname='a'\nrole='root'\ntoken_hash='{HASH}'\n",
        2,
        "users[0].role",
        "expected 'viewer', 'operator' or 'supervisor'",
    ),
    "token instead of hash": (
        "[[users]]\nname='a'\nrole='viewer'\ntoken_hash='dcim_abc'\n",
        3,
        "users[0].token_hash",
        "found a value that is not shown here, expected a hash",
    ),
    "bad url": (
        "[[devices]]\nid='d'\naddress='http://x'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "snmp://",
    ),
    "secret in an address": (
        "[[devices]]\nid='d'\naddress='snmp://s3cret@h'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found 'snmp://***@h', expected an address without a secret",
    ),
    "no such credentials": (
        "[[devices]]\nid='d'\naddress='snmp://h'\nplace='hall-1'\ncredentials='snmp-rw'\n",
        4,
        "devices[2].credentials",
        "did you mean 'snmp-ro'?",
    ),
    "profile of another protocol": (
        "[[devices]]\nid='d'\naddress='modbus://h/1'\nplace='hall-1'\nprofile='acme_pdu'\n",
        4,
        "devices[2].profile",
        "a profile for snmp, expected a profile for modbus",
    ),
    "profile in the address": (
        "[[devices]]\nid='d'\naddress='snmp://h?profile=acme_pd'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "did you mean 'acme_pdu'?",
    ),
    "override of no metric": (
        (
            "[[devices]]\nid='d'\naddress='snmp://h'\nplace='hall-1'\n"
            "[devices.override]\n'input/L1/curent' = { scale = 10 }\n"
        ),
        5,
        'devices[2].override."input/L1/curent"',
        "did you mean 'current'?",
    ),
    "a third feed": (
        "[[feeds]]\nfrom = 'ups-a'\nto = 'rack-r01'\nfeed = 'C'\n",
        3,
        "feeds[1].feed",
        'found \'C\', expected "A" or "B"',
    ),
    "override of no point": (
        (
            "[[devices]]\nid='d'\naddress='snmp://h'\nplace='hall-1'\nprofile='acme_pdu'\n"
            "[devices.override]\n'output/L1/current' = { scale = 10 }\n"
        ),
        6,
        'devices[2].override."output/L1/current"',
        "expected a point of the profile acme_pdu",
    ),
    "feed of nobody": (
        "[[feeds]]\nfrom='ups-b'\nto='pdu-a'\n",
        1,
        "feeds[1].from",
        "did you mean 'ups-a'?",
    ),
    "feed from a rack": ("[[feeds]]\nfrom='rack-r01'\nto='pdu-a'\n", 1, "feeds[1].from", "a rack"),
    "circle": ("[[feeds]]\nfrom='pdu-a'\nto='ups-a'\n", 0, "feeds[1]", "closes a circle"),
    "edge to itself": ("[[feeds]]\nfrom='ups-a'\nto='ups-a'\n", 0, "feeds[1]", "closes a circle"),
    "edge twice": ("[[feeds]]\nfrom='ups-a'\nto='pdu-a'\n", 0, "feeds[1]", "(line 25 has it)"),
    "loop": (
        "[[serves]]\nfrom='ups-a'\nto='rack-r01'\nloop='tcs-1'\n",
        3,
        "serves[0].loop",
        "expected the id of a loop",
    ),
    "metering of nobody": (
        "[[metering]]\nrole='it'\npoint='pdu-x/power.active'\n",
        2,
        "metering[0].point",
        "found 'pdu-x'",
    ),
    "metering of no metric": (
        "[[metering]]\nrole='it'\npoint='pdu-a/power'\n",
        2,
        "metering[0].point",
        "found metric 'power'",
    ),
    "metering of no point": (
        "[[metering]]\nrole='it'\npoint='pdu-a/input/power.active'\n",
        2,
        "metering[0].point",
        "expected a point of the profile acme_pdu",
    ),
    "metering without telemetry": (
        (
            "[[equipment]]\nid='u'\nkind='utility'\nplace='site-1'\n"
            "[[metering]]\nrole='site_total'\npoint='u/power.active'\n"
        ),
        6,
        "metering[0].point",
        "a piece of equipment",
    ),
    "role of metering": (
        "[[metering]]\nrole='total'\npoint='ups-a/power.active'\n",
        1,
        "metering[0].role",
        "'site_total', 'it'",
    ),
    "water in watts": (
        "[[metering]]\nrole='water'\npoint='ups-a/power.active'\n",
        2,
        "metering[0].point",
        "found 'power.active' in W, expected a metric in m3",
    ),
    "it in cubic metres": (
        "[[metering]]\nrole='it'\npoint='ups-a/volume'\n",
        2,
        "metering[0].point",
        "expected a metric in W or kWh",
    ),
    "category of water": (
        "[[metering]]\nrole='water'\npoint='ups-a/volume'\ncategory=2\n",
        0,
        "metering[0]",
        "a category only where",
    ),
    "webhook twice": (
        "[[webhooks]]\nname='a'\nurl='https://h'\n[[webhooks]]\nname='a'\nurl='https://h'\n",
        4,
        "webhooks[1].name",
        f"(line {NEXT + 1} has it)",
    ),
    "url of a webhook": (
        "[[webhooks]]\nname='a'\nurl='ftp://token@h'\n",
        2,
        "webhooks[0].url",
        "found a value that is not shown here, expected a URL",
    ),
    "webhook to this machine": (
        "[[webhooks]]\nname='a'\nurl='http://127.0.0.1:9/x'\n",
        2,
        "webhooks[0].url",
        "found this machine itself, expected an address elsewhere, or allow_loopback = true",
    ),
    "secret in the file": (
        "[credentials.x]\ncommunity='s3cret'\n",
        1,
        "credentials.x.community",
        "unknown key 'community', expected a known key",
    ),
    "env and file": (
        "[credentials.x]\ncommunity_env='A'\ncommunity_file='b'\n",
        0,
        "credentials.x",
        "not both",
    ),
    "algorithm without a key": (
        "[credentials.x]\nauth_protocol='sha256'\n",
        1,
        "credentials.x.auth_protocol",
        "found 'sha256', expected auth_key_env or auth_key_file beside it",
    ),
    "key without an algorithm": (
        "[credentials.x]\nuser='u'\nauth_key_env='A'\n",
        2,
        "credentials.x.auth_key_env",
        "expected auth_protocol beside it",
    ),
    "privacy without a key": (
        "[credentials.x]\nauth_protocol='sha'\nauth_key_env='A'\npriv_protocol='des'\n",
        3,
        "credentials.x.priv_protocol",
        "expected priv_key_env or priv_key_file beside it",
    ),
    "privacy key without an algorithm": (
        "[credentials.x]\nauth_protocol='sha'\nauth_key_env='A'\npriv_key_file='b'\n",
        3,
        "credentials.x.priv_key_file",
        "expected priv_protocol beside it",
    ),
    "privacy without authentication": (
        "[credentials.x]\nauth_protocol='none'\npriv_protocol='des'\npriv_key_env='P'\n",
        2,
        "credentials.x.priv_protocol",
        "there is no privacy without authentication",
    ),
    "snmp3 without credentials": (
        "[[devices]]\nid='d'\naddress='snmp3://u@h'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found no credentials, expected the name of a [credentials] with auth_protocol",
    ),
    "snmp3 with a community": (
        "[[devices]]\nid='d'\naddress='snmp3://u@h'\nplace='hall-1'\ncredentials='snmp-ro'\n",
        4,
        "devices[2].credentials",
        "found 'snmp-ro', which has no auth_protocol, expected the name of a [credentials] with",
    ),
    "snmp3 with a community, by its address": (
        "[[devices]]\nid='d'\naddress='snmp3://u@h?credentials=snmp-ro'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found 'snmp-ro', which has no auth_protocol",
    ),
    "snmp3 with an algorithm in the address only": (
        "[[devices]]\nid='d'\naddress='snmp3://u@h?auth=sha'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found auth=sha without a key",
    ),
    "snmp3 without a user": (
        (
            "[[devices]]\nid='d'\naddress='snmp3://h'\nplace='hall-1'\ncredentials='x'\n"
            "[credentials.x]\nauth_protocol='none'\n"
        ),
        2,
        "devices[2].address",
        "found no user, expected snmp3://USER@HOST, or user in its [credentials]",
    ),
    "key in the query of an address": (
        "[[devices]]\nid='d'\naddress='snmp3://u@h?auth_key=s3cret'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found 'snmp3://***@h?auth_key=***', expected a device URL: a query of profile,",
    ),
    "password in an address": (
        "[[devices]]\nid='d'\naddress='snmp3://u:s3cret@h'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "found 'snmp3://***@h', expected a device URL: no password before the @",
    ),
    "link settings that are none": (
        "[[devices]]\nid='d'\naddress='modbus://h/1?timeout_s=abc'\nplace='hall-1'\n",
        2,
        "devices[2].address",
        "timeout_s: Input should be a valid number",
    ),
    "name of a variable": (
        "[credentials.x]\ncommunity_env='not a name'\n",
        1,
        "credentials.x.community_env",
        "the name of an environment variable",
    ),
    "rules that are not there": (
        "[rules]\nfiles = [\n'mine.toml']\n",
        2,
        "rules.files[0]",
        "found 'mine.toml', expected a file",
    ),
    "unit of a metric": (
        "[metrics.'x.a']\nunit='kW'\nmeaning='m'\n",
        1,
        'metrics."x.a".unit',
        "found 'kW', expected one of",
    ),
    "name of a metric": (
        "[metrics.'door.opened']\nmeaning='m'\n",
        0,
        'metrics."door.opened"',
        "under x.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_told_with_key_and_line(write, case: str):
    added, line, key, said = CASES[case]
    (fault,) = faults_of(write(HEAD + added))
    assert fault.startswith(f"dcim.toml:{NEXT + line}: {key}: ")
    assert said in fault
    assert "s3cret" not in fault


TWICE = {
    "the same point": ("pdu-a/power.active", "pdu-a/power.active"),
    "the device and a part of it": ("pdu-a/power.active", "pdu-a/outlet/1/power.active"),
    "power and energy": ("pdu-a/power.active", "pdu-a/energy.active"),
    "both sides of a device": ("ups-a/input/power.active", "ups-a/output/power.active"),
    "downstream": ("ups-a/output/power.active", "pdu-a/power.active"),
    "upstream": ("pdu-a/power.active", "ups-a/output/power.active"),
    "the rack it stands in": ("pdu-a/power.active", "rack-r01/power.active"),
    "far downstream": ("ups-a/output/power.active", "rack-r01/power.active"),
}


@pytest.mark.parametrize("case", TWICE)
@pytest.mark.parametrize("role", ["it", "site_total"])
def test_a_load_metered_twice_is_a_fault_of_the_second(write, case: str, role: str):
    blocks = [f"[[metering]]\nrole = '{role}'\npoint = '{point}'\n" for point in TWICE[case]]
    (fault,) = faults_of(write(HEAD + "".join(blocks)))
    assert fault.startswith(f"dcim.toml:{NEXT + 5}: metering[1].point: found ")
    assert fault.endswith("expected a load that is metered once")


COOLING_TWICE = {
    "register and rate": ("ups-a/pump/1/power.active", "ups-a/pump/1/energy.active"),
    "the device and a part of it": ("ups-a/power.active", "ups-a/pump/1/power.active"),
    "downstream": ("ups-a/power.active", "pdu-a/power.active"),
}


@pytest.mark.parametrize("case", COOLING_TWICE)
def test_cooling_metered_twice_is_a_fault_as_well(write, case: str):
    blocks = [
        f"[[metering]]\nrole = 'cooling'\npoint = '{point}'\n" for point in COOLING_TWICE[case]
    ]
    (fault,) = faults_of(write(HEAD + "".join(blocks)))
    assert fault.endswith("expected a load that is metered once")


def test_parts_side_by_side_and_other_roles_are_no_double_count(write):
    text = HEAD + "".join(
        f"[[metering]]\nrole = '{role}'\npoint = '{point}'\n"
        for role, point in [
            ("it", "pdu-a/outlet/1/power.active"),
            ("it", "pdu-a/outlet/2/power.active"),
            ("site_total", "ups-a/input/power.active"),
            ("cooling", "ups-a/pump/1/power.active"),
            ("cooling", "ups-a/fan/1/power.active"),
        ]
    )
    assert len(load(write(text), profiles=PROFILES).site.metering) == 5


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = = 2\n", 2, "found '= 2', expected a value: text in quotes, a number"),
        ("[a]\n[a]\n", 2, "found a table that stands twice, expected each table once"),
        ('a = "x\n', 1, "found a line that ends inside a text, expected a quote"),
        ("a = 'x\n", 2, "found a text without end, expected a closing quote"),
        ('a = "x', 1, "found a text without end, expected a closing quote"),
        ('a = """x\n', 2, "found a text without end, expected a closing quote"),
        ("a = [1,\n2\n", 3, "found an array without end, expected ] or a comma"),
        ("a = { b = 1\n", 1, "found a table without end, expected } or a comma"),
        ("a\n", 1, "found the end of the line, expected '=' after a key in a key/value pair"),
        ("a = 1\na = 2\n", 2, "found a key that stands twice, expected each key once"),
        ("a = 1 b\n", 1, "expected newline or end of document after a statement"),
        ("! = 1\n", 1, "found no key, expected a key or a [table]"),
        ('a = "b\\d"\n', 1, r"found a backslash that escapes nothing, expected \\, or text in"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(write, text: str, line: int, said: str):
    (fault,) = faults_of(write(text))
    assert fault.startswith(f"dcim.toml:{line}: found ")
    assert said in fault


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://10.0.1.1", "expected a device URL: one of snmp://"),
        ("modbus://10.0.1.1", "expected a device URL: modbus://HOST[:PORT]/UNIT with UNIT 0..255"),
        ("modbus+rtu:///dev/x", "expected a device URL: modbus+rtu:///dev/TTY/UNIT"),
        ("mqtt://broker", "expected a device URL: mqtt://HOST[:PORT]/TOPIC without + or #"),
        ("mqtt://broker/a?listen_s=x", "expected a device URL (listen_s must be seconds above 0)"),
        ("snmp:///x", "expected a device URL (no host)"),
        ("snmp://h:99999", "expected a device URL (bad port)"),
        ("modbus+rtutcp://h/1", "expected a device URL (modbus+rtutcp:// needs a port)"),
    ],
)
def test_an_address_that_is_none_is_told_what_it_should_be(write, address: str, said: str):
    added = f"[[devices]]\nid = 'new'\nplace = 'hall-1'\naddress = '{address}'\n"
    (fault,) = faults_of(write(HEAD + added))
    assert said in fault
    assert fault.count("expected") == fault.count(address) == 1


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("address = 'snmp://10.0.0.11'", "expected an address of its own ('ups-a' of line"),
        ("address = 'snmp://10.0.0.11:161'\nprofile = 'acme_pdu'", "expected an address of its"),
        ("address = 'snmp://10.0.0.11'\ncredentials = 'snmp-ro'", ""),  # another SNMP context
        ("address = 'snmp://10.0.0.11:1161'", ""),
        ("address = 'modbus://10.0.0.11/1'", ""),
    ],
)
def test_two_devices_at_one_address_are_told(write, added: str, said: str):
    path = write(HEAD + f"[[devices]]\nid = 'new'\nplace = 'hall-1'\n{added}\n")
    if not said:
        assert load(path, profiles=PROFILES).site.devices["new"]
        return
    (fault,) = faults_of(path)
    assert said in fault


def test_units_behind_one_gateway_are_devices_of_their_own(write):
    units = "".join(
        f"[[devices]]\nid = 'm{n}'\nplace = 'hall-1'\naddress = 'modbus://10.0.9.9/{n}'\n"
        for n in (1, 2)
    )
    assert load(write(HEAD + units), profiles=PROFILES).site.devices["m2"]


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000 + "]" * 5000])
def test_toml_beyond_measure_is_a_fault_not_a_crash(write, value: str):
    (fault,) = faults_of(write(f"a = {value}\n"))
    assert fault.endswith("expected TOML of a sane size")


LINES = [n for n, line in enumerate(HEAD.splitlines()) if "=" in line]
JUNK = [
    "''",
    "'ups-a'",
    "'rack-r01'",
    "0",
    "-1.5",
    "nan",
    "true",
    "[]",
    "['a']",
    "{}",
    "{ id = 1 }",
]
JUNK += ["2026-11-22", "'snmp://['", "'snmp://h:99999999'", "'modbus://h/999'", "'\\u0000'", "'é'"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(JUNK)), min_size=1, max_size=4))
def test_whatever_value_stands_anywhere_the_answer_is_a_config_or_faults(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, str]]
):
    lines = HEAD.splitlines()
    for n, junk in changes:
        lines[n] = f"{lines[n].partition('=')[0]}= {junk}"
    path = tmp_path_factory.getbasetemp() / "junk.toml"
    path.write_text("\n".join(lines), "utf-8")
    outcome = config_or_faults(path)
    assert outcome
    if not isinstance(outcome, Config):
        assert all(1 <= fault.line < NEXT for fault in outcome)


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path):
    path = tmp_path / "dcim.toml"
    path.write_bytes(b"# ok\n# \xff\n")
    assert faults_of(path) == ["dcim.toml:2: found other bytes, expected UTF-8 text"]


def test_a_file_that_is_not_there(tmp_path: Path):
    assert faults_of(tmp_path / "no.toml") == [
        "no.toml:1: found no such file or directory, expected a file to read"
    ]


def test_an_empty_file_wants_a_site(write):
    assert faults_of(write("")) == [
        "dcim.toml:1: site: found no [site], expected a table [site] with the id of the site"
    ]


def test_a_secret_that_is_missing_stops_run_but_not_check(write):
    path = write(HEAD)
    assert isinstance(load(path, None, PROFILES), Config)
    with pytest.raises(MissingSecret, match=r"credentials.snmp-ro: .* DCIM_SNMP_RO is not set"):
        load(path, {}, PROFILES)


V3 = """\
[[devices]]
id = "d"
address = "snmp3://h"
credentials = "v3"
place = "hall-1"
[credentials.v3]
user = "lin"
auth_protocol = "sha256"
auth_key_env = "AUTH"
priv_protocol = "aes128"
priv_key_file = "priv"
"""
OTHERS = {"DCIM_SNMP_RO": "s3cret"}


def test_a_check_tells_what_is_missing_here_and_is_content(write):
    path = write(HEAD + V3)
    config, notes = check(path, {}, PROFILES)
    assert config.targets[2].credentials.auth_key == ""
    assert [str(note).replace(f"{path.parent}/", "") for note in notes] == [
        (
            "dcim.toml:14: credentials.snmp-ro.community_env: warning: "
            "the environment variable DCIM_SNMP_RO is not set"
        ),
        (
            f"dcim.toml:{NEXT + 8}: credentials.v3.auth_key_env: warning: "
            "the environment variable AUTH is not set"
        ),
        f"dcim.toml:{NEXT + 10}: credentials.v3.priv_key_file: warning: priv: No such file or directory",
    ]


def test_a_check_of_a_file_with_all_its_secrets_is_silent_and_gives_none_away(write):
    write("hunter2-hunter2", "priv")
    config, notes = check(write(HEAD + V3), OTHERS | {"AUTH": "hunter2-hunter2"}, PROFILES)
    assert notes == []
    assert config.targets[2].credentials.priv_key == ""


def test_a_key_too_short_for_the_standard_is_a_fault_where_it_can_be_read(write):
    write("hunter2-hunter2", "priv")
    with pytest.raises(ConfigError) as caught:
        check(write(HEAD + V3), OTHERS | {"AUTH": "hunter2"}, PROFILES)
    (fault,) = caught.value.faults
    assert (fault.key, fault.line) == ("credentials.v3.auth_key_env", NEXT + 8)
    assert fault.expected == "at least 8 characters (RFC 3414 section 11.2)"
    assert "hunter" not in str(fault)


def test_no_protection_is_a_thing_to_be_asked_for(write):
    for address in ("snmp3://u@h?auth=none", "snmp3://u@h?credentials=open"):
        text = f"[[devices]]\nid='d'\naddress='{address}'\nplace='hall-1'\n"
        text += "[credentials.open]\nauth_protocol='none'\n"
        assert load(write(HEAD + text), None, PROFILES).site.devices["d"]


def test_a_secret_of_a_webhook_that_is_none_is_told_without_being_shown(write):
    text = HEAD + "[[webhooks]]\nname = 'a'\nurl = 'https://h'\nsecret_env = 'HOOK'\n"
    with pytest.raises(MissingSecret, match=r"webhooks.a: a webhook's secret holds") as caught:
        load(write(text), {"DCIM_SNMP_RO": "x", "HOOK": "aHVudGVyMg=="}, PROFILES)
    assert "aHVudGVyMg" not in str(caught.value)


def test_a_secret_comes_from_a_file_beside_the_configuration(write):
    write("s3cret\n", "community")
    path = write(HEAD.replace('community_env = "DCIM_SNMP_RO"', 'community_file = "community"'))
    assert load(path, {}, PROFILES).targets[1].credentials.community == "s3cret"


def test_profiles_of_the_suite_are_taken_where_none_are_given(write):
    text = HEAD.replace("acme_pdu", "sdm630").replace("snmp://10.0.1.1", "modbus://10.0.1.1/1")
    assert load(write(text)).site.devices["pdu-a"].kind == "meter"


def test_faults_of_the_sites_own_rules_are_told_too(write):
    write("[[alarm]]\nid = 'mine'\nlimt = 3\n", "mine.toml")
    faults = faults_of(write(HEAD + "[rules]\nfiles = ['mine.toml']\n"))
    assert any("mine.toml: alarm.mine.limt: Extra inputs" in fault for fault in faults)
    assert all(fault.startswith(f"dcim.toml:{NEXT + 1}: rules.files[0]: ") for fault in faults)


def test_a_wrong_algorithm_is_one_fault_and_not_its_consequences_too(tmp_path: Path):
    file = tmp_path / "dcim.toml"
    file.write_text(
        '[site]\nid = "s"\n[credentials.v3]\nuser = "u"\nauth_protocol = "sha255"\n'
        'auth_key_env = "A"\n[[devices]]\nid = "d"\nplace = "s"\n'
        'address = "snmp3://10.0.0.1?credentials=v3"\n'
    )
    with pytest.raises(ConfigError) as raised:
        load(file)
    assert [fault.key for fault in raised.value.faults] == ["credentials.v3.auth_protocol"]
