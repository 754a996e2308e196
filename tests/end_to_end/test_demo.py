"""The whole way, as the README's user goes it: plant on real sockets, agent, alarm, webhook."""

import json
import subprocess
import sys


def test_the_headless_demo_agrees_with_the_plant():
    """PUE and WUE as the plant knows them, the leak alarmed and delivered once, within 3 s."""
    command = [sys.executable, "-m", "dcim", "demo", "--headless", "--duration", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["failed"] == []
    assert done.returncode == 0, done.stderr
    assert abs(found["pue"] / found["pue_truth"] - 1) <= 0.01
    assert abs(found["wue"] / found["wue_truth"] - 1) <= 0.02
    assert all(found["points"].values())
    assert found["webhooks_duplicate"] == 0
    assert 0 < found["leak_to_webhook_s"] <= 3
