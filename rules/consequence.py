"""Once and with the cause: which alarm is a mere consequence of which other one.

Source: ALARMS section 6. A child stays visible under its parent, and says by which it is
suppressed; a safety alarm is never a child.
"""

from collections.abc import Iterable, Iterator

from dcim.model.reading import component_of
from rules.rule import Explained, RuleSet
from rules.topology import Topology
from rules.watch import Watcher

_NAMED = 8  # parts of one kind that an alarm names at the most


def because(watcher: Watcher, causes: Iterable[Watcher]) -> tuple[str, str]:
    """What of the same object is now the reason of an alarm, in English and Chinese.

    A cause whose delay still runs counts: the graver alarm does not wait for it. Of an outage it is
    the kind and what is known of it.
    """
    if watcher.rule.condition == "outage" and watcher.reason:
        return watcher.reason, watcher.reason
    parts: dict[tuple[str, str], list[str]] = {}
    for one in causes:
        listed = any(e.is_cause and watcher.rule.id in e.by for e in one.rule.explained)
        if listed and one.stirs:
            title = one.rule.title, one.rule.title_zh or one.rule.title
            parts.setdefault(title, []).append(component_of(one.address) or one.object)
    en = "; ".join(f"{title}: {', '.join(at[:_NAMED])}" for (title, _), at in parts.items())
    zh = "；".join(f"{title}：{'、'.join(at[:_NAMED])}" for (_, title), at in parts.items())  # noqa: RUF001
    return en, zh


class Consequences:
    """Parents and children among the alarms that stand."""

    def __init__(self, rules: RuleSet, topology: Topology) -> None:
        self._topology = topology
        self._active: dict[tuple[str, str], list[Watcher]] = {}  # possible causes: rule, object
        self._silent: set[str] = set()
        self._counted: dict[str, Watcher] = {}  # parents whose number of children changed
        self._causes = frozenset(
            by for rule in rules.alarms.values() for one in rule.explained for by in one.by
        )

    def active(self, watcher: Watcher, active: bool) -> None:
        """Note that an alarm which may explain others holds, or no longer does."""
        if watcher.rule.id not in self._causes:
            return
        standing = self._active.setdefault((watcher.rule.id, watcher.object), [])
        if active and watcher not in standing:
            standing.append(watcher)
        elif not active and watcher in standing:
            standing.remove(watcher)

    def silent(self, device: str, silent: bool) -> bool:
        """Note whether a device answers; whether it was silent before."""
        was = device in self._silent
        if silent:
            self._silent.add(device)
        else:
            self._silent.discard(device)
        return was

    def adopt(self, watcher: Watcher) -> None:
        """Put an alarm under the one that explains it, if there is one."""
        if watcher.parent is None and (cause := self._cause(watcher)) is not None:
            self.tie(watcher, cause)

    def tie(self, watcher: Watcher, parent: Watcher) -> None:
        watcher.parent = parent
        parent.children.append(watcher)
        self._counted[parent.id] = parent
        for child in watcher.children:  # a parent that turns out to be a child hands on its own
            child.parent = parent
            parent.children.append(child)
        watcher.children.clear()

    def release(self, watcher: Watcher) -> None:
        """Let an alarm stand alone again."""
        if watcher.parent is not None:
            watcher.parent.children.remove(watcher)
            self._counted[watcher.parent.id] = watcher.parent
            watcher.parent = None

    def explained_by(self, cause: Watcher, standing: Iterable[Watcher]) -> Iterator[Watcher]:
        """Alarms that came up before the cause that explains them."""
        if cause.rule.id not in self._causes:
            return
        for watcher in list(standing):
            if watcher.parent is not None or watcher is cause or not watcher.state.active:
                continue
            listed = any(cause.rule.id in one.by for one in watcher.rule.explained)
            if listed and self._cause(watcher) is not None:
                yield watcher

    def take_counted(self) -> list[Watcher]:
        """Parents whose number of children has changed since the last call."""
        counted, self._counted = list(self._counted.values()), {}
        return counted

    def _cause(self, watcher: Watcher) -> Watcher | None:
        for explained in watcher.rule.explained:
            cause = self._look(watcher, explained)
            if cause is not None:
                root = cause.parent if cause.parent and cause.parent.state.active else cause
                if root is not watcher:
                    return root
        return None

    def _look(self, watcher: Watcher, explained: Explained) -> Watcher | None:
        def cause(object_id: str) -> Watcher | None:
            standing = (w for by in explained.by for w in self._active.get((by, object_id), ()))
            fits = (w for w in standing if w is not watcher and _near(watcher, w, explained))
            return next(fits, None)

        match explained.via:
            case "device":
                return cause(watcher.object)
            case "power":
                return self._topology.power_cause(watcher.object, cause, explained.any_feed)
            case "cooling":
                return self._topology.cooling_cause(watcher.object, cause)
            case "gateway":
                behind = self._topology.neighbours(watcher.object)
                if not self._silent.issuperset(behind):
                    return None
                others = (cause(device) for device in behind if device != watcher.object)
                return next((w for w in others if w is not None), None)


def _near(watcher: Watcher, cause: Watcher, explained: Explained) -> bool:
    """Whether the cause came up at the right time."""
    if explained.within_s is None or watcher.alarm is None or cause.alarm is None:
        return True
    return abs(watcher.alarm.raised_at - cause.alarm.raised_at) <= explained.within_s
