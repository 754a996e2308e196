"""The codec says and understands the same as pysnmp, message by message."""

# pysnmp and pyasn1 carry no types
# mypy: disable-error-code="no-untyped-call"

import math
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto.api import v1, v2c

from collectors.snmp import ber, pdu
from collectors.snmp.ber import Malformed, Missing
from collectors.snmp.message import V1, V2C, Community, decode_message, request_id_of

arcs = st.integers(0, 2**32 - 1)
oids = st.builds(
    lambda head, tail: ".".join(map(str, (*head, *tail))),
    st.one_of(
        st.tuples(st.integers(0, 1), st.integers(0, 39)), st.tuples(st.just(2), st.integers(0, 999))
    ),
    st.lists(arcs, min_size=1, max_size=40),
)
ids = st.integers(pdu.FIRST_ID, pdu.LAST_ID)
communities = st.binary(max_size=300)
int32 = st.integers(-(2**31), 2**31 - 1)
uint32 = st.integers(0, 2**32 - 1)

# (value as pysnmp builds it, what we must read, our tag)
values = st.one_of(
    int32.map(lambda n: (v2c.Integer32(n), n, ber.INTEGER)),
    st.binary(max_size=400).map(lambda b: (v2c.OctetString(b), b, ber.OCTETS)),
    oids.map(lambda o: (v2c.ObjectIdentifier(o), o, ber.OBJECT_ID)),
    uint32.map(lambda n: (v2c.Counter32(n), n, ber.COUNTER32)),
    uint32.map(lambda n: (v2c.Gauge32(n), n, ber.GAUGE32)),
    uint32.map(lambda n: (v2c.TimeTicks(n), n, ber.TIME_TICKS)),
    st.integers(0, 2**64 - 1).map(lambda n: (v2c.Counter64(n), n, ber.COUNTER64)),
    st.ip_addresses(v=4).map(lambda a: (v2c.IpAddress(str(a)), str(a), ber.IP_ADDRESS)),
    st.just((v2c.Null(""), None, ber.NULL)),
    st.sampled_from(
        [
            (v2c.NoSuchObject(""), Missing.NO_SUCH_OBJECT, ber.NO_SUCH_OBJECT),
            (v2c.NoSuchInstance(""), Missing.NO_SUCH_INSTANCE, ber.NO_SUCH_INSTANCE),
            (v2c.EndOfMibView(""), Missing.END_OF_MIB_VIEW, ber.END_OF_MIB_VIEW),
        ]
    ),
)


def encoded_response(
    module: Any,
    version: int,
    community: bytes,
    request_id: int,
    status: int,
    index: int,
    binds: Sequence[tuple[str, Any]],
) -> bytes:
    response = module.GetResponsePDU()
    module.apiPDU.set_defaults(response)
    module.apiPDU.set_request_id(response, request_id)
    module.apiPDU.set_error_status(response, status)
    module.apiPDU.set_error_index(response, index)
    module.apiPDU.set_varbinds(response, binds)
    message = module.Message()
    module.apiMessage.set_defaults(message)
    message.setComponentByPosition(0, version)
    module.apiMessage.set_community(message, community)
    module.apiMessage.set_pdu(message, response)
    return bytes(encoder.encode(message))


@given(st.lists(st.tuples(oids, values), max_size=12), communities, ids, st.integers(0, 18))
def test_responses_of_pysnmp_are_read_value_by_value(binds, community, request_id, status):
    data = encoded_response(
        v2c, V2C, community, request_id, status, len(binds), [(o, v[0]) for o, v in binds]
    )
    response = decode_message(data)
    assert request_id_of(data) == request_id
    assert (response.request_id, response.status, response.index) == (
        request_id,
        status,
        len(binds),
    )
    assert [(ber.decode_oid(v.oid), v.value, v.tag) for v in response.varbinds] == [
        (o, v[1], v[2]) for o, v in binds
    ]


