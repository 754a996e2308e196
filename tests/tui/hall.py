"""A small plant as an agent would describe it, at one fixed moment."""

from dcim.model.alarm import AlarmState
from dcim.model.reading import rfc3339
from dcim.model.wire import (
    AlarmOut,
    DeviceOut,
    Event,
    PlaceOut,
    PointOut,
    ProtocolOut,
    RackOut,
    SiteOut,
    StatusOut,
    StoreOut,
    WebhookOut,
)

NOW = 1_795_295_645.0  # 2026-11-21T21:14:05Z

UNITS = {
    "power.active": "W",
    "power.limit_share": "%",
    "load": "%",
    "voltage": "V",
    "charge": "%",
    "runtime": "s",
    "temperature.supply": "degC",
    "temperature": "degC",
    "temperature.wet_bulb": "degC",
    "flow": "l/min",
    "heat": "W",
    "dew_point.margin": "K",
    "wue": "l/kWh",
}


def site() -> SiteOut:
    places = [
        PlaceOut(id="dc1", kind="site"),
        PlaceOut(id="hall-1", kind="hall", parent="dc1"),
        PlaceOut(id="row-1", kind="row", parent="hall-1"),
        PlaceOut(id="row-2", kind="row", parent="hall-1"),
    ]
    racks = [
        RackOut(
            id=f"rack-r{8 * row + position:02}",
            row=f"row-{row + 1}",
            hall="hall-1",
            position=position,
            cooling="liquid",
            limit_kw=132,
            limit_kw_feed=66,
        )
        for row in (0, 1)
        for position in range(1, 9)
    ]
    kinds = {
        "ups-a": "ups",
        "ups-b": "ups",
        "hvdc-1": "hvdc",
        "bbu-r01": "bbu",
        "cdu-1": "cdu",
        "cdu-2": "cdu",
        "meter-main": "meter",
        "leak-row1": "leak_detector",
        "weather": "weather",
    }
    devices = [DeviceOut(id=name, kind=kind, status="ok") for name, kind in kinds.items()]
    return SiteOut(
        id="dc1",
        timezone="Asia/Shanghai",
        places=places,
        racks=racks,
        devices=devices,
        metering=[{"role": "site_total", "point": "meter-main/energy.active", "category": 2}],
    )


def point(
    address: str,
    value: float | None = None,
    state: str | None = None,
    quality: str = "good",
    reason: str | None = None,
    age_s: float = 1.0,
) -> PointOut:
    return PointOut(
        point=address,
        value=value,
        state=state,
        unit=UNITS.get(address.rpartition("/")[2], "1"),
        ts=rfc3339(NOW - age_s),
        quality=quality,
        reason=reason,
    )


def points() -> list[PointOut]:
    out = [
        point("ups-a/output/load", 62.0),
        point("ups-b/output/load", 58.4),
        point("ups-a/mode", state="online"),
        point("ups-b/mode", state="online"),
        point("ups-a/battery/charge", 100),
        point("ups-b/battery/charge", 97),
        point("ups-a/battery/runtime", 1320),
        point("ups-b/battery/runtime", 1080),
        point("hvdc-1/bus/voltage", 269.6),
        point("bbu-r01/module/1/charge", 97),
        point("bbu-r01/module/1/state", state="online"),
        point("bbu-r01/module/2/charge", 99),
        point("bbu-r01/module/2/state", state="online"),
        point("bbu-r01/modules/redundancy", state="full"),
        point("cdu-1/loop/secondary/temperature.supply", 41.2),
        point("cdu-2/loop/secondary/temperature.supply", 47.5),
        point("cdu-1/loop/primary/temperature.supply", 21.8),
        point("cdu-2/loop/primary/temperature.supply", 21.9),
        point("cdu-1/loop/secondary/flow", 802.0),
        point("cdu-2/loop/secondary/flow", 798.4),
        point("cdu-1/loop/secondary/heat", 590_000),
        point("cdu-2/loop/secondary/heat", 610_000),
        point("cdu-1/pump/1/run", state="running"),
        point("cdu-1/pump/2/run", state="running"),
        point("cdu-2/pump/1/run", state="running"),
        point("cdu-2/pump/2/run", state="fault"),
        point("cdu-1/loop/secondary/dew_point.margin", 29.1),
        point("meter-main/power.active", 1_412_000),
        point("weather/temperature", 24.1),
        point("weather/temperature.wet_bulb", 18.0, quality="uncertain"),
        point("dc1/pue", 1.14),
        point("dc1/pue.window", None, quality="bad", reason="coverage below 95 %"),
        point("dc1/wue", 0.42),
        point("row-1/feed.failover", state="ok"),
        point("row-2/feed.failover", state="failover_risk"),
    ]
    out += [point(f"leak-row1/zone/{n}/leak", state="dry") for n in (1, 3, 4)]
    out.append(point("leak-row1/zone/2/leak", state="wet"))
    for number, rack in enumerate(site().racks):
        share = 98.0 if number == 4 else 55.0 + 1.6 * number
        quality, age_s = ("stale", 240.0) if number == 10 else ("good", 1.0)
        out.append(point(f"{rack.id}/power.limit_share", share, quality=quality, age_s=age_s))
        out.append(point(f"{rack.id}/power.active", share * 1320, quality=quality, age_s=age_s))
    return out


