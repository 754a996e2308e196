"""Whatever a person, a company or a network is called: nothing of it is left in a recording."""

import string
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.snmp.ber import INTEGER, IP_ADDRESS, OBJECT_ID, OCTETS, Value
from collectors.snmp.record_known import Known
from collectors.snmp.record_names import word_list
from collectors.snmp.record_strip import Object, Private, stripped
from collectors.snmp.recording import line

ACME = "1.3.6.1.4.1.99999.1"
KNOWN = Known()
COMMON = word_list("common") | KNOWN.words
SAFE = "bcdfghjkmpqvwz"  # names of these are in none of the words around them

name = st.text(SAFE, min_size=3, max_size=9).filter(lambda word: word not in COMMON)
octet = st.integers(1, 254)
site_address = st.one_of(
    st.tuples(st.just(10), octet, octet, octet),
    st.tuples(st.just(172), st.integers(16, 31), octet, octet),
    st.tuples(st.just(192), st.just(168), octet, octet),
).map(lambda four: IPv4Address(bytes(four)))
link_local = st.integers(1 << 40, (1 << 64) - 1).map(lambda n: IPv6Address((0xFE80 << 112) | n))
degrees = st.integers(100_000, 899_999).map(lambda n: f"{n / 10_000:.4f}")
mac = st.binary(min_size=6, max_size=6).filter(lambda m: max(m) > 0x7F and m[0] not in (0, 2, 255))


@dataclass(frozen=True)
class Site:
    """What must not be told."""

    first: str
    last: str
    company: str
    city: str
    number: int
    community: str
    serial: str
    phone: str
    password: str
    north: str
    east: str
    address: IPv4Address
    neighbour: IPv4Address
    link_local: IPv6Address
    mac: bytes


sites = st.builds(
    Site,
    *(name, name, name, name),
    st.integers(1, 99),
    st.text(string.ascii_letters + string.digits, min_size=9, max_size=16).map("k-".__add__),
    st.text("123456789ABC", min_size=4, max_size=12).map("S9876".__add__),
    st.text("123456789", min_size=7, max_size=7),
    st.text(string.ascii_letters + string.digits, min_size=5, max_size=16).map("p/".__add__),
    *(degrees, degrees),
    *(site_address, site_address, link_local, mac),
)


def texts(site: Site) -> dict[str, tuple[str, str]]:
    """Texts with private parts, by what must not be left of them."""
    pairs = [f"{octet:02x}" for octet in site.mac]
    digits = "".join(pairs)
    four, other = str(site.address), str(site.neighbour)
    padded = ".".join(part.zfill(3) for part in four.split("."))
    host = f"ups-{site.city}-{site.number}"
    forms = {
        f"contact {site.first} {site.last} please": site.first,
        f"{site.last.upper()}, {site.first.upper()}": site.last,
        f"{site.first.title()}{site.last.title()}": site.last,
        f"{site.first}_{site.last}99": site.first,
        f"{site.first[0]}{site.last} logged in": f"{site.first[0]}{site.last}",
        f"mail {site.first}.{site.last}@{site.company}.example now": site.company,
        f"other@{site.company}-group.example": "other@",
        f"the {site.company.title()} company": site.company,
        f"pdu7.row2.{site.company}.example": site.company,
        f"{host.upper()} is up": site.city,
        f"this is {host}.{site.company}.example.": site.city,
        f"in {site.city} since": site.city,
        f"community={site.community};": site.community.lower(),
        f"(SN:{site.serial.lower()})": site.serial,
        f"S/N: {site.serial[:3]}-{site.serial[3:]}, v2": site.serial[3:],
        f"{site.serial[:3]}-{site.serial[3:]}": site.serial[3:],
        f"user=x7;password={site.password};a=1": site.password,
        f"the word is {site.password}!": site.password,
        f"geo:{site.north},{site.east}": site.north,
        f"lon={site.east}": site.east,
        f"N {site.north}00": site.north,
        f"call +99 (44) {site.phone[:3]}-{site.phone[3:]} now": site.phone[3:],
        f"or 044{site.phone}": site.phone,
        f"{':'.join(pairs)}": ":".join(pairs),
        f"mac:{':'.join(pairs).upper()}": ":".join(pairs),
        f"a {'-'.join(pairs)} b": "-".join(pairs),
        f"{digits[:4]}.{digits[4:8]}.{digits[8:]}": digits[4:8] + ".",
        f"{digits[:6]}-{digits[6:]}": digits[6:],
        f"x{digits.upper()}": digits,
        f"gw {four}.": f" {four}",
        f"ip={other}:161": f"={other}",
        f"is {padded}": padded,
        f"ip-{four.replace('.', '-')}": four.replace(".", "-"),
        f"addr:{site.link_local}%eth0": str(site.link_local),
        f"at {site.link_local.exploded.upper()}": site.link_local.exploded,
    }
    return {text: (text, gone) for text, gone in forms.items()}


