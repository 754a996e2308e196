"""Planning of reads: nothing torn, nothing forgotten, limits kept."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.modbus.collector import probe
from collectors.modbus.plan import Block, Span, bisected, block, plan
from collectors.modbus.profile import Link
from dcim.clock import SystemClock
from tests.collectors.modbus.peers import REFERENCE, Peer, answer, framed, peer, profile, target

spans = st.lists(
    st.builds(
        Span,
        st.sampled_from(["holding", "input", "coil"]),
        st.integers(0, 600),
        st.sampled_from([1, 2, 4]),
    ),
    max_size=60,
)
links = st.builds(Link, max_registers=st.integers(4, 125), gap=st.integers(0, 20))


def limit(one: Block, link: Link) -> int:
    return link.max_bits if one.read.table == "coil" else link.max_registers


@given(spans, links)
def test_every_value_is_read_whole_and_once_within_the_limits(wanted: list[Span], link: Link):
    blocks = plan(wanted, link)
    assert sorted(span for one in blocks for span in one.spans) == sorted(set(wanted))
    for one in blocks:
        assert one.read.quantity <= limit(one, link)
        end = one.spans[0].address
        for span in one.spans:
            assert span.table == one.read.table
            assert one.read.address <= span.address
            assert span.end <= one.read.address + one.read.quantity
            assert span.address - end <= link.gap
            end = max(end, span.end)


@given(spans, links)
def test_neighbours_are_merged(wanted: list[Span], link: Link):
    blocks = plan(wanted, link)
    for one, other in itertools.pairwise(blocks):
        both = max(s.end for s in one.spans + other.spans[:1]) - one.read.address
        far = other.read.address - (one.read.address + one.read.quantity) > link.gap
        assert one.read.table != other.read.table or far or both > limit(one, link)


@given(spans, links)
def test_a_failing_block_is_halved_down_to_values_that_cannot_be_torn(
    wanted: list[Span], link: Link
):
    for one in plan(wanted, link):
        leaves, pending = [], [one]
        while pending:
            halves = bisected(pending[-1])
            if halves:
                assert [s for half in halves for s in half.spans] == list(pending.pop().spans)
                pending.extend(halves)
            else:
                leaves.append(pending.pop())
        for leaf in leaves:
            covered = leaf.spans[0].end
            for span in leaf.spans[1:]:
                assert span.address < covered
                covered = max(covered, span.end)


def test_the_cut_goes_through_the_widest_gap():
    one = block([Span("holding", a) for a in (0, 1, 2, 9, 10)])
    assert [half.read.address for half in bisected(one)] == [0, 9]


def test_the_plan_of_rackmon():
    path = REFERENCE / "rackmon" / "decode_vectors.json"
    if not path.exists():
        pytest.skip(f"{path} is not here: it belongs to the team's shared papers")
    case = json.loads(path.read_text("utf-8"))["span_plan"]
    reads = []
    for interval in (1, 2):  # rackmon merges only registers of one interval
        wanted = [
            Span("holding", r["begin"], r["length"])
            for r in case["registers"]
            if r["interval"] == interval
        ]
        reads += [[b.read.address, b.read.quantity] for b in plan(wanted, Link())]
    assert reads == case["expected_reads"]


async def test_probe_tells_the_plan_as_it_turned_out():
    async def reply(one: Peer, transaction: int, unit: int, pdu: bytes) -> bytes:
        return framed(transaction, unit, answer({"input": {1: 7, 2: 8}}, pdu))

    values = [
        {"metric": "value", "component": f"v{n}", "at": {"table": "input", "address": n}}
        for n in (1, 2, 3)
    ]
    async with peer(reply) as server:
        url = f"modbus://127.0.0.1:{server.port}/1"
        result = await probe(target(url, "test"), {"test": profile(point=values)}, SystemClock())
    assert list(result.plan) == [
        "normal  input 1  1 values",
        "normal  input 2  1 values",
        "refused input 3",
    ]
