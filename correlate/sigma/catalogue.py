"""Rules by log source, in the field names of each shape of event, with what routing fields decide decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from correlate.sigma.evaluate import Test, leaf_test
from correlate.sigma.node import FALSE, And, Leaf, Node, Not, Or, disjunction
from correlate.sigma.route import Route, Router, rename
from correlate.sigma.rules import Detection
from correlate.sigma.taxonomy import Names, Source
from correlate.sigma.witness import simplified


class Catalogue:
    """All rules by log source, over the field names of each shape of event.

    Attributes:
        twins: of rules that ask the same of the same events, the first to all of them; the first alone is in the classes.
    """

    def __init__(self, rules: Sequence[Detection]) -> None:
        self._rules = rules
        self._by_source: dict[Source, list[int]] = {}
        self.twins: dict[int, list[int]] = {}
        firsts: dict[tuple[Source, Node], int] = {}
        for number, rule in enumerate(rules):
            first = firsts.setdefault((rule.logsource, rule.condition), number)
            if first == number:
                self._by_source.setdefault(rule.logsource, []).append(number)
            else:
                self.twins.setdefault(first, [first]).append(number)
        self._fields = [frozenset(fields_of(rule.condition)) for rule in rules]
        self._renamed: dict[tuple[int, int], Node] = {}

    def of(self, route: Route) -> list[tuple[int, Node]]:
        """Return the rules that fit a route, by number."""
        found = []
        for source, numbers in self._by_source.items():
            ways = route.names_for(source)
            if ways:
                for number in numbers:
                    nodes = dict.fromkeys(self._node(number, names) for names in ways)
                    found.append((number, disjunction(list(nodes))))
        return sorted(found, key=lambda one: one[0])

    def _node(self, number: int, names: Names) -> Node:
        node = self._rules[number].condition
        if not names.prefix and self._fields[number].isdisjoint(names.fields):
            return node
        key = (number, id(names))
        made = self._renamed.get(key)
        if made is None:
            made = self._renamed[key] = renamed(node, names)
        return made


class Routed:
    """The rules of one route, and what the routing fields decide of them."""

    def __init__(self, rules: list[tuple[int, Node]], router: Router) -> None:
        self._rules = rules
        self._router = router
        self._tests: dict[str, list[tuple[Leaf, Test]]] = {}
        seen = set()
        fields = router.deciding
        for _, node in self._rules:
            for leaf in _leaves_on(node, fields):
                if leaf not in seen:
                    seen.add(leaf)
                    self._tests.setdefault(leaf.field or "", []).append((leaf, leaf_test(leaf)))

    def signature(self, event: Mapping[str, Any]) -> Any:
        """Return what the routing fields decide, so that equal signatures mean equal classes."""
        return frozenset(self._decided(event).items())

    def _decided(self, event: Mapping[str, Any]) -> dict[Any, bool | None]:
        """Return the truth of each leaf that holds on a deciding field, or None where it stays open."""
        decided: dict[Any, bool | None] = {}
        fields = self._router.deciders(event)
        for name, tests in self._tests.items():
            if name in fields and _is_deciding(name, event.get(name)):
                for leaf, test in tests:
                    if test(event):
                        decided[leaf] = True
            else:
                decided[name] = None
        return decided

    def remaining(self, event: Mapping[str, Any]) -> list[tuple[int, Node]]:
        """Return the rules that can hold still, with what is left of their conditions."""
        decided = self._decided(event)

        def known(leaf: Leaf) -> bool | None:
            if leaf.field in self._tests and leaf.field not in decided and _is_plain(leaf):
                return leaf in decided
            return None

        kept = []
        for number, node in self._rules:
            left = simplified(node, known)
            if left != FALSE:
                kept.append((number, left))
        return kept


def _is_deciding(name: str, value: Any) -> bool:
    """Tell whether keys tell this value from all others: 1 and true are equal in Python; of `EventID` the type counts."""
    return value is None or type(value) is str or (name == "EventID" and type(value) is int)


def _is_plain(leaf: Leaf) -> bool:
    return leaf.op not in ("null", "exists", "fieldref")


def _leaves_on(node: Node, fields: frozenset[str]) -> list[Leaf]:
    found = []
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Leaf):
            if top.field in fields and _is_plain(top):
                found.append(top)
        elif isinstance(top, Not):
            stack.append(top.part)
        else:
            stack.extend(top.parts)
    return found


def fields_of(node: Node) -> list[str]:
    """Return the fields that a node asks, repetitions included."""
    found = []
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Leaf):
            if top.field is not None:
                found.append(top.field)
            if top.op == "fieldref":
                found.append(top.value[0])
        elif isinstance(top, Not):
            stack.append(top.part)
        else:
            stack.extend(top.parts)
    return found


def renamed(node: Node, names: Names) -> Node:
    """Return the node over the event's own field names."""
    if not names.fields and not names.prefix:
        return node
    if isinstance(node, Leaf):
        if node.field is None:
            return node
        value = node.value
        if node.op == "fieldref":
            value = (rename(value[0], names), value[1])
        return Leaf(node.op, rename(node.field, names), value, node.cased)
    if isinstance(node, Not):
        return Not(renamed(node.part, names))
    parts = tuple(renamed(part, names) for part in node.parts)
    return And(parts) if isinstance(node, And) else Or(parts)