def dotted(octets: bytes) -> str:
    return ".".join(map(str, octets))


def walk(site: Site) -> list[Object]:
    """A device that has it all, in texts, octets and indices."""
    person = f"{site.first.title()} {site.last.title()}"
    mail = f"{site.first}.{site.last}@{site.company}.example"
    contact = f"{person} <{mail}>, +99 44 {site.phone}"
    host = f"ups-{site.city}-{site.number}"
    place = f"Room {site.number}, {site.city.title()}, {site.north}N {site.east}E"
    spelt = dotted(site.first.encode())
    rows: list[tuple[str, int, Value]] = [
        ("1.3.6.1.2.1.1.1.0", OCTETS, b"Acme card, firmware 5.4.0.11"),
        ("1.3.6.1.2.1.1.2.0", OBJECT_ID, "1.3.6.1.4.1.99999"),
        ("1.3.6.1.2.1.1.4.0", OCTETS, contact.encode()),
        ("1.3.6.1.2.1.1.5.0", OCTETS, f"{host}.{site.company}.example".encode()),
        ("1.3.6.1.2.1.1.6.0", OCTETS, place.encode()),
        ("1.3.6.1.2.1.2.2.1.6.1", OCTETS, site.mac),
        ("1.3.6.1.2.1.47.1.1.1.1.11.1", OCTETS, site.serial.encode()),
        (f"{ACME}.2.1.2.{len(site.serial)}.{dotted(site.serial.encode())}", INTEGER, 1),
        (f"{ACME}.2.1.3.{len(site.first)}.{spelt}", INTEGER, 1),
        (f"{ACME}.2.1.4.6.{dotted(site.mac)}", INTEGER, 1),
        (f"{ACME}.2.1.5.{site.address}", INTEGER, 1),
        (f"{ACME}.2.1.6.1.4.{site.neighbour}.7", INTEGER, 1),
        (f"{ACME}.2.1.7.2.16.{dotted(site.link_local.packed)}", INTEGER, 1),
        (f"{ACME}.3.1.0", IP_ADDRESS, str(site.address)),
        (f"{ACME}.3.2.0", IP_ADDRESS, str(site.neighbour)),
        (f"{ACME}.3.3.0", OCTETS, site.address.packed),
        (f"{ACME}.3.4.0", OCTETS, b"\x80\0\x1f\x88\x03" + site.mac),
        (f"{ACME}.3.5.0", OBJECT_ID, f"{ACME}.2.1.5.{site.address}"),
    ]
    rows += [
        (f"{ACME}.4.{n}.0", OCTETS, text.encode()) for n, text in enumerate(texts(site), start=1)
    ]
    rows.append((f"{ACME}.5.0", OCTETS, f"{person}\n{site.city}\n".encode("utf-16-le")))
    return [Object(*row) for row in rows]


def private(site: Site) -> Private:
    return Private((site.community,), (str(site.address),))


examples = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@examples
@given(sites)
def test_nothing_planted_is_left(site: Site) -> None:
    done = stripped(walk(site), private(site), KNOWN)
    values = {one.oid: one.value for one in done.objects}
    for n, (text, gone) in enumerate(texts(site).values(), start=1):
        told = values[f"{ACME}.4.{n}.0"]
        assert isinstance(told, bytes)
        assert gone.lower() not in told.decode().lower(), f"{text!r} -> {told!r}"
    whole = "".join(line(*one) for one in done.objects).lower()
    person, city = site.first.encode(), site.city.encode()
    private_forms = [
        f".{dotted(person)}|",
        f".{dotted(site.serial.encode())}|",
        site.serial.lower(),
        f".{dotted(site.mac)}|",
        f".{site.address}|",
        f".{site.neighbour}.7|",
        f".{dotted(site.link_local.packed)}|",
        f"|{site.address}\n",
        f"|{site.neighbour}\n",
        f"|{site.address.packed.hex()}\n",
        site.mac.hex(),
        city.decode().encode("utf-16-le").hex(),
    ]
    assert [form for form in private_forms if form in whole] == []


@examples
@given(sites)
def test_stripping_twice_is_stripping_once(site: Site) -> None:
    once = stripped(walk(site), private(site), KNOWN).objects
    assert stripped(once, private(site), KNOWN).objects == once


@examples
@given(sites)
def test_a_stripped_walk_has_all_its_objects_in_order(site: Site) -> None:
    before = walk(site)
    arcs = [
        tuple(map(int, one.oid.split(".")))
        for one in stripped(before, private(site), KNOWN).objects
    ]
    assert arcs == sorted(set(arcs))
    assert sorted(map(len, arcs)) == sorted(one.oid.count(".") + 1 for one in before)
