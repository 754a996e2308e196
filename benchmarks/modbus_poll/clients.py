"""The clients that are compared: how each is told to poll, as a command line and its files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.influxd import BUCKET, ORG, TOKEN
from benchmarks.modbus_poll.server import REGISTERS

VALUES = REGISTERS // 2
GATEWAY_UNITS = 16
GATEWAY_VALUES = 10
GATEWAY_INTERVAL_S = 2
GATEWAY_TIMEOUT_S = 1.5
TOKEN_ENV = "BENCH_INFLUX_TOKEN"
_HERE = Path(__file__).parent
_TELEGRAF = Path(__file__).parents[3] / "shared" / "servers" / "telegraf" / "build"


@dataclass(frozen=True)
class Client:
    """One program to be measured; `write` puts its files into a folder and gives its command."""

    name: str
    write: Callable[[Path, int, int, str], list[str]]  # folder, devices, port, InfluxDB's URL
    needs_influx: bool = False


def host(number: int) -> str:
    """Every device has an address of its own on the loopback."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def _profile(folder: Path, values: int) -> None:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "bench.toml").write_text(
        f"""name = "bench"
protocol = "modbus"
kind = "meter"
vendor = "Bench"
evidence = "synthetic"
sources = ["our own map: this benchmark"]
[[point]]
metric = "voltage"
component = "input/{{index}}"
group = "fast"
at = {{ table = "input", address = 0, type = "f32" }}
repeat = {{ count = {values}, stride = 2 }}
"""
    )


def _agent(folder: Path, devices: list[str], interval_s: int, values: int, store: str) -> list[str]:
    _profile(folder, values)
    head = f'[agent]\nlisten = "127.0.0.1:0"\nstore = "{store}"\n'
    if store.startswith("influx"):
        head += f'token_env = "{TOKEN_ENV}"\n'
    head += '[site]\nid = "site-1"\n'
    blocks = [
        f'[[devices]]\nid = "m{n}"\nprofile = "bench"\naddress = "{url}"\nplace = "site-1"\n'
        f"interval_s = {{ fast = {interval_s} }}\n"
        for n, url in enumerate(devices)
    ]
    (folder / "site.toml").write_text(head + "".join(blocks))
    return [str(Path(sys.executable).parent / "dcim"), "run", str(folder / "site.toml")]


