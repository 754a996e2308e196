"""Whether what a device says can be: the rules of its profile against its own readings. Pure.

Two kinds. Those of `range` are about first contact: one that fails speaks for wrong addresses, until
all have held once; later a value may leave its range for good reasons, a feed that is dead. Those
of power hold at every poll: no load takes many times V x I, and none of its kind takes more than
its range says; words in the wrong order do.
"""

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from collectors.decode import outside
from collectors.modbus.profile import Plausible, Profile
from dcim.model.reading import Outage, OutageKind, Quality, Reading

POWER = ("power.", "energy.")  # metrics that no wrong word order may become
_TIMES = 10.0  # V, I and P are not read at one instant, and a load may come at once
_SPARE_VA = 10_000.0
_NO_VOLTAGE = 1e-6  # what is less, and not 0, no meter tells: words in another order do


class Doubt(NamedTuple):
    """What speaks for wrong addresses or a wrong word order."""

    outage: Outage
    power: bool = False  # the power figures are wrong for certain

    def cast_on(self, readings: Iterable[Reading]) -> list[Reading]:
        """The readings as far as they may still be trusted."""
        reason = f"{self.outage.kind}: {self.outage.detail}"
        return [self._with(reason, reading) for reading in readings]

    def _with(self, reason: str, reading: Reading) -> Reading:
        if reading.quality is Quality.BAD:
            return reading
        if self.power and reading.metric.startswith(POWER):
            return reading._replace(value=None, quality=Quality.BAD, reason=reason)
        return reading._replace(quality=Quality.UNCERTAIN, reason=reason)


class Plausibility:
    """The rules of one device, and what they said last."""

    def __init__(self, profile: Profile, device: str, overridden: Container[str] = ()) -> None:
        self._profile = profile
        self._device = device
        self._rules = [
            rule
            for rule in profile.plausible
            if not rule.balance or not any(p in overridden for p in rule.points)
        ]
        self._volts_and_amperes = {point for rule in self._rules for point in rule.measured}
        self._told: dict[str, Reading] = {}
        self._said: dict[Plausible, Doubt | None] = {}
        self._speak_of = self._points()

    def weigh(self, readings: Sequence[Reading]) -> Doubt | None:
        """Take new readings; what, with those before them, cannot be."""
        if not self._speak_of:
            return None
        fresh = {r.point: r for r in readings if r.point in self._speak_of}
        self._told |= fresh
        for rule in self._rules if fresh else ():
            # of power when V or I is new: then all three are about the same time
            if any(self._address(point) in fresh for point in rule.measured or rule.points):
                self._said[rule] = self._judge(rule)
        doubts = [doubt for doubt in self._said.values() if doubt is not None]
        if not any(self._said.get(rule) for rule in self._rules if not rule.power):
            self._rules = [rule for rule in self._rules if rule.power]
            self._speak_of = self._points()
        if not doubts:
            return None
        return doubts[0]._replace(power=any(doubt.power for doubt in doubts))

    def _points(self) -> frozenset[str]:
        return frozenset(self._address(point) for rule in self._rules for point in rule.points)

    def _address(self, point: str) -> str:
        return f"{self._device}/{point}"

    def _judge(self, rule: Plausible) -> Doubt | None:
        return self._out_of_balance(rule) if rule.balance else self._out_of_range(rule)

    def _out_of_range(self, rule: Plausible) -> Doubt | None:
        low, high = rule.range or (0.0, 0.0)
        reading = self._told[self._address(rule.point)]
        value = reading.value
        if value is None and not outside(reading):
            return None  # not read, or the device itself says that it has none
        if value is not None and low <= value <= high:
            return None
        said = f" is {value:g}" if value is not None else f": {reading.reason}"
        # a feed that is dead has no voltage, or next to none: its 0 W is right
        dead = value is None or value == 0 or _NO_VOLTAGE < value < low
        wrong = rule.power or (not dead and rule.point in self._volts_and_amperes)
        return self._doubt(f"{rule.point}{said}, expected {low:g}..{high:g}", wrong)

    def _out_of_balance(self, rule: Plausible) -> Doubt | None:
        """Power that is many times V x I; or one of the three cannot be at all."""
        told = {
            point: reading
            for point in rule.points
            if (reading := self._told.get(self._address(point))) is not None
        }
        for point, reading in told.items():
            if outside(reading):
                return self._doubt(f"{point}: {reading.reason}", True)
        values = {point: r.value for point, r in told.items() if r.value is not None}
        pairs = zip(rule.measured[::2], rule.measured[1::2], strict=True)
        products = [abs(values[v] * values[i]) for v, i in pairs if v in values and i in values]
        power, apparent = values.get(rule.point), sum(products)
        if power is None or not products or abs(power) <= _TIMES * (apparent + _SPARE_VA):
            return None
        return self._doubt(f"{rule.point} is {power:g} W, but V x I {apparent:g} VA", True)

    def _doubt(self, said: str, wrong: bool) -> Doubt:
        text = (
            f"{said}: another device than {self._profile.name},"
            " or addresses off by one, or words in another order?"
        )
        return Doubt(Outage(OutageKind.MISIDENTIFIED, text), wrong)
