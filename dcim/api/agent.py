"""What the API speaks for: the running agent, as far as a client may see it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collectors.base import Target
from collectors.snmp.client import Stats
from collectors.wheel import Counters
from dcim.api.auth import Authority
from dcim.clock import Clock
from dcim.config import User
from dcim.hub import Hub
from dcim.live import Live
from dcim.model.alarm import Alarm, AlarmEvent
from dcim.model.asset import Site
from dcim.model.metric import Registry
from dcim.model.wire import StoreOut, TrapCountsOut, TrapsOut, TrendBucket, UsageOut, WebhookOut

Action = tuple[str, tuple[AlarmEvent, ...]]


class AlarmDesk(Protocol):
    """What people may ask of the alarms and do to them (rules.alarms.AlarmEngine)."""

    def alarms(self) -> Iterable[Alarm]: ...

    def get(self, alarm_id: str) -> Alarm | None: ...

    def rules_for(self, point: str) -> list[str]: ...

    def ack(
        self, alarm_id: str, occurrence: int, user: str, comment: str, now: float
    ) -> Action: ...

    def reset(
        self, alarm_id: str, occurrence: int, user: str, comment: str, now: float
    ) -> Action: ...

    def shelve(
        self,
        alarm_id: str,
        occurrence: int,
        *,
        duration_s: float,
        reason: str,
        user: str,
        role: str,
        now: float,
    ) -> Action: ...

    def unshelve(self, alarm_id: str, occurrence: int, user: str, now: float) -> Action: ...


class Trends(Protocol):
    """What the API asks of the store (dcim.storage.store.Store)."""

    async def trend(
        self, point: str, start_s: float, end_s: float, step_s: float
    ) -> list[TrendBucket]: ...


@dataclass(slots=True)
class Agent:
    """The parts of a running agent; a reload replaces what the file says."""

    site: Site
    timezone: str
    registry: Registry
    targets: Mapping[str, Target]  # by device
    users: Sequence[User]
    clock: Clock
    live: Live
    hub: Hub
    alarms: AlarmDesk
    store: Trends
    polls: Mapping[str, Counters] = field(default_factory=dict)  # by protocol
    requests: Callable[[], Mapping[str, Stats]] = dict  # by device, of those polled by SNMP
    endpoints: Callable[[], Mapping[str, Mapping[str, int]]] = dict  # of Modbus: counts by kind
    usage: Callable[[float, float], UsageOut] | None = None  # of a window, UTC seconds
    store_status: Callable[[], StoreOut] = StoreOut
    webhooks_status: Callable[[], Sequence[WebhookOut]] = tuple
    traps: Callable[[], TrapsOut] = TrapsOut
    trap_counts: Callable[[], TrapCountsOut] = TrapCountsOut
    reload: Callable[[], Awaitable[str]] | None = None  # what was taken over; ValueError: why not
    kept: Callable[[], bool] | None = None  # blocks until what was announced is on disk
    authority: Authority = field(default_factory=Authority)
    started: float = 0.0  # UTC seconds

    def __post_init__(self) -> None:
        self.started = self.started or self.clock.now()
