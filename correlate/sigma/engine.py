"""Events to the rules that hold, at a cost that hardly grows with the number of rules.

An event's few routing fields choose its *class*: the rules of its log sources, with everything that
those fields decide already decided. In a class each rule waits for its witness; the indexes tell from the
event's values which witnesses are there, and those rules alone are evaluated, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from correlate.sigma.catalogue import Catalogue, Routed
from correlate.sigma.index import Budget, Numbers
from correlate.sigma.route import Route, Router
from correlate.sigma.rule_class import RuleClass
from correlate.sigma.rules import Detection
from correlate.sigma.sieve import SAMPLE, UNKNOWN, UNSERVED, Sieve
from correlate.sigma.view import dotted

MAX_CLASSES = 1024
"""Compiled classes; all are dropped when there are more. A rule set knows some hundred."""
MAX_KEYS = 65_536
"""Remembered combinations of routing fields."""


class Engine:
    """Matches flat events against detections. For one thread.

    Args:
        rules: in the order in which hits are returned.
        router: tells log sources.
        nested: events may hold objects; rules with dotted names look into them.
        plain: use no native code; gives the same hits.
        sieve: is told what the classes wait for; whoever has it asks it before `match`.
    """

    def __init__(
        self,
        rules: Iterable[Detection],
        router: Router | None = None,
        *,
        nested: bool = False,
        plain: bool = False,
        sieve: Sieve | None = None,
    ) -> None:
        self._nested = nested
        self.rules = tuple(rules)
        self.budget = Budget()
        self._router = router or Router()
        self._plain = plain
        self._sieve = sieve
        self._catalogue = Catalogue(self.rules)
        self._twins = self._catalogue.twins
        self._by_key: dict[Any, RuleClass] = {}
        self.class_of = self._by_key.get
        """The class of a key that was met before, see `match`; else None."""
        self._classes: dict[Any, RuleClass] = {}
        self._examples: dict[Any, dict[str, Any]] = {}
        self._routes: dict[Route, Routed] = {}

    def match(  # noqa: C901, PLR0912  # in the path of every event: one frame
        self, event: dict[str, Any], json: bytes | None = None, answer: int = UNSERVED
    ) -> list[Detection]:
        """Return the rules that hold, in order of the set; tell the sieve what it did not know.

        Args:
            event: flat.
            json: the same event encoded, for keyword rules; None: they look through the values.
            answer: of the sieve, to `json`.
        """
        get = event.get
        channel = get("Channel")
        code = get("EventID")
        if channel:
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
        if self._nested and chosen.dotted and not event.keys().isdisjoint(chosen.parents):
            event = dotted(event)
            get = event.get
        candidates: Any = chosen.always
        for name, remembered, of, absent in chosen.plan:
            value = get(name)
            if value.__class__ is str:
                found = remembered(value)
                if found is None:
                    found = of(value)
            elif value is None:
                found = absent
            else:
                found = of(value)
            if found:
                candidates = candidates + found if candidates else found
        keywords = chosen.keywords
        if keywords is not None:
            found = keywords.every() if json is None else keywords.of(json)
            if found:
                candidates = candidates + found if candidates else found
        hits = self.evaluate(chosen, event, candidates) if candidates else []
        if chosen.samples is not None and (
            chosen.is_due() if answer >= UNKNOWN else answer == SAMPLE
        ):
            chosen.learn(event)
        if answer != UNSERVED and self._sieve is not None and json is not None:
            if answer == UNKNOWN:
                self._sieve.know(chosen, json)
            else:
                self._sieve.refresh(chosen)
                if not candidates:
                    self._sieve.clean(chosen, [get(name) for name, *_ in chosen.plan])
        return hits

    def evaluate(
        self, chosen: RuleClass, event: Mapping[str, Any], candidates: Numbers
    ) -> list[Detection]:
        """Return the rules that hold among the candidates of a class; they may be named twice."""
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
        if self._twins:
            hits = [twin for number in hits for twin in self._twins.get(number, (number,))]
        hits.sort()
        rules = self.rules
        return [rules[number] for number in hits]

    def _open(self, key: Any, event: dict[str, Any]) -> RuleClass:
        """Find or make the class of an event whose routing fields were not seen together before."""
        route = self._router.route(event)
        routed = self._routes.get(route)
        if routed is None:
            routed = self._routes[route] = Routed(self._catalogue.of(route), self._router)
        signature = (route, routed.signature(event))
        chosen = self._classes.get(signature)
        if chosen is None:
            if len(self._classes) >= MAX_CLASSES:
                self._forget()
            chosen = RuleClass(routed.remaining(event), self.budget, plain=self._plain)
            self._classes[signature] = chosen
            self._examples[signature] = event
        if len(self._by_key) >= MAX_KEYS:
            self._by_key.clear()
        self._by_key[key] = chosen
        return chosen

    def prepare(self, before: Engine) -> None:
        """Compile what the events of another engine needed, so that the first ones of this one do not wait for it.

        May run in another thread than that of the engine before, which goes on.
        """
        for event in before.examples():
            self.match(event)

    def examples(self) -> list[dict[str, Any]]:
        """Return an event of each class."""
        return list(self._examples.values())

    def forget_values(self) -> None:
        """Drop what is remembered of values; classes and what was learnt stay."""
        for memo in self.budget.memos:
            memo.clear()
        self.budget.used = 0
        if self._sieve is not None:
            self._sieve.forget_values()

    def _forget(self) -> None:
        self._classes.clear()
        self._examples.clear()
        self._by_key.clear()
        self.budget.memos.clear()
        self.budget.used = 0
