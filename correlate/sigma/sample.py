"""A few events of a class, by field, each different text once: how often leaves hold there is counted quickly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from correlate.sigma.evaluate import leaf_test, value_test
from correlate.sigma.node import Leaf
from correlate.sigma.residual import all_values
from correlate.sigma.text import fold

Texts = Sequence[tuple[str, str, int]]
"""(text, folded, how many events have it)"""


class Sample:
    """Counts leaves on events, flat and at least one."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events = events
        self._fields: dict[str, tuple[Texts, list[Mapping[str, Any]]]] = {}
        self._wholes: list[str] | None = None

    def share(self, leaf: Leaf) -> float:
        """Return the share of the events that a leaf holds in. O(different texts of its field)."""
        if leaf.field is None:
            return self._of_keyword(leaf) / len(self._events)
        if leaf.op == "null":
            return sum(map(leaf_test(leaf), self._events)) / len(self._events)
        texts, others = self._of_field(leaf.field)
        held = 0
        if others:
            held += sum(map(leaf_test(leaf), others))
        wanted = leaf.value
        if leaf.op == "infix" and not leaf.cased:
            held += sum([count for _, folded, count in texts if wanted in folded])
        elif leaf.op == "suffix" and not leaf.cased:
            held += sum([count for _, folded, count in texts if folded.endswith(wanted)])
        elif leaf.op == "prefix" and not leaf.cased:
            held += sum([count for _, folded, count in texts if folded.startswith(wanted)])
        else:
            test = value_test(leaf)
            held += sum([count for text, _, count in texts if test(text)])
        return held / len(self._events)

    def _of_keyword(self, leaf: Leaf) -> int:
        if leaf.op != "infix" or leaf.cased:
            return sum(map(leaf_test(leaf), self._events))
        if self._wholes is None:
            self._wholes = [all_values(event) for event in self._events]
        return sum([leaf.value in whole for whole in self._wholes])

    def _of_field(self, name: str) -> tuple[Texts, list[Mapping[str, Any]]]:
        """Return the different texts of a field, and the events in which it is something else."""
        found = self._fields.get(name)
        if found is None:
            counts: Counter[str] = Counter()
            others = []
            for event in self._events:
                value = event.get(name)
                if type(value) is str:
                    counts[value] += 1
                elif value is not None:
                    others.append(event)
            texts = [(text, fold(text), count) for text, count in counts.items()]
            found = self._fields[name] = (texts, others)
        return found
