"""Reads the condition of a correlation document: thresholds, presences of rules, measured fields, percentiles.

Source: Sigma correlation rules specification 2.1 (2025-08-02); `value_median`, `percentile:` and the boolean condition as the
SigmaHQ parser 2.x has them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any, NoReturn

from contract.document import Document
from correlate.window.condition import (
    MAX_TERMS,
    OPERATORS,
    ExpressionError,
    Presence,
    Threshold,
    number,
    presence,
)
from correlate.window.policy import names


class ConditionReader:
    """Reads what a document says of its condition; every fault names the place of its key.

    Raises:
        RuleError: the document has no correlation, or a fault is met.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        data = document.data.get("correlation")
        if not isinstance(data, dict):
            raise document.error("'correlation' must be a mapping", "correlation")
        self.data: dict[str, Any] = data

    def fail(self, message: str, *path: str | int) -> NoReturn:
        raise self.document.error(message, "correlation", *path)

    def condition(
        self, type: str, rules: tuple[str, ...], absence: frozenset[int]
    ) -> tuple[Threshold | None, Presence | None, tuple[str, ...], Fraction | None]:
        given = self.data.get("condition")
        if type in ("temporal", "temporal_ordered"):
            return None, self.presence(given, rules, absence), (), None
        if not isinstance(given, dict):
            self.fail(f"'condition' is {given!r}; {type} expects e.g. gte: 10", "condition")
        threshold = self.threshold(given, type)
        return threshold, None, self.fields(given, type), self.percentile(given, type)

    def presence(self, given: Any, rules: tuple[str, ...], absence: frozenset[int]) -> Presence:
        wanted = [index for index in range(len(rules)) if index not in absence]
        if given is None:
            return Presence(((frozenset(wanted), frozenset()),))
        index = {rules[position]: position for position in wanted}
        if isinstance(given, dict):
            threshold = self.threshold(given, "temporal")
            counts = [n for n in range(1, len(wanted) + 1) if threshold.holds(n)]
            if not counts:
                self.fail(f"holds for no count of {len(wanted)} rules", "condition")
            given = _some_of(list(index), counts)
        if not isinstance(given, str):
            self.fail(f"'condition' is {given!r}; expected a text or a mapping", "condition")
        try:
            return presence(given, index)
        except ExpressionError as error:
            self.fail(f"'condition' {error}", "condition")

    def threshold(self, given: dict[str, Any], type: str) -> Threshold:
        tests = []
        for key, value in given.items():
            if key in OPERATORS:
                bound = number(value) if not isinstance(value, str) else None
                if bound is None:
                    self.fail(f"'{key}' is {value!r}; expected a number", "condition", key)
                tests.append((key, bound))
            elif key not in ("field", "percentile") or type in ("event_count", "temporal"):
                self.fail(f"'{key}' is unknown in a condition of {type}", "condition", str(key))
        if not tests:
            self.fail(f"has no comparison; expected {', '.join(OPERATORS)}", "condition")
        threshold = Threshold(tuple(tests))
        if type in ("event_count", "value_count") and not _can_hold(threshold):
            self.fail(
                f"'{threshold.text()}' holds for no count from 1 on; for 'none within the timespan' "
                "use opsonin: absence",
                "condition",
            )
        return threshold

    def fields(self, given: dict[str, Any], type: str) -> tuple[str, ...]:
        if type == "event_count":
            return ()
        if "field" not in given:
            self.fail(f"'field' is absent; {type} needs it", "condition")
        try:
            found = names(given["field"])
        except ValueError as error:
            self.fail(f"'field' {error}", "condition", "field")
        if type != "value_count" and len(found) > 1:
            self.fail(f"'field' names {len(found)}; {type} takes one", "condition", "field")
        return found

    def percentile(self, given: dict[str, Any], type: str) -> Fraction | None:
        if type == "value_median":
            if "percentile" in given:
                self.fail("value_median is percentile 50; leave it out", "condition", "percentile")
            return Fraction(50)
        if "percentile" not in given:
            return None
        if type != "value_percentile":
            self.fail(f"'percentile' is unknown in {type}", "condition", "percentile")
        rank = number(given["percentile"])
        if rank is None or isinstance(given["percentile"], str) or not 0 <= rank <= 100:  # noqa: PLR2004
            self.fail(
                f"'percentile' is {given['percentile']!r}; expected 0 to 100",
                "condition", "percentile",
            )  # fmt: skip
        return Fraction(rank)


def _can_hold(threshold: Threshold) -> bool:
    """Whether some whole number from 1 on satisfies: only those around the bounds can differ."""
    around = {1}
    for _, bound in threshold.tests:
        around |= {max(1, bound // 1 + step) for step in (-1, 0, 1, 2)}
    return any(threshold.holds(count) for count in around)


def _some_of(references: list[str], counts: list[int]) -> str:
    """Write "so many of these rules, and none of the others when more is too many" as an expression."""
    highest = len(references)
    terms = []
    for count in counts:
        if count > min(counts) and count - 1 in counts and max(counts) == highest:
            continue
        for chosen in combinations(references, count):
            refused = [r for r in references if r not in chosen] if max(counts) < highest else []
            terms.append("(" + " and ".join([*chosen, *(f"not {one}" for one in refused)]) + ")")
            if len(terms) > MAX_TERMS:
                return " or ".join(terms)
    return " or ".join(terms)
