"""What viewers ask, and what everybody may see."""

import asyncio
import re

import httpx
import pytest

from dcim.api.agent import Agent
from dcim.api.app import create
from dcim.api.stream import Stream
from dcim.api.times import parse_span, parse_time, usual_step
from dcim.api.views import point_fields
from dcim.live import DeviceState
from dcim.model.metric import registry
from dcim.model.reading import Outage, OutageKind, Quality, Reading
from dcim.model.wire import PointOut, RackOut, SiteOut, StatusOut, point_out
from tests.dcim.api.running import VOLTAGE, Running, bearer


@pytest.fixture
def viewer(http: httpx.AsyncClient) -> httpx.AsyncClient:
    http.headers.update(bearer("viewer"))
    return http


async def test_points_are_listed_once_and_selected_by_globs(viewer: httpx.AsyncClient):
    every = [p["point"] for p in (await viewer.get("/v1/points")).json()]
    assert len(every) == len(set(every))
    assert {VOLTAGE, "rack-r01/power.active", "ups-a/battery/charge"} <= set(every)
    some = (await viewer.get("/v1/points", params={"select": "ups-*, */power.limit_share"})).json()
    assert {p["point"] for p in some} == {
        "rack-r01/power.limit_share",
        "ups-a/battery/charge",
        VOLTAGE,
    }


async def test_no_point_is_lost_between_the_pieces_of_a_long_list(
    running: Running, viewer: httpx.AsyncClient
):
    readings = [running.reading(f"ups-a/outlet/{n}/current", float(n)) for n in range(2500)]
    running.publish("ups-a", *readings)
    answer = (await viewer.get("/v1/points", params={"select": "ups-a/outlet/*9*"})).json()
    assert {p["point"]: p["value"] for p in answer} == {
        r.point: r.value for r in readings if "9" in r.point
    }


async def test_one_point_has_slashes_in_its_address_escaped_or_not(viewer: httpx.AsyncClient):
    plain = PointOut.model_validate_json((await viewer.get(f"/v1/points/{VOLTAGE}")).content)
    assert (plain.value, plain.unit, plain.quality) == (230.5, "V", "good")
    escaped = await viewer.get("/v1/points/" + VOLTAGE.replace("/", "%2F"))
    assert escaped.json() == plain.model_dump()


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/v1/points/ups-a/nonsense", "ups-a has no point 'ups-a/nonsense'"),
        ("/v1/explain/nobody/voltage", "nothing is called 'nobody'"),
        ("/v1/trend?point=ups-a/nonsense", "the registry has no such metric"),
        ("/v1/trend?point=ups-b/voltage", "no point 'ups-b/voltage'"),
        ("/v2/points", "Not Found"),
    ],
)
async def test_what_is_not_there_is_404(viewer: httpx.AsyncClient, path: str, detail: str):
    answer = await viewer.get(path)
    assert answer.status_code == 404
    assert detail in answer.json()["detail"]


def test_the_fast_form_of_a_point_is_that_of_the_wire():
    reading = Reading(VOLTAGE, 230.5, 1.7e9, Quality.UNCERTAIN, "why", None, 3, "1.3.6")
    assert point_fields(reading, registry()) == point_out(reading, registry()).model_dump()


async def test_a_rack_shows_its_derived_power_its_feeds_and_its_alarms(
    running: Running, viewer: httpx.AsyncClient
):
    running.leak("wet")
    first, second = [RackOut.model_validate(r) for r in (await viewer.get("/v1/racks")).json()]
    assert (first.id, first.row, first.hall) == ("rack-r01", "row-1", "hall-1")
    assert (first.power_kw, first.share, first.feeds_kw) == (66.0, 0.5, {"A": 31.2})
    assert (first.coverage, first.quality) == (0.5, "good")
    assert (first.alarms, first.worst) == (1, 2)
    assert (second.power_kw, second.alarms, second.worst) == (None, 0, None)
    assert second.reason == "no power reading yet"


async def test_devices_tell_what_they_are_and_why_they_are_silent(viewer: httpx.AsyncClient):
    found = {d["id"]: d for d in (await viewer.get("/v1/devices")).json()}
    assert found["ups-a"]["status"] == "ok"
    assert found["ups-a"]["vendor"] == "ACME"
    assert found["ups-a"]["path"] == ["site-1", "hall-1", "ups-a"]
    assert (found["leak-r01"]["status"], found["leak-r01"]["outage"]) == ("outage", "timeout")
    assert found["leak-r01"]["detail"] == "no answer in 1 s"
    assert (found["utility"]["status"], found["utility"]["kind"]) == ("unknown", "utility")


