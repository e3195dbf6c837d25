"""Makes the plan of a rule: what it says itself, what it inherits from the rules it refers to, and what the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

from contract.document import Document
from contract.event import SENSOR_RULE
from contract.ids import derive_id
from contract.records import LEVELS, Level, Rule
from contract.timestamps import microseconds
from correlate.window.evaluate import Always
from correlate.window.plan import (
    Plan,
    alone_of,
    evaluator_of,
    few_of,
    later_of,
    mode_of,
    reader_of,
    whole_of,
)
from correlate.window.policy import Policy
from correlate.window.rule import Correlation
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


def correlation_plan(
    correlation: Correlation,
    resolved: Mapping[str, tuple[str, ...]],
    read: Mapping[str, Correlation],
    rules: Rules,
    settings: WindowSettings,
) -> Plan:
    """Return the plan of a correlation.

    Args:
        correlation: as read.
        resolved: by id of a correlation, the ids of the rules that it refers to.
        read: all correlations, by id.
        rules: the rule set.
        settings: what a rule does not say for itself.
    """
    references = resolved[correlation.id]
    policy = correlation.policy
    mode = mode_of(correlation)
    span = correlation.span_us
    temporal = correlation.presence is not None
    each = policy.refire_us == 0
    gap = 0 if each else _or(policy.suppress_us, span)
    lateness = _or(policy.lateness_us, microseconds(settings.lateness))
    keep = 2 * span if mode == "absence" else span
    wanted = (
        frozenset().union(*(w for w, _ in correlation.presence.clauses))
        if (correlation.presence is not None)
        else frozenset({0})
    )
    few, outlook, judged = few_of(correlation, mode)
    outer, aliases = _carried(correlation.id, resolved, read), correlation.aliases
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
        each=each,
        inner=any(correlation.id in meant for meant in resolved.values()),
        refire_us=policy.refire_us or microseconds(settings.refire),
        lateness_us=lateness,
        max_events=_or(policy.max_events, settings.max_events),
        evaluator=evaluator_of(correlation, mode, _or(policy.max_values, settings.max_values)),
        reader=reader_of(correlation),
        carried=tuple(name for name in outer if name not in aliases),
        aliased=tuple(
            at for at, name in enumerate(correlation.group_by) if name in aliases and name in outer
        ),
        correlation=correlation,
        spread=temporal,
        mode=mode,
        absence=correlation.absence,
        # Alerts tell more long after the time at which they stand, so none is let go of early.
        later=frozenset() if any(id in read for id in references) else later_of(correlation, mode),
        few=few,
        outlook=outlook,
        judged=judged,
        whole=whole_of(correlation, mode),
        alone=alone_of(correlation, mode),
        unwanted=frozenset(range(len(references))) - wanted if temporal else frozenset(),
    )


def fold_plan(
    rule: Named, key: str, policy: Policy, settings: WindowSettings, *, sensor: bool = False
) -> Plan:
    """Return the plan that folds the repetitions of one detection, or of a sensor's rule."""
    lateness = _or(policy.lateness_us, microseconds(settings.lateness))
    quiet = settings.sensor_fold if sensor else settings.fold
    each = policy.refire_us == 0
    gap = 0 if each else _or(policy.fold_us, microseconds(quiet))
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
        each=each,
        refire_us=policy.refire_us or microseconds(settings.refire),
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
