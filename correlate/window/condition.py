"""What a correlation asks: numeric thresholds with ranges and decimals, and and/or/not over referenced rules.

Source: Sigma correlation rules specification 2.1, "Condition"; the boolean form as the SigmaHQ parser reads
it (`not` binds before `and`, `and` before `or`). Numbers are compared as decimals, never as binary
fractions: 1.1 + 2.2 is 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeAlias

Number: TypeAlias = int | Fraction

Test: TypeAlias = Callable[[Number, int], bool]
"""Tells whether a value, given as (over, under), satisfies."""

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
    "eq": eq,
    "neq": ne,
}
_LOWER = ("gt", "gte", "eq")
_UPPER = ("lt", "lte", "eq", "neq")

MAX_DIGITS = 400
"""Characters of a number that is read; `1e308` has fewer, an attack on the arithmetic more."""

MAX_TERMS = 64
"""Alternatives that an expression may expand to, and rules that it may name."""


def number(value: Any) -> Number | None:
    """Return a JSON scalar as an exact number; None when it is none (text, NaN, infinity, a boolean)."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, (float, str)):
        return None
    text = repr(value) if isinstance(value, float) else value.strip()
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > MAX_DIGITS:
        return None
    exact = Fraction(text)
    return exact.numerator if exact.denominator == 1 else exact


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A conjunction of comparisons, e.g. `gt: 100` and `lte: 200`."""

    tests: tuple[tuple[str, Number], ...]

    def holds(self, value: Number) -> bool:
        """Tell whether all comparisons hold for `value`."""
        return all(OPERATORS[name](value, bound) for name, bound in self.tests)

    def test(self) -> Test:
        """Return `holds`, made ready to be asked often, without dividing."""
        tests = [
            (OPERATORS[name], *Fraction(bound).as_integer_ratio()) for name, bound in self.tests
        ]
        if len(tests) > 1:
            return lambda over, under: all(
                compare(over * den, num * under) for compare, num, den in tests
            )
        compare, num, den = tests[0]
        if den == 1:
            return lambda over, under: compare(over, num * under)
        return lambda over, under: compare(over * den, num * under)

    def least(self) -> int | None:
        """Return the N of "N or more" when that is all that is asked, for counts; else None."""
        if len(self.tests) != 1:
            return None
        name, bound = self.tests[0]
        if name == "gte":
            return -(-bound // 1)
        if name == "gt":
            return bound // 1 + 1
        return None

    def at_least(self) -> Number:
        """Return a value below which it cannot hold; there is one, see `has_lower`."""
        return max(bound for name, bound in self.tests if name in _LOWER)

    def lowest(self) -> int:
        """Return a count below which it cannot hold; 0 when there is none."""
        bounds = [
            bound // 1 + 1 if name == "gt" else -(-bound // 1)
            for name, bound in self.tests
            if name in _LOWER
        ]
        return max(0, *bounds) if bounds else 0

    @property
    def has_lower(self) -> bool:
        """Whether something must be there for it to hold."""
        return any(name in _LOWER for name, _ in self.tests)

    @property
    def has_upper(self) -> bool:
        """Whether more can end it."""
        return any(name in _UPPER for name, _ in self.tests)


Clause: TypeAlias = tuple[frozenset[int], frozenset[int]]
"""Rules (by index) that must be present, and rules that must not."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Which sets of rules satisfy: any clause whose rules are all present and whose refused ones are not."""

    clauses: tuple[Clause, ...]


class ExpressionError(ValueError):
    """An expression cannot be read; the text says what was expected."""


_TOKEN = re.compile(r"\s*(?:(\()|(\))|([^\s()]+))")


def presence(expression: str, index: Mapping[str, int]) -> Presence:
    """Return what an and/or/not expression over rules' names or ids asks.

    Args:
        expression: e.g. `a and (b or c) and not d`.
        index: position of each rule that may be named.

    Raises:
        ExpressionError: a fault of form, an unknown rule, or more than `MAX_TERMS` alternatives.
    """
    tokens = _tokens(expression)
    reader = _Reader(tokens, index)
    clauses = reader.either(positive=True)
    if reader.position < len(tokens):
        raise ExpressionError(f"expected 'and' or 'or', came {tokens[reader.position]!r}")
    possible = {clause for clause in clauses if clause[0].isdisjoint(clause[1])}
    if not possible:
        raise ExpressionError("no set of rules can satisfy it")
    if any(not wanted for wanted, _ in possible):
        raise ExpressionError(
            "can hold without any match; expected at least one rule without 'not' "
            "(for 'no match within the timespan' use opsonin: absence)"
        )
    return _presence(possible)


