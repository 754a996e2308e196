"""A part of benchmarks/snmp_fuzz.py's million."""

from benchmarks.snmp_fuzz import fuzz


def test_mutated_messages_crash_nothing_and_keep_no_memory() -> None:
    done = fuzz(20_000, seed=7)
    assert done.crashes == []
    assert done.taken > 100
    assert done.grown_mb < 5
