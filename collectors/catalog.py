"""Every device profile the suite knows, by name."""

from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from collectors.modbus.profile import Profile as ModbusProfile
from collectors.mqtt.profile import MqttProfile
from collectors.profile import Profile, load_profiles
from collectors.snmp.profile import SnmpProfile

MODELS: dict[str, type[Profile]] = {
    "snmp": SnmpProfile,
    "modbus": ModbusProfile,
    "mqtt": MqttProfile,
}


def user_profiles(folder: Path) -> list[Path]:
    """A site's own profiles: the folder `profiles` beside its configuration, where there is one."""
    own = folder / "profiles"
    return [own] if own.is_dir() and not (folder / "catalog.py").exists() else []


def load_catalog(extra_dirs: Iterable[Path] = ()) -> dict[str, Profile]:
    """The suite's own profiles and those of `extra_dirs`; ProfileError with every fault."""
    files: list[Traversable] = list(resources.files("collectors").joinpath("profiles").iterdir())
    for folder in extra_dirs:
        files.extend(folder.iterdir())
    data = [file for file in files if file.name.endswith(".toml")]
    profiles = load_profiles(sorted(data, key=lambda file: file.name), MODELS)
    modbus = [one for one in profiles.values() if isinstance(one, ModbusProfile)]
    return {copy.name: copy for one in modbus for copy in one.copies()} | profiles
