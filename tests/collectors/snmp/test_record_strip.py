"""What is private is taken out in whatever form it stands; what a device says of itself stays."""

from collections.abc import Sequence

import pytest

from collectors.snmp.ber import GAUGE32, INTEGER, IP_ADDRESS, OBJECT_ID, OCTETS
from collectors.snmp.record_known import Known
from collectors.snmp.record_serials import masked
from collectors.snmp.record_strip import Object, Private, Stripped, stripped

ACME = "1.3.6.1.4.1.99999.1"
SYSTEM = [
    Object("1.3.6.1.2.1.1.1.0", OCTETS, b"Acme PDU card, firmware 5.4.0.11"),
    Object("1.3.6.1.2.1.1.2.0", OBJECT_ID, "1.3.6.1.4.1.99999.10.1.2.3"),
    Object(
        "1.3.6.1.2.1.1.4.0", OCTETS, "Jané Doe <jane.d@umbra-corp.example>, 044 668 18 00".encode()
    ),
    Object("1.3.6.1.2.1.1.5.0", OCTETS, b"host-jane-01.dc.umbra.zz"),
    Object("1.3.6.1.2.1.1.6.0", OCTETS, b"Hill Ost, room 42, 17 Elm Street, ZRH5, 7654321"),
    Object("1.3.6.1.2.1.2.2.1.6.1", OCTETS, bytes.fromhex("00c0b7a1b2c3")),
    Object("1.3.6.1.2.1.33.1.1.2.0", OCTETS, b"Elmer 3000"),
]
PRIVATE = Private(("s3cret-word", "ups"), ("10.1.2.3",))


def strip(
    *objects: Object, private: Private = PRIVATE, system: Sequence[Object] = SYSTEM
) -> Stripped:
    return stripped([*system, *objects], private, Known())


def told(text: str | bytes) -> str:
    value = text.encode() if isinstance(text, str) else text
    done = strip(Object(f"{ACME}.1.0", OCTETS, value))
    found = next(one.value for one in done.objects if one.oid == f"{ACME}.1.0")
    assert isinstance(found, bytes)
    return found.decode("latin-1")


def index_told(oid: str, *others: Object) -> str:
    done = strip(Object(oid, INTEGER, 5), *others)
    return next(one.oid for one in done.objects if one.tag == INTEGER)


