"""Indexes: from one value of a field to the rules worth evaluating.

An index answers with a superset of the rules whose witness holds: exact texts by one dictionary
lookup, literals by one pass over the folded text, the rest one by one. What a value answered is
remembered, since values of logs repeat; the memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from correlate.sigma.evaluate import ValueTest, value_test
from correlate.sigma.needle import BY_PLACE, encoded, needle_of, needles_of
from correlate.sigma.node import Leaf
from correlate.sigma.residual import TextTest
from correlate.sigma.scan import LayeredScanner, Scanner, scanner
from correlate.sigma.text import LONG, elements, fold, fold_long, text_of

Numbers: TypeAlias = tuple[int, ...]
"""Rules by their number in the set, without order."""

MEMO_BYTES = 48 * 1024 * 1024
"""Of all remembered values of one engine, keys and overhead counted; then all are forgotten."""
MEMO_VALUE_LENGTH = 2048
"""Longer values are not remembered: they hardly repeat."""
OFTEN_LONG = 16
"""Texts too long to remember, from which a field is one of long texts."""
COMPILE_AFTER = 24
"""New values of a field, from which one pass over all literals is worth its compilation."""
COMPILE_WORK = 1 << 24
"""Literals times characters looked through one by one, from which it is worth it sooner: a list of thousands, long texts."""
MOST_ADDED = 64
"""New literals of a field, and one for each sixteen compiled, beside those; with more, all are compiled anew."""
MOST_LAYERS = 3
"""Scanners of later literals over the first one; each costs every new value a pass."""
_OVERHEAD = 160  # bytes of a str object, a dict slot and its share of growth


class Budget:
    """The bound that the memos of one engine share."""

    def __init__(self, limit: int = MEMO_BYTES) -> None:
        self.limit = limit
        self.used = 0
        self.cleared = 0
        self.memos: list[dict[Any, Numbers]] = []

    def forget(self) -> None:
        """Forget everything: what is about to be remembered would be too much."""
        for memo in self.memos:
            memo.clear()
        self.used = 0
        self.cleared += 1


class FieldIndex:
    """The witness leaves of one field.

    Args:
        wanted: each leaf with the rules that it is a witness of.
        budget: shared memory bound.
        limit: returns for a rule the test of what it demands of a text of this field, whatever the other
            fields are, or None: nothing; what does not pass is no candidate.
        ruled_out: counts for each rule the new texts that `limit` ruled out; such a witness is no rare one.
        plain: use no native code; the reference path.
        before: the index of the same field that this one replaces; its compiled literals serve on where few are new.
    """

    def __init__(
        self,
        wanted: Mapping[Leaf, Iterable[int]],
        budget: Budget,
        limit: Callable[[int], TextTest | None],
        *,
        ruled_out: dict[int, int] | None = None,
        plain: bool = False,
        before: FieldIndex | None = None,
    ) -> None:
        self.memo: dict[str, Numbers] = {}
        self._limit = limit
        self._ruled_out = {} if ruled_out is None else ruled_out
        self._limits: dict[int, TextTest | None] = {}
        self._budget = budget
        self._exact: dict[str, set[int]] = {}
        self._numbers: dict[int | float, set[int]] = {}
        self._absent: set[int] = set()
        self._tests: list[tuple[ValueTest, Numbers]] = []
        self._needles: dict[str, list[tuple[str, str, ValueTest | None, Numbers]]] = {}
        self._also: dict[str, set[tuple[str, ...]]] = {}
        for leaf, rules in wanted.items():
            self._add(leaf, tuple(rules))
        self.absent: Numbers = tuple(self._absent)
        """Rules to evaluate where the event does not have the field, or null."""
        self._longest = max(map(len, self._exact), default=-1)
        self._literals = list(self._needles)
        self._on_needle = list(self._needles.values())
        self._plain = plain
        self._scanner: Scanner | None = None
        self._layers = 0
        budget.memos.append(self.memo)
        self._long = 0
        self._asked = 0
        self._work = 0
        if before is not None:
            self._inherit(before)

    def wanted(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yield what a text may have for which rules are to be evaluated, folded: (kind, text, further texts it must hold).

        Kinds: equal, infix, prefix, suffix · number: and any number · null: the field's absence. What no text stands
        for is in `others`.
        """
        for text in self._exact:
            yield "equal", text, ()
        for needle, uses in self._needles.items():
            for place in {place for _, place, test, _ in uses if test is None}:
                yield place, needle, ()
            for texts in self._also.get(needle, ()):
                yield "infix", needle, tuple(text for text in texts if text != needle)
        if self._numbers:
            yield "number", "", ()
        if self._absent:
            yield "null", "", ()

    @property
    def others(self) -> frozenset[int]:
        """Rules that wait for something that no text stands for; any value may have it."""
        return frozenset(rule for _, rules in self._tests for rule in rules)

    @property
    def remembered(self) -> Callable[[str], Numbers | None]:
        """What is remembered of a text; where texts are often long, without hashing the long ones."""
        if not (self._exact or self._needles or self._tests):
            return _nothing
        recall = self.memo.get
        if self._long < OFTEN_LONG:
            return recall
        return lambda value: recall(value) if len(value) <= MEMO_VALUE_LENGTH else None

    def close(self) -> None:
        """Give back what is remembered."""
        self._budget.memos = [memo for memo in self._budget.memos if memo is not self.memo]
        self.memo.clear()

    def _add(self, leaf: Leaf, rules: Numbers) -> None:
        if leaf.op == "null":
            self._absent.update(rules)
        elif leaf.op == "equal":
            self._exact.setdefault(fold(leaf.value) if leaf.cased else leaf.value, set()).update(
                rules
            )
        elif leaf.op == "number":
            self._numbers.setdefault(leaf.value, set()).update(rules)
            self._exact.setdefault(fold(str(leaf.value)), set()).update(rules)
        else:
            needle = needle_of(leaf)
            if needle:
                test = None if leaf.op in BY_PLACE and not leaf.cased else value_test(leaf)
                place = leaf.op if leaf.op in BY_PLACE and not leaf.cased else "infix"
                self._needles.setdefault(needle, []).append((needle, place, test, rules))
                if test is not None:
                    self._also.setdefault(needle, set()).add(needles_of(leaf))
            else:
                self._tests.append((value_test(leaf), rules))

    def of(self, value: Any) -> Numbers:  # noqa: C901  # in the path of every new value: one frame
        """Return the rules to evaluate for a value; remembers short texts. Never for None."""
        kind = type(value)
        if kind is str:
            found = self._of_text(value, value)
            if found:
                found = self._possible(found, value)
            length = len(value)
            if length <= MEMO_VALUE_LENGTH:
                budget = self._budget
                budget.used += length + _OVERHEAD + 8 * len(found)
                if budget.used > budget.limit:
                    budget.forget()
                self.memo[value] = found
            else:
                self._long += 1
            return found
        if kind is list:
            # "Not" of a multi-valued field is about all its values: none of them alone can tell
            # that a rule is impossible.
            gathered: set[int] = set()
            for element in elements(value):
                if type(element) is str:
                    gathered.update(self._of_text(element, element))
                elif element is not None:
                    gathered.update(self.of(element))
            if self._absent and all(element is None for element in elements(value)):
                gathered |= self._absent
            return tuple(gathered)
        text = text_of(value)
        if text is None:
            return ()
        found = self._of_text(text, value)
        if kind is not bool and value in self._numbers:
            found = tuple({*found, *self._numbers[value]})
        return found

    def _possible(self, rules: Numbers, text: str) -> Numbers:
        """Leave out the rules that cannot hold where this field has this text, whatever the others have."""
        folded = fold(text) if len(text) < LONG else fold_long(text)
        limits = self._limits
        kept = []
        for rule in rules:
            if rule in limits:
                limit = limits[rule]
            else:
                limit = limits[rule] = self._limit(rule)
            if limit is None or limit(text, folded):
                kept.append(rule)
            else:
                self._ruled_out[rule] = self._ruled_out.get(rule, 0) + 1
        return tuple(kept)

    def _of_text(self, text: str, value: Any) -> Numbers:
        is_ascii = text.isascii()
        found: set[int] = set()
        if len(text) <= self._longest or not is_ascii:
            exact = self._exact.get(fold(text))
            if exact is not None:
                found.update(exact)
        if self._needles:
            made = self._scanner
            if self._asked < COMPILE_AFTER or made is None:
                made = self._open(len(text))
            # The scanner folds ASCII itself; a long text is folded here only where it must be.
            numbers = made.scan(
                text.encode() if is_ascii else fold(text).encode("utf-8", "surrogatepass")
            )
            if numbers:
                self._verify(numbers, text, value, found)
        for test, rules in self._tests:
            if test(value):
                found.update(rules)
        return tuple(found) if found else ()

    def _open(self, length: int) -> Scanner:
        """Make the scanner: a plain one first, since many fields come in a class but now and then."""
        self._asked += 1
        self._work += length * len(self._literals)
        if self._work > COMPILE_WORK:
            self._asked = COMPILE_AFTER
        if self._scanner is None or self._asked == COMPILE_AFTER:
            plain = self._plain or self._asked < COMPILE_AFTER
            self._scanner = scanner(encoded(self._literals), ascii_caseless=True, plain=plain)
        return self._scanner

    def _inherit(self, before: FieldIndex) -> None:
        """Take over what is compiled: of a field with thousands of literals that takes a fifth of a second."""
        if (
            before._scanner is None
            or before._asked < COMPILE_AFTER
            or before._layers >= MOST_LAYERS
        ):
            return
        known = set(before._literals)
        new = [needle for needle in self._needles if needle not in known]
        if len(new) > MOST_ADDED + len(known) // 16 or len(known) > 2 * len(self._needles):
            return
        self._asked = COMPILE_AFTER
        self._layers = before._layers
        self._literals = [*before._literals, *new]
        self._on_needle = [self._needles.get(needle, []) for needle in self._literals]
        self._scanner = before._scanner
        if new:
            self._layers += 1
            added = scanner(encoded(new), ascii_caseless=True, plain=self._plain)
            self._scanner = LayeredScanner(before._scanner, len(before._literals), added)

    def _verify(self, numbers: list[int], text: str, value: Any, found: set[int]) -> None:
        """Add the rules of the literals that occur, where they occur as their leaves want it."""
        on_needle = self._on_needle
        folded = fold(text) if len(text) < LONG else fold_long(text)
        for number in numbers:
            for needle, place, test, rules in on_needle[number]:
                if test is not None:
                    if test(value):
                        found.update(rules)
                elif (
                    place == "infix"
                    or (place == "suffix" and folded.endswith(needle))
                    or (place == "prefix" and folded.startswith(needle))
                ):
                    found.update(rules)


def _nothing(_: str) -> Numbers:
    return ()
