"""The corpus of real devices: every reading as an independent system takes it, by its own measure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.peers.broker import free_port

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "snmp"
DISPUTES = Path(__file__).with_name("disputes.jsonl")


@pytest.mark.skipif(not CORPUS.exists(), reason=f"the corpus is not at {CORPUS}")
def test_the_corpus_reads_as_it_should():
    """98 % of numbers, 95 % of states, nothing wrong that is not in the disputes file, in 60 s."""
    dcim = Path(sys.executable).with_name("dcim")
    done = subprocess.run(
        [
            *(sys.executable, str(CORPUS / "score.py"), str(dcim)),
            *("--disputes", str(DISPUTES), "--show", "40", "--port", str(free_port())),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, done.stdout[-4000:]
    found = re.search(r"wrong 0 backed 0 formula-only .* in (\d+) s$", last)
    assert found is not None, last
    assert int(found[1]) < 60
