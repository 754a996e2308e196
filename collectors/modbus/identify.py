"""What a device is: the identity probes of all profiles, and its inventory."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collectors.modbus.counts import counted
from collectors.modbus.decode import Answer, value_of
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.profile import At, Profile
from collectors.modbus.registers import NONSENSE
from collectors.modbus.sunspec import discover, profile_of
from dcim.model.reading import Outage, OutageKind

_NEAREST = 3  # profiles that are named where none fits


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
    fitting: list[tuple[int, Profile]] = []  # optional tests missed
    near: list[tuple[int, str]] = []  # tests that held
    for profile in profiles:
        if profile.models:
            own = yield from completed(profile)
            if isinstance(own, Profile):
                return Identified((own,))
            if own.kind not in SENT_BY_UNIT | NONSENSE | {OutageKind.UNIDENTIFIED}:
                return Identified((), own)
    for profile in sorted((p for p in profiles if _may_fit(p, unit)), key=_telling):
        if fitting and _exact(fitting[0][1]) > _exact(profile):
            break  # what only might fit is no candidate beside what says its name
        tried = yield from _try(profile, cache)
        if isinstance(tried, Outage):
            return Identified((), tried)
        if tried.fits:
            fitting.append((tried.missed, profile))
        elif tried.held:
            near.append((-tried.held, f"{profile.name} ({tried.text})"))
    if fitting:
        return Identified(tuple(one for _, one in sorted(fitting, key=lambda one: one[0])))
    strange = next(
        (r for r in cache.values() if isinstance(r, Outage) and r.kind in NONSENSE), None
    )
    return Identified((), strange or _nothing_fits(profiles, near))


class _Tried(NamedTuple):
    """How the identity tests of one profile ended."""

    fits: bool = True
    held: int = 0
    missed: int = 0  # optional ones
    text: str = ""  # the test that failed


def _try(
    profile: Profile, cache: dict[Read, Answer | Outage]
) -> Generator[Read, Answer | Outage, _Tried | Outage]:
    held = missed = 0
    for probe in profile.identify:
        at = profile.wire(probe.at)
        read = read_of(at)
        if read not in cache:
            cache[read] = yield read
        reply = cache[read]
        if isinstance(reply, Outage) and reply.kind not in SENT_BY_UNIT | NONSENSE:
            return reply
        value = None if isinstance(reply, Outage) else value_of(at, reply.data)
        if value is not None and probe.holds(value):
            held += 1
        elif probe.optional:
            missed += 1
        else:
            said = reply.kind if isinstance(reply, Outage) else value
            return _Tried(False, held, missed, f"but {at.table} {at.addresses[0]} is {said}")
    return _Tried(True, held, missed)


def _nothing_fits(profiles: Sequence[Profile], near: Sequence[tuple[int, str]]) -> Outage:
    """What to do about a device that nobody knows."""
    first = [text for _, text in sorted(near, key=lambda one: one[0])[:_NEAREST]]
    close = f"; nearest: {', '.join(first)}" if near else ""
    unnamed = sum(not (one.identify or one.models) for one in profiles)
    silent = f"; {unnamed} of them have no identity on the wire" if unnamed else ""
    text = (
        f"none of {len(profiles)} profiles fits{close}{silent}:"
        " name one (profile = ..., or ?profile=...; `dcim profiles` lists them)"
    )
    return Outage(OutageKind.UNIDENTIFIED, text)


def _may_fit(profile: Profile, unit: int) -> bool:
    """A profile without an exact test is tried only on the unit ids it is delivered with."""
    units = profile.link.units
    return bool(profile.identify) and (_exact(profile) > 0 or not units or unit in units)


def _exact(profile: Profile) -> int:
    return sum(probe.equals is not None and not probe.optional for probe in profile.identify)


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
