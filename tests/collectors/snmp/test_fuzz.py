"""A part of benchmarks/snmp_fuzz.py's million, in a process whose memory is its own."""

import json
import subprocess
import sys


def test_mutated_messages_crash_nothing_and_keep_no_memory() -> None:
    command = [sys.executable, "-m", "benchmarks.snmp_fuzz", "--messages", "20000", "--seed", "7"]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    found = json.loads(run.stdout)
    assert found["crashes"] == []
    assert found["taken"] > 100
    assert found["grown_mb"] < 5
