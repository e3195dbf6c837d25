"""Through what a run can be joined: what it names, what lies up from there, and who its addresses were then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from contract.records import Entity
from correlate.chain.causes import program
from correlate.chain.edges import DAY_US, SIDES, THIEF
from correlate.chain.hubs import Hubs
from correlate.chain.relations import ROOTS, Relations
from correlate.chain.runs import Reach, Run
from correlate.chain.stages import steals
from correlate.chain.whose import HOSTED, Asking, Who, Whose

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
    run: Run, relations: Relations, whose: Whose, span_us: int = DAY_US, asked: set[str] | None = None,
) -> tuple[Reach, ...]:  # fmt: skip
    """Return the run's keys, its own first; each (thing, side) once, by its heaviest path.

    Args:
        run: whose.
        relations: what lies up from things.
        whose: what names stand for.
        span_us: how far from the run's beginning relations count.
        asked: takes the names of which somebody ever told something: more of it may change what they stand for.
    """
    found: dict[tuple[str, str], Reach] = {}
    asking = whose.at(run.first_us, set() if asked is None else asked)
    hosts = {one.value for one in run.signing if one.type == "host" and one.role == "subject"}
    roots = _roots(run.entities())
    hubs = {asking.key(f"process|{value}").key for _, value in roots}
    for reach in _own(run, roots, asking, hosts):
        _put(found, reach)
    for base in list(found.values()):
        is_hub = base.weight == ROOT_WEIGHT and base.key in hubs
        if base.side == "v" or base.key.partition("|")[0] not in _CLIMBS:
            continue
        if base.weight < 1 and not is_hub:
            continue
        if not any(relations.leads(one) for one in asking.spellings(base.key)):
            continue
        for cause, side, weight, via, told_us in relations.reach(
            base.key, run.first_us, span_us, asking, is_hub=is_hub
        ):
            if len(found) >= MAX_KEYS:
                break
            kind, _, value = cause.partition("|")
            if kind == "ip":
                who = asking.address(value, side)
                path = f"{via}, {who.via}" if who.via else via
                share, last_us = round(weight * who.weight, 4), max(told_us, who.told_us)
                _put(found, Reach(who.key, side, share, path, last_us))
            else:
                _put(found, Reach(cause, side, weight, via, told_us))
    for reach in _acting(run, found, whose.hubs, {asking.host(one)[0] for one in hosts}):
        _put(found, reach)
    return tuple(found.values())


def _acting(
    run: Run, found: dict[tuple[str, str], Reach], hubs: Hubs, hosts: set[str]
) -> list[Reach]:
    """Return the domain accounts of a run with the host that they act on, and with those that they came from.

    An account that acts on one host and comes to another from that host is one hand, where neither alone says so.
    """
    named = run.entities()
    users = {one.value for one in named if one.type == "user" and one.role in ("subject", "source")}
    users = {one for one in users if _is_of_domain(one, run.host) and not hubs.holds(f"user|{one}")}
    if not users:
        return []
    came = [one for one in found.values() if one.side == "a" and one.key.startswith("host|")]
    came = [one for one in came if _plain(one.key) not in hosts and not hubs.holds(one.key)]
    rows = [Reach(f"acting|{_plain(one.key)}|{user}", "a", one.weight, one.via, one.told_us)
            for one in came for user in sorted(users)]  # fmt: skip
    if not came:
        rows += [Reach(f"acting|{host}|{user}", "s") for host in hosts for user in sorted(users)]
    return rows


def _is_of_domain(user: str, host: str) -> bool:
    """Tell whether an account is a person's of a domain: not a machine's, not one host's own."""
    realm, _, name = user.rpartition("\\")
    return bool(realm) and not name.endswith("$") and realm not in (host, host.partition(".")[0])


def _plain(key: str) -> str:
    return key.partition("|")[2]


def _own(run: Run, roots: set[tuple[str, str]], asking: Asking, hosts: set[str]) -> Iterator[Reach]:
    """Yield what the run's alerts name themselves."""
    named = run.entities()
    host = next(iter(hosts)) if len(hosts) == 1 else ""
    is_thief = steals(run)
    many = Counter((one.type, one.role) for one in named) if len(named) > MANY else None
    for one in named:
        side = SIDES.get(one.role)
        if side is None:
            continue
        key, weight, via, told_us = _named(one, side, asking, hosts, host)
        if one.type == "process" and (one.role, one.value) in roots:
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


def _named(one: Entity, side: str, asking: Asking, hosts: set[str], host: str) -> Who:
    """Return what an entity of an alert stands for."""
    kind, value = one.type, one.value
    if kind == "ip":
        return asking.address(value, side, host)
    key = f"{kind}|{value}"
    if not hosts:
        return asking.attester(key, ()) if kind == "key" else Who(key)
    if kind == "host" or kind in HOSTED or (kind == "user" and value.partition("\\")[0] in hosts):
        return asking.key(key, is_posted=True)
    return asking.attester(key, hosts) if kind == "key" else Who(key)


def _roots(named: tuple[Entity, ...]) -> set[tuple[str, str]]:
    """Return the processes that are hubs by the name of their program, as (role, value)."""
    roles = {
        one.role
        for one in named
        if one.type == "file" and one.role in ("subject", "source") and program(one.value) in ROOTS
    }
    if not roles:
        return set()
    return {(one.role, one.value) for one in named if one.type == "process" and one.role in roles}
