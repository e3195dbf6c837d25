"""The stage `aggregate`: matches to alerts. Correlations, and the folding of what repeats.

Each match of a detection goes to the groups of the correlations that refer to it. A detection that none
refers to (or one that says `generate: true`), and a sensor's own alert, becomes an alert at once; its
repetitions about the same entities fold into that alert, told again on a doubling schedule and once more
when the repetition ends. Alerts of a correlation that another one refers to come back as input; those with
the field `SILENT` are for that alone: the host gives them to nobody else.

A key is the rule's id and the group's values. Keys are bounded over all rules: the events of a group beyond
the bound are counted and take no part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeAlias, cast

from typing_extensions import override

from contract.errors import RuleError
from contract.event import SENSOR_RULE, Match, Notice
from contract.ports import Logic, Stage
from contract.records import Alert
from correlate.window import renewal, sensor, state
from correlate.window.deadline import window_class
from correlate.window.library import Library, Named, Rules, fold_plan, library
from correlate.window.plan import SEPARATOR, Facts, Plan, alternatives, groups
from correlate.window.policy import Policy
from correlate.window.report import SILENT
from correlate.window.settings import WindowSettings
from correlate.window.window import Window

__all__ = ["SILENT", "Settings", "aggregate", "check"]

Settings = WindowSettings
"""The `[correlate]` settings of the stage."""

Item: TypeAlias = Match | Alert
Output: TypeAlias = Alert | Notice

UNGROUPED = "\x00ungrouped"
"""Group of events that lack a group-by field: they are counted there."""

SHORT = 128
"""Characters of a group-by value that surely makes no long key."""

NEVER = 2**62
"""A time after all events."""

SENSOR_KEY = "sensor"
FOLD_KEY = "fold"


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
    router = _Router(made, settings)
    opener = _Opener(made, settings, frozenset(reset))
    return Stage("aggregate", router.keys, opener.open, opener.renew)


# ------------------------------------------------------------------ keys


class _Router:
    """Tells which groups an item belongs to."""

    def __init__(self, made: Library, settings: WindowSettings) -> None:
        self.fold_by = settings.fold_by
        self.routes: dict[str, list[tuple[str, tuple[str, ...], bool]]] = {}
        self.folds = {
            id: (f"{FOLD_KEY}{SEPARATOR}{id}", names) for id, (_, names) in made.folds.items()
        }
        self.inner = frozenset(made.consumers) & made.correlations.keys()
        for rule, consumers in made.consumers.items():
            for id in consumers:
                correlation = made.correlations[id].correlation
                assert correlation is not None  # noqa: S101  a correlation's plan has it
                references = list(made.correlations[id].parts)
                reference = correlation.rules[references.index(rule)]
                names = tuple(
                    correlation.field_of(name, reference) for name in correlation.group_by
                )
                self.routes.setdefault(rule, []).append(
                    (id, names, correlation.policy.group_absent)
                )
        self.singles = {
            rule: (routes[0][0], (routes[0][1][0], *alternatives(routes[0][1][0])))
            for rule, routes in self.routes.items()
            if len(routes) == 1 and len(routes[0][1]) == 1 and rule not in self.folds
        }
        """Rules that one correlation refers to, by one field: the short way."""

    def keys(self, item: Item) -> Iterable[str]:
        """Return the keys of an item's groups; O(correlations that refer to its rule)."""
        if type(item) is not Match:  # isinstance of a pydantic model is slow
            alert = cast("Alert", item)
            # The folded alert of a detection is none: its matches went to the correlations themselves.
            return self._of_rule(alert.rule.id, alert.fields) if alert.rule.id in self.inner else ()
        rule = item.rule
        fields = item.event.fields
        single = self.singles.get(rule)
        if single is not None:
            for name in single[1]:
                value = fields.get(name)
                if type(value) is str and len(value) <= SHORT and SEPARATOR not in value:
                    return (f"{single[0]}{SEPARATOR}{value.lower()}",)
                if value is not None:
                    break
        if rule == SENSOR_RULE:
            prefix = f"{SENSOR_KEY}{SEPARATOR}{sensor.sensor_rule(fields).group}"
            return groups(prefix, fields, self.fold_by, absent=True)[:1]
        keys = self._of_rule(rule, fields)
        fold = self.folds.get(rule)
        if fold is not None:
            prefix, names = fold
            # A list of addresses is one fact here, not several: the first group stands for it.
            keys = [*keys, *groups(prefix, fields, names, absent=True)[:1]]
        return keys

    def _of_rule(self, rule: str, fields: dict[str, object]) -> list[str]:
        routes = self.routes.get(rule)
        if routes is None:
            return []
        keys: list[str] = []
        for id, names, absent in routes:
            keys += groups(id, fields, names, absent=absent) or [f"{id}{SEPARATOR}{UNGROUPED}"]
        return keys


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


