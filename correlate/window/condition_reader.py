"""Reads the condition of a correlation document: thresholds, presences of rules, measured fields, percentiles.

Source: Sigma correlation rules specification 2.1 (2025-08-02); `value_median`, `percentile:` and the boolean condition as the
SigmaHQ parser 2.x has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NoReturn

from contract.document import Document
from correlate.window.condition import (
    OPERATORS,
    ExpressionError,
    Number,
    Presence,
    Threshold,
    number,
    presence,
    presence_of,
)
from correlate.window.policy import names


class ConditionReader:
    """Reads what a document says of its condition; every fault names the place of its key.

    Args:
        document: of a correlation.
        called: for an id or name of a rule all that it is called; the document may mix them.

    Raises:
        RuleError: the document has no correlation, or a fault is met.
    """

    def __init__(self, document: Document, called: Mapping[str, Sequence[str]]) -> None:
        self.document = document
        self.called = called
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
            came = "absent" if given is None else repr(given)
            self.fail(f"'condition' is {came}; {type} expects e.g. gte: 10", "condition")
        threshold = self.threshold(given, type)
        return threshold, None, self.fields(given, type), self.percentile(given, type)

    def places(self, rules: tuple[str, ...]) -> dict[str, int]:
        """Return the place in `rules` of each listed rule, by every id and name that it has."""
        return {
            name: place
            for place, rule in enumerate(rules)
            for name in (rule, *self.called.get(rule, ()))
        }

    def presence(self, given: Any, rules: tuple[str, ...], absence: frozenset[int]) -> Presence:
        wanted = frozenset(range(len(rules))) - absence
        if given is None:
            return Presence(((wanted, frozenset()),))
        if not isinstance(given, (dict, str)):
            self.fail(f"'condition' is {given!r}; expected a text or a mapping", "condition")
        try:
            if isinstance(given, dict):
                return presence_of(wanted, self.threshold(given, "temporal"))
            places = self.places(rules)
            return presence(given, {name: at for name, at in places.items() if at in wanted})
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
        measured = _MEASURED.get(type, "number")
        if measured == "share" and "percentile" in given:
            measured = "number"
        if not _can_hold(threshold, measured):
            told = " and ".join(f"{name} {given[name]}" for name, _ in tests)
            self.fail(f"'{told}' holds for no {_NEVER[measured]}", "condition")
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
        if aliased := [name for name in found if name in (self.data.get("aliases") or ())]:
            self.fail(
                f"'field' is the alias {aliased[0]!r}; aliases are for 'group-by', expected a field",
                "condition", "field",
            )  # fmt: skip
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


_MEASURED = {"event_count": "count", "value_count": "count", "value_percentile": "share"}
_NEVER = {
    "count": "count from 1 on; for 'none within the timespan' use opsonin: absence",
    "share": "share: that of the event's own value is above 0 and at most 100 percent",
    "number": "number",
}


def _can_hold(threshold: Threshold, kind: str) -> bool:
    """Whether some value that a measure can have satisfies: only at, around and between the bounds can the answer differ."""
    bounds = sorted(
        {Fraction(0), Fraction(100), *(Fraction(bound) for _, bound in threshold.tests)}
    )
    tried: set[Number]
    if kind == "count":
        tried = {max(1, bound // 1 + step) for bound in bounds for step in (-1, 0, 1, 2)}
    else:
        between = [(low + high) / 2 for low, high in pairwise(bounds)]
        tried = {*bounds, *between, bounds[0] - 1, bounds[-1] + 1}
    if kind == "share":
        tried = {value for value in tried if 0 < value <= 100}  # noqa: PLR2004
    return any(threshold.holds(value) for value in tried)
