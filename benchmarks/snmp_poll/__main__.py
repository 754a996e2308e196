"""What SNMP polling costs, from socket to store: `dcim run` beside other agents and pysnmp.

usage: python -m benchmarks.snmp_poll [--devices 250] [--most 1250] [--seconds 15] [--rounds 2]

Every device has 20 values, asked every second. Programs run in turns on core 0 with their real
output to the same InfluxDB (collectd and prometheus-snmp-exporter without any, which flatters
them); the devices, the InfluxDB and the exporter's scraper have the last core. CPU is that of the
polling process alone. How often a device is asked is noted by the device. `layer` follows.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from benchmarks.influxd import TOKEN, influxd, points
from benchmarks.snmp_poll import clients, layer
from benchmarks.snmp_poll.clients import VALUES
from benchmarks.snmp_poll.devices import Responder, responder

_TICKS = os.sysconf("SC_CLK_TCK")
_CORES = sorted(os.sched_getaffinity(0))
_OURS_CORE, _PEERS_CORE = str(_CORES[0]), str(_CORES[-1])
_WARM_UP_S = 12.0
_BUILD = Path(__file__).parents[3] / "shared" / "servers" / "telegraf" / "build"


@dataclass(frozen=True)
class Program:
    """What is measured: where it is, and what writes its files and tells its arguments."""

    path: str | None
    write: Callable[[Path, str, int, int, str], list[str]]
    stores: bool = True  # in InfluxDB
    scraped: bool = False  # polls when somebody asks it over HTTP


@dataclass(frozen=True)
class Run:
    """What one program did in one turn."""

    cpu: float  # of one core
    polls_s: float  # of all living devices
    stored_s: float | None  # values a second that the store has
    interval_s: float  # median, of living devices
    late_p99_s: float  # of the gap between two polls, beyond a second
    responder: float  # share of a core

    @property
    def us(self) -> float:
        """CPU microseconds per value polled."""
        return 1e6 * self.cpu / (self.polls_s * VALUES) if self.polls_s else float("nan")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=250)
    options.add_argument("--most", type=int, default=1250)
    options.add_argument("--seconds", type=float, default=15)
    options.add_argument("--rounds", type=int, default=2)
    given = options.parse_args()
    programs = installed()
    print_header()
    with influxd(_PEERS_CORE) as store:

        def turn(name: str, shape: str, devices: int, dead: int = 0) -> Run:
            with responder(devices, dead, shape, _CORES[-1]) as server:
                one = programs[name]
                return measured(one, shape, devices, dead, server, store, given.seconds)

        for shape in ("scalars", "tables"):
            turns = [
                (name, turn(name, shape, given.devices))
                for _ in range(given.rounds)
                for name in programs
            ]
            for one in compared(shape, given.devices, list(programs), turns):
                print_row(one)
            with responder(1, 0, shape, _CORES[-1]) as server:
                cost = pysnmp(shape, server.port, given.seconds)
            print_row((f"pysnmp, no store, 1 device, {shape}", f"{cost:.0f}", *["-"] * 7))
        for name in [name for name, one in programs.items() if one.stores]:
            dead = given.devices // 20
            runs = [turn(name, "scalars", given.devices, dead)]
            print_row(row(f"{name}, {given.devices} devices, {dead} dead", runs, None))
        runs = [turn("dcim run", "scalars", given.most)]
        print_row(row(f"dcim run, {given.most} devices, scalars", runs, None))
    load = os.getloadavg()[0]
    print(f"\nLoad average at the end: {load:.1f} on {len(_CORES)} cores; above 2, mistrust it.\n")
    layer.compare(gets=5000, rounds=5)


def installed() -> dict[str, Program]:
    """What can be measured here, by name; says what is left out."""
    all_programs = {
        "dcim run": Program(str(Path(sys.executable).parent / "dcim"), clients.ours),
        "Telegraf": Program(telegraf(), clients.telegraf),
        "collectd, no writer": Program(which("collectd"), clients.collectd, stores=False),
        "snmp_exporter, no Prometheus": Program(
            which("prometheus-snmp-exporter"), clients.exporter, stores=False, scraped=True
        ),
    }
    for name, one in all_programs.items():
        if one.path is None:
            print(f"{name}: not installed, skipped", file=sys.stderr)
    return {name: one for name, one in all_programs.items() if one.path is not None}


def which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def telegraf() -> str | None:
    """Telegraf's path; None where it can neither be found nor built."""
    if found := os.environ.get("DCIM_TELEGRAF") or shutil.which("telegraf"):
        return found
    if not _BUILD.is_file():
        return None
    return subprocess.run([_BUILD], check=True, capture_output=True, text=True).stdout.strip()


