"""Groups of one rule that are woken together and stored in one journal; what comes to them is `shard`'s.

Times at which entries are let go of are rounded, so that groups wake many at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from contract.event import Notice
from contract.records import Alert
from correlate.window.alarms import Alarms
from correlate.window.alerting import Outputs
from correlate.window.deadline import window_class
from correlate.window.facts import Facts
from correlate.window.forms import Head
from correlate.window.journal import Journal
from correlate.window.known import Known, front, held
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.settings import WindowSettings
from correlate.window.trimming import gone, wake_time
from correlate.window.window import Window
from correlate.window.young import Young

NEVER_US = -(2**62)
"""A horizon before all events."""

ALWAYS_US = 2**62
"""A time behind all events."""


class Keeping:
    """The groups of one rule that share a stage key, as time and storage see them.

    Args:
        plan: the rule.
        key: of the stage.
        router: tells the groups of an item.
        settings: bounds.
        facts: shared by all groups.

    Attributes:
        newest: no entry of any group is later; what is later follows in its group, which need not be looked at for that.
        waiting: groups with entries that may wait to be decided.
    """

    __slots__ = (
        "alarms", "alone", "discarded", "estimates", "facts", "groups", "horizon", "journal", "key", "kind",
        "may", "most", "newest", "now", "parts", "plan", "reader", "room", "router", "settings", "waiting",
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
        self.waiting: set[str] = set()
        self.now: int | None = None
        self.horizon = NEVER_US
        self.newest = NEVER_US
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
        self.may = plan.outlook.may if plan.outlook is not None else None
        self.room = min(plan.few - 1, plan.max_events)
        self.estimates = plan.correlation is not None and plan.correlation.type == "value_count"
        for known in self.groups.values():
            if isinstance(known, Window):
                known.plan = plan

    def settle(self, group: str, window: Window) -> None:
        """After a window changed: forget it when it is empty, else see that it wakes."""
        if window.is_empty():
            self.drop(group)
            return
        if window.undecided is not None:
            self.waiting.add(group)
        if window.wake != window.armed:
            self.arm(group, window)

    def drop(self, group: str) -> None:
        """Forget a group."""
        known = self.groups.pop(group)
        self.facts.groups -= 1
        if isinstance(known, Window):
            if known.armed is not None:
                self.alarms.unset(known.armed, group)
        else:
            self.facts.held -= held(known)
            self.alarms.unset(wake_time(self.plan, front(known)), group)
        self.journal.forget(group)
        if not self.groups:
            self._be_new()

    def _be_new(self) -> None:
        """Forget the time too: whether the host forgot the shard in between must not show."""
        self.alarms.clear()
        self.now, self.horizon, self.newest = None, NEVER_US, NEVER_US

    # -------------------------------------------------------------- time

    def arm(self, group: str, window: Window) -> None:
        """See that a window is woken when it asks to be."""
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
                self.alarms.set(wake_time(self.plan, front(known)), group)
                continue
            if known.undecided is not None:
                self.waiting.add(group)
            if known.wake is not None:
                known.armed = known.wake
                self.alarms.set(known.wake, group)

    def wake_at(self) -> int | None:
        """Return when a group has something to do, or at once where something is to be said."""
        return 0 if self.discarded else self.alarms.next()

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
        if self._decide(wake, now_us, outputs):
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

    def _decide(self, time: int, now_us: int, outputs: Outputs) -> bool:
        """Decide what waited until a time; tell whether there was any, which wakes again for the rest, in its turn."""
        waited = False
        for group in sorted(self.waiting):
            window = self.groups.get(group)
            if not isinstance(window, Window) or window.undecided is None:
                self.waiting.discard(group)
            elif window.undecided.due == time:
                waited = True
                self.journal.touched[group] = window
                outputs += window.decide_due(now_us)
                self.arm(group, window)
        return waited

    def _due(self, now_us: int) -> list[str]:
        """Let plain entries go whose time has come, and return the windows that are due, in order."""
        groups, facts = self.groups, self.facts
        windows: list[str] = []
        for woken in self.alarms.due(now_us):
            due = []
            for group in woken:
                known = groups.get(group)
                if type(known) is tuple:
                    del groups[group]
                    facts.held -= 1
                    facts.groups -= 1
                elif type(known) is Young:
                    self._trim(group, known, now_us)
                elif known is not None:
                    due.append(group)
                    cast("Window", known).armed = None
            windows += sorted(due)
        return windows

    def _trim(self, group: str, known: Young, now_us: int) -> None:
        """Let entries go; what is stored of them is passed over by its time, see `recovery`."""
        count = gone(self.plan, known, now_us)
        self.facts.held -= count
        if count == len(known):
            del self.groups[group]
            self.facts.groups -= 1
            return
        del known[:count]
        self.alarms.set(wake_time(self.plan, known[0]), group)

    def _wake(self, group: str, now_us: int) -> Outputs:
        window = cast("Window", self.groups[group])
        self.journal.touched[group] = window
        outputs = window.on_time(now_us)
        self.settle(group, window)
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
        self.newest = max((part.last for part in found.stored), default=NEVER_US)
        self.groups.update(found.groups)
        self.arm_all()
        self.facts.groups += len(self.groups)
        self.facts.held += sum(map(held, self.groups.values()))
        return True

    def opened(self, group: str, head: Head | None) -> Window:
        """Make a window for what was stored."""
        return self.kind(self.plan, group, self.settings, self.facts)
