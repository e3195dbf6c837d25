"""The stage `aggregate`: matches to alerts. Correlations, and the folding of what repeats.

Each match of a detection goes to the groups of the correlations that refer to it. A detection that none
refers to (or one that says `generate: true`), and a sensor's own alert, becomes an alert at once; its
repetitions about the same entities fold into that alert, told again on a doubling schedule and once more
when the repetition ends. Alerts of a correlation that another one refers to come back as input; those with
the field `SILENT` are for that alone: the host gives them to nobody else.

A key is a rule's id and a shard of its groups, see `correlate.window.routing`. Groups are bounded over all rules: the
events of a group beyond the bound are counted and take no part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from contract.errors import RuleError
from contract.event import Match, Notice
from contract.ports import Logic, Stage
from contract.records import Alert
from correlate.window import renewal
from correlate.window.facts import Facts
from correlate.window.grouping import MAX_GROUPS, SEPARATOR
from correlate.window.library import Library, library
from correlate.window.plan import Plan
from correlate.window.planning import Rules, fold_plan
from correlate.window.policy import Policy
from correlate.window.report import SILENT
from correlate.window.routing import FOLD_KEY, MANY, SENSOR_KEY, UNGROUPED, Router
from correlate.window.sensor import SensorRule
from correlate.window.sensor_shard import SensorShard
from correlate.window.settings import WindowSettings
from correlate.window.shard import Shard

__all__ = ["SILENT", "Settings", "aggregate", "check"]

Settings = WindowSettings
"""The `[correlate]` settings of the stage."""

Item: TypeAlias = Match | Alert
Output: TypeAlias = Alert | Notice


def check(rules: Rules, settings: WindowSettings | None = None) -> tuple[RuleError, ...]:
    """Return what is wrong with the correlations and `opsonin:` mappings of a rule set."""
    return tuple(library(rules, settings or WindowSettings()).errors)


def aggregate(
    rules: Rules, settings: WindowSettings | None = None, reset: Collection[str] = ()
) -> Stage[Item, Output]:
    """Return the stage for a rule set; correlations that are wrong are left out, and `check` lists them.

    Args:
        rules: all of them.
        settings: bounds and defaults.
        reset: ids of correlations whose state, of a stage that this one replaces, is not to be kept.
    """
    settings = settings or WindowSettings()
    made = library(rules, settings)
    router = Router(made, settings.fold_by)
    opener = _Opener(made, settings, router, frozenset(reset))
    return Stage("aggregate", router.keys, opener.open, opener.renew)


# ------------------------------------------------------------------ logic


class _Counted:
    """Takes part in nothing; each item is counted under a name."""

    __slots__ = ("gone", "notice", "woken")

    def __init__(self, notice: Notice, gone: Iterable[str] = ()) -> None:
        self.notice = notice
        self.gone = tuple(gone)
        self.woken = False

    def on_item(self, item: Item) -> Iterable[Output]:
        return (self.notice,)

    def on_time(self, now_us: int) -> Iterable[Output]:
        self.woken = True
        return ()

    def wake_at(self) -> int | None:
        return (
            0 if self.gone and not self.woken else None
        )  # the host asks for changes of what it touched

    def snapshot(self) -> Mapping[str, bytes | None]:
        gone, self.gone = self.gone, ()
        return dict.fromkeys(gone)

    def is_empty(self) -> bool:
        return True


class _Opener:
    """Makes the logic of a key."""

    def __init__(
        self,
        made: Library,
        settings: WindowSettings,
        router: Router,
        reset: frozenset[str] = frozenset(),
    ) -> None:
        self.made = made
        self.settings = settings
        self.router = router
        self.reset = reset
        self.facts = Facts(made.facts, settings.max_all_events)

    def open(self, key: str, parts: Mapping[str, bytes]) -> Logic[Item, Output]:
        kind, _, rest = key.partition(SEPARATOR)
        if rest == UNGROUPED:
            return _Counted(Notice("correlation_ungrouped_events", label=kind))
        if rest == MANY:
            return _Counted(self._many(kind))
        shard: Shard | None = None
        if kind == SENSOR_KEY:
            shard = self._sensors(key)
        elif (plan := self._plan(kind, rest)) is not None:
            shard = Shard(plan, key, self.router, self.settings, self.facts)
        if shard is None:
            # The rule is gone since the state was written.
            return _Counted(Notice("correlation_unknown_rules", label=kind), parts)
        if parts and not shard.restore(parts):
            shard.discard(parts)
        return shard

    def _plan(self, kind: str, rest: str) -> Plan | None:
        if kind == FOLD_KEY:
            found = self.made.folds.get(rest.partition(SEPARATOR)[0])
            return found[0] if found is not None else None
        return self.made.correlations.get(kind)

    def _sensors(self, key: str) -> SensorShard:
        def plan_of(rule: SensorRule) -> Plan:
            return fold_plan(rule, SENSOR_KEY, Policy(), self.settings, sensor=True)

        nobody = SensorRule(SENSOR_KEY, "", "medium", (), (), "")
        return SensorShard(plan_of(nobody), key, self.router, self.settings, self.facts, plan_of)

    def renew(self, key: str, logic: Logic[Item, Output]) -> Logic[Item, Output]:
        """Take over the groups of the stage before; see `contract.ports.Stage`."""
        kind, _, rest = key.partition(SEPARATOR)
        if not isinstance(logic, Shard):
            return logic  # it only counts
        plan = logic.plan if kind == SENSOR_KEY else self._plan(kind, rest)
        if plan is not None and kind not in self.reset and renewal.fits(logic, plan):
            renewal.move(logic, plan, self.router, self.facts)
            return logic
        return _Counted(Notice("correlation_unknown_rules", label=kind), renewal.leave(logic))

    def _many(self, kind: str) -> Notice:
        return Notice(
            "correlation_groups_refused", 1, kind,
            f"rule {kind}: an event with lists belongs to more than {MAX_GROUPS} groups; it takes part in the first",
        )  # fmt: skip
