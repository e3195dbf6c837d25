"""Events to the rules that hold: by route, then each rule of the route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from correlate.sigma.evaluate import Test, node_test
from correlate.sigma.node import And, Leaf, Node, Not, Or
from correlate.sigma.route import Route, Router, rename
from correlate.sigma.rules import Detection
from correlate.sigma.taxonomy import Names


class Engine:
    """Matches flat events."""

    def __init__(self, rules: Iterable[Detection], router: Router | None = None) -> None:
        self._rules = tuple(rules)
        self._router = router or Router()
        self._classes: dict[Route, list[tuple[Detection, Test]]] = {}

    def match(self, event: Mapping[str, Any], json: bytes = b"") -> list[Detection]:
        """Return the rules that hold, in order of the set."""
        route = self._router.route(event)
        tests = self._classes.get(route)
        if tests is None:
            tests = self._classes[route] = self._open(route)
        return [rule for rule, test in tests if test(event)]

    def _open(self, route: Route) -> list[tuple[Detection, Test]]:
        tests = []
        for rule in self._rules:
            ways = route.names_for(rule.logsource)
            if ways:
                parts = tuple(renamed(rule.condition, names) for names in ways)
                tests.append((rule, node_test(parts[0] if len(parts) == 1 else Or(parts))))
        return tests


def renamed(node: Node, names: Names) -> Node:
    """Return the node over the event's own field names."""
    if not names.fields and not names.prefix:
        return node
    if isinstance(node, Leaf):
        if node.field is None:
            return node
        value = node.value
        if node.op == "fieldref":
            value = [rename(value[0], names), value[1]]
        return Leaf(node.op, rename(node.field, names), value, node.cased)
    if isinstance(node, Not):
        return Not(renamed(node.part, names))
    parts = tuple(renamed(part, names) for part in node.parts)
    return And(parts) if isinstance(node, And) else Or(parts)
