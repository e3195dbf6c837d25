"""Who shares a thing with whom: the index of a graph.

Postings are kept by thing, side and rule (`columns`), so that a flood of one rule costs one step an alert and cannot hide
what other rules say of the same thing. More than `crowd` runs of one rule against one thing are a crowd: none of
them is told apart by it, so it joins none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Final, TypeAlias

from correlate.chain.columns import HELD_NEAREST, NEAREST, Column, Row
from correlate.chain.edges import DAY_US, EDGES, MEDIUM, STRONG, THIEF, Edge
from correlate.chain.runs import Reach, Run

_CROWDED: Final = frozenset(
    {("ip", "v"), ("host", "v"), ("user", "v"), ("process", "v"), ("domain", "o"), ("domain", "v"),
     ("user", THIEF), ("hash", "o"), ("url", "o"), ("key", "s")}
)  # fmt: skip
"""Where many runs of one rule mean a flood. Many from one actor are its doing, and join."""
_HELD: Final = frozenset(
    (kind, side)
    for (kind, side, other), edge in EDGES.items()
    if side == other and edge.weight >= STRONG and (kind, side) not in _CROWDED
)
"""Where runs of one thing are joined to each other by it."""

MAX_ENDED: Final = 50_000
"""Columns, by slot, in which runs that are over count on; beyond, those that were over first count no more."""

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
        max_ended: columns, by slot, in which what is over counts on.

    Attributes:
        changed: columns of which something is over, since the snapshot took them.
        lost: how many runs that are over were put out by the bound.
    """

    def __init__(self, crowd: int, lifetime_us: int = DAY_US, max_ended: int = MAX_ENDED) -> None:
        self._crowd = crowd
        self._max_ended = max_ended
        self._slot_us = max(1, lifetime_us // 2)
        self._by_key: dict[str, _Posting] = {}
        self._over: dict[int, dict[Place, int]] = {}
        """By slot, when what is over there first was, as a number."""
        self._ended = 0
        self._next = 0
        self._is_sorted = True
        self.changed: set[Place] = set()
        self.lost = 0

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
        first_us, head = run.posted = run.order
        rule = run.rule.id
        for reach in run.reach:
            column = self.open((reach.key, reach.side, rule))
            column.add(Row(first_us, head, run, reach))
            if (reach.key, reach.side) in stays:
                continue
            if column.can_crowd:
                disturbed.update(self._recount(column, run, 1))
            if len(column.rows) > column.nearest:
                for one, other in self._seeing(reach.key, column, run):
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
            if not column.remove(run.posted, run) or (reach.key, reach.side) in stays:
                continue
            if not is_over:
                if column.can_crowd:
                    disturbed.update(self._recount(column, run, -1))
                disturbed.update(one for one, _ in self._seeing(reach.key, column, run))
            elif column.can_crowd:
                self.end((reach.key, reach.side, run.rule.id), self.slot_of(run))
            if not column.rows and not column.counts:
                self._drop(reach.key, reach.side, run.rule.id)
        disturbed.discard(run)
        return disturbed

    def end(self, place: Place, slot: int) -> None:
        """Note that a run that counts in a slot is over; it counts on."""
        self.open(place).end(slot)
        places = self._over.setdefault(slot, {})
        if place not in places:
            places[place] = self._next
            self._next += 1
            self._ended += 1
        self.changed.add(place)
        while self._ended > self._max_ended:
            oldest = min(self._over)
            first = next(iter(self._in_order()[oldest]))
            self.lost += self.open(first).over[oldest]
            self._count_out(first, oldest)

    def _in_order(self) -> dict[int, dict[Place, int]]:
        """Return what is over by slot, what was over first first; parts are put back in any order."""
        if not self._is_sorted:
            self._is_sorted = True
            for slot, places in self._over.items():
                self._over[slot] = dict(sorted(places.items(), key=itemgetter(1)))
        return self._over

    def _count_out(self, place: Place, slot: int) -> None:
        """Count no more what is over in a slot of a column."""
        column = self.open(place)
        column.forget(slot)
        self.changed.add(place)
        self._ended -= 1
        del self._over[slot][place]
        if not self._over[slot]:
            del self._over[slot]
        if not column.rows and not column.counts:
            self._drop(*place)

    def forget(self, before_us: int) -> None:
        """Count no more what is over, where no run that is open, or as late as a time, can ask for it. O(over)."""
        limit = before_us // self._slot_us - 1
        for slot in [one for one in self._over if one < limit]:
            for place in list(self._over[slot]):
                if not self.open(place).is_asked(slot):
                    self._count_out(place, slot)

    def part(self, place: Place) -> list[Any] | None:
        """Return what is over in a column as a row of the state; None where nothing is."""
        column = self.column(*place)
        if column is None or not column.over:
            return None
        over = sorted(column.over.items())
        return [*place, [(slot, count, self._over[slot][place]) for slot, count in over]]

    def restore(self, row: list[Any]) -> None:
        """Put back what `part` returned."""
        key, side, rule, over = row
        place = key, side, rule
        column = self.open(place)
        for slot, count, *since in over:
            number = since[0] if since else 0  # rows written before the order was kept
            column.over[slot] = count
            column.tally(slot, count)
            self._over.setdefault(slot, {})[place] = number
            self._next = max(self._next, number + 1)
            self._ended += 1
        self._is_sorted = False

    def open(self, place: Place) -> Column:
        """Return the column of a place, a new one where there is none."""
        key, side, rule = place
        posting = self._by_key.get(key)
        if posting is None:
            posting = self._by_key[key] = {}
        columns = posting.get(side)
        if columns is None:
            columns = posting[side] = {}
        column = columns.get(rule)
        if column is None:
            kind = key.partition("|")[0], side
            column = columns[rule] = Column(
                _PAIRS.get(kind, ()),
                can_crowd=kind in _CROWDED,
                nearest=HELD_NEAREST if kind in _HELD else NEAREST,
            )
        return column

    def _drop(self, key: str, side: str, rule: str) -> None:
        posting = self._by_key[key]
        del posting[side][rule]
        if not posting[side]:
            del posting[side]
            if not posting:
                del self._by_key[key]

    def _recount(self, column: Column, run: Run, more: int) -> list[Run]:
        """Count a run towards crowds; return those whom that brings into one, or out of it."""
        turned = column.count(self.slot_of(run), more, self._crowd)
        if not turned:
            return []
        return [row.run for row in column.rows if self.slot_of(row.run) in turned]

    def _seeing(self, key: str, column: Column, run: Run) -> Iterator[tuple[Run, Run | None]]:
        posting = self._by_key[key]
        for side, _, _ in column.pairs:
            for other in posting.get(side, {}).values():
                yield from column.seeing(run.posted, other.rows)

    def in_crowd(self, run: Run) -> bool:
        """Tell whether some crowd holds the run."""
        slot, rule = self.slot_of(run), run.rule.id
        for reach in run.reach:
            column = self.column(reach.key, reach.side, rule)
            if column is not None and column.counts and column.size(slot) > self._crowd:
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
        crowd, slot, rule = self._crowd, self.slot_of(run), run.rule.id
        for reach in run.reach:
            posting = self._by_key.get(reach.key)
            if posting is None:
                continue
            own = posting[reach.side][rule]
            if own.counts and own.size(slot) > crowd:
                continue
            for side, edge, is_first in own.pairs:
                for column in posting.get(side, {}).values():
                    if column is own and len(own.rows) == 1:
                        continue  # it is alone there
                    for row in column.near(run.posted, own):
                        if row.run is run:
                            continue
                        if column.counts and column.size(self.slot_of(row.run)) > crowd:
                            continue
                        yield reach, row, edge, is_first
