"""Runs, the nodes of the graph, and knots, the sets of them that edges hold together.

Alerts of one rule about the same things, close in time, are one run. A chain with a port scan's ten thousand alerts has one step for them, not ten thousand. What a run holds is a
function of the set of its alerts, never of their order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from contract.records import LEVELS, Entity, EntityType, Level, Role, Rule
from correlate.chain.aliases import SLOT_US, said_by
from correlate.chain.edges import Tie
from correlate.chain.habits import Rarity

MAX_FLOATING: Final = 32
"""Entities outside `_SIGNING` that one run keeps; they join, so they are bounded. The first by alert order stay."""

LEVEL_OF: Final = {level: number for number, level in enumerate(LEVELS)}

_ABOUT: Final[dict[tuple[Role, EntityType], int]] = {
    ("subject", "host"): 0, ("subject", "ip"): 1, ("target", "host"): 2,
    ("target", "ip"): 3, ("source", "host"): 4, ("source", "ip"): 5,
}  # fmt: skip
"""What says which host a run is about: the least of these that it names."""
by_order: Final = attrgetter("first_us", "head")
"""Sort key of runs, the same as their order, without a call for each comparison."""
_BLIND: Final = frozenset({"host", "ip", "user", "key"})
"""Types of subjects that name no process, nor anything else by which a run could be joined."""


@lru_cache(16_384)
def rule_of(id: str, name: str, level: Level) -> Rule:
    """Return a rule's record; records are frozen, so the same one serves all runs."""
    return Rule(id=id, name=name, level=level)


@dataclass(slots=True)
class Member:
    """What a run keeps of one alert; `floating` are its entities outside the signature."""

    id: str
    revision: int
    time_us: int
    last_us: int
    count: int
    floating: tuple[Entity, ...] = ()


class Reach(NamedTuple):
    """One thing through which a run can be joined.

    Attributes:
        key: `type|value`.
        side: of the table of edges.
        weight: 1 where the alert names it, less where relations led to it.
        via: how relations led to it, for the evidence.
        told_us: when the last of what led to it was told; 0 where the alert names it.
    """

    key: str
    side: str
    weight: float = 1.0
    via: str = ""
    told_us: int = 0