def measured(
    program: Program,
    shape: str,
    devices: int,
    dead: int,
    server: Responder,
    store: str,
    seconds: float,
) -> Run:
    """Let a program settle, then watch it for so many seconds."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = stack.enter_context(open(folder / "log", "w"))
        arguments = program.write(folder, shape, devices, server.port, store)
        assert program.path is not None
        process = stack.enter_context(started([program.path, *arguments], _OURS_CORE, log))
        if program.scraped:
            scraper = [sys.executable, "-m", "benchmarks.snmp_poll.scraper"]
            scraper += [str(server.port), str(devices), str(server.port)]
            stack.enter_context(started(scraper, _PEERS_CORE, log))
        time.sleep(_WARM_UP_S + (10 if dead else 0))
        server.report()
        before, since = cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        share, asked = server.report()
        cpu = (cpu_s(process.pid) - before) / (time.monotonic() - since)
        if process.poll() is not None:
            raise SystemExit(f"{program.path} ended: {(folder / 'log').read_text()[-800:]}")
        stored = None
        if program.stores:
            time.sleep(3)  # what is on its way arrives
            stored = points(store, seconds + 3, "^v") / (seconds + 3)
    gaps = sorted(b - a for times in asked for a, b in pairwise(times)) or [float("nan")]
    return Run(
        cpu,
        sum(map(len, asked)) / seconds,
        stored,
        statistics.median(gaps),
        gaps[int(0.99 * (len(gaps) - 1))] - 1,
        share,
    )


@contextmanager
def started(command: Sequence[str], core: str, log: TextIO) -> Iterator["subprocess.Popen[bytes]"]:
    """A program on one core, ended at the end."""
    environment = os.environ | {clients.TOKEN_ENV: TOKEN}
    pinned = ["taskset", "-c", core, *command]
    process = subprocess.Popen(pinned, stdout=log, stderr=log, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def pysnmp(shape: str, port: int, seconds: float) -> float:
    command = [sys.executable, "-m", "benchmarks.snmp_poll.pysnmp_alone", shape, str(port)]
    return float(
        subprocess.run(
            ["taskset", "-c", _OURS_CORE, *command, str(seconds / 2)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )


def compared(
    shape: str, devices: int, names: Sequence[str], turns: Sequence[tuple[str, Run]]
) -> Iterator[tuple[str, ...]]:
    """A row for each program; ratios to Telegraf."""
    by_name = {name: [run for n, run in turns if n == name] for name in names}
    peer = by_name.get("Telegraf")
    reference = statistics.median(run.us for run in peer) if peer else None
    for name, runs in by_name.items():
        yield row(f"{name}, {devices} devices, {shape}", runs, reference)


def row(title: str, runs: Sequence[Run], reference: float | None) -> tuple[str, ...]:
    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    costs = [run.us for run in runs]
    stored = [run.stored_s for run in runs if run.stored_s is not None]
    spread = f" ({min(costs):.1f}..{max(costs):.1f})" if len(costs) > 1 else ""
    return (
        title,
        f"{middle(costs):.1f}{spread}",
        f"{middle(costs) / reference:.2f}" if reference else "-",
        f"{100 * middle([r.cpu for r in runs]):.0f}",
        f"{VALUES * middle([r.polls_s for r in runs]):.0f}",
        f"{middle(stored):.0f}" if stored else "-",
        f"{middle([r.interval_s for r in runs]):.2f}",
        f"{1e3 * middle([r.late_p99_s for r in runs]):.0f}",
        f"{100 * middle([r.responder for r in runs]):.0f}",
    )


def print_header() -> None:
    first = ("", "us a value", "x Telegraf", "CPU %", "values/s", "stored/s")
    print_row((*first, "interval s", "late p99 ms", "responder %"))
    print("| --- |" + " ---: |" * 8)


def print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
