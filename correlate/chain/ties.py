"""The edges that hold between the runs of a graph: found when a run comes, and again where something changed.

A run is found by what it reaches. Who comes may wake members of a crowd that are at rest, may make or end a crowd, and may stand
between two who saw each other; who is so disturbed is joined anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from contract.timestamps import microseconds
from correlate.chain.edges import Tie, strongest
from correlate.chain.holding import Holding
from correlate.chain.joining import Joining
from correlate.chain.knots import Change, Weave
from correlate.chain.postings import Lost, Postings
from correlate.chain.resting import Resting
from correlate.chain.rests import Rest
from correlate.chain.runs import Knot, Reach, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.surroundings import Surroundings
from correlate.chain.weighing import Weighing
from correlate.chain.words import Words


class Ties:
    """Edges by the table, by coincidence and by persons' words.

    Args:
        held: the runs.
        around: what they reach.
        weighing: how unusual they are.
        settings: bounds and spans.

    Attributes:
        postings: who shares what.
        resting: members of crowds that nobody asks for.
        words: what persons said of runs.
        weave: which runs the edges hold together.
    """

    def __init__(
        self, held: Holding, around: Surroundings, weighing: Weighing, settings: LinkSettings
    ) -> None:
        lifetime_us = microseconds(settings.lifetime)
        self._held = held
        self._around = around
        self._weighing = weighing
        self.postings = Postings(settings.crowd, lifetime_us)
        self._joining = Joining(self.postings, around.hubs, lifetime_us)
        self.resting = Resting(self.postings, weighing.baseline, around, settings)
        self.words = Words()
        self.weave = Weave(self._find, settings.max_chain_runs, self._sides)

    def _find(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        """Return the edges between a run and each other, strongest first."""
        found = self._joining.ties(run)
        for other, ties in self._weighing.ties(run).items():
            found[other] = tuple(sorted((*found.get(other, ()), *ties), key=strongest))
        for alert, tie in self.words.joined(run.members):
            told = self._held.by_alert.get(alert)
            if told is not None and told is not run:
                found[told] = tuple(sorted((*found.get(told, ()), tie), key=strongest))
        return found

    def _sides(self, run: Run) -> dict[str, int]:
        return self.words.sides(run.members)

    # -------------------------------------------------------------- a run comes, changes, goes

    def enter(self, run: Run, change: Change) -> None:
        """Join a new run, which is held and weighed already, to what it shares things with."""
        change.touched.add(self.weave.knot(run))
        run.reach = self._around.reach(run)
        self._call(run, change)
        disturbed, lost = self.postings.add(run)
        if disturbed:
            self.weave.retie({run, *disturbed}, change)
        else:
            self.weave.tie(run, change)
        self._part(lost, run, change)
        run.grown = False

    def again(self, run: Run, change: Change) -> None:
        """Join a run anew that changed in what it shares, or in when it began."""
        change.touched.add(run.knot)
        before, reach = run.reach, self._around.reach(run)
        stays = _places(before) & _places(reach) if run.posted == run.order else frozenset()
        disturbed = self.postings.remove(run, stays)
        run.reach = reach
        self._call(run, change)
        more, lost = self.postings.add(run, stays)
        self.weave.retie({run, *disturbed, *more}, change)
        self._part(lost, run, change)
        run.grown = False
        self._held.changed[run.number] = run
        self.wake(self.resting.uneasy(run.rule.id, before), change)

    def _part(self, lost: Iterable[Lost], run: Run, change: Change) -> None:
        """Join anew who lost sight of whom, as a run came between them, where that does not hold both."""
        apart = {row[0] for row in lost if not self.weave.spare(*row, run)}
        self.weave.retie(apart, change)

    def reach_again(self, runs: Iterable[Run], change: Change) -> None:
        """Join anew the runs that something new can be reached from."""
        for run in sorted(runs):
            if run.number in self._held.runs and self._around.reach(run) != run.reach:
                self.again(run, change)

    def leave(self, run: Run, change: Change) -> None:
        """Take a run out that is held no more, as if it had never come."""
        disturbed = self.postings.remove(run).union(self._weighing.take_back(run))
        self.weave.drop(run, change)
        self.weave.retie(disturbed - {run}, change)
        self.wake(self.resting.uneasy(run.rule.id, run.reach), change)

    def settle(self, knot: Knot, change: Change) -> None:
        """Look again for the edges of runs that grew."""
        grown = [run for run in knot.runs if run.grown]
        if grown:
            change.touched.add(knot)
            self.weave.retie(grown, change)
        for run in grown:
            run.grown = False
            self._held.changed[run.number] = run

    # -------------------------------------------------------------- members of crowds

    def wake(self, rests: Iterable[Rest | None], change: Change) -> None:
        """Make runs of members of crowds that were at rest."""
        for rest in list(dict.fromkeys(rests)):
            if rest is not None:
                run = self.resting.wake(rest, self._held.number())
                self._held.hold(run)
                self._weighing.hold(run)
                self.enter(run, change)

    def _call(self, run: Run, change: Change) -> None:
        """Wake whom a run can be joined to."""
        if self.resting.rests:
            self.wake((self.resting.rests.of_key(reach.key) for reach in run.reach), change)


def _places(reaches: Iterable[Reach]) -> frozenset[tuple[str, str]]:
    return frozenset((reach.key, reach.side) for reach in reaches)