@dataclass(slots=True, eq=False)
class Run:
    """One node; compared by identity, sorted by `order`.

    Attributes:
        number: names its part of the snapshot; says nothing else.
        signature: rule and signing entities: what makes alerts repetitions of each other.
        members: kept alerts by id.
        folded: alerts beyond the bound, counted only.
        reach: through what it can be joined; set by the graph.
        asked: addresses with bindings on which its reach depends; set by the graph.
        ties: to other runs: what holds the chain together.
        rarity: how unusual it was when it came; set by the graph.
        noted_us: its first time when it came; never changes, so that timelines can find it again.
        partner: the run of another host that it opened an episode beside, by coincidence.
        ripe_us: when its coincidences are looked for once more, with all that came late; None: they were.
        latest: the last of the kept alerts, once the bound is met and until they change.
        packed: its alerts as they stand in the snapshot, until they change.
        version: how often its alerts changed.
        host: the host or address it is about: subject, else target, else source; empty where unknown.
        place: the host whose habits it is measured by; empty where it names only who acted.
        says: what its alerts say of names: (alias, what it stands for).
        addresses: of the host that it is about, as its alerts state them; empty where they do not.
        is_blind: it names a host and nothing else that could be joined: no peer, no process.
        posted: its place in the index; set by it.
        grown: its span changed since its edges were last looked for.
        knot: the chain it is in; set by the graph before any other code sees the run.
    """

    number: int
    signature: str
    rule: Rule
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    signing: tuple[Entity, ...]
    facts: dict[str, Any]
    members: dict[str, Member] = field(default_factory=dict)
    folded: int = 0
    first_us: int = 0
    last_us: int = 0
    head: str = ""
    reach: tuple[Reach, ...] = ()
    asked: frozenset[str] = frozenset()
    ties: dict[Run, tuple[Tie, ...]] = field(default_factory=dict)
    rarity: Rarity = None  # type: ignore[assignment]
    noted_us: int = 0
    partner: Run | None = None
    ripe_us: int | None = None
    posted: tuple[int, str] = (0, "")
    grown: bool = False
    latest: Member | None = None
    packed: bytes | None = None
    version: int = 0
    host: str = ""
    place: str = ""
    addresses: frozenset[str] = frozenset()
    is_blind: bool = False
    says: tuple[tuple[str, str], ...] = ()
    knot: Knot = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        named = [(one.role, one.type, one.value) for one in self.signing]
        self.says = said_by(named)
        self.host = _host(named)
        acted = [value for role, _, value in named if role == "source"]
        self.place = "" if self.host in acted else self.host
        if not acted and all(role == "subject" for role, _, _ in named):
            self.is_blind = bool(named) and all(kind in _BLIND for _, kind, _ in named)
            if self.place:
                self.addresses = frozenset(value for _, kind, value in named if kind == "ip")

    def __lt__(self, other: Run) -> bool:
        return (self.first_us, self.head) < (other.first_us, other.head)

    def is_elsewhere(self, other: Run) -> bool:
        """Tell whether a run that names the same host is about another machine: one name, but no address in common."""
        here, there = self.addresses, other.addresses
        return bool(here) and bool(there) and here.isdisjoint(there)

    def says_more(self, time_us: int) -> bool:
        """Tell whether an alert at a time may say of names what its first alert did not say within the hour before."""
        return time_us < self.first_us or time_us // SLOT_US != self.first_us // SLOT_US

    @property
    def order(self) -> tuple[int, str]:
        """What runs are sorted by: time and id of the first alert."""
        return self.first_us, self.head

    @property
    def level(self) -> int:
        """Severity, 0 (informational) to 4 (critical)."""
        return LEVEL_OF[self.rule.level]

    def entities(self) -> tuple[Entity, ...]:
        """Return its signing entities, then the others of its alerts, in order of alert, each once."""
        if not any(one.floating for one in self.members.values()):
            return self.signing
        found = dict.fromkeys(self.signing)
        for member in self.ordered():
            if len(found) >= len(self.signing) + MAX_FLOATING:
                break
            found.update(dict.fromkeys(member.floating))
        return tuple(found)[: len(self.signing) + MAX_FLOATING]

    def ordered(self) -> list[Member]:
        """Return the kept alerts by time, then id."""
        return sorted(self.members.values(), key=_by_time)

    def put(self, member: Member, bound: int) -> Member | None:
        """Add or replace an alert; return the one that the bound pushed out: always the latest.

        O(1) in order; O(kept) where a bound or an older time is met.
        """
        members = self.members
        if not members:
            members[member.id] = member
            self.first_us, self.last_us, self.head = member.time_us, member.last_us, member.id
            return None
        known = members.get(member.id)
        if known is None and len(members) >= bound:
            return self._fold(member)
        members[member.id] = member
        self.packed = None
        self.version += 1
        if known is not None:
            self.measure()
            return None
        if member.time_us <= self.first_us:
            self.first_us, self.head = min((self.first_us, self.head), (member.time_us, member.id))
        self.last_us = max(self.last_us, member.last_us)
        return None

    def _fold(self, member: Member) -> Member:
        """Count an alert that is one too many: the latest, which mostly is the new one."""
        self.folded += 1
        self.version += 1
        self.last_us = max(self.last_us, member.last_us)
        if self.latest is None:
            self.latest = max(self.members.values(), key=_by_time)
        if _by_time(member) > _by_time(self.latest):
            return member
        pushed = self.latest
        del self.members[pushed.id]
        self.members[member.id] = member
        self.latest = None
        self.measure()
        return pushed

    def measure(self) -> None:
        """Find first, last and head again. O(kept alerts)."""
        self.latest = self.packed = None
        self.version += 1
        self.first_us, self.head = min((one.time_us, one.id) for one in self.members.values())
        last_us = max(one.last_us for one in self.members.values())
        self.last_us = max(self.last_us, last_us) if self.folded else last_us


@dataclass(slots=True, eq=False)
class Knot:
    """One chain in the making; compared by identity.

    Attributes:
        number: names its part of the snapshot; says nothing else.
        runs: its nodes.
        bans: sides on which its runs stand in splits that a person made, by the split.
        half: knots it would join if one more independent edge came, with the groups of those it has.
        names: ids under which it, or a knot it took in, was published; in no order.
        due_us: event time at which it must be published again; None when what is published is current.
        shown_runs, shown_alerts: sizes when it was last published.
        told_of: what was told of when it was last published, where that is a single run (`telling`).
    """

    number: int
    runs: set[Run] = field(default_factory=set)
    bans: dict[str, int] = field(default_factory=dict)
    half: dict[Knot, set[str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    due_us: int | None = None
    shown_runs: int = 0
    shown_alerts: int = 0
    told_of: tuple[Any, ...] | None = None

    @property
    def last_us(self) -> int:
        """Time of its last alert."""
        return max([run.last_us for run in self.runs])

    @property
    def first(self) -> Run:
        """The run with its earliest alert."""
        return earliest(self.runs)


def earliest(runs: Iterable[Run]) -> Run:
    """Return the run that begins first: times alone tell most apart, and are compared faster than runs."""
    held = list(runs)
    if len(held) == 1:
        return held[0]
    first_us = min([run.first_us for run in held])
    return min([run for run in held if run.first_us == first_us])


def _host(named: list[tuple[Role, EntityType, str]]) -> str:
    found, best = "", len(_ABOUT)
    for role, kind, value in named:
        rank = _ABOUT.get((role, kind), best)
        if rank < best:
            found, best = value, rank
    return found


def _by_time(member: Member) -> tuple[int, str]:
    return member.time_us, member.id
