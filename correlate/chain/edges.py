"""Which shared thing joins two alerts, how strongly and for how long: the table of edges.

An edge is looked up by the type of the shared entity and the side that each alert has of it. Sides
are roles in one letter: `a` acted (source, parent), `s` is the subject, `v` was acted on (target), `o`
an object that was touched. Weights follow the design's order (process lineage 1.0; session, flow,
file written then run, service 0.8 to 0.9; user and host 0.3; time alone 0): from `strong` on one edge
joins two chains, from `medium` on two independent ones do, below it an edge only supports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from contract.records import EntityType, Role

SIDES: Final[dict[Role, str]] = {"source": "a", "subject": "s", "target": "v", "object": "o"}
"""Observers have no side: who merely watched joins nothing."""

THIEF: Final = "t"
"""Side of an account under which credentials were stolen: what it does next elsewhere is the thief's doing."""

ENTRANT: Final = "e"
"""Side of a process that entered another: what that one did from then on is its doing, or that of who started it."""

ACTING: Final[Any] = "acting"
"""No thing that records name: a host and an account on it, `acting|host|account`."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
"""How long what does not fade joins, a connection or a process that is told by its id: where sensors' clocks are days
apart, the setting `lifetime` says how far."""

SKEW_US = 5 * SECOND_US
"""Clocks of two sensors may differ so much before "earlier" means anything."""

STRONG: Final = 0.7
"""From this weight on one edge joins two chains."""
MEDIUM: Final = 0.4
"""From this weight on two independent edges join two chains; below it an edge only supports."""

STALE = 6
"""An edge lives on at `STALE_WEIGHT` for so many times its lifetime."""
STALE_WEIGHT = 0.6


@dataclass(slots=True, frozen=True, eq=False)
class Edge:
    """One way in which a shared thing joins; compared by identity.

    Attributes:
        name: on the link.
        weight: of a fresh edge through a thing that is neither hub nor crowd.
        lifetime_us: between the end of one and the start of the other.
        ordered: the first side must have happened before the second.
        group: edges of one group are not independent of each other.
        words: evidence with `{it}` for the thing.
    """

    name: str
    weight: float
    lifetime_us: int
    ordered: bool
    group: str
    words: str


def _both(name: str, weight: float, lifetime_us: int, group: str, words: str) -> Edge:
    return Edge(name, weight, lifetime_us, ordered=False, group=group, words=words)


def _then(name: str, weight: float, lifetime_us: int, group: str, words: str) -> Edge:
    return Edge(name, weight, lifetime_us, ordered=True, group=group, words=words)


_SAME_PROCESS = _both("process", 1.0, WEEK_US, "process", "process {it} is in both")
_SIBLING = _both("process", 0.8, WEEK_US, "process", "process {it} started both")
_LINEAGE = _both("process", 1.0, WEEK_US, "process", "process {it} is one and started the other")
_REACHED = _then("process", 0.9, DAY_US, "process", "process {it} was reached, then acted")
_ENTERED = _both(
    "process", 0.95, 2 * HOUR_US, "process", "process {it} is one and entered the other's"
)
_ENTERED_BOTH = _both("process", 0.6, 2 * HOUR_US, "process", "process {it} entered both")
_SESSION = _both("session", 0.85, 12 * HOUR_US, "session", "logon session {it} holds both")
_FLOW = _both("flow", 0.9, WEEK_US, "flow", "connection {it} was seen by both")
_WRITTEN = _then("file", 0.85, DAY_US, "file", "file {it} was written, then run")
_FILE = _both("file", 0.6, DAY_US, "file", "file {it} was touched by both")
_HASH = _both("file", 0.6, DAY_US, "file", "content {it} is in both")
_SAME_SOURCE = _both("address", 0.8, 2 * HOUR_US, "address", "{it} is the source of both")
_OWN_ACTS = _both("address", 0.5, 2 * HOUR_US, "address", "{it} is source and subject")
_THEN_ACTED = _then("address", 0.75, 2 * HOUR_US, "address", "{it} was attacked, then acted")
_THEN_CHANGED = _then("address", 0.75, 2 * HOUR_US, "address", "{it} was attacked, then changed")
_HOST = _both("host", 0.3, HOUR_US, "host", "both on host {it}")
_USER = _both("user", 0.3, 2 * HOUR_US, "host", "account {it} is in both")
_USER_REACHED = _then("user", 0.5, 2 * HOUR_US, "user", "account {it} was taken, then acted")
_CREDENTIAL = _then(
    "credential",
    0.75,
    2 * HOUR_US,
    "user",
    "account {it} was behind a theft of credentials, then acted elsewhere",
)
_LOGON = _both(
    "logon",
    0.8,
    2 * HOUR_US,
    "logon",
    "account {it} acts there, and came from there",
)
_THING = {
    "service": "service {it} is in both",
    "task": "scheduled task {it} is in both",
}
_KEY = _both("attestation", 0.9, DAY_US, "attestation", "attester {it} is in both")
_WORKLOAD = _both("workload", 0.7, 2 * HOUR_US, "workload", "workload {it} is in both")

EDGES: Final[dict[tuple[EntityType, str, str], Edge]] = {
    ("process", "s", "s"): _SAME_PROCESS,
    ("process", "a", "s"): _LINEAGE,
    ("process", "s", "a"): _LINEAGE,
    ("process", "a", "a"): _SIBLING,
    ("process", "v", "s"): _REACHED,
    ("process", "v", "a"): _REACHED,
    ("process", ENTRANT, "s"): _ENTERED,
    ("process", ENTRANT, "a"): _ENTERED,
    ("process", ENTRANT, ENTRANT): _ENTERED_BOTH,
    **{("session", one, two): _SESSION for one in "asv" for two in "asv"},
    ("flow", "o", "o"): _FLOW,
    ("file", "o", "s"): _WRITTEN,
    ("file", "o", "a"): _WRITTEN,
    ("file", "o", "o"): _FILE,
    ("hash", "o", "s"): _HASH,
    ("hash", "o", "o"): _HASH,
    ("ip", "a", "a"): _SAME_SOURCE,
    ("ip", "v", "a"): _THEN_ACTED,
    ("ip", "v", "s"): _THEN_CHANGED,
    ("ip", "s", "a"): _OWN_ACTS,
    ("ip", "a", "s"): _OWN_ACTS,
    ("ip", "s", "s"): _HOST,
    ("mac", "a", "a"): _both("address", 0.6, HOUR_US, "address", "{it} is the source of both"),
    ("host", "s", "s"): _HOST,
    ("host", "v", "s"): _THEN_CHANGED,
    ("host", "v", "a"): _THEN_ACTED,
    ("host", "s", "a"): _OWN_ACTS,
    ("host", "a", "s"): _OWN_ACTS,
    ("host", "a", "a"): _SAME_SOURCE,
    ("user", "s", "s"): _USER,
    ("user", "a", "a"): _USER,
    ("user", "a", "s"): _USER,
    ("user", "s", "a"): _USER,
    ("user", "v", "s"): _USER_REACHED,
    ("user", "v", "a"): _USER_REACHED,
    (ACTING, "s", "a"): _LOGON,
    (ACTING, "a", "s"): _LOGON,
    ("user", THIEF, "s"): _CREDENTIAL,
    ("user", THIEF, "a"): _CREDENTIAL,
    **{
        (kind, "o", "o"): _both(kind, 0.8, DAY_US, kind, words)  # type: ignore[misc]
        for kind, words in _THING.items()
    },
    ("registry", "o", "o"): _both("registry", 0.6, DAY_US, "registry", "{it} is in both"),
    ("domain", "o", "o"): _both("domain", 0.5, 2 * HOUR_US, "name", "name {it} is in both"),
    ("domain", "o", "v"): _both("domain", 0.5, 2 * HOUR_US, "name", "name {it} is in both"),
    ("domain", "v", "v"): _both("domain", 0.5, 2 * HOUR_US, "name", "name {it} is in both"),
    ("url", "o", "o"): _both("url", 0.6, 2 * HOUR_US, "name", "{it} is in both"),
    ("key", "s", "s"): _KEY,
    ("workload", "s", "s"): _WORKLOAD,
}


COINCIDENCE: Final = _both(
    "coincidence", 0.9, HOUR_US, "coincidence", "unusual at the same time on {it}"
)
"""Not through a shared thing: two rare runs closer than chance lets expect. Its weight says how much closer."""

PERSON: Final = _both("person", 1.0, DAY_US, "person", "joined by {it}")
"""Not found but told: a person said that two alerts are one story."""

CODE_OF: Final[dict[Edge, str]] = {edge: ".".join(place) for place, edge in reversed(EDGES.items())}
CODE_OF[COINCIDENCE] = "coincidence"
CODE_OF[PERSON] = "person"
"""A text that finds an edge again in stored state: a place it has in the table."""
EDGE_OF: Final = {".".join(place): edge for place, edge in EDGES.items()} | {
    "coincidence": COINCIDENCE,
    "person": PERSON,
}


class Tie(NamedTuple):
    """An edge that holds between two runs, through one thing.

    Attributes:
        edge: from the table.
        weight: after age, distance and hubs.
        key: of the thing, `type|value`.
        via: how the thing was reached where the alert does not name it; empty where it does.
    """

    edge: Edge
    weight: float
    key: str
    via: str = ""


def strongest(tie: Tie) -> tuple[float, str]:
    """Sort key: the heaviest edge first."""
    return -tie.weight, tie.key


def gap_us(first_one: int, last_one: int, first_two: int, last_two: int) -> int:
    """Return the time between two spans, 0 when they overlap."""
    return max(0, first_two - last_one, first_one - last_two)


def aged(edge: Edge, gap: int) -> float:
    """Return the weight of the edge across a gap: whole in its lifetime, `STALE_WEIGHT` after, then 0."""
    if gap <= edge.lifetime_us:
        return edge.weight
    return edge.weight * STALE_WEIGHT if gap <= STALE * edge.lifetime_us else 0.0
