"""An agent's API on a real socket: real hub, live values and alarm engine; only the store is ours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from collectors.base import Override, Target, parse_url
from collectors.snmp.client import Stats
from collectors.wheel import Counters
from dcim.api.agent import Agent
from dcim.api.auth import hash_token
from dcim.api.stream import Stream
from dcim.clock import ManualClock
from dcim.config import User
from dcim.hub import Hub
from dcim.live import Live
from dcim.model.asset import Device, Feed, Hall, Metering, MeterRole, Rack, Row, Site
from dcim.model.metric import registry
from dcim.model.reading import (
    Batch,
    Derivation,
    Identity,
    Input,
    Outage,
    OutageKind,
    Quality,
    Reading,
)
from dcim.model.wire import TrendBucket, WebhookOut
from dcim.storage.store import StoreDown, grid
from rules.alarms import AlarmEngine
from rules.rule import builtin, load

ROLES = ("viewer", "operator", "supervisor")
TOKENS = {role: f"dcim_token-of-the-{role}" for role in ROLES}
HASHES = {role: hash_token(token, n=16) for role, token in TOKENS.items()}
DEADLINE_S = 10.0

SITE = Site(
    id="site-1",
    name="Site One",
    halls={"hall-1": Hall("hall-1")},
    rows={"row-1": Row("row-1", "hall-1")},
    racks={
        "rack-r01": Rack("rack-r01", "row-1", 1, limit_kw=132, limit_kw_feed=66, cooling="liquid"),
        "rack-r02": Rack("rack-r02", "row-1", 2),
    },
    devices={
        "ups-a": Device("ups-a", "hall-1", "rfc1628_ups", "snmp://10.0.0.11"),
        "leak-r01": Device("leak-r01", "rack-r01", "rle_seahawk", "modbus://10.0.0.12/1"),
        "utility": Device("utility", "site-1", "", "", "utility"),
    },
    feeds=(Feed("utility", "ups-a", "A"), Feed("ups-a", "rack-r01", "A", 160)),
    metering=(Metering(MeterRole.IT, "ups-a/output/energy.active", 1),),
)
WET = "leak-r01/zone/1/leak"
VOLTAGE = "ups-a/input/L1/voltage"


class NoMetrics:
    """Derives nothing."""

    def meet(self, points: Iterable[str]) -> None: ...

    def identified(self, identity: Identity) -> None: ...

    def update(self, readings: Sequence[Reading], now: float) -> Sequence[Reading]:
        return ()

    def tick(self, now: float) -> Sequence[Reading]:
        return ()


@dataclass
class Trends:
    """A store that knows one value of every stored point."""

    stored: set[str] = field(default_factory=lambda: {VOLTAGE})
    down: bool = False

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]:
        if self.down:
            raise StoreDown("connection refused")
        buckets = grid(start_s, end_s, step_s).buckets([])
        if point in self.stored:
            buckets[-1] = buckets[-1].model_copy(update={"mean": 230.5, "count": 1})
        return buckets


class Running:
    """The agent and its server."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.live = Live()
        self.stream = Stream(self.clock, readings=100, deltas=20, clients=4)
        self.alarms = AlarmEngine(load(builtin()), SITE, registry())
        self.hub = Hub(self.clock, self.live, NoMetrics(), self.alarms, [self.stream])
        self.store = Trends()
        self.agent = Agent(
            site=SITE,
            timezone="Asia/Shanghai",
            registry=registry(),
            targets={
                "ups-a": Target(
                    "ups-a",
                    parse_url("snmp://10.0.0.11"),
                    override={"input/L1/voltage": Override(scale=10)},
                ),
                "leak-r01": Target("leak-r01", parse_url("modbus://10.0.0.12/1")),
            },
            users=tuple(User(role, role, HASHES[role]) for role in ROLES),
            clock=self.clock,
            live=self.live,
            hub=self.hub,
            alarms=self.alarms,
            store=self.store,
            polls={"snmp": Counters(polls=7, late=1)},
            requests=lambda: {"ups-a": Stats(40, 2, latency_s=1.25), "quick": Stats(9)},
            endpoints=lambda: {"modbus://gw:502": {"requests": 9, "reset": 2, "late_answers": 1}},
            webhooks_status=lambda: [WebhookOut(name='on "call"', delivered=3)],
        )
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, device: str, *readings: Reading, outage: Outage | None = None) -> None:
        protocol = self.agent.targets[device].url.protocol
        self.hub.publish(Batch(device, self.clock.now(), readings, outage, protocol))

    def reading(self, point: str, value: float | None, **more: object) -> Reading:
        return Reading(point, value, self.clock.now(), **more)  # type: ignore[arg-type]

    def leak(self, state: str) -> None:
        stored = float(registry()["leak"].states[state])
        self.publish("leak-r01", self.reading(WET, stored, state=state, raw=int(stored)))

    def fill(self) -> None:
        """A UPS that answers, a leak detector that is silent, and a rack's derived power."""
        for device in self.agent.targets:
            self.live.add_device(device)
        self.hub.identified(Identity("ups-a", "ups", "ACME", "U1", ("rfc1628_ups",)))
        self.hub.identified(Identity("leak-r01", "leak_detector", "RLE", "SH", ("rle_seahawk",)))
        self.hub.expect("ups-a", {VOLTAGE: 30.0})
        self.publish(
            "ups-a",
            self.reading(VOLTAGE, 230.5, source="1.3.6.1.2.1.33.1.3.3.1.3.1"),
            self.reading("ups-a/battery/charge", None, quality=Quality.BAD, reason="sentinel -1"),
        )
        outage = Outage(OutageKind.TIMEOUT, "no answer in 1 s")
        self.publish("leak-r01", outage=outage)
        derived = Derivation("rack_power", 1, (Input(VOLTAGE, 230.5, 0.0, Quality.GOOD),), 0.5)
        rack = [
            ("rack-r01/power.active", 66_000.0, derived),
            ("rack-r01/power.limit_share", 50.0, None),
            ("rack-r01/feed/A/power.active", 31_200.0, None),
        ]
        readings = [self.reading(point, value, derivation=d) for point, value, d in rack]
        self.hub.publish(Batch("", self.clock.now(), readings))
        self.hub.tick()
        self.stream.flush()


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}
