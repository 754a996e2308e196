"""Readings for the tests, and a store that can be switched off."""

import asyncio
from collections.abc import Callable, Sequence

from dcim.model.reading import Quality, Reading
from dcim.model.wire import TrendBucket
from dcim.storage.store import Sample, StoreDown

DAY_S = 86_400
MIDNIGHT = 20_000 * DAY_S  # 2024-10-04
VOLTAGE = "ups-a/output/L1/voltage"
MODE = "ups-a/mode"


def volts(value: float | None, ts: float, quality: Quality = Quality.GOOD) -> Reading:
    reason = None if quality is Quality.GOOD else f"is {quality}"
    return Reading(VOLTAGE, value, ts, quality, reason)


def mode(state: str, ts: float, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(MODE, None, ts, quality, state=state, raw=7)


class SwitchedStore:
    """Keeps readings in memory while `up`; knows the marks as a store must."""

    kind = "switched"

    def __init__(self) -> None:
        self.up = True
        self.kept: list[Reading] = []
        self._mark = ""

    async def write(self, readings: Sequence[Reading], mark: str = "") -> None:
        await asyncio.sleep(0)
        if not self.up:
            raise StoreDown("switched off")
        if not mark or mark != self._mark:
            self.kept.extend(readings)
        self._mark = mark or self._mark

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        return []

    async def raw(self, point: str, start_s: float, end_s: float) -> list[Sample]:
        return []

    async def maintain(self) -> None: ...

    async def close(self) -> None: ...


async def until(met: Callable[[], bool], deadline_s: float = 20.0) -> None:
    """Wait for a condition; TimeoutError after the deadline."""
    async with asyncio.timeout(deadline_s):
        while not met():  # noqa: ASYNC110 - looks from outside, there is no event to wait for
            await asyncio.sleep(0.01)
