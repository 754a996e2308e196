"""Device URLs: what they may say, and that no secret in one is ever repeated."""

import re

import pytest

from collectors.base import QUERY_KEYS, Url, masked, parse_url
from collectors.modbus.profile import Link

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("snmp3://u@h?auth=sha256&auth_key=S", "profile, credentials, auth, priv, context"),
        ("snmp3://u@h?priv_key=S", "secrets stand in [credentials], by ?credentials=NAME"),
        ("snmp3://u@h?auth=S", "auth=none|md5|sha|"),
        ("snmp3://u@h?auth=sha256;auth_key=S", "auth=none|md5|sha|"),
        ("snmp3://u@h?S", "expected a query of profile"),
        ("snmp3://u@h?auth_key=a@S", "expected a query of profile"),
        ("snmp3://u@h?auth=sha#S", "expected a URL without #"),
        ("snmp3://u:S@h", "DCIM_SNMP3_AUTH"),
        ("snmp3://u:S@h?auth=sha", "?credentials=NAME"),
        ("snmp://h?community=S", "expected a query of profile, credentials, version;"),
        ("snmp://public:S@h", "a colon in a community: %3A"),
        ("snmp://h?version=3", "expected version=1|2c"),
        ("modbus://h/1?token=S", "expected a query of profile, baud,"),
        ("modbus://h/1?timeout=3", "connect_delay_s"),
        ("modbus://u:S@h/1", "Modbus knows none"),
        ("modbus://S@h/1", "Modbus knows none"),
        ("modbus://u:S@h/999", "UNIT 0..255"),
        ("modbus+rtu:///dev/ttyS0/1?password=S", "expected a query of profile, baud,"),
        ("modbus+rtutcp://u:S@h/1", "needs a port"),
        ("mqtt://h/t?password=S", "secrets stand in [credentials]"),
        ("mqtt://u:S@h/t?qos=1", "expected a query of profile, credentials, listen_s, expect_s"),
        ("mqtts://u:S?x@h/t", "expected a query of profile"),
        ("mqtt://h/t/#", "without #"),
        ("u:S@h", "not a device URL"),
    ],
)
def test_what_a_url_may_not_say_is_refused_without_repeating_secrets(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        parse_url(re.sub(r"\bS\b", SECRET, url))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "snmp://h?version=2c&profile=apc_rpdu2",
        "snmp3://u@h?auth=sha256&priv=aes128&context=vlan-7",
        "snmp3://u@h?credentials=v3",
        "modbus+rtutcp://h:4001/7?timeout_s=2.5&gap=0",
        "mqtt://h/zigbee2mqtt/leak?listen_s=3&expect_s=600&credentials=broker",
    ],
)
def test_what_a_url_may_say_is_taken_and_shown(url: str) -> None:
    assert str(parse_url(url)) == url
    assert masked(url).partition("?")[2] == url.partition("?")[2]


def test_an_mqtt_probe_may_have_user_and_password_and_does_not_show_them() -> None:
    url = parse_url(f"mqtt://lin:{SECRET}@h/t")
    assert (url.user, url.password) == ("lin", SECRET)
    assert SECRET not in f"{url} {url!r}"
    assert isinstance(url, Url)


def test_every_key_of_a_modbus_link_may_stand_in_a_url() -> None:
    assert set(Link.model_fields) - {"units"} == set(QUERY_KEYS["modbus"]) - {"profile"}
