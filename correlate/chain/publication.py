"""Which knots are chains, when they are told, and under which ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Final, TypeAlias

from contract.event import Notice
from contract.records import Chain
from contract.timestamps import microseconds
from correlate.chain import state
from correlate.chain.graph import Graph
from correlate.chain.knots import Change
from correlate.chain.names import Name, Names
from correlate.chain.patterns import Pattern
from correlate.chain.runs import LEVEL_OF, Knot, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.story import chain_id
from correlate.chain.telling import Telling, digest

Output: TypeAlias = Chain | Notice

_AT_ONCE: Final = 32
"""Runs of a chain up to which each new one is published at once; a longer one when a quarter of it is new or gone, else after `refresh`: what is
published while a chain grows is then a few times the chain, however large it is."""


class Publication:
    """The knots of a graph as chains.

    Args:
        graph: whose.
        settings: spans.
        patterns: shapes that have names.
    """

    def __init__(self, graph: Graph, settings: LinkSettings, patterns: Sequence[Pattern]) -> None:
        self.names = Names()
        self.telling = Telling(graph, patterns)
        self._graph = graph
        self._settings = settings
        self._knots: dict[int, Knot] = {}
        self._changed: set[int] = set()
        self._due: list[tuple[int, int]] = []
        self._single = LEVEL_OF[settings.single_level]
        self._refresh_us = microseconds(settings.refresh)
        self._gap_us = microseconds(settings.run_gap)
        self._lateness_us = microseconds(settings.lateness)

    # -------------------------------------------------------------- when

    def settle(self, change: Change, now_us: int = 0, *, at_due: bool = False) -> list[Output]:
        """Give ids to what changed and tell it."""
        if change.full:
            self._graph.lost["chain_runs"] += len(change.full)
        if self._graph.words:
            self._graph.weave.respect(change)
        touched = change.touched
        for knot in self._graph.crowded_out():
            self.forget(knot)
            touched.discard(knot)
        for knot in [one for one in touched if one.names]:
            touched |= self._return_names(knot)
        empty: list[str] = []
        for knot in touched:
            self._changed.add(knot.number)
            if not knot.runs:
                self._knots.pop(knot.number, None)
                empty.extend(knot.names)
                knot.names = ()
        out: list[Output] = [self.names.withdraw(one) for one in sorted(empty)]
        for knot in _by_first([one for one in touched if one.runs]):
            self._knots[knot.number] = knot
            out.extend(self._publish(knot, now_us, at_due=at_due))
        return out

    def due(self, now_us: int) -> list[Output]:
        """Tell what is due; of one time by first alert, so that it does not show which knot was made first."""
        out: list[Output] = []
        while self._due and self._due[0][0] <= now_us:
            due_us = self._due[0][0]
            for knot in _by_first(self._fall_due(due_us)):
                if knot.due_us != due_us or not knot.runs:
                    continue  # told or taken in as an earlier one was
                knot.due_us = None
                is_final = now_us >= knot.last_us + self._lateness_us
                if is_final and self._is_told(knot) and not any(run.grown for run in knot.runs):
                    self._changed.add(knot.number)
                    continue
                if not knot.names and knot.last_us + self._gap_us > now_us:
                    self.later(knot)
                    continue
                self._changed.add(knot.number)
                change = Change()
                self._graph.ties.settle(knot, change)
                if change.touched:
                    out.extend(self.settle(change, now_us, at_due=True))
                else:
                    out.extend(self._publish(knot, now_us, at_due=True))
        return out

    def _fall_due(self, due_us: int) -> list[Knot]:
        found: list[Knot] = []
        while self._due and self._due[0][0] == due_us:
            _, number = heappop(self._due)
            knot = self._knots.get(number)
            if knot is not None and knot.runs and knot.due_us == due_us:
                found.append(knot)
        return found

    def wake_at(self) -> int | None:
        """Return when something is due."""
        return self._due[0][0] if self._due else None

    def later(self, knot: Knot) -> None:
        """Plan to look at a knot that only grew by repetitions; once planned, it is not put off.

        One that is no chain yet is looked at when its repetitions end.
        """
        if knot.due_us is None:
            wait_us = self._refresh_us if knot.names else self._gap_us
            self._plan(knot, knot.last_us + wait_us)

    def _plan(self, knot: Knot, due_us: int) -> None:
        if knot.due_us is None or knot.due_us > due_us:
            knot.due_us = due_us
            heappush(self._due, (due_us, knot.number))
            self._changed.add(knot.number)

    # -------------------------------------------------------------- what

    def _publish(self, knot: Knot, now_us: int, *, at_due: bool) -> Iterator[Output]:
        if not self._is_worth(knot):
            yield from map(self.names.withdraw, sorted(knot.names))
            knot.names = ()
            if len(knot.runs) == 1:
                self._graph.held.loosen(knot.first)
            if any(run.grown for run in knot.runs):
                self.later(knot)  # the knot may be a new one, of which nothing is planned yet
            return
        if not at_due and not self._is_material(knot):
            self.later(knot)
            return
        if not self._is_told(knot):
            yield from self._tell(knot, chain_id(knot.runs))
            knot.told_of = self.telling.of(knot)
        final_us = knot.last_us + self._lateness_us
        if not at_due or now_us < final_us:
            self._plan(knot, final_us)

    def _tell(self, knot: Knot, own: str) -> Iterator[Output]:
        """Tell a chain if anything is new, and what goes on as it."""
        known = self.names.get(own)
        revision = known.revision + 1 if known else 1
        chain = self.telling.chain(knot, revision)
        shown = digest(chain)
        if known is None or shown != known.shown or own not in knot.names:
            yield chain
            self.names.put(own, Name(knot.first.head, chain.revision, knot.last_us, shown=shown))
            knot.shown_runs = len(knot.runs)
            knot.shown_alerts = len(chain.alerts)
        for one in sorted([name for name in knot.names if name != own]):
            yield self.names.merge(one, own, chain)
        knot.names = (own,)

    def _is_told(self, knot: Knot) -> bool:
        """Tell whether a knot of a single run was told as it is; of others that shows in what would be told only."""
        told_of = knot.told_of
        return (
            told_of is not None
            and told_of == self.telling.of(knot)
            and knot.names == (chain_id(knot.runs),)
        )

    def _is_worth(self, knot: Knot) -> bool:
        """Tell whether a knot is a chain: two rules joined, or one alert that is grave enough by itself."""
        runs = knot.runs
        rule = next(iter(runs)).rule.id
        if any(run.rule.id != rule for run in runs) or self.telling.said(knot):
            return True
        # What names no peer and no process gives nothing to act on: alone it must be graver.
        if all(one.level - one.is_blind < self._single for one in runs):
            return False
        if len(runs) == 1 and self._graph.postings.in_crowd(*runs):
            self._graph.lost["crowd"] += 1
            return False
        return True

    def _is_material(self, knot: Knot) -> bool:
        size = len(knot.runs)
        if size <= _AT_ONCE or abs(size - knot.shown_runs) * 4 >= size:
            return True
        return knot.names != (chain_id(knot.runs),)

    # -------------------------------------------------------------- under which ids

    def _return_names(self, knot: Knot) -> set[Knot]:
        """Give each id of a knot to the knot that now holds its first alert."""
        moved: set[Knot] = set()
        for one in sorted(knot.names):
            run = self._graph.held.by_alert.get(self.names[one].anchor)
            if run is not None and run.knot is not knot:
                knot.names = tuple(name for name in knot.names if name != one)
                run.knot.names += (one,)
                moved.add(run.knot)
        return moved

    def anchor(self, one: str) -> Run | None:
        """Return the run with the first alert of the open chain that an id, or one merged into it, stands for."""
        found = self.names.follow(one)
        if found is None:
            return None
        goes_on, name = found
        run = self._graph.held.by_alert.get(name.anchor)
        return run if run is not None and goes_on in run.knot.names else None

    # -------------------------------------------------------------- forgetting, state

    def forget(self, knot: Knot) -> None:
        """Let go of a knot that the graph closed."""
        self._knots.pop(knot.number, None)
        self._changed.add(knot.number)

    def forget_names(self, before_us: int) -> None:
        """Drop ids that are older, and the oldest beyond the bound."""
        held = {one for knot in self._knots.values() for one in knot.names}
        over = self.names.forget(before_us, held, self._settings.max_names)
        if over:
            self._graph.lost["names"] += over

    def parts(self) -> dict[str, bytes | None]:
        """Return the parts of the state that changed."""
        parts: dict[str, bytes | None] = {}
        for number in sorted(self._changed):
            knot = self._knots.get(number)
            # A run that is no chain needs no part to say that it stands alone.
            alone = knot is None or (len(knot.runs) == 1 and not knot.names)
            parts[f"knot/{number}"] = None if alone or knot is None else state.knot_part(knot)
        self._changed.clear()
        for one, row in self.names.parts():
            parts[f"name/{one}"] = None if row is None else state.encode({"row": row})
        return parts

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Go on from the parts, after the graph did."""
        for run in self._graph.held.runs.values():
            knot = self._knots[run.knot.number] = run.knot
            if run.grown and len(knot.runs) == 1 and not knot.names:
                knot.due_us = run.last_us + self._gap_us
        rows: Iterable[tuple[str, Any]] = (
            (name.removeprefix("name/"), state.decode(name, data)["row"])
            for name, data in parts.items()
            if name.startswith("name/")
        )
        for one, row in rows:
            self.names.restore(one, row)
        self._due = [
            (knot.due_us, knot.number) for knot in self._knots.values() if knot.due_us is not None
        ]
        heapify(self._due)
        for number in sorted(self._knots):
            knot = self._knots[number]
            if len(knot.runs) == 1 and not knot.names:
                self._graph.held.loosen(knot.first)


def _by_first(knots: list[Knot]) -> list[Knot]:
    """Sort knots by their first alert."""
    return sorted(knots, key=lambda one: one.first) if len(knots) > 1 else knots
