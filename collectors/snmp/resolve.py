"""From profiles and what a device answered to its points. Pure: no socket, no clock."""

import bisect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.base import Limits, Override
from collectors.decode import channel
from collectors.snmp.ber import Missing, Value
from collectors.snmp.profile import (
    FactorFrom,
    LimitRefs,
    Match,
    SnmpPoint,
    SnmpProfile,
    Table,
    When,
)
from collectors.snmp.values import Binding, Unreadable, folded, number_of, text_of
from collectors.units import conversion
from dcim.model.metric import Metric, MetricKind
from dcim.model.reading import Quality, Reading, address

_FIELD = re.compile(r"\{([^}]+)\}")
_OUTSIDE = frozenset(["sysObjectID", "sysDescr"])
_LABELS = frozenset(["index", "name"])


class Answers:
    """What a device said to a survey: values by dotted OID, and its system group."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = {k: v for k, v in values.items() if not isinstance(v, Missing)}
        self._sorted = sorted(self.values)
        self.sys_object_id = text_of(self.values.get("1.3.6.1.2.1.1.2.0")).lstrip(".")
        self.sys_descr = text_of(self.values.get("1.3.6.1.2.1.1.1.0"))

    def rows(self, column: str) -> list[str]:
        """The indices of a column, in order."""
        first = bisect.bisect_left(self._sorted, column + ".")
        last = bisect.bisect_left(self._sorted, column + "/")
        cut = len(column) + 1
        return sorted((oid[cut:] for oid in self._sorted[first:last]), key=_numbers)

    def exists(self, oid: str) -> bool:
        """Whether there is an object, or anything below it."""
        first = bisect.bisect_left(self._sorted, oid + ".")
        below = first < len(self._sorted) and self._sorted[first].startswith(oid + ".")
        return oid in self.values or below


@dataclass(slots=True)
class Wanted:
    """What a survey must ask: instances, columns to walk, subtrees that may exist."""

    scalars: dict[str, None] = field(default_factory=dict)  # in order, each once
    columns: dict[str, None] = field(default_factory=dict)
    roots: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Resolved:
    """A device's points, what each said in the survey, and what was left out and why."""

    bindings: list[Binding] = field(default_factory=list)
    readings: list[Reading | None] = field(default_factory=list)  # None: absent
    limits: dict[str, Limits] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where a point of a profile is looked at: a row of a table, or the device itself."""

    profile: SnmpProfile
    answers: Answers
    table: Table | None = None
    index: str = ""
    shift: int = 0  # added to index parts in components (`rebase`)
    named: Mapping[tuple[str, str], str] = field(
        default_factory=dict
    )  # (index's head, name) -> index

    def oid(self, ref: str) -> str:
        """A reference's OID, its {fields} filled in."""
        if "@" in ref and self.table is not None:
            column, _, name = ref.partition("@")
            wanted = (_head(self.index), _FIELD.sub(lambda m: self.label(m[1]), name))
            return f"{self.profile.oid(self.table.at)}.{column}.{self.named.get(wanted, '')}"
        if self.table is not None and ref.isdigit():
            return f"{self.profile.oid(self.table.at)}.{ref}.{self.index}"
        return self.profile.oid(_FIELD.sub(lambda m: self.label(m[1]), ref))

    def value(self, ref: str) -> Value:
        return self.answers.values.get(self.oid(ref))

    def label(self, key: str) -> str:
        """The text of `index`, `index.2`, `name` or a column."""
        if key == "index":
            return self.index
        if key.startswith("index."):
            parts = self.index.split(".")
            at = int(key.removeprefix("index.")) - 1
            return parts[at] if at < len(parts) else ""
        if self.table is not None and key in self.table.own_labels():
            return self._own_label(self.table, key)
        return text_of(self.value(key))

    def _own_label(self, table: Table, key: str) -> str:
        if key in table.labels:
            return text_of(self.value(table.labels[key]))
        name = self.full_name()
        found = re.search(table.name_pattern, name) if table.name_pattern else None
        if key == "name":
            return name if found is None else found[1] or ""
        return (found[key] or "") if found is not None else ""

    def full_name(self) -> str:
        """What the table's name column says of the row."""
        name = self.table.name if self.table is not None else None
        return text_of(self.value(name)) if name is not None else ""

    def component(self, template: str) -> str:
        """A component with its {fields} filled in, mapped and made fit for an address."""
        return _FIELD.sub(lambda m: self._word(m[1]), template).strip("/")

    def _word(self, key: str) -> str:
        text = self.label(key)
        mapped = self.table.maps.get(key, {}).get(text) if self.table is not None else None
        if mapped is not None:
            return mapped
        if self.shift and key.startswith("index"):
            text = ".".join(str(int(part) + self.shift) for part in text.split("."))
        return text if key.startswith("index") else slug(text)

    def fits(self, when: When) -> bool:
        return all(self._fits(key, match) for key, match in when.items())

    def _fits(self, key: str, match: Match) -> bool:
        if match in ("exists", "missing"):
            return self.answers.exists(self.oid(key)) is (match == "exists")
        if key == "sysObjectID":
            return matches(self.answers.sys_object_id, match)
        if key == "sysDescr":
            return matches(self.answers.sys_descr, match)
        if key == "name":
            return matches(self.full_name(), match)
        if key.partition(".")[0] == "index" or (self.table and key in self.table.own_labels()):
            return matches(self.label(key), match)
        value = self.value(key)
        return value is not None and matches(text_of(value), match)


