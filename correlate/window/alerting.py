"""Episodes of one group, told as alerts with revisions.

An alert is told at once, told again as it grows (on a doubling schedule) and once more when its episode closes;
when late evidence takes its ground away, it is retracted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from typing import TypeAlias

from contract.event import Notice
from contract.ids import derive_id
from contract.records import Alert
from correlate.window import report
from correlate.window.entry import Place
from correlate.window.episode import Episode
from correlate.window.group import Group

Outputs: TypeAlias = list[Alert | Notice]

NONE_TOLD: Mapping[str, Alert] = {}
NOTHING: Outputs = []
"""Shared by all that have nothing to say; never changed."""


class Alerting(Group):
    """A group that tells its episodes."""

    __slots__ = ()

    def plan_wake(self) -> None:
        """Set when to wake next."""
        raise NotImplementedError

    # -------------------------------------------------------------- episodes

    def fire(self, place: Place, since: int, until: int) -> Episode:
        """Let a firing extend the last episode or begin one."""
        plan = self.plan
        self.head_dirty = True
        previous = self.episodes[-1] if self.episodes else None
        if (
            previous is not None
            and place[0] - previous.end_us <= plan.gap_us
            and place[0] - previous.fired[0] < plan.refire_us
        ):
            previous.last = place
            previous.end_us = until
            previous.changed = True
            return previous
        episode = self._new_episode(previous, place, since, until)
        if previous is not None:
            self.episodes.append(episode)
        else:
            self.episodes = [episode]
            self.plan_wake()
        return episode

    def _new_episode(
        self, previous: Episode | None, place: Place, since: int, until: int
    ) -> Episode:
        first = self.entries[bisect_left(self.entries, (since,))]
        causes = [self.key, first[2]]
        ended = previous.end_us if previous is not None else self.sealed
        if self.plan.each:
            # Each shares evidence with others, and none is told anew because a late event moves what it begins with.
            causes[1] = str(place[0])
        elif ended is not None and first[0] <= ended:
            # It shares evidence with the alert before it; its first firing tells them apart.
            causes.append(place[2])
        episode = Episode(
            id=derive_id("alert", *causes), fired=place, last=place, start_us=since, end_us=until
        )
        if self.retracted is not None and episode.id in self.retracted:
            episode.revision = self.retracted[episode.id][0]
        return episode

    def reconcile(
        self,
        place: Place,
        *,
        added: Collection[Place] = (),
        told: Mapping[str, Alert] = NONE_TOLD,
    ) -> Outputs:
        """Build the episodes anew that a change at `place` touches; tell the differences.

        Args:
            place: from here on it differs.
            added: places of entries that came since anything was told.
            told: alerts as they were told, for those that are retracted.
        """
        edge = self.touched_from(place)
        for episode in self.episodes:
            if episode.absorbed is not None and episode.absorbed.last_us >= edge[0]:
                episode.absorbed = None
        keep = len(self.episodes)
        while keep and self.episodes[keep - 1].fired >= edge:
            keep -= 1
        old = {episode.id: episode for episode in self.episodes[keep:]}
        self.episodes = self.episodes[:keep]
        start: Place = (edge[0], edge[1], "")
        if keep:
            keep -= 1
            start = max(start, self._truncate(self.episodes[keep], edge))
        for firing in self.firings(self.last_sealed(start)):
            self.fire(*firing)
        outputs: Outputs = []
        for episode in self.episodes[keep:]:
            earlier = old.pop(episode.id, None)
            if earlier is not None:
                _merge(episode, earlier)
                if self.plan.inner and episode.revision and earlier.fired[0] != episode.fired[0]:
                    # Outer correlations have it at that time; when it is over, that may be too late for them.
                    outputs.append(self.tell(episode, self.count(episode)))
                    continue
            outputs += self.tell_if_due(episode)
        gone = [self._retract(e, added, told) for e in old.values() if e.revision]
        if gone or outputs or old:
            self.head_dirty = True
            self.plan_wake()
        return [*gone, *outputs]

    def _truncate(self, episode: Episode, edge: Place) -> Place:
        """Take an episode back to its last firing before a place; return that firing's place."""
        if episode.last < edge:
            return episode.last
        if episode.past is not None and episode.past.last is not None:
            last, until = episode.past.last, episode.past.end_us
        else:
            last, until = episode.fired, self.until(episode.fired)
        found = self.last_firing(last, edge)
        if found is not None:
            last, _, until = found
        episode.last, episode.end_us = last, until
        episode.changed = True
        if episode.absorbed is not None and episode.absorbed.last_us > until:
            episode.absorbed = None
        self.head_dirty = True
        return last

    # -------------------------------------------------------------- telling

    def tell_if_due(self, episode: Episode) -> Outputs:
        """Tell an episode when it has grown as the schedule says, or carries what is new to outer correlations."""
        if self.plan.each and episode.revision and not self.plan.carried:
            return NOTHING  # only late entries add to it, and others with it: what they add is told at its close
        count = self.count(episode)
        if episode.told <= count < episode.next_count and not self._carries_more(episode):
            self._check_later(episode, count)
            return NOTHING
        return [self.tell(episode, count)]

    def tell(self, episode: Episode, count: int) -> Alert:
        """Tell the next revision of an episode that has so many members."""
        episode.revision += 1
        episode.told = count
        episode.changed = False
        while episode.next_count <= count:
            episode.next_count *= 2
        self._check_later(episode, count)
        self.head_dirty = True
        return report.alert(self, episode)

    def _check_later(self, episode: Episode, count: int) -> None:
        """Note before which entry no revision can be due: each after the last member adds at most one."""
        end = bisect_left(self.entries, self.end_of(episode))
        episode.check_at = self.dropped + end + episode.next_count - count

    def _carries_more(self, episode: Episode) -> bool:
        """Whether the newest member brings a value that an outer correlation groups by."""
        if not self.plan.carried:
            return False
        values = report.carried_of(self, episode)
        if episode.seen == values:
            return False
        episode.seen = values
        return True

    def _retract(
        self, episode: Episode, added: Collection[Place], told: Mapping[str, Alert]
    ) -> Alert:
        revision = episode.revision + 1
        if self.retracted is None:
            self.retracted = {}
        # Remembered as long as the episode could come again, which must go on from this revision.
        self.retracted[episode.id] = revision, episode.end_us
        if episode.id in told:
            return told[episode.id]
        return report.alert(self, episode, revision=revision, retracted=True, without=added)


def _merge(episode: Episode, earlier: Episode) -> None:
    """The same alert built anew: it goes on from what was told."""
    episode.revision = earlier.revision
    episode.told = earlier.told
    episode.next_count = earlier.next_count
    episode.past = earlier.past
    episode.seen = earlier.seen