GONE: list[tuple[str | bytes, str]] = [
    ("call Doe", "doe"),
    ("JANÉ'S UPS", "jan"),
    ("Jane plain", "jane"),
    ("HOST-JANE-01 is up", "jane"),
    ("at host-jane-01.dc.umbra.zz now", "umbra"),
    ("ups1.umbra.zz", "ups1"),
    ("UPS1.Umbra-Corp.Example", "corp"),
    ("the Umbra company", "umbra"),
    ("jdoe logged in", "jdoe"),
    ("JaneDoe", "doe"),
    ("jane_doe", "doe"),
    ("tel +41 (44) 6681800", "668"),
    ("zrh5-r2", "zrh5"),
    ("somebody@else.where", "somebody"),
    ("http://admin:pw@fileserver/x", "pw"),
    ("http://fileserver/x", "fileserver"),
    ("smtp.another.com", "another"),
    ("s3cret-word", "s3cret"),
    ("mac=S3CRET-WORD;", "s3cret"),
    ("00:c0:b7:a1:b2:c3", "a1:b2"),
    ("0:c0:b7:a1:b2:c3 in short", "a1:b2"),
    ("mac:00:c0:b7:a1:b2:c3", "a1:b2"),
    ("00-C0-B7-A1-B2-C3", "b2-c3"),
    ("00c0.b7a1.b2c3", "b7a1"),
    ("00c0-b7a1-b2c3", "b7a1"),
    ("00C0B7-A1B2C3", "a1b2c3"),
    ("00 c0 b7 a1 b2 c3", "a1 b2"),
    ("card00C0B7A1B2C3", "a1b2c3"),
    ("MAC: 001122334455", "001122334455"),
    ("0011.2233.4455", "2233"),
    ("gw 10.9.2.4.", "10.9"),
    ("10.9.2.4-10.9.2.7", "10.9"),
    ("010.009.002.004", "009"),
    ("ip10.9.2.4", "10.9"),
    ("81.20.30.40", "81.20"),
    ("ip-10-1-2-3", "10-1-2-3"),
    ("addr:fe80::2c0:b7ff:fea1:b2c3%eth0", "b7ff"),
    ("2a02:1210:0:0:0:0:0:7", "1210"),
    ("line one\nJane Doe\nline three", "doe"),
    ("Jané Doe".encode("utf-16-le"), "d\0o\0e"),
    ("Jané".encode("latin-1"), "jan"),
    ("SN QS1234567890", "1234"),
    ("SN 98765432101", "9876"),
    ("SN XX00001234", "1234"),
    ("card SN 4K7Q-99213-X, v2", "99213"),
    ("Serial Number: 4k7q-99213-x", "99213"),
    ("S/N: 5A1234-56789", "56789"),
    ("serial=QX99-11-22-33-44", "qx99"),
    ("device_serial_no=5A12.1234.77", "1234"),
    ('{"serialNumber": "0712345"}', "12345"),
    ("Seriennummer 07627", "7627"),
    ("SN:07627", "7627"),
    ("SN: QXKJ-ABCD12", "abcd"),
    ("the serial number is 4K7Q-99213-X", "99213"),
    ("8K7Q-99213-X", "99213"),
    ("https://maps.example/@51.2764,12.3690,17z", "276"),
    ("community string=z3bra", "z3bra"),
    ("site 51.2764, 12.3690", "276"),
    ("lat=51.276400;lon=12.369000", "369"),
    ("latitude: 51.27", "51"),
    ("N51 16.584 E12 22.140", "16.5"),
    ("51°16'35.0\"N 12°22'08.4\"E", "35"),
    ("51° 16\u2032 35\u2033", "35"),
    ("51.2764N 12.3690E", "276"),
    ("-33.8688 151.2093", "868"),
    ("+51.2764+012.3690/", "369"),
    ("@51,27641,12,36901", "276"),
    ("password=hunter22secret", "hunter"),
    ("password: hunter 22", "hunter"),
    ("user=hkrause;password=a,b;c", "krause"),
    ("user=hkrause;password=a,b", "a,b"),
    ("pwd='two words'", "words"),
    ("passwd=office", "office"),
    ("snmpv3 key 0xdeadbeefcafebabe", "beef"),
    ("privKey: Zx9qqqq", "zx9"),
    ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQ== me", "b3nza"),
    ("Authorization: Bearer eyJhbGciOiJIUzI1", "iuz"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nqqq\n-----END RSA PRIVATE KEY-----", "miie"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", "b3bl"),
    ("Community: Z3bra-Gate7", "z3bra"),
    ("server 24.5.16.30", "24.5"),
    (b"\x80\x00\x1f\x03\x00\xc0\xb7\xa1\xb2\xc3", "\xb7\xa1"),
]


@pytest.mark.parametrize(("text", "gone"), GONE)
def test_private_text_is_gone(text: str | bytes, gone: str) -> None:
    assert gone not in told(text).lower()


@pytest.mark.parametrize(
    "text",
    [
        "firmware v6.4.0.1 of 2024-05-01, 12:30:45",
        "version 10.2.1.4",
        "fw:4.2.0.5-50274",
        "Model AP8959NA3, 230 V",
        "groups of cells",
        "release 24.5.16.30",
        "7654321",
        "the host in the rest room",
        "24.5.16.30",
        "Acme PDU card",
        "basement rack room network",
        "Elmer 3000",
        "Temperature 23.5 degC",
        "10 20 30 40 50 60",
        "00 01 02 03 04 05 06 07 08 09",
        "255.255.255.0 and 127.0.0.1",
        "Fans.Internal Control.Fan1",
        "apc_hw05_aos_712.bin",
        "www.ietf.org",
        "1.3.6.1.4.1.318",
        "no:such:thing std::dec",
        "Serial port RS232, serial 2.10.1234",
        "S/N: none, SN",
        "key: off",
        "Password changed 2024-01-01",
        "2024-05-01-12-30-45",
        "User name : Controller",
        "Login failed, user alarm",
        "12.345 23.456",
        "230.1, 229.8, 231.0",
        "Phase 0 deg 120 deg 240 deg",
        "23.5 deg north 4 east 5",
    ],
)
def test_what_a_maker_wrote_stays(text: str) -> None:
    assert told(text) == text


def test_a_short_community_is_only_taken_for_itself() -> None:
    assert told("ups") == "xx0"
    assert told("Ups") == "Ups"


