"""SunSpec devices: find the marker, walk the chain of models, make the device's own profile.

Source: "SunSpec Device Information Model Specification" 1.1, sections 5 and 6.
"""

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collectors.modbus.decode import Answer
from collectors.modbus.frame import SENT_BY_UNIT, Read
from collectors.modbus.profile import Inventory, Model, Point, Profile, Repeat
from collectors.modbus.registers import NONSENSE
from dcim.model.reading import Outage, OutageKind

BASES = (40000, 50000, 0)
_MARKER = b"SunS"
_END = 0xFFFF
_COMMON = 1
_MOST_MODELS = 64
_COMMON_TEXTS = (  # of model 1: name, distance from its ID register, registers
    ("manufacturer", 2, 16),
    ("model", 18, 16),
    ("options", 34, 8),
    ("firmware", 42, 8),
    ("serial", 50, 16),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One model of a device: its ID register and the length it says."""

    id: int
    address: int
    length: int

    @property
    def end(self) -> int:
        """The first register after it."""
        return self.address + 2 + self.length


def discover() -> Generator[Read, Answer | Outage, list[Found] | Outage]:
    """The device's models in order; an Outage where there is no marker or nothing answers."""
    refused: Outage | None = None
    for base in BASES:
        reply = yield Read("holding", base, 2)
        if isinstance(reply, Outage):
            if reply.kind not in SENT_BY_UNIT | NONSENSE:
                return reply
            refused = reply
        elif reply.data == _MARKER:
            return (yield from _walk(base + 2))
    return refused or Outage(OutageKind.UNIDENTIFIED, "no SunSpec marker at 40000, 50000 or 0")


def _walk(address: int) -> Generator[Read, Answer | Outage, list[Found] | Outage]:
    """Step by the length each model says, never by the one it should have."""
    chain: list[Found] = []
    while len(chain) < _MOST_MODELS and address < 0xFFFE:
        reply = yield Read("holding", address, 2)
        if isinstance(reply, Outage):
            return chain if chain and reply.kind in SENT_BY_UNIT else reply
        number, length = struct.unpack(">HH", reply.data)
        if number == _END:
            break
        chain.append(Found(number, address, length))
        address = chain[-1].end
    return chain


def profile_of(template: Profile, chain: Sequence[Found]) -> Profile | Outage:
    """The profile of one device: the known models of its chain, at their addresses."""
    known = {model.id: model for model in template.models}
    points: list[Point] = []
    taken: set[str] = set()
    seen: dict[int, int] = {}
    kind = ""
    for found in chain:
        model = known.get(found.id)
        if model is None:
            continue
        kind = kind or model.kind
        number = seen[found.id] = seen.get(found.id, 0) + 1
        for point in _placed(model, found):
            own = point.model_copy(update={"component": _component(point, found.id, number, taken)})
            taken.update(own.named())
            points.append(own)
    if not points:
        text = f"SunSpec models {_ids(chain)}: none of them is known"
        return Outage(OutageKind.UNIDENTIFIED, text)
    update: Mapping[str, object] = {
        "kind": kind,
        "point": tuple(points),
        "models": (),
        "note": f"SunSpec marker at {chain[0].address - 2}, models {_ids(chain)}",
        "inventory": tuple(_inventory(chain)),
    }
    return Profile.model_validate(template.model_dump() | {"models": ()} | dict(update))


def _ids(chain: Sequence[Found]) -> str:
    return ", ".join(str(found.id) for found in chain) or "none"


def _placed(model: Model, found: Found) -> Iterator[Point]:
    """The points that lie inside the model as long as the device says it is."""
    for point in model.point:
        placed = _moved(point, found.address)
        if max(placed.at.addresses) < found.end:
            yield placed
    if model.part is None:
        return
    count = (found.length + 2 - model.part.at) // model.part.size
    for point in model.part_point if count > 0 else ():
        repeat = Repeat(count=count, stride=model.part.size)
        yield _moved(point, found.address).model_copy(update={"repeat": repeat})


def _moved(point: Point, by: int) -> Point:
    at = point.at.moved(by)
    if at.scale_at is not None:
        at = at.model_copy(update={"scale_at": at.scale_at + by})
    when = point.when
    if when is not None:
        when = when.model_copy(update={"address": when.address + by})
    return point.model_copy(update={"at": at, "when": when})


def _component(point: Point, model: int, number: int, taken: set[str]) -> str:
    """The model's own component; what another model of the device says too is set apart."""
    component = point.component.replace("{n}", str(number))
    for candidate in (
        component,
        f"model/{model}/{component}",
        f"model/{model}/{number}/{component}",
    ):
        own = point.model_copy(update={"component": candidate.strip("/")})
        if taken.isdisjoint(own.named()):
            return candidate.strip("/")
    return f"model/{model}/{number}/{component}".strip("/")


def _inventory(chain: Sequence[Found]) -> Iterator[Inventory]:
    for found in chain:
        if found.id == _COMMON:
            for name, offset, length in _COMMON_TEXTS:
                if offset + length <= found.length + 2:
                    at = {"address": found.address + offset, "type": "string", "length": length}
                    yield Inventory.model_validate({"name": name, "at": at})
            return
