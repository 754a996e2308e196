"""The suite's profiles and the site's own, with faults told as those of a configuration."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collectors.catalog import load_catalog, user_profiles
from collectors.profile import Profile, ProfileError
from collectors.profile_faults import Fault as ProfileFault
from dcim.config.faults import ConfigError, Fault
from dcim.config.toml_lines import key_lines, line_of
from dcim.config.toml_words import place_of

_FOUND = re.compile(r"found (.+?), expected (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The profiles without faults, and what is wrong with the others."""

    profiles: Mapping[str, Profile]
    faults: tuple[Fault, ...] = ()
    faulty: frozenset[str] = frozenset()  # names of the profiles that have faults


def read_catalog(folder: Path) -> Catalog:
    """All profiles for a configuration in `folder`, and every fault of every file."""
    own = user_profiles(folder)
    try:
        return Catalog(load_catalog(own))
    except ProfileError as error:
        faults = tuple(_fault(one, own) for one in error.faults)
        faulty = frozenset(one.file.removesuffix(".toml") for one in error.faults)
        return Catalog(error.sound, faults, faulty)


def read_profiles(folder: Path) -> dict[str, Profile]:
    """All profiles for a configuration in `folder`; ConfigError with every fault of every file."""
    catalog = read_catalog(folder)
    if catalog.faults:
        raise ConfigError(catalog.faults)
    return dict(catalog.profiles)


def _fault(fault: ProfileFault, own: list[Path]) -> Fault:
    """With the line of the key, where the file can be read."""
    file = next((one / fault.file for one in own if (one / fault.file).is_file()), None)
    found, expected = fault.found, fault.expected
    name = str(file or fault.file)
    if file is None:
        return Fault(name, fault.key, 1, found, expected)
    text = file.read_text("utf-8")
    if fault.key == "toml":
        return Fault(name, "", *place_of(found, text))
    if not expected and (match := _FOUND.fullmatch(found)):
        found, expected = match[1], match[2]
    if fault.key == "file":  # no key of it
        return Fault(name, "", 1, found, expected)
    path = tuple(int(part) if part.isdecimal() else part for part in fault.key.split("."))
    return Fault(name, fault.key, line_of(key_lines(text), path), found, expected)