def _ours(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    return _agent(folder, _urls(devices, port), 1, VALUES, f"embedded:{folder / 'data'}")


def _ours_influx(folder: Path, devices: int, port: int, influx: str) -> list[str]:
    store = f"influx://{influx.removeprefix('http://')}/{ORG}/{BUCKET}"
    return _agent(folder, _urls(devices, port), 1, VALUES, store)


def _urls(devices: int, port: int) -> list[str]:
    return [f"modbus://{host(n)}:{port}/1" for n in range(devices)]


def _ours_alone(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    _profile(folder, VALUES)
    return _python("collector", folder, devices, port)


def _pymodbus(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    return _python("pymodbus_alone", folder, devices, port)


def _python(module: str, folder: Path, devices: int, port: int) -> list[str]:
    command = [sys.executable, "-m", f"benchmarks.modbus_poll.{module}"]
    return [*command, str(folder), str(devices), str(port)]


def _libmodbus(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libmodbus"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    program = folder / "poll"
    subprocess.run(["gcc", "-O2", str(_HERE / "poll.c"), "-o", str(program), *flags], check=True)
    return [str(program), str(devices), str(port), str(REGISTERS)]


def telegraf() -> str | None:
    """Telegraf's path; None where it can neither be found nor built."""
    if found := os.environ.get("DCIM_TELEGRAF") or shutil.which("telegraf"):
        return found
    if not _TELEGRAF.is_file():
        return None
    return subprocess.run([_TELEGRAF], check=True, capture_output=True, text=True).stdout.strip()


_TELEGRAF_HEAD = """[agent]
interval = "{interval}s"
flush_interval = "1s"
metric_batch_size = 10000
metric_buffer_limit = 500000
omit_hostname = true
"""
_DISCARD = "[[outputs.discard]]\n"
_INFLUX = """[[outputs.influxdb_v2]]
urls = ["{influx}"]
token = "{token}"
organization = "{org}"
bucket = "{bucket}"
"""
_LINES = '[[outputs.file]]\nfiles = ["/dev/null"]\ndata_format = "influx"\n'


def _plugin(name: str, controller: str, timeout_s: float, requests: list[tuple[int, int]]) -> str:
    """One inputs.modbus; requests: (unit, floats)."""
    text = f"""[[inputs.modbus]]
name = "{name}"
timeout = "{timeout_s}s"
controller = "{controller}"
configuration_type = "request"
"""
    for unit, values in requests:
        text += f'[[inputs.modbus.request]]\nslave_id = {unit}\nregister = "input"\nfields = [\n'
        text += "".join(
            f'{{ address = {2 * n}, name = "v{n}", type = "FLOAT32" }},\n' for n in range(values)
        )
        text += f']\n[inputs.modbus.request.tags]\nunit = "{unit}"\n'
    return text


def _telegraf(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    return _telegraf_to(_DISCARD, folder, devices, port)


def _telegraf_lines(folder: Path, devices: int, port: int, _influx: str) -> list[str]:
    return _telegraf_to(_LINES, folder, devices, port)


def _telegraf_influx(folder: Path, devices: int, port: int, influx: str) -> list[str]:
    output = _INFLUX.format(influx=influx, token=TOKEN, org=ORG, bucket=BUCKET)
    return _telegraf_to(output, folder, devices, port)


def _telegraf_to(output: str, folder: Path, devices: int, port: int) -> list[str]:
    text = _TELEGRAF_HEAD.format(interval=1) + output
    text += "".join(
        _plugin(f"m{n}", f"tcp://{host(n)}:{port}", 1, [(1, VALUES)]) for n in range(devices)
    )
    (folder / "telegraf.conf").write_text(text)
    return [telegraf() or "telegraf", str(folder / "telegraf.conf")]


def gateway_ours(folder: Path, _devices: int, port: int, _influx: str) -> list[str]:
    urls = [
        f"modbus://127.0.0.1:{port}/{unit}?timeout_s={GATEWAY_TIMEOUT_S}"
        for unit in range(1, GATEWAY_UNITS + 1)
    ]
    return _agent(folder, urls, GATEWAY_INTERVAL_S, GATEWAY_VALUES, f"embedded:{folder / 'data'}")


def gateway_telegraf(folder: Path, _devices: int, port: int, _influx: str) -> list[str]:
    requests = [(unit, GATEWAY_VALUES) for unit in range(1, GATEWAY_UNITS + 1)]
    text = _TELEGRAF_HEAD.format(interval=GATEWAY_INTERVAL_S) + _DISCARD
    text += _plugin("gateway", f"tcp://127.0.0.1:{port}", GATEWAY_TIMEOUT_S, requests)
    (folder / "telegraf.conf").write_text(text)
    return [telegraf() or "telegraf", str(folder / "telegraf.conf")]


def gateway_telegraf_apart(folder: Path, _devices: int, port: int, _influx: str) -> list[str]:
    text = (
        _TELEGRAF_HEAD.format(interval=GATEWAY_INTERVAL_S)
        + _DISCARD
        + "".join(
            _plugin(
                f"u{unit}", f"tcp://127.0.0.1:{port}", GATEWAY_TIMEOUT_S, [(unit, GATEWAY_VALUES)]
            )
            for unit in range(1, GATEWAY_UNITS + 1)
        )
    )
    (folder / "telegraf.conf").write_text(text)
    return [telegraf() or "telegraf", str(folder / "telegraf.conf")]


REFERENCE = "Telegraf -> InfluxDB"
POLLING = [
    Client("dcim agent -> InfluxDB, rules on", _ours_influx, needs_influx=True),
    Client(REFERENCE, _telegraf_influx, needs_influx=True),
    Client("dcim agent -> embedded store, rules on", _ours),
    Client("Telegraf -> line protocol, to /dev/null", _telegraf_lines),
    Client("dcim collector alone", _ours_alone),
    Client("Telegraf -> discard", _telegraf),
    Client("pymodbus alone, struct", _pymodbus),
    Client("libmodbus in C", _libmodbus),
]
GATEWAY = [
    Client("dcim agent", gateway_ours),
    Client("Telegraf, one plugin", gateway_telegraf),
    Client("Telegraf, one plugin a unit", gateway_telegraf_apart),
]