def slug(text: str) -> str:
    """A device's own name as a part of an address: lower case, no spaces."""
    return re.sub(r"[^a-z0-9.]+", "_", text.casefold()).strip("_.")


def matches(text: str, match: Match) -> bool:
    """Whether a text fits a match of the profile (see `profile`)."""
    if isinstance(match, list):
        return any(matches(text, one) for one in match)
    if isinstance(match, int | float):
        try:
            return float(text) == match
        except ValueError:
            return False
    if match.startswith("~"):
        return re.search(match[1:], text) is not None
    if match.startswith("!"):
        return not matches(text, match[1:])
    if match[:1] in ("<", ">"):
        try:
            number, limit = float(text), float(match[1:])
        except ValueError:
            return False
        return number < limit if match[0] == "<" else number > limit
    return text == match


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
            _want(out, profile, table, [table.name] if table.name is not None else [])
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
        refs += list(_limit_refs(point.limits).values())
        refs += [point.limits.enabled] if point.limits.enabled is not None else []
    return refs


def _limit_refs(limits: LimitRefs) -> dict[str, str]:
    named = {
        "low_critical": limits.low_critical,
        "low_warning": limits.low_warning,
        "high_warning": limits.high_warning,
        "high_critical": limits.high_critical,
    }
    return {name: ref for name, ref in named.items() if ref is not None}


def _fields(template: str) -> list[str]:
    return [key for key in _FIELD.findall(template) if key.partition(".")[0] not in _LABELS]


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


def resolve(
    device: str,
    profiles: Sequence[SnmpProfile],
    answers: Answers,
    metrics: Mapping[str, Metric],
    ts: float,
    override: Mapping[str, Override] | None = None,
) -> Resolved:
    """The points of a device. Where several claim an address or an OID, the best one gets it."""
    out = Resolved()
    found: list[tuple[tuple[int, int, int], Binding, Reading | None, Place]] = []
    for profile in profiles:
        for place, point, component in _places(profile, answers):
            own = f"{component}/{point.metric}" if component else point.metric
            if any(p.replaces_point(profile.name, own) for p in profiles if p is not profile):
                continue
            try:
                binding = _bind(device, place, point, component, metrics, override or {})
            except Unreadable as error:
                out.notes.append(f"{profile.name} {own}: {error}")
                continue
            value = answers.values[binding.oid]
            guard = answers.values.get(binding.guard) if binding.guard is not None else None
            reading = binding.decode(value, guard, ts)
            if reading is None or (reading.quality is Quality.BAD and value == b""):
                reading, binding.expected, usable = None, False, 2
            else:
                usable = 1 if reading.quality is Quality.BAD else 0
            found.append(((usable, -profile.rank, len(found)), binding, reading, place))
    _settle(out, found)
    return out


