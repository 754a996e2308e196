"""Derived readings, through the engine's front door."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dcim.model.asset import Metering, MeterRole, Site
from dcim.model.metric import registry
from dcim.model.reading import Identity, Quality, Reading
from rules.metrics import MetricEngine
from tests.rules.conftest import small_site

PDUS = [f"pdu-{rack}-{side}" for rack in ("r01", "r02") for side in ("a", "b")]
IT = [f"{pdu}/power.active" for pdu in PDUS]
MAIN = "meter-main/power.active"


class Bench:
    """A metric engine and the last reading of everything it derived."""

    def __init__(self, site: Site | None = None, now: float = 1000.0) -> None:
        self.latest: dict[str, Reading] = {}
        self.engine = MetricEngine(site or small_site(), registry(), self.latest)
        self.now = now
        self.found: dict[str, Reading] = {}

    def put(self, values: dict[str, float | None], quality: Quality = Quality.GOOD) -> None:
        self.take([Reading(p, v, self.now, quality) for p, v in values.items()])

    def take(self, readings: Sequence[Reading]) -> None:
        self.latest.update((reading.point, reading) for reading in readings)
        self.engine.meet(reading.point for reading in readings)
        self.engine.update(readings, self.now)

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        for reading in self.engine.tick(self.now):
            self.found[reading.point] = reading

    def run(self, seconds: int, values: dict[str, float | None]) -> None:
        """Every second the same values."""
        for _ in range(seconds):
            self.now += 1
            self.put(values)
            self.tick()


def powers(total: float | None, each: float | None) -> dict[str, float | None]:
    return {MAIN: total, **dict.fromkeys(IT, each)}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_live_pue_with_its_category_inputs_and_coverage(bench):
    bench.run(40, powers(12600, 2500))
    pue = bench.found["site-1/pue"]
    assert pue.value == pytest.approx(1.26)
    assert pue.quality is Quality.GOOD
    assert pue.derivation is not None
    assert (pue.derivation.category, pue.derivation.coverage) == (3, 1.0)
    assert {i.point for i in pue.derivation.inputs} == {MAIN, *IT}
    assert pue.derivation.uncertainty == pytest.approx(0.0178, abs=0.00005)
    assert bench.found["site-1/power.active"].value == 12600
    assert bench.found["site-1/it/power.active"].value == 10000


def test_live_pue_says_nothing_of_the_first_seconds(bench):
    """Meters are read one after the other: the first sums mix moments."""
    said = []
    for seconds in (10, 5, 20):
        bench.run(seconds, powers(12600, 2500))
        pue = bench.found["site-1/pue"]
        said.append((pue.value is not None, pue.quality, pue.reason))
    assert said == [
        (False, Quality.BAD, "no_data: 9 s of power so far"),
        (True, Quality.UNCERTAIN, "partial: 14 s of power so far"),
        (True, Quality.GOOD, None),
    ]


def test_live_pue_is_that_of_the_last_minute_when_meters_are_read_at_different_moments(bench):
    """The total is read before a step of the load and IT after it, or the other way round."""
    for _ in range(60):
        bench.run(1, powers(12600, 3000))
        bench.run(1, powers(15120, 2500))
    assert bench.found["site-1/pue"].value == pytest.approx(27720 / 22000)
    bench.run(61, powers(13000, 2500))
    assert bench.found["site-1/pue"].value == pytest.approx(1.3)


@pytest.mark.parametrize(
    ("total", "each", "value", "reason"),
    [
        (10000, 2500, 1.0, None),
        (9990, 2500, None, "below_1"),
        (60000, 2500, None, "above_5"),
        (5000, 90, None, "no_load"),
        (5000, 0, None, "no_load"),
    ],
)
def test_live_pue_is_withheld_rather_than_wrong(bench, total, each, value, reason):
    bench.run(40, powers(total, each))
    pue = bench.found["site-1/pue"]
    assert pue.value == value
    assert pue.quality is (Quality.GOOD if value else Quality.BAD)
    assert (pue.reason or "").partition(":")[0] == (reason or "")


@pytest.mark.parametrize("missing", [MAIN, IT[0]])
def test_one_meter_silent_is_no_half_sum(bench, missing):
    bench.put(powers(12600, 2500))
    bench.put({missing: 2500.0}, Quality.STALE)
    bench.tick()
    pue = bench.found["site-1/pue"]
    assert (pue.value, pue.quality, pue.reason) == (None, Quality.STALE, f"stale: {missing}")


def test_live_pue_needs_fresh_power(bench):
    bench.run(40, powers(12600, 2500))
    bench.tick(5)
    assert bench.found["site-1/pue"].value == pytest.approx(1.26)
    bench.tick(0.5)
    assert bench.found["site-1/pue"].value is None
    assert bench.found["site-1/pue"].quality is Quality.STALE


def test_a_slow_meter_is_given_twice_its_interval(bench):
    for _ in range(5):
        bench.put(powers(12600, 2500))
        bench.tick(10)
    bench.tick(9)
    assert bench.found["site-1/pue"].value == pytest.approx(1.26)
    bench.tick(2)
    assert bench.found["site-1/pue"].value is None


def test_a_discharging_battery_counts_as_supply(bench):
    battery = {"ups-a/battery/voltage": 500.0, "ups-a/battery/current": -13.0}
    bench.run(40, powers(6000, 2500) | battery)
    pue = bench.found["site-1/pue"]
    assert pue.value == pytest.approx(1.25)
    assert (pue.reason or "").startswith("storage_active")


def test_a_charging_battery_is_taken_out_of_live_pue_but_not_out_of_energy(bench):
    values = powers(14600, 2500) | {"ups-a/battery/power.active": 2000.0}
    bench.run(100, values)
    assert bench.found["site-1/pue"].value == pytest.approx(1.26)
    assert bench.engine.window(bench.now - 60, bench.now).pue == pytest.approx(1.46)


def test_pue_over_the_window_divides_energies_once(bench):
    """METRICS section 1, ratio of sums: totals 100 and 600, IT 50 and 500."""
    bench.run(450, powers(100e3, 50e3 / 4))
    bench.run(450, powers(600e3, 500e3 / 4))
    usage = bench.engine.window(bench.now - 899, bench.now)
    assert usage.pue == pytest.approx(1.2727, abs=0.002)
    window = bench.found["site-1/pue.window"]
    assert window.value == pytest.approx(1.2727, abs=0.01)
    assert window.derivation is not None
    assert window.derivation.category == 3


def test_a_window_says_how_much_of_it_was_covered(bench):
    bench.run(10, powers(12600, 2500))
    assert bench.found["site-1/pue.window"].value is None
    assert (bench.found["site-1/pue.window"].reason or "").startswith("no_data")
    bench.run(80, powers(12600, 2500))
    window = bench.found["site-1/pue.window"]
    assert window.value == pytest.approx(1.26)
    assert (window.quality, window.reason) == (
        Quality.UNCERTAIN,
        "partial: 9% of the window covered",
    )
    bench.run(800, powers(12600, 2500))
    assert bench.found["site-1/pue.window"].quality is Quality.GOOD


def test_unequal_coverage_is_intersected(bench):
    """While IT is not metered, the total does not count either."""
    bench.run(100, powers(12600, 2500))
    bench.now += 400
    bench.run(100, {MAIN: 1e6, **dict.fromkeys(IT[:3], 2500.0)})
    bench.run(100, powers(12600, 2500))
    usage = bench.engine.window(bench.now - 700, bench.now)
    assert usage.pue == pytest.approx(1.26, rel=1e-3)
    assert usage.coverage == pytest.approx(200 / 700, abs=0.02)


def test_a_fine_register_is_preferred_to_power(bench):
    """The power readings miss what happens between polls; the register does not."""
    for second in range(600):
        bench.now += 1
        bench.put(powers(12600, 2500) | {"meter-main/energy.active": 7e4 + second * 0.004})
        bench.tick()
    usage = bench.engine.window(bench.now - 500, bench.now)
    assert usage.total_kwh == pytest.approx(500 * 0.004, rel=1e-6)


def test_a_coarse_register_is_not(bench):
    for second in range(600):
        bench.now += 1
        register = float(int(7e4 + second * 12.6 / 3600))
        bench.put(powers(12600, 2500) | {"meter-main/energy.active": register})
        bench.tick()
    usage = bench.engine.window(bench.now - 500, bench.now)
    assert usage.total_kwh == pytest.approx(500 * 12.6 / 3600, rel=1e-6)


def test_the_metering_table_sets_the_boundary_and_the_category():
    site = replace(
        small_site(),
        metering=(
            Metering(MeterRole.SITE_TOTAL, MAIN),
            Metering(MeterRole.IT, "ups-a/output/power.active", 1),
            Metering(MeterRole.IT, "ups-b/output/power.active", 2),
        ),
    )
    bench = Bench(site)
    outputs = {"ups-a/output/power.active": 6000, "ups-b/output/power.active": 4000}
    bench.run(40, {MAIN: 12600, **outputs})
    pue = bench.found["site-1/pue"]
    assert pue.value == pytest.approx(1.26)
    assert pue.derivation is not None
    assert pue.derivation.category == 1


@pytest.mark.parametrize(
    ("it_kwh", "pue"), [(10_400_000, 1.211538), (10_150_000, 1.241379), (10_000_000, 1.26)]
)
def test_pue_by_category_at_one_site(it_kwh, pue):
    """METRICS section 2, categories: the same total over three places of measurement."""
    site = replace(
        small_site(),
        metering=(Metering(MeterRole.SITE_TOTAL, MAIN), Metering(MeterRole.IT, IT[0])),
    )
    bench = Bench(site)
    bench.run(100, {MAIN: 12_600_000.0, IT[0]: float(it_kwh)})
    assert bench.found["site-1/pue"].value == pytest.approx(pue, abs=5e-7)
    assert bench.engine.window(bench.now - 60, bench.now).pue == pytest.approx(pue, abs=5e-7)


def test_without_a_main_meter_there_is_no_pue():
    site = replace(small_site(), metering=(), feeds=())
    bench = Bench(site)
    bench.put(powers(12600, 2500))
    bench.tick()
    assert (bench.found["site-1/pue"].reason or "").startswith("no_meter")


def test_wue_from_the_water_register(bench):
    """METRICS section 5: 1.42 l/kWh; 10 kW of IT use 14.2 l in an hour."""
    for second in range(900):
        bench.now += 1
        volume = 4210 + second * 14.2e-3 / 3600
        bench.put(powers(12600, 2500) | {"water-1/volume": volume})
        bench.tick()
    assert bench.found["site-1/wue"].value == pytest.approx(1.42, abs=0.005)


def test_wue_takes_the_flow_where_the_register_is_coarse(bench):
    for second in range(300):
        bench.now += 1
        volume = int((4210 + second * 14.2e-3 / 3600) * 1000) / 1000  # 1 l a step
        bench.put(powers(12600, 2500) | {"water-1/volume": volume, "water-1/flow": 14.2 / 60})
        bench.tick()
    assert bench.engine.window(bench.now - 200, bench.now).wue == pytest.approx(1.42, rel=1e-6)


def test_wue_is_withheld_when_only_a_coarse_register_speaks(bench):
    for second in range(900):
        bench.now += 1
        volume = int((4210 + second * 14.2e-3 / 3600) * 1000) / 1000
        bench.put(powers(12600, 2500) | {"water-1/volume": volume})
        bench.tick()
    usage = bench.engine.window(bench.now - 800, bench.now)
    assert usage.wue is None
    assert usage.reasons["wue"].startswith("too_coarse")


def test_cue_is_the_factor_times_the_energy_ratio():
    bench = Bench(replace(small_site(), grid_kg_per_kwh=0.5306))
    bench.run(100, powers(12600, 2500))
    assert bench.found["site-1/cue"].value == pytest.approx(0.668556, abs=5e-7)


def test_partial_pue_of_a_hall():
    """METRICS section 2: 400 + 24 + 6 + 40 + 10 = 480 over 400."""
    rows = [
        (MeterRole.IT, "pdu-r01-a", 400),
        (MeterRole.LOSS, "ups-a", 24),
        (MeterRole.LOSS, "ups-b", 6),
        (MeterRole.COOLING, "env-1", 40),
        (MeterRole.COOLING, "cdu-1", 10),
    ]
    points = {f"{device}/power.active": 1000.0 * kw for _, device, kw in rows}
    metering = tuple(Metering(role, f"{device}/power.active") for role, device, _ in rows)
    bench = Bench(replace(small_site(), metering=metering))
    bench.run(40, dict(points))
    assert bench.found["hall-1/ppue"].value == pytest.approx(1.20)


def test_power_of_a_rack_of_its_limit_and_by_feed(bench):
    bench.put({"pdu-r01-a/power.active": 8000, "pdu-r01-b/power.active": 7000})
    bench.tick()
    value = {point: reading.value for point, reading in bench.found.items()}
    assert value["rack-r01/power.active"] == 15000
    assert value["rack-r01/power.limit_share"] == pytest.approx(75)
    assert value["rack-r01/feed/A/power.active"] == 8000
    assert value["rack-r01/feed/A/power.limit_share"] == pytest.approx(80)


def test_a_rack_with_a_silent_pdu_has_no_power_and_says_why(bench):
    bench.put({"pdu-r01-a/power.active": 8000, "pdu-r01-b/power.active": 7000})
    bench.tick()
    bench.put({"pdu-r01-b/power.active": 7000}, Quality.STALE)
    bench.tick(1)
    rack = bench.found["rack-r01/power.active"]
    assert (rack.value, rack.quality) == (None, Quality.STALE)
    assert rack.reason == "stale: pdu-r01-b/power.active"
    assert rack.derivation is not None
    assert rack.derivation.coverage == 0.5
    assert bench.found["rack-r01/feed/A/power.active"].value == 8000
    assert bench.found["row-1/power.active"].value is None


def test_a_doubtful_input_makes_the_sum_doubtful(bench):
    bench.put({"pdu-r01-a/power.active": 8000})
    bench.put({"pdu-r01-b/power.active": 7000}, Quality.UNCERTAIN)
    bench.tick()
    assert bench.found["rack-r01/power.active"].quality is Quality.UNCERTAIN


def test_power_of_a_row_is_the_sum_of_its_racks(bench):
    bench.put(dict.fromkeys(IT, 2500.0))
    bench.tick()
    assert bench.found["row-1/power.active"].value == 10000


def test_a_kind_learned_late_is_taken_up():
    site = small_site()
    devices = {i: replace(d, kind="") for i, d in site.devices.items()}
    bench = Bench(replace(site, devices=devices))
    bench.put(powers(12600, 2500))
    bench.tick()
    assert "rack-r01/power.active" not in bench.found
    for pdu in PDUS:
        bench.engine.identified(Identity(pdu, "rack_pdu", "", "", ()))
    bench.tick(1)
    assert bench.found["rack-r01/power.active"].value == 5000


def phases(pdu: str, *amperes: float) -> dict[str, float | None]:
    return {f"{pdu}/input/L{n}/current": a for n, a in enumerate(amperes, 1)}


def test_failover_of_rack_and_row(bench):
    bench.put(phases("pdu-r01-a", 9.8, 12.6, 11.1) | phases("pdu-r01-b", 10.4, 13.5, 10.9))
    bench.put(phases("pdu-r02-a", 5, 5, 5) | phases("pdu-r02-b", 5, 5, 5))
    bench.tick()
    assert bench.found["rack-r01/feed.failover"].state == "failover_risk"
    assert bench.found["rack-r02/feed.failover"].state == "ok"
    assert bench.found["row-1/feed.failover"].state == "failover_risk"


def test_failover_is_unknown_while_a_feed_is_silent(bench):
    bench.put(phases("pdu-r01-a", 9, 9, 9) | phases("pdu-r01-b", 9, 9, 9))
    bench.put(phases("pdu-r01-b", 9, 9, 9), Quality.STALE)
    bench.tick()
    found = bench.found["rack-r01/feed.failover"]
    assert (found.state, found.quality) == ("unknown", Quality.STALE)


def test_failover_from_doubtful_currents_is_doubtful(bench):
    bench.put(phases("pdu-r01-a", 9, 9, 9))
    bench.put(phases("pdu-r01-b", 9, 9, 9), Quality.UNCERTAIN)
    bench.tick()
    found = bench.found["rack-r01/feed.failover"]
    assert (found.state, found.quality) == ("ok", Quality.UNCERTAIN)


def coolant(flow: float, supply: float, back: float) -> dict[str, float | None]:
    prefix = "cdu-1/loop/secondary"
    return {
        f"{prefix}/flow": flow,
        f"{prefix}/temperature.supply": supply,
        f"{prefix}/temperature.return": back,
    }


def test_heat_of_a_coolant_unit_and_its_loop(bench):
    bench.put(coolant(150, 30, 40))
    bench.tick()
    heat = bench.found["cdu-1/loop/secondary/heat"]
    assert heat.value == pytest.approx(100390, abs=0.5)
    assert heat.derivation is not None
    assert heat.derivation.uncertainty == pytest.approx(100390 * 0.02449, rel=1e-3)
    assert bench.found["loop-1/heat"].value == heat.value


def test_negative_heat_is_doubted(bench):
    bench.put(coolant(150, 40, 30))
    bench.tick()
    heat = bench.found["cdu-1/loop/secondary/heat"]
    assert heat.value == pytest.approx(-99898, abs=0.5)
    assert heat.quality is Quality.UNCERTAIN
    assert (heat.reason or "").startswith("negative")


def test_heat_that_the_device_reports_is_left_alone(bench):
    bench.put(coolant(150, 30, 40) | {"cdu-1/loop/secondary/heat": 99000.0})
    bench.tick()
    assert "cdu-1/loop/secondary/heat" not in bench.found
    assert bench.found["loop-1/heat"].value == 99000


def test_dew_point_margin_takes_the_dampest_sensor(bench):
    bench.put(coolant(150, 20.575, 30))
    bench.put({"env-1/temperature": 27.0, "env-1/humidity": 60.0})
    bench.tick()
    margin = bench.found["cdu-1/loop/secondary/dew_point.margin"]
    assert margin.value == pytest.approx(2.0, abs=0.0005)


def test_an_unknown_dew_point_is_not_dry_air(bench):
    bench.put(coolant(150, 30, 40))
    bench.put({"env-1/temperature": 27.0, "env-1/humidity": 60.0})
    bench.put({"env-1/humidity": None}, Quality.BAD)
    bench.tick()
    margin = bench.found["cdu-1/loop/secondary/dew_point.margin"]
    assert (margin.value, margin.quality) == (None, Quality.STALE)


def _ups_site() -> Bench:
    bench = Bench()
    for device in ("ups-a",):
        bench.engine.identified(Identity(device, "ups", "", "", ()))
    return bench


def battery(mode: str, voltage: float, current: float, bench: Bench) -> None:
    bench.put({"ups-a/battery/voltage": voltage, "ups-a/battery/current": current})
    say_mode(bench, mode)


def say_mode(bench: Bench, mode: str) -> None:
    code = registry()["mode"].states[mode]
    reading = Reading("ups-a/mode", float(code), bench.now, state=mode)
    bench.take([reading])


def test_live_pue_waits_for_the_battery_that_has_just_taken_the_load():
    """The meter is read each second, the battery later: until then half the power is nowhere."""
    bench = _ups_site()
    for _ in range(40):
        battery("online", 480, 0, bench)
        bench.run(1, powers(12600, 2500))
    for _ in range(3):
        say_mode(bench, "on_battery")
        bench.run(1, powers(7600, 2500))
    pue = bench.found["site-1/pue"]
    assert pue.value == pytest.approx(1.26)
    assert pue.quality is Quality.UNCERTAIN
    assert (pue.reason or "").startswith("storage_active: the battery of ups-a")
    battery("on_battery", 480, -5000 / 480, bench)
    bench.run(1, powers(7600, 2500))
    pue = bench.found["site-1/pue"]
    assert pue.value == pytest.approx(1.26)
    assert pue.quality is Quality.GOOD


def test_a_window_in_which_batteries_carried_says_so():
    bench = _ups_site()
    for _ in range(60):
        battery("on_battery", 480, -5000 / 480, bench)
        bench.run(1, powers(7600, 2500))
    window = bench.found["site-1/pue.window"]
    assert (window.value, window.quality) == (None, Quality.BAD)
    assert (window.reason or "").startswith("storage_active:")
    for _ in range(920):
        battery("online", 480, 0, bench)
        bench.run(1, powers(12600, 2500))
    assert bench.found["site-1/pue.window"].value == pytest.approx(1.26, abs=0.005)
    assert bench.found["site-1/pue.window"].quality is Quality.GOOD
    for _ in range(60):
        battery("on_battery", 480, -5000 / 480, bench)
        bench.run(1, powers(7600, 2500))
    window = bench.found["site-1/pue.window"]
    assert window.quality is Quality.UNCERTAIN
    assert (window.reason or "").startswith("storage_active:")
