"""Columns of the index: the runs of one rule that have one thing on one side, in order of time.

What a column answers is a function of the runs that it holds, never of the order in which they came:

- **Crowds.** More than `crowd` runs close together in time are a crowd. They are counted by slots of half a lifetime, a slot
  together with its two neighbours; what expired still counts, until nobody can ask for its slot any more.
- **Who is near.** Of a long column a run sees those that came just before it, and those later ones that see it likewise.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from correlate.chain.edges import Edge
from correlate.chain.runs import Reach, Run

NEAREST: Final = 16
"""Runs of one rule at one thing that a later one is compared with."""
HELD_NEAREST: Final = 2
"""The same where they are joined to each other by that very thing, so that a later one is joined to all through these."""


class Row(NamedTuple):
    """A run in a column, at the place that it had in time when it was indexed."""

    first_us: int
    head: str
    run: Run
    reach: Reach

    @property
    def order(self) -> tuple[int, str]:
        """What rows are sorted by."""
        return self[:2]


class Column:
    """Runs of one rule through one thing, on one side.

    Args:
        pairs: the edges that it may have: (other side, edge, whether this side comes first).
        can_crowd: whether many of them are a flood.
        nearest: how many of them a later one is compared with.
    """

    __slots__ = ("can_crowd", "counts", "nearest", "over", "pairs", "rows")

    def __init__(
        self,
        pairs: tuple[tuple[str, Edge, bool], ...] = (),
        *,
        can_crowd: bool = True,
        nearest: int = NEAREST,
    ) -> None:
        self.pairs = pairs
        self.can_crowd = can_crowd
        self.nearest = nearest
        self.rows: list[Row] = []
        self.counts: dict[int, int] = {}
        """By slot; empty where many are no crowd."""
        self.over: dict[int, int] = {}
        """How many of them are over: no run stands for them any more."""

    def add(self, row: Row) -> None:
        """Take a run in."""
        rows = self.rows
        if not rows or row[:2] > rows[-1][:2]:
            rows.append(row)
        else:
            insort(rows, row, key=_order)

    def remove(self, order: tuple[int, str], run: Run) -> bool:
        """Take a run out; tell whether it was in."""
        place = bisect_left(self.rows, order, key=_order)
        if place == len(self.rows) or self.rows[place].run is not run:
            return False
        del self.rows[place]
        return True

    def near(self, order: tuple[int, str], own: Column) -> Iterator[Row]:
        """Yield the runs that one in the column `own` sees, or that see it: later ones last."""
        rows, peers = self.rows, own.rows
        if len(rows) <= self.nearest and len(peers) <= own.nearest:
            yield from rows
            return
        at = bisect_left(rows, order, key=_order)
        yield from rows[max(0, at - self.nearest) : at]
        last = bisect_left(peers, order, key=_order) + own.nearest
        end = bisect_right(rows, peers[last].order, key=_order) if last < len(peers) else len(rows)
        yield from rows[at:end]

    def seeing(
        self, order: tuple[int, str], others: Sequence[Row]
    ) -> Iterator[tuple[Run, Run | None]]:
        """Yield (run, who is out of its sight) for those of another column who see a row that has come at this time.

        Where one has gone, they are those who saw it; nobody is out of sight.
        """
        rows = self.rows
        if len(rows) < self.nearest:
            return
        first = bisect_right(others, order, key=_order)
        last = bisect_right(rows, order, key=_order) + self.nearest - 1
        end = (
            bisect_right(others, rows[last].order, key=_order) if last < len(rows) else len(others)
        )
        for row in others[first:end]:
            lost = bisect_left(rows, row.order, key=_order) - self.nearest - 1
            yield row.run, rows[lost].run if lost >= 0 else None

    # -------------------------------------------------------------- crowds

    def count(self, slot: int, more: int, crowd: int) -> list[int]:
        """Count in a slot; return the slots that became a crowd by it, or are none any more."""
        counts = self.counts
        counts[slot] = counts.get(slot, 0) + more
        if not counts[slot]:
            del counts[slot]
        edge = crowd + 1 if more > 0 else crowd
        return [one for one in (slot - 1, slot, slot + 1) if self.size(one) == edge]

    def tally(self, slot: int, more: int) -> None:
        """Count in a slot where it is known that no crowd begins or ends by it."""
        self.counts[slot] = self.counts.get(slot, 0) + more

    def size(self, slot: int) -> int:
        """Return how many runs stand beside one in a slot, itself included."""
        counts = self.counts
        return counts.get(slot - 1, 0) + counts.get(slot, 0) + counts.get(slot + 1, 0)

    def end(self, slot: int) -> None:
        """Note that a run of a slot is over; it counts on."""
        self.over[slot] = self.over.get(slot, 0) + 1

    def is_asked(self, slot: int) -> bool:
        """Tell whether a run that is not over counts beside a slot."""
        return any(
            self.counts.get(one, 0) > self.over.get(one, 0) for one in (slot - 1, slot, slot + 1)
        )

    def forget(self, slot: int) -> None:
        """Count no more what is over."""
        self.count(slot, -self.over.pop(slot), 0)


def _order(row: Row) -> tuple[int, str]:
    return row[:2]
