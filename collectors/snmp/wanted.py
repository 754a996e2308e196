"""What a survey of a device must ask for its profiles. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.snmp.place import FIELD
from collectors.snmp.profile import LimitRefs, SnmpPoint, SnmpProfile, Table, When

_OUTSIDE = frozenset(["sysObjectID", "sysDescr"])
_LABELS = frozenset(["index", "name"])


@dataclass(slots=True)
class Wanted:
    """What a survey must ask: instances, columns to walk, subtrees that may exist."""

    scalars: dict[str, None] = field(default_factory=dict)  # in order, each once
    columns: dict[str, None] = field(default_factory=dict)
    roots: dict[str, None] = field(default_factory=dict)


def wanted(profiles: Iterable[SnmpProfile]) -> Wanted:
    """Everything a survey of these profiles must ask."""
    out = Wanted()
    for profile in profiles:
        for refs in profile.inventory.values():
            _want(out, profile, None, refs)
        for variant in profile.variant:
            _want_when(out, profile, None, variant.when)
        for point in profile.point:
            _want(out, profile, None, [point.at, *_refs(point)])
            _want_when(out, profile, None, point.when)
        for table in profile.table:
            _want(out, profile, table, filter(None, (table.name, table.name_else)))
            _want(out, profile, table, table.labels.values())
            _want(out, profile, table, _fields(table.component))
            _want_when(out, profile, table, table.when)
            for point in table.column:
                _want(out, profile, table, [point.at, *_refs(point), *_fields(point.component)])
                _want_when(out, profile, table, point.when)
    return out


def _refs(point: SnmpPoint) -> list[str]:
    """The other objects that a point's value depends on."""
    sources = (point.unit_from, point.factor_from, point.invalid_from)
    refs = [source.at for source in sources if source is not None]
    refs += [ref for ref in (point.divisor_from, point.decimals_from) if ref is not None]
    if point.limits is not None:
        refs += list(limit_refs(point.limits).values())
        refs += [point.limits.enabled] if point.limits.enabled is not None else []
    return refs


def _fields(template: str) -> list[str]:
    return [key for key in FIELD.findall(template) if key.partition(".")[0] not in _LABELS]


def _want(out: Wanted, profile: SnmpProfile, table: Table | None, refs: Iterable[str]) -> None:
    for ref in refs:
        ref, _, sibling = ref.partition("@")
        if table is not None and ref in table.own_labels():
            continue
        _want(out, profile, table, _fields(sibling))
        if table is not None and ref.isdigit():
            out.columns[f"{profile.oid(table.at)}.{ref}"] = None
        elif "{" in ref:
            out.columns[profile.oid(ref.partition("{")[0].rstrip("."))] = None
            _want(out, profile, table, _fields(ref))
        else:
            out.scalars[profile.oid(ref)] = None


def _want_when(out: Wanted, profile: SnmpProfile, table: Table | None, when: When) -> None:
    for key, match in when.items():
        if key in _OUTSIDE or key.partition(".")[0] in _LABELS:
            continue
        if table is not None and key in table.own_labels():
            continue
        if match in ("exists", "missing") and not key.isdigit() and "{" not in key:
            out.roots[profile.oid(key)] = None
        else:
            _want(out, profile, table, [key])


def limit_refs(limits: LimitRefs) -> dict[str, str]:
    """The references that are stated, by limit."""
    named = {
        "low_critical": limits.low_critical,
        "low_warning": limits.low_warning,
        "high_warning": limits.high_warning,
        "high_critical": limits.high_critical,
    }
    return {name: ref for name, ref in named.items() if ref is not None}
