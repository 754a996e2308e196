"""From what a map calls a state (`0=Stop`, `1=运行`) to the registry's codes. Pure."""

import re
from collections.abc import Mapping

from collectors.importers.guess import slug, split
from dcim.model.metric import MetricKind, registry

_LABELS: Mapping[str, Mapping[str, str]] = {  # metric -> code -> what else it is called
    "run": {
        "stopped": "stop|off|idle|not running|停止|停机|停|关|关闭|未运行|aus|gestoppt",
        "running": "run|on|start|started|运行|运行中|开|开启|启动|ein|läuft|betrieb",
        "fault": "error|failure|fail|trip|tripped|alarm|故障|报警|störung",
        "standby": "stand by|待机|备用|bereit",
        "maintenance": "service|检修|维护",
    },
    "alarm": {
        "inactive": "normal|ok|no|off|none|clear|no alarm|no fault|healthy|good|正常|无|无告警|无报警"
        "|无故障|nein|kein alarm",
        "active": "alarm|fault|yes|on|error|failure|failed|fail|tripped|abnormal|告警|报警|故障|异常"
        "|有|有告警|ja|störung",
    },
    "leak": {
        "dry": "no|normal|ok|no leak|none|clear|正常|无|无漏液|无漏水|trocken",
        "wet": "leak|leaking|leakage|leak detected|detected|yes|alarm|active|漏液|漏水|有漏液|告警|报警"
        "|leck",
        "fault": "cable break|broken|cable fault|error|断线|故障",
    },
    "enabled": {
        "no": "disabled|disable|off|inactive|禁用|禁止|关闭|关|nein|aus",
        "yes": "enabled|enable|on|active|启用|允许|使能|开启|开|ja|ein",
        "automatic": "auto|自动",
    },
    "valve.state": {
        "closed": "close|shut|关|关闭|zu|geschlossen",
        "open": "opened|开|打开|auf|offen",
        "fault": "error|故障",
    },
    "contact": {"closed": "close|闭合|zu", "open": "opened|断开|auf"},
    "breaker": {"closed": "close|on|合闸|合", "open": "off|分闸|分", "tripped": "trip|脱扣|跳闸"},
    "switch": {"off": "关|关闭|aus", "on": "开|开启|ein"},
    "door": {"closed": "close|关|关闭", "open": "opened|开|打开"},
    "status": {"ok": "normal|good|正常", "warning": "warn|预警", "fault": "error|failure|故障"},
    "communication": {"ok": "normal|online|正常", "lost": "fail|failed|offline|中断"},
    "present": {"absent": "not present|no", "present": "yes"},
    "mode": {},
    "cooling.mode": {},
    "state": {},
}
_TELLING: Mapping[str, tuple[tuple[str, str], ...]] = {  # metric -> (in a label, code), in order
    "leak": (
        (r"break|broke|cut\b|open circuit|fault|fail|error|bruch|defekt|断|故障", "fault"),
        (r"\bno\b|\bnot?\b|kein|normal|\bok\b|\bdry\b|trocken|正常|无|未", "dry"),
        (r"leak|\bwet\b|leck|detect|feucht|nass|漏", "wet"),
    ),
    "run": (
        (r"fault|fail|error|alarm|trip|störung|stoerung|故障|报警", "fault"),
        (r"stand ?by|ready|bereit|待机|备用", "standby"),
        (r"service|maint|wartung|检修|维护", "maintenance"),
        (r"not running|\bstop|\boff\b|\baus\b|idle|停|关", "stopped"),
        (r"\brun|\bon\b|\bein\b|betrieb|运行|开", "running"),
    ),
    "alarm": (
        (r"\bno\b|kein|normal|\bok\b|inactive|cleared|正常|无", "inactive"),
        (r"warn|minor|prealarm|pre alarm|预警|\bhigh$|\blow$", "warning"),
        (r"alarm|fault|fail|error|trip|active|störung|stoerung|告警|报警|故障|异常", "active"),
        (r"critical|major|too (?:high|low)", "active"),
    ),
}
_BY_WORD = (  # words of a name -> metric, tried before all others
    ({"leak", "leakage"}, "leak"),
    ({"alarm", "fault", "failure", "error", "warning", "trip"}, "alarm"),
    ({"breaker"}, "breaker"),
    ({"valve"}, "valve.state"),
    ({"door"}, "door"),
    ({"communication", "comm", "comms"}, "communication"),
    ({"mode"}, "mode"),
    ({"mode"}, "cooling.mode"),
    ({"pump", "fan", "compressor", "run", "running", "cdu", "system", "unit"}, "run"),
)
_SPEAKING = ("enabled", "switch", "communication", "present", "status", "state")  # by codes alone
_WRONG = frozenset(
    (
        *("alarm", "fault", "failure", "fail", "failed", "error", "warning", "trip", "tripped"),
        *("lost", "high", "low", "overload", "abnormal", "blocked", "clogged", "empty"),
    )
)
_RUNS = frozenset(["run", "running", "runs", "on"])
_PARTS = frozenset(["pump", "fan", "compressor", "unit", "system", "cdu"])
_SAID = (
    *("state", "status", "run", "running", "leak", "leakage", "alarm"),
    *("detection", "detected", "feedback", "sensor", "operating", "operation"),
)
_BITS: Mapping[str, Mapping[int, str]] = {
    "leak": {0: "dry", 1: "wet"},
    "run": {0: "stopped", 1: "running"},
    "alarm": {0: "inactive", 1: "active"},
    "enabled": {0: "no", 1: "yes"},
}


