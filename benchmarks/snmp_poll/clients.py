"""The programs that are compared: the files that tell each what to poll, and its arguments."""

from pathlib import Path

from benchmarks.influxd import BUCKET, ORG, TOKEN
from benchmarks.snmp_poll.responder import ROOT, host

VALUES = 20  # of a device, in either shape
TOKEN_ENV = "DCIM_BENCH_TOKEN"
_HEAD = f"""name = "bench"
protocol = "snmp"
kind = "ups"
vendor = "Bench"
evidence = "synthetic"
sources = ["our own map: this benchmark"]
root = "{ROOT}"
max_varbinds = 40
[identify]
sys_object_id = ["1.3.6.1.4.1.9999"]
"""
_PROFILE = {
    "scalars": """
[[point]]
at = ".1.{each}.0"
each = [1, 2, 3, 4, 5, 6, 7, 8, 9]
component = "input/{each}"
metric = "voltage"
scale = 0.1
[[point]]
at = ".1.{each}.0"
each = [10, 11, 12, 13, 14, 15, 16, 17, 18]
component = "output/{each}"
metric = "current"
scale = 0.1
[[point]]
at = ".1.19.0"
component = "battery"
metric = "charge"
[[point]]
at = ".1.20.0"
component = "output"
metric = "load"
""",
    "tables": """
[[table]]
at = ".2.1"
component = "outlet/{index}"
column = [{ at = 2, metric = "voltage", scale = 0.1 }, { at = 3, metric = "current", scale = 0.1 }]
""",
}


def profile(shape: str) -> str:
    """The devices' profile."""
    return _HEAD + _PROFILE[shape]


def ours(folder: Path, shape: str, devices: int, port: int, influx: str) -> list[str]:
    """`dcim run` as a site would run it: built-in rules, InfluxDB."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "bench.toml").write_text(profile(shape))
    store = f"influx://{influx.removeprefix('http://')}/{ORG}/{BUCKET}"
    text = f'[agent]\nlisten = "127.0.0.1:0"\nstore = "{store}"\ntoken_env = "{TOKEN_ENV}"\n'
    text += '[site]\nid = "site-1"\n'
    text += "".join(
        f'[[devices]]\nid = "d{n}"\naddress = "snmp://{host(n)}:{port}"\nplace = "site-1"\n'
        "interval_s = { fast = 1, normal = 1 }\n"
        for n in range(devices)
    )
    (folder / "site.toml").write_text(text)
    return ["run", str(folder / "site.toml")]


def telegraf(folder: Path, shape: str, devices: int, port: int, influx: str) -> list[str]:
    """Telegraf's snmp input with its InfluxDB output."""
    agents = ", ".join(f'"udp://{host(n)}:{port}"' for n in range(devices))
    text = f"""[agent]
interval = "1s"
flush_interval = "1s"
metric_batch_size = 10000
metric_buffer_limit = 500000
omit_hostname = true
quiet = true
[[outputs.influxdb_v2]]
urls = ["{influx}"]
token = "{TOKEN}"
organization = "{ORG}"
bucket = "{BUCKET}"
[[inputs.snmp]]
agents = [{agents}]
version = 2
community = "public"
timeout = "1s"
retries = 3
"""
    (folder / "telegraf.conf").write_text(text + _telegraf_fields(shape))
    return [str(folder / "telegraf.conf")]


def _telegraf_fields(shape: str) -> str:
    if shape == "scalars":
        return "".join(
            f'[[inputs.snmp.field]]\nname = "v{n}"\noid = "{ROOT}.1.{n}.0"\nconversion = "float(1)"\n'
            for n in range(1, VALUES + 1)
        )
    columns = "".join(
        f'[[inputs.snmp.table.field]]\nname = "v{c}"\noid = "{ROOT}.2.1.{c}"\n'
        'conversion = "float(1)"\n'
        for c in (2, 3)
    )
    return f'[[inputs.snmp.table]]\nname = "outlet"\nindex_as_tag = true\n{columns}'


def collectd(folder: Path, shape: str, devices: int, port: int, _influx: str) -> list[str]:
    """Debian's collectd with its snmp plugin, and nobody to write to."""
    types = "bench v2:GAUGE:U:U, v3:GAUGE:U:U\n"
    (folder / "types.db").write_text("gauge value:GAUGE:U:U\n" + types)
    names = [f"v{n}" for n in range(1, VALUES + 1)] if shape == "scalars" else ["outlet"]
    collect = " ".join(f'"{name}"' for name in names)
    text = f"""Hostname "bench"
FQDNLookup false
Interval 1
TypesDB "{folder}/types.db"
PIDFile "{folder}/pid"
BaseDir "{folder}"
LoadPlugin logfile
LoadPlugin snmp
<Plugin snmp>
"""
    if shape == "scalars":
        text += "".join(
            f'<Data "v{n}">\nTable false\nType "gauge"\nTypeInstance "v{n}"\n'
            f'Values "{ROOT}.1.{n}.0"\nScale 0.1\n</Data>\n'
            for n in range(1, VALUES + 1)
        )
    else:
        text += '<Data "outlet">\nTable true\nType "bench"\n'
        text += f'Values "{ROOT}.2.1.2" "{ROOT}.2.1.3"\nScale 0.1\n</Data>\n'
    text += "".join(
        f'<Host "d{n}">\nAddress "{host(n)}:{port}"\nVersion 2\nCommunity "public"\n'
        f"Collect {collect}\nInterval 1\nTimeout 1\nRetries 3\nBulkSize 10\n</Host>\n"
        for n in range(devices)
    )
    (folder / "collectd.conf").write_text(text + "</Plugin>\n")
    return ["-f", "-C", str(folder / "collectd.conf")]


def exporter(folder: Path, shape: str, _devices: int, port: int, _influx: str) -> list[str]:
    """Debian's prometheus-snmp-exporter on the TCP port of the devices' number; has to be scraped."""
    if shape == "scalars":
        asked, objects = "get", {f"v{n}": f"{ROOT}.1.{n}.0" for n in range(1, VALUES + 1)}
    else:
        asked, objects = "walk", {f"v{c}": f"{ROOT}.2.1.{c}" for c in (2, 3)}
    text = f"bench:\n  {asked}: [{', '.join(objects.values())}]\n  metrics:\n"
    index = "" if shape == "scalars" else ", indexes: [{labelname: row, type: gauge}]"
    text += "".join(
        f"  - {{name: {name}, oid: {oid}, type: gauge, help: {name}{index}}}\n"
        for name, oid in objects.items()
    )
    text += "  version: 2\n  auth: {community: public}\n"
    (folder / "snmp.yml").write_text(text)
    listen = f"--web.listen-address=127.0.0.1:{port}"
    return [f"--config.file={folder}/snmp.yml", listen, "--log.level=error"]
