"""CPU per varbind of SNMPv3 authPriv (SHA, AES-128): GETs of 20 objects, ours beside C net-snmp's.

usage: python -m benchmarks.snmp_v3 [--gets 3000] [--rounds 5] [--include DIR]

Prints one JSON object. Needs snmpd, gcc and net-snmp's headers (libsnmp-dev; --include where they
are not installed). Client CPU only, rounds interleaved, median; ours runs on uvloop as the agent does.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from collectors.snmp import pdu
from collectors.snmp.ber import encode_oid
from collectors.snmp.client import Client
from collectors.snmp.message import V2C, Access, Community, decode_pdu
from collectors.snmp.transport import Transport
from collectors.snmp.usm import AUTH, PRIV, User
from collectors.snmp.v3 import Usm
from dcim.model.reading import Outage

_HERE = Path(__file__).parent
_HOST, _PORT, _USER = "127.0.0.1", 16199, "bench"
_PASSWORDS = ("authpassword", "privpassword")
_OIDS = [f"1.3.6.1.2.1.1.9.1.{column}.{row}" for column in (2, 3) for row in range(1, 11)]
_IN_FLIGHT = 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gets", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--include", default="/usr/include")
    args = parser.parse_args()
    missing = [name for name in ("snmpd", "gcc") if _which(name) is None]
    if missing or not (Path(args.include) / "net-snmp").is_dir():
        print(f"skipped: install snmpd, gcc, libsnmp-dev ({', '.join(missing) or 'headers'})")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        program = _built(Path(folder), args.include)
        agent = _snmpd(Path(folder))
        try:
            print(json.dumps(_measured(program, args.gets, args.rounds)))
        finally:
            agent.terminate()
            agent.wait()
    return 0


def _measured(program: Path, gets: int, rounds: int) -> dict[str, object]:
    figures: dict[str, list[float]] = {"own_v3": [], "netsnmp_v3": [], "own_v2c": []}
    for _ in range(rounds):
        figures["netsnmp_v3"].append(_theirs(program, gets))
        figures["own_v3"].append(uvloop.run(_ours(gets, 3)))
        figures["own_v2c"].append(uvloop.run(_ours(gets, V2C)))
    per = {k: [us / gets / len(_OIDS) for us in v] for k, v in figures.items()}
    medians = {k: round(statistics.median(v), 2) for k, v in per.items()}
    return {
        "us_per_varbind": medians,
        "from_to": {k: [round(min(v), 2), round(max(v), 2)] for k, v in per.items()},
        "own_to_netsnmp": round(medians["own_v3"] / medians["netsnmp_v3"], 2),
        "limit": 3.0,
        "gets": gets,
        "rounds": rounds,
    }


async def _ours(gets: int, version: int) -> float:
    """CPU microseconds of so many GETs, a few in flight, answers decoded."""
    loop = asyncio.get_running_loop()
    transport, peer = Transport(loop), (_HOST, _PORT)
    user = User(_USER, AUTH["sha"], PRIV["aes128"], *_PASSWORDS)
    access: Access = Community(V2C, b"public")
    if version != V2C:
        access = Usm(user, peer, transport.engines, loop.time)
    await Client(transport, peer, access).knock()
    template = access.template(pdu.get([encode_oid(oid) for oid in _OIDS]))
    done: asyncio.Future[None] = loop.create_future()
    left, good = gets, 0

    def ask() -> None:
        nonlocal left
        left -= 1
        transport.request(peer, template, answered, 1.0)

    def answered(_request_id: int, answer: bytes | Outage, _took_s: float) -> None:
        nonlocal good
        if isinstance(answer, bytes):
            good += len(decode_pdu(answer).varbinds) == len(_OIDS)
        if left > 0:
            ask()
        elif good >= gets - _IN_FLIGHT and not done.done():
            done.set_result(None)

    before = _cpu_us(resource.RUSAGE_SELF)
    for _ in range(_IN_FLIGHT):
        ask()
    await done
    spent = _cpu_us(resource.RUSAGE_SELF) - before
    transport.close()
    return spent


def _theirs(program: Path, gets: int) -> float:
    command = [str(program), f"{_HOST}:{_PORT}", _USER, *_PASSWORDS, str(gets), *_OIDS]
    said = subprocess.run(command, env=_quiet(), capture_output=True, check=True, text=True).stdout
    good, spent = said.split()
    if int(good) != gets:
        sys.exit(f"net-snmp's client got {good} of {gets} answers")
    return float(spent)


def _cpu_us(who: int) -> float:
    used = resource.getrusage(who)
    return 1e6 * (used.ru_utime + used.ru_stime)


def _built(folder: Path, include: str) -> Path:
    program = folder / "client"
    libraries = [
        str(file)
        for base in ("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
        for file in Path(base).glob("libnetsnmp.so*")
    ][:1]
    source = str(_HERE / "client.c")
    subprocess.run(
        ["gcc", "-O2", f"-I{include}", source, *libraries, "-o", str(program)], check=True
    )
    return program


def _snmpd(folder: Path) -> subprocess.Popen[bytes]:
    auth, priv = _PASSWORDS
    lines = [f"createUser {_USER} SHA {auth} AES {priv}", f"rouser {_USER} priv"]
    (folder / "snmpd.conf").write_text("\n".join([*lines, "rocommunity public", ""]), "utf-8")
    log = folder / "log"
    program, where = _which("snmpd"), f"udp:{_HOST}:{_PORT}"
    assert program is not None
    agent = subprocess.Popen(
        [program, "-f", "-Lf", str(log), "-C", "-c", str(folder / "snmpd.conf"), "-r", where],
        env=_quiet() | {"SNMP_PERSISTENT_DIR": str(folder / "kept")},
    )
    for _ in range(100):
        if log.exists() and "NET-SNMP" in log.read_text():
            return agent
        time.sleep(0.05)
    agent.kill()
    sys.exit("snmpd did not start")


def _quiet() -> dict[str, str]:
    return os.environ | {"MIBS": ""}


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


if __name__ == "__main__":
    raise SystemExit(main())
