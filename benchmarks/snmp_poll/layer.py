"""The polling layer alone, SNMP v2c: ours beside gufo-snmp (written in Rust). No store, no rules.

usage: python -m benchmarks.snmp_poll.layer [--gets 5000] [--rounds 5]

GETs of 20 values, a few devices at a time, both on uvloop and core 0, in turns; CPU of the client
alone. gufo-snmp comes from PyPI into an environment that is thrown away; without it: skipped.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version
from pathlib import Path

from benchmarks.snmp_poll.clients import VALUES, profile
from benchmarks.snmp_poll.devices import responder

_GUFO = "gufo-snmp==0.13.0"
_GOAL = 1.5  # x gufo-snmp
_DEVICES = 16  # asked at a time
_CORES = sorted(os.sched_getaffinity(0))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--gets", type=int, default=5000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    compare(given.gets, given.rounds)


def compare(gets: int, rounds: int) -> None:
    """Print a row for each client, with its ratio to gufo-snmp."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-gufo-") as folder,
        responder(_DEVICES, 0, "scalars", _CORES[-1]) as server,
    ):
        (Path(folder) / "bench.toml").write_text(profile("scalars"))
        common = [str(server.port), str(_DEVICES), str(gets)]
        ours = [sys.executable, "-m", "benchmarks.snmp_poll.layer_ours", folder, *common]
        commands = {"ours, values": [*ours, "values"], "ours, readings": [*ours, "readings"]}
        if python := _gufo(Path(folder) / "venv"):
            commands["gufo-snmp, values"] = [
                *(python, "-m", "benchmarks.snmp_poll.layer_gufo"),
                *common,
            ]
        costs: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                costs[name].append(_cost(command))
    _print(costs)


def _gufo(folder: Path) -> str | None:
    """The Python of a fresh environment that has gufo-snmp and our uvloop."""
    python = str(folder / "bin" / "python")
    wanted = [_GUFO, f"uvloop=={version('uvloop')}"]
    install = [python, "-m", "pip", "install", "-q", "--only-binary", ":all:", *wanted]
    try:
        venv.create(folder, with_pip=True)
        subprocess.run(install, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        print(f"gufo-snmp: cannot be installed, skipped: {str(error.stderr)[-200:].strip()}\n")
        return None
    return python


def _cost(command: list[str]) -> float:
    """CPU microseconds a value, which the program prints."""
    pinned = ["taskset", "-c", str(_CORES[0]), *command]
    return float(subprocess.run(pinned, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _print(costs: dict[str, list[float]]) -> None:
    peer = costs.get("gufo-snmp, values")
    print(
        f"| GET of {VALUES}, v2c | us a value | x gufo-snmp (goal {_GOAL}) |\n| --- | ---: | ---: |"
    )
    for name, runs in costs.items():
        middle = statistics.median(runs)
        ratio = f"{middle / statistics.median(peer):.2f}" if peer else "-"
        print(f"| {name} | {middle:.2f} ({min(runs):.2f}..{max(runs):.2f}) | {ratio} |")


if __name__ == "__main__":
    main()