def coded(labels: Mapping[int, str], metric: str) -> dict[int, str]:
    """The codes of a metric for these labels; ValueError naming those it has none for."""
    known = registry()[metric].states
    found = {raw: _code(label, metric) for raw, label in labels.items()}
    missing = [f"{raw}={labels[raw]}" for raw, code in found.items() if code is None]
    if missing:
        codes = ", ".join(known)
        raise ValueError(f"found {', '.join(missing)}: {metric} has the codes {codes}")
    return {raw: code for raw, code in found.items() if code is not None}


def of_labels(name: str, labels: Mapping[int, str]) -> str:
    """The metric that these labels are codes of; empty where none has them all."""
    words = set(split(name))
    by_name = [metric for some, metric in _BY_WORD if some & words]
    for metric in (*by_name, *_SPEAKING, "run"):
        if all(_code(label, metric) is not None for label in labels.values()):
            return metric
    return ""


def of_bit(name: str) -> tuple[str, dict[int, str]]:
    """(metric, codes) of a single bit by its name; empty where the name does not tell."""
    words = set(split(name))
    metric = ""
    if words & {"leak", "leakage"} and "fault" not in words:
        metric = "leak"
    elif words & _WRONG:
        metric = "alarm"
    elif words & _RUNS and words & _PARTS:
        metric = "run"
    return metric, of_single(metric)


def of_single(metric: str) -> dict[int, str]:
    """The codes of a single bit that is 1 while something is so."""
    return dict(_BITS.get(metric, {}))


def said_by(metric: str) -> tuple[str, ...]:
    """Words of a name that the metric says already."""
    return _SAID if metric != "alarm" else ("state", "status", "alarm")


def is_state(metric: str) -> bool:
    """Whether the registry knows it as a state."""
    known = registry().get(metric)
    return known is not None and known.kind is MetricKind.STATE


def _code(label: str, metric: str) -> str | None:
    plain = " ".join(re.sub(r"[\s_-]+", " ", label.lower()).split())
    if slug(plain) in registry()[metric].states:
        return slug(plain)
    for code, others in _LABELS.get(metric, {}).items():
        if plain in others.split("|"):
            return code
    telling = _TELLING.get(metric, ())
    return next((code for pattern, code in telling if re.search(pattern, plain)), None)
