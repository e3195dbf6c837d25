"""Correlations once more, as slow and plain as the specification reads: each frame looked at anew, nothing kept.

Written from the Sigma correlation specification 2.1 and `docs/correlations.md` alone; it shares no code with the engine. A frame
`[t - timespan, t]` holds every event of its times, those of `t` too, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeAlias

Tree: TypeAlias = tuple[Any, ...] | str
"""A rule's letter, or ("and" | "or", tree, tree), or ("not", tree)."""


@dataclass(frozen=True)
class Happening:
    """An event: what it matched, when, and what it says."""

    at: int
    rules: str
    id: str
    groups: tuple[str, ...]
    value: Any = None


@dataclass(frozen=True)
class Asked:
    """A correlation, as far as the oracle knows them."""

    kind: str
    rules: str
    span: int
    tests: tuple[tuple[str, Fraction], ...] = ()
    tree: Tree | None = None
    percentile: Fraction | None = None
    absent: str = ""
    gap: int | None = None


@dataclass
class Found:
    """An alert: when the rule first held, the times and ids of its evidence."""

    group: str
    fired: int
    until: int
    since: int
    ids: set[str] = field(default_factory=set)
    first: int = 0
    last: int = 0


COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "gt": lambda one, other: one > other, "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other, "lte": lambda one, other: one <= other,
    "eq": lambda one, other: one == other, "neq": lambda one, other: one != other,
}  # fmt: skip


def answers(asked: Asked, happenings: list[Happening]) -> list[Found]:
    """Return the alerts that a correlation gives of events, by group and time."""
    known = {one.id: one for one in happenings if set(one.rules) & set(asked.rules)}
    found: list[Found] = []
    for group in sorted({group for one in known.values() for group in one.groups}):
        events = sorted(
            (one for one in known.values() if group in one.groups), key=lambda e: (e.at, e.id)
        )
        if asked.kind.startswith("value"):
            events = [one for one in events if one.value is not None]
        firings = list(_firings(asked, events))
        found += _alerts(asked, group, events, firings)
    return found


def _firings(asked: Asked, events: list[Happening]) -> Iterator[tuple[int, int, int]]:
    """Yield (time at which it holds, evidence from, evidence to)."""
    if asked.tree is None and _waits(asked):
        start = None
        for one in events:
            if start is None or one.at > start + asked.span:
                start = one.at
                if _counts(asked, [e for e in events if start <= e.at <= start + asked.span]):
                    yield start, start, start + asked.span
        return
    for at, together in groupby(events, key=lambda one: one.at):
        frame = [one for one in events if at - asked.span <= one.at <= at]
        if asked.tree is None:
            newest = list(together)
            if any(_counts(asked, frame, one) for one in newest):
                yield at, at - asked.span, at
            continue
        played = {rule for one in together for rule in one.rules}
        since = _present(asked, frame, played, at)
        if since is not None and not _answered(asked, events, at, played):
            yield at, since, at


def _alerts(
    asked: Asked, group: str, events: list[Happening], firings: list[tuple[int, int, int]]
) -> list[Found]:
    gap = asked.span if asked.gap is None else asked.gap
    alerts: list[Found] = []
    for at, since, until in firings:
        if alerts and at - alerts[-1].until <= gap:
            alerts[-1].until = until
        else:
            alerts.append(Found(group, at, until, since))
    evidence = set(asked.rules) if asked.tree is None else _evidence(asked.tree)
    for alert in alerts:
        members = [
            one
            for one in events
            if alert.since <= one.at <= alert.until and set(one.rules) & evidence
        ]
        alert.ids = {one.id for one in members}
        alert.first, alert.last = members[0].at, members[-1].at
    return alerts


# ------------------------------------------------------------------ counts and values


def _waits(asked: Asked) -> bool:
    """Whether fewer satisfy too, so that only the end of the frame can tell."""
    names = {name for name, _ in asked.tests}
    if asked.kind in ("event_count", "value_count"):
        return _holds(asked, Fraction(1)) and bool(names & {"lt", "lte", "eq", "neq"})
    if asked.kind == "value_percentile" and asked.percentile is None:
        return False
    return not names & {"gt", "gte", "eq"}


