"""All rules of a rule set made ready: references resolved, cycles refused, plans made.

A rule that correlations refer to gives no alert of its own (of an inner correlation: a silent one) unless one
of them says `generate: true` or it says `opsonin: {alert: true}`; every other one does, a detection's
repetitions folded. The first error of a rule never stops the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from contract.document import Document
from contract.errors import RuleError
from contract.event import SENSOR_RULE
from contract.ids import derive_id
from contract.records import LEVELS, Level, Rule
from contract.timestamps import microseconds
from correlate.chain.entities import JOIN_FIELDS
from correlate.window.evaluate import Always
from correlate.window.grouping import alternatives
from correlate.window.plan import Plan, alone_of, evaluator_of, mode_of, reader_of
from correlate.window.policy import Policy, detection_policy
from correlate.window.rule import Correlation, parse
from correlate.window.settings import WindowSettings


class Named(Protocol):
    """What an alert tells of its rule."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def tactics(self) -> tuple[str, ...]: ...
    @property
    def techniques(self) -> tuple[str, ...]: ...


class Meta(Named, Protocol):
    """What a detection tells of itself."""

    @property
    def name(self) -> str: ...
    @property
    def document(self) -> Document: ...


class Rules(Protocol):
    """A rule set: detections by id, and documents of correlations by id."""

    @property
    def detections(self) -> Mapping[str, Meta]: ...
    @property
    def correlations(self) -> Mapping[str, Document]: ...


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
    read: dict[str, Correlation] = {}
    for id, document in rules.correlations.items():
        try:
            read[id] = parse(document, id)
        except RuleError as error:
            made.errors.append(error)
    ids = _names(rules, read)
    resolved = _resolve(read, ids, made.errors)
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


def _add_correlations(
    made: Library,
    read: Mapping[str, Correlation],
    resolved: Mapping[str, tuple[str, ...]],
    generated: set[str],
    rules: Rules,
    settings: WindowSettings,
) -> None:
    for id in _inner_first(resolved):
        plan = _plan(read[id], resolved, read, rules, settings)
        waits = [made.correlations[one] for one in resolved[id] if one in made.correlations]
        if waits:
            # An inner alert is told of last when its own episode closes; until then this group stays open.
            late = plan.lateness_us + max(p.close_us + p.lateness_us for p in waits) + 1
            plan = replace(plan, lateness_us=late)
        own = id not in made.consumers or id in generated or read[id].policy.alert
        made.correlations[id] = plan if own else replace(plan, silent=True)


def _add_folds(made: Library, generated: set[str], rules: Rules, settings: WindowSettings) -> None:
    for id, detection in rules.detections.items():
        try:
            policy = detection_policy(detection.document)
        except RuleError as error:
            made.errors.append(error)
            continue
        # Sigma 2.1, `level`: no alerting should be triggered by informational rules.
        own = id not in made.consumers and detection.level != "informational"
        if own or id in generated or policy.alert:
            plan = fold_plan(detection, id, policy, settings)
            made.folds[id] = (plan, policy.fold_by or settings.fold_by)
            made.facts |= frozenset(policy.fold_by or ())


def _names(rules: Rules, read: Mapping[str, Correlation]) -> dict[str, list[str]]:
    """Return what each reference may mean: ids first, then names."""
    names: dict[str, list[str]] = {}
    for id, detection in rules.detections.items():
        if detection.name:
            names.setdefault(detection.name, []).append(id)
    for id, correlation in read.items():
        if name := correlation.document.data.get("name"):
            names.setdefault(str(name), []).append(id)
    for id in (*rules.detections, *read):
        names[id] = [id]
    return names


