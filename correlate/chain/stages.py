"""Alerts in ATT&CK terms: which stage each is, in which order, and how long the ordered path is.

Attacks run roughly through the tactics of the matrix from left to right, with exceptions: defense evasion, discovery,
command and control and privilege escalation come at any point. Those are never out of order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from contract.records import ChainStage, Entity
from contract.timestamps import to_datetime
from correlate.chain.attack import TACTICS, tactics_of
from correlate.chain.edges import Tie
from correlate.chain.runs import Run

RANK: Final = {tactic: rank for rank, tactic in enumerate(TACTICS)}
ANY_TIME: Final = frozenset(
    {"defense-evasion", "discovery", "command-and-control", "privilege-escalation", "persistence"}
)
"""Tactics that fit anywhere after the first foothold: never out of order, and each lengthens a path once."""

ATTESTATION_RESULT: Final = "opsonin.attestation.result"
ATTESTATION_LEVEL: Final = "opsonin.attestation.level"

_ATTESTED: Final = {
    "ima": ("persistence", "T1554"),  # a file that the policy does not know was run
    "tcg_eventlog": ("persistence", "T1542"),  # the boot was not the measured one
}
_ATTESTATION: Final = ("defense-evasion", "T1014")
"""What a failed attestation means where no rule says more: something below the sensors was changed."""

ACTORS: Final = frozenset({"ip", "host", "user"})
"""Kinds of entities that a response may act on."""
MAX_STAGE_ENTITIES: Final = 32

_RENAMED: Final = {"stealth": "defense-evasion", "defense-impairment": "defense-evasion"}
"""Tactics into which ATT&CK 19 parts an earlier one, as newer rules tag them; the older name is the one we rank."""

Step = tuple[str, str]


def steps_of(run: Run) -> tuple[Step, ...]:
    """Return the (tactic, technique) pairs of a run; a tactic alone has an empty technique."""
    facts = run.facts
    has_failed = bool(facts) and facts.get(ATTESTATION_RESULT) == "fail"
    evidence = str(facts.get("opsonin.attestation.evidence", "")) if has_failed else None
    return steps(run.tactics, run.techniques, evidence)


@lru_cache(4096)
def steps(
    tactics: tuple[str, ...], techniques: tuple[str, ...], evidence: str | None = None
) -> tuple[Step, ...]:
    """Return the steps that an alert states, else what a failed attestation by this evidence means."""
    found: dict[Step, None] = {}
    stated = [_RENAMED.get(one, one) for one in map(_plain, tactics)]
    for technique in techniques:
        own = tactics_of(technique)
        fitting = [one for one in stated if one in own] or list(own[:1]) or stated[:1]
        found.update(dict.fromkeys((tactic, technique) for tactic in fitting))
    covered = {tactic for tactic, _ in found}
    found.update(dict.fromkeys((one, "") for one in stated if one in RANK and one not in covered))
    if not found and evidence is not None:
        found[_ATTESTED.get(evidence, _ATTESTATION)] = None
    return tuple(found)


def _plain(tactic: str) -> str:
    return tactic.lower().replace("_", "-")


def steals(run: Run) -> bool:
    """Tell whether a run is a theft of credentials; guessing them is none, for it names whom it is aimed at."""
    shown = steps_of(run)
    return (
        bool(shown)
        and any(tactic == "credential-access" for tactic, _ in shown)
        and not any(technique.startswith("T1110") for _, technique in shown)
    )


def only_looks(run: Run) -> bool:
    """Tell whether a run is known to be no more than reconnaissance."""
    return bool(run.tactics) and all(one == "reconnaissance" for one in run.tactics)


def edge_name(tie: Tie, one: Run, two: Run) -> str:
    """Return what a link by this edge is called: any edge to a failed attestation is one of trust."""
    attested = ATTESTATION_RESULT in one.facts or ATTESTATION_RESULT in two.facts
    return "attestation" if attested else tie.edge.name


def stages_of(runs: Iterable[Run]) -> tuple[ChainStage, ...]:
    """Return the stages of a chain in ATT&CK order, then time; each (tactic, technique, host) once.

    A stage names the actors of all its runs, at most `MAX_STAGE_ENTITIES`.

    Args:
        runs: sorted by time.
    """
    found: dict[tuple[str, str, str], Run] = {}
    named: dict[tuple[str, str, str], dict[Entity, None]] = {}
    for run in runs:
        for tactic, technique in steps_of(run):
            key = (tactic, technique, run.host)
            found.setdefault(key, run)
            names = named.setdefault(key, {})
            if len(names) < MAX_STAGE_ENTITIES:
                names.update((one, None) for one in run.entities() if one.type in ACTORS)
    if not found:
        return ()
    rows = sorted(
        found.items(),
        key=lambda row: (RANK.get(row[0][0], len(RANK)), row[1].first_us, row[1].head),
    )
    return tuple(
        ChainStage(
            tactic=key[0],
            technique=key[1],
            alert=run.head,
            time=to_datetime(run.first_us),
            entities=tuple(sorted(named[key], key=_order)[:MAX_STAGE_ENTITIES]),
        )
        for key, run in rows
    )


def _order(entity: Entity) -> tuple[str, str, str]:
    return entity.type, entity.value, entity.role


def path_length(runs: Iterable[Run]) -> int:
    """Return how many tactics the longest ordered path of a chain passes; at least 1.

    Args:
        runs: sorted by time.
    """
    tails: list[int] = []  # the smallest rank that ends a path of each length
    free: set[str] = set()
    for run in runs:
        ranks = set()
        for tactic, _ in steps_of(run):
            if tactic in ANY_TIME:
                free.add(tactic)
            elif tactic in RANK:
                ranks.add(RANK[tactic])
        for rank in sorted(ranks, reverse=True):
            place = bisect_left(tails, rank)
            tails[place : place + 1] = [rank]
    return max(1, len(tails) + len(free))
