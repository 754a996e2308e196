"""net-snmp's own programs as peers: snmpd with users, snmptrap, snmpinform."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

DEADLINE_S = 20.0
AUTH_PASSWORD, PRIV_PASSWORD = "correct horse auth", "battery staple priv"
AUTH = {
    "md5": "MD5",
    "sha": "SHA",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}
PRIV = {
    "des": "DES",
    "aes128": "AES",
    "aes192": "AES-192",
    "aes256": "AES-256",
    "aes192c": "AES192C",
    "aes256c": "AES256C",
}


def need(program: str) -> str:
    """The path of a program of Debian's packages snmp and snmpd."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    if path is None:
        if "CI" in os.environ:
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"install snmp and snmpd: {program}")
    return path


@dataclass(slots=True)
class Snmpd:
    """A running snmpd."""

    port: int
    folder: Path
    process: asyncio.subprocess.Process


def user_name(auth: str, priv: str) -> str:
    return f"u-{auth or 'none'}-{priv or 'none'}"


def all_users() -> list[tuple[str, str]]:
    """Every pair of algorithms, none included."""
    return [("", ""), *((a, p) for a in AUTH for p in ("", *PRIV))]


def user_lines(pairs: Iterable[tuple[str, str]]) -> list[str]:
    lines = []
    for auth, priv in pairs:
        name = user_name(auth, priv)
        secret = f' {AUTH[auth]} "{AUTH_PASSWORD}"' if auth else ""
        hidden = f' {PRIV[priv]} "{PRIV_PASSWORD}"' if priv else ""
        lines.append(f"createUser {name}{secret}{hidden}")
        lines.append(f"rouser {name} {'priv' if priv else 'auth' if auth else 'noauth'}")
    return lines


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def snmpd(folder: Path, lines: Iterable[str], port: int = 0) -> AsyncIterator[Snmpd]:
    """snmpd with these lines of configuration; its boots are kept in `folder`."""
    program = need("snmpd")
    port = port or free_port()
    log = _prepare(folder, lines)
    process = await asyncio.create_subprocess_exec(
        *(program, "-f", "-Lf", str(log)),
        *("-p", str(folder / "pid"), f"udp:127.0.0.1:{port}"),
        env=os.environ
        | {
            "SNMP_PERSISTENT_DIR": str(folder),
            "SNMPCONFPATH": f"{folder / 'etc'}:{folder}",
            "MIBS": "",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            while "NET-SNMP version" not in (log.read_text() if log.exists() else ""):
                if process.returncode is not None:
                    pytest.fail(f"snmpd did not start: {log.read_text()}")
                await asyncio.sleep(0.02)
        yield Snmpd(port, folder, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _prepare(folder: Path, lines: Iterable[str]) -> Path:
    """Write the configuration; returns where the log will be."""
    (folder / "etc").mkdir(parents=True, exist_ok=True)
    (folder / "etc" / "snmpd.conf").write_text("\n".join([*lines, ""]), "utf-8")
    log = folder / "snmpd.log"
    log.unlink(missing_ok=True)
    return log


async def run(program: str, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """(exit code, what it said) of one of net-snmp's commands."""
    process = await asyncio.create_subprocess_exec(
        need(program),
        *args,
        env=os.environ | {"MIBS": ""} | dict(env or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode("utf-8", "replace")