def _settle(
    out: Resolved,
    found: list[tuple[tuple[int, int, int], Binding, Reading | None, Place]],
) -> None:
    """Give every address and every source to one binding."""
    addresses: dict[str, Binding] = {}
    sources: dict[str, Binding] = {}
    kept = []
    for order, binding, reading, place in sorted(found, key=lambda one: one[0]):
        at, source = binding.channel.address, binding.channel.source
        first = addresses.get(at) or sources.get(source)
        if first is not None:
            out.notes.append(
                f"{binding.profile} {at} ({source}) left to {first.profile} ({first.channel.source})"
            )
            continue
        addresses[at] = sources[source] = binding
        kept.append((order[2], binding, reading, place))
    for _, binding, reading, place in sorted(kept, key=lambda one: one[0]):
        out.bindings.append(binding)
        out.readings.append(reading)
        if binding.point.limits is not None:
            limits = _limits(binding, binding.point.limits, place)
            if limits != Limits():
                out.limits[binding.channel.address] = limits


def _places(profile: SnmpProfile, answers: Answers) -> Iterator[tuple[Place, SnmpPoint, str]]:
    """Every point of a profile that has a value here, with its place and component."""
    here = Place(profile, answers)
    for point in profile.point:
        if profile.oid(point.at) in answers.values and here.fits(point.when):
            yield here, point, point.component
    for table in profile.table:
        yield from _table_places(profile, answers, table)


def _table_places(
    profile: SnmpProfile, answers: Answers, table: Table
) -> Iterator[tuple[Place, SnmpPoint, str]]:
    rows: dict[str, list[str]] = {}
    for point in table.column:
        if point.at not in rows:
            rows[point.at] = answers.rows(f"{profile.oid(table.at)}.{point.at}")
    every = sorted({index for indices in rows.values() for index in indices}, key=_numbers)
    lowest = min((number for index in every for number in _numbers(index)), default=1)
    shift = 1 - lowest if table.rebase and lowest == 0 else 0
    named = _named(profile, answers, table)
    places = {index: Place(profile, answers, table, index, shift, named) for index in every}
    fitting = {index for index, place in places.items() if place.fits(table.when)}
    taken: set[tuple[str, str, int | None]] = set()
    out: list[tuple[Place, SnmpPoint, str]] = []
    for point in table.column:
        for index in rows[point.at]:
            cell = (point.at, index, point.bit if point.bit is not None else point.char)
            if index not in fitting or cell in taken or not places[index].fits(point.when):
                continue
            taken.add(cell)
            component = places[index].component(point.component or table.component)
            out.append((places[index], point, component))
    same = Counter((point.at, point.bit, point.char, comp, point.metric) for _, point, comp in out)
    for place, point, component in out:
        if same[point.at, point.bit, point.char, component, point.metric] > 1:
            number = place.index.replace(".", "-")
            component = f"{component}-{number}" if component else number
        yield place, point, component


def _named(profile: SnmpProfile, answers: Answers, table: Table) -> dict[tuple[str, str], str]:
    """Rows by name, for `column@name`; the numbers of the index but the last are the row's own."""
    if table.name is None or not table.name.isdigit():
        return {}
    column = f"{profile.oid(table.at)}.{table.name}"
    return {
        (_head(index), text_of(answers.values[f"{column}.{index}"])): index
        for index in answers.rows(column)
    }


def _head(index: str) -> str:
    return index.rpartition(".")[0]


