"""pySigma's rule objects, after the pipelines, to nodes.

Every type of value has its leaf; one that has none (a query expression, an unresolved placeholder) is
refused by name. Nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sigma.conditions import ConditionAND
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from correlate.sigma.condition import parse
from correlate.sigma.modifiers import DASH, DashString
from correlate.sigma.node import (
    MANY,
    ONE,
    Leaf,
    Node,
    Op,
    conjunction,
    disjunction,
    negation,
)
from correlate.sigma.pattern import PatternError, searcher
from correlate.sigma.text import DASHES, fold

_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_OPERATORS = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}


class LowerError(ValueError):
    """A value that has no exact form here.

    Attributes:
        identifier: search identifier that holds it.
        field: field of the value, or empty.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.identifier = ""
        self.field = field


def condition_of(
    detections: SigmaDetections, *, allow_slow: bool, used: set[str] | None = None
) -> Node:
    """Return the node of a detection section; several conditions are linked with OR.

    Raises:
        LowerError: a value cannot be taken.
        ConditionError: a condition cannot.
    """
    done: dict[str, Node] = {}

    def identifier(name: str) -> Node:
        if name not in done:
            try:
                done[name] = _detection(detections.detections[name], allow_slow=allow_slow)
            except LowerError as error:
                error.identifier = name
                raise
        return done[name]

    names = list(detections.detections)
    # Pipelines change the parsed conditions' text, not `detections.condition`.
    texts = [condition.condition for condition in detections.parsed_condition]
    return disjunction([parse(text, names, identifier, used) for text in texts])


def selections_of(detections: SigmaDetections, *, allow_slow: bool) -> dict[str, Node]:
    """Return the node of each search identifier by itself.

    Raises:
        LowerError: a value cannot be taken.
    """
    return {
        name: _detection(one, allow_slow=allow_slow) for name, one in detections.detections.items()
    }


def _detection(detection: SigmaDetection | SigmaDetectionItem, *, allow_slow: bool) -> Node:
    if isinstance(detection, SigmaDetectionItem):
        return _item(detection, allow_slow=allow_slow)
    parts = [_detection(item, allow_slow=allow_slow) for item in detection.detection_items]
    if not parts:
        raise LowerError("nothing is left of it after the pipelines")
    return conjunction(parts) if detection.item_linking is ConditionAND else disjunction(parts)


def _item(item: SigmaDetectionItem, *, allow_slow: bool) -> Node:
    try:
        parts = [_value(item.field, value, allow_slow=allow_slow) for value in item.value]
    except PatternError as error:
        raise LowerError(str(error), item.field or "") from error
    if not parts:
        if item.field is None:
            raise LowerError("a keyword without value")
        parts = [Leaf("null", item.field, None)]
    linked = conjunction(parts) if item.value_linking is ConditionAND else disjunction(parts)
    return negation(linked) if item.negated else linked


def _value(field: str | None, value: SigmaType, *, allow_slow: bool) -> Node:
    if isinstance(value, SigmaExpansion):
        return disjunction([_value(field, part, allow_slow=allow_slow) for part in value.values])
    if isinstance(value, SigmaRegularExpression):
        return _pattern(field, value, allow_slow=allow_slow)
    for kind, lower in _LOWERED:
        if isinstance(value, kind):
            return lower(field, value)
    raise LowerError(f"{type(value).__name__} has no meaning on events", field or "")


def _pattern(field: str | None, value: SigmaRegularExpression, *, allow_slow: bool) -> Leaf:
    if any(isinstance(part, Placeholder) for part in value.regexp.s):
        raise LowerError("placeholder without a value", field or "")
    pattern = str(value.regexp)
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    searcher(pattern, flags, allow_slow=allow_slow)
    return Leaf("re", field, (pattern, flags), cased=True)


def _number(field: str | None, value: SigmaNumber) -> Leaf:
    if field is None:
        return Leaf("infix", None, str(value.number))
    return Leaf("number", field, value.number)


