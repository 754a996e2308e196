"""What profiles know that matters to a recording: which objects are read, which words are theirs."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from collectors.snmp.identify import vendors
from collectors.snmp.profile import SnmpProfile, When
from collectors.snmp.wanted import wanted

SERIAL_COLUMN = "1.3.6.1.2.1.47.1.1.1.1.11"  # entPhysicalSerialNum
_MACS = ("1.3.6.1.2.1.2.2.1.6", "1.3.6.1.2.1.17.1.1")  # ifPhysAddress, dot1dBaseBridgeAddress
_MODELS = (
    "1.3.6.1.2.1.33.1.1.1",  # upsIdentManufacturer
    "1.3.6.1.2.1.33.1.1.2",  # upsIdentModel
    "1.3.6.1.2.1.47.1.1.1.1.12",  # entPhysicalMfgName
    "1.3.6.1.2.1.47.1.1.1.1.13",  # entPhysicalModelName
)
_VERSIONS = (
    "1.3.6.1.2.1.1.1",  # sysDescr
    "1.3.6.1.2.1.33.1.1.3",  # upsIdentUPSSoftwareVersion
    "1.3.6.1.2.1.33.1.1.4",  # upsIdentAgentSoftwareVersion
    *(f"1.3.6.1.2.1.47.1.1.1.1.{column}" for column in (8, 9, 10)),  # hardware, firmware, software
)
_SHORTEST = 6  # dots of an object of a maker or of a standard
_SIGNS = re.compile(r"\\[a-zA-Z]|\(\?\w*|\[[^\]]*\]")
_WORD = re.compile(r"[^\W_]{3,}")


@dataclass(frozen=True)
class Known:
    """Objects and columns by what they hold; words that are a maker's."""

    profiles: tuple[SnmpProfile, ...] = ()

    @cached_property
    def serials(self) -> frozenset[str]:
        return frozenset([SERIAL_COLUMN, *self._inventory(lambda key: "serial" in key)])

    @cached_property
    def macs(self) -> frozenset[str]:
        return frozenset([*_MACS, *self._inventory(lambda key: key == "mac")])

    @cached_property
    def names(self) -> frozenset[str]:
        """What the user calls the device."""
        return frozenset(self._inventory(lambda key: key == "name"))

    @cached_property
    def models(self) -> frozenset[str]:
        return frozenset(
            [*_MODELS, *self._inventory(lambda key: "model" in key or key == "vendor")]
        )

    @cached_property
    def versions(self) -> frozenset[str]:
        """Objects that tell versions, which look like addresses."""
        return frozenset(
            [*_VERSIONS, *self._inventory(lambda key: "firmware" in key or key == "hardware")]
        )

    @cached_property
    def objects(self) -> frozenset[str]:
        """All that is ever read: only what stands behind these names is an index."""
        want = wanted(self.profiles)
        return frozenset([*want.scalars, *want.columns, *want.roots])

    @cached_property
    def words(self) -> frozenset[str]:
        """Makers, models, and the texts that devices are told by or tell their state with."""
        texts = [*vendors().values()]
        for profile in self.profiles:
            texts += _texts(profile)
        return frozenset(word.casefold() for text in texts for word in _WORD.findall(text))

    def _inventory(self, wants: Callable[[str], bool]) -> Iterator[str]:
        for profile in self.profiles:
            for key, refs in profile.inventory.items():
                oids = (profile.oid(ref) for ref in refs if wants(key) and "{" not in ref)
                yield from (oid for oid in oids if oid.count(".") > _SHORTEST)


def _texts(profile: SnmpProfile) -> Iterator[str]:
    """Texts of a profile that are compared with what a device says."""
    identify = profile.identify
    yield from (profile.vendor, profile.model)
    yield from (_plain(one) for one in (identify.sys_descr, identify.sys_descr_model) if one)
    for variant in profile.variant:
        yield from (variant.vendor or "", variant.model or "", *_said(variant.when))
    for table in profile.table:
        yield from _said(table.when)
    columns = (column for table in profile.table for column in table.column)
    for point in (*profile.point, *columns):
        yield from (*point.text_states, *point.text_units, *_said(point.when))
        yield from point.unit_from.map if point.unit_from is not None else ()


def _said(when: When) -> Iterator[str]:
    for match in when.values():
        for one in match if isinstance(match, list) else [match]:
            yield _plain(str(one))


def _plain(pattern: str) -> str:
    """The words of a regular expression."""
    return _SIGNS.sub(" ", pattern)
