"""Many groups of one rule as one logic: found by one lookup, woken together, stored in one journal.

A group with too few entries to satisfy is no more than them: one entry, or a list in order; most groups never are more.
Everything else is a `Window`. Times at which entries are let go of are rounded, so that groups wake many at a time.
An entry that follows those before it and changes nothing else goes a short way through all of it, in `on_item`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import cast

from contract.event import Match, Notice
from contract.ports import UNCHANGED
from contract.records import Alert
from correlate.window import nested
from correlate.window.alarms import Alarms
from correlate.window.alerting import NOTHING, Outputs
from correlate.window.deadline import window_class
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Head
from correlate.window.journal import Journal
from correlate.window.known import Known, held, oldest
from correlate.window.notices import late_notice, overflow, refused
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.settings import WindowSettings
from correlate.window.trimming import trim_edge, trim_time
from correlate.window.window import Window, alone, late

NEVER_US = -(2**62)
"""A horizon before all events."""


class Shard:
    """Logic of the groups of one rule that share a stage key.

    Args:
        plan: the rule.
        key: of the stage.
        router: tells the groups of an item.
        settings: bounds.
        facts: shared by all groups.
    """

    __slots__ = (
        "alarms", "alone", "discarded", "estimates", "facts", "groups", "horizon", "journal", "key", "kind", "most",
        "now", "parts", "plan", "reach", "reader", "room", "router", "settings", "slot",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, key: str, router: Router, settings: WindowSettings, facts: Facts
    ) -> None:
        self.key = key
        self.router = router
        self.settings = settings
        self.facts = facts
        self.groups: dict[str, Known] = {}
        self.alarms = Alarms()
        self.now: int | None = None
        self.horizon = NEVER_US
        self.journal = Journal(key)
        self.discarded = False
        self.follow(plan)

    def follow(self, plan: Plan) -> None:
        """Go on under a plan that means the same."""
        self.plan = plan
        self.kind = window_class(plan)
        self.reader = plan.reader
        self.parts = plan.parts
        self.alone = plan.alone
        self.most = plan.max_events
        self.slot = plan.slot_us
        self.reach = plan.keep_us + plan.lateness_us
        self.room = min(plan.few - 1, plan.max_events)
        self.estimates = plan.correlation is not None and plan.correlation.type == "value_count"
        for known in self.groups.values():
            if isinstance(known, Window):
                known.plan = plan

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
        entry: Entry = (time, self.parts[match.rule], event.id, value, *facts.of(event))
        known = self.groups.get(group)
        if time < self.horizon or facts.held >= facts.most or known is None:
            return self._taken(group, known, entry)
        if isinstance(known, Window):
            return self._follow(group, known, entry)
        few = known if isinstance(known, list) else [known]
        last = few[-1]
        if len(few) >= self.room or (time <= last[0] and entry[:3] <= last[:3]):
            return self._taken(group, known, entry)
        if few is not known:
            self.groups[group] = few
        few.append(entry)
        facts.held += 1
        journal = self.journal
        journal.groups.append(group)
        journal.rows.append(entry)
        return UNCHANGED

    def _follow(self, group: str, window: Window, entry: Entry) -> Outputs:
        """Take an entry into a window; the short way when it just follows those stored."""
        step = window.quick
        entries = window.entries
        at = len(entries)
        if (
            step is None
            or window.saved != at
            or not 0 < at < self.most
            or (entry[0] <= entries[-1][0] and entry[:3] <= entries[-1][:3])
        ):
            return self._changed(group, window, window.put(entry))
        entries.append(entry)
        self.facts.held += 1
        since = step(entries, at)
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
        if window.wake != window.armed:
            self._arm(group, window)
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
            outputs: Outputs = [refused(self.plan_at_hand(), self.settings.max_keys)]
            if self.plan.is_fold:  # a detection is told even where no group can be kept
                outputs += alone(self.plan_at_hand(), group, self.settings, facts, entry)
            return outputs
        facts.groups += 1
        wake = (entry[0] + self.reach) // self.slot * self.slot + 2 * self.slot
        if self.alone is None or self.alone(entry[3]):
            window = self._open(group)
            outputs = window.put(entry)
            if wake <= facts.now:
                outputs = [*outputs, late_notice(window.plan)]
            self._settle(group, window)
            return outputs
        self.groups[group] = entry
        facts.held += 1
        self.journal.groups.append(group)
        self.journal.rows.append(entry)
        is_new_time = self.alarms.set(wake, group)
        if facts.held > facts.most:
            self._drop(group)  # the oldest of this group is all that can go
            return [overflow(self.plan, 1, f"max_all_events, {facts.most} in all groups")]
        if wake <= facts.now:
            return [late_notice(self.plan)]
        return NOTHING if is_new_time else UNCHANGED

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
        window.entries = [known] if isinstance(known, tuple) else known
        window.saved = len(window.entries)
        window.evaluator.reset(window.entries, window.saved)
        window.plan_wake()
        window.armed = trim_time(self.plan, window.entries[0][0])  # as it was armed before
        return window

    def _alert(self, group: str, alert: Alert) -> Outputs:
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
        self._settle(group, window)
        return outputs

    def _settle(self, group: str, window: Window) -> None:
        """After a window changed: forget it when it is empty, else see that it wakes."""
        if window.is_empty():
            self._drop(group)
        elif window.wake != window.armed:
            self._arm(group, window)

    def _drop(self, group: str) -> None:
        known = self.groups.pop(group)
        self.facts.groups -= 1
        if isinstance(known, Window):
            if known.armed is not None:
                self.alarms.unset(known.armed, group)
        else:
            self.facts.held -= held(known)
            self.alarms.unset(trim_time(self.plan, oldest(known)), group)
        self.journal.forget(group)
        if not self.groups:
            self._be_new()

    def _be_new(self) -> None:
        """Forget the time too: whether the host forgot the shard in between must not show."""
        self.alarms.clear()
        self.now, self.horizon = None, NEVER_US

    # -------------------------------------------------------------- time

    def _arm(self, group: str, window: Window) -> None:
        if window.armed is not None:
            self.alarms.unset(window.armed, group)
        window.armed = window.wake
        if window.wake is not None:
            self.alarms.set(window.wake, group)

    def arm_all(self) -> None:
        """Set the times at which groups wake, anew."""
        self.alarms.clear()
        for group, known in self.groups.items():
            if not isinstance(known, Window):
                self.alarms.set(trim_time(self.plan, oldest(known)), group)
            elif known.wake is not None:
                known.armed = known.wake
                self.alarms.set(known.wake, group)

    def wake_at(self) -> int | None:
        """Return when a group has something to do."""
        return self.alarms.next()

    def on_time(self, now_us: int) -> Iterable[Alert | Notice]:
        """Wake the groups that are due, earliest first, ties by their texts."""
        outputs: Outputs = []
        if self.discarded:
            self.discarded = False
            outputs.append(Notice("correlation_unknown_rules", label=self.plan.rule.id))
        self.facts.now = max(self.facts.now, now_us)
        wake = self.wake_at()
        if wake is None or wake > now_us:
            return outputs
        for group in self._due(now_us):
            outputs += self._wake(group, now_us)
        if self.groups:
            self.now = now_us
            self.horizon = now_us - self.plan.lateness_us
            self.journal.clock_dirty = True
        else:
            self._be_new()
        return outputs

    def _due(self, now_us: int) -> list[str]:
        """Let plain entries go whose time has come, and return the windows that are due, in order."""
        windows: list[str] = []
        edge = trim_edge(self.plan, now_us)
        for woken in self.alarms.due(now_us):
            due = []
            for group in woken:
                known = self.groups.get(group)
                if isinstance(known, Window):
                    due.append(group)
                    known.armed = None
                elif known is not None:
                    self._trim(group, known, edge)
            windows += sorted(due)
        return windows

    def _trim(self, group: str, known: Entry | list[Entry], edge: int) -> None:
        """Let entries go; what is stored of them is passed over by its time, see `recovery`."""
        count = 1 if isinstance(known, tuple) else bisect_left(known, (edge,))
        self.facts.held -= count
        if isinstance(known, tuple) or count == len(known):
            del self.groups[group]
            self.facts.groups -= 1
            return
        del known[:count]
        self.alarms.set(trim_time(self.plan, known[0][0]), group)

    def _wake(self, group: str, now_us: int) -> Outputs:
        window = cast("Window", self.groups[group])
        self.journal.touched[group] = window
        outputs = window.on_time(now_us)
        self._settle(group, window)
        return outputs

    # -------------------------------------------------------------- state

    def __len__(self) -> int:
        """Return how many groups hold something."""
        return len(self.groups)

    def is_empty(self) -> bool:
        """Tell whether no group holds anything."""
        return not self.groups

    def snapshot(self) -> dict[str, bytes | None]:
        """Return the parts that changed; see `correlate.window.journal`."""
        return self.journal.save(self.plan, self.groups, self.facts, self.now)

    def discard(self, parts: Iterable[str]) -> None:
        """Let stored parts go that mean nothing any more; be woken for it."""
        self.journal.discard(parts)
        self.discarded = True
        self.alarms.set(0, "")

    def restore(self, parts: Mapping[str, bytes]) -> bool:
        """Fill a new shard with what its snapshots left.

        Returns:
            False when the state was made by another version of the rule and was not taken.

        Raises:
            StoreError: a part is no state of ours, or of a later version.
        """
        found = self.journal.load(parts, self.plan, self.opened, self.facts)
        if found is None:
            return False
        self.now = found.now
        if self.now is not None:
            self.horizon = self.now - self.plan.lateness_us
        self.groups.update(found.groups)
        self.arm_all()
        self.facts.groups += len(self.groups)
        self.facts.held += sum(map(held, self.groups.values()))
        return True

    def opened(self, group: str, head: Head | None) -> Window:
        """Make a window for what was stored."""
        return self.kind(self.plan, group, self.settings, self.facts)
