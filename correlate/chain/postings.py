"""Who shares a thing with whom: the index of a graph.

Postings are kept by thing, side and rule (`columns`), so that a flood of one rule costs one step an alert and cannot hide
what other rules say of the same thing. More than `crowd` runs of one rule against one thing are a crowd: none of
them is told apart by it, so it joins none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from contract.records import EntityType
from correlate.chain.columns import NEAREST, Column, Row
from correlate.chain.edges import DAY_US, EDGES, MEDIUM, THIEF, Edge
from correlate.chain.runs import Reach, Run

_CROWDED: Final = frozenset(
    {("ip", "v"), ("host", "v"), ("user", "v"), ("process", "v"), ("domain", "o"), ("domain", "v"),
     ("user", THIEF), ("hash", "o"), ("url", "o"), ("key", "s")}
)  # fmt: skip
"""Where many runs of one rule mean a flood. Many from one actor are its doing, and join."""

Place: TypeAlias = tuple[str, str, str]
"""Of a column: key, side, rule id."""
Lost: TypeAlias = tuple[Run, Run, str]
"""Two runs that one thing joins no more, since one of them sees others nearer to it; and the thing."""
_Posting: TypeAlias = dict[str, dict[str, Column]]  # side -> rule id -> column

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
        lifetime_us: between two runs, beyond which no edge holds.
    """

    def __init__(self, crowd: int, lifetime_us: int = DAY_US) -> None:
        self._crowd = crowd
        self._slot_us = max(1, lifetime_us // 2)
        self._by_key: dict[str, _Posting] = {}
        self._over: dict[int, set[Place]] = {}
        self.changed: set[Place] = set()
        """Columns of which something is over, since the snapshot took them."""

    def slot_of(self, run: Run) -> int:
        """Return the slot in which a run counts towards crowds."""
        return run.posted[0] // self._slot_us

    def slot_at(self, time_us: int) -> int:
        """Return the slot of a time."""
        return time_us // self._slot_us

    def at_any(self, key: str) -> bool:
        """Tell whether any run, or the memory of one, is found under a key."""
        return key in self._by_key

    def column(self, key: str, side: str, rule: str) -> Column | None:
        """Return the runs of a rule through a thing."""
        posting = self._by_key.get(key)
        columns = posting.get(side) if posting else None
        return columns.get(rule) if columns else None

    def add(
        self, run: Run, stays: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[set[Run], list[Lost]]:
        """Index a run; return the others whose ties must be found again, since a crowd took them in, and who lost sight of whom.

        Args:
            run: which.
            stays: (key, side) of where it was at this time already, so that it disturbs nobody.
        """
        disturbed: set[Run] = set()
        lost: list[Lost] = []
        run.posted = run.order
        for reach in run.reach:
            column = self.column(reach.key, reach.side, run.rule.id)
            if column is None:
                column = self.open((reach.key, reach.side, run.rule.id))
            place = column.add(Row(*run.posted, run, reach))
            if (reach.key, reach.side) in stays:
                continue
            if _crowds(reach):
                disturbed.update(self._recount(column, run, 1))
            if len(column.rows) > NEAREST:
                for one, other in self._seeing(reach, column, place):
                    if other is not None and one is not other:
                        lost.append((one, other, reach.key))
        disturbed.discard(run)
        return disturbed, lost

    def remove(
        self, run: Run, stays: frozenset[tuple[str, str]] = frozenset(), *, is_over: bool = False
    ) -> set[Run]:
        """Forget a run; return those whose ties must be found again.

        Args:
            run: which.
            stays: (key, side) of where it comes back at once, at the same time.
            is_over: its time is over, so that it goes on to count towards crowds of its time.
        """
        disturbed: set[Run] = set()
        for reach in run.reach:
            column = self.column(reach.key, reach.side, run.rule.id)
            if column is None:
                continue
            place = column.remove(run.posted, run)
            if place is None or (reach.key, reach.side) in stays:
                continue
            if not is_over:
                if _crowds(reach):
                    disturbed.update(self._recount(column, run, -1))
                disturbed.update(one for one, _ in self._seeing(reach, column, place))
            elif _crowds(reach):
                self.end((reach.key, reach.side, run.rule.id), self.slot_of(run))
            if not column.rows and not column.counts:
                self._drop(reach.key, reach.side, run.rule.id)
        disturbed.discard(run)
        return disturbed

    def end(self, place: Place, slot: int) -> None:
        """Note that a run that counts in a slot is over; it counts on."""
        self.open(place).end(slot)
        self._over.setdefault(slot, set()).add(place)
        self.changed.add(place)

    def forget(self, before_us: int) -> None:
        """Count no more what is over, where no run that is open, or as late as a time, can ask for it. O(over)."""
        limit = before_us // self._slot_us - 1
        for slot in [one for one in self._over if one < limit]:
            for place in list(self._over[slot]):
                column = self.column(*place)
                if column is None or column.is_asked(slot):
                    continue
                column.forget(slot)
                self.changed.add(place)
                self._over[slot].discard(place)
                if not column.rows and not column.counts:
                    self._drop(*place)
            if not self._over[slot]:
                del self._over[slot]

    def part(self, place: Place) -> list[Any] | None:
        """Return what is over in a column as a row of the state; None where nothing is."""
        column = self.column(*place)
        return [*place, sorted(column.over.items())] if column is not None and column.over else None

    def restore(self, row: list[Any]) -> None:
        """Put back what `part` returned."""
        key, side, rule, over = row
        column = self.open((key, side, rule))
        for slot, count in over:
            for _ in range(count):
                self.end((key, side, rule), slot)
            column.count(slot, count, 0)
        self.changed.clear()

    def open(self, place: Place) -> Column:
        """Return the column of a place, a new one where there is none."""
        key, side, rule = place
        return self._by_key.setdefault(key, {}).setdefault(side, {}).setdefault(rule, Column())

    def _drop(self, key: str, side: str, rule: str) -> None:
        posting = self._by_key[key]
        del posting[side][rule]
        if not posting[side]:
            del posting[side]
            if not posting:
                del self._by_key[key]

    def _recount(self, column: Column, run: Run, more: int) -> Iterator[Run]:
        """Count a run towards crowds; yield those whom that brings into one, or out of it."""
        turned = column.count(self.slot_of(run), more, self._crowd)
        if turned:
            yield from (row.run for row in column.rows if self.slot_of(row.run) in turned)

    def _seeing(self, reach: Reach, column: Column, place: int) -> Iterator[tuple[Run, Run | None]]:
        kind: EntityType = reach.key.partition("|")[0]  # type: ignore[assignment]
        posting = self._by_key[reach.key]
        for side, _, _ in _PAIRS.get((kind, reach.side), ()):
            for other in posting.get(side, {}).values():
                yield from column.seeing(place, other.rows)

    def in_crowd(self, run: Run) -> bool:
        """Tell whether some crowd holds the run."""
        for reach in run.reach:
            if _crowds(reach):
                column = self.column(reach.key, reach.side, run.rule.id)
                if column is not None and column.size(self.slot_of(run)) > self._crowd:
                    return True
        return False

    def at(self, key: str) -> Iterator[Run]:
        """Yield the runs found under a key."""
        for columns in self._by_key.get(key, {}).values():
            for column in columns.values():
                for row in column.rows:
                    yield row.run

    def beside(self, run: Run) -> Iterator[tuple[Reach, Row, Edge, bool]]:
        """Yield (reach, row of another run, edge, whether the run comes first in it) of what a run shares, crowds left out."""
        crowd, slot = self._crowd, self.slot_of(run)
        for reach in run.reach:
            posting = self._by_key.get(reach.key)
            if posting is None:
                continue
            own = posting[reach.side][run.rule.id]
            if own.counts and own.size(slot) > crowd:
                continue
            kind: EntityType = reach.key.partition("|")[0]  # type: ignore[assignment]
            for side, edge, is_first in _PAIRS.get((kind, reach.side), ()):
                for column in posting.get(side, {}).values():
                    for row in column.near(run.posted, own.rows):
                        if row.run is run:
                            continue
                        if column.counts and column.size(self.slot_of(row.run)) > crowd:
                            continue
                        yield reach, row, edge, is_first


def _crowds(reach: Reach) -> bool:
    return (reach.key.partition("|")[0], reach.side) in _CROWDED
