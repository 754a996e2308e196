"""What a device is called, where sysObjectID says little."""

import pytest

from collectors.catalog import load_catalog
from collectors.snmp.identify import Found, describe
from collectors.snmp.place import Answers
from collectors.snmp.profile import SnmpProfile


@pytest.mark.parametrize(
    ("number", "enterprises", "vendor"),
    [
        ("1.3.6.1.4.1.476.1.42", ["476"], "Vertiv/Liebert"),
        ("1.3.6.1.4.1.8072.3.2.10", ["2021", "4555"], "Socomec"),
        ("1.3.6.1.4.1.8072.3.2.10", ["2021"], "net-snmp"),
        ("0.0", ["9999999", "2606"], "Rittal"),
        ("", [], ""),
    ],
)
def test_the_maker_is_not_that_of_the_agents_software(number, enterprises, vendor):
    found = Found({}, number, "", [], enterprises=enterprises)
    assert describe("d", found, Answers({})).vendor == vendor


def test_every_profile_names_the_tables_that_make_it_fit():
    """A name alone is no reading: devices that have none of the tables are told, and said so."""
    profiles = [p for p in load_catalog().values() if isinstance(p, SnmpProfile)]
    assert [p.name for p in profiles if not p.identify.tables] == []
