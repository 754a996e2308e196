"""From profiles and what a device answered to its points. Pure: no socket, no clock."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.base import Limits, Override
from collectors.decode import channel
from collectors.snmp.ber import Value
from collectors.snmp.place import Answers, Place, head_of, numbers
from collectors.snmp.profile import (
    FactorFrom,
    LimitRefs,
    SnmpPoint,
    SnmpProfile,
    Table,
)
from collectors.snmp.values import (
    NO_TOTAL,
    NO_VALUE,
    Binding,
    Unreadable,
    folded,
    number_of,
    text_of,
)
from collectors.snmp.wanted import limit_refs
from collectors.units import conversion
from dcim.model.metric import Metric, MetricKind
from dcim.model.reading import Quality, Reading, address


@dataclass(slots=True)
class Resolved:
    """A device's points, what each said in the survey, and what was left out and why."""

    bindings: list[Binding] = field(default_factory=list)
    readings: list[Reading | None] = field(default_factory=list)  # None: absent
    limits: dict[str, Limits] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
            rank = profile.rank if point.rank is None else point.rank
            found.append(((usable, -rank, len(found)), binding, reading, place))
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
    every = sorted({index for indices in rows.values() for index in indices}, key=numbers)
    lowest = min((number for index in every for number in numbers(index)), default=1)
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
        (head_of(index), text_of(answers.values[f"{column}.{index}"])): index
        for index in answers.rows(column)
    }


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
        sentinels={**_never(metric), **point.invalid},
        doubtful=point.doubtful,
        override=override.get(own),
    )
    guard = point.invalid_from
    if guard is not None and place.oid(guard.at) not in place.answers.values:
        guard = None
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


def _never(metric: Metric) -> Mapping[float, str]:
    """Raw numbers that are no value, whatever the profile says."""
    if metric.kind is MetricKind.STATE:
        return {}
    return NO_TOTAL if metric.kind is MetricKind.COUNTER else NO_VALUE


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
        # below 0 it tells how many digits are accurate: RFC 3433, EntitySensorPrecision
        factor *= 10.0 ** -max(0.0, _number(place, point.decimals_from))
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
    for name, ref in limit_refs(refs).items():
        bit = next((b for limit, b in refs.bits.items() if limit == name), None)
        if bit is not None and enabled is not None and not _bit_set(enabled, bit):
            continue
        try:
            raw, _ = number_of(binding.point, place.value(ref))
        except Unreadable:
            continue
        if raw in refs.absent or raw in binding.absent:
            continue
        if refs.scale is not None:
            raw *= refs.scale / binding.point.scale
        out[name] = raw * binding.channel.factor + binding.channel.offset
    return Limits(**out)


def _bit_set(field_value: Value, bit: int) -> bool:
    if isinstance(field_value, int):
        return bool(field_value >> bit & 1)
    if isinstance(field_value, bytes) and bit // 8 < len(field_value):
        return bool(field_value[bit // 8] >> (7 - bit % 8) & 1)
    return False
