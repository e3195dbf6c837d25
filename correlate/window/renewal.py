"""Groups that outlive their rules' files: a new rule set takes over what still means the same, and lets go of the rest.

All calls want a shard at rest: its snapshot was taken, and nothing came since.
"""

from __future__ import annotations

from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.known import Known, held
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.shard import Shard
from correlate.window.window import Window
from correlate.window.young import Young


def fits(shard: Shard, plan: Plan) -> bool:
    """Tell whether what the groups hold means the same under another plan of their rule."""
    return shard.plan.digest == plan.digest


def move(shard: Shard, plan: Plan, router: Router, facts: Facts) -> None:
    """Let the groups go on under another plan, counted among other groups. O(entries)."""
    facts.held += _uncount(shard)
    facts.groups += len(shard.groups)
    for group, known in shard.groups.items():
        shard.groups[group] = _moved(known, shard.facts, facts)
    shard.router, shard.facts = router, facts
    shard.follow(plan)
    shard.arm_all()


def leave(shard: Shard) -> tuple[str, ...]:
    """Let go of all groups; return the parts that may be stored of them."""
    _uncount(shard)
    return shard.journal.names()


def _moved(known: Known, old: Facts, new: Facts) -> Known:
    """Return a group whose facts have the shapes of others."""

    def renamed(entry: Entry) -> Entry:
        return (*entry[:4], *new.named(entry[4], old.shapes[entry[5]]))

    if isinstance(known, Window):
        known.entries = [renamed(one) for one in known.entries]
        known.facts = new
        return known
    if isinstance(known, Young):
        return Young([renamed(one) for one in known], known.reach)
    return renamed(known)


def _uncount(shard: Shard) -> int:
    """Take the groups out of what all hold; return how many entries they have."""
    entries = sum(map(held, shard.groups.values()))
    shard.facts.held -= entries
    shard.facts.groups -= len(shard.groups)
    return entries
