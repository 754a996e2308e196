"""What a device is: the identity probes of all profiles, its inventory, and first doubts."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from collectors.modbus.counts import counted
from collectors.modbus.decode import Answer, value_of
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.profile import At, Profile
from collectors.modbus.registers import NONSENSE
from collectors.modbus.sunspec import discover, profile_of
from dcim.model.reading import Outage, OutageKind, Quality, Reading


@dataclass(frozen=True, slots=True)
class Identified:
    """Which profiles a device fits, best first, or why that could not be told."""

    profiles: tuple[Profile, ...] = ()
    outage: Outage | None = None


def read_of(at: At) -> Read:
    """The one read that fetches a value on its own."""
    first, last = min(at.addresses), max(at.addresses)
    return Read(at.table, first, last - first + 1)


def identify(
    profiles: Sequence[Profile], unit: int
) -> Generator[Read, Answer | Outage, Identified]:
    """Try the identity probes of all profiles, the most telling first."""
    cache: dict[Read, Answer | Outage] = {}
    fitting: list[Profile] = []
    for profile in profiles:
        if profile.models:
            own = yield from completed(profile)
            if isinstance(own, Profile):
                return Identified((own,))
            if own.kind not in SENT_BY_UNIT | NONSENSE | {OutageKind.UNIDENTIFIED}:
                return Identified((), own)
    for profile in sorted((p for p in profiles if _may_fit(p, unit)), key=_telling):
        if fitting and _exact(fitting[0]) > _exact(profile):
            break  # what only might fit is no candidate beside what says its name
        for probe in profile.identify:
            at = profile.wire(probe.at)
            read = read_of(at)
            if read not in cache:
                cache[read] = yield read
            reply = cache[read]
            if isinstance(reply, Outage):
                if reply.kind not in SENT_BY_UNIT | NONSENSE:
                    return Identified((), reply)
                break
            if not probe.holds(value_of(at, reply.data)):
                break
        else:
            fitting.append(profile)
    if fitting:
        return Identified(tuple(fitting))
    strange = next(
        (r for r in cache.values() if isinstance(r, Outage) and r.kind in NONSENSE), None
    )
    text = f"none of {len(profiles)} profiles fits: name one (profile = ..., or ?profile=...)"
    return Identified((), strange or Outage(OutageKind.UNIDENTIFIED, text))


def _may_fit(profile: Profile, unit: int) -> bool:
    """A profile without an exact test is tried only on the unit ids it is delivered with."""
    units = profile.link.units
    return bool(profile.identify) and (_exact(profile) > 0 or not units or unit in units)


def _exact(profile: Profile) -> int:
    return sum(probe.equals is not None for probe in profile.identify)


def _telling(profile: Profile) -> tuple[int, int, int, str]:
    return -_exact(profile), -len(profile.identify), -len(profile.link.units), profile.name


def completed(profile: Profile) -> Generator[Read, Answer | Outage, Profile | Outage]:
    """The profile with as many parts as there are; of a SunSpec device, that of its own models."""
    if not profile.models:
        return (yield from counted(profile))
    chain = yield from discover()
    return chain if isinstance(chain, Outage) else profile_of(profile, chain)


def read_inventory(
    profile: Profile,
) -> Generator[Read, Answer | Outage, dict[str, str] | Outage]:
    """Serial number, firmware and the like; what the device refuses is left out."""
    found: dict[str, str] = {}
    for item in profile.inventory:
        at = profile.wire(item.at)
        reply = yield read_of(at)
        if isinstance(reply, Answer):
            text = str(value_of(at, reply.data))
            if text:
                found[item.name] = text
        elif reply.kind not in SENT_BY_UNIT | NONSENSE:
            return reply
    return found


def implausible(profile: Profile, device: str, readings: Mapping[str, Reading]) -> Outage | None:
    """What on first contact speaks for wrong addresses, by the profile's own rules."""
    for rule in profile.plausible:
        reading = readings.get(f"{device}/{rule.point}")
        if reading is None:
            continue
        low, high = rule.range
        value = reading.value
        if reading.quality is not Quality.BAD and value is not None and low <= value <= high:
            continue
        said = f"{value:g}" if value is not None else reading.reason or "no value"
        text = (
            f"{rule.point} is {said}, expected {low:g}..{high:g}:"
            f" another device than {profile.name}, or addresses off by one?"
        )
        return Outage(OutageKind.MISIDENTIFIED, text)
    return None
