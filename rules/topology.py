"""Who depends on whom: power, cooling and communication paths of a site, walked upwards."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from dcim.model.asset import Site

T = TypeVar("T")
Edges = Mapping[str, tuple[str, ...]]  # target -> its sources


class Topology:
    """The site's graphs by target, compiled once. A missing edge means independent."""

    def __init__(self, site: Site) -> None:
        self._power = _power(site)
        self._cooling = _by_target((serve.target, serve.source) for serve in site.serves)
        self._gateway = {d.id: key for d in site.devices.values() if (key := _gateway(d.address))}
        members: dict[str, list[str]] = {}
        for device, key in self._gateway.items():
            members.setdefault(key, []).append(device)
        self._members = {key: tuple(devices) for key, devices in members.items()}

    def power_cause(
        self, object_id: str, cause: Callable[[str], T | None], any_feed: bool
    ) -> T | None:
        """The nearest cause up the power graph; unless `any_feed`, every feed must have one."""
        return _walk(object_id, self._power, cause, any_feed, frozenset())

    def cooling_cause(self, object_id: str, cause: Callable[[str], T | None]) -> T | None:
        """The nearest cause among what serves the object; every source of cooling must have one."""
        return _walk(object_id, self._cooling, cause, False, frozenset())

    def neighbours(self, device: str) -> tuple[str, ...]:
        """All devices behind the same gateway or broker, the device itself included."""
        return self._members.get(self._gateway.get(device, ""), (device,))


def _walk(
    node: str, edges: Edges, cause: Callable[[str], T | None], any_path: bool, seen: frozenset[str]
) -> T | None:
    found: T | None = None
    for source in edges.get(node, ()):
        if source in seen:
            continue
        here = cause(source)
        if here is None:
            here = _walk(source, edges, cause, any_path, seen | {node})
        if here is None and not any_path:
            return None
        if here is not None and any_path:
            return here
        found = found or here
    return found


def _power(site: Site) -> Edges:
    """Feeds by target; a rack also depends on what feeds the devices standing in it."""
    pairs = [(feed.target, feed.source) for feed in site.feeds]
    inside = {d.id: d.place for d in site.devices.values() if d.place in site.racks}
    for feed in site.feeds:
        rack = inside.get(feed.target)
        if rack is not None and inside.get(feed.source) != rack:
            pairs.append((rack, feed.source))
    return _by_target(pairs)


def _by_target(pairs: Iterable[tuple[str, str]]) -> Edges:
    edges: dict[str, list[str]] = {}
    for target, source in pairs:
        edges.setdefault(target, []).append(source)
    return {target: tuple(dict.fromkeys(sources)) for target, sources in edges.items()}


def _gateway(address: str) -> str:
    """`modbus://10.0.2.5:502/3` -> `modbus://10.0.2.5:502`."""
    scheme, separator, rest = address.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    return f"{scheme}://{host.rpartition('@')[2]}" if separator and host else ""
