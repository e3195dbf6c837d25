"""All rules of a rule set made ready: references resolved, cycles refused, plans made.

A rule that correlations refer to gives no alert of its own (of an inner correlation: a silent one) unless one
of them says `generate: true` or it says `opsonin: {alert: true}`; every other one does, a detection's
repetitions folded. The first error of a rule never stops the others.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from contract.errors import RuleError
from contract.records import Level
from correlate.chain.entities import JOIN_FIELDS
from correlate.window.grouping import alternatives
from correlate.window.parser import parse
from correlate.window.plan import Plan
from correlate.window.planning import Rules, correlation_plan, fold_plan
from correlate.window.policy import detection_policy
from correlate.window.rule import Correlation
from correlate.window.settings import WindowSettings


@dataclass(slots=True)
class Library:
    """Rules ready to run.

    Attributes:
        correlations: plans by rule id.
        folds: plans of detections that give alerts of their own, by rule id, with the fields they fold by.
        consumers: ids of correlations that take each rule's matches or alerts.
        facts: names of the fields that entries keep.
        errors: what was refused.
    """

    correlations: dict[str, Plan] = field(default_factory=dict)
    folds: dict[str, tuple[Plan, tuple[str, ...]]] = field(default_factory=dict)
    consumers: dict[str, list[str]] = field(default_factory=dict)
    facts: frozenset[str] = JOIN_FIELDS
    errors: list[RuleError] = field(default_factory=list)


def library(rules: Rules, settings: WindowSettings) -> Library:
    """Read all correlations, resolve what they refer to, and plan. O(rules)."""
    made = Library()
    read, resolved = readable(rules, made.errors)
    generated: set[str] = set()
    for id, references in resolved.items():
        for reference in references:
            made.consumers.setdefault(reference, []).append(id)
            if read[id].generate:
                generated.add(reference)
    made.facts = JOIN_FIELDS | frozenset(settings.fold_by)
    made.facts |= {
        known
        for id in resolved
        for reference in read[id].rules
        for name in (*read[id].group_by, *read[id].fields)
        for field in (read[id].field_of(name, reference),)
        for known in (field, *alternatives(field))
    }
    _add_correlations(made, read, resolved, generated, rules, settings)
    _add_folds(made, generated, rules, settings)
    return made


def readable(
    rules: Rules, errors: list[RuleError]
) -> tuple[dict[str, Correlation], dict[str, tuple[str, ...]]]:
    """Return the correlations that can be read, and the ids that those refer to whose references are found.

    What is wrong with the others goes to `errors`.
    """
    ids = _names(rules)
    called = _called(ids)
    read: dict[str, Correlation] = {}
    for id, document in rules.correlations.items():
        try:
            read[id] = parse(document, id, called)
        except RuleError as error:
            errors.append(error)
    return read, _resolve(read, ids, rules.detections, errors)


def _add_correlations(
    made: Library,
    read: Mapping[str, Correlation],
    resolved: Mapping[str, tuple[str, ...]],
    generated: set[str],
    rules: Rules,
    settings: WindowSettings,
) -> None:
    for id in _inner_first(resolved):
        plan = correlation_plan(read[id], resolved, read, rules, settings)
        waits = [made.correlations[one] for one in resolved[id] if one in made.correlations]
        if waits:
            # An inner alert is told of last when its own episode closes; until then this group stays open.
            late = plan.lateness_us + max(p.close_us + p.lateness_us for p in waits) + 1
            plan = replace(plan, lateness_us=late)
        own = _tells(id, read[id].level, made) or id in generated or read[id].policy.alert
        made.correlations[id] = plan if own else replace(plan, silent=True)


def _add_folds(made: Library, generated: set[str], rules: Rules, settings: WindowSettings) -> None:
    for id, detection in rules.detections.items():
        try:
            policy = detection_policy(detection.document)
        except RuleError as error:
            made.errors.append(error)
            continue
        if _tells(id, detection.level, made) or id in generated or policy.alert:
            plan = fold_plan(detection, id, policy, settings)
            made.folds[id] = (plan, policy.fold_by or settings.fold_by)
            made.facts |= frozenset(policy.fold_by or ())


def _tells(id: str, level: Level | None, made: Library) -> bool:
    """Whether a rule gives alerts of its own unless it is said: Sigma 2.1 lets informational ones trigger none."""
    return id not in made.consumers and level != "informational"


def _names(rules: Rules) -> dict[str, list[str]]:
    """Return what each reference may mean: ids first, then names."""
    names: dict[str, list[str]] = {}
    for id, detection in rules.detections.items():
        if detection.name:
            names.setdefault(detection.name, []).append(id)
    for id, document in rules.correlations.items():
        if name := document.data.get("name"):
            names.setdefault(str(name), []).append(id)
    for id in (*rules.detections, *rules.correlations):
        names[id] = [id]
    return names


def _called(ids: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return for each reference that means one rule all those that mean it."""
    by_id: dict[str, list[str]] = {}
    for reference, meant in ids.items():
        if len(meant) == 1:
            by_id.setdefault(meant[0], []).append(reference)
    return {reference: by_id[meant[0]] for reference, meant in ids.items() if len(meant) == 1}


def _resolve(
    read: Mapping[str, Correlation],
    ids: Mapping[str, list[str]],
    detections: Container[str],
    errors: list[RuleError],
) -> dict[str, tuple[str, ...]]:
    """Return the rule ids of each correlation's references, without those that cannot be resolved."""
    resolved: dict[str, tuple[str, ...]] = {}
    for id, correlation in read.items():
        found = []
        for reference in correlation.rules:
            meant = ids.get(reference, [])
            if len(meant) != 1:
                what = (
                    "no rule has this id or name" if not meant else "several rules have this name"
                )
                errors.append(_at(correlation, f"refers to {reference!r}; {what}"))
                break
            found.append(meant[0])
        else:
            if len(set(found)) < len(found):
                errors.append(_at(correlation, "refers to one rule twice, by id and by name"))
            else:
                resolved[id] = tuple(found)
    for id in _in_cycles(resolved):
        errors.append(_at(read[id], "refers to itself, directly or through other correlations"))
        del resolved[id]
    while orphans := [
        id
        for id, found in resolved.items()
        if any(r not in resolved and r not in detections for r in found)
    ]:
        for id in orphans:
            errors.append(_at(read[id], "refers to a correlation that was refused"))
            del resolved[id]
    return resolved


def _inner_first(resolved: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return correlations so that each stands after those that it refers to; there are no cycles."""
    depth: dict[str, int] = {}

    def measure(id: str) -> int:
        if id not in depth:
            depth[id] = 1 + max((measure(r) for r in resolved[id] if r in resolved), default=0)
        return depth[id]

    return sorted(resolved, key=measure)


def _in_cycles(resolved: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the correlations that reach themselves."""
    found = []
    for start in resolved:
        seen: set[str] = set()
        open_ids = list(resolved[start])
        while open_ids:
            id = open_ids.pop()
            if id == start:
                found.append(start)
                break
            if id not in seen:
                seen.add(id)
                open_ids.extend(resolved.get(id, ()))
    return found


def _at(correlation: Correlation, message: str) -> RuleError:
    return correlation.document.error(f"'rules' {message}", "correlation", "rules")