def _bind(
    device: str,
    place: Place,
    point: SnmpPoint,
    component: str,
    metrics: Mapping[str, Metric],
    override: Mapping[str, Override],
) -> Binding:
    """A point with everything that other objects say about it; Unreadable where they fail."""
    metric = metrics.get(point.metric)
    if metric is None:
        raise Unreadable(f"metric {point.metric} is not in the registry")
    oid = place.oid(point.at)
    extra = point.bit if point.bit is not None else point.char
    unit = _unit(place, point)
    if unit is not None and metric.kind is not MetricKind.STATE:
        try:
            conversion(unit, metric.unit)
        except ValueError as error:
            raise Unreadable(str(error)) from None
    scale = point.scale * _factor(place, point)
    own = f"{component}/{point.metric}" if component else point.metric
    bound = channel(
        address(device, component, point.metric),
        metric,
        oid if extra is None else f"{oid}#{extra}",
        unit=unit,
        scale=scale,
        offset=point.offset,
        states=point.states,
        sentinels=point.invalid,
        doubtful=point.doubtful,
        override=override.get(own),
    )
    guard = point.invalid_from
    return Binding(
        oid,
        bound,
        point.poll_group(),
        place.profile.name,
        point if scale == point.scale else point.model_copy(update={"scale": scale}),
        frozenset(point.absent),
        guard=place.oid(guard.at) if guard is not None else None,
        reasons={k.casefold(): v for k, v in guard.map.items()} if guard is not None else None,
    )


def _unit(place: Place, point: SnmpPoint) -> str | None:
    if point.unit_from is None:
        return point.unit
    told = folded(place.value(point.unit_from.at))
    unit = {k.casefold(): v for k, v in point.unit_from.map.items()}.get(told, point.unit)
    if unit is None:
        raise Unreadable(f"unit {told!r} is not known to the profile")
    return unit


def _factor(place: Place, point: SnmpPoint) -> float:
    """The product of all that other objects say about the scale."""
    factor = 1.0
    if point.factor_from is not None:
        factor *= _mapped(place, point.factor_from)
    if point.divisor_from is not None:
        factor /= _number(place, point.divisor_from) or 1.0
    if point.decimals_from is not None:
        factor *= 10.0 ** -_number(place, point.decimals_from)
    return factor


def _mapped(place: Place, source: FactorFrom) -> float:
    if not source.map:
        return _number(place, source.at)
    told = folded(place.value(source.at))
    if told not in source.map:
        raise Unreadable(f"scale {told!r} is not known to the profile")
    return source.map[told]


def _number(place: Place, ref: str) -> float:
    value = place.value(ref)
    try:
        return float(text_of(value))
    except ValueError:
        raise Unreadable(f"{place.oid(ref)} gives no number: {text_of(value)!r}") from None


def _limits(binding: Binding, refs: LimitRefs, place: Place) -> Limits:
    """The device's thresholds for a point, scaled as its value is."""
    enabled = place.value(refs.enabled) if refs.enabled is not None else None
    out: dict[str, float] = {}
    for name, ref in _limit_refs(refs).items():
        bit = next((b for limit, b in refs.bits.items() if limit == name), None)
        if bit is not None and enabled is not None and not _bit_set(enabled, bit):
            continue
        try:
            raw, _ = number_of(binding.point, place.value(ref))
        except Unreadable:
            continue
        if raw not in refs.absent and raw not in binding.absent:
            out[name] = raw * binding.channel.factor + binding.channel.offset
    return Limits(**out)


def _bit_set(field_value: Value, bit: int) -> bool:
    if isinstance(field_value, int):
        return bool(field_value >> bit & 1)
    if isinstance(field_value, bytes) and bit // 8 < len(field_value):
        return bool(field_value[bit // 8] >> (7 - bit % 8) & 1)
    return False


def _numbers(index: str) -> tuple[int, ...]:
    return tuple(map(int, index.split(".")))
