"""Which groups an item belongs to, and in which shard each is.

A stage key is a rule and one of `SHARDS` numbers that the group's text hashes to: what many groups need (a lookup, a
timer, a stored part) is needed once for all of them, and the keys still spread over partitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, cast
from zlib import crc32

from contract.event import SENSOR_RULE, Fields, Match
from contract.records import Alert
from correlate.window import sensor
from correlate.window.grouping import CUT, SEPARATOR, alternatives, groups
from correlate.window.library import Library

Item: TypeAlias = Match | Alert

SHARDS = 16
"""Changing it changes the keys: state stored under another number is not found again."""

SHORT = 128
"""Characters of a group-by value that surely makes no long text."""

UNGROUPED = "\x00ungrouped"
"""Key of events that lack a group-by field: they are counted there."""

MANY = "\x00many"
"""Key of events that belong to more groups than one event may: what goes beyond is counted there."""

SENSOR_KEY = "sensor"
FOLD_KEY = "fold"

_Route: TypeAlias = tuple[tuple[tuple[str, ...], ...], str, tuple[str, ...], bool]
"""(stage keys by shard, each alone in a tuple; rule; group-by fields; whether absent fields group)."""


def _keys(prefix: str) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{prefix}{SEPARATOR}{shard}",) for shard in range(SHARDS))


class Router:
    """Tells the groups of an item.

    Args:
        made: the rules.
        fold_by: fields by which a sensor's alerts fold.

    Attributes:
        item: the last whose keys were asked for.
        group: its group, when it has but one; None: ask `groups_of`.
    """

    def __init__(self, made: Library, fold_by: tuple[str, ...]) -> None:
        self.item: Item | None = None
        self.group: str | None = None
        self._found: dict[str, list[str]] = {}
        self._fold_by = fold_by
        self._sensors = _keys(SENSOR_KEY)
        self._folds = {
            id: (_keys(f"{FOLD_KEY}{SEPARATOR}{id}"), names, plan.each)
            for id, (plan, names) in made.folds.items()
        }
        self._inner = frozenset(made.consumers) & made.correlations.keys()
        self._routes = _routes(made)
        self._singles = {
            rule: (routes[0][0], (routes[0][2][0], *alternatives(routes[0][2][0])))
            for rule, routes in self._routes.items()
            if len(routes) == 1 and len(routes[0][2]) == 1 and rule not in self._folds
        }
        """Rules that one correlation refers to, by one field: the short way."""

    def keys(self, item: Item) -> Iterable[str]:
        """Return the stage keys of an item's groups; O(correlations that refer to its rule)."""
        if type(item) is Match:  # isinstance of a pydantic model is slow
            single = self._singles.get(item.rule)
            if single is not None:
                fields = item.event.fields
                for name in single[1]:
                    value = fields.get(name)
                    if type(value) is str and len(value) <= SHORT and SEPARATOR not in value:
                        self.group = group = value.lower()
                        self.item = item
                        return single[0][crc32(group.encode("utf-8", "replace")) % SHARDS]
                    if value is not None:
                        break
        self._found = found = self._find(item)
        self.item = item
        self.group = None
        return list(found)

    def groups_of(self, item: Item, key: str) -> list[str]:
        """Return the groups of an item that share a stage key."""
        if self.item is not item or self.group is not None:
            self._found = self._find(item)
            self.item, self.group = item, None
        return self._found.get(key, [])

    def _find(self, item: Item) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if type(item) is not Match:
            alert = cast("Alert", item)
            # The folded alert of a detection is none: its matches went to the correlations themselves.
            if alert.rule.id in self._inner:
                self._follow(alert.rule.id, alert.fields, found)
            return found
        rule, fields = item.rule, item.event.fields
        if rule == SENSOR_RULE:
            (group, *_) = groups(fields, self._fold_by, absent=True)
            signature = sensor.sensor_rule(fields).group
            _add(found, self._sensors, f"{signature}{SEPARATOR}{group}")
            return found
        self._follow(rule, fields, found)
        fold = self._folds.get(rule)
        if fold is not None:
            keys, names, each = fold
            # A list of addresses is one fact here, not several: the first group stands for it.
            text = item.event.id if each else groups(fields, names, absent=True)[0]
            _add(found, keys, text)
        return found

    def _follow(self, rule: str, fields: Fields, found: dict[str, list[str]]) -> None:
        for keys, id, names, absent in self._routes.get(rule, ()):
            texts = groups(fields, names, absent=absent)
            if not texts:
                found[f"{id}{SEPARATOR}{UNGROUPED}"] = [UNGROUPED]
            for text in texts:
                if text is CUT:
                    found[f"{id}{SEPARATOR}{MANY}"] = [MANY]
                else:
                    _add(found, keys, text)


def _routes(made: Library) -> dict[str, list[_Route]]:
    routes: dict[str, list[_Route]] = {}
    for rule, consumers in made.consumers.items():
        for id in consumers:
            correlation = made.correlations[id].correlation
            assert correlation is not None  # noqa: S101  a correlation's plan has it
            reference = correlation.rules[list(made.correlations[id].parts).index(rule)]
            names = tuple(correlation.field_of(name, reference) for name in correlation.group_by)
            row = (_keys(id), id, names, correlation.policy.group_absent)
            routes.setdefault(rule, []).append(row)
    return routes


def _add(found: dict[str, list[str]], keys: tuple[tuple[str, ...], ...], group: str) -> None:
    (key,) = keys[crc32(group.encode("utf-8", "replace")) % SHARDS]
    found.setdefault(key, []).append(group)
