"""Documents to pySigma's rule objects, item by item, so that a fault is named with its line and column.

pySigma's objects are what processing pipelines work on. Building them here instead of by
`SigmaRule.from_dict` gives places, our value modifiers (see `modifiers`), our bounds, and keeps a
rule alive whose meta data alone is at fault (`rules check` names that).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR
from sigma.exceptions import SigmaError
from sigma.rule import (
    SigmaDetection,
    SigmaDetectionItem,
    SigmaDetections,
    SigmaLevel,
    SigmaLogSource,
    SigmaRule,
    SigmaRuleTag,
    SigmaStatus,
)
from sigma.types import SigmaNull, SigmaNumber, SigmaString, SigmaType, sigma_type

from contract.document import Document
from correlate.sigma.modifiers import ANY, BY_PLACE, MODIFIERS, Re, misfit
from correlate.sigma.rules import META_KEYS

MAX_VALUES = 20_000
"""Values of one rule, lists counted through. The longest public list has some hundred; what needs more is a
lookup, not a rule."""
MAX_VALUE_LENGTH = 65_536
MAX_DEPTH = 16
"""Of lists and maps in one search identifier."""

_KNOWN = META_KEYS | {"filter", "correlation"}

_RESERVED = ("condition", "timeframe")


class Reader:
    """Reads the detection part of one document; counts what it read."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def log_source(self) -> SigmaLogSource:
        """Return `logsource`.

        Raises:
            RuleError: absent, empty, or not of texts.
        """
        given = self._document.data.get("logsource")
        if not isinstance(given, dict):
            raise self._document.error(
                "logsource: expected a mapping of category, product, service", "logsource"
            )
        for key in ("category", "product", "service", "definition"):
            if not isinstance(given.get(key), str | None):
                raise self._document.error(f"logsource {key}: expected text", "logsource", key)
        try:
            return SigmaLogSource.from_dict(given)
        except SigmaError as error:
            raise self._document.error(str(error), "logsource") from error

    def detections(self, section: str) -> SigmaDetections:
        """Return the search identifiers and conditions under `section`.

        Raises:
            RuleError: naming the place of the first fault.
        """
        given = self._document.data.get(section)
        if not isinstance(given, dict):
            raise self._document.error(f"{section}: expected a mapping", section)
        identifiers: dict[str, SigmaDetection] = {}
        for name, definition in given.items():
            if name in _RESERVED or (section == "filter" and name == "rules"):
                continue
            identifiers[str(name)] = self._detection(definition, (section, str(name)))
        if "timeframe" in given:
            raise self._document.error(
                "timeframe belongs to Sigma 1; write a correlation rule", section, "timeframe"
            )
        conditions = given.get("condition")
        if isinstance(conditions, str):
            conditions = [conditions]
        if (
            not isinstance(conditions, list)
            or not conditions
            or not all(isinstance(condition, str) for condition in conditions)
        ):
            raise self._document.error(
                "condition: expected text or a list of texts", section, "condition"
            )
        if not identifiers:
            raise self._document.error(f"{section}: no search identifier", section)
        return SigmaDetections(identifiers, list(conditions))

    def _detection(self, definition: Any, path: tuple[str | int, ...]) -> SigmaDetection:
        if len(path) > MAX_DEPTH:
            raise self._document.error(f"nested deeper than {MAX_DEPTH}", *path)
        if isinstance(definition, dict):
            if not definition:
                raise self._document.error("empty mapping; it would match everything", *path)
            items: Sequence[SigmaDetectionItem | SigmaDetection] = [
                self._item(str(key), value, (*path, str(key))) for key, value in definition.items()
            ]
            return SigmaDetection(list(items), item_linking=ConditionAND)
        if isinstance(definition, list) and any(
            isinstance(item, dict | list) for item in definition
        ):
            return SigmaDetection(
                [self._detection(item, (*path, at)) for at, item in enumerate(definition)],
                item_linking=ConditionOR,
            )
        return SigmaDetection([self._item("", definition, path)], item_linking=ConditionAND)

    def _item(self, key: str, given: Any, path: tuple[str | int, ...]) -> SigmaDetectionItem:
        field, *stated = key.split("|")
        names = [name for name in stated if name != ANY]
        modifiers = []
        for name in names:
            if name not in MODIFIERS:
                raise self._document.error(
                    f"unknown modifier {name!r}{_near(name)}; known: {', '.join(_KNOWN_MODIFIERS)}",
                    *path,
                )
            modifiers.append(MODIFIERS[name])
        values = given if isinstance(given, list) else [given]
        if not values:
            raise self._document.error("no values; expected at least one", *path)
        raw = Re in modifiers
        as_text = not BY_PLACE.isdisjoint(names)
        typed = [
            self._value(
                str(value).lower() if as_text and isinstance(value, int | float) else value,
                (*path, at) if isinstance(given, list) else path,
                raw=raw,
            )
            for at, value in enumerate(values)
        ]
        if not field and any(isinstance(value, SigmaNull) for value in typed):
            raise self._document.error("null must stand under a field", *path)
        self._check(field, stated, typed, path, listed=isinstance(given, list))
        try:
            return SigmaDetectionItem(field or None, modifiers, typed)
        except SigmaError as error:
            wrong = misfit(names, values)
            if wrong is None and "incompatible to value type" in str(error):
                wrong = f"{key}: the modifiers do not go together"
            raise self._document.error(wrong or f"{key}: {error}", *path) from error

    def _check(
        self,
        field: str,
        names: list[str],
        typed: list[SigmaType],
        path: tuple[str | int, ...],
        *,
        listed: bool,
    ) -> None:
        """Refuse what the modifiers appendix does not allow and pySigma lets pass."""
        if len(set(names)) != len(names):
            raise self._document.error("a modifier stands twice", *path)
        if "all" in names and len(typed) < 2 and not listed:  # noqa: PLR2004  # "single item values"
            raise self._document.error("'all' needs a list of values", *path)
        if "all" in names and ANY in names:
            raise self._document.error("'all' and 'any' exclude each other", *path)
        for name in ("startswith", "endswith"):
            if name in names and not field:
                text = f"{name!r} needs a field: a keyword is looked for anywhere"
                raise self._document.error(text, *path)
        for name in ("i", "m", "s"):
            if name in names and "re" not in names:
                raise self._document.error(f"modifier {name!r} belongs to 're'", *path)

    def _value(self, value: Any, path: tuple[str | int, ...], *, raw: bool) -> SigmaType:
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._document.error(f"more than {MAX_VALUES} values in one rule", *path)
        if isinstance(value, str) and len(value) > MAX_VALUE_LENGTH:
            raise self._document.error(
                f"value of {len(value)} characters; at most {MAX_VALUE_LENGTH}", *path
            )
        if isinstance(value, date):  # YAML reads 2026-01-01 as a date; the rule means its text
            value = value.isoformat()
        if not isinstance(value, str | int | float | bool | None):
            raise self._document.error(
                f"expected text, number, true, false or null, came {type(value).__name__}", *path
            )
        if raw:
            if not isinstance(value, str):
                value = str(value)
            return SigmaString.from_str(value)
        try:
            typed = sigma_type(value)
        except SigmaError as error:
            raise self._document.error(str(error), *path) from error
        if isinstance(typed, SigmaNumber) and isinstance(value, int):
            typed.number = value  # pySigma turns integers past 2**53 into floats
        return typed


