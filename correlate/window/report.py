"""Tells an episode as an alert: which events, what they agree on, whom they name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from itertools import islice
from operator import itemgetter
from typing import Any

from contract.records import Alert
from contract.timestamps import from_datetime, iso, to_datetime
from correlate.chain.entities import Named, entity, names_of
from correlate.window.entry import Entry, Place, behind
from correlate.window.episode import Episode, Past
from correlate.window.group import Group
from correlate.window.grouping import lookup, value_at
from correlate.window.sketch import ERROR

FIRED = "opsonin.fired"
"""Alert field: the event time at which the rule first held; where the alert stands in an outer correlation."""

SILENT = "opsonin.silent"
"""Alert field: the alert is for the correlations that refer to its rule alone; nobody is shown it."""

DISTINCT_ERROR = "opsonin.distinct_error"
"""Alert field: distinct values were estimated, with this standard error as a share."""

_OWN = frozenset({FIRED, SILENT, DISTINCT_ERROR})

_ID, _FACTS = itemgetter(2), itemgetter(4, 5)


def absorb(group: Group, past: Past, entries: list[Entry]) -> Past:
    """Take members into what is known of an episode, in order; return the same object."""
    if not entries:
        return past
    most = group.settings.max_alert_events
    ids = dict.fromkeys(map(_ID, entries))
    ids.pop(past.newest, None)  # one event in two parts is one event
    past.newest = entries[-1][2]
    past.last_us = max(past.last_us, entries[-1][0])
    inner = group.inner or {}
    if inner:
        for id in ids:
            known = inner.get(id)
            past.count += 1 if known is None else known.alert.event_count
            told = (id,) if known is None else known.alert.events
            past.ids.extend([one for one in told if one not in past.ids][: most - len(past.ids)])
        for entry in entries:
            known = inner.get(entry[2])
            named = None
            if known is not None:
                named = tuple((one.type, one.value, one.role) for one in known.alert.entities)
            _take_facts(group, past, entry[4:], named)
        return past
    past.count += len(ids)
    past.ids.extend(islice(ids, max(0, most - len(past.ids))))
    for facts in dict.fromkeys(map(_FACTS, entries)):
        _take_facts(group, past, facts, None)
    return past


def _take_facts(
    group: Group, past: Past, facts: tuple[bytes, int], named: tuple[Named, ...] | None
) -> None:
    fields = group.facts.read(*facts)
    agreed = past.agreed
    if agreed is None:
        past.agreed = {k: v for k, v in fields.items() if k not in _OWN}
    elif not agreed.items() <= fields.items():
        past.agreed = dict(one for one in agreed.items() if one in fields.items())
    # Bounded by what is told, not by how many were read: then it does not matter in which portions members came.
    if len(past.entities) < group.settings.max_alert_entities:
        past.entities.update(dict.fromkeys(names_of(fields) if named is None else named))
    for name in group.plan.carried:
        _carry(past, name, lookup(fields, name), group.settings.max_carried)


def _carry(past: Past, name: str, value: Any, most: int) -> None:
    values = past.carried.setdefault(name, [])
    for one in value if isinstance(value, list) else (value,):
        if one is not None and len(values) < most and one not in values:
            values.append(one)


def _start(episode: Episode) -> Past:
    """Return a copy of an episode's past to go on from, or a new one."""
    past = episode.past
    if past is None:
        return Past(first=episode.fired, last_us=episode.start_us)
    return _copy(past)


def _copy(past: Past) -> Past:
    return Past(
        past.first, past.last_us, past.count, list(past.ids),
        None if past.agreed is None else dict(past.agreed), dict(past.entities),
        {name: list(values) for name, values in past.carried.items()},
        past.newest, past.last, past.end_us,
    )  # fmt: skip


def _known(group: Group, episode: Episode, members: list[Entry]) -> Past:
    """Return what is known of an episode with all its members; those told before are not read again.

    What is remembered ends between two times: parts that one event plays stand at one time, and count once.
    """
    if group.inner is not None:  # inner alerts are revised in their places
        return absorb(group, _start(episode), members)
    known = episode.absorbed
    past = _start(episode) if known is None else _copy(known)
    at = 0 if known is None else bisect_left(members, (known.last_us + 1,))
    end = bisect_left(members, (members[-1][0],)) if members else 0
    if end > at:
        absorb(group, past, members[at:end])
        episode.absorbed = _copy(past)
        at = end
    return absorb(group, past, members[at:])


