"""From a knot of runs to the chain that a person reads: links with evidence, entities, stages, score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from contract.ids import derive_id
from contract.records import Chain, Entity, Link
from contract.timestamps import to_datetime
from correlate.chain.causes import program
from correlate.chain.edges import (
    ACTING,
    DAY_US,
    HOUR_US,
    MEDIUM,
    MINUTE_US,
    SECOND_US,
    STRONG,
    Tie,
    gap_us,
)
from correlate.chain.entities import Named
from correlate.chain.runs import Member, Run, by_order, earliest
from correlate.chain.score import score
from correlate.chain.stages import ACTORS, edge_name, stages_of

MAX_ENTITIES: Final = 64
"""Entities listed of one chain; those of its earliest runs stay."""


def chain_id(runs: Iterable[Run]) -> str:
    """Return the id of the chain that these runs make: that of its first alert's cause."""
    return _id_of(earliest(runs).head)


@lru_cache(16_384)
def _id_of(head: str) -> str:
    return derive_id("chain", head)


def tell(
    runs: Iterable[Run],
    revision: int,
    rarity: Callable[[Run], float],
    trust: Callable[[Run], float],
    *,
    patterns: tuple[str, ...] = (),
    corrections: tuple[str, ...] = (),
    trusted: tuple[Entity, ...] = (),
) -> Chain:
    """Return the record of a chain. O(runs squared) at worst, bounded by the chain's own bound."""
    ordered = sorted(runs, key=by_order)
    members = sorted([(one.time_us, one.id) for run in ordered for one in run.members.values()])
    last_us = max([run.last_us for run in ordered])
    first = to_datetime(ordered[0].first_us)
    return Chain(
        id=chain_id(ordered[:1]),
        revision=revision,
        score=score(ordered, rarity, trust),
        first=first,
        last=first if last_us == ordered[0].first_us else to_datetime(last_us),
        alerts=tuple(dict.fromkeys([one for _, one in members])),
        links=tuple(links_of(ordered)),
        entities=_entities(ordered),
        stages=stages_of(ordered),
        patterns=patterns,
        corrections=corrections,
        trusted=trusted,
    )


def _entities(runs: Sequence[Run]) -> tuple[Entity, ...]:
    """Return whom the runs name, actors before things, so that many flows never crowd out a host."""
    actors: dict[Named, Entity] = {}
    things: dict[Named, Entity] = {}
    for run in runs:
        for entity in run.entities():
            kind = entity.type
            place = kind, entity.value, entity.role
            (actors if kind in ACTORS else things).setdefault(place, entity)
        if len(actors) >= MAX_ENTITIES:
            break
    return (*actors.values(), *things.values())[:MAX_ENTITIES]


def links_of(runs: Sequence[Run]) -> list[Link]:
    """Return the edges that hold a chain together, and no more: the heaviest tree over its runs.

    Where two medium edges joined what neither would have alone, both are listed. Repetitions within a run follow
    their run's first alert by an edge `repeat`.
    """
    links = [_link(early, late, tie) for early, late, tie in spanning(runs)]
    for run in runs:
        if len(run.members) == 1:
            continue
        members = run.ordered()
        links.extend(
            Link(
                from_=members[0].id,
                to=one.id,
                edge="repeat",
                weight=1.0,
                evidence=f"same rule about the same, {span(one.time_us - members[0].time_us)} later",
            )
            for one in members[1:]
        )
    return links


def spanning(runs: Sequence[Run]) -> list[tuple[Run, Run, Tie]]:
    """Return (earlier run, later run, edge) of the heaviest tree, in order of time of the later run."""
    if len(runs) == 1:
        return []
    ordered, gravest = sorted(runs, key=by_order), sorted(runs, key=_gravest_first)
    by_weight, count = _by_weight(ordered, gravest), len(runs)
    groups = _Groups(runs)
    found: list[tuple[Run, Run, Tie]] = []
    rest: list[tuple[Run, Run, Tie]] = []
    for weight in sorted(by_weight, reverse=True):
        if len(found) == count - 1:
            break  # all hang together
        for pair_ranks in sorted(by_weight[weight]):
            later, rank = divmod(pair_ranks, count)
            one, two = gravest[rank], ordered[later]
            if weight < STRONG:
                rest += [(one, two, tie) for tie in one.ties[two] if tie.weight >= MEDIUM]
            elif groups.join(one, two):
                found.append((one, two, one.ties[two][0]))
    while pair := _independent(rest, groups):
        groups.join(pair[0][0], pair[0][1])
        found.extend(pair)
    return sorted(found, key=lambda row: (row[1].order, row[0].order, -row[2].weight))