_KNOWN_MODIFIERS = sorted([ANY, *MODIFIERS])


def _near(name: str) -> str:
    """Return a hint at a modifier of nearly the same name."""
    near = get_close_matches(name.lower(), _KNOWN_MODIFIERS, 1, 0.7)
    return f"; is {near[0]!r} meant?" if near else ""


def detection(document: Document, identity: str) -> SigmaRule:
    """Read a detection rule.

    Args:
        document: of the rule.
        identity: its id, given or derived.

    Raises:
        RuleError: what is wrong and where.
    """
    reader = Reader(document)
    data = document.data
    rule = SigmaRule(
        title=str(data.get("title", "")),
        name=data.get("name") if isinstance(data.get("name"), str) else None,
        taxonomy=str(data.get("taxonomy", "sigma")),
        logsource=reader.log_source(),
        detection=reader.detections("detection"),
        fields=[str(field) for field in data.get("fields") or [] if isinstance(field, str)],
        custom_attributes={key: value for key, value in data.items() if key not in _KNOWN},
    )
    rule.id = identity  # type: ignore[assignment]  # pySigma wants a UUID; ours may be any text
    _conditions_of_pipelines(rule, data)
    return rule


def _conditions_of_pipelines(rule: SigmaRule, data: dict[str, Any]) -> None:
    """Give pySigma what its pipelines may ask of a rule: tags, level, status; wrong ones stay out."""
    for tag in data.get("tags") or []:
        try:
            rule.tags.append(SigmaRuleTag.from_str(tag))
        except (SigmaError, AttributeError, TypeError, ValueError):
            continue
    level, status = data.get("level"), data.get("status")
    if isinstance(level, str) and level.upper() in SigmaLevel.__members__:
        rule.level = SigmaLevel[level.upper()]
    if isinstance(status, str) and status.upper() in SigmaStatus.__members__:
        rule.status = SigmaStatus[status.upper()]


def filter_rules(document: Document) -> tuple[str, ...] | None:
    """Return the ids or names that a filter names; None for `any`.

    Raises:
        RuleError: absent or of the wrong type.
    """
    given = document.data.get("filter")
    rules = given.get("rules") if isinstance(given, dict) else None
    if isinstance(rules, str):
        return None if rules.lower() == "any" else (rules,)
    if isinstance(rules, list) and all(isinstance(rule, str) for rule in rules):
        return tuple(rules) or None
    raise document.error(
        "filter: expected 'rules': any, an id or name, or a list of them", "filter", "rules"
    )