def _resolve(
    read: Mapping[str, Correlation], ids: Mapping[str, list[str]], errors: list[RuleError]
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
        id for id, found in resolved.items() if any(r in read and r not in resolved for r in found)
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


# ------------------------------------------------------------------ plans


def _plan(
    correlation: Correlation,
    resolved: Mapping[str, tuple[str, ...]],
    read: Mapping[str, Correlation],
    rules: Rules,
    settings: WindowSettings,
) -> Plan:
    references = resolved[correlation.id]
    policy = correlation.policy
    mode = mode_of(correlation)
    span = correlation.span_us
    temporal = correlation.presence is not None
    gap = policy.suppress_us if policy.suppress_us is not None else span
    lateness = _or(policy.lateness_us, microseconds(settings.lateness))
    keep = 2 * span if mode == "absence" else span
    wanted = (
        frozenset().union(*(w for w, _ in correlation.presence.clauses))
        if (correlation.presence is not None)
        else frozenset({0})
    )
    meta = [_meta(id, rules, read, resolved) for id in references]
    positive = [m for index, m in enumerate(meta) if not temporal or index in wanted]
    return Plan(
        rule=Rule(
            id=correlation.id,
            name=correlation.title,
            level=correlation.level or _highest(positive),
        ),
        tactics=correlation.tactics or _union(m[1] for m in positive),
        techniques=correlation.techniques or _union(m[2] for m in positive),
        key=correlation.id,
        digest=_digest(correlation, references),
        parts={id: index if temporal else 0 for index, id in enumerate(references)},
        span_us=span,
        keep_us=keep,
        gap_us=gap,
        close_us=gap if mode == "sliding" else gap + span,
        refire_us=_or(policy.refire_us, microseconds(settings.refire)),
        lateness_us=lateness,
        max_events=_or(policy.max_events, settings.max_events),
        evaluator=evaluator_of(correlation, mode, _or(policy.max_values, settings.max_values)),
        reader=reader_of(correlation),
        carried=_carried(correlation.id, resolved, read),
        correlation=correlation,
        spread=temporal,
        mode=mode,
        absence=correlation.absence,
        alone=alone_of(correlation, mode),
        unwanted=frozenset(range(len(references))) - wanted if temporal else frozenset(),
    )


def fold_plan(
    rule: Named, key: str, policy: Policy, settings: WindowSettings, *, sensor: bool = False
) -> Plan:
    """Return the plan that folds the repetitions of one detection, or of a sensor's rule."""
    lateness = _or(policy.lateness_us, microseconds(settings.lateness))
    quiet = settings.sensor_fold if sensor else settings.fold
    gap = _or(policy.fold_us, microseconds(quiet))
    return Plan(
        rule=Rule(id=rule.id, name=rule.title, level=rule.level),
        tactics=rule.tactics,
        techniques=rule.techniques,
        key=key,
        digest="fold",
        parts={rule.id: 0, SENSOR_RULE: 0},
        span_us=0,
        keep_us=0,
        gap_us=gap,
        close_us=gap,
        refire_us=_or(policy.refire_us, microseconds(settings.refire)),
        lateness_us=lateness,
        max_events=_or(policy.max_events, settings.max_events),
        evaluator=Always,
    )


def _or(own: int | None, default: int) -> int:
    return default if own is None else own


def _union(rows: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for row in rows for one in row))


_About: TypeAlias = tuple[Level, tuple[str, ...], tuple[str, ...]]


def _highest(rows: Iterable[_About]) -> Level:
    return max((row[0] for row in rows), key=LEVELS.index)


def _meta(
    id: str, rules: Rules, read: Mapping[str, Correlation], resolved: Mapping[str, tuple[str, ...]]
) -> _About:
    """Return (level, tactics, techniques) of a rule; what a correlation does not state it inherits."""
    if id in rules.detections:
        rule = rules.detections[id]
        return rule.level, rule.tactics, rule.techniques
    own = read[id]
    inner = [_meta(one, rules, read, resolved) for one in resolved[id]]
    return (
        own.level or _highest(inner),
        own.tactics or _union(m[1] for m in inner),
        own.techniques or _union(m[2] for m in inner),
    )


def _carried(
    id: str, resolved: Mapping[str, tuple[str, ...]], read: Mapping[str, Correlation]
) -> tuple[str, ...]:
    """Return the fields that outer correlations, at any height, group this one's alerts by."""
    names: dict[str, None] = {}
    for outer, references in resolved.items():
        for reference, meant in zip(read[outer].rules, references, strict=True):
            if meant == id or id in _below(meant, resolved):
                for name in (*read[outer].group_by, *read[outer].fields):
                    field = read[outer].field_of(name, reference)
                    names[field] = None
    return tuple(names)


def _below(id: str, resolved: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    open_ids = list(resolved.get(id, ()))
    while open_ids:
        one = open_ids.pop()
        if one not in found:
            found.add(one)
            open_ids.extend(resolved.get(one, ()))
    return found


def _digest(correlation: Correlation, references: tuple[str, ...]) -> str:
    """Return what must be equal for old state to mean the same."""
    return derive_id(
        "plan",
        correlation.type,
        repr(correlation.span_us),
        repr((correlation.threshold, correlation.presence, correlation.percentile)),
        repr((correlation.fields, correlation.group_by, sorted(correlation.absence))),
        repr(sorted((a, sorted(m.items())) for a, m in correlation.aliases.items())),
        *references,
    )