def _by_weight(ordered: Sequence[Run], gravest: Sequence[Run]) -> dict[float, list[int]]:
    """Return the ties of runs by the weight of their heaviest edge, each as a number to sort by.

    That is the place of the later run in order of time, times the count of runs, and the place of the earlier in order of gravity. A
    chain of hundreds of runs has tens of thousands of ties, and is told often while it grows. O(ties).
    """
    place = {run: number for number, run in enumerate(ordered)}
    grave = {run: number for number, run in enumerate(gravest)}
    count = len(ordered)
    found: dict[float, list[int]] = {}
    for number, one in enumerate(ordered):
        rank = grave[one]
        for two, ties in one.ties.items():
            later = place.get(two, -1)
            if later > number:
                found.setdefault(ties[0].weight, []).append(later * count + rank)
    return found


def _gravest_first(run: Run) -> tuple[int, int, str]:
    return -run.level, -run.first_us, run.head


class _Groups:
    """Which runs are connected already."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._of = {run: run for run in runs}

    def root(self, run: Run) -> Run:
        of = self._of
        while of[run] is not run:
            of[run] = of[of[run]]
            run = of[run]
        return run

    def join(self, one: Run, two: Run) -> bool:
        """Connect two; tell whether they were apart."""
        here, there = self.root(one), self.root(two)
        self._of[there] = here
        return here is not there


def _independent(
    rest: Iterable[tuple[Run, Run, Tie]], groups: _Groups
) -> list[tuple[Run, Run, Tie]] | None:
    """Return the first two independent medium edges between the same two groups."""
    seen: dict[tuple[Run, Run], tuple[Run, Run, Tie]] = {}
    for one, two, tie in rest:
        here, there = groups.root(one), groups.root(two)
        if here is there:
            continue
        pair = (here, there) if here < there else (there, here)
        first = seen.setdefault(pair, (one, two, tie))
        if first[2].edge.group != tie.edge.group:
            return [first, (one, two, tie)]
    return None


def _link(early: Run, late: Run, tie: Tie) -> Link:
    before = _nearest(early, late.first_us)
    value = _named(tie.key, early) or _named(tie.key, late) or tie.key.partition("|")[2]
    gap = gap_us(early.first_us, early.last_us, late.first_us, late.last_us)
    words = tie.edge.words.format(it=value)
    parts = [words, tie.via, f"{span(gap)} apart" if gap else "at the same time"]
    return Link(
        from_=before.id,
        to=late.head,
        edge=edge_name(tie, early, late),
        weight=tie.weight,
        evidence="; ".join(part for part in parts if part),
    )


def _named(key: str, run: Run) -> str:
    """Return a process with the name of its program, where a run says it, an account with its host; else nothing."""
    kind, _, value = key.partition("|")
    if kind == ACTING:
        host, _, user = value.partition("|")
        return f"{user} of {host}"
    if kind != "process":
        return ""
    roles = {one.role for one in run.signing if one.type == "process" and one.value == value}
    for one in run.entities():
        if one.type == "file" and one.role in roles:
            return f"{program(one.value)} ({value})"
    return ""


def _nearest(early: Run, at_us: int) -> Member:
    """Return the last alert of a run that is not after `at_us`, else its first."""
    members = early.ordered()
    return next((one for one in reversed(members) if one.time_us <= at_us), members[0])


def span(us: int) -> str:
    """Return a span of time in words, e.g. `12 s`, `5 min`, `3 h`, `2 d`."""
    for size, unit in ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "min")):
        if us >= 2 * size:
            return f"{us // size} {unit}"
    return f"{us // SECOND_US} s" if us >= SECOND_US else f"{us // 1000} ms"
