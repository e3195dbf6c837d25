"""Through what a run can be joined: what it names, what lies up from there, and who its addresses were then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from contract.records import Entity
from correlate.chain.edges import DAY_US, SIDES, THIEF
from correlate.chain.hubs import Hubs
from correlate.chain.identity import Identity
from correlate.chain.relations import ROOTS, Relations, program
from correlate.chain.runs import Reach, Run
from correlate.chain.stages import steals

ROOT_WEIGHT: Final = 0.4
"""What a process that starts everything on its host leaves of an edge: less than any that joins alone."""
MANY: Final = 4
"""More things of one type in one part than this: the alert stands for many doings, and tells of none of them
by whom it was."""
MANY_WEIGHT: Final = 0.4

MAX_KEYS: Final = 96
"""Things through which one run can be joined; the nearest stay."""

_SINGLE: Final = frozenset({"process", "session", "file", "hash", "user"})
"""Types of which one doing has few. A scan has many targets, and is one doing."""

_CLIMBS: Final = frozenset({"process", "flow", "session", "file", "service", "task", "registry"})


def reach_of(
    run: Run, relations: Relations, identity: Identity, hubs: Hubs, span_us: int = DAY_US,
    asked: set[str] | None = None,
) -> tuple[Reach, ...]:  # fmt: skip
    """Return the run's keys, its own first; each (thing, side) once, by its heaviest path.

    Args:
        run: whose.
        relations: what lies up from things.
        identity: who addresses were.
        hubs: what makes no join.
        span_us: how far from the run's beginning relations count.
        asked: takes the addresses that somebody ever claimed: another binding may change whose they were.
    """
    found: dict[tuple[str, str], Reach] = {}
    asked = set() if asked is None else asked
    for reach in _own(run, identity, hubs, asked):
        _put(found, reach)
    for base in list(found.values()):
        if not relations.leads(base.key) or base.side == "v" or base.weight < 1:
            continue
        if base.key.partition("|")[0] not in _CLIMBS:
            continue
        for cause, side, weight, via, told_us in relations.reach(base.key, run.first_us, span_us):
            if len(found) >= MAX_KEYS:
                break
            kind, _, value = cause.partition("|")
            if kind == "ip" and not hubs.is_address(value):
                who, known, bound_us = _who(value, run.first_us, identity, asked)
                path = f"{via}, {known}" if known else via
                _put(found, Reach(who, side, weight, path, max(told_us, bound_us)))
            else:
                _put(found, Reach(cause, side, weight, via, told_us))
    return tuple(found.values())


def _own(run: Run, identity: Identity, hubs: Hubs, asked: set[str]) -> Iterator[Reach]:
    """Yield what the run's alerts name themselves."""
    named = run.entities()
    roots = _roots(named)
    is_thief = steals(run)
    many = Counter((one.type, one.role) for one in named) if len(named) > MANY else None
    for one in named:
        side = SIDES.get(one.role)
        if side is None:
            continue
        key, weight, via, told_us = f"{one.type}|{one.value}", 1.0, "", 0
        if one.type == "ip" and not hubs.is_address(one.value):
            key, via, told_us = _who(one.value, run.first_us, identity, asked)
        elif one.type == "process" and one.role in roots:
            weight = ROOT_WEIGHT
        if many is not None and many[one.type, one.role] > MANY and one.type in _SINGLE:
            weight *= MANY_WEIGHT
        yield Reach(key, side, weight, via, told_us)
        if is_thief and one.type == "user" and side in ("s", "a"):
            yield Reach(key, THIEF, weight, via, told_us)


def _put(found: dict[tuple[str, str], Reach], reach: Reach) -> None:
    place = (reach.key, reach.side)
    known = found.get(place)
    if known is None or known.weight < reach.weight:
        found[place] = reach


def _who(ip: str, time_us: int, identity: Identity, asked: set[str]) -> tuple[str, str, int]:
    """Return the key that an address stands for at a time, how that is known, and when it was told."""
    if not identity.knows(ip):
        return f"ip|{ip}", "", 0
    asked.add(ip)
    bound = identity.host_at(ip, time_us)
    if bound is None:
        return f"ip|{ip}", "", 0
    return f"host|{bound.host}", f"{ip} was {bound.host} ({bound.source})", bound.time_us


def _roots(named: tuple[Entity, ...]) -> set[str]:
    """Return the roles whose process is a hub by its name."""
    return {
        one.role
        for one in named
        if one.type == "file" and one.role in ("subject", "source") and program(one.value) in ROOTS
    }