def _bool(field: str | None, value: SigmaBool) -> Leaf:
    return Leaf("infix" if field is None else "equal", field, "true" if value.boolean else "false")


def _reference(field: str | None, value: SigmaFieldReference) -> Leaf:
    mode = _MODES[value.starts_with, value.ends_with]
    return _leaf(field, "fieldref", (value.field, mode))


def _time_part(field: str | None, value: SigmaTimestampPart) -> Leaf:
    return _leaf(field, "part", (value.timestamp_part.name.lower(), "eq", value.number))


def _leaf(field: str | None, op: Op, value: Any) -> Leaf:
    if field is None:
        raise LowerError(f"{op} needs a field")
    return Leaf(op, field, value)


def _compare(field: str | None, value: SigmaCompareExpression) -> Leaf:
    operator = _OPERATORS.get(value.op)
    if operator is None:
        raise LowerError(f"comparison {value.op.name}", field or "")
    if isinstance(value.number, SigmaTimestampPart):
        part = value.number
        return _leaf(field, "part", (part.timestamp_part.name.lower(), operator, part.number))
    return _leaf(field, "compare", (operator, value.number.number))


def _string(field: str | None, value: SigmaString) -> Leaf:
    cased = isinstance(value, SigmaCasedString)
    parts: list[str | int] = []
    for part in value.s:
        if isinstance(part, str):
            text = part if cased else fold(part)
            if parts and isinstance(parts[-1], str):
                parts[-1] += text
            elif text:
                parts.append(text)
        elif part is SpecialChars.WILDCARD_MULTI:
            if not (parts and parts[-1] == MANY):
                parts.append(MANY)
        elif part is SpecialChars.WILDCARD_SINGLE:
            parts.append(ONE)
        else:
            raise LowerError(
                f"placeholder %{getattr(part, 'name', '')}% has no value; "
                "give one in the settings or by a pipeline (value_placeholders)",
                field or "",
            )
    if field is None:
        parts = [
            *([MANY] if not parts or parts[0] != MANY else []),
            *parts,
            *([MANY] if parts and parts[-1] != MANY else []),
        ]
    if isinstance(value, DashString) and any(
        character in DASH for part in parts if isinstance(part, str) for character in part
    ):
        dashed = tuple(part.translate(DASHES) if isinstance(part, str) else part for part in parts)
        return Leaf("dashes", field, dashed, cased)
    return simple(field, parts, cased=cased)


def simple(field: str | None, parts: Sequence[str | int], *, cased: bool) -> Leaf:
    """Return the plainest leaf of the same meaning as a glob of these parts."""
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) > 1 or ONE in parts:
        return Leaf("glob", field, tuple(parts), cased)
    open_start, open_end = parts[:1] == [MANY], parts[-1:] == [MANY]
    op = _SIMPLE[open_start or (not texts and open_end), open_end]
    return Leaf(op, field, texts[0] if texts else "", cased)


_SIMPLE: dict[tuple[bool, bool], Op] = {
    (False, False): "equal",
    (False, True): "prefix",
    (True, False): "suffix",
    (True, True): "infix",
}
_MODES = {
    (False, False): "equal",
    (True, False): "prefix",
    (False, True): "suffix",
    (True, True): "infix",
}
_LOWERED: tuple[tuple[type[SigmaType], Callable[[str | None, Any], Leaf]], ...] = (
    (SigmaString, _string),
    (SigmaTimestampPart, _time_part),  # before the number that it is, too
    (SigmaNumber, _number),
    (SigmaBool, _bool),
    (SigmaNull, lambda field, _: _leaf(field, "null", None)),
    (SigmaExists, lambda field, value: _leaf(field, "exists", value.exists)),
    (SigmaCIDRExpression, lambda field, value: _leaf(field, "cidr", str(value.network))),
    (SigmaCompareExpression, _compare),
    (SigmaFieldReference, _reference),
)
