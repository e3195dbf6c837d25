"""How edges make knots: sets of runs that hold together, and so become chains.

Two knots become one by one strong edge or two independent medium ones. The rule is monotone, so the outcome is the
same in whatever order edges are found. Taking a run or an edge away dissolves the knot and ties it again, which may split it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from correlate.chain.edges import MEDIUM, STRONG, Tie
from correlate.chain.runs import Knot, Run, by_order

Find: TypeAlias = Callable[[Run], dict[Run, tuple[Tie, ...]]]
Sides: TypeAlias = Callable[[Run], dict[str, int]]


@dataclass(slots=True)
class Change:
    """What one step did to the knots.

    Attributes:
        touched: knots whose runs changed; some may be empty (taken in, or dissolved).
        full: pairs of knots, by number, that were not joined because the chain would be too large.
    """

    touched: set[Knot] = field(default_factory=set)
    full: set[tuple[int, int]] = field(default_factory=set)


class Weave:
    """Keeps knots closed under their rule.

    Args:
        find: the edges between a run and others, strongest first.
        max_runs: of one knot; a join that passes it is refused and counted.
        sides: on which sides of splits a run stands; no knot holds both sides of one.
    """

    def __init__(self, find: Find, max_runs: int, sides: Sides) -> None:
        self._find = find
        self._sides = sides
        self._max_runs = max_runs
        self.next_number = 1
        self.retied: set[Run] = set()
        """Runs whose edges changed since the snapshot took them."""

    def knot(self, run: Run) -> Knot:
        """Make a knot of one run."""
        knot = run.knot = Knot(self.next_number, {run}, self._sides(run))
        self.next_number += 1
        return knot

    def ban(self, knot: Knot) -> None:
        """Look up the sides on which a knot stands."""
        knot.bans = {}
        for run in knot.runs:
            knot.bans |= self._sides(run)

    def tie(self, run: Run, change: Change) -> None:
        """Find the edges of a run that is in a knot, and join what they join."""
        found = self._find(run)
        for other, ties in found.items():
            self._hold(run, other, ties)
        for other in sorted(found, key=by_order):
            self._count(run, other, change)

    def spare(self, one: Run, other: Run, key: str, between: Run) -> bool:
        """Let go of the edge of two runs through a thing, if a run between them holds both anyway; tell whether it does."""
        ties = one.ties.get(other, ())
        if not any(tie.key == key for tie in ties):
            return True
        if not (_is_strong(between, one) and _is_strong(between, other)):
            return False
        if any(sum(reach.key == key for reach in run.reach) > 1 for run in (one, other)):
            return False  # another side of the thing may join them yet
        rest = tuple(tie for tie in ties if tie.key != key)
        for run, peer in ((one, other), (other, one)):
            if rest:
                run.ties[peer] = rest
            else:
                del run.ties[peer]
        self.retied.add(one if other.number < one.number else other)
        return True

    def drop(self, run: Run, change: Change) -> None:
        """Take a run out, for good."""
        knot = run.knot
        self._untie(run)
        knot.runs.discard(run)
        change.touched.add(knot)
        self._again([knot], change)

    def retie(self, runs: Iterable[Run], change: Change) -> None:
        """Find the edges of these runs anew; their knots may split or join."""
        fresh = sorted(set(runs))
        if not fresh:
            return
        knots = {run.knot for run in fresh}
        for run in fresh:
            self._untie(run)
        for run in fresh:
            for other, ties in self._find(run).items():
                self._hold(run, other, ties)
        self._again(knots, change)
        for run in fresh:
            for other in sorted(run.ties, key=by_order):
                self._count(run, other, change)

    def forget(self, knot: Knot) -> None:
        """Take a closed knot out, with all its runs."""
        for run in knot.runs:
            self._untie(run)
        for other in knot.half:
            other.half.pop(knot, None)

    def restore(self, run: Run, other: Run, ties: tuple[Tie, ...]) -> None:
        """Put back an edge that was held, without joining anything."""
        run.ties[other] = ties
        other.ties[run] = ties
        if run.knot is not other.knot:
            self._halve(run, other)

    def _hold(self, run: Run, other: Run, ties: tuple[Tie, ...]) -> None:
        run.ties[other] = ties
        other.ties[run] = ties
        self.retied.add(run if other.number < run.number else other)

    def _untie(self, run: Run) -> None:
        for other in run.ties:
            other.ties.pop(run, None)
            self.retied.add(run if other.number < run.number else other)
        run.ties = {}
        run.partner = None

    def _again(self, knots: Iterable[Knot], change: Change) -> None:
        """Dissolve knots into single runs and tie these again by the edges they hold."""
        for run in sorted(self._dissolve(knots, change), key=by_order):
            for other in sorted(run.ties, key=by_order):
                self._count(run, other, change)

    def _dissolve(self, knots: Iterable[Knot], change: Change) -> list[Run]:
        """Leave each run in a knot of its own; return the runs."""
        runs: list[Run] = []
        for knot in knots:
            change.touched.add(knot)
            for partner in knot.half:
                partner.half.pop(knot, None)
            knot.half = {}
            runs.extend(knot.runs)
            ordered = sorted(knot.runs, key=by_order)
            for run in ordered[1:]:
                change.touched.add(self.knot(run))
            knot.runs = set(ordered[:1])
            self.ban(knot)
        return runs

    def respect(self, change: Change) -> None:
        """Tie anew what a split concerns, strongest edges first, so that the outcome is the same in any order.

        With splits the rule is not monotone any more: of two sides that would take in a run, the one that is tied to
        it most strongly does. O(edges of the runs that can be reached).
        """
        done: set[Run] = set()
        for knot in [one for one in change.touched if one.runs]:
            if knot.runs & done:
                continue
            runs = _reached(knot.runs)
            done |= runs
            if any(self._sides(run) for run in runs):
                self._dissolve({run.knot for run in runs}, change)
                for run, other in _by_strength(runs):
                    self._count(run, other, change)

    def _count(self, run: Run, other: Run, change: Change) -> None:
        """Take account of the edges between two runs."""
        one, two = run.knot, other.knot
        if one is two:
            return
        ties = run.ties[other]
        if ties[0].weight >= STRONG:
            self._join(one, two, change)
            return
        if len(self._halve(run, other)) > 1:
            self._join(one, two, change)

    def _halve(self, run: Run, other: Run) -> set[str]:
        """Note the medium edges between two runs with their knots; return all independent ones known."""
        one, two = run.knot, other.knot
        known = one.half.get(two, set())
        groups = {tie.edge.group for tie in run.ties[other] if tie.weight >= MEDIUM}
        if groups:
            known |= groups
            one.half[two] = two.half[one] = known
        return known

    def _join(self, one: Knot, two: Knot, change: Change) -> None:
        """Make one knot of two, and of all that this brings together."""
        waiting = [(one, two)]
        while waiting:
            one, two = waiting.pop()
            if one is two or not one.runs or not two.runs:
                continue
            if one.bans and any(two.bans.get(id, side) != side for id, side in one.bans.items()):
                continue  # a person parted them
            if len(one.runs) + len(two.runs) > self._max_runs:
                change.full.add((one.number, two.number))
                continue
            big, small = (one, two) if len(one.runs) >= len(two.runs) else (two, one)
            for run in small.runs:
                run.knot = big
            big.runs |= small.runs
            big.names += small.names
            big.bans |= small.bans
            small.runs, small.names = set(), ()
            change.touched |= {big, small}
            big.half.pop(small, None)
            small.half.pop(big, None)
            for other, groups in small.half.items():
                other.half.pop(small, None)
                known = big.half.get(other)
                if known is None:
                    known = big.half[other] = other.half[big] = set()
                known |= groups
                if len(known) > 1:
                    waiting.append((big, other))
            small.half = {}


def _is_strong(one: Run, other: Run) -> bool:
    ties = one.ties.get(other)
    return ties is not None and ties[0].weight >= STRONG and one.knot is other.knot


def _reached(runs: Iterable[Run]) -> set[Run]:
    """Return the runs that edges which can join lead to."""
    found = set(runs)
    waiting = list(found)
    while waiting:
        for other, ties in waiting.pop().ties.items():
            if other not in found and ties[0].weight >= MEDIUM:
                found.add(other)
                waiting.append(other)
    return found


def _by_strength(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Return the tied pairs, the strongest first; of equals the earliest."""
    pairs = [(run, other) for run in runs for other in run.ties if run < other]
    return sorted(
        pairs, key=lambda pair: (-pair[0].ties[pair[1]][0].weight, pair[1].order, pair[0].order)
    )
