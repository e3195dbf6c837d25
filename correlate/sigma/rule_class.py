"""A class: the rules of events whose routing fields decide alike, waiting for their witnesses.

The indexes tell from an event's values which witnesses are there; which are rare is learnt from a sample
of the class's events, again and again. The choice decides speed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from correlate.sigma.catalogue import fields_of
from correlate.sigma.evaluate import Test
from correlate.sigma.index import Budget, FieldIndex, Numbers
from correlate.sigma.keyword_index import KeywordIndex
from correlate.sigma.node import TRUE, And, Leaf, Node, Not
from correlate.sigma.reading import Reading, can_read
from correlate.sigma.residual import TextTest, compiled, compiled_text
from correlate.sigma.witness import Frequencies, projected, witness

Plan: TypeAlias = tuple[
    tuple[str, Callable[[str], Numbers | None], Callable[[Any], Numbers], Numbers], ...
]
"""By field: its name, what is remembered of a text, what any value answers, the answer to none."""

SAMPLE = 192
"""Events of a class that its frequencies are counted on."""
_RELEARN_AFTER = (1_000, 4_000, 16_000, 65_536, 262_144)
"""Evaluated candidates of a class after which it counts again; the last repeats."""
_STRIDE = 16
"""Of later samples one event in so many is taken, so that they span more than a burst."""
_HOT = 0.01
"""Share of events on which a rule may be a candidate before its witness is looked at again."""


class RuleClass:
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
        names = {name for _, node in rules for name in fields_of(node) if "." in name}
        self.dotted = bool(names)
        # An event that has none of these as a field holds no object that a rule's name looks into.
        self.parents = frozenset(
            ".".join(parts[:end])
            for parts in (name.split(".") for name in names)
            for end in range(1, len(parts))
        )
        self._nodes = dict(rules)
        self._projected: dict[tuple[str, int], TextTest | None] = {}
        self._budget = budget
        self._plain = plain
        self._frequencies = Frequencies()
        self._learnt = 0
        self._skipped = 0
        self.stride = 1
        """While a sample is taken: of so many events one."""
        self._indexes: dict[str, tuple[frozenset[tuple[Leaf, int]], FieldIndex]] = {}
        self._witnesses: dict[int, list[Leaf] | None] = {}
        self._index([number for number, _ in rules])

    def _index(self, numbers: Iterable[int]) -> None:
        """Choose the witnesses of some rules and build what is not built already."""
        for number in numbers:
            found = witness(self._nodes[number], self._frequencies.estimate)
            self._witnesses[number] = None if found is None else found[1]
        wanted: dict[str | None, dict[Leaf, set[int]]] = {}
        always = []
        for number, chosen in self._witnesses.items():
            if chosen is None:
                always.append(number)
                continue
            for leaf in chosen:
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
                limit = partial(self._limit, name)
                index = FieldIndex(
                    leaves,
                    self._budget,
                    limit,
                    ruled_out=self.evaluated,
                    plain=self._plain,
                    before=old[1] if old else None,
                )
                kept[name] = (content, index)
        for name, old in self._indexes.items():
            if name not in kept:
                old[1].close()
        self._indexes = kept
        self._plan()

    def _plan(self) -> None:
        self.plan: Plan = tuple(
            (name, index.remembered, index.of, index.absent)
            for name, (_, index) in self._indexes.items()
        )
        self.reading: Reading | None = None
        """Of `plan`, where it was asked for."""

    def read(self) -> Reading | None:
        """Return how to read the lines of the class; another one when the plan changes. None: decode them whole."""
        if self.reading is None:
            fields = [name for name, *_ in self.plan]
            if can_read([*fields, *self.parents]):
                self.reading = Reading(fields, self.parents)
        return self.reading

    def _limit(self, name: str, number: int) -> TextTest | None:
        """Return the test of what a rule demands of a text of one field, whatever the others have; None: nothing."""
        key = (name, number)
        if key not in self._projected:
            node = projected(self._nodes[number], name)
            self._projected[key] = None if node == TRUE else compiled_text(node)
        return self._projected[key]

    @property
    def indexes(self) -> dict[str, FieldIndex]:
        """What is waited for, by field, in the order of `plan`."""
        return {name: index for name, (_, index) in self._indexes.items()}

    def vetoes(self, name: str, number: int) -> list[Leaf]:
        """Return the leaves on a field of which none may hold for a rule to hold, whatever the other fields have."""
        node = projected(self._nodes[number], name)
        parts = node.parts if isinstance(node, And) else (node,)
        return [
            part.part for part in parts if isinstance(part, Not) and isinstance(part.part, Leaf)
        ]

    def is_due(self) -> bool:
        """Count an event while a sample is taken; tell whether `learn` shall have it."""
        self._skipped += 1
        if self._skipped < self.stride:
            return False
        self._skipped = 0
        return True

    def learn(self, event: Mapping[str, Any]) -> None:
        """Take an event into the sample; when it is full, choose witnesses anew."""
        if self.samples is None:
            return
        self.samples.append(event)
        if len(self.samples) < SAMPLE:
            return
        hot = self._hot(self.samples)
        self._frequencies.learn([self._nodes[number] for number in hot], self.samples)
        self.samples = None
        if hot:
            self._index(hot)
        self._plan()
        self.evaluated.clear()

    def _hot(self, events: list[Mapping[str, Any]]) -> list[int]:
        """Return the rules that are candidates too often."""
        limit = max(1, _HOT * len(events) * self.stride)
        return [number for number, count in self.evaluated.items() if count > limit]

    def relearn(self) -> None:
        """Begin a new sample when enough candidates were evaluated since the last."""
        limit = _RELEARN_AFTER[min(self._learnt, len(_RELEARN_AFTER) - 1)]
        if self.samples is None and sum(self.evaluated.values()) >= limit:
            self._learnt += 1
            self.stride = _STRIDE
            self.samples = []
            self.evaluated.clear()

    def test(self, number: int) -> Test:
        """Return the compiled condition of a rule."""
        made = self.tests[number] = compiled(self._nodes[number])
        return made
