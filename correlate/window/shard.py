"""Many groups of one rule as one logic: found by one lookup, woken together, stored in one journal.

A group with one entry that satisfies nothing alone is kept as that entry; most groups never are more. Everything
else is a `Window`. Times at which entries are let go of are rounded, so that groups wake many at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from typing_extensions import override

from contract.event import Fields, Match, Notice
from contract.records import Alert
from correlate.window import nested
from correlate.window.alerting import NOTHING, PLAIN, Outputs
from correlate.window.deadline import window_class
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Head, rule_of
from correlate.window.journal import Journal
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.sensor import SensorRule, sensor_rule
from correlate.window.settings import WindowSettings
from correlate.window.window import Window, alone, late, overflow, trim_time

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
        "slots",
        "times",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, key: str, router: Router, settings: WindowSettings, facts: Facts
    ) -> None:
        self.key = key
        self.router = router
        self.settings = settings
        self.facts = facts
        self.groups: dict[str, Entry | Window] = {}
        self.times: list[int] = []
        self.slots: dict[int, set[str]] = {}
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
            return late(self._plan(), group, self.settings, self.facts, entry)
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
                router.item, router.group = item, group
                outputs.extend(self.on_item(item))
            else:
                outputs += self._alert(group, cast("Alert", item))
        router.item = None
        return outputs

    def _first(self, group: str, entry: Entry) -> Outputs:
        """Take the first entry of a group."""
        if self.facts.groups >= self.settings.max_keys:
            outputs: Outputs = [self._full()]
            if self.plan.is_fold:  # a detection is told even where no group can be kept
                outputs += alone(self._plan(), group, self.settings, self.facts, entry)
            return outputs
        self.facts.groups += 1
        if self.alone is not None and not self.alone(entry[3]):
            self.groups[group] = entry
            self.facts.held += 1
            self.journal.groups.append(group)
            self.journal.rows.append(entry)
            self._wake_at(trim_time(self.plan, entry[0]), group)
            if self.facts.held <= self.settings.max_all_events:
                return NOTHING
            self._drop(group)  # the oldest of this group is all that can go
            return [
                overflow(
                    self.plan, 1, f"max_all_events, {self.settings.max_all_events} in all groups"
                )
            ]
        window = self._open(group)
        outputs = window.put(entry)
        self._settle(group, window)
        return outputs

    def _plan(self) -> Plan:
        """Return the plan for what is at hand."""
        return self.plan

    def _open(self, group: str) -> Window:
        window = self.kind(self._plan(), group, self.settings, self.facts)
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
            "correlation_groups_refused", 1, self._plan().rule.id,
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
            self._let_sleep(trim_time(self.plan, known[0]), group)
        elif known.armed is not None:
            self._let_sleep(known.armed, group)
        self.journal.forget(group)
        if not self.groups:
            # As new: whether the host forgot it in between must not show.
            self.times.clear()
            self.slots.clear()
            self.now, self.horizon = None, NEVER_US

    # -------------------------------------------------------------- time

    def _arm(self, group: str, window: Window) -> None:
        if window.armed is not None:
            self._let_sleep(window.armed, group)
        window.armed = window.wake
        if window.wake is not None:
            self._wake_at(window.wake, group)

    def _wake_at(self, time: int, group: str) -> None:
        slot = self.slots.get(time)
        if slot is None:
            self.slots[time] = {group}
            heapq.heappush(self.times, time)
        else:
            slot.add(group)

    def _let_sleep(self, time: int, group: str) -> None:
        slot = self.slots.get(time)
        if slot is not None:
            slot.discard(group)
            if not slot:
                del self.slots[time]

    def wake_at(self) -> int | None:
        """Return when a group has something to do; never a time of the past, which a restart would not know."""
        times = self.times
        while times and times[0] not in self.slots:
            heapq.heappop(times)
        return times[0] if times else None

    def on_time(self, now_us: int) -> Iterable[Alert | Notice]:
        """Wake the groups that are due, earliest first, ties by their texts."""
        outputs: Outputs = []
        if self.discarded:
            self.discarded = False
            outputs.append(Notice("correlation_unknown_rules", label=self.plan.rule.id))
        wake = self.wake_at()
        if wake is None or wake > now_us:
            return outputs
        for _, group in self._due(now_us):
            outputs += self._wake(group, now_us)
        if self.groups:
            self.now = now_us
            self.horizon = now_us - self.plan.lateness_us
            self.journal.clock_dirty = True
        return outputs

    def _due(self, now_us: int) -> list[tuple[int, str]]:
        """Let single entries go whose time has come, and return the windows that are due, in order."""
        due: list[tuple[int, str]] = []
        while (time := self.wake_at()) is not None and time <= now_us:
            for group in sorted(self.slots.pop(time)):
                known = self.groups.get(group)
                if isinstance(known, Window):
                    due.append((time, group))
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

    def is_empty(self) -> bool:
        """Tell whether no group holds anything."""
        return not self.groups

    def snapshot(self) -> dict[str, bytes | None]:
        """Return the parts that changed; see `correlate.window.journal`."""
        return self.journal.save(self.plan, self.groups, self.facts, self.now)

    def fits(self, plan: Plan) -> bool:
        """Tell whether what the groups hold means the same under another plan of their rule."""
        return self.plan.digest == plan.digest and self.kind is window_class(plan)

    def renew(self, plan: Plan, router: Router, facts: Facts) -> None:
        """Go on under another plan, at rest after a snapshot, counted among other groups."""
        held = self._uncount()
        facts.held += held
        facts.groups += len(self.groups)
        for group, known in self.groups.items():
            self.groups[group] = self._moved(known, facts)
        self.router, self.facts = router, facts
        self.follow(plan)

    def _moved(self, known: Entry | Window, facts: Facts) -> Entry | Window:
        """Return a group whose facts have the shapes of others."""
        shapes = self.facts.shapes
        if isinstance(known, Window):
            known.entries = [
                (*one[:4], *facts.named(one[4], shapes[one[5]])) for one in known.entries
            ]
            known.facts = facts
            return known
        return (*known[:4], *facts.named(known[4], shapes[known[5]]))

    def leave(self) -> tuple[str, ...]:
        """Let go of all groups; return the parts that may be stored of them."""
        self._uncount()
        return self.journal.names()

    def _uncount(self) -> int:
        """Take the groups out of what all hold; return how many entries they have."""
        held = sum(
            len(one.entries) if isinstance(one, Window) else 1 for one in self.groups.values()
        )
        self.facts.held -= held
        self.facts.groups -= len(self.groups)
        return held

    def discard(self, parts: Iterable[str]) -> None:
        """Let stored parts go that mean nothing any more; be woken for it."""
        self.journal.discard(parts)
        self.discarded = True
        self._wake_at(0, "")

    def restore(self, parts: Mapping[str, bytes]) -> bool:
        """Fill a new shard with what its snapshots left.

        Returns:
            False when the state was made by another version of the rule and was not taken.

        Raises:
            StoreError: a part is no state of ours, or of a later version.
        """
        opened = self.journal.load(parts, self.plan, self._opened, self.facts)
        if opened is None:
            return False
        self.now, windows, singles = opened
        if self.now is not None:
            self.horizon = self.now - self.plan.lateness_us
        for group, entry in singles.items():
            self.groups[group] = entry
            self._wake_at(trim_time(self.plan, entry[0]), group)
        for group, window in windows.items():
            self.groups[group] = window
            self._arm(group, window)
        self.facts.groups += len(self.groups)
        self.facts.held += len(singles) + sum(len(one.entries) for one in windows.values())
        return True

    def _opened(self, group: str, head: Head | None) -> Window:
        """Make a window for what was stored."""
        return self.kind(self.plan, group, self.settings, self.facts)


class SensorShard(Shard):
    """Logic of the groups of sensors' own alerts: each has the rule that its first event names.

    Args:
        plan: for any signature; bounds and times are the same for all.
        key: of the stage.
        router: tells the groups of an item.
        settings: bounds.
        facts: shared by all groups.
        plan_of: makes the plan of one signature.
    """

    __slots__ = ("fields", "plan_of")

    def __init__(
        self,
        plan: Plan,
        key: str,
        router: Router,
        settings: WindowSettings,
        facts: Facts,
        plan_of: Callable[[SensorRule], Plan],
    ) -> None:
        super().__init__(plan, key, router, settings, facts)
        self.plan_of = plan_of
        self.fields: Fields = {}

    @override
    def on_item(self, item: Match | Alert) -> Iterable[Alert | Notice]:
        self.fields = item.event.fields if type(item) is Match else {}
        return super().on_item(item)

    @override
    def follow(self, plan: Plan) -> None:
        """Go on; what a group is about came with its events."""
        if not self.groups:
            super().follow(plan)

    @override
    def _plan(self) -> Plan:
        return self.plan_of(sensor_rule(self.fields))

    @override
    def _opened(self, group: str, head: Head | None) -> Window:
        rule = rule_of(head) if head is not None else None
        plan = self.plan if rule is None else self.plan_of(rule)
        return self.kind(plan, group, self.settings, self.facts)
