"""Whatever one unit behind a gateway does wrong, it has its own name, and nobody else is late."""

import itertools
from collections.abc import Callable

import pytest

from collectors.modbus.profile import Link
from dcim.model.reading import OutageKind
from tests.collectors.modbus.peers import Memory, Peer, answer, collecting, framed, peer, profile
from tests.collectors.modbus.peers import target as target_of

TIMEOUT_S = 0.3
SLACK_S = 0.3  # of this machine
HELD = {"holding": {3: 0x67, 4: 0x68}}
GOOD = b"\x03\x04\x00\x67\x00\x68"
METER = profile(
    point=[{"metric": "value", "at": {"address": 3, "type": "u32"}, "group": "fast"}],
    link=Link(timeout_s=TIMEOUT_S).model_dump(),
)

CASES: dict[str, tuple[Callable[[int, int], bytes | None], OutageKind]] = {
    "illegal function": (lambda t, u: framed(t, u, b"\x83\x01"), OutageKind.ILLEGAL_FUNCTION),
    "illegal address": (lambda t, u: framed(t, u, b"\x83\x02"), OutageKind.ILLEGAL_ADDRESS),
    "busy": (lambda t, u: framed(t, u, b"\x83\x06"), OutageKind.BUSY),
    "wrong transaction": (lambda t, u: framed(t + 5, u, GOOD), OutageKind.WRONG_TRANSACTION),
    "another unit": (lambda t, u: framed(t, u + 7, GOOD), OutageKind.WRONG_UNIT),
    "short frame": (lambda t, u: framed(t, u, GOOD[:-2]), OutageKind.SHORT_FRAME),
    "cut frame": (lambda t, u: framed(t, u, GOOD)[:-2], OutageKind.SHORT_FRAME),
    "oversized frame": (lambda t, u: framed(t, u, GOOD + b"\0\0"), OutageKind.OVERSIZED_FRAME),
    "reset": (lambda t, u: None, OutageKind.RESET),
    "silence": (lambda t, u: b"", OutageKind.TIMEOUT),
    "no Modbus": (lambda t, u: b"HTTP/1.1 400 Bad Request\r\n\r\n", OutageKind.MALFORMED),
    "no path": (lambda t, u: framed(t, u, b"\x83\x0a"), OutageKind.GATEWAY_PATH),
    "no target": (lambda t, u: framed(t, u, b"\x83\x0b"), OutageKind.GATEWAY_TARGET),
}


@pytest.mark.parametrize(("make", "kind"), CASES.values(), ids=CASES)
async def test_an_outage_of_one_unit_makes_no_other_late(
    make: Callable[[int, int], bytes | None], kind: OutageKind
):
    asked: list[int] = []

    async def reply(_: Peer, transaction: int, unit: int, pdu: bytes) -> bytes | None:
        if unit == 1:
            asked.append(transaction)
            return make(transaction, unit)
        return framed(transaction, unit, answer(HELD, pdu))

    async with peer(reply) as server:
        targets = [
            target_of(f"modbus://127.0.0.1:{server.port}/{unit}", "test", f"u{unit}", fast_s=0.1)
            for unit in (1, 2, 3)
        ]
        async with collecting(targets, {"test": METER}) as (collector, sink):
            await sink.until(lambda: len(sink.of("u2")) >= 12 and len(sink.of("u3")) >= 12)
    assert {batch.outage.kind for batch in sink.of("u1") if batch.outage} == {kind}
    (counts,) = collector.counts().values()
    assert 1 <= counts[kind] <= len(asked)
    assert counts["requests"] >= 24
    assert not any(batch.readings for batch in sink.of("u1"))
    assert all(_well(sink, unit) for unit in ("u2", "u3"))


def _well(sink: Memory, unit: str) -> bool:
    """Read in full every time, and never later than one time-out of the other."""
    batches = sink.of(unit)
    gaps = [after.ts - before.ts for before, after in itertools.pairwise(batches)]
    assert [batch.outage for batch in batches if batch.outage] == []
    assert max(gaps) < TIMEOUT_S + SLACK_S
    return all(len(batch.readings) == 1 for batch in batches)
