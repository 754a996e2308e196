"""One point of a Modbus profile, and where its parts stand: repeats and bits written out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from collectors import profile as base
from collectors.modbus.at import At, Repeat, When
from collectors.modbus.checks import cells
from dcim.model.metric import MetricKind, registry


class Point(base.Point):
    """One point, or one of every like part."""

    at: At
    repeat: Repeat | None = None
    bits: Annotated[dict[int, str], Field(default_factory=dict)]  # bit -> {name}: one point a bit
    rest: str = ""  # component of one more point: all bits of the word that no point names
    when: When | None = None
    other_state: str | None = None  # of every raw number that `states` does not name

    def faults(self) -> Iterator[str]:
        """All that is wrong with the point in itself."""
        yield from super().faults()
        if self.at.type == "string":
            yield "a text is no reading: put it into [[inventory]]"
        metric = registry().get(self.metric)
        if metric is not None and metric.kind is MetricKind.STATE:
            if not self.states:
                yield f"{self.metric} is a state, but no states are given"
            if self.at.type[0] == "f" or self.at.type[:3] == "bcd":
                yield f"a state is a whole number, not {self.at.type}"
            if self.other_state is not None and self.other_state not in metric.states:
                yield f"{self.metric} has no state {self.other_state}"
        elif self.other_state is not None:
            yield f"{self.metric} is a number: `other_state` does not apply"
        if self.bits and ((self.repeat and self.repeat.names) or self.at.bit is not None):
            yield "`bits` stands alone: neither `at.bit` nor `repeat.names` with it"
        if self.rest and (not self.bits or not self.states.keys() >= {0, 1}):
            yield "`rest` stands with `bits` and states of 0 and 1"
        if self.bits and self.at.mask is not None:
            yield "`bits` of a `mask` makes no sense"
        if self.rest and self.repeat and "{index}" not in self.rest:
            yield "`rest` of a `repeat` needs {index}"
        if self.bits and "{name}" not in self.component:
            yield "`bits` needs {name} in the component"
        if self.repeat and "{index}" not in self.component and "{name}" not in self.component:
            yield "`repeat` needs {index} or {name} in the component"
        if self.bits and self.at.bits_only:
            yield f"the table {self.at.table} holds single bits: `bits` does not apply"
        size = 16 * self.at.size
        for bit in self.bits:
            if not 0 <= bit < size:
                yield f"found bit {bit} in `bits`, expected 0..{size - 1}: {self.at.type}"

    def places(self) -> Iterator[tuple[str, At, At | None]]:
        """(component, where, condition) of every part, addresses as the document counts them."""
        repeat = self.repeat
        for number in range(repeat.count if repeat else 1):
            by = number * repeat.stride if repeat else 0
            shift = number * repeat.bits if repeat else 0
            at = self.at.moved(by)
            if at.bit is not None:
                at = at.model_copy(update={"bit": at.bit + shift})
            when = self.when.at(by, shift) if self.when else None
            index = str(number + (repeat.start if repeat else 0))
            name = repeat.names[number] if repeat and repeat.names else ""
            component = self.component.replace("{index}", index)
            if not self.bits:
                yield component.replace("{name}", name), at, when
            for bit, label in self.bits.items():
                placed = at.model_copy(update={"bit": bit + shift})
                yield component.replace("{name}", label), placed, when
            if self.rest:
                named = sum(1 << bit + shift for bit in self.bits)
                mask = (1 << 16 * at.size) - 1 & ~named
                rest = self.rest.replace("{index}", index)
                yield rest, at.model_copy(update={"mask": mask}), when

    def named(self) -> Iterator[str]:
        """`component/metric` of every part."""
        for component, _, _ in self.places():
            yield f"{component}/{self.metric}" if component else self.metric


@dataclass(frozen=True, slots=True)
class Placed:
    """One point of one device, with its address on the wire."""

    point: Point
    component: str
    at: At
    when: At | None = None

    @property
    def key(self) -> str:
        """`component/metric`."""
        return f"{self.component}/{self.point.metric}" if self.component else self.point.metric

    @property
    def states(self) -> dict[int, str]:
        """Raw -> code; of the bits that no point names, only that none is set."""
        states = self.point.states
        return {0: states[0]} if self.is_rest else states

    @property
    def other_state(self) -> str | None:
        """The code of every other raw number."""
        return self.point.states[1] if self.is_rest else self.point.other_state

    @property
    def is_rest(self) -> bool:
        """Whether it stands for all bits of a word that no point names."""
        return bool(self.point.rest) and self.at.mask is not None


def without(at: At, named: Collection[tuple[str, int, int]]) -> At:
    """A word without the bits that have points of their own."""
    mask = sum(1 << position for cell, position in cells(at) if cell not in named)
    return at.model_copy(update={"mask": mask})
