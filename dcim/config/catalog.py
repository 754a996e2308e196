"""The suite's profiles and the site's own, with faults told as those of a configuration."""

from pathlib import Path

from collectors.catalog import load_catalog, user_profiles
from collectors.profile import Fault as ProfileFault
from collectors.profile import Profile, ProfileError
from dcim.config.faults import ConfigError, Fault
from dcim.config.toml_lines import key_lines, line_of


def read_profiles(folder: Path) -> dict[str, Profile]:
    """All profiles for a configuration in `folder`; ConfigError with every fault of every file."""
    own = user_profiles(folder)
    try:
        return load_catalog(own)
    except ProfileError as error:
        raise ConfigError([_fault(one, own) for one in error.faults]) from None


def _fault(fault: ProfileFault, own: list[Path]) -> Fault:
    """With the line of the key, where the file can be read."""
    file = next((one / fault.file for one in own if (one / fault.file).is_file()), None)
    key, line = "", 1
    if file is not None and fault.key != "file":  # else no key of it, or no TOML at all
        key = fault.key
        path = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
        line = line_of(key_lines(file.read_text("utf-8")), path)
    found = fault.found.removeprefix("Value error, ")
    expected = "a profile that loads (docs/add-an-snmp-device.md, docs/add-a-modbus-device.md)"
    return Fault(str(file or fault.file), key, line, found, expected)
