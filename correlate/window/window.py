"""The state machine of one group of one rule: entries in event time, and what they say.

What comes out is a function of the set of entries within the allowed lateness, not of their order: entries
are kept sorted, a late one is put where it belongs, and what follows it is decided again.

Two times govern what is kept. The *horizon* is the watermark less the allowed lateness: nothing earlier
can come. The *cut* is the horizon less the time frame: nothing earlier can matter.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from contract.event import Notice
from correlate.window import report
from correlate.window.alerting import NOTHING, Outputs
from correlate.window.distinct import DistinctValues
from correlate.window.entry import Entry
from correlate.window.episode import Episode
from correlate.window.facts import Facts
from correlate.window.grouping import lookup
from correlate.window.notices import late_notice, overflow
from correlate.window.plan import Plan
from correlate.window.revising import Revising
from correlate.window.settings import WindowSettings
from correlate.window.trimming import gone, wake_time


class Window(Revising):
    """Logic of one group whose rule is decided at its events.

    Attributes:
        waits: what it says of an entry may wait for time.
    """

    __slots__ = ()
    waits: ClassVar[bool] = False

    def __init__(self, plan: Plan, text: str, settings: WindowSettings, facts: Facts) -> None:
        super().__init__(plan, text, settings, facts)
        self.hasten()

    @override
    def hasten(self) -> None:
        self.quick = not self.waits and self.horizon is None and self.undecided is None

    # -------------------------------------------------------------- entries

    def put(self, entry: Entry) -> Outputs:
        """Put an entry where it belongs, and tell what that changes."""
        entries = self.entries
        time = entry[0]
        if self.horizon is not None and time < self.horizon:
            return late(self.plan, self.text, self.settings, self.facts, entry)
        facts = self.facts
        at = len(entries)
        if self.undecided is not None or (
            at and entries[-1][0] >= time and entries[-1][:3] >= entry[:3]
        ):
            outputs = self.insert(entry)
        else:
            entries.append(entry)
            facts.held += 1
            since = self.evaluator.step(entries, at)
            outputs = self.undo(at) if self.undoes(at, since) else self.appended(at, since)
        if at >= self.plan.max_events or facts.held > facts.most:
            return [*outputs, *self.decide(), self._overflow()]
        return outputs

    def _brings(self, episode: Episode, entry: Entry) -> bool:
        """Tell whether an entry may bring values to an episode that outer correlations group by."""
        names, known = self.plan.carried, episode.seen
        if not names:
            return False
        if known is None or self.inner is not None:
            return True
        fields, most = self.facts.read(*entry[4:]), self.settings.max_carried
        for name in names:
            value = lookup(fields, name)
            told = known.get(name, [])
            for one in value if isinstance(value, list) else (value,):
                if one is not None and one not in told and len(told) < most:
                    return True
        return False

    def extend(self, entry: Entry, since: int) -> bool:
        """Take a firing of the newest entry into the last episode, if that is all that is to be done.

        What is stored of the entry says as much: the head need not be stored anew.
        """
        episodes = self.episodes
        if not episodes or not self.fires:
            return False
        episode = episodes[-1]
        plan = self.plan
        time = entry[0]
        if (
            self.dropped + len(self.entries) >= episode.check_at
            or time - episode.end_us > plan.gap_us
            or time - episode.fired[0] >= plan.refire_us
            or plan.carried
        ):
            return False
        self.fires.append(since)
        episode.last = entry[:3]
        episode.end_us = time
        episode.changed = True
        return True

    def appended(self, at: int, since: int | None) -> Outputs:
        """Go on after an entry was put at the end and evaluated."""
        if not at:
            self.plan_wake()
        if self.fires:
            self.fires.append(since)
        elif since is not None:
            self.fires = [*[None] * at, since]
        return self.advance(at, since)

    def advance(self, at: int, since: int | None) -> Outputs:
        """Go on after an entry was put at the end; where nothing waits, only when the rule held there."""
        if since is None:
            return NOTHING
        entry = self.entries[at]
        episode = self.fire(entry[:3], since, entry[0])
        if self.dropped + at + 1 < episode.check_at and not self._brings(episode, entry):
            return NOTHING  # too few entries came since the members were last counted
        return self.tell_if_due(episode)

    # -------------------------------------------------------------- time

    def on_time(self, now_us: int) -> Outputs:
        """Close episodes that nothing can extend any more, and let go of what cannot matter."""
        outputs = [*self.decide()]
        horizon = now_us - self.plan.lateness_us
        self._close(horizon, outputs)
        count = gone(self.plan, self.entries, now_us, self._open_us())
        if count:
            self.drop(count)
        if self.retracted is not None:
            self._forget_retracted(horizon)
        self.plan_wake()
        return outputs

    def _open_us(self) -> int | None:
        """Return when the first of the open alerts began, where that holds entries."""
        if not self.plan.later:
            return None
        return min((one.start_us for one in self.episodes), default=None)

    def _close(self, horizon: int, outputs: Outputs) -> None:
        closed = 0
        for episode in self.episodes:
            if episode.end_us + self.plan.close_us >= horizon:
                break
            if episode.changed:
                outputs.append(self.tell(episode, self.count(episode)))
            self.sealed = episode.end_us
            self.head_dirty = True
            closed += 1
        del self.episodes[:closed]

    def _forget_retracted(self, horizon: int) -> None:
        known = self.retracted or {}
        kept = {
            id: (revision, end)
            for id, (revision, end) in known.items()
            if end + self.plan.close_us >= horizon
        }
        if len(kept) < len(known):
            self.retracted = kept or None
            self.head_dirty = True

    def drop(self, count: int) -> None:
        """Let the first `count` entries go; members among them are told of in their episodes' past."""
        for episode in self.episodes:
            report.fold_past(self, episode, count)
            self.head_dirty = True
        self.evaluator.trim(self.entries, count)
        if self.inner is not None:
            for index in range(count):
                self.inner.pop(self.entries[index][2], None)
            self.head_dirty = True
        self.saved = max(0, self.saved - count)
        self.dropped += count
        del self.entries[:count]
        self.facts.held -= count
        del self.fires[:count]

    def _overflow(self) -> Notice:
        """Let the oldest eighth go, counted: a bound was passed."""
        plan = self.plan
        count = max(1, len(self.entries) // 8)
        edge = self.entries[min(count, len(self.entries) - 1)][0]
        if isinstance(self.evaluator, DistinctValues):
            self.evaluator.lose(self.entries, count)
        self.cut = self.entries[count - 1][:3]
        self.drop(count)
        self.horizon = edge if self.horizon is None else max(self.horizon, edge)
        self.head_dirty = True
        self.hasten()
        bound = f"max_events, {plan.max_events} in one group"
        if len(self.entries) + count <= plan.max_events:
            bound = f"max_all_events, {self.settings.max_all_events} in all groups"
        self.plan_wake()
        return overflow(plan, count, bound)

    @override
    def plan_wake(self) -> None:
        """Set when to wake next: an episode may close, or something that is kept can go."""
        plan = self.plan
        wake = wake_time(plan, self.entries[0], self._open_us()) if self.entries else None
        ends = [end for _, end in self.retracted.values()] if self.retracted is not None else []
        if self.episodes:
            ends.append(self.episodes[0].end_us)
        if ends:
            closes = min(ends) + plan.close_us + plan.lateness_us + 1
            wake = closes if wake is None else min(wake, closes)
        if self.undecided is not None and self.undecided.due is not None:
            wake = self.undecided.due if wake is None else min(wake, self.undecided.due)
        self.wake = wake


def alone(plan: Plan, text: str, settings: WindowSettings, facts: Facts, entry: Entry) -> Outputs:
    """Tell an entry by itself, without keeping it."""
    window = Window(plan, text, settings, facts)
    outputs = window.put(entry)
    facts.held -= len(window.entries)
    return outputs


def late(plan: Plan, text: str, settings: WindowSettings, facts: Facts, entry: Entry) -> Outputs:
    """Count an event that came later than allowed; a detection's is still told, as an alert of its own."""
    told = alone(plan, text, settings, facts, entry) if plan.is_fold else NOTHING
    return [late_notice(plan), *told]
