"""What a new rule set changes, and what of an old one is kept: hot reload, without its I/O.

A rule whose file no longer compiles keeps its last good version. Rules are compared by what they match
(`Detection.content`); correlations by their document and what the rules they refer to match, so
that the state of an unchanged correlation can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from contract.document import Document
from correlate.sigma.rules import RuleSet


@dataclass(slots=True, frozen=True)
class Changes:
    """Ids by what became of them.

    Attributes:
        kept_old: refused now; the earlier version stays in force.
        correlations: correlations whose state must not be kept: new, gone, or of another meaning.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept_old: tuple[str, ...] = ()
    correlations: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is different."""
        return bool(self.added or self.removed or self.changed or self.correlations)


def reload(old: RuleSet, new: RuleSet) -> tuple[RuleSet, Changes]:
    """Return the rule set to put in force, and what it changes.

    Args:
        old: in force.
        new: compiled from the files as they are now; with errors for what is broken.
    """
    broken = {error.file for error in new.errors}
    kept = _kept(old.detections, new.detections, broken)
    kept_correlations = _kept(old.correlations, new.correlations, broken)
    merged = RuleSet(
        {**new.detections, **kept},
        {**new.correlations, **kept_correlations},
        new.filters,
        new.errors,
    )
    before, after = old.detections, merged.detections
    changes = Changes(
        added=tuple(id for id in after if id not in before),
        removed=tuple(id for id in before if id not in after),
        changed=tuple(
            id for id, rule in after.items() if id in before and rule.content != before[id].content
        ),
        kept_old=(*kept, *kept_correlations),
        correlations=_different(correlation_digests(old), correlation_digests(merged)),
    )
    return merged, changes


def _kept(old: Mapping[str, Any], new: Mapping[str, Any], broken: set[str]) -> dict[str, Any]:
    """Return what was good in files that are broken now."""
    return {id: one for id, one in old.items() if id not in new and _file(one) in broken}


def _file(one: Any) -> str:
    return one.file if isinstance(one, Document) else str(one.document.file)


def _different(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(id for id in old.keys() | new.keys() if old.get(id) != new.get(id)))


def correlation_digests(rules: RuleSet) -> dict[str, str]:
    """Return for each correlation a digest of all that decides its alerts, referred rules included."""
    names = {rule.name or rule.id: rule for rule in rules.detections.values()}
    made: dict[str, str] = {}
    by_reference = dict(rules.correlations)
    for document in rules.correlations.values():
        if isinstance(document.data.get("name"), str):
            by_reference[document.data["name"]] = document

    def digest(document: Document, seen: frozenset[int]) -> str:
        hashed = blake2b(repr(document.data).encode("utf-8", "surrogatepass"), digest_size=16)
        section = document.data.get("correlation")
        for reference in section.get("rules") or [] if isinstance(section, dict) else []:
            rule = rules.detections.get(str(reference)) or names.get(str(reference))
            nested = by_reference.get(str(reference))
            if rule is not None:
                hashed.update(rule.content.encode())
            elif nested is not None and id(nested) not in seen:
                hashed.update(digest(nested, seen | {id(nested)}).encode())
        return hashed.hexdigest()

    for identity, document in rules.correlations.items():
        made[identity] = digest(document, frozenset({id(document)}))
    return made
