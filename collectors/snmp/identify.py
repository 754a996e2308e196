"""What a device is: by sysObjectID and sysDescr, and by the tables it has where these lie.

Source: RFC 3418 section 2 (system group), RFC 1155 section 3.1 (enterprise subtree).
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from collectors.base import CollectError
from collectors.snmp.ber import Value
from collectors.snmp.client import SYS_UP_TIME, Client
from collectors.snmp.place import Answers, Place, matches, slug
from collectors.snmp.profile import ENTERPRISES, SnmpProfile
from collectors.snmp.values import text_of
from dcim.model.reading import Identity, OutageKind

SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
_SOFTWARE = frozenset(["311", "2021", "8072"])  # Microsoft's, UCD's and net-snmp's agents
_MOST_ENTERPRISES = 24  # subtrees looked for in one device


@dataclass(slots=True)
class Found:
    """What was asked to tell a device apart, and what fits."""

    system: dict[str, Value]
    sys_object_id: str
    sys_descr: str
    profiles: list[SnmpProfile]
    roots: dict[str, Value] = field(default_factory=dict)  # first object below each table found
    enterprises: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)  # profiles looked at and not taken
    named: SnmpProfile | None = None  # what it calls itself, where no such profile fits

    @property
    def unread(self) -> str:
        """Why there is nothing to read, for people."""
        if self.named is None:
            return "no profile knows it"
        return f"it calls itself {self.named.name} and has none of that profile's objects"


@cache
def vendors() -> Mapping[str, str]:
    """Maker by private enterprise number."""
    text = resources.files("collectors.snmp").joinpath("enterprises.toml").read_text("utf-8")
    return {number: str(name) for number, name in tomllib.loads(text).items()}


async def identify(client: Client, profiles: Mapping[str, SnmpProfile], wish: str) -> Found:
    """Ask the device what it is. `wish`: a profile's name, several by comma, or "auto"."""
    system = await client.get([SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME])
    answers = Answers(system)
    found = Found(system, answers.sys_object_id, answers.sys_descr, [])
    if wish not in ("", "auto"):
        unknown = [name for name in wish.split(",") if name not in profiles]
        if unknown:
            detail = f"there is no SNMP profile named {', '.join(unknown)}"
            raise CollectError(OutageKind.UNIDENTIFIED, detail)
        found.profiles = [profiles[name] for name in wish.split(",")]
        return found
    found.enterprises = await _enterprises(client)
    candidates = [p for p in profiles.values() if _candidate(p, found)]
    tables = {p.oid(table): None for p in candidates for table in p.identify.tables}
    for table, answer in (await client.after(list(tables))).items():
        if answer is not None and answer[0].startswith(table + "."):
            found.roots[answer[0]] = answer[1]
    present = Answers(found.roots)
    fitting = [p for p in candidates if _fits(p, found, present)]
    found.profiles = _settled(fitting)
    found.passed_over = [p.name for p in candidates if p not in found.profiles]
    if all(p.fallback for p in found.profiles):
        named = [p for p in candidates if _named(p, found)]
        found.named = max(named, key=lambda p: _naming(p, found), default=None)
    return found


async def _enterprises(client: Client) -> list[str]:
    """The enterprise subtrees that a device has anything in."""
    out: list[str] = []
    at = ENTERPRISES.rstrip(".")
    while len(out) < _MOST_ENTERPRISES:
        try:
            answer = (await client.after([at]))[at]
        except CollectError as error:
            if error.outage.kind is OutageKind.REFUSED:
                raise
            return out  # an agent that chokes on GETNEXT here may still know its tables
        if answer is None or not answer[0].startswith(ENTERPRISES):
            return out
        number = answer[0].split(".")[6]
        if out and int(number) <= int(out[-1]):
            return out
        out.append(number)
        at = f"{ENTERPRISES}{number}.4294967295"
    return out


def _named(profile: SnmpProfile, found: Found) -> bool:
    """Whether sysObjectID or sysDescr names the family."""
    by_text, digits, _ = _naming(profile, found)
    return by_text or digits > 0


def _naming(profile: SnmpProfile, found: Found) -> tuple[bool, int, int]:
    """How well sysDescr and sysObjectID name the family; the greater, the better."""
    told = f"{found.sys_object_id}."
    identify = profile.identify
    digits = max(
        (len(prefix) for prefix in identify.prefixes if told.startswith(prefix)), default=0
    )
    pattern = identify.sys_descr
    by_text = pattern is not None and re.search(pattern, found.sys_descr) is not None
    return by_text, digits, profile.rank


