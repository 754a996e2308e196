"""What a device is called, where sysObjectID says little."""

import pytest

from collectors.snmp.identify import Found, describe
from collectors.snmp.place import Answers


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
