"""Leaves and nodes to closures over a flat event: the plain path that the index must agree with.

A *value test* takes one value of the event (never a list) and says true or false; a *leaf test* takes
the event. Multi-valued fields hold when one element does. A keyword holds when one value anywhere
in the event does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from correlate.sigma.node import MANY, ONE, And, Leaf, Node, Or
from correlate.sigma.pattern import searcher
from correlate.sigma.text import (
    DASHES,
    LONG,
    elements,
    fold,
    fold_long,
    number_of,
    scalars,
    text_of,
    time_parts,
)

Event: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Event], bool]
ValueTest: TypeAlias = Callable[[Any], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
MAX_ADDRESS_LENGTH = 64


def value_test(leaf: Leaf) -> ValueTest:
    """Return the test of one value. Not for null, exists, fieldref: they ask the event."""
    return _TESTS[leaf.op](leaf)


def _text_test(leaf: Leaf, test: Callable[[str], bool]) -> ValueTest:
    if leaf.cased:

        def cased(value: Any) -> bool:
            text = text_of(value)
            return text is not None and test(text)

        return cased

    def folded(value: Any) -> bool:
        text = text_of(value)
        return text is not None and test(fold(text) if len(text) < LONG else fold_long(text))

    return folded


def _equal(leaf: Leaf) -> ValueTest:
    wanted: str = leaf.value
    return _text_test(leaf, lambda text: text == wanted)


def _prefix(leaf: Leaf) -> ValueTest:
    wanted: str = leaf.value
    return _text_test(leaf, lambda text: text.startswith(wanted))


def _suffix(leaf: Leaf) -> ValueTest:
    wanted: str = leaf.value
    return _text_test(leaf, lambda text: text.endswith(wanted))


def _infix(leaf: Leaf) -> ValueTest:
    wanted: str = leaf.value
    return _text_test(leaf, lambda text: wanted in text)


@lru_cache(maxsize=8192)
def _glob_match(parts: tuple[str | int, ...]) -> Callable[[str], bool]:
    """Return a matcher in time linear in the text times the length of one run, by greedy search.

    Between `*`s a run can be placed at its first fit without losing a match.
    """
    runs: list[list[str | int]] = [[]]
    for part in parts:
        if part == MANY:
            runs.append([])
        else:
            runs[-1].append(part)
    patterns = [
        re.compile("".join("." if part == ONE else re.escape(str(part)) for part in run), re.DOTALL)
        for run in runs
    ]
    if len(patterns) == 1:
        whole = patterns[0].fullmatch
        return lambda text: whole(text) is not None
    first, *middle, last = patterns
    tail = sum(1 if part == ONE else len(str(part)) for part in runs[-1])

    def match(text: str) -> bool:
        found = first.match(text)
        if found is None or len(text) - tail < found.end():
            return False
        at = found.end()
        end = len(text) - tail
        if last.fullmatch(text, end) is None:
            return False
        for pattern in middle:
            found = pattern.search(text, at, end)
            if found is None:
                return False
            at = found.end()
        return True

    return match


def _glob(leaf: Leaf) -> ValueTest:
    return _text_test(leaf, _glob_match(tuple(leaf.value)))


def _dashes(leaf: Leaf) -> ValueTest:
    match = _glob_match(tuple(leaf.value))
    return _text_test(leaf, lambda text: match(text.translate(DASHES)))


def _number(leaf: Leaf) -> ValueTest:
    wanted: int | float = leaf.value
    text = str(wanted)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is int or kind is float:
            return bool(value == wanted)
        return kind is str and value == text

    return test


def _re(leaf: Leaf) -> ValueTest:
    search = searcher(leaf.value[0], leaf.value[1], allow_slow=True)

    def test(value: Any) -> bool:
        text = text_of(value)
        return text is not None and search(text)

    return test


def _cidr(leaf: Leaf) -> ValueTest:
    network = ip_network(leaf.value)

    def test(value: Any) -> bool:
        if type(value) is not str or len(value) > MAX_ADDRESS_LENGTH:
            return False
        try:
            return ip_address(value) in network
        except ValueError:
            return False

    return test


def _compare(leaf: Leaf) -> ValueTest:
    compare, wanted = _COMPARE[leaf.value[0]], leaf.value[1]

    def test(value: Any) -> bool:
        number = number_of(value)
        return number is not None and compare(number, wanted)

    return test


def _part(leaf: Leaf) -> ValueTest:
    unit, name, wanted = leaf.value
    compare = _COMPARE[name]

    def test(value: Any) -> bool:
        parts = time_parts(value)
        return parts is not None and unit in parts and compare(parts[unit], wanted)

    return test


_TESTS: dict[str, Callable[[Leaf], ValueTest]] = {
    "equal": _equal,
    "prefix": _prefix,
    "suffix": _suffix,
    "infix": _infix,
    "glob": _glob,
    "dashes": _dashes,
    "number": _number,
    "re": _re,
    "cidr": _cidr,
    "compare": _compare,
    "part": _part,
}

_REFERENCE: dict[str, Callable[[str, str], bool]] = {
    "equal": operator.eq,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "infix": operator.contains,
}


def leaf_test(leaf: Leaf) -> Test:
    """Return the test of an event."""
    if leaf.op == "exists":
        return _exists(leaf)
    if leaf.op == "null":
        return _null(leaf)
    if leaf.op == "fieldref":
        return _fieldref(leaf)
    test = value_test(leaf)
    if leaf.field is None:
        return lambda event: any(test(value) for value in scalars(event))
    return _on_field(leaf.field, test)


def _on_field(name: str, test: ValueTest) -> Test:
    def on_field(event: Event) -> bool:
        value = event.get(name)
        if value is None:
            return False
        if type(value) is list:
            return any(test(element) for element in elements(value))
        return test(value)

    return on_field


def _exists(leaf: Leaf) -> Test:
    name, wanted = leaf.field, leaf.value
    return lambda event: (name in event) is wanted


def _null(leaf: Leaf) -> Test:
    name = leaf.field or ""

    def null(event: Event) -> bool:
        value = event.get(name)
        return value is None or (
            type(value) is list and all(element is None for element in elements(value))
        )

    return null


def _fieldref(leaf: Leaf) -> Test:
    name = leaf.field or ""
    other, mode = leaf.value
    compare = _REFERENCE[mode]

    def texts(value: Any) -> list[str]:
        return [fold(text) for element in elements(value) if (text := text_of(element)) is not None]

    def reference(event: Event) -> bool:
        left, right = event.get(name), event.get(other)
        if left is None or right is None:
            return False
        wanted = texts(right)
        return any(compare(text, one) for text in texts(left) for one in wanted)

    return reference


def node_test(node: Node, leaf: Callable[[Leaf], Test] = leaf_test) -> Test:
    """Return the test of an event that evaluates a whole node, left to right."""
    if isinstance(node, Leaf):
        return leaf(node)
    if isinstance(node, And | Or):
        tests = tuple(node_test(part, leaf) for part in node.parts)
        if isinstance(node, And):
            return lambda event: all(test(event) for test in tests)
        return lambda event: any(test(event) for test in tests)
    negated = node_test(node.part, leaf)
    return lambda event: not negated(event)