def _candidate(profile: SnmpProfile, found: Found) -> bool:
    """Whether it is worth asking for the profile's tables."""
    unless = profile.identify.unless
    if unless:
        told = {"sysObjectID": found.sys_object_id, "sysDescr": found.sys_descr}
        if all(matches(told.get(key, ""), match) for key, match in unless.items()):
            return False
    if _named(profile, found):
        return True
    return not profile.identify.strict and not profile.below.isdisjoint(["", *found.enterprises])


def _fits(profile: SnmpProfile, found: Found, present: Answers) -> bool:
    tables = profile.identify.tables
    if tables:
        return any(present.exists(profile.oid(table)) for table in tables)
    return _named(profile, found)


def _settled(fitting: Sequence[SnmpProfile]) -> list[SnmpProfile]:
    """Without what others replace; fallbacks only where nothing else fits; best rank first."""
    replaced = {rule for p in fitting for rule in p.replaces if ":" not in rule}
    left = [p for p in fitting if p.name not in replaced]
    if any(not p.fallback for p in left):
        left = [p for p in left if not p.fallback]
    return sorted(left, key=lambda p: -p.rank)


def describe(device: str, found: Found, answers: Answers) -> Identity:
    """The identity that the best profile, its variants and the device's own texts give."""
    inventory = _inventory(found.profiles, answers)
    maker = _maker(found)
    kind, vendor, model = "", maker, ""
    best = found.named or next(iter(found.profiles), None)
    if best is not None:
        fits = (v for v in best.variant if Place(best, answers).fits(v.when))
        variant = next(fits, None)
        kind = (variant.kind if variant else None) or best.kind
        own = (variant.vendor if variant else None) or best.vendor
        told = inventory.get("vendor", "")
        vendor = own if own != "Generic" else " ".join(_distinct([maker, told])) or own
        model = inventory.get("model") or _model_told(best, found.sys_descr)
        model = model or (variant.model if variant else None) or best.model
    return Identity(
        device,
        kind,
        vendor,
        model or _first_line(found.sys_descr),
        tuple(p.name for p in found.profiles),
        _told(found),
        tuple(found.passed_over),
        inventory,
    )


def _model_told(profile: SnmpProfile, sys_descr: str) -> str:
    """The model that sysDescr tells, where the profile knows how."""
    pattern = profile.identify.sys_descr_model
    told = re.search(pattern, sys_descr) if pattern is not None else None
    return told[1].strip() if told is not None else ""


def _maker(found: Found) -> str:
    """The maker by sysObjectID; where that names the agent's software, by what else is there."""
    told = found.sys_object_id.split(".")
    number = told[6] if found.sys_object_id.startswith(ENTERPRISES) else ""
    if number and number not in _SOFTWARE:
        return vendors().get(number, "")
    others = (vendors().get(n, "") for n in found.enterprises if n not in _SOFTWARE)
    return next(filter(None, others), vendors().get(number, ""))


def _told(found: Found) -> str:
    """What the device was told by, for people."""
    told = [f"sysObjectID {found.sys_object_id or 'none'}"]
    if found.sys_descr:
        told.append(f"sysDescr {_first_line(found.sys_descr)!r}")
    names = [f"{number} {vendors().get(number, '')}".rstrip() for number in found.enterprises]
    if names:
        told.append(f"objects of enterprise {', '.join(names)}")
    return ", ".join(told)


def _distinct(names: Sequence[str]) -> list[str]:
    """Names without those that another one already says."""
    out: list[str] = []
    for name in names:
        if name and not any(slug(name) in slug(o) or slug(o) in slug(name) for o in out):
            out.append(name)
    return out


def _inventory(profiles: Sequence[SnmpProfile], answers: Answers) -> dict[str, str]:
    out: dict[str, str] = {}
    for profile in profiles:
        for name, refs in profile.inventory.items():
            texts = (text_of(answers.values.get(profile.oid(ref))) for ref in refs)
            text = next((t for t in texts if t), "")
            if text:
                out.setdefault(name, text)
    return out


def _first_line(text: str) -> str:
    return text.splitlines()[0][:80] if text else ""