def test_identity_stays() -> None:
    first, second, *_ = strip().objects
    assert (first, second) == (SYSTEM[0], SYSTEM[1])


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("5.10.1.2.3", "5.192.0.2.1"),
        ("5.10.1.2.3.161", "5.192.0.2.1.161"),
        ("5.1.4.10.7.7.7", "5.1.4.192.0.2.1"),
        ("5.192.168.7.9.2", "5.192.0.2.1.2"),
        ("5.6.0.192.183.161.178.195", "5.6.0.0.94.0.83.1"),
        ("5.4.106.97.110.101", "5.4.120.120.120"),  # "jane": "xxx" and a number
        ("5.2.16.42.2.18.16.0.0.0.0.0.0.0.0.0.0.0.7", "5.2.16.32.1.13.184"),
    ],
)
def test_private_indices_are_others_of_the_same_length(index: str, expected: str) -> None:
    found = index_told(f"{ACME}.{index}")
    assert found.startswith(f"{ACME}.{expected}")
    assert found.count(".") == f"{ACME}.{index}".count(".")


def test_rows_beside_an_address_are_addresses() -> None:
    other = Object(f"{ACME}.5.10.1.2.9", OCTETS, b"")
    done = strip(Object(f"{ACME}.5.10.1.2.3", OCTETS, b""), other)
    assert other.oid not in [one.oid for one in done.objects]


def test_numbers_that_only_read_like_the_address_stay() -> None:
    load = [Object(f"{ACME}.7.10.1.2.{n}", INTEGER, n) for n in (1, 2, 3)]
    table = [Object(f"{ACME}.7.11.1.0", INTEGER, 0), *load, Object(f"{ACME}.7.4.0", INTEGER, 1)]
    assert {one.oid for one in table} <= {one.oid for one in strip(*table).objects}


def test_the_same_address_is_the_same_other_one_everywhere() -> None:
    done = strip(
        Object(f"{ACME}.2.1.3.10.77.1.99", IP_ADDRESS, "10.77.1.99"),
        Object(f"{ACME}.2.1.4.10.77.1.99", OBJECT_ID, f"{ACME}.2.1.3.10.77.1.99"),
        Object(f"{ACME}.3.0", OCTETS, b"10.77.1.99"),
        Object(f"{ACME}.4.0", OCTETS, bytes((10, 77, 1, 99))),
    )
    address, pointer, text, octets = done.objects[-4:]
    other = address.value
    assert isinstance(other, str)
    assert address.oid == pointer.value == f"{ACME}.2.1.3.{other}"
    assert text.value == other.encode()
    assert octets.value == bytes(map(int, other.split(".")))


def test_a_recording_stays_in_order() -> None:
    rows = [Object(f"{ACME}.5.{a}.1.2.99", IP_ADDRESS, f"{a}.1.2.99") for a in (9, 11, 193)]
    arcs = [tuple(map(int, one.oid.split("."))) for one in strip(*rows).objects]
    assert arcs == sorted(arcs)
    assert len(set(arcs)) == len(SYSTEM) + len(rows)


def test_numbers_stay_numbers() -> None:
    numbers = [
        Object(f"{ACME}.8.1.0", INTEGER, 42),
        Object(f"{ACME}.8.2.0", GAUGE32, 167838211),  # 10.1.2.3, read as one number
        Object(f"{ACME}.8.3.0", OCTETS, b"23.5"),
    ]
    assert strip(*numbers).objects[-3:] == numbers


def test_serial_numbers_keep_their_shape_and_stay_apart() -> None:
    assert masked("QS12-34b", 7) == "XX00-07X"
    column = "1.3.6.1.2.1.47.1.1.1.1.11"
    done = strip(
        Object(f"{column}.1", OCTETS, b"AB123456"),
        Object(f"{column}.2", OCTETS, b"AB123457"),
        Object(f"{ACME}.9.0", OCTETS, b"card ab123456"),
    )
    first, second, text = (one.value for one in done.objects[-3:])
    assert (first, second, text) == (b"XX000001", b"XX000002", b"card XX000001")


@pytest.mark.parametrize("serial", [b"41326588", b"0041", b"00001234", b"XX12", 3827164])
def test_serial_numbers_of_digits_are_taken_out(serial: bytes | int) -> None:
    tag = OCTETS if isinstance(serial, bytes) else INTEGER
    done = strip(Object("1.3.6.1.2.1.47.1.1.1.1.11.1", tag, serial))
    assert serial not in [one.value for one in done.objects]


def test_a_reading_is_not_a_serial_number_that_is_in_it() -> None:
    meter = Object(f"{ACME}.9.0", OCTETS, b"1004000 Wh")
    done = strip(Object("1.3.6.1.2.1.47.1.1.1.1.11.1", OCTETS, b"100400"), meter)
    assert meter in done.objects