def presence_of(rules: Iterable[int], threshold: Threshold) -> Presence:
    """Return what a number of different rules asks, e.g. `gte: 2` of three.

    Raises:
        ExpressionError: no number of them satisfies, or more than `MAX_TERMS` alternatives.
    """
    every = frozenset(rules)
    counts = [count for count in range(1, len(every) + 1) if threshold.holds(count)]
    if not counts:
        raise ExpressionError(f"holds for no count of {len(every)} rules")

    def clauses() -> Iterator[Clause]:
        for place, count in enumerate(counts):
            enough = len(counts) - place > len(every) - count  # more of them never is too many
            for chosen in map(frozenset, combinations(sorted(every), count)):
                yield chosen, frozenset() if enough else every - chosen
            if enough:
                return

    return _presence(_bounded(clauses()))


def _presence(clauses: Collection[Clause]) -> Presence:
    return Presence(
        tuple(sorted(_shortest(clauses), key=lambda clause: tuple(map(sorted, clause))))
    )


def _tokens(expression: str) -> list[str]:
    tokens = [match.group(match.lastindex or 0) for match in _TOKEN.finditer(expression)]
    if len(tokens) > 4 * MAX_TERMS:
        raise ExpressionError(f"longer than {4 * MAX_TERMS} words")
    return tokens


class _Reader:
    """Recursive descent; negation is pushed down to the rules while reading."""

    def __init__(self, tokens: list[str], index: Mapping[str, int]) -> None:
        self.tokens = tokens
        self.index = index
        self.position = 0

    def _next(self, *words: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position].lower() in words:
            self.position += 1
            return True
        return False

    def either(self, *, positive: bool) -> frozenset[Clause]:
        found = self.both(positive=positive)
        while self._next("or"):
            other = self.both(positive=positive)
            found = _union(found, other) if positive else _product(found, other)
        return found

    def both(self, *, positive: bool) -> frozenset[Clause]:
        found = self.single(positive=positive)
        while self._next("and"):
            other = self.single(positive=positive)
            found = _product(found, other) if positive else _union(found, other)
        return found

    def single(self, *, positive: bool) -> frozenset[Clause]:
        if self._next("not"):
            return self.single(positive=not positive)
        if self._next("("):
            found = self.either(positive=positive)
            if not self._next(")"):
                raise ExpressionError("expected ')'")
            return found
        if self.position >= len(self.tokens):
            raise ExpressionError("ends where a rule was expected")
        name = self.tokens[self.position]
        if name not in self.index:
            raise ExpressionError(
                f"expected one of {', '.join(self.index)}, came {name!r}; 'rules' must list it"
            )
        self.position += 1
        one = frozenset({self.index[name]})
        return frozenset({(one, frozenset())} if positive else {(frozenset(), one)})


def _shortest(clauses: Collection[Clause]) -> set[Clause]:
    """Leave out what asks for more than another: of `a or (a and b)`, an event of `b` is no evidence."""
    return {
        one
        for one in clauses
        if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in clauses)
    }


def _bounded(clauses: Iterator[Clause]) -> frozenset[Clause]:
    found: set[Clause] = set()
    for clause in clauses:
        found.add(clause)
        if len(found) > MAX_TERMS:
            raise ExpressionError(f"expands to more than {MAX_TERMS} alternatives; split the rule")
    return frozenset(found)


def _union(one: frozenset[Clause], other: frozenset[Clause]) -> frozenset[Clause]:
    return _bounded(iter(one | other))


def _product(one: frozenset[Clause], other: frozenset[Clause]) -> frozenset[Clause]:
    return _bounded((a[0] | b[0], a[1] | b[1]) for a in one for b in other)
