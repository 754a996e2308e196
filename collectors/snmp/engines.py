"""Engines of other devices: their clocks, the keys made for them, and who answers under which id.

Source: RFC 3414 sections 2.2 and 3.2 (time window).
"""

from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from collectors.snmp.usm import KeyRing

WINDOW_S = 150
LAST_BOOTS = 0x7FFF_FFFF
Address = tuple[str, int]


class Owner(Protocol):
    """Who speaks with a device under an engine id; known by identity."""

    engine_id: bytes
    peer: Address
    name: str  # of the device, for people


class Timeline:
    """What is known of another engine's boots and time, and whether a message is of now."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.known = False
        self.doubted = False  # have the engine tell its own anew; what is known still holds
        self._now = now
        self._boots = 0
        self._time = 0  # the latest received
        self._at = 0.0  # when it was

    def present(self) -> tuple[int, int]:
        """(boots, time) to send; zeros make the engine tell its own."""
        return (0, 0) if self.doubted or not self.known else self._latest()

    def _latest(self) -> tuple[int, int]:
        return self._boots, self._time + int(self._now() - self._at)

    def set(self, boots: int, time: int) -> None:
        self.known, self._boots, self._time, self._at = True, boots, time, self._now()
        self.doubted = False

    def admits(self, boots: int, time: int) -> bool:
        """Whether an authentic message is inside the window; learns from it. RFC 3414 3.2 7 b."""
        if boots == LAST_BOOTS:
            return False
        if not self.known or (boots, time) > (self._boots, self._time):
            self.set(boots, time)
        return boots == self._boots and time >= self._latest()[1] - WINDOW_S


class Engines:
    """What all v3 devices share: the keys made so far, and who answers under which engine id.

    Anybody can say an engine id: it counts with the first answer taken, while its owner
    lives.
    """

    def __init__(self) -> None:
        self.ring = KeyRing()
        self._owners: dict[bytes, WeakSet[Owner]] = {}

    def claim(self, one: Owner) -> None:
        """An answer of this device was taken under its engine id."""
        self._owners.setdefault(one.engine_id, WeakSet()).add(one)

    def withdraw(self, one: Owner) -> None:
        """It has another engine id from now on."""
        owners = self._owners.get(one.engine_id)
        if owners is not None:
            owners.discard(one)
            if not owners:
                del self._owners[one.engine_id]

    def others(self, one: Owner) -> list[str]:
        """Who else answers under the engine id of this device."""
        owners = self._owners.get(one.engine_id, ())
        if len(owners) < 2 or one not in owners:
            return []
        return sorted({other.name for other in owners if other.peer != one.peer})

    def hosts(self, engine_id: bytes) -> set[str]:
        """The addresses that answer under an engine id."""
        return {one.peer[0] for one in self._owners.get(engine_id, ())}
