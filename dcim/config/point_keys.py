"""Which points a device of a profile may have, as far as the profile's file tells."""

import re
from collections.abc import Iterable, Iterator

from collectors.modbus.profile import Profile as ModbusProfile
from collectors.profile import Point, Profile
from collectors.snmp.profile import SnmpProfile

_FIELD = re.compile(r"\{[^{}]*\}")
_PHASE = re.compile(r"(?<![A-Za-z0-9])L$")


def point_keys(profile: Profile) -> list[str]:
    """`component/metric` of every point, with {fields} where the device tells; [] if it tells all."""
    if isinstance(profile, ModbusProfile):
        return [] if profile.models else [placed.key for placed in profile.placed]
    points: Iterable[Point] = getattr(profile, "point", ())
    keys = [_key(point.component, point.metric) for point in points]
    return keys + [_key(component, metric) for component, metric in _columns(profile)]


def may_be(template: str, key: str) -> bool:
    """Whether `component/metric` may be of this template. A phase is L1, L2 or L3."""
    component, _, metric = key.rpartition("/")
    wanted, _, name = template.rpartition("/")
    if metric != name:
        return False
    if not _FIELD.search(wanted):
        return component == wanted
    fits = re.compile(_pattern(wanted) + r"(-[\d-]+)?")  # rows that would have one address: "-2"
    return any(fits.fullmatch(one) for one in (component, f"/{component}", f"{component}/"))


def _columns(profile: Profile) -> Iterator[tuple[str, str]]:
    if isinstance(profile, SnmpProfile):
        for table in profile.table:
            for column in table.column:
                yield column.component or table.component, column.metric


def _key(component: str, metric: str) -> str:
    return f"{component}/{metric}" if component else metric


def _pattern(template: str) -> str:
    """A regular expression; a field may also be worded away (`{2}input/...` of a unit alone)."""
    pattern, at = "", 0
    for field in _FIELD.finditer(template):
        before = template[at : field.start()]
        pattern += re.escape(before) + ("[1-3]" if _PHASE.search(before) else ".*")
        at = field.end()
    return pattern + re.escape(template[at:])