def carried_of(group: Group, episode: Episode) -> dict[str, list[Any]]:
    """Return the values that an episode carries to the group-by of outer correlations."""
    return _known(group, episode, group.members(episode)).carried


def fold_past(group: Group, episode: Episode, count: int) -> None:
    """Fold the members among the first `count` entries into the past of an episode: they are going."""
    going = group.members(episode, below=count)
    if not going:
        return
    past = _start(episode)
    # Inner alerts began before they fired.
    first = going[0][0] if group.inner is None else min(_first_of(group, one) for one in going)
    if episode.past is None or first < past.first[0]:
        past.first = first, *going[0][1:3]
    absorb(group, past, going)
    edge = min(group.entries[count - 1][:3], episode.last)
    found = group.last_firing((*episode.fired[:2], ""), behind(edge))
    if found is not None and found[0] >= episode.fired:
        past.last, _, past.end_us = found
    episode.past = past
    episode.absorbed = None  # it does not hold all that went


def alert(
    group: Group,
    episode: Episode,
    *,
    revision: int | None = None,
    retracted: bool = False,
    without: Collection[Place] = (),
) -> Alert:
    """Return the alert of an episode as its members stand now. O(members), amortized by the schedule."""
    plan, bounds = group.plan, group.settings
    entries = group.members(episode, without=without)
    past = (
        absorb(group, _start(episode), entries)
        if retracted  # without what came since it was told
        else _known(group, episode, entries)
    )
    first = entries[0][0] if episode.past is None and entries else past.first[0]
    ids = past.ids
    if plan.spread:
        ids = _one_of_each(entries, ids, bounds.max_alert_events)
    if group.inner is not None:
        first = min([first, *(_first_of(group, entry) for entry in entries)])
    fields = dict(past.agreed or {})
    for name, values in past.carried.items():
        if values:
            fields[name] = values[0] if len(values) == 1 else values
    fields |= _aliases(group)
    fields[FIRED] = iso(episode.fired[0])
    if group.evaluator.sketch is not None:
        fields[DISTINCT_ERROR] = ERROR
    if plan.silent:
        fields[SILENT] = True
    return Alert(
        id=episode.id,
        revision=episode.revision if revision is None else revision,
        rule=plan.rule,
        time=to_datetime(first),
        last=to_datetime(max(past.last_us, first)),
        events=tuple(ids[: bounds.max_alert_events]),
        event_count=max(1, past.count),
        entities=tuple([entity(*one) for one in islice(past.entities, bounds.max_alert_entities)]),
        tactics=plan.tactics,
        techniques=plan.techniques,
        fields=fields,
        retracted=retracted,
    )


def _aliases(group: Group) -> dict[str, str]:
    """Return the group's values of the aliases that outer correlations group by: no event has these fields."""
    correlation = group.plan.correlation
    if not group.plan.aliased or correlation is None:
        return {}
    names = correlation.group_by
    values = {names[at]: value_at(group.text, at, len(names)) for at in group.plan.aliased}
    return {name: value for name, value in values.items() if value is not None}


def _first_of(group: Group, entry: Entry) -> int:
    inner = group.inner.get(entry[2]) if group.inner is not None else None
    return entry[0] if inner is None else from_datetime(inner.alert.time)


def _one_of_each(entries: list[Entry], ids: list[str], most: int) -> list[str]:
    """Return ids with the first event of each part among them, in order of time."""
    if len(ids) < most:
        return ids  # that is all of them
    firsts: dict[int, str] = {}
    for entry in entries:
        firsts.setdefault(entry[1], entry[2])
    missing = [id for id in firsts.values() if id not in ids]
    if not missing:
        return ids
    kept = set(ids[: max(0, most - len(missing))]) | set(missing)
    order = dict.fromkeys([*ids, *(entry[2] for entry in entries)])
    return [id for id in order if id in kept]
