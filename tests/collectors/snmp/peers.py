"""A small UPS as a recording, and a sink that can be awaited."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import quote

from collectors.base import Intervals, Target, parse_url
from dcim.model.reading import Batch, Identity, Reading

DEADLINE_S = 15.0
DEFAULT = Intervals()

UPS = b"""\
1.3.6.1.2.1.1.1.0|4|Acme UPS card
1.3.6.1.2.1.1.2.0|6|1.3.6.1.2.1.33
1.3.6.1.2.1.1.3.0|67|4711
1.3.6.1.2.1.33.1.1.1.0|4|Acme
1.3.6.1.2.1.33.1.1.2.0|4|Power 3000
1.3.6.1.2.1.33.1.2.1.0|2|2
1.3.6.1.2.1.33.1.2.2.0|2|0
1.3.6.1.2.1.33.1.2.3.0|2|65535
1.3.6.1.2.1.33.1.2.4.0|2|97
1.3.6.1.2.1.33.1.2.5.0|2|545
1.3.6.1.2.1.33.1.3.3.1.3.1|2|2304
1.3.6.1.2.1.33.1.3.3.1.3.2|2|2311
1.3.6.1.2.1.33.1.3.3.1.3.3|2|2298
1.3.6.1.2.1.33.1.4.1.0|2|3
1.3.6.1.2.1.33.1.4.4.1.2.1|2|230
1.3.6.1.2.1.33.1.4.4.1.4.1|2|1210
"""


class Latest(Random):
    """Chance that always puts things off as long as it may: no regular poll comes in between."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Sink:
    """Keeps what a collector gives, and lets a test await it."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.expected: dict[str, dict[str, float]] = {}
        self.batches: list[Batch] = []
        self._changed = asyncio.Event()

    def identified(self, identity: Identity) -> None:
        self.identities.append(identity)

    def expect(self, device: str, points: Mapping[str, float]) -> None:
        self.expected[device] = dict(points)

    def publish(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._changed.set()

    def last(self, point: str) -> Reading | None:
        """The newest reading of a point."""
        found = (r for b in reversed(self.batches) for r in b.readings if r.point == point)
        return next(found, None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for batches until something holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


def target(name: str, port: int, intervals: Intervals = DEFAULT, query: str = "") -> Target:
    """A device on loopback; its name is its community, as the replay agent wants it."""
    url = parse_url(f"snmp://{quote(name)}@127.0.0.1:{port}{query}")
    return Target(name, url, intervals=intervals)
