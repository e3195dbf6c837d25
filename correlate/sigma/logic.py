"""What can be said of a condition without any event: it never holds, it always holds.

Exact for conditions of few distinct leaves: all assignments of truth are tried that the leaves allow.
Leaves on one field restrict each other (equal to `a` means not equal to `b`, and holding `a`) where the field
has one value: names with dots are ECS, whose fields may hold several, and restrict nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal, TypeAlias

from correlate.sigma.evaluate import value_test
from correlate.sigma.node import And, Leaf, Node, Not, leaves

MAX_LEAVES = 12
"""Distinct leaves of a condition that is examined: 4096 assignments."""

Verdict: TypeAlias = Literal["never", "always", ""]


def verdict(node: Node) -> Verdict:
    """Return whether a condition can never hold, always holds, or neither (or too large to say)."""
    distinct = list(dict.fromkeys(leaves(node)))
    if len(distinct) > MAX_LEAVES:
        return ""
    seen = {_truth(node, one) for one in _assignments(distinct)}
    if seen == {False}:
        return "never"
    return "always" if seen == {True} else ""


def _assignments(distinct: list[Leaf]) -> Iterator[Mapping[Leaf, bool]]:
    exact = [
        leaf
        for leaf in distinct
        if leaf.op in ("equal", "number") and leaf.field and "." not in leaf.field
    ]
    for truths in product((False, True), repeat=len(distinct)):
        given = dict(zip(distinct, truths, strict=True))
        if all(_fits(leaf, given) for leaf in exact if given[leaf]):
            yield given


def _fits(known: Leaf, given: Mapping[Leaf, bool]) -> bool:
    """Tell whether an exact value of a field agrees with what is assumed of the same field."""
    for leaf, truth in given.items():
        if leaf is known or leaf.field != known.field or leaf.op == "fieldref":
            continue
        if leaf.op == "null":
            expected = False
        elif leaf.op == "exists":
            expected = bool(leaf.value)
        else:
            expected = value_test(leaf)(known.value)
            if not expected and known.op == "number":
                expected = value_test(leaf)(str(known.value))
        if truth is not expected:
            return False
    return True


def _truth(node: Node, given: Mapping[Leaf, bool]) -> bool:
    if isinstance(node, Leaf):
        return given[node]
    if isinstance(node, Not):
        return not _truth(node.part, given)
    if isinstance(node, And):
        return all(_truth(part, given) for part in node.parts)
    return any(_truth(part, given) for part in node.parts)
