"""Runs all clients one after the other and prints a table.

usage: python -m benchmarks.modbus_poll [--devices 500] [--seconds 15] [--rounds 1] [--only gateway|polling]
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.influxd import TOKEN, binary, influxd
from benchmarks.modbus_poll.clients import (
    GATEWAY,
    GATEWAY_INTERVAL_S,
    GATEWAY_UNITS,
    POLLING,
    REFERENCE,
    TOKEN_ENV,
    VALUES,
    Client,
    telegraf,
)
from benchmarks.modbus_poll.server import DEAD_UNITS

_TICKS = os.sysconf("SC_CLK_TCK")
_CLIENT_CORE, _SERVER_CORE = 0, -1
_SETTLE_S = 15


@dataclass(frozen=True)
class Cost:
    """What a client took while it polled."""

    cpu: float  # of one core
    megabytes: float
    reads_s: float = 0.0  # answered by the server


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=500)
    options.add_argument("--seconds", type=float, default=15)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--only", choices=["polling", "gateway"])
    given = options.parse_args()
    if given.only != "gateway":
        polling(given.devices, given.seconds, given.rounds)
    if given.only != "polling":
        gateway(max(30.0, 2 * given.seconds))


def polling(devices: int, seconds: float, rounds: int) -> None:
    """CPU per value of every client, against one and the same server."""
    registers = 2 * devices * VALUES
    print(f"{devices} connections x {VALUES} float32 every second ({registers} registers/s)\n")
    costs: dict[str, list[Cost]] = {}
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        process, port = stack.enter_context(server("meters"))
        influx = binary() and stack.enter_context(influxd(str(cores[_SERVER_CORE])))
        for _ in range(rounds):
            for client in available(POLLING, influx is not None):
                cost = measured(client, devices, port, seconds, process, influx or "")
                costs.setdefault(client.name, []).append(cost)
    reference = costs.get(REFERENCE) or costs.get("Telegraf -> discard")
    rows = []
    for name, found in costs.items():
        cpu = statistics.median(cost.cpu for cost in found)
        values = [cost.cpu / (cost.reads_s * VALUES) * 1e6 for cost in found if cost.reads_s]
        per_value = f"{statistics.median(values):.2f}" if values else "-"
        spread = f" ({min(values):.2f}..{max(values):.2f})" if len(values) > 1 else ""
        ratio = f"{cpu / statistics.median(c.cpu for c in reference):.2f}" if reference else "-"
        memory = f"{max(cost.megabytes for cost in found):.0f}"
        reads = f"{statistics.median(cost.reads_s for cost in found):.0f}"
        rows.append((name, reads, f"{100 * cpu:.1f}", per_value + spread, memory, ratio))
    table(("client", "reads/s", "CPU % of a core", "us a value", "MB", "x Telegraf"), rows)


def gateway(seconds: float) -> None:
    """How often the living units of a shared line are read beside two dead ones."""
    print(
        f"\n{GATEWAY_UNITS} units behind one gateway at 9600 baud, {len(DEAD_UNITS)} of them dead, "
        f"wanted every {GATEWAY_INTERVAL_S} s, for {seconds:g} s\n"
    )
    rows = []
    for client in available(GATEWAY, False):
        with server("gateway") as (process, port):
            measured(client, GATEWAY_UNITS, port, seconds)
            reads = ended(process)
        gaps = [after - before for times in reads.values() for before, after in pairwise(times)]
        if not gaps:
            rows.append((client.name, str(len(reads)), "-", "-", "-"))
            continue
        worst = max(gaps)
        late = sum(gap > 1.5 * GATEWAY_INTERVAL_S for gap in gaps) / len(gaps)
        mean = f"{statistics.mean(gaps):.2f}"
        rows.append((client.name, str(len(reads)), mean, f"{worst:.2f}", f"{100 * late:.0f}"))
    table(("client", "units read", "mean interval s", "longest s", "% over 1.5 x"), rows)


def available(clients: Sequence[Client], influx: bool) -> Iterator[Client]:
    """Without Telegraf where it is not to be had, and without InfluxDB where that is not."""
    peer = telegraf() is not None
    for client in clients:
        if (peer or not client.name.startswith("Telegraf")) and (influx or not client.needs_influx):
            yield client


@contextlib.contextmanager
def server(kind: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A server's process and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.modbus_poll.server", kind, str(port)]
    process = subprocess.Popen(
        [*command, str(cores[_SERVER_CORE])], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(process: "subprocess.Popen[str]") -> dict[str, list[float]]:
    """Stop the gateway; the times of every unit's reads."""
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    reads: dict[str, list[float]] = json.loads(process.stdout.readline())
    return reads


def measured(
    client: Client,
    devices: int,
    port: int,
    seconds: float,
    counting: "subprocess.Popen[str] | None" = None,
    influx: str = "",
) -> Cost:
    """Run a client; what it takes once it has settled."""
    with tempfile.TemporaryDirectory() as folder:
        command = client.write(Path(folder), devices, port, influx)
        with open(Path(folder) / "log", "w") as log:
            core = str(sorted(os.sched_getaffinity(0))[_CLIENT_CORE])
            process = subprocess.Popen(
                ["taskset", "-c", core, *command],
                stdout=log,
                stderr=log,
                env=os.environ | {TOKEN_ENV: TOKEN},
            )
        try:
            time.sleep(_SETTLE_S)
            before, served, started = _cpu_s(process.pid), _served(counting), time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - started
            reads_s = (_served(counting) - served) / took
            return Cost((_cpu_s(process.pid) - before) / took, _megabytes(process.pid), reads_s)
        except FileNotFoundError:
            said = (Path(folder) / "log").read_text()[-500:]
            raise SystemExit(f"{client.name} ended early: {said}") from None
        finally:
            process.terminate()
            process.wait(20)


def _served(server: "subprocess.Popen[str] | None") -> int:
    if server is None or server.stdout is None:
        return 0
    server.send_signal(signal.SIGUSR1)
    return int(server.stdout.readline())


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
