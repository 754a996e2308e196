"""A real InfluxDB on a free port, which a test may kill and start again."""

import asyncio
import os
import socket
from pathlib import Path

import httpx
import pytest

ORG, BUCKET, TOKEN = "dcim", "plant", "test-token"
_DEFAULT = Path.home() / ".cache/dcim-servers/influxd-v2.7.12"


def binary() -> Path:
    """The server's program; skips where there is none, fails in CI."""
    path = Path(os.environ.get("DCIM_INFLUXD", _DEFAULT))
    if not path.exists():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"no InfluxDB at {path}: install InfluxDB 2.7 and name its influxd in DCIM_INFLUXD")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Influxd:
    """InfluxDB with its data in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        at = self._directory
        self._process = await asyncio.create_subprocess_exec(
            binary(),
            *("--bolt-path", at / "bolt", "--engine-path", at / "engine"),
            *("--sqlite-path", at / "sqlite"),
            *("--http-bind-address", f"127.0.0.1:{self.port}"),
            *("--reporting-disabled", "--log-level", "error"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while not await self._ready(client):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def setup(self) -> None:
        """The first user, organisation and bucket."""
        body = {
            "username": "test",
            "password": "test-password",
            "token": TOKEN,
            "org": ORG,
            "bucket": BUCKET,
            "retentionPeriodSeconds": 0,
        }
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.url}/api/v2/setup", json=body)).raise_for_status()

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self._process = None

    async def stop(self) -> None:
        if self._process is not None:
            await self.kill()

    async def flux(self, query: str) -> list[dict[str, str]]:
        """Ask with curl's means, not with the client under test; the rows of annotated CSV."""
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(
                f"{self.url}/api/v2/query?org={ORG}",
                headers={
                    "Authorization": f"Token {TOKEN}",
                    "Content-Type": "application/vnd.flux",
                },
                content=query,
            )
        answer.raise_for_status()
        rows: list[dict[str, str]] = []
        header: list[str] = []
        for line in answer.text.splitlines():
            cells = line.split(",")
            if cells[:2] == ["", "result"]:
                header = cells
            elif line:
                rows.append(dict(zip(header, cells, strict=True)))
        return rows

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"influxd ended with {self._process.returncode}")
        try:
            return (await client.get(f"{self.url}/ready")).status_code == 200
        except httpx.TransportError:
            return False
