"""What polling costs: N replayed devices x 20 varbinds every second, from socket to sink.

usage: python -m benchmarks.snmp_poll [--devices 200] [--shape scalars|tables] [--dead 0.05] [--seconds 10]

Prints one JSON object. The agent runs in a process of its own, on another core where there is one;
the CPU figure is that of the collector's process alone.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import time
import tomllib
from collections.abc import Mapping

from collectors.base import Intervals, Target, parse_url
from collectors.snmp.collector import SnmpCollector
from collectors.snmp.profile import SnmpProfile
from collectors.wheel import Counters, Wheel
from dcim.clock import SystemClock
from dcim.model.reading import Batch, Identity
from fixtures.peers.replay import Recording, ReplayAgent

_ROOT = "1.3.6.1.4.1.9999.1"
_HEAD = f"""
name = "bench"
protocol = "snmp"
kind = "rack_pdu"
vendor = "Bench"
evidence = "synthetic"
sources = ["this benchmark"]
root = "{_ROOT}"
[identify]
sys_object_id = ["1.3.6.1.4.1.9999"]
"""
_POINTS = {
    "scalars": f"""
[[point]]
at = ".1.{{each}}.0"
each = {list(range(1, 21))}
component = "input/{{each}}"
metric = "voltage"
scale = 0.1
""",
    "tables": """
[[table]]
at = ".2.1"
component = "outlet/{index}"
column = [{ at = 2, metric = "voltage", scale = 0.1 }, { at = 3, metric = "current", scale = 0.1 }]
""",
}


def recording() -> Recording:
    """Twenty scalars, and a table of ten rows and two columns."""
    lines = ["1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9999", "1.3.6.1.2.1.1.3.0|67|1"]
    lines += [f"{_ROOT}.1.{n}.0|2|{2300 + n}" for n in range(1, 21)]
    lines += [f"{_ROOT}.2.1.{column}.{row}|2|2300" for column in (2, 3) for row in range(1, 11)]
    return Recording.parse(line.encode() for line in lines)


def serve(devices: int, port: "multiprocessing.Queue[int]") -> None:
    """The agent's process; the first value of the queue is its port."""
    _pin(-1)

    async def run() -> None:
        one = recording()
        async with await ReplayAgent({f"d{n}": one for n in range(devices)}).start() as agent:
            port.put(agent.port)
            await asyncio.Event().wait()

    asyncio.run(run())


class Count:
    """A sink that only counts, and says when so many devices are known."""

    def __init__(self, devices: int) -> None:
        self.readings = 0
        self.all_known = asyncio.Event()
        self._devices: set[str] = set()
        self._expected = devices

    def identified(self, identity: Identity) -> None:
        self._devices.add(identity.device)
        if len(self._devices) >= self._expected:
            self.all_known.set()

    def expect(self, device: str, points: Mapping[str, float]) -> None: ...

    def publish(self, batch: Batch) -> None:
        self.readings += len(batch.readings)


async def measure(
    devices: int, dead: float, shape: str, seconds: float, port: int
) -> dict[str, object]:
    """Poll until all live devices are known, then for `seconds`."""
    profile = SnmpProfile.model_validate(tomllib.loads(_HEAD + _POINTS[shape]))
    silent = round(devices * dead)
    names = [f"d{n}" for n in range(devices - silent)] + [f"silent-{n}" for n in range(silent)]
    targets = [
        Target(n, parse_url(f"snmp://{n}@127.0.0.1:{port}"), intervals=Intervals(1, 1, 3600))
        for n in names
    ]
    clock, counters, sink = SystemClock(), Counters(keep_lateness=True), Count(len(names) - silent)
    wheel = Wheel(clock)
    collector = SnmpCollector(targets, {"bench": profile}, sink, clock, wheel, counters)
    started = time.monotonic()
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(wheel.run()), tasks.create_task(collector.run())]
        await sink.all_known.wait()
        ready_s = time.monotonic() - started
        await asyncio.sleep(2)
        counters.lateness_s.clear()
        counters.late = counters.polls = counters.skipped = 0
        before, cpu, wall = sink.readings, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        points, cpu, wall = (
            sink.readings - before,
            time.process_time() - cpu,
            time.monotonic() - wall,
        )
        for task in running:
            task.cancel()
    late = sorted(counters.lateness_s)
    return {
        "shape": shape,
        "devices": devices,
        "dead": silent,
        "points_per_s": round(points / wall),
        "cpu_percent": round(100 * cpu / wall, 1),
        "us_per_point": round(1e6 * cpu / points, 1),
        "polls": counters.polls,
        "late": counters.late,
        "skipped": counters.skipped,
        "lateness_p99_ms": round(1e3 * late[int(0.99 * len(late))], 1),
        "all_known_after_s": round(ready_s, 1),
    }


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--shape", choices=sorted(_POINTS), default="scalars")
    parser.add_argument("--dead", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    a = parser.parse_args()
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    agent = multiprocessing.Process(target=serve, args=(a.devices, port), daemon=True)
    agent.start()
    listening = port.get(timeout=30)
    _pin(0)
    try:
        print(json.dumps(asyncio.run(measure(a.devices, a.dead, a.shape, a.seconds, listening))))
    finally:
        agent.terminate()
        agent.join()


if __name__ == "__main__":
    main()
