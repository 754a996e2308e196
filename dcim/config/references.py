"""Whether everything a file refers to is there: ids, places, profiles, credentials, metrics."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from collectors.base import SCHEMES, parse_url
from collectors.modbus.connect import link_fault
from dcim.config.catalog import Catalog
from dcim.config.credentials import check_credentials
from dcim.config.draft import OBJECTS, Draft
from dcim.config.faults import Report, did_you_mean
from dcim.config.point_keys import may_be, point_keys
from dcim.config.tables import DeviceTable
from dcim.config.toml_lines import Path
from dcim.model.metric import UNITS, Registry
from rules.rule import RuleError
from rules.rule import builtin as builtin_rules
from rules.rule import load as load_rules

PLACES = ("site", "halls", "rows", "racks")
_METRIC_NAME = re.compile(r"x\.[a-z0-9_]+(\.[a-z0-9_]+)*")


class References:
    """The checks of one draft; faults go to the report."""

    def __init__(self, draft: Draft, catalog: Catalog, registry: Registry, report: Report) -> None:
        self._draft = draft
        self._profiles = catalog.profiles
        self._faulty = catalog.faulty
        self._registry = registry
        self._report = report

    def check(self, folder: FilePath) -> None:
        """Everything but the graphs and the metering boundary; `folder` holds dcim.toml."""
        self._tree()
        self._edges()
        self._addresses()
        for n, device in self._draft.devices.items():
            self._device(("devices", n), device)
        check_credentials(self._draft, self._report)
        self._unique("users", {n: user.name for n, user in self._draft.users.items()})
        self._unique("webhooks", {n: hook.name for n, hook in self._draft.webhooks.items()})
        for n, hook in self._draft.webhooks.items():
            if _is_loopback(hook.url) and not hook.allow_loopback:
                expected = "an address elsewhere, or allow_loopback = true"
                self._report.add(("webhooks", n, "url"), "this machine itself", expected)
        self._metrics()
        self._rules(folder)

    def _rules(self, folder: FilePath) -> None:
        """The site's own rules are there, and sound together with the suite's."""
        files = {folder / name: n for n, name in enumerate(self._draft.rules.files)}
        there = [file for file in files if file.is_file()]
        for file in files.keys() - set(there):
            found = repr(self._draft.rules.files[files[file]])
            self._report.add(("rules", "files", files[file]), found, "a file that is there")
        try:
            load_rules([*builtin_rules(), *there])
        except RuleError as error:
            index = {file.name: n for file, n in files.items()}
            for fault in error.faults:
                at: Path = ("rules", "files", index[fault.file]) if fault.file in index else ()
                self._report.add(at, str(fault), "a file of sound rules")

    def object(self, path: Path, value: str, sections: Iterable[str]) -> bool:
        """Whether `value` is the id of something of one of the sections; a fault where not."""
        if not value:  # reported already
            return False
        sections = tuple(sections)
        known = self._draft.known.get(value)
        if known is not None and known.section in sections:
            return True
        found = repr(value) if known is None else f"{value!r}, a {known.what}"
        names = [OBJECTS.get(section, section) for section in sections]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
        ids = [one for one, k in self._draft.known.items() if k.section in sections]
        near = did_you_mean(value, ids) if known is None else ""
        self._report.add(path, found, f"the id of a {listed}{near}")
        return False

    def point(self, path: Path, address: str, objects: Iterable[str]) -> bool:
        """Whether an address names an object that is there, and a point it may have."""
        if not address:  # reported already
            return False
        owner, _, key = address.partition("/")
        if not key:
            self._report.add(path, repr(address), "an address: object/[component/]metric")
            return False
        if not self.object(path, owner, objects) or not self._metric(path, address):
            return False
        device = next((d for d in self._draft.devices.values() if d.id == owner), None)
        return device is None or self._of_profile(path, key, device.profile_name)

    def _tree(self) -> None:
        for n, row in self._draft.rows.items():
            self.object(("rows", n, "hall"), row.hall, ["halls"])
        for n, rack in self._draft.racks.items():
            self.object(("racks", n, "row"), rack.row, ["rows"])
        for n, equipment in self._draft.equipment.items():
            self.object(("equipment", n, "place"), equipment.place, PLACES)

    def _edges(self) -> None:
        plant = ("devices", "equipment")
        for n, feed in self._draft.feeds.items():
            self.object(("feeds", n, "from"), feed.source, plant)
            self.object(("feeds", n, "to"), feed.target, (*plant, "racks"))
        for n, serve in self._draft.serves.items():
            self.object(("serves", n, "from"), serve.source, (*plant, "loops"))
            self.object(("serves", n, "to"), serve.target, (*plant, "loops", *PLACES[1:]))
            if serve.loop and self._draft.loops:  # without [[loops]], naming one declares it
                self.object(("serves", n, "loop"), serve.loop, ["loops"])

    def _addresses(self) -> None:
        """Two devices that are one: the same host, unit or topic, credentials and profile."""
        there: dict[tuple[object, ...], list[tuple[int, DeviceTable]]] = {}
        for n, device in self._draft.devices.items():
            if not device.address:  # reported already
                continue
            url = parse_url(device.address)
            credentials = device.credentials or url.query.get("credentials")
            key = (url.protocol, url.host.lower(), url.port, url.path, url.user, credentials)
            others = there.setdefault(key, [])
            for first, other in others:
                profiles = {device.profile_name, other.profile_name}
                if len(profiles) == 1 or "auto" in profiles:
                    line = self._report.line(("devices", first, "address"))
                    expected = f"an address of its own ({other.id!r} of line {line} has it)"
                    self._report.add(("devices", n, "address"), repr(str(url)), expected)
                    break
            others.append((n, device))

    def _device(self, path: Path, device: DeviceTable) -> None:
        self.object((*path, "place"), device.place, PLACES)
        self._override(path, device)
        if device.credentials:
            self._credentials((*path, "credentials"), device.credentials)
        if not device.address:  # reported already
            self._profile((*path, "profile"), device.profile, "")
            return
        url = parse_url(device.address)
        self._profile((*path, "profile"), device.profile, url.protocol)
        self._own_metrics((*path, "profile"), device.profile_name)
        fault = link_fault(url) if url.protocol == "modbus" else ""
        if fault:
            self._report.add((*path, "address"), repr(str(url)), f"sound link settings ({fault})")
        if "profile" in url.query:
            self._profile((*path, "address"), url.query["profile"], url.protocol)
        if "credentials" in url.query:
            self._credentials((*path, "address"), url.query["credentials"])

    def _credentials(self, path: Path, name: str) -> None:
        if name not in self._draft.credential_names:
            near = did_you_mean(name, self._draft.credential_names)
            self._report.add(path, repr(name), f"the name of a [credentials]{near}")

    def _override(self, path: Path, device: DeviceTable) -> None:
        for key in device.override:
            at = (*path, "override", key)
            if self._metric(at, key):
                self._of_profile(at, key, device.profile_name)

    def _profile(self, path: Path, name: str, protocol: str) -> None:
        """Whether the profile is there, and for this protocol; empty where none is known."""
        if name == "auto" or name in self._faulty:  # its faults are told
            return
        profile = self._profiles.get(name)
        if profile is None:
            near = did_you_mean(name, self._profiles)
            expected = f'"auto" or the name of a profile, see `dcim profiles`{near}'
            self._report.add(path, repr(name), expected)
        elif protocol and profile.protocol != protocol:
            schemes = " or ".join(f"{s}://" for s, p in SCHEMES.items() if p == profile.protocol)
            found = f"{name!r}, a profile for {profile.protocol}"
            self._report.add(path, found, f"a profile for {protocol} (or an address {schemes})")

    def _own_metrics(self, path: Path, name: str) -> None:
        """Metrics under x. that a device's profile brings are declared in this file."""
        profile = self._profiles.get(name)
        points = getattr(profile, "point", ())
        for metric in sorted({point.metric for point in points} - self._registry.keys()):
            found = f"{metric!r} in the profile {name}, which is not declared"
            self._report.add(path, found, f'a table [metrics."{metric}"] in this file')

    def _metric(self, path: Path, address: str) -> bool:
        name = address.rpartition("/")[2]
        if name in self._registry:
            return True
        near = did_you_mean(name, self._registry)
        expected = f"a metric of the registry, see `dcim metrics`{near}"
        self._report.add(path, f"metric {name!r}", expected)
        return False

    def _of_profile(self, path: Path, key: str, name: str) -> bool:
        profile = self._profiles.get(name)
        if profile is None:  # "auto": known at first contact; else reported already
            return True
        templates = point_keys(profile)
        if not templates or any(may_be(one, key) for one in templates):
            return True
        near = did_you_mean(key, templates)
        self._report.add(path, f"point {key!r}", f"a point of the profile {name}{near}")
        return False

    def _unique(self, section: str, names: Mapping[int, str]) -> None:
        first: dict[str, int] = {}
        for n, name in names.items():
            if name and first.setdefault(name, n) != n:
                line = self._report.line((section, first[name], "name"))
                expected = f"a name of its own (line {line} has it)"
                self._report.add((section, n, "name"), repr(name), expected)

    def _metrics(self) -> None:
        for name, metric in self._draft.metrics.items():
            path: Path = ("metrics", name)
            if not _METRIC_NAME.fullmatch(name):
                self._report.add(path, repr(name), 'a quoted name under x., as "x.door.opened"')
            if metric.unit not in UNITS:
                units = ", ".join(sorted(UNITS))
                self._report.add((*path, "unit"), repr(metric.unit), f"one of {units}")
            if metric.range and not metric.range[0] < metric.range[1]:
                self._report.add((*path, "range"), str(metric.range), "[lowest, highest]")
            if (metric.kind == "state") != bool(metric.states):
                found = "states" if metric.states else "no states"
                self._report.add(path, f"{found} of a {metric.kind}", "states for kind state only")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