class _Unfolded(_Counted):
    """A detection is told even where no group can be kept: each event as an alert of its own."""

    __slots__ = ("open",)

    def __init__(self, notice: Notice, open: Callable[[], Logic[Item, Output]]) -> None:
        super().__init__(notice)
        self.open = open

    @override
    def on_item(self, item: Item) -> Iterable[Output]:
        logic = self.open()
        outputs = [self.notice, *logic.on_item(item)]
        logic.on_time(NEVER)  # it is let go of, and counts no more
        return outputs


class _SensorFold:
    """Folds one signature's alerts about the same entities; its rule is known from the first of them."""

    __slots__ = ("facts", "key", "settings", "window")

    def __init__(self, key: str, settings: WindowSettings, facts: Facts) -> None:
        self.key = key
        self.settings = settings
        self.facts = facts
        self.window: Window | None = None

    def on_item(self, item: Item) -> Iterable[Output]:
        if self.window is None:
            fields = item.event.fields if type(item) is Match else cast("Alert", item).fields
            self.window = self._open(sensor.sensor_rule(fields))
        return self.window.on_item(item)

    def _open(self, rule: Named) -> Window:
        plan = fold_plan(rule, self.key, Policy(), self.settings, sensor=True)
        return Window(plan, self.key, self.settings, self.facts)

    def restore(self, parts: Mapping[str, bytes]) -> None:
        rule = state.rule_of(parts)
        if rule is not None:
            self.window = self._open(rule)
            state.restore(self.window, parts)

    def on_time(self, now_us: int) -> Iterable[Output]:
        return () if self.window is None else self.window.on_time(now_us)

    def wake_at(self) -> int | None:
        return None if self.window is None else self.window.wake_at()

    def snapshot(self) -> Mapping[str, bytes | None]:
        return {} if self.window is None else self.window.snapshot()

    def is_empty(self) -> bool:
        return self.window is None or self.window.is_empty()


class _Opener:
    """Makes the logic of a key."""

    def __init__(
        self, made: Library, settings: WindowSettings, reset: frozenset[str] = frozenset()
    ) -> None:
        self.made = made
        self.settings = settings
        self.reset = reset
        self.facts = Facts(made.facts)

    def open(self, key: str, parts: Mapping[str, bytes]) -> Logic[Item, Output]:
        kind, _, rest = key.partition(SEPARATOR)
        if rest == UNGROUPED:
            return _Counted(Notice("correlation_ungrouped_events", label=kind))
        full = self.facts.groups >= self.settings.max_keys and not parts
        if full and kind not in (SENSOR_KEY, FOLD_KEY):
            return _Counted(self._full(kind))
        if full:
            return _Unfolded(self._full(kind), lambda: self._found(key, kind, rest, {}))
        return self._found(key, kind, rest, parts)

    def _found(
        self, key: str, kind: str, rest: str, parts: Mapping[str, bytes]
    ) -> Logic[Item, Output]:
        if kind == SENSOR_KEY:
            fold = _SensorFold(key, self.settings, self.facts)
            fold.restore(parts)
            return fold
        plan = self._plan(kind, rest)
        if plan is None:
            # The rule is gone since the state was written.
            return _Counted(Notice("correlation_unknown_rules", label=kind), parts)
        return _opened(plan, key, self.settings, self.facts, parts)

    def _plan(self, kind: str, rest: str) -> Plan | None:
        if kind == FOLD_KEY:
            found = self.made.folds.get(rest.partition(SEPARATOR)[0])
            return found[0] if found is not None else None
        return self.made.correlations.get(kind)

    def renew(self, key: str, logic: Logic[Item, Output]) -> Logic[Item, Output]:
        """Take over a group of the stage before; see `contract.ports.Stage`."""
        kind, _, rest = key.partition(SEPARATOR)
        if isinstance(logic, _SensorFold):
            logic.facts = self.facts
            if logic.window is not None:
                renewal.move(logic.window, logic.window.plan, self.facts)
            return logic
        if not isinstance(logic, Window):
            return logic  # it only counts
        plan = self._plan(kind, rest)
        if plan is not None and kind not in self.reset and renewal.fits(logic, plan):
            renewal.move(logic, plan, self.facts)
            return logic
        return _Counted(Notice("correlation_unknown_rules", label=kind), renewal.leave(logic))

    def _full(self, kind: str) -> Notice:
        return Notice(
            "correlation_groups_refused", 1, kind,
            f"more than {self.settings.max_keys} groups (max_keys): events of new ones take no part",
        )  # fmt: skip


def _opened(
    plan: Plan, key: str, settings: WindowSettings, facts: Facts, parts: Mapping[str, bytes]
) -> Window:
    window = window_class(plan)(plan, key, settings, facts)
    if parts and not state.restore(window, parts):
        window.discard(parts)
    return window
