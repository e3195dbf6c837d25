"""A Sigma correlation rule, as `correlate.window.parser` reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from contract.document import Document
from contract.records import Level
from correlate.window.condition import Presence, Threshold
from correlate.window.policy import Policy

CorrelationType: TypeAlias = Literal[
    "event_count", "value_count", "value_sum", "value_avg", "value_percentile", "value_median",
    "temporal", "temporal_ordered",
]  # fmt: skip

_TECHNIQUE = re.compile(r"t[0-9]{4}(?:\.[0-9]{3})?", re.ASCII)
_OTHER_ATTACK = re.compile(r"(?:g|s|ds|m|a|c)[0-9]{4}|ta[0-9]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Correlation:
    """One correlation rule.

    Attributes:
        id: its own, or derived by whoever loaded the document.
        level: None: the highest of the rules it refers to.
        rules: references (ids or names) as written, in order.
        aliases: alias to (reference to field).
        threshold: of counts and values; None for a presence of rules.
        presence: of `temporal` types; None for counts.
        fields: whose values are counted or summed.
        percentile: 0 to 100; None for `value_percentile`: the share of the event's own value is asked.
        absence: indexes in `rules` of those that must not follow.
        generate: the rules referred to give alerts of their own too.
    """

    id: str
    name: str
    title: str
    level: Level | None
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]]
    span_us: int
    threshold: Threshold | None
    presence: Presence | None
    fields: tuple[str, ...]
    percentile: Fraction | None
    absence: frozenset[int]
    generate: bool
    policy: Policy
    document: Document

    def field_of(self, name: str, reference: str) -> str:
        """Return the event field that a group-by name means for events of a rule."""
        alias = self.aliases.get(name)
        return name if alias is None else alias[reference]


def tags(data: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (tactics, techniques) of a rule's `attack.` tags, e.g. `lateral-movement`, `T1021.002`."""
    tactics: dict[str, None] = {}
    techniques: dict[str, None] = {}
    for tag in data.get("tags") or ():
        space, _, value = str(tag).lower().partition(".")
        if space != "attack":
            continue
        if _TECHNIQUE.fullmatch(value):
            techniques[value.upper()] = None
        elif not _OTHER_ATTACK.fullmatch(value):
            tactics[value.replace("_", "-")] = None
    return tuple(tactics), tuple(techniques)
