"""The responder's process, started and asked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Responder:
    """The devices' process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._line())

    def report(self) -> tuple[float, list[list[float]]]:
        """Its share of a core and the times of polls by device, since the last report."""
        assert self._process.stdin is not None
        self._process.stdin.write("report\n")
        self._process.stdin.flush()
        share, asked = json.loads(self._line())
        return share, asked

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def responder(devices: int, dead: int, shape: str, core: int) -> Iterator[Responder]:
    """So many devices on one core, some of them silent."""
    command = [sys.executable, "-m", "benchmarks.snmp_poll.responder"]
    process = subprocess.Popen(
        [*command, str(devices), str(dead), shape, str(core)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Responder(process)
        finally:
            process.kill()
