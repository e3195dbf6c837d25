"""The state machine of one group of one rule: entries in event time, firings, episodes, alerts.

What comes out is a function of the set of entries within the allowed lateness, not of their order: entries
are kept sorted, a late one is put where it belongs, and what follows it is decided again. An alert is told
at once, told again as it grows (on a doubling schedule) and once more when its episode closes; when late
evidence takes its ground away, it is retracted.

Two times govern what is kept. The *horizon* is the watermark less the allowed lateness: nothing earlier
can come. The *cut* is the horizon less the time frame: nothing earlier can matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, cast

from contract.event import Match, Notice
from contract.ids import derive_id
from contract.records import Alert
from correlate.window import nested, report, state
from correlate.window.episode import Episode, Inner, Place
from correlate.window.evaluate import Entry
from correlate.window.plan import Facts, Plan
from correlate.window.settings import WindowSettings

Outputs: TypeAlias = list[Alert | Notice]
Firing: TypeAlias = tuple[Place, int, int]

_NONE: Mapping[str, Alert] = {}
_PART = 2**31
_NOTHING: Outputs = []
"""Shared by all that have nothing to say; never changed."""


class Window:
    """Logic of one group whose rule is decided at its events.

    Args:
        plan: the rule.
        key: of the group; with the first event, the cause of alert ids.
        settings: bounds.
        facts: shared by all groups.
    """

    waits = False
    """Whether what the rule says of an entry is only known later."""

    __slots__ = (
        "counted",
        "cut",
        "decided",
        "dirty",
        "entries",
        "episodes",
        "evaluator",
        "facts",
        "fires",
        "floor",
        "fresh",
        "headed",
        "header_dirty",
        "horizon",
        "inner",
        "key",
        "plan",
        "retracted",
        "saved_wake",
        "sealed",
        "settings",
        "stale",
        "stored",
        "taken",
        "wake",
    )  # fmt: skip

    def __init__(self, plan: Plan, key: str, settings: WindowSettings, facts: Facts) -> None:
        self.plan = plan
        self.key = key
        self.settings = settings
        self.facts = facts
        self.evaluator = plan.evaluator()
        self.entries: list[Entry] = []
        self.fires: list[int | None] = []
        self.episodes: tuple[Episode, ...] = ()  # most groups never have one
        self.inner: dict[str, Inner] | None = None
        self.horizon: int | None = None
        self.sealed: int | None = None
        self.wake: int | None = None
        self.cut: Place | None = None
        self.decided: int | None = None
        self.floor: int | None = None
        self.retracted: dict[str, int] | None = None
        self.dirty: int | None = None
        self.fresh: int | None = None
        self.stored: list[state.Stored] = []
        self.header_dirty = False
        self.taken = 0
        self.counted = False
        self.headed = False
        self.saved_wake: int | None = None
        self.stale: tuple[str, ...] = ()

    # -------------------------------------------------------------- port

    def on_item(self, item: Match | Alert) -> Iterable[Alert | Notice]:
        """Take a match, or an alert of a correlation that this one refers to."""
        if type(item) is not Match:  # isinstance of a pydantic model costs more than all the rest
            return nested.take(self, cast("Alert", item))
        plan = self.plan
        event = item.event
        value = None
        if plan.reader is not None:
            value = plan.reader(event.fields)
            if value is None:
                return [Notice("correlation_unusable_values", label=plan.rule.id)]
        part = plan.parts[item.rule]
        outputs = self.put((event.time_us, part, event.id, value, self.facts.of(event)))
        if self.evaluator.sketch is not None:
            self.header_dirty = True
            return [*outputs, Notice("correlation_values_estimated", label=plan.rule.id)]
        return outputs

    def on_time(self, now_us: int) -> Iterable[Alert | Notice]:
        """Close episodes that nothing can extend any more, and let go of what cannot matter."""
        outputs: Outputs = []
        horizon = now_us - self.plan.lateness_us
        if self.horizon is None or horizon > self.horizon:
            self._close(horizon, outputs)
            self._trim(horizon)
        self.begin_if_empty()
        self.plan_wake()
        self.header_dirty = True
        return outputs

    def begin_if_empty(self) -> None:
        """Go back to the state of a new group: whether the host forgot it in between must not show."""
        if not self.is_empty():
            return
        self.header_dirty = True
        self.wake = None
        if self.evaluator.sketch is None:
            self.evaluator.reset((), 0)
        else:
            self.evaluator = self.plan.evaluator()
        if self.counted:
            self.facts.groups -= 1
            self.counted = False
        self.horizon = self.sealed = self.decided = self.floor = None
        self.cut = self.retracted = self.inner = None

    def discard(self, parts: Iterable[str]) -> None:
        """Let stored parts go that mean nothing any more, at the next snapshot; wake for it."""
        self.stale = tuple(parts)
        self.wake = 0

    def count_in(self) -> None:
        """Note that this group holds something now."""
        if not self.counted:
            self.facts.groups += 1
            self.counted = True

    def wake_at(self) -> int | None:
        """Return when something can close or be let go of; O(1)."""
        return self.wake

    def is_empty(self) -> bool:
        """Tell whether nothing is kept."""
        return not self.entries and not self.episodes

    def snapshot(self) -> dict[str, bytes | None]:
        """Return the parts that changed; see `correlate.window.state`."""
        return state.save(self)

    # -------------------------------------------------------------- entries

    def put(self, entry: Entry) -> Outputs:
        """Put an entry where it belongs, and tell what that changes."""
        entries = self.entries
        time = entry[0]
        if self.horizon is not None and time < self.horizon:
            return self._too_late(entry)
        if self.wake is None:
            self.count_in()
            self.plan_wake(time)
        self.taken += 1
        at = len(entries)
        if not at or entries[-1][0] < time or entries[-1][:3] < entry[:3]:
            if self.fresh is None:
                self.fresh = at
            entries.append(entry)
            self.facts.held += 1
            since = self.evaluator.step(entries, at)
            self.fires.append(since)
            outputs = _NOTHING if since is None and not self.waits else self._advance(at, since)
        else:
            self.touch(time)
            outputs = self._insert(entry)
        if at >= self.plan.max_events or self.facts.held > self.settings.max_all_events:
            outputs = [*outputs, self._overflow()]
        return outputs

    def _advance(self, at: int, since: int | None) -> Outputs:
        """Go on after an entry was put at the end."""
        if since is None:
            return _NOTHING
        entry = self.entries[at]
        episode = self._fire(entry[:3], since, entry[0])
        if self.taken < episode.check_at and not self.plan.carried:
            return _NOTHING  # too few entries came since the members were last counted
        return self._tell_if_due(episode)

    def _insert(self, entry: Entry) -> Outputs:
        place = entry[:3]
        entries = self.entries
        at = bisect_left(entries, place)
        if at < len(entries) and entries[at][:3] == place:
            return []  # the same event again
        self.evaluator.rewind(entries, at)
        entries.insert(at, entry)
        self.facts.held += 1
        self.fires.insert(at, None)
        self._decide_from(at)
        return self._reconcile(place, added=place)

    def remove(self, place: Place) -> Outputs:
        """Take an entry out, and tell what that changes."""
        at = bisect_left(self.entries, place)
        if at >= len(self.entries) or self.entries[at][:3] != place:
            return []
        told = {
            episode.id: report.alert(self, episode, revision=episode.revision + 1, retracted=True)
            for episode in self.episodes
            if episode.revision and episode.end_us >= place[0]
        }
        self.touch(place[0])
        self.evaluator.rewind(self.entries, at)
        del self.entries[at]
        self.facts.held -= 1
        del self.fires[at]
        self._decide_from(at)
        return self._reconcile(place, told=told)

    def _decide_from(self, at: int) -> None:
        """Evaluate entries from `at` to the end again."""
        step, entries, fires = self.evaluator.step, self.entries, self.fires
        for index in range(at, len(entries)):
            since = step(entries, index)
            fires[index] = since

    # -------------------------------------------------------------- episodes

    def firings(self, after: Place | None) -> Iterator[Firing]:
        """Yield (place, first evidence time, last evidence time) of the firings after a place, in order."""
        at = 0 if after is None else bisect_left(self.entries, behind(after))
        for index in range(at, len(self.entries)):
            since = self.fires[index]
            if since is not None:
                entry = self.entries[index]
                yield entry[:3], since, entry[0]

    def touched_from(self, place: Place) -> Place:
        """Return the place from which firings can differ after a change at `place`."""
        return place

    def _fire(self, place: Place, since: int, until: int) -> Episode:
        """Let a firing extend the last episode or begin one."""
        plan = self.plan
        self.header_dirty = True
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
        self.episodes += (episode,)
        self.plan_wake()
        return episode

    def _new_episode(
        self, previous: Episode | None, place: Place, since: int, until: int
    ) -> Episode:
        first = self.entries[bisect_left(self.entries, (since,))]
        causes = [self.key, first[2]]
        ended = previous.end_us if previous is not None else self.sealed
        if ended is not None and first[0] <= ended:
            # It shares evidence with the alert before it; its first firing tells them apart.
            causes.append(place[2])
        episode = Episode(
            id=derive_id("alert", *causes), fired=place, last=place, start_us=since, end_us=until
        )
        if self.retracted is not None:
            episode.revision = self.retracted.get(episode.id, 0)
        return episode

    def _reconcile(
        self, place: Place, *, added: Place | None = None, told: Mapping[str, Alert] = _NONE
    ) -> Outputs:
        """Build the episodes anew that a change at `place` touches; tell the differences."""
        edge = self.touched_from(place)
        keep = len(self.episodes)
        while keep and self.episodes[keep - 1].fired >= edge:
            keep -= 1
        old = {episode.id: episode for episode in self.episodes[keep:]}
        self.episodes = self.episodes[:keep]
        start: Place = (edge[0], edge[1], "")
        if keep:
            keep -= 1
            start = max(start, self._truncate(self.episodes[keep], edge))
        for firing in self.firings(self._unsealed(start)):
            self._fire(*firing)
        outputs: Outputs = []
        for episode in self.episodes[keep:]:
            earlier = old.pop(episode.id, None)
            if earlier is not None:
                _merge(episode, earlier)
            outputs += self._tell_if_due(episode)
        gone = [self._retract(e, added, told) for e in old.values() if e.revision]
        if gone or outputs or old:
            self.header_dirty = True
            self.plan_wake()
        return [*gone, *outputs]

    def _truncate(self, episode: Episode, edge: Place) -> Place:
        """Take an episode back to its last firing before a place; return that firing's place."""
        newest = episode.last
        if newest < edge:
            return newest
        if episode.past is not None and episode.past.last is not None:
            last, until = episode.past.last, episode.past.end_us
        else:
            last, until = episode.fired, self.until(episode.fired)
        for place, _, end in self.firings(last):
            if place >= edge or place > newest:
                break
            last, until = place, end
        episode.last, episode.end_us = last, until
        episode.changed = True
        return last

    def until(self, place: Place) -> int:
        """Return until when a firing at a place has evidence."""
        return place[0]

    def end_of(self, episode: Episode) -> Place:
        """Return the place before which the members of an episode end."""
        return behind(episode.last)

    def _unsealed(self, edge: Place) -> Place:
        """Return the place after which firings count: those of closed episodes do not."""
        if self.sealed is None or self.episodes:
            return edge
        return max(edge, (self.sealed, _PART, ""))

    # -------------------------------------------------------------- telling

    def _tell_if_due(self, episode: Episode) -> Outputs:
        count = self.count(episode)
        if episode.told <= count < episode.next_count and not self._carries_more(episode):
            episode.check_at = self.taken + episode.next_count - count
            return _NOTHING
        return [self.tell(episode, count)]

    def count(self, episode: Episode) -> int:
        """Return how many members an episode has, entries counted one each; O(log n)."""
        low = bisect_left(self.entries, (episode.start_us,))
        high = bisect_left(self.entries, self.end_of(episode))
        return high - low + (episode.past.count if episode.past is not None else 0)

    def tell(self, episode: Episode, count: int) -> Alert:
        """Tell the next revision of an episode that has so many members."""
        episode.revision += 1
        episode.told = count
        episode.changed = False
        while episode.next_count <= count:
            episode.next_count *= 2
        episode.check_at = self.taken + episode.next_count - count
        self.header_dirty = True
        return report.alert(self, episode)

    def _carries_more(self, episode: Episode) -> bool:
        """Whether the newest member brings a value that an outer correlation groups by."""
        if not self.plan.carried:
            return False
        values = report.carried_of(self, episode)
        if episode.seen == values:
            return False
        episode.seen = values
        return True

    def _retract(self, episode: Episode, added: Place | None, told: Mapping[str, Alert]) -> Alert:
        revision = episode.revision + 1
        if self.retracted is None:
            self.retracted = {}
        self.retracted[episode.id] = revision
        if episode.id in told:
            return told[episode.id]
        return report.alert(self, episode, revision=revision, retracted=True, without=added)

    def _too_late(self, entry: Entry) -> Outputs:
        """An event came later than allowed: counted; a detection's is still told, as an alert of its own."""
        plan = self.plan
        notice = Notice(
            "correlation_late_events", label=plan.rule.id,
            text=f"rule {plan.rule.id}: an event came later than the allowed lateness",
        )  # fmt: skip
        if not plan.is_fold:
            return [notice]
        alone = Window(plan, self.key, self.settings, self.facts)
        return [notice, *alone.put(entry)]

    # -------------------------------------------------------------- time

    def _close(self, horizon: int, outputs: Outputs) -> None:
        while self.episodes:
            episode = self.episodes[0]
            if episode.end_us + self.plan.close_us >= horizon:
                return
            if episode.changed:
                outputs.append(self.tell(episode, self.count(episode)))
            self.sealed = episode.end_us
            self.horizon = horizon
            self.header_dirty = True
            self.episodes = self.episodes[1:]

    def _trim(self, horizon: int) -> None:
        count = bisect_left(self.entries, (horizon - self.plan.keep_us,))
        if count:
            self.horizon = horizon
            self._drop(count)
        if not self.episodes and self.retracted:
            self.retracted = None

    def _drop(self, count: int) -> None:
        """Let the first `count` entries go; members among them are told of in their episodes' past."""
        for episode in self.episodes:
            report.fold_past(self, episode, count)
        self.evaluator.trim(self.entries, count)
        if self.inner is not None:
            for index in range(count):
                self.inner.pop(self.entries[index][2], None)
        self.cut = self.entries[count - 1][:3]
        self.header_dirty = True
        del self.entries[:count]
        self.facts.held -= count
        del self.fires[:count]
        if self.fresh is not None:
            self.fresh = max(0, self.fresh - count)

    def _overflow(self) -> Notice:
        """Let the oldest eighth go, counted: a bound was passed."""
        plan = self.plan
        count = max(1, len(self.entries) // 8)
        edge = self.entries[min(count, len(self.entries) - 1)][0]
        self._drop(count)
        self.horizon = edge if self.horizon is None else max(self.horizon, edge)
        bound = f"max_events, {plan.max_events} in one group"
        if len(self.entries) + count <= plan.max_events:
            bound = f"max_all_events, {self.settings.max_all_events} in all groups"
        return Notice(
            "correlation_events_dropped", count, plan.rule.id,
            f"rule {plan.rule.id}: {bound}; the oldest are only counted",
        )  # fmt: skip

    def plan_wake(self, time: int | None = None) -> None:
        """Set when to wake next: an episode may close, or a quarter of what is kept can go."""
        plan = self.plan
        wake = None
        oldest = self.entries[0][0] if self.entries else time
        if oldest is not None:
            # A quarter more than must be kept: groups are trimmed now and then, not with each event.
            wake = oldest + plan.keep_us + plan.lateness_us + max(plan.keep_us // 4, 1_000_000)
        if self.episodes:
            closes = self.episodes[0].end_us + plan.close_us + plan.lateness_us + 1
            wake = closes if wake is None else min(wake, closes)
        self.wake = wake

    def touch(self, time: int) -> None:
        """Note that the entries from a time on must be stored again."""
        if self.dirty is None or time < self.dirty:
            self.dirty = time


def behind(place: Place) -> Place:
    """Return a place that lies after `place` and before every other one after it."""
    return place[0], place[1], place[2] + "\x00"


def _merge(episode: Episode, earlier: Episode) -> None:
    """The same alert built anew: it goes on from what was told."""
    episode.revision = earlier.revision
    episode.told = earlier.told
    episode.next_count = earlier.next_count
    episode.past = earlier.past
    episode.seen = earlier.seen
