"""What events tell beside alerts: who started whom, who opened a connection, wrote a file, logged on from where.

Every relation leads from a thing to the one that brought it about: a process to its parent, a connection to the process
that opened it, a file or service to the process that made it, a logon session to the address it came from. A run reaches
what lies up such a path, and two runs that reach one thing can be joined by it; the evidence tells the path.

Paths end at hubs: processes that start everything on a host (shells of the desktop, service and
session hosts) are nobody's doing, unless somebody entered them before (`entering`). Relations are kept in chunks in
order of arrival, so that a snapshot writes only the last one, and the oldest chunk goes first when the bound is met.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contract.event import Observation
from correlate.chain.causes import Up, causes_of
from correlate.chain.edges import ENTRANT
from correlate.chain.entrants import SLOT_US, Entrants
from correlate.chain.whose import Asking, Who

ROOTS: Final = frozenset(
    {"explorer.exe", "services.exe", "svchost.exe", "wininit.exe", "winlogon.exe", "userinit.exe",
     "smss.exe", "csrss.exe", "lsass.exe", "system", "taskhostw.exe", "sihost.exe", "runtimebroker.exe",
     "searchindexer.exe", "wmiprvse.exe", "dllhost.exe", "taskeng.exe",
     "systemd", "init", "sshd", "cron", "crond", "atd", "dbus-daemon", "login", "containerd-shim",
     "containerd-shim-runc-v2", "dockerd", "kthreadd", "supervisord", "launchd", "gdm", "sddm"}
)  # fmt: skip
"""Names of processes under which everything of a host or session runs: hubs, by their office."""

CHUNK: Final = 128
MAX_DEPTH: Final = 10
MAX_REACH: Final = 48
"""Steps up, and things reached, from what one run names."""
HOP: Final = 0.97
"""What is left of a weight with each parent: far ancestors have many children."""


_STEP: Final[dict[str, tuple[str, float, str]]] = {
    "parent": ("a", HOP, "{it} was started by {cause}"),
    "entered": (ENTRANT, 0.95, "{it} was entered by {cause}"),
    "same": ("s", HOP, "{it} was {cause}"),
    "flow": ("s", 0.95, "{it} was opened by {cause}"),
    "taken": ("s", 0.95, "{it} was accepted by {cause}"),
    "asked": ("s", 0.95, "{it} was asked for by {cause}"),
    "written": ("a", 0.9, "{it} was written by {cause}"),
    "made": ("a", 0.9, "{it} was made by {cause}"),
    "session": ("a", HOP, "{it} was made in session {cause}"),
    "logon": ("a", 0.95, "{it} was a logon from {cause}"),
    "started": ("o", 0.95, "{it} is started by {cause}"),
    "ran": ("o", 1.0, "{it} ran {cause}"),
    "nat": ("o", 0.9, "{it} was {cause} before translation"),
}
"""Kind of relation: side of the cause, weight, words."""


class _Step(NamedTuple):
    """A thing on a path: how it was come to, and the time at which it counts."""

    key: str
    weight: float
    via: str
    depth: int
    told_us: int
    at_us: int
    is_hub: bool
    is_entered: bool


@dataclass(slots=True)
class Chunk:
    """Relations that arrived one after the other."""

    number: int
    rows: list[Up] = field(default_factory=list)


class Relations:
    """All relations and bindings of one site.

    Args:
        bound: relations kept.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._up: dict[str, list[Up]] = {}
        self._chunks: deque[Chunk] = deque()
        self._count = 0
        self._next = 1
        self._entrants = Entrants()
        self.changed: set[int] = set()
        self.lost = 0

    def learn(self, seen: Observation) -> list[str]:
        """Take an observation; return the keys from which something new can be reached."""
        fresh: list[str] = []
        for up in causes_of(seen.fields, seen.time_us):
            known = self._up.get(up.key)
            slot = up.time_us // SLOT_US
            if known is not None and any(
                one[:3] == up[:3] and one.time_us // SLOT_US == slot
                and one.time_us <= up.time_us for one in known
            ):  # fmt: skip
                continue
            self._add(up)
            fresh += self._entrants.concerned(up) if up.kind == "entered" else (up.key,)
        return fresh

    def _add(self, up: Up) -> None:
        if not self._chunks or len(self._chunks[-1].rows) >= CHUNK:
            self._chunks.append(Chunk(self._next))
            self._next += 1
        self._chunks[-1].rows.append(up)
        self.changed.add(self._chunks[-1].number)
        self._link(up)
        while self._count > self._bound:
            self.lost += self._drop()

    def _link(self, up: Up) -> None:
        self._up.setdefault(up.key, []).append(up)
        self._entrants.add(up, is_hub=up.name in ROOTS)
        self._count += 1

    def _drop(self) -> int:
        """Forget the oldest chunk; return how many relations went."""
        chunk = self._chunks.popleft()
        self.changed.add(chunk.number)
        for up in chunk.rows:
            rows = self._up[up.key]
            rows.remove(up)
            if not rows:
                del self._up[up.key]
            self._entrants.drop(up, is_hub=up.name in ROOTS)
        self._count -= len(chunk.rows)
        return len(chunk.rows)

    def forget(self, before_us: int) -> None:
        """Drop chunks of which nothing is newer; `before_us` less an hour is what nobody can ask for any more."""
        while self._chunks and all(up.time_us < before_us for up in self._chunks[0].rows):
            self._drop()

    def leads(self, key: str) -> bool:
        """Tell whether anything is known to lie up from a thing."""
        return key in self._up

    def reach(
        self,
        key: str,
        time_us: int,
        span_us: int,
        asking: Asking | None = None,
        *,
        is_hub: bool = False,
    ) -> Iterator[tuple[str, str, float, str, int]]:
        """Yield (key, side, weight, via, when it was told) of what lies up from a thing, nearest first; hubs end a path.

        Only what was told within a span of the time counts, by whole hours: then it does not show whether what
        is older was forgotten already. From a hub only to those who entered it before. `asking` knows hosts
        by both their names.
        """
        span = range((time_us - span_us) // SLOT_US, (time_us + span_us) // SLOT_US + 1)
        waiting = deque([_Step(key, 1.0, "", 0, 0, time_us, is_hub, False)])
        seen = {key}
        while waiting:
            step = waiting.popleft()
            if step.depth >= MAX_DEPTH or len(seen) > MAX_REACH:
                return
            for up in self._known(step.key, step.at_us // SLOT_US, span, asking):
                who = Who(up.cause) if asking is None else asking.key(up.cause)
                if who.key in seen or not self._leads_on(up, step, span):
                    continue
                is_hub = up.name in ROOTS
                if is_hub and not self._is_entered(who.key, up.time_us, span, asking):
                    continue
                seen.add(who.key)
                there = _taken(step, up, who, is_hub=is_hub)
                if not is_hub:
                    side, weight = _side(there, up), round(there.weight, 4)
                    yield who.key, side, weight, there.via, there.told_us
                waiting.append(there)

    def _leads_on(self, up: Up, step: _Step, span: range) -> bool:
        """Tell whether a relation counts at a step: whoever entered it later has no part in it, and a hub has no other cause."""
        if up.kind == "entered":
            return self._entrants.counts(up, step.at_us, span)
        return not step.is_hub

    def _is_entered(self, key: str, at_us: int, span: range, asking: Asking | None) -> bool:
        spelt = (key,) if asking is None else asking.spellings(key)
        return any(self._entrants.entered(one, at_us, span) for one in spelt)

    def _known(self, key: str, slot: int, span: range, asking: Asking | None) -> list[Up]:
        """Return what is known of a thing between two slots; of a number that is used again, only of its latest use."""
        told = self._up.get(key, [])
        for one in asking.spellings(key)[1:] if asking is not None else ():
            told = [*told, *self._up.get(one, ())]
        rows = [up for up in _earliest(told) if up.time_us // SLOT_US in span]
        if len(rows) > 1 and (key.startswith("end|") or "|pid:" in key):
            nearest = min(_apart(up, slot) for up in rows)
            rows = [up for up in rows if _apart(up, slot) == nearest]
        return rows

    # -------------------------------------------------------------- state

    def part(self, number: int) -> list[Up] | None:
        """Return a chunk; None when it is gone."""
        return next((one.rows for one in self._chunks if one.number == number), None)

    def restore(self, number: int, rows: list[list[Any]]) -> None:
        """Put back a chunk; in order of number."""
        chunk = Chunk(number, [Up(*row) for row in rows])
        self._chunks.append(chunk)
        self._next = number + 1
        for up in chunk.rows:
            self._link(up)


def _taken(step: _Step, up: Up, who: Who, *, is_hub: bool) -> _Step:
    """Return the step that a relation leads to."""
    _, share, words = _STEP[up.kind]
    named = f"{up.name} ({_plain(who.key)})" if up.name else _plain(who.key)
    said = words.format(it=_plain(step.key), cause=named)
    at_us = step.at_us if up.kind == "same" else up.time_us
    return _Step(
        who.key, step.weight * share, f"{step.via}, {said}" if step.via else said, step.depth + 1,
        max(step.told_us, up.time_us, who.told_us), at_us, is_hub, step.is_entered or up.kind == "entered",
    )  # fmt: skip


def _side(step: _Step, up: Up) -> str:
    """Return the side of a cause; of processes beyond an entering, that of who entered."""
    side = _STEP[up.kind][0]
    return ENTRANT if step.is_entered and side in ("a", "s") else side


def _earliest(rows: Sequence[Up]) -> Iterable[Up]:
    """Return rows in order; of what was told again within an hour the earliest, whichever came first."""
    if len(rows) <= 1:
        return rows
    first: dict[tuple[str, str, int], Up] = {}
    for up in sorted(rows):
        first.setdefault((up.cause, up.kind, up.time_us // SLOT_US), up)
    return first.values()


def _plain(key: str) -> str:
    return key.partition("|")[2]


def _apart(up: Up, slot: int) -> tuple[bool, int]:
    """Sort key: what was told before comes before what was told after, the nearest first."""
    away = slot - up.time_us // SLOT_US
    return away < 0, abs(away)
