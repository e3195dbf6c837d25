"""What one group of one rule holds: entries in event time, firings, episodes; and the questions that are asked of them.

Reporting, storing and deciding all work on this, and it knows none of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator

from correlate.window.entry import LAST_PART, Entry, Firing, Place, behind
from correlate.window.episode import Episode, Inner, Undecided
from correlate.window.facts import Facts
from correlate.window.grouping import SEPARATOR
from correlate.window.plan import Plan
from correlate.window.settings import WindowSettings

NEVER_FIRED: list[int | None] = []
NO_EPISODES: list[Episode] = []
"""Shared by all groups whose rule never held; never changed."""


class _Front:
    """What is looked at of every event. Python lays the slots of a base out first: these share a line of the processor's cache."""

    __slots__ = ("entries", "evaluator", "fires", "quick", "saved")


class Group(_Front):
    """State of one group.

    Args:
        plan: the rule.
        text: of the group: its group-by values.
        settings: bounds.
        facts: shared by all groups.

    Attributes:
        entries: in order of place.
        fires: for each entry, since when there is evidence; None where the rule does not hold. Empty: it never did.
        episodes: open ones, in order; most groups never have one.
        inner: alerts that are entries, by id.
        horizon: nothing earlier is taken any more; None: no bound of this group alone.
        sealed: end of the last episode that closed.
        wake: when to wake next.
        armed: when it is going to be woken; kept by whoever wakes it.
        cut: place of the last entry that a bound, not time, let go of since the last snapshot.
        quick: an entry that follows is taken by evaluating it, and nothing more is to be looked at; see `hasten`.
        decided: of what waits for deadlines: how far it has come.
        floor: end of the last frame that was let go of.
        retracted: alerts that were taken back: (revision, end of their evidence); kept while they could come again.
        dropped: entries let go of so far; not kept in snapshots.
        saved: so many of the first entries are stored as they are.
        since: stored entries from here on are void; None: all hold.
        head_dirty: what is not entries is to be stored.
        head_at: number of the stored part that holds the newest head; None: there is none.
        saved_wake: `wake` as stored.
        undecided: entries that wait to be decided; None: all are.
    """

    __slots__ = (
        "armed", "cut", "decided", "dropped", "episodes", "facts", "floor", "head_at", "head_dirty", "horizon", "inner",
        "plan", "retracted", "saved_wake", "sealed", "settings", "since", "text", "undecided",
        "wake",
    )  # fmt: skip

    def __init__(self, plan: Plan, text: str, settings: WindowSettings, facts: Facts) -> None:
        self.plan = plan
        self.text = text
        self.settings = settings
        self.facts = facts
        self.entries: list[Entry] = []
        self.fires = NEVER_FIRED
        self.dropped = 0
        self.saved = 0
        self.since: Place | None = None
        self.cut: Place | None = None
        self.armed: int | None = None
        self.saved_wake: int | None = None
        self.head_at: int | None = None
        self.evaluator = self.plan.evaluator()
        self.episodes = NO_EPISODES
        self.inner: dict[str, Inner] | None = None
        self.retracted: dict[str, tuple[int, int]] | None = None
        self.horizon: int | None = None
        self.sealed: int | None = None
        self.wake: int | None = None
        self.decided: int | None = None
        self.floor: int | None = None
        self.undecided: Undecided | None = None
        self.head_dirty = False
        self.quick = False

    @property
    def key(self) -> str:
        """Rule and group in one text; with the first event, the cause of alert ids."""
        return f"{self.plan.key}{SEPARATOR}{self.text}"

    def is_empty(self) -> bool:
        """Tell whether nothing is kept."""
        return not self.entries and not self.episodes and not self.retracted

    # -------------------------------------------------------------- firings

    def firings(self, after: Place | None) -> Iterator[Firing]:
        """Yield the firings after a place, in order."""
        at = 0 if after is None else bisect_left(self.entries, behind(after))
        for index in range(at, len(self.fires)):
            since = self.fires[index]
            if since is not None:
                entry = self.entries[index]
                yield entry[:3], since, entry[0]

    def last_firing(self, after: Place, before: Place) -> Firing | None:
        """Return the last firing between two places; None: there is none."""
        entries, fires = self.entries, self.fires
        at = min(bisect_left(entries, before), len(fires)) - 1
        while at >= 0 and entries[at][:3] > after:
            since = fires[at]
            if since is not None:
                return entries[at][:3], since, entries[at][0]
            at -= 1
        return None

    def touched_from(self, place: Place) -> Place:
        """Return the place from which firings can differ after a change at `place`."""
        return place

    def until(self, place: Place) -> int:
        """Return until when a firing at a place has evidence."""
        return place[0]

    # -------------------------------------------------------------- members

    def end_of(self, episode: Episode) -> Place:
        """Return the place before which the members of an episode end."""
        return behind(episode.last)

    def count(self, episode: Episode) -> int:
        """Return how many members an episode has, entries counted one each; O(log n)."""
        low = bisect_left(self.entries, (episode.start_us,))
        high = bisect_left(self.entries, self.end_of(episode))
        return high - low + (episode.past.count if episode.past is not None else 0)

    def members(
        self, episode: Episode, *, below: int | None = None, without: Collection[Place] = ()
    ) -> list[Entry]:
        """Return the kept entries that are evidence of an episode, in order.

        Args:
            episode: of this group.
            below: only of the first so many entries.
            without: entries at these places are left out.
        """
        low = bisect_left(self.entries, (episode.start_us,))
        high = bisect_left(self.entries, self.end_of(episode))
        found = self.entries[low : high if below is None else min(high, below)]
        unwanted = self.plan.unwanted
        if unwanted or without:
            return [e for e in found if e[1] not in unwanted and e[:3] not in without]
        return found

    def last_sealed(self, edge: Place) -> Place:
        """Return the place after which firings count: those of closed episodes do not."""
        if self.sealed is None or self.episodes:
            return edge
        return max(edge, (self.sealed, LAST_PART, ""))
