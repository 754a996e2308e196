"""An InfluxDB 2 of the benchmark's own, with its data in a temporary folder."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ORG, BUCKET, TOKEN = "bench", "bench", "bench-token"
_CACHE = Path.home() / ".cache/dcim-servers/influxd-v2.7.12"
_START_S = 60.0


def binary() -> str | None:
    """The server's program, where there is one."""
    named = os.environ.get("DCIM_INFLUXD") or shutil.which("influxd")
    return named or (str(_CACHE) if _CACHE.exists() else None)


@contextlib.contextmanager
def influxd(core: str) -> Iterator[str]:
    """Runs on one core; gives its URL."""
    program = binary()
    if program is None:
        raise SystemExit("no influxd: install InfluxDB 2.7 or name it in DCIM_INFLUXD")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="bench-influxd-") as folder:
        paths = [f"--{n}-path={folder}/{n}" for n in ("bolt", "engine", "sqlite")]
        bind = f"--http-bind-address={url.removeprefix('http://')}"
        process = subprocess.Popen(
            ["taskset", "-c", core, program, *paths, bind, "--reporting-disabled"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _set_up(url)
            yield url
        finally:
            process.kill()
            process.wait()


def points(url: str, seconds: float, field: str) -> int:
    """How many values of a field (a regular expression) were written for the last seconds."""
    query = (
        f'from(bucket: "{BUCKET}") |> range(start: -{seconds:.0f}s)'
        f" |> filter(fn: (r) => r._field =~ /{field}/) |> count() |> group() |> sum()"
    )
    headers = {"Content-Type": "application/vnd.flux", "Accept": "application/csv"}
    rows = _post(f"{url}/api/v2/query?org={ORG}", query.encode(), headers).splitlines()
    return int(rows[1].rpartition(",")[2]) if len(rows) > 1 else 0


def _set_up(url: str) -> None:
    body = {"username": "bench", "password": "bench-password", "org": ORG, "bucket": BUCKET}
    deadline = time.monotonic() + _START_S
    while True:
        try:
            _post(f"{url}/api/v2/setup", json.dumps(body | {"token": TOKEN}).encode(), {})
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _post(url: str, body: bytes, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, body, {"Authorization": f"Token {TOKEN}", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text