def test_what_the_devices_name_shares_with_its_description_is_the_model() -> None:
    system = [
        Object("1.3.6.1.2.1.1.1.0", OCTETS, b"Zodiac 50 kW"),
        Object("1.3.6.1.2.1.1.5.0", OCTETS, b"zodiac-lisbon-1"),
    ]
    more = Object(f"{ACME}.9.0", OCTETS, b"Zodiac in Lisbon: ZODIAC-LISBON-1")
    done = stripped([*system, more], Private(), Known())
    assert done.objects[0] == system[0]
    assert done.objects[-1].value == b"Zodiac in xxxxx2: xxxxxxxxxxxxxx1"


def test_a_label_is_only_taken_out_as_a_whole() -> None:
    alias = Object("1.3.6.1.2.1.31.1.1.1.18.1", OCTETS, b"Uplink Initech")
    first = Object(f"{ACME}.9.1.0", OCTETS, b"uplink initech down")
    second = Object(f"{ACME}.9.2.0", OCTETS, b"Uplink state")
    done = strip(alias, first, second)
    assert second in done.objects
    values = {one.oid: one.value for one in done.objects}
    assert values[first.oid] not in (first.value, b"")
    assert "initech" not in str(values[first.oid])


def test_serial_numbers_stay_where_that_is_wanted() -> None:
    one = Object("1.3.6.1.2.1.47.1.1.1.1.11.1", OCTETS, b"AB123456")
    assert one in strip(one, private=Private(keep_serials=True)).objects


@pytest.mark.parametrize(
    "label", ["SN 4K7Q-99213-X", "password=4K7Q-99213-X", "user: 4K7Q-99213-X"]
)
def test_what_one_text_gives_away_is_gone_from_all(label: str) -> None:
    done = strip(
        Object(f"{ACME}.1.0", OCTETS, b"4K7Q-99213-X"),
        Object(f"{ACME}.2.0", OCTETS, label.encode()),
        Object(f"{ACME}.3.0", OCTETS, b"card 4k7q-99213-x is up"),
    )
    assert [one for one in done.objects if b"99213" in str(one.value).encode()] == []


@pytest.mark.parametrize(
    "place", ["Markt 1 51.2764N 12.3690E", "51.2764, 12.3690", "51°16'35.0\"N 12°22'8.4\"E"]
)
@pytest.mark.parametrize("text", ["51.2764", "51.276400", "at 12.369", "+12,3690 deg"])
def test_one_coordinate_of_the_place_is_gone(place: str, text: str) -> None:
    done = strip(
        Object("1.3.6.1.2.1.1.6.0", OCTETS, place.encode()),
        Object(f"{ACME}.9.0", OCTETS, text.encode()),
    )
    assert not set("123456789") & set(str(done.objects[-1].value))


def test_a_phone_number_is_no_serial_number() -> None:
    done = strip(Object(f"{ACME}.9.0", OCTETS, b"tel:+493514478219"))
    assert (done.objects[-1].value, done.guessed) == (b"tel:+000000000000", [])


def test_an_address_in_an_index_is_gone_whatever_stands_beside_it() -> None:
    rows = ("10.20.30.40", "10.20.30.41.161", "4.192.168.178.20", "8.8.4.4", "10.99.98.97")
    done = strip(
        Object(f"{ACME}.2.0", IP_ADDRESS, "10.20.30.40"),
        *(Object(f"{ACME}.3.1.2.{row}", INTEGER, 1) for row in rows),
        Object(f"{ACME}.4.0", OCTETS, b"gw 10.20.30.41"),
    )
    assert not [one.oid for one in done.objects if "10.20.30" in one.oid or "168" in one.oid]


def test_what_is_stripped_stays_as_it_is() -> None:
    texts = [text for text, _ in GONE]
    once = strip(
        *(
            Object(f"{ACME}.9.{n}.0", OCTETS, text if isinstance(text, bytes) else text.encode())
            for n, text in enumerate(texts)
        )
    ).objects
    assert strip(*once[len(SYSTEM) :], system=once[: len(SYSTEM)]).objects == once


def test_mount_points_lose_their_names() -> None:
    mounted = Object("1.3.6.1.2.1.25.2.3.1.3.4", OCTETS, b"/mnt/customers/www")
    assert mounted._replace(value=b"/mnt/x/x") in strip(mounted).objects