def alarm(
    rule: str, address: str, title: str, priority: int, state: AlarmState, ago_s: float, **more
) -> AlarmOut:
    return AlarmOut(
        rule=rule,
        id=f"{rule}@{address}",
        address=address,
        title=title,
        priority=priority,
        state=state,
        occurrence=more.pop("occurrence", 1),
        seq=1,
        raised_at=rfc3339(NOW - ago_s),
        **more,
    )


def leak(**more) -> AlarmOut:
    return alarm(
        "leak",
        "leak-row1/zone/2/leak",
        "coolant leak detected",
        1,
        more.pop("state", AlarmState.UNACK),
        7,
        value_state="wet",
        condition="leak == wet",
        latching=True,
        path=["dc1", "hall-1", "row-1", "leak-row1"],
        cause="Coolant outside of the loop, or condensation.",
        consequence="Short circuit in the racks above, loss of coolant for the whole row.",
        action="Look at the place at once; close the rack's valves; stop the row if it spreads.",
        runbook_url="https://runbooks.example/RB-07",
        **more,
    )


def alarms() -> list[AlarmOut]:
    return [
        leak(occurrence=2),
        alarm(
            "coolant_supply_high",
            "cdu-2/loop/secondary/temperature.supply",
            "coolant supply too warm",
            2,
            AlarmState.ACKED,
            115,
            value=47.5,
            limit=45.0,
            unit="degC",
            condition="temperature.supply >= 45 degC for 120 s",
            ack_by="liw",
            acked_at=rfc3339(NOW - 60),
            comment="pump swap, WO-118",
            path=["dc1", "hall-1", "cdu-2"],
            suppressed_children=1,
        ),
        alarm(
            "flow_low",
            "rack-r07/flow",
            "flow low",
            3,
            AlarmState.UNACK,
            100,
            value=12.0,
            limit=20.0,
            unit="l/min",
            condition="flow <= 20 l/min",
            suppressed_by="coolant_supply_high@cdu-2/loop/secondary/temperature.supply",
            path=["dc1", "hall-1", "row-1", "rack-r07"],
        ),
        alarm(
            "rack_over_limit",
            "rack-r05/power.limit_share",
            "rack near its limit",
            3,
            AlarmState.UNACK,
            600,
            value=98.0,
            limit=95.0,
            unit="%",
            condition="power.limit_share >= 95 % for 60 s",
            path=["dc1", "hall-1", "row-1", "rack-r05"],
        ),
        alarm(
            "no_data",
            "rack-r11",
            "no data",
            3,
            AlarmState.RTN_UNACK,
            2600,
            cleared_at=rfc3339(NOW - 2000),
            path=["dc1", "hall-1", "row-2", "rack-r11"],
        ),
        alarm(
            "ups_on_battery",
            "ups-b/mode",
            "UPS on battery",
            2,
            AlarmState.LATCH_ACKED,
            9000,
            value_state="online",
            ack_by="chen",
            acked_at=rfc3339(NOW - 8000),
            latching=True,
            path=["dc1", "hall-1", "ups-b"],
        ),
        alarm(
            "filter_dp_high",
            "cdu-1/filter/pressure.differential",
            "filter clogged",
            4,
            AlarmState.ACKED,
            11500,
            value=31.0,
            limit=25.0,
            unit="kPa",
            condition="pressure.differential >= 25 kPa",
            shelved_until=rfc3339(NOW + 3600),
            path=["dc1", "hall-1", "cdu-1"],
        ),
    ]


def status(role: str = "operator", now: float = NOW) -> StatusOut:
    return StatusOut(
        site="dc1",
        version="0.1",
        now=rfc3339(now),
        started=rfc3339(NOW - 86400),
        points={"good": 4812, "stale": 8},
        alarms={"1": 1, "2": 2, "3": 2},
        protocols={
            "snmp": ProtocolOut(devices=21, ok=21),
            "modbus": ProtocolOut(devices=8, ok=7, outage=1),
            "mqtt": ProtocolOut(devices=3, ok=3),
        },
        store=StoreOut(kind="embedded", stored=100_000),
        webhooks=[WebhookOut(name="oncall")],
        user="liw",
        role=role,
    )


def snapshot(role: str = "operator", now: float = NOW) -> Event:
    return Event(kind="snapshot", seq=1, points=points(), alarms=alarms(), status=status(role, now))
