"""Many groups of one rule as one logic: found by one lookup, woken together, stored in one journal.

A group that surely satisfies nothing yet is no more than its entries: one, or several in order (`young`); most groups never are more.
Everything else is a `Window`. Times at which entries are let go of are rounded, so that groups wake many at a time.
An entry that follows those before it and changes nothing else goes a short way through all of it, in `on_item`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from contract.event import Match, Notice
from contract.ports import UNCHANGED
from contract.records import Alert
from correlate.window import nested
from correlate.window.alerting import NOTHING, Outputs
from correlate.window.entry import Entry
from correlate.window.keeping import ALWAYS_US, Keeping
from correlate.window.known import Known
from correlate.window.notices import late_notice, overflow, refused
from correlate.window.plan import FEW_JUDGED, Plan
from correlate.window.trimming import wake_time
from correlate.window.window import Window, alone, late
from correlate.window.young import Young


class Shard(Keeping):
    """Logic of the groups of one rule that share a stage key; see `Keeping` for its arguments."""

    __slots__ = ()

    # -------------------------------------------------------------- items

    def on_item(self, item: Match | Alert) -> Iterable[Alert | Notice]:
        """Take a match, or an alert of a correlation that this one refers to."""
        router = self.router
        group = router.group
        if group is None or router.item is not item:
            return self._several(item)
        match: Match = item  # type: ignore[assignment]  # the router's group is of a match
        event = match.event
        value = None
        if self.reader is not None:
            value = self.reader(event.fields)
            if value is None:
                return (Notice("correlation_unusable_values", label=self.plan.rule.id),)
        time = event.time_us
        facts = self.facts
        kept, shape = facts.of(event)
        entry: Entry = (time, self.parts[match.rule], event.id, value, kept, shape)
        known = self.groups.get(group)
        follows = time > self.newest
        if follows:
            self.newest = time
        if known is None or time < self.horizon or facts.held >= facts.most:
            return self._taken(group, known, entry)
        if type(known) is Young:
            few = known
        elif type(known) is tuple:
            few = self._young(known)
        else:
            return self._follow(group, cast("Window", known), entry, follows)
        may = self.may
        if (
            len(few) >= self.room
            or not (follows or entry[:3] > few[-1][:3])
            or (may is not None and may(few, entry) and self._holds(few, entry))
        ):
            return self._taken(group, known, entry)
        if few is not known:
            self.groups[group] = few
        few.append(entry)
        facts.held += 1
        journal = self.journal
        journal.groups.append(group)
        journal.rows.append(entry)
        return UNCHANGED

    def _young(self, entry: Entry) -> Young:
        """Return the one entry of a group as a young one."""
        outlook = self.plan.outlook
        return Young((entry,), None if outlook is None else outlook.of((entry,)))

    def _holds(self, few: Young, entry: Entry) -> bool:
        """Tell whether the rule holds, or may hold, at an entry that follows others."""
        if not self.plan.judged or len(few) + 1 >= FEW_JUDGED:
            return True
        entries = [*few, entry]
        evaluator = self.plan.evaluator()
        evaluator.reset(entries, len(few))
        return evaluator.step(entries, len(few)) is not None

    def _follow(self, group: str, window: Window, entry: Entry, follows: bool) -> Outputs:
        """Take an entry into a window; the short way when it just follows those stored.

        Args:
            group: its text.
            window: that is kept of it.
            entry: to take.
            follows: it is later than all entries of all groups.
        """
        entries = window.entries
        at = len(entries)
        if (
            not window.quick
            or window.saved != at
            or not 0 < at < self.most
            or not (follows or self._is_behind(window, entry))
        ):
            return self._changed(group, window, window.put(entry))
        entries.append(entry)
        self.facts.held += 1
        since = window.evaluator.step(entries, at)
        journal = self.journal
        if since is not None:
            if not window.extend(entry, since):
                return self._changed(group, window, window.appended(at, since))
            journal.fired[len(journal.rows)] = since
        elif window.fires:
            window.fires.append(None)
        window.saved = at + 1
        journal.groups.append(group)
        journal.rows.append(entry)
        if self.estimates and window.evaluator.sketch is not None:
            return self._changed(group, window, NOTHING)
        return UNCHANGED

    def _is_behind(self, window: Window, entry: Entry) -> bool:
        """Tell whether an entry stands behind all others of its group, and changes nothing of what is said of them."""
        last = window.entries[-1]
        return entry[0] > last[0] or (
            entry[:3] > last[:3] and not (window.fires and self.plan.whole)
        )

    def _taken(self, group: str, known: Known | None, entry: Entry) -> Outputs:
        """The general way of an entry."""
        if entry[0] < self.horizon:
            return late(self.plan_at_hand(), group, self.settings, self.facts, entry)
        if known is None:
            return self._first(group, entry)
        window = self._window_of(group, known)
        return self._changed(group, window, window.put(entry))

    def _changed(self, group: str, window: Window, outputs: Outputs) -> Outputs:
        """After an entry came to a window: store it, wake it in time, count estimates."""
        self.journal.touched[group] = window
        if window.undecided is not None:
            self.waiting.add(group)
        if window.wake != window.armed:
            self.arm(group, window)
        if self.estimates and window.evaluator.sketch is not None:
            window.head_dirty = True
            return [*outputs, Notice("correlation_values_estimated", label=self.plan.rule.id)]
        return outputs

    def _several(self, item: Match | Alert) -> Outputs:
        """An item of several groups, or an alert."""
        outputs: Outputs = []
        router = self.router
        for group in router.groups_of(item, self.key):
            if type(item) is Match:
                router.group = group  # as if it were its only one
                outputs.extend(self.on_item(item))
            else:
                outputs += self._alert(group, cast("Alert", item))
        router.group = None
        return outputs

    def _first(self, group: str, entry: Entry) -> Outputs:
        """Take the first entry of a group."""
        facts = self.facts
        if facts.groups >= self.settings.max_keys:
            return self._refused(group, entry)
        facts.groups += 1
        wake = wake_time(self.plan, entry)
        if self.alone is None or self.alone(entry[3]):
            window = self._open(group)
            outputs: Outputs = window.put(entry)
            if wake <= facts.now:
                outputs = [*outputs, late_notice(window.plan)]
            self.settle(group, window)
            return outputs
        self.groups[group] = entry
        facts.held += 1
        self.journal.groups.append(group)
        self.journal.rows.append(entry)
        is_new_time = self.alarms.set(wake, group)
        if facts.held > facts.most:
            self.drop(group)  # the oldest of this group is all that can go
            return [overflow(self.plan, 1, f"max_all_events, {facts.most} in all groups")]
        if wake <= facts.now:
            return [late_notice(self.plan)]
        return NOTHING if is_new_time else UNCHANGED

    def _refused(self, group: str, entry: Entry) -> Outputs:
        """Count an entry for whose group there is no room; a detection is told even so."""
        plan, settings = self.plan_at_hand(), self.settings
        told = alone(plan, group, settings, self.facts, entry) if self.plan.is_fold else NOTHING
        return [refused(plan, settings.max_keys), *told]

    def plan_at_hand(self) -> Plan:
        """Return the plan for the item that is taken."""
        return self.plan

    def _open(self, group: str) -> Window:
        window = self.kind(self.plan_at_hand(), group, self.settings, self.facts)
        self.groups[group] = window
        self.journal.touched[group] = window
        return window

    def _window_of(self, group: str, known: Known) -> Window:
        """Return a group as a window."""
        if isinstance(known, Window):
            return known
        window = self.kind(self.plan, group, self.settings, self.facts)
        self.groups[group] = window
        window.entries = [known] if isinstance(known, tuple) else [*known]
        window.saved = len(window.entries)
        window.evaluator.reset(window.entries, window.saved)
        window.plan_wake()
        window.armed = wake_time(self.plan, window.entries[0])  # as it was armed before
        return window

    def _alert(self, group: str, alert: Alert) -> Outputs:
        # Alerts have their own times: from here on, each group is looked at.
        self.newest = ALWAYS_US
        known = self.groups.get(group)
        if known is None:
            if self.facts.groups >= self.settings.max_keys:
                return [refused(self.plan_at_hand(), self.settings.max_keys)]
            self.facts.groups += 1
            window = self._open(group)
        else:
            window = self._window_of(group, known)
        self.journal.touched[group] = window
        outputs = nested.take(window, alert, self.horizon)
        self.settle(group, window)
        return outputs
