"""Reads a Sigma correlation rule from its document, by ourselves.

The SigmaHQ parser takes exactly one comparison and whole percentiles; ranges and decimals are in the
specification, so nothing is taken from it here. Source: Sigma correlation rules specification 2.1
(2025-08-02); `value_median`, `percentile:` and the boolean condition as the SigmaHQ parser 2.x has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from contract.document import Document
from contract.records import LEVELS, Level
from correlate.window.condition_reader import ConditionReader
from correlate.window.policy import NAMESPACE, Policy, correlation_policy, names
from correlate.window.rule import Correlation, CorrelationType, tags
from correlate.window.timespan import timespan_us

TYPES: tuple[str, ...] = (
    "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median",
    "temporal", "temporal_ordered",
)  # fmt: skip

MAX_RULES = 64
"""Rules that one correlation may name."""

_KEYS = frozenset(
    {"type", "rules", "aliases", "group-by", "timespan", "condition", "generate", NAMESPACE}
)


def parse(document: Document, id: str, called: Mapping[str, Sequence[str]]) -> Correlation:
    """Read a correlation.

    Args:
        document: one that has a `correlation` mapping.
        id: of the rule; derived by the loader where the document gives none.
        called: for an id or name of a rule all that it is called.

    Raises:
        RuleError: any fault, with its place.
    """
    return _Parser(document, called).correlation(id)


class _Parser(ConditionReader):
    """Reads one document; every fault names the place of its key."""

    def correlation(self, id: str) -> Correlation:
        for key in self.data:
            if key not in _KEYS:
                self.fail(f"'{key}' is unknown; expected {', '.join(sorted(_KEYS))}", str(key))
        type = self.data.get("type")
        if type not in TYPES:
            self.fail(f"'type' is {type!r}; expected one of {', '.join(TYPES)}", "type")
        policy = correlation_policy(self.document)
        rules = self.references()
        absence = self.absent(policy, rules, type)
        threshold, present, fields, percentile = self.condition(type, rules, absence)
        tactics, techniques = tags(self.document.data)
        title = self.document.data.get("title")
        if not isinstance(title, str) or not title:
            raise self.document.error("'title' is absent; expected a text", "title")
        return Correlation(
            id=id,
            name=str(self.document.data.get("name") or title),
            title=title,
            level=self.level(),
            tactics=tactics,
            techniques=techniques,
            type=cast("CorrelationType", type),
            rules=rules,
            group_by=self.group_by(),
            aliases=self.aliases(rules),
            span_us=self.span(),
            threshold=threshold,
            presence=present,
            fields=fields,
            percentile=percentile,
            absence=absence,
            generate=self.generate(),
            policy=policy,
            document=self.document,
        )

    def level(self) -> Level | None:
        given = self.document.data.get("level")
        if given is not None and given not in LEVELS:
            raise self.document.error(
                f"'level' is {given!r}; expected {', '.join(LEVELS)}", "level"
            )
        return cast("Level | None", given)

    def texts(self, key: str) -> tuple[str, ...]:
        try:
            return names(self.data[key])
        except ValueError as error:
            self.fail(f"'{key}' {error}", key)

    def references(self) -> tuple[str, ...]:
        if "rules" not in self.data:
            self.fail("'rules' is absent; expected ids or names of rules")
        found = self.texts("rules")
        if len(found) > MAX_RULES:
            self.fail(f"names {len(found)} rules; expected at most {MAX_RULES}", "rules")
        return found

    def group_by(self) -> tuple[str, ...]:
        if self.data.get("group-by") in (None, []):
            return ()
        return self.texts("group-by")

    def span(self) -> int:
        if "timespan" not in self.data:
            self.fail("'timespan' is absent; expected a number and s, m, h or d")
        try:
            return timespan_us(self.data["timespan"])
        except ValueError as error:
            self.fail(f"'timespan' {error}", "timespan")

    def generate(self) -> bool:
        given = [
            place["generate"] for place in (self.document.data, self.data) if "generate" in place
        ]
        if any(not isinstance(one, bool) for one in given):
            self.fail(f"'generate' is {given[0]!r}; expected true or false", "generate")
        return any(given)

    def aliases(self, rules: tuple[str, ...]) -> dict[str, dict[str, str]]:
        given = self.data.get("aliases") or {}
        if not isinstance(given, dict):
            self.fail(f"'aliases' is {given!r}; expected a mapping", "aliases")
        return {
            alias: self.alias(alias, fields, rules, self.places(rules))
            for alias, fields in given.items()
        }

    def alias(
        self, alias: str, fields: object, rules: tuple[str, ...], places: Mapping[str, int]
    ) -> dict[str, str]:
        if not isinstance(fields, dict) or not all(
            isinstance(field, str) and field for field in fields.values()
        ):
            self.fail(f"alias {alias!r}: expected rule: field", "aliases", str(alias))
        found: dict[str, str] = {}
        for reference, field in fields.items():
            if reference not in places:
                self.fail(
                    f"alias {alias!r} names {reference!r}; 'rules' does not list it",
                    "aliases", alias, str(reference),
                )  # fmt: skip
            found[rules[places[reference]]] = field
        if missing := [rule for rule in rules if rule not in found]:
            self.fail(
                f"alias {alias!r} has no field for {', '.join(missing)}; "
                "their events could not be grouped",
                "aliases",
                alias,
            )
        if len(found) < len(fields):
            self.fail(f"alias {alias!r} names a rule twice, by id and by name", "aliases", alias)
        return found

    def absent(self, policy: Policy, rules: tuple[str, ...], type: str) -> frozenset[int]:
        if not policy.absence:
            return frozenset()
        if type not in ("temporal", "temporal_ordered"):
            self.fail("'opsonin: absence' needs type temporal or temporal_ordered", "type")
        places = self.places(rules)
        for reference in policy.absence:
            if reference not in places:
                raise self.document.error(
                    f"'opsonin: absence' names {reference!r}; 'rules' does not list it", NAMESPACE
                )
        found = frozenset(places[reference] for reference in policy.absence)
        if len(found) == len(rules):
            self.fail("every rule must be absent; expected at least one that must come", "rules")
        return found
