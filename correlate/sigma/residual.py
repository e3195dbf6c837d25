"""Conditions of candidate rules as few, wide closures: leaves on one field are tested together.

`evaluate.node_test` says what is right, leaf by leaf; this says the same faster: one look-up and one
folding for all texts of a field, C loops for lists of prefixes, suffixes and exact texts, the cheap
parts of an AND first. No text of a rule ever becomes code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from correlate.sigma.evaluate import Event, Test, ValueTest, leaf_test, value_test
from correlate.sigma.node import And, Leaf, Node, Not
from correlate.sigma.scan import scanner
from correlate.sigma.text import LONG, elements, fold, fold_long, scalars, text_of

SCAN_AT = 16
"""Literals of one OR from which one pass over the text beats one search each."""

SCAN_EVENT_AT = 6
"""The same, where the text is a whole event."""

TextTest: TypeAlias = Callable[[str, str], bool]
"""(text, the same folded) to whether it is as wanted"""

_TEXT_OPS = frozenset({"equal", "prefix", "suffix", "infix"})
_COST = {"exists": 0, "null": 0, "equal": 1, "number": 1, "suffix": 1, "prefix": 1, "infix": 2}
_GROUP_COST, _NESTED_COST, _KEYWORD_COST, _OTHER_COST = 3, 6, 50, 10


def compiled(node: Node) -> Test:
    """Return the test of an event for a node."""
    if isinstance(node, Leaf):
        return leaf_test(node) if not _groupable(node) else _any_of(node.field or "", [node])
    if isinstance(node, Not):
        negated = compiled(node.part)
        return lambda event: not negated(event)
    is_and = isinstance(node, And)
    tests = _tests(node.parts, is_and=is_and)
    if len(tests) == 1:
        return tests[0]
    return _all(tests) if is_and else _any(tests)


def compiled_text(node: Node) -> TextTest:
    """Return the test of a text, given as it is and folded, for a node whose leaves all ask that one field."""
    if isinstance(node, Leaf):
        if _groupable(node):
            test = _any_text([node])
            return lambda _, folded: test(folded)
        of_value = value_test(node)
        return lambda text, _: of_value(text)
    if isinstance(node, Not):
        negated = compiled_text(node.part)
        return lambda text, folded: not negated(text, folded)
    is_and = isinstance(node, And)
    grouped = [part for part in node.parts if isinstance(part, Leaf) and _groupable(part)]
    tests = [compiled_text(part) for part in node.parts if part not in grouped]
    if grouped:
        folds = (_all_text if is_and else _any_text)(grouped)
        tests.insert(0, lambda _, folded: folds(folded))
    if len(tests) == 1:
        return tests[0]
    if is_and:
        return lambda text, folded: all(test(text, folded) for test in tests)
    return lambda text, folded: any(test(text, folded) for test in tests)


def _groupable(leaf: Leaf) -> bool:
    return leaf.op in _TEXT_OPS and not leaf.cased and leaf.field is not None


def _is_keyword(leaf: Leaf) -> bool:
    return (
        leaf.field is None
        and leaf.op == "infix"
        and not leaf.cased
        and bool(leaf.value)
        and _SEPARATOR not in leaf.value
    )


class LastKeywords:
    """All values of the last event as one folded text; the keyword rules of an event ask in turn."""

    def __init__(self) -> None:
        # One attribute, so that two threads, each with an engine of its own, do not see half of it.
        self._last: tuple[Event | None, str] = (None, "")

    def __call__(self, event: Event) -> str:
        """Return the values, folded, with a separator between that no keyword holds."""
        known, text = self._last
        if event is not known:
            values = event.values()
            is_flat = dict not in (kinds := set(map(type, values))) and list not in kinds
            texts = [
                one
                for value in (values if is_flat else scalars(event))
                if (one := value if type(value) is str else text_of(value)) is not None
            ]
            text = fold(_SEPARATOR.join(texts))
            self._last = event, text
        return text


def _keywords(wanted: tuple[str, ...], *, is_and: bool) -> Test:
    """Return the test whether one, or each, of these texts is in some value of the event."""
    if is_and:
        return lambda event: all(one in all_values(event) for one in wanted)
    found = _any_infix(wanted, SCAN_EVENT_AT)
    return lambda event: found(all_values(event))


_SEPARATOR = "\0"
all_values = LastKeywords()


def _tests(parts: Sequence[Node], *, is_and: bool) -> tuple[Test, ...]:
    """Return the tests of an AND's or OR's parts, grouped by field, the cheap ones first."""
    groups: dict[str, list[Leaf]] = {}
    keywords: list[str] = []
    rated: list[tuple[int, Test]] = []
    for part in parts:
        if isinstance(part, Leaf) and _groupable(part):
            groups.setdefault(part.field or "", []).append(part)
        elif isinstance(part, Leaf) and _is_keyword(part):
            keywords.append(part.value)
        else:
            rated.append((_cost(part), compiled(part)))
    if keywords:
        rated.append((_KEYWORD_COST, _keywords(tuple(keywords), is_and=is_and)))
    for name, leaves in groups.items():
        made = _all_of(name, leaves) if is_and else _any_of(name, leaves)
        rated.append(
            (max(_COST[leaf.op] for leaf in leaves) + _GROUP_COST * (len(leaves) > 1), made)
        )
    rated.sort(key=lambda one: one[0])
    return tuple(test for _, test in rated)


def _cost(node: Node) -> int:
    if isinstance(node, Leaf):
        return _KEYWORD_COST if node.field is None else _COST.get(node.op, _OTHER_COST)
    if isinstance(node, Not):
        return _cost(node.part)
    return _NESTED_COST + max((_cost(part) for part in node.parts), default=0)


def _all(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:  # noqa: PLR2004  # the most frequent length
        first, second = tests
        return lambda event: first(event) and second(event)

    def conjunction(event: Event) -> bool:
        for test in tests:  # noqa: SIM110  # a generator costs twice as much
            if not test(event):
                return False
        return True

    return conjunction


def _any(tests: tuple[Test, ...]) -> Test:
    def disjunction(event: Event) -> bool:
        for test in tests:  # noqa: SIM110
            if test(event):
                return True
        return False

    return disjunction


def _on_text(name: str, test: Callable[[str], bool], whole: Callable[[Any], bool]) -> Test:
    """Return the test of a field: `test` on folded text, `whole` on values of another kind."""

    def on_text(event: Event) -> bool:
        value = event.get(name)
        if value.__class__ is str:
            return test(value.casefold() if len(value) < LONG else fold_long(value))
        return value is not None and whole(value)

    return on_text


def _whole(tests: Sequence[ValueTest], *, is_and: bool) -> Callable[[Any], bool]:
    """Return the test of a value that is no text: each leaf on its own, any element of a list."""

    def holds(test: ValueTest, value: Any) -> bool:
        if type(value) is list:
            return any(test(element) for element in elements(value))
        return test(value)

    if is_and:
        return lambda value: all(holds(test, value) for test in tests)
    return lambda value: any(holds(test, value) for test in tests)


def _texts(leaves: Sequence[Leaf], op: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leaf.value for leaf in leaves if leaf.op == op))


def _any_of(name: str, leaves: Sequence[Leaf]) -> Test:
    whole = _whole([value_test(leaf) for leaf in leaves], is_and=False)
    return _on_text(name, _any_text(leaves), whole)


def _any_text(leaves: Sequence[Leaf]) -> Callable[[str], bool]:
    """Return the test of a folded text whether one of these leaves holds."""
    exact = frozenset(_texts(leaves, "equal"))
    ends, starts, inner = (_texts(leaves, op) for op in ("suffix", "prefix", "infix"))
    tests: list[Callable[[str], bool]] = []
    if exact:
        tests.append(exact.__contains__)
    if ends:
        tests.append(lambda text: text.endswith(ends))
    if starts:
        tests.append(lambda text: text.startswith(starts))
    if inner:
        tests.append(_any_infix(inner))
    if len(tests) == 1:
        return tests[0]

    def any_text(text: str) -> bool:
        for test in tests:  # noqa: SIM110
            if test(text):
                return True
        return False

    return any_text


def _any_infix(inner: tuple[str, ...], scan_at: int = SCAN_AT) -> Callable[[str], bool]:
    if len(inner) == 1:
        only = inner[0]
        return lambda text: only in text
    if len(inner) >= scan_at and all(inner):
        made: list[Callable[[bytes], list[int]]] = []

        def scanned(text: str) -> bool:
            if not made:  # compiled when first needed: most rules never are
                made.append(scanner([_utf8(one) for one in inner], few=scan_at - 1).scan)
            return bool(made[0](_utf8(text)))

        return scanned

    def any_infix(text: str) -> bool:
        for one in inner:  # noqa: SIM110
            if one in text:
                return True
        return False

    return any_infix


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _all_of(name: str, leaves: Sequence[Leaf]) -> Test:
    if len(leaves) == 1:
        return _any_of(name, leaves)
    whole = _whole([value_test(leaf) for leaf in leaves], is_and=True)
    return _on_text(name, _all_text(leaves), whole)


def _all_text(leaves: Sequence[Leaf]) -> Callable[[str], bool]:
    """Return the test of a folded text whether each of these leaves holds."""
    exact, ends, starts, inner = (
        _texts(leaves, op) for op in ("equal", "suffix", "prefix", "infix")
    )

    def all_text(text: str) -> bool:
        for one in inner:
            if one not in text:
                return False
        for one in ends:
            if not text.endswith(one):
                return False
        for one in starts:
            if not text.startswith(one):
                return False
        return all(one == text for one in exact)

    return all_text
