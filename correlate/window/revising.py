"""Entries that go in or out before others: they and all that follow are decided again, and what that changes is told.

In a flood that would cost more with each entry: a log by the second gives thousands one time, a clock that is behind puts
each before thousands. So where many would be decided again, the new ones wait until they are a share of those, or time
goes on, and are decided together. What is told in the end is the same; what is told in between is less.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import cast

from correlate.window import report
from correlate.window.alerting import NOTHING, Alerting, Outputs
from correlate.window.entry import Entry, Place
from correlate.window.episode import Undecided
from correlate.window.trimming import wake_time

AT_ONCE = 256
"""So few entries are decided again for each that comes."""

SHARE = 4
"""Beyond that, for each that comes so many; or after this part of the time that they take."""


class Revising(Alerting):
    """A group whose entries change in the midst."""

    __slots__ = ()

    def undoes(self, at: int, since: int | None) -> bool:
        """Tell whether the newest entry changes what is said of others of its own time."""
        entries = self.entries
        return bool(
            self.fires
            and self.plan.whole
            and entries[at - 1][0] == entries[at][0]
            and (since is None) != (self.fires[-1] is None)
        )

    def undo(self, at: int) -> Outputs:
        """Decide the time of the newest entry again; it has been evaluated."""
        place = self.entries[at][:3]
        self.fires.append(None)
        self._go_back(at, place)
        return self._decide_or_wait(place)

    def insert(self, entry: Entry) -> Outputs:
        """Put an entry where it belongs, before others or behind ones that are not decided."""
        place = entry[:3]
        entries = self.entries
        at = bisect_left(entries, place)
        if at < len(entries) and entries[at][:3] == place:
            return NOTHING  # the same event again
        self._go_back(at, place)
        entries.insert(at, entry)
        self.facts.held += 1
        if self.fires:
            self.fires.insert(at, None)
        if not at:
            self.wake_by(wake_time(self.plan, entry))
        return self._decide_or_wait(place)

    def _go_back(self, at: int, place: Place) -> None:
        """Let nothing be decided from an entry on, whose place a change is at."""
        start, edge = self._begin(at, place)
        undecided = self.undecided
        if undecided is None:
            self.undecided = Undecided(edge, [])
        elif edge < undecided.edge:
            undecided.edge = edge
        else:
            self.unsave(at, place)
            return
        self.unsave(start, edge)
        self.evaluator.rewind(self.entries, start)
        if self.fires:
            self.fires[start:] = [None] * (len(self.fires) - start)

    def _decide_or_wait(self, place: Place) -> Outputs:
        """After an entry came behind the edge: decide, unless too much would be decided again for too little that is new."""
        undecided, entries = cast("Undecided", self.undecided), self.entries
        places, edge = undecided.places, undecided.edge
        places.append(place)
        if len(entries) - bisect_left(entries, edge) <= AT_ONCE + SHARE * len(places):
            return self.decide()
        self.head_dirty = True
        self.quick = False
        if undecided.due is None:
            newest = entries[-1][0]
            undecided.due = newest + 1 + (newest - edge[0]) // SHARE
            undecided.wake = self.wake
            self.wake_by(undecided.due)
        return NOTHING

    def decide_due(self, now_us: int) -> Outputs:
        """Decide what waited until now; or let it wait once more, for a share of how far time is ahead of it.

        A flood that comes behind time would else be decided again at each step that time takes.
        """
        undecided = cast("Undecided", self.undecided)
        later = now_us + (now_us - self.entries[-1][0]) // SHARE
        if undecided.put_off or later <= now_us:
            return self.decide()
        undecided.due, undecided.put_off = later, True
        self.wake = undecided.wake
        self.wake_by(wake_time(self.plan, self.entries[0]))
        self.wake_by(later)
        self.head_dirty = True
        return NOTHING

    def decide(self) -> Outputs:
        """Decide what waits, and tell what that changes."""
        undecided = self.undecided
        if undecided is None:
            return NOTHING
        self.undecided = None
        if undecided.due is not None:
            self.head_dirty = True
            self.wake = undecided.wake
            self.wake_by(wake_time(self.plan, self.entries[0]))
            self.hasten()
        start = bisect_left(self.entries, undecided.edge)
        self.unsave(start, undecided.edge)  # it may have been stored while it waited
        self._decide_from(start)
        return self.reconcile(undecided.edge, added=frozenset(undecided.places))

    def _begin(self, at: int, place: Place) -> tuple[int, Place]:
        """Return from which entry on to decide again after a change at one, and its place."""
        if not self.plan.whole:
            return at, place
        start = bisect_left(self.entries, (place[0],))
        first = self.entries[start][:3] if start < at else place
        return start, first

    def wake_by(self, time: int) -> None:
        """See that the group is woken at a time or before."""
        if self.wake is None or time < self.wake:
            self.wake = time

    def hasten(self) -> None:
        """Note whether entries that follow can go the short way."""
        raise NotImplementedError

    def remove(self, place: Place) -> Outputs:
        """Take an entry out, and tell what that changes."""
        decided = self.decide()
        at = bisect_left(self.entries, place)
        if at >= len(self.entries) or self.entries[at][:3] != place:
            return decided
        told = {
            episode.id: report.alert(self, episode, revision=episode.revision + 1, retracted=True)
            for episode in self.episodes
            if episode.revision and episode.end_us >= place[0]
        }
        start, edge = self._begin(at, place)
        self.unsave(start, edge)
        self.evaluator.rewind(self.entries, start)
        del self.entries[at]
        self.facts.held -= 1
        if self.fires:
            del self.fires[at]
        self._decide_from(start)
        if not at:
            self.plan_wake()
        return decided + self.reconcile(edge, told=told)

    def _decide_from(self, at: int) -> None:
        """Evaluate entries from `at` to the end again."""
        step, entries = self.evaluator.step, self.entries
        for index in range(at, len(entries)):
            since = step(entries, index)
            if since is not None and not self.fires:
                self.fires = [None] * len(entries)
            if self.fires:
                self.fires[index] = since
        if self.fires and self.plan.whole:
            self._void(at)

    def _void(self, at: int) -> None:
        """Of times at which the rule holds only before all of their entries are counted, let nothing hold."""
        entries, fires = self.entries, self.fires
        holds, time = False, None
        for index in range(len(entries) - 1, at - 1, -1):
            if entries[index][0] != time:
                time, holds = entries[index][0], fires[index] is not None
            elif not holds:
                fires[index] = None

    def unsave(self, at: int, place: Place) -> None:
        """Note that stored entries from a place on, the one at index `at`, are to be stored again."""
        if at < self.saved:
            self.saved = at
            if self.since is None or place < self.since:
                self.since = place
