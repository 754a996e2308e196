"""What of a storm of traps is looked at: a budget for each kind, so that none starves another."""

from collections import Counter
from enum import StrEnum

# datagrams a second that are taken apart, of each kind; docs/operate.md says so too
EACH_SENDER, ALL_SENDERS = 100, 500


class Kind(StrEnum):
    """What can be told of a datagram before it is taken apart."""

    INFORM = "informs"  # and what comes before them in v3; of users that the configuration has
    KNOWN = "known traps"  # v1 and v2c: some profile knows the trap
    V3 = "v3 traps"  # of users that the configuration has
    OTHER = "other traps"


class Budgets:
    """How many of each kind have been taken apart in the present second."""

    def __init__(self) -> None:
        self._second = 0
        self._senders: Counter[tuple[Kind, str]] = Counter()
        self._all: Counter[Kind] = Counter()

    def refusal(self, kind: Kind, sender: str, now: float) -> str:
        """Take one from the budget, or say why it is not to be had."""
        if int(now) != self._second:
            self._second = int(now)
            self._senders.clear()
            self._all.clear()
        if self._senders[kind, sender] >= EACH_SENDER:
            return f"{kind}: over {EACH_SENDER} a second from one sender"
        if self._all[kind] >= ALL_SENDERS:
            return f"{kind}: over {ALL_SENDERS} a second in all"
        self._senders[kind, sender] += 1
        self._all[kind] += 1
        return ""