@given(st.lists(oids, min_size=1, max_size=30), communities, ids, st.sampled_from([V1, V2C]))
def test_pysnmp_reads_our_gets(names, community, request_id, version):
    for kind, request in (
        ("GetRequestPDU", pdu.get([ber.encode_oid(o) for o in names])),
        ("GetNextRequestPDU", pdu.get_next([ber.encode_oid(o) for o in names])),
    ):
        data = Community(version, community).template(request).message(request_id)
        module = v1 if version == V1 else v2c
        message, rest = decoder.decode(data, asn1Spec=module.Message())
        asked = module.apiMessage.get_pdu(message)
        assert rest == b""
        assert int(module.apiMessage.get_version(message)) == version
        assert bytes(module.apiMessage.get_community(message)) == community
        assert type(asked).__name__ == kind
        assert int(module.apiPDU.get_request_id(asked)) == request_id
        assert [str(o) for o, _ in module.apiPDU.get_varbinds(asked)] == names


@given(st.lists(oids, min_size=1, max_size=10), ids, st.integers(0, 1000), st.integers(0, 10))
def test_pysnmp_reads_our_getbulk(names, request_id, repetitions, non_repeaters):
    request = pdu.get_bulk([ber.encode_oid(o) for o in names], repetitions, non_repeaters)
    data = Community(V2C, b"public").template(request).message(request_id)
    message, _ = decoder.decode(data, asn1Spec=v2c.Message())
    asked = v2c.apiMessage.get_pdu(message)
    assert int(v2c.apiBulkPDU.get_max_repetitions(asked)) == repetitions
    assert int(v2c.apiBulkPDU.get_non_repeaters(asked)) == non_repeaters
    assert [str(o) for o, _ in v2c.apiBulkPDU.get_varbinds(asked)] == names


@given(oids)
def test_object_identifiers_are_encoded_as_pysnmp_does(dotted):
    body = ber.encode_oid(dotted)
    assert ber.tlv(6, body) == encoder.encode(v2c.ObjectIdentifier(dotted))
    assert ber.decode_oid(body) == dotted


@given(st.integers(-(2**70), 2**70))
def test_pyasn1_reads_our_integers(value):
    assert int(decoder.decode(ber.encode_integer(value))[0]) == value
    assert ber.read_integer(ber.encode_integer(value), 0, 99)[0] == value


@given(st.floats(allow_nan=False, width=32), st.floats(allow_nan=False))
def test_opaque_floats_and_doubles_are_numbers(single, double):
    def opaque(inner: bytes) -> ber.Value:
        return ber.decode_value(ber.OPAQUE, inner)

    assert opaque(b"\x9f\x78\x04" + struct.pack(">f", single)) == single
    assert opaque(b"\x9f\x79\x08" + struct.pack(">d", double)) == double
    assert str(opaque(b"\x9f\x78\x04" + struct.pack(">f", math.nan))) == "nan"
    assert opaque(b"\x9f\x78\x05abcd") == b"\x9f\x78\x05abcd"


@given(st.lists(st.tuples(oids, values), min_size=1, max_size=4), st.data())
def test_a_damaged_response_is_malformed_or_read_never_a_crash(binds, data):
    whole = encoded_response(v2c, V2C, b"public", 1 << 24, 0, 0, [(o, v[0]) for o, v in binds])
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        decode_message(whole[:cut])
    at, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    try:
        response = decode_message(whole[:at] + bytes([byte]) + whole[at + 1 :])
    except Malformed:
        return
    assert isinstance(response, pdu.Response)


def test_a_gauge_of_four_full_octets_is_not_negative():
    assert ber.decode_value(ber.GAUGE32, b"\xff\xff\xff\xff") == 4294967295


@pytest.mark.parametrize("wrong", ["", "1", "3.1", "1.40", "1.2.x", "1.-2"])
def test_what_is_no_object_identifier_is_refused(wrong):
    with pytest.raises(ValueError, match=r"object identifier|invalid literal"):
        ber.encode_oid(wrong)