@pytest.mark.parametrize(
    ("since", "last_answer", "expected"),
    [
        (100.0, None, "outage"),
        (100.0, 90.0, "outage"),
        (100.0, 100.0, "degraded"),
        (60.0, 65.0, "outage"),
    ],
)
def test_a_device_that_gives_something_is_degraded_not_out(
    since: float, last_answer: float | None, expected: str
):
    from dcim.api.views import status_of

    outage = Outage(OutageKind.TOO_BIG, "")
    assert status_of(DeviceState("d", None, outage, since, last_answer), 100.0) == expected


async def test_the_site_has_all_places_edges_and_meters(viewer: httpx.AsyncClient):
    site = SiteOut.model_validate_json((await viewer.get("/v1/site")).content)
    assert [(p.id, p.kind, p.parent) for p in site.places] == [
        ("site-1", "site", None),
        ("hall-1", "hall", "site-1"),
        ("row-1", "row", "hall-1"),
        ("rack-r01", "rack", "row-1"),
        ("rack-r02", "rack", "row-1"),
    ]
    assert (site.feeds[1].source, site.feeds[1].rating_a) == ("ups-a", 160)
    assert site.metering == [{"role": "it", "point": "ups-a/output/energy.active", "category": 1}]
    assert site.timezone == "Asia/Shanghai"


async def test_status_counts_and_names_who_asks(running: Running, viewer: httpx.AsyncClient):
    running.leak("wet")
    status = StatusOut.model_validate_json((await viewer.get("/v1/status")).content)
    assert [(one.device, one.latency_s) for one in status.slow] == [("ups-a", 1.25)]
    assert (status.user, status.role, status.site) == ("viewer", "viewer", "site-1")
    assert status.points["bad"] == 1
    assert status.alarms == {"2": 1}
    assert status.unacknowledged == 1
    assert (status.protocols["snmp"].readings, status.protocols["snmp"].late) == (2, 1)
    assert status.protocols["modbus"].outage == 0  # the wet rope was an answer


async def test_explain_tells_source_override_inputs_and_rules(
    running: Running, viewer: httpx.AsyncClient
):
    running.leak("wet")
    voltage = (await viewer.get(f"/v1/explain/{VOLTAGE}")).json()
    assert voltage["override"] == {"scale": 10.0, "offset": 0.0}
    assert voltage["stale_after_s"] == 30.0
    assert voltage["device"]["id"] == "ups-a"
    assert voltage["point"]["source"] == "1.3.6.1.2.1.33.1.3.3.1.3.1"
    rack = (await viewer.get("/v1/explain/rack-r01/power.active")).json()
    assert rack["formula"] == "rack_power v1"
    assert rack["inputs"] == [{"point": VOLTAGE, "value": 230.5, "age_s": 0.0, "quality": "good"}]
    leak = (await viewer.get("/v1/explain/leak-r01/zone/1/leak")).json()
    assert "leak" in leak["rules"]
    assert [alarm["id"] for alarm in leak["alarms"]] == ["leak@leak-r01/zone/1/leak"]


