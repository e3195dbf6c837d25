"""Events to the rules that hold, at a cost that hardly grows with the number of rules.

An event's few routing fields choose its *class*: the rules of its log sources, with everything that
those fields decide already decided. In a class each rule waits for its witness; the indexes tell from the
event's values which witnesses are there, and those rules alone are evaluated, exactly. Which
witnesses are rare is learnt from the traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from correlate.sigma.evaluate import Test, leaf_test
from correlate.sigma.index import Budget, FieldIndex, KeywordIndex, Numbers
from correlate.sigma.node import FALSE, TRUE, And, Leaf, Node, Not, Or, disjunction
from correlate.sigma.residual import compiled
from correlate.sigma.route import Route, Router, rename
from correlate.sigma.rules import Detection
from correlate.sigma.taxonomy import Names, Source
from correlate.sigma.view import dotted
from correlate.sigma.witness import Frequencies, projected, simplified, witness

MAX_CLASSES = 1024
"""Compiled classes; all are dropped when there are more. A rule set knows some hundred."""
MAX_KEYS = 65_536
"""Remembered combinations of routing fields."""
SAMPLE = 192
"""Events of a class that its frequencies are counted on."""
_RELEARN_AFTER = (1_000, 4_000, 16_000, 65_536, 262_144)
"""Evaluated candidates of a class after which it counts again; the last repeats."""
_STRIDE = 16
"""Of later samples one event in so many is taken, so that they span more than a burst."""
_HOT = 0.01
"""Share of events on which a rule may be a candidate before its witness is looked at again."""


class Class:
    """The rules of events whose routing fields decide alike.

    Args:
        rules: number and remaining condition of each rule that can hold.
        budget: memory bound of all classes.
        plain: use no native code.
    """

    def __init__(self, rules: Sequence[tuple[int, Node]], budget: Budget, *, plain: bool) -> None:
        self.rules = rules
        self.tests: dict[int, Test] = {}
        self.samples: list[Mapping[str, Any]] | None = []
        self.evaluated: dict[int, int] = {}
        self.dotted = any("." in name for _, node in rules for name in _fields_of(node))
        self._nodes = dict(rules)
        self._projected: dict[tuple[str, int], Test | None] = {}
        self._budget = budget
        self._plain = plain
        self._frequencies = Frequencies()
        self._learnt = 0
        self._skipped = 0
        self._stride = 1
        self._indexes: dict[str, tuple[frozenset[tuple[Leaf, int]], FieldIndex]] = {}
        self._index()

    def _index(self) -> None:
        """Choose witnesses and build what is not built already."""
        wanted: dict[str | None, dict[Leaf, set[int]]] = {}
        always = []
        for number, node in self.rules:
            found = witness(node, self._frequencies.estimate)
            if found is None:
                always.append(number)
                continue
            for leaf in found[1]:
                wanted.setdefault(leaf.field, {}).setdefault(leaf, set()).add(number)
        self.always: Numbers = tuple(always)
        keywords = wanted.pop(None, None)
        self.keywords = KeywordIndex(keywords, plain=self._plain) if keywords else None
        self._build({name: leaves for name, leaves in wanted.items() if name is not None})

    def _build(self, wanted: dict[str, dict[Leaf, set[int]]]) -> None:
        kept = {}
        for name, leaves in wanted.items():
            content = frozenset((leaf, rule) for leaf, rules in leaves.items() for rule in rules)
            old = self._indexes.get(name)
            if old is not None and old[0] == content:
                kept[name] = old
            else:
                if old is not None:
                    old[1].close()
                possible = partial(self._possible, name)
                index = FieldIndex(leaves, self._budget, possible, plain=self._plain)
                kept[name] = (content, index)
        for name, old in self._indexes.items():
            if name not in kept:
                old[1].close()
        self._indexes = kept
        self._plan()

    def _plan(self) -> None:
        self.plan: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Numbers]], ...] = tuple(
            (name, index.remembered, index.of) for name, (_, index) in self._indexes.items()
        )

    def _possible(self, name: str, number: int, text: str) -> bool:
        """Tell whether a rule can hold where a field has this text, whatever the others have."""
        key = (name, number)
        if key not in self._projected:
            node = projected(self._nodes[number], name)
            self._projected[key] = None if node == TRUE else compiled(node)
        test = self._projected[key]
        return test is None or test({name: text})

    def learn(self, event: Mapping[str, Any]) -> None:
        """Take an event into the sample; when it is full, choose witnesses anew."""
        self._skipped += 1
        if self.samples is None or self._skipped < self._stride:
            return
        self._skipped = 0
        self.samples.append(event)
        if len(self.samples) < SAMPLE:
            return
        hot = self._hot(self.samples)
        self._frequencies.learn([self._nodes[number] for number in hot], self.samples)
        self.samples = None
        if hot:
            self._index()
        self._plan()
        self.evaluated.clear()

    def _hot(self, events: list[Mapping[str, Any]]) -> list[int]:
        """Return the rules that are candidates too often."""
        limit = max(1, _HOT * len(events) * self._stride)
        return [number for number, count in self.evaluated.items() if count > limit]

    def relearn(self) -> None:
        """Begin a new sample when enough candidates were evaluated since the last."""
        limit = _RELEARN_AFTER[min(self._learnt, len(_RELEARN_AFTER) - 1)]
        if self.samples is None and sum(self.evaluated.values()) >= limit:
            self._learnt += 1
            self._stride = _STRIDE
            self.samples = []
            self.evaluated.clear()

    def test(self, number: int) -> Test:
        """Return the compiled condition of a rule."""
        made = self.tests[number] = compiled(self._nodes[number])
        return made


class Engine:
    """Matches flat events against detections. For one thread.

    Args:
        rules: in the order in which hits are returned.
        router: tells log sources.
        nested: events may hold objects; rules with dotted names look into them.
        plain: use no native code; gives the same hits.
    """

    def __init__(
        self,
        rules: Iterable[Detection],
        router: Router | None = None,
        *,
        nested: bool = False,
        plain: bool = False,
    ) -> None:
        self._nested = nested
        self.rules = tuple(rules)
        self.budget = Budget()
        self._router = router or Router()
        self._plain = plain
        self._catalogue = _Catalogue(self.rules)
        self._by_key: dict[Any, Class] = {}
        self._classes: dict[Any, Class] = {}
        self._routes: dict[Route, _Routed] = {}

    def match(  # noqa: C901, PLR0912  # in the path of every event: one frame
        self, event: dict[str, Any], json: bytes | None = None
    ) -> list[Detection]:
        """Return the rules that hold, in order of the set.

        Args:
            event: flat.
            json: the same event encoded, for keyword rules; None: they look through the values.
        """
        get = event.get
        channel = get("Channel")
        code = get("EventID")
        if channel is not None:
            # Only what decides the route of an event with a channel; see `Router.deciding`.
            key: Any = (
                channel,
                code,
                code.__class__,
                "SourceName" in event and "Provider_Name" not in event,
            )
        else:
            key = self._router.key(event)
        try:
            chosen = self._by_key.get(key)
        except TypeError:
            key = repr(key)
            chosen = self._by_key.get(key)
        if chosen is None:
            chosen = self._open(key, event)
        if self._nested and chosen.dotted:
            event = dotted(event)
            get = event.get
        candidates: Any = chosen.always
        for name, remembered, of in chosen.plan:
            value = get(name)
            if value.__class__ is str:
                found = remembered(value)
                if found is None:
                    found = of(value)
            elif value is None:
                continue
            else:
                found = of(value)
            if found:
                candidates = candidates + found if candidates else found
        keywords = chosen.keywords
        if keywords is not None:
            found = keywords.every() if json is None else keywords.of(json)
            if found:
                candidates = candidates + found if candidates else found
        if chosen.samples is not None:
            hits = self._hits(chosen, event, candidates)
            chosen.learn(event)
            return hits
        return self._hits(chosen, event, candidates) if candidates else []

    def _hits(
        self, chosen: Class, event: Mapping[str, Any], candidates: Numbers
    ) -> list[Detection]:
        tests = chosen.tests
        evaluated = chosen.evaluated
        hits = []
        for number in set(candidates) if len(candidates) > 1 else candidates:
            test = tests.get(number)
            if test is None:
                test = chosen.test(number)
            if test(event):
                hits.append(number)
            count = evaluated[number] = evaluated.get(number, 0) + 1
            if not count & 255:
                chosen.relearn()
        if not hits:
            return []
        hits.sort()
        rules = self.rules
        return [rules[number] for number in hits]

    def _open(self, key: Any, event: Mapping[str, Any]) -> Class:
        """Find or make the class of an event whose routing fields were not seen together before."""
        route = self._router.route(event)
        routed = self._routes.get(route)
        if routed is None:
            routed = self._routes[route] = _Routed(self._catalogue.of(route), self._router)
        signature = (route, routed.signature(event))
        chosen = self._classes.get(signature)
        if chosen is None:
            if len(self._classes) >= MAX_CLASSES:
                self._forget()
            chosen = Class(routed.remaining(event), self.budget, plain=self._plain)
            self._classes[signature] = chosen
        if len(self._by_key) >= MAX_KEYS:
            self._by_key.clear()
        self._by_key[key] = chosen
        return chosen

    def forget_values(self) -> None:
        """Drop what is remembered of values; classes and what was learnt stay."""
        for memo in self.budget.memos:
            memo.clear()
        self.budget.used = 0

    def _forget(self) -> None:
        self._classes.clear()
        self._by_key.clear()
        self.budget.memos.clear()
        self.budget.used = 0


class _Catalogue:
    """All rules by log source, over the field names of each shape of event."""

    def __init__(self, rules: Sequence[Detection]) -> None:
        self._rules = rules
        self._by_source: dict[Source, list[int]] = {}
        for number, rule in enumerate(rules):
            self._by_source.setdefault(rule.logsource, []).append(number)
        self._fields = [frozenset(_fields_of(rule.condition)) for rule in rules]
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


class _Routed:
    """The rules of one route, and what the routing fields decide of them."""

    def __init__(self, rules: list[tuple[int, Node]], router: Router) -> None:
        self._rules = rules
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
        for name, tests in self._tests.items():
            if _is_deciding(event.get(name)):
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


def _is_deciding(value: Any) -> bool:
    return value is None or type(value) is str or type(value) is int


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


def _fields_of(node: Node) -> list[str]:
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
