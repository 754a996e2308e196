"""The agent's own figures as OpenMetrics text. Source: OpenMetrics 1.0, exposition format."""

from collections.abc import Iterator, Mapping

from dcim.api import views
from dcim.api.agent import Agent
from dcim.api.stream import Stream

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Samples = list[tuple[Mapping[str, str], float]]


def render(agent: Agent, stream: Stream) -> str:
    return "".join(line + "\n" for line in _lines(agent, stream)) + "# EOF\n"


def _lines(agent: Agent, stream: Stream) -> Iterator[str]:
    by_protocol = views.protocols(agent)

    def each(field: str) -> Samples:
        return [({"protocol": p}, getattr(one, field)) for p, one in by_protocol.items()]

    yield from _family(
        "dcim_uptime_seconds",
        "gauge",
        "since the agent started",
        [({}, agent.clock.now() - agent.started)],
    )
    yield from _family("dcim_readings", "counter", "readings taken", each("readings"))
    yield from _family("dcim_polls", "counter", "polls started", each("polls"))
    yield from _family("dcim_polls_late", "counter", "polls started late", each("late"))
    yield from _family("dcim_devices", "gauge", "devices configured", each("devices"))
    yield from _family("dcim_devices_out", "gauge", "devices that give nothing", each("outage"))
    yield from _family(
        "dcim_devices_degraded",
        "gauge",
        "devices that answer, but give less than asked or are not what they should be",
        each("degraded"),
    )
    outages = sum(state.outages for state in agent.live.devices.values())
    yield from _family("dcim_outages", "counter", "spells of outage of any device", [({}, outages)])
    yield from _requests(agent)
    yield from _endpoints(agent)
    points: Samples = [({"quality": q}, n) for q, n in views.qualities(agent).items()]
    yield from _family("dcim_points", "gauge", "points by quality", points)
    yield from _alarms(agent)
    yield from _store(agent)
    yield from _webhooks(agent)
    yield from _traps(agent)
    yield from _family(
        "dcim_stream_clients", "gauge", "clients of the event stream", [({}, stream.clients)]
    )
    yield from _family(
        "dcim_stream_resyncs", "counter", "clients that were too slow", [({}, stream.resyncs)]
    )


def _requests(agent: Agent) -> Iterator[str]:
    """By device polled over SNMP."""
    requests = agent.requests()

    def each(field: str) -> Samples:
        return [({"device": device}, getattr(one, field)) for device, one in requests.items()]

    yield from _family(
        "dcim_device_requests", "counter", "requests sent, without retries", each("requests")
    )
    yield from _family(
        "dcim_device_timeouts", "counter", "requests never answered", each("timeouts")
    )
    yield from _family(
        "dcim_device_errors", "counter", "answers with an error or nonsense", each("errors")
    )
    yield from _family(
        "dcim_device_latency_seconds", "gauge", "time to answer, smoothed", each("latency_s")
    )


def _endpoints(agent: Agent) -> Iterator[str]:
    """By Modbus endpoint: a TCP gateway or a serial line."""
    requests: Samples = []
    late: Samples = []
    outages: Samples = []
    for name, counts in agent.endpoints().items():
        for kind, count in sorted(counts.items()):
            if kind == "requests":
                requests.append(({"endpoint": name}, count))
            elif kind == "late_answers":
                late.append(({"endpoint": name}, count))
            else:
                outages.append(({"endpoint": name, "kind": str(kind)}, count))
    yield from _family("dcim_modbus_requests", "counter", "requests sent", requests)
    yield from _family("dcim_modbus_late_answers", "counter", "came after their time-out", late)
    yield from _family("dcim_modbus_outages", "counter", "failed requests by kind", outages)


def _alarms(agent: Agent) -> Iterator[str]:
    status = views.status(agent, most_out=0)
    standing: Samples = [({"priority": str(p)}, status.alarms.get(str(p), 0)) for p in range(1, 5)]
    yield from _family("dcim_alarms", "gauge", "alarms shown, by priority", standing)
    yield from _family(
        "dcim_alarms_unacknowledged",
        "gauge",
        "alarms that nobody has acknowledged",
        [({}, status.unacknowledged)],
    )
    yield from _family("dcim_alarms_shelved", "gauge", "alarms put aside", [({}, status.shelved)])


def _store(agent: Agent) -> Iterator[str]:
    store = agent.store_status()
    yield from _family(
        "dcim_store_up", "gauge", "whether the store takes readings", [({}, store.ok)]
    )
    yield from _family("dcim_store_readings", "counter", "readings stored", [({}, store.stored)])
    yield from _family(
        "dcim_store_queued", "gauge", "readings waiting in memory", [({}, store.queued)]
    )
    yield from _family(
        "dcim_store_spooled", "gauge", "readings waiting on disk", [({}, store.spooled)]
    )
    yield from _family("dcim_store_dropped", "counter", "readings lost", [({}, store.dropped)])


def _webhooks(agent: Agent) -> Iterator[str]:
    hooks = agent.webhooks_status()

    def each(field: str) -> Samples:
        return [({"webhook": hook.name}, getattr(hook, field)) for hook in hooks]

    yield from _family("dcim_webhook_up", "gauge", "whether the last attempt was taken", each("ok"))
    yield from _family("dcim_webhook_delivered", "counter", "messages delivered", each("delivered"))
    yield from _family("dcim_webhook_pending", "gauge", "messages waiting", each("pending"))
    yield from _family(
        "dcim_webhook_failed_attempts", "counter", "attempts that failed", each("failed_attempts")
    )
    yield from _family("dcim_webhook_dropped", "counter", "messages given up", each("dropped"))


def _traps(agent: Agent) -> Iterator[str]:
    counts = agent.trap_counts()

    def by_reason(found: Mapping[str, int]) -> Samples:
        return [({"reason": reason}, count) for reason, count in sorted(found.items())]

    one: Samples = [({}, counts.received)]
    yield from _family("dcim_traps_received", "counter", "datagrams at the trap port", one)
    one = [({}, counts.known)]
    yield from _family("dcim_traps_known", "counter", "traps whose meaning is known", one)
    one = [({}, counts.unknown)]
    yield from _family("dcim_traps_unknown", "counter", "traps that no profile knows", one)
    dropped, refused = by_reason(counts.dropped_by), by_reason(counts.refused)
    yield from _family("dcim_traps_dropped", "counter", "traps over a limit", dropped)
    yield from _family("dcim_traps_refused", "counter", "traps not taken, by reason", refused)
    one = [({}, counts.informs)]
    yield from _family("dcim_informs_answered", "counter", "informs acknowledged", one)


def _family(name: str, kind: str, help_: str, samples: Samples) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if name.endswith("_seconds"):
        yield f"# UNIT {name} seconds"
    yield f"# HELP {name} {help_}"
    suffix = "_total" if kind == "counter" else ""
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield (
            f"{name}{suffix}{{{inner}}} {_number(value)}"
            if inner
            else f"{name}{suffix} {_number(value)}"
        )


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
