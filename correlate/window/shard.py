"""Many groups of one rule as one logic: found by one lookup, woken together, stored in one journal.

A group with one entry that satisfies nothing alone is kept as that entry; most groups never are more. Everything
else is a `Window`. Times at which entries are let go of are rounded, so that groups wake many at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from contract.event import Match, Notice
from contract.records import Alert
from correlate.window import nested
from correlate.window.alarms import Alarms
from correlate.window.alerting import NOTHING, PLAIN, Outputs
from correlate.window.deadline import window_class
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Head
from correlate.window.journal import Journal
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.settings import WindowSettings
from correlate.window.window import Window, alone, late, late_notice, overflow, trim_time

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
        "alarms",
        "alone",
        "discarded",
        "estimates",
        "facts",
        "groups",
        "horizon",
        "journal",
        "key",
        "kind",
        "now",
        "parts",
        "plan",
        "reader",
        "router",
        "settings",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, key: str, router: Router, settings: WindowSettings, facts: Facts
    ) -> None:
        self.key = key
        self.router = router
        self.settings = settings
        self.facts = facts
        self.groups: dict[str, Entry | Window] = {}
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
        self.estimates = plan.correlation is not None and plan.correlation.type == "value_count"
        for known in self.groups.values():
            if isinstance(known, Window):
                known.plan = plan

    # -------------------------------------------------------------- items

    def on_item(self, item: Match | Alert) -> Iterable[Alert | Notice]:
        """Take a match, or an alert of a correlation that this one refers to."""
        router = self.router
        group = router.group if router.item is item else None
        if group is None or type(item) is not Match:
            return self._several(item)
        event = item.event
        time = event.time_us
        value = None
        if self.reader is not None:
            value = self.reader(event.fields)
            if value is None:
                return (Notice("correlation_unusable_values", label=self.plan.rule.id),)
        entry: Entry = (time, self.parts[item.rule], event.id, value, *self.facts.of(event))
        if time < self.horizon:
            return late(self.plan_at_hand(), group, self.settings, self.facts, entry)
        known = self.groups.get(group)
        if known is None:
            return self._first(group, entry)
        window = self._window_of(group, known) if isinstance(known, tuple) else known
        outputs = window.put(entry)
        if outputs is PLAIN:
            self.journal.groups.append(group)
            self.journal.rows.append(entry)
            if not self.estimates or window.evaluator.sketch is None:
                return outputs
        self.journal.touched[group] = window
        if window.wake != window.armed:
            self._arm(group, window)
        if self.estimates and window.evaluator.sketch is not None:
            window.head_dirty = True
            outputs = [*outputs, Notice("correlation_values_estimated", label=self.plan.rule.id)]
        return outputs

    def _several(self, item: Match | Alert) -> Outputs:
        """The general way: an item of several groups, or an alert."""
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
        if self.facts.groups >= self.settings.max_keys:
            outputs: Outputs = [self._full()]
            if self.plan.is_fold:  # a detection is told even where no group can be kept
                outputs += alone(self.plan_at_hand(), group, self.settings, self.facts, entry)
            return outputs
        self.facts.groups += 1
        if self.alone is not None and not self.alone(entry[3]):
            self.groups[group] = entry
            self.facts.held += 1
            self.journal.groups.append(group)
            self.journal.rows.append(entry)
            wake = trim_time(self.plan, entry[0])
            self.alarms.set(wake, group)
            if self.facts.held <= self.settings.max_all_events:
                return NOTHING if wake > self.facts.now else [late_notice(self.plan)]
            self._drop(group)  # the oldest of this group is all that can go
            return [
                overflow(
                    self.plan, 1, f"max_all_events, {self.settings.max_all_events} in all groups"
                )
            ]
        window = self._open(group)
        outputs = window.put(entry)
        if trim_time(self.plan, entry[0]) <= self.facts.now:
            outputs = [*outputs, late_notice(window.plan)]
        self._settle(group, window)
        return outputs

    def plan_at_hand(self) -> Plan:
        """Return the plan for the item that is taken."""
        return self.plan

    def _open(self, group: str) -> Window:
        window = self.kind(self.plan_at_hand(), group, self.settings, self.facts)
        self.groups[group] = window
        self.journal.touched[group] = window
        return window

    def _window_of(self, group: str, entry: Entry) -> Window:
        """Make a group of one entry a window."""
        window = self.kind(self.plan, group, self.settings, self.facts)
        self.groups[group] = window
        window.entries.append(entry)
        window.evaluator.step(window.entries, 0)
        window.plan_wake()
        window.armed = trim_time(self.plan, entry[0])  # as it was armed when its entry came
        window.saved = 1
        return window

    def _full(self) -> Notice:
        most = self.settings.max_keys
        return Notice(
            "correlation_groups_refused", 1, self.plan_at_hand().rule.id,
            f"more than {most} groups (max_keys): events of new ones take no part",
        )  # fmt: skip

    def _alert(self, group: str, alert: Alert) -> Outputs:
        known = self.groups.get(group)
        if known is None:
            if self.facts.groups >= self.settings.max_keys:
                return [self._full()]
            self.facts.groups += 1
            window = self._open(group)
        else:
            window = self._window_of(group, known) if isinstance(known, tuple) else known
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
        if isinstance(known, tuple):
            self.facts.held -= 1
            self.alarms.unset(trim_time(self.plan, known[0]), group)
        elif known.armed is not None:
            self.alarms.unset(known.armed, group)
        self.journal.forget(group)
        if not self.groups:
            # As new: whether the host forgot it in between must not show.
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
            if isinstance(known, tuple):
                self.alarms.set(trim_time(self.plan, known[0]), group)
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
        return outputs

    def _due(self, now_us: int) -> list[str]:
        """Let single entries go whose time has come, and return the windows that are due, in order."""
        due = []
        for _, group in self.alarms.due(now_us):
            known = self.groups.get(group)
            if isinstance(known, Window):
                due.append(group)
                known.armed = None
            elif known is not None:
                self._drop(group)
        return due

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
        self.groups.update(found.singles)
        self.groups.update(found.windows)
        self.arm_all()
        self.facts.groups += len(self.groups)
        self.facts.held += len(found.singles)
        self.facts.held += sum(len(one.entries) for one in found.windows.values())
        return True

    def opened(self, group: str, head: Head | None) -> Window:
        """Make a window for what was stored."""
        return self.kind(self.plan, group, self.settings, self.facts)
