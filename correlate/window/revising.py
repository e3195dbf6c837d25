"""Entries that go in or out before others: they and all that follow are decided again, and what that changes is told."""

from __future__ import annotations

from bisect import bisect_left

from correlate.window import report
from correlate.window.alerting import NOTHING, Alerting, Outputs
from correlate.window.entry import Entry, Place


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

    def _judge_anew(self, at: int) -> Outputs:
        """Decide the time of the newest entry again; it has been evaluated."""
        entry = self.entries[at]
        start = bisect_left(self.entries, (entry[0],))
        place = self.entries[start][:3]
        self.unsave(start, place)
        self.fires.append(None)
        self.evaluator.rewind(self.entries, start)
        self._decide_from(start)
        outputs = self.reconcile(place, added=entry[:3])
        self.plan_wake()
        return outputs

    def _insert(self, entry: Entry) -> Outputs:
        place = entry[:3]
        entries = self.entries
        at = bisect_left(entries, place)
        if at < len(entries) and entries[at][:3] == place:
            return NOTHING  # the same event again
        start, edge = self._begin(at, place)
        self.unsave(start, edge)
        self.evaluator.rewind(entries, start)
        entries.insert(at, entry)
        self.facts.held += 1
        if self.fires:
            self.fires.insert(at, None)
        self._decide_from(start)
        if not at:
            self.plan_wake()
        return self.reconcile(edge, added=place)

    def _begin(self, at: int, place: Place) -> tuple[int, Place]:
        """Return from which entry on to decide again after a change at one, and its place."""
        if not self.plan.whole:
            return at, place
        start = bisect_left(self.entries, (place[0],))
        first = self.entries[start][:3] if start < at else place
        return start, first

    def remove(self, place: Place) -> Outputs:
        """Take an entry out, and tell what that changes."""
        at = bisect_left(self.entries, place)
        if at >= len(self.entries) or self.entries[at][:3] != place:
            return NOTHING
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
        return self.reconcile(edge, told=told)

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
