"""Our collector alone, into a sink that counts: FOLDER DEVICES PORT, until it is ended."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.modbus_poll.clients import host
from collectors.base import Intervals, Target, parse_url
from collectors.catalog import MODELS
from collectors.modbus.collector import ModbusCollector
from collectors.profile import load_profiles
from collectors.wheel import Counters, Wheel
from dcim.cli.output import run
from dcim.clock import SystemClock
from dcim.model.reading import Batch, Identity


class Count:
    """A sink that counts."""

    readings = 0

    def identified(self, identity: Identity) -> None: ...

    def expect(self, device: str, points: Mapping[str, float]) -> None: ...

    def publish(self, batch: Batch) -> None:
        self.readings += len(batch.readings)


async def main(folder: Path, devices: int, port: int) -> None:
    profiles = load_profiles([folder / "profiles" / "bench.toml"], MODELS)
    targets = [
        Target(f"m{n}", parse_url(f"modbus://{host(n)}:{port}/1"), "bench", Intervals(1, 10, 3600))
        for n in range(devices)
    ]
    clock = SystemClock()
    wheel = Wheel(clock)
    collector = ModbusCollector(targets, profiles, Count(), clock, wheel, Counters())
    async with asyncio.TaskGroup() as group:
        group.create_task(wheel.run())
        group.create_task(collector.run())


if __name__ == "__main__":
    run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
