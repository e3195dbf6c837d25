"""The edges that hold between two runs that share things: by the table, after age, distance and hubs."""

from __future__ import annotations

from typing import Final

from correlate.chain.edges import DAY_US, SKEW_US, Edge, Tie, aged, gap_us, strongest
from correlate.chain.hubs import Hubs
from correlate.chain.postings import Postings
from correlate.chain.runs import Reach, Run
from correlate.chain.stages import only_looks, steps_of

HUB_FACTOR: Final = 0.4
"""What a hub leaves of an edge's weight: 0.4 of 1.0 is below any edge that joins by itself."""

LOOK_FACTOR: Final = 0.6
"""What is left where the attack on a thing was a mere look (a scan): everybody is scanned, few fall."""

OWNER_FACTOR: Final = 0.6
"""What is left of a credential's use at work on another host: its owner may work there too. What says that the account
came from the first host joins by itself (`logon`, `session`, `process`)."""

TOOL_FACTOR: Final = 0.6
"""What is left of one content on two hosts: tools and libraries are the same wherever they are."""


class Joining:
    """Finds edges.

    Args:
        postings: who shares what.
        hubs: what makes no join.
        lifetime_us: between two runs, beyond which no edge holds.
    """

    def __init__(self, postings: Postings, hubs: Hubs, lifetime_us: int = DAY_US) -> None:
        self._postings = postings
        self._hubs = hubs
        self._lifetime_us = lifetime_us

    def ties(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        """Return the edges between `run` and each other run, strongest first, one for each thing.

        O(runs that share a thing and are in no crowd).
        """
        found: dict[Run, dict[str, Tie]] = {}
        for reach, row, edge, is_first in self._postings.beside(run):
            self._tie(run, reach, row.run, row.reach, edge, is_first, found)
        return {
            other: tuple(sorted(ties.values(), key=strongest) if len(ties) > 1 else ties.values())
            for other, ties in found.items()
        }

    def _tie(
        self, run: Run, reach: Reach, other: Run, there: Reach, edge: Edge, is_first: bool,
        found: dict[Run, dict[str, Tie]],
    ) -> None:  # fmt: skip
        early, late = (run, other) if is_first else (other, run)
        if edge.ordered and early.first_us > late.last_us + SKEW_US:
            return
        if edge.name == "credential" and early.host and early.host == late.host:
            return  # on one host an account says no more than the host does
        gap = gap_us(run.first_us, run.last_us, other.first_us, other.last_us)
        if gap > self._lifetime_us:
            return  # one of them may be forgotten already
        told_us = max(reach.told_us, there.told_us)
        if told_us > min(run.last_us, other.last_us) + self._lifetime_us:
            return  # one of them may have been forgotten when it was told
        weight = aged(edge, gap) * reach.weight * there.weight
        if self._hubs.holds(reach.key):
            weight *= HUB_FACTOR
        weight *= _doubt(edge, reach.key, early, late)
        if weight <= 0:
            return
        ties = found.setdefault(other, {})
        tie = Tie(edge, round(weight, 4), reach.key, _via(run, reach, other, there))
        known = ties.get(reach.key)
        # Of equals one is chosen by what it says, so that it does not show from which of both runs it was looked for.
        if known is None or _rank(tie) > _rank(known):
            ties[reach.key] = tie


def _rank(tie: Tie) -> tuple[float, str, str]:
    return tie.weight, tie.edge.words, tie.via


def _via(run: Run, reach: Reach, other: Run, there: Reach) -> str:
    if not (reach.via or there.via):
        return ""
    first, second = (reach, there) if run < other else (there, reach)
    return "; ".join(part for part in (first.via, second.via) if part)


def _doubt(edge: Edge, key: str, early: Run, late: Run) -> float:
    """Return what is left of an edge that has a harmless explanation: 1 where it has none."""
    if edge.ordered and only_looks(early):
        return LOOK_FACTOR
    if edge.name == "credential" and _may_be_the_owner(late):
        return OWNER_FACTOR
    if key.startswith("hash|") and early.host != late.host:
        return TOOL_FACTOR
    return 1.0


def _may_be_the_owner(run: Run) -> bool:
    """Tell whether a run happened on a host and says by itself of no coming from elsewhere; a cloud has no owner at its desk."""
    if any(tactic == "lateral-movement" for tactic, _ in steps_of(run)):
        return False
    return any(one.type == "host" and one.role == "subject" for one in run.signing)