def _holds(asked: Asked, measure: Fraction) -> bool:
    return all(COMPARE[name](measure, bound) for name, bound in asked.tests)


def _counts(asked: Asked, frame: list[Happening], newest: Happening | None = None) -> bool:
    values = [one.value for one in frame]
    if asked.kind == "event_count":
        measure = Fraction(len({one.id for one in frame}))
    elif asked.kind == "value_count":
        measure = Fraction(len({str(value).lower() for value in values}))
    elif asked.kind == "value_sum":
        measure = sum(values, Fraction(0))
    elif asked.kind == "value_avg":
        measure = sum(values, Fraction(0)) / len(values)
    elif asked.percentile is not None:
        ranked = sorted(values)
        place = asked.percentile / 100 * (len(ranked) - 1)
        low = int(place)
        high = min(low + 1, len(ranked) - 1)
        measure = ranked[low] + (ranked[high] - ranked[low]) * (place - low)
    else:
        assert newest is not None
        texts = [str(value).lower() for value in values]
        measure = Fraction(100 * texts.count(str(newest.value).lower()), len(texts))
    return _holds(asked, measure)


# ------------------------------------------------------------------ presence


def _evidence(tree: Tree) -> set[str]:
    """Return the rules that some way to satisfy cannot do without."""
    ways = [one for seen in _subsets(set("abc")) for one in _least(tree, seen)]
    return set().union(*ways)


def _least(tree: Tree, seen: set[str]) -> list[set[str]]:
    """Return the smallest sets of the rules seen that satisfy, given that the others are seen too."""
    return [
        chosen
        for chosen in _subsets(seen)
        if _true(tree, chosen, seen)
        and not any(_true(tree, chosen - {one}, seen) for one in chosen)
    ]


def _true(tree: Tree, here: set[str], there: set[str], *, positive: bool = True) -> bool:
    """Whether a tree holds with what is asked for `here`, and what must not be, `there`."""
    if isinstance(tree, str):
        return tree in here if positive else tree not in there
    if tree[0] == "not":
        return _true(tree[1], here, there, positive=not positive)
    both = (
        _true(tree[1], here, there, positive=positive),
        _true(tree[2], here, there, positive=positive),
    )
    return all(both) if (tree[0] == "and") == positive else any(both)


def _subsets(rules: set[str]) -> Iterator[set[str]]:
    listed = sorted(rules)
    for number in range(2 ** len(listed)):
        yield {one for at, one in enumerate(listed) if number >> at & 1}


def _present(asked: Asked, frame: list[Happening], played: set[str], at: int) -> int | None:
    """Return the latest time from which on there is all that is asked for, by some rule of the newest time."""
    tree = asked.tree
    assert tree is not None
    seen = {rule for one in frame for rule in one.rules if rule in asked.rules}
    starts = []
    for chosen in _least(tree, seen):
        if asked.kind == "temporal" and chosen & played:
            starts.append(min(max(e.at for e in frame if one in e.rules) for one in chosen))
        if asked.kind == "temporal_ordered":
            steps = [one for one in asked.rules if one in chosen]
            starts += _sequences(steps, frame, at)
    return max(starts, default=None)


def _sequences(steps: list[str], frame: list[Happening], at: int) -> list[int]:
    """Return the starts of sequences, a different event a step, that end at a time."""
    open_: list[tuple[Happening, ...]] = [()]
    for step in steps:
        open_ = [
            (*taken, one)
            for taken in open_
            for one in frame
            if step in one.rules and one not in taken and (not taken or taken[-1].at <= one.at)
        ]
    return [taken[0].at for taken in open_ if taken[-1].at == at]


def _answered(asked: Asked, events: list[Happening], at: int, played: set[str]) -> bool:
    """Whether what must not follow did, by another event."""
    if not asked.absent:
        return False
    asking = {
        one.id
        for one in events
        if one.at == at and set(one.rules) & set(asked.rules) - set(asked.absent)
    }
    answers = {
        one.id
        for one in events
        if at <= one.at <= at + asked.span and set(one.rules) & set(asked.absent)
    }
    return all(answers - {one} for one in asking)