async def test_a_trend_takes_absolute_and_relative_times(viewer: httpx.AsyncClient):
    query = {"point": VOLTAGE, "from": "-5m", "to": "now", "step": "60"}
    trend = (await viewer.get("/v1/trend", params=query)).json()
    assert (trend["unit"], trend["step_s"]) == ("V", 60.0)
    assert trend["buckets"][-1]["mean"] == 230.5
    query |= {"from": "2023-11-15T06:08:20+08:00", "to": "2023-11-14T22:13:20Z"}
    assert len((await viewer.get("/v1/trend", params=query)).json()["buckets"]) in (5, 6)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=yesterday", "query.from: expected an RFC 3339 time"),
        ("from=now&to=-1h", "query.to: expected a time after from"),
        ("step=0", "query: a trend needs"),
        ("step=soon", "query.step: expected a span"),
        ("from=-10d&step=1ms", "query: a trend has at most"),
        ("from=" + "9" * 500, "query.from: String should have at most 40"),
    ],
)
async def test_a_trend_that_makes_no_sense_is_422(viewer: httpx.AsyncClient, query: str, said: str):
    answer = await viewer.get(f"/v1/trend?point={VOLTAGE}&{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_a_store_that_is_down_is_503(running: Running, viewer: httpx.AsyncClient):
    running.store.down = True
    answer = await viewer.get("/v1/trend", params={"point": VOLTAGE})
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the store does not answer: connection refused"


async def test_a_selection_has_limits(viewer: httpx.AsyncClient):
    for select in (",".join(["a"] * 65), "a" * 201):
        answer = await viewer.get("/v1/points", params={"select": select})
        assert answer.status_code == 422
        assert "at most 64 patterns" in answer.json()["detail"]


async def test_patterns_made_to_be_slow_are_not(running: Running, viewer: httpx.AsyncClient):
    async with asyncio.timeout(5):
        answer = await viewer.get("/v1/points", params={"select": "*a" * 90 + "!"})
    assert answer.json() == []


async def test_health_is_open_and_says_when_the_loop_or_the_polling_has_stalled(
    running: Running, http: httpx.AsyncClient
):
    well = await http.get("/healthz")
    assert (well.status_code, well.json()["ok"]) == (200, True)
    running.clock.advance(20)
    ticked_not = await http.get("/healthz")
    assert ticked_not.status_code == 503
    assert ticked_not.json()["detail"] == "the agent's loop has not ticked for 20 s"
    running.clock.advance(60)
    running.hub.tick()
    unpolled = (await http.get("/healthz")).json()
    assert (unpolled["ok"], unpolled["detail"]) == (False, "nothing was polled for 80 s")
    running.publish("ups-a", outage=Outage(OutageKind.TIMEOUT, "silent"))
    assert (await http.get("/healthz")).status_code == 200


_LABEL = r'[a-z]+="(?:[^"\\]|\\.)*"'
SAMPLE = re.compile(
    rf"^(dcim_[a-z_]+)(\{{{_LABEL}(?:,{_LABEL})*\}})? (-?\d+(?:\.\d+)?(?:e-?\d+)?)$"
)


async def test_metrics_are_open_and_openmetrics(running: Running, http: httpx.AsyncClient):
    running.leak("wet")
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    *lines, end = answer.text.splitlines()
    assert end == "# EOF"
    types: dict[str, str] = {}
    samples: dict[str, float] = {}
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types
            types[name] = kind
        elif not line.startswith("# "):
            match = SAMPLE.match(line)
            assert match, line
            name, labels, value = match.groups()
            family = name.removesuffix("_total")
            assert types[family] == "counter" if name.endswith("_total") else types[name]
            samples[name + (labels or "")] = float(value)
    assert samples['dcim_readings_total{protocol="snmp"}'] == 2
    assert samples['dcim_polls_late_total{protocol="snmp"}'] == 1
    assert samples['dcim_device_timeouts_total{device="ups-a"}'] == 2
    assert samples['dcim_modbus_requests_total{endpoint="modbus://gw:502"}'] == 9
    assert samples['dcim_modbus_outages_total{endpoint="modbus://gw:502",kind="reset"}'] == 2
    assert samples['dcim_modbus_late_answers_total{endpoint="modbus://gw:502"}'] == 1
    assert samples['dcim_device_latency_seconds{device="ups-a"}'] == 1.25
    assert samples['dcim_alarms{priority="2"}'] == 1
    assert samples['dcim_points{quality="bad"}'] == 1
    assert samples['dcim_webhook_delivered_total{webhook="on \\"call\\""}'] == 3


async def test_openapi_names_every_path_and_the_bearer_token(viewer: httpx.AsyncClient):
    schema = (await viewer.get("/openapi.json")).json()
    assert schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert "/v1/alarms/{alarm_id}/ack" in schema["paths"]
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert bool(operation.get("security")) == path.startswith("/v1/"), path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", 1000.0),
        ("-6h", 1000.0 - 21600),
        ("-90", 910.0),
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T08:00:10 08:00", 10.0),
        ("1970-01-01T08:00:10+08:00", 10.0),
        ("1970-01-01", 0.0),
    ],
)
def test_times_are_read(text: str, expected: float):
    assert parse_time(text, 1000.0) == expected


def test_spans_are_read_and_steps_are_round():
    assert [parse_span(t) for t in ("60", "90s", "5m", "1.5h", "7d")] == [60, 90, 300, 5400, 604800]
    assert [usual_step(s) for s in (60, 3600, 86400, 30 * 86400)] == [1, 15, 300, 21600]


def test_create_keeps_no_state_between_two_agents(running: Running):
    other = Running()
    one, two = create(running.agent, running.stream), create(other.agent, other.stream)
    assert isinstance(one.state.agent, Agent)
    assert isinstance(two.state.stream, Stream)
    assert one.state.agent is not two.state.agent
