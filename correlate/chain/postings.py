"""Find the runs that share a thing with a run, and the edges that hold between them.

Postings are kept by thing, side and rule, so that a flood of one rule costs one step an alert and cannot hide what other
rules say of the same thing. More than `crowd` runs of one rule against one thing are a crowd: none of
them is told apart by it, so it joins none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from contract.records import EntityType
from correlate.chain.edges import (
    DAY_US,
    EDGES,
    MEDIUM,
    SKEW_US,
    THIEF,
    Edge,
    Tie,
    aged,
    gap_us,
    strongest,
)
from correlate.chain.hubs import Hubs
from correlate.chain.runs import Reach, Run
from correlate.chain.stages import only_looks

_CROWDED: Final = frozenset(
    {("ip", "v"), ("host", "v"), ("user", "v"), ("process", "v"), ("domain", "o"), ("domain", "v"),
     ("user", THIEF), ("hash", "o"), ("url", "o"), ("key", "s")}
)  # fmt: skip
"""Where many runs of one rule mean a flood. Many from one actor are its doing, and join."""

HUB_FACTOR: Final = 0.4
"""What a hub leaves of an edge's weight: 0.4 of 1.0 is below any edge that joins by itself."""

NEAREST: Final = 64
"""Runs of one rule at one thing that a new one is compared with, newest first; they are joined to the others already."""

LOOK_FACTOR: Final = 0.6
"""What is left where the attack on a thing was a mere look (a scan): everybody is scanned, few fall."""

_Column: TypeAlias = dict[str, dict[Run, Reach]]  # rule id -> runs
_Posting: TypeAlias = dict[str, _Column]  # side -> column

_PAIRS: Final[dict[tuple[str, str], tuple[tuple[str, Edge, bool], ...]]] = {}
"""(type, own side) -> (other side, edge, own side comes first)."""
for (_kind, _early, _late), _edge in EDGES.items():
    if _edge.weight < MEDIUM:
        continue  # it only supports: looked for between two runs that something else joined
    _PAIRS[_kind, _early] = (*_PAIRS.get((_kind, _early), ()), (_late, _edge, True))
    if _edge.ordered or _early != _late:
        known = _PAIRS.get((_kind, _late), ())
        if not any(row[:2] == (_early, _edge) for row in known):
            _PAIRS[_kind, _late] = (*known, (_early, _edge, False))


class Postings:
    """The index of a graph.

    Args:
        crowd: runs of one rule through one thing from which on they are a crowd.
        hubs: what makes no join.
        lifetime_us: between two runs, beyond which no edge holds.
    """

    def __init__(self, crowd: int, hubs: Hubs, lifetime_us: int = DAY_US) -> None:
        self._crowd = crowd
        self._lifetime_us = lifetime_us
        self._hubs = hubs
        self._by_key: dict[str, _Posting] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, run: Run) -> list[Run]:
        """Index a run; return those that a crowd now takes in, whose ties must be found again."""
        disturbed: list[Run] = []
        for reach in run.reach:
            column = self._by_key.setdefault(reach.key, {}).setdefault(reach.side, {})
            runs = column.setdefault(run.rule.id, {})
            runs.setdefault(run, reach)
            if len(runs) == self._crowd + 1 and _crowds(reach):
                disturbed.extend(runs)
        return disturbed

    def remove(self, run: Run) -> list[Run]:
        """Forget a run; return those that are no crowd any more, whose ties must be found again."""
        disturbed: list[Run] = []
        for reach in run.reach:
            posting = self._by_key.get(reach.key)
            column = posting.get(reach.side) if posting else None
            runs = column.get(run.rule.id) if column else None
            if posting is None or column is None or runs is None or runs.pop(run, None) is None:
                continue
            if len(runs) == self._crowd and _crowds(reach):
                disturbed.extend(runs)
            if not runs:
                del column[run.rule.id]
                if not column:
                    del posting[reach.side]
                    if not posting:
                        del self._by_key[reach.key]
        return disturbed

    def in_crowd(self, run: Run) -> bool:
        """Tell whether some crowd holds the run."""
        return any(
            _crowds(reach) and len(self._by_key[reach.key][reach.side][run.rule.id]) > self._crowd
            for reach in run.reach
            if reach.key in self._by_key
        )

    def at(self, key: str) -> Iterator[Run]:
        """Yield the runs found under a key."""
        for column in self._by_key.get(key, {}).values():
            for runs in column.values():
                yield from runs

    def ties(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        """Return the edges between `run` and each other run, strongest first, one for each thing.

        O(runs that share a thing and are in no crowd).
        """
        found: dict[Run, dict[str, Tie]] = {}
        for reach in run.reach:
            posting = self._by_key.get(reach.key)
            if posting is None:
                continue
            kind: EntityType = reach.key.partition("|")[0]  # type: ignore[assignment]
            own = posting.get(reach.side, {}).get(run.rule.id, ())
            if _crowds(reach) and len(own) > self._crowd:
                continue
            for side, edge, is_first in _PAIRS.get((kind, reach.side), ()):
                for runs in posting.get(side, {}).values():
                    if len(runs) > self._crowd and (kind, side) in _CROWDED:
                        continue
                    for other in islice(reversed(runs), NEAREST):
                        if other is not run:
                            self._tie(run, reach, other, runs[other], edge, is_first, found)
        return {other: tuple(sorted(ties.values(), key=strongest)) for other, ties in found.items()}

    def _tie(
        self, run: Run, reach: Reach, other: Run, there: Reach, edge: Edge, is_first: bool,
        found: dict[Run, dict[str, Tie]],
    ) -> None:  # fmt: skip
        early, late = (run, other) if is_first else (other, run)
        if edge.ordered and early.first_us > late.last_us + SKEW_US:
            return
        if edge.name == "credential" and early.host and early.host == late.host:
            return  # on one host an account says no more than the host does
        gap = gap_us(run.first_us, run.last_us, other.first_us, other.last_us)
        if gap > self._lifetime_us:
            return  # one of them may be forgotten already
        weight = aged(edge, gap) * reach.weight * there.weight
        if self._hubs.holds(reach.key):
            weight *= HUB_FACTOR
        if edge.ordered and only_looks(early):
            weight *= LOOK_FACTOR
        if weight <= 0:
            return
        ties = found.setdefault(other, {})
        known = ties.get(reach.key)
        if known is None or known.weight < weight:
            ties[reach.key] = Tie(edge, round(weight, 4), reach.key, _via(run, reach, other, there))


def _via(run: Run, reach: Reach, other: Run, there: Reach) -> str:
    first, second = (reach, there) if run < other else (there, reach)
    return "; ".join(part for part in (first.via, second.via) if part)


def _crowds(reach: Reach) -> bool:
    return (reach.key.partition("|")[0], reach.side) in _CROWDED
