"""What a person asks of a chain: what falls apart without a link, what is out of order, what comes next, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contract.records import Alert, Chain, ChainStage, EntityType, Link
from correlate.chain.edges import EDGES, MEDIUM, STRONG
from correlate.chain.hubs import Hubs
from correlate.chain.joining import Joining
from correlate.chain.postings import Postings
from correlate.chain.reach import reach_of
from correlate.chain.relations import Relations
from correlate.chain.runs import Run
from correlate.chain.settings import LinkSettings
from correlate.chain.signature import facts_of, member_of, sign
from correlate.chain.stages import ANY_TIME, RANK
from correlate.chain.whose import Whose

MAX_LEFT_OUT: Final = 50
"""Alerts outside a chain that are explained, nearest in time first."""

_NEXT: Final[dict[str, tuple[str, ...]]] = {
    "reconnaissance": ("initial-access",),
    "resource-development": ("initial-access",),
    "initial-access": ("execution", "persistence"),
    "execution": ("persistence", "privilege-escalation", "command-and-control", "discovery"),
    "persistence": ("privilege-escalation", "credential-access"),
    "privilege-escalation": ("credential-access", "defense-evasion"),
    "defense-evasion": ("credential-access", "discovery"),
    "credential-access": ("lateral-movement", "discovery"),
    "discovery": ("credential-access", "lateral-movement", "collection"),
    "lateral-movement": ("execution", "collection"),
    "collection": ("command-and-control", "exfiltration"),
    "command-and-control": ("discovery", "exfiltration"),
    "exfiltration": ("impact",),
    "impact": (),
}
"""What usually follows a tactic; from the order of the ATT&CK matrix and of published intrusions."""


def worst(chains: Iterable[Chain], limit: int) -> tuple[list[Chain], int]:
    """Return so many of the chains that hold alerts, the highest score first, and how many there are in all."""
    found = sorted((one for one in chains if one.alerts), key=lambda one: (-one.score, one.id))
    return found[:limit], len(found)


def holders(chains: Iterable[Chain], alerts: Collection[str]) -> dict[str, str]:
    """Return the ids of the chains that hold alerts of these ids, by alert."""
    wanted = set(alerts)
    return {alert: one.id for one in chains for alert in one.alerts if alert in wanted}


def without(chain: Chain, link: Link) -> list[list[str]]:
    """Return the parts that a chain falls into without one link, each in the chain's order; one part: it holds.

    O(alerts + links).
    """
    links = [one for one in chain.links if one is not link and one != link]
    group = {alert: alert for alert in chain.alerts}

    def root(alert: str) -> str:
        while group.setdefault(alert, alert) != alert:
            group[alert] = group[group[alert]]
            alert = group[alert]
        return alert

    for one in links:
        if one.weight >= STRONG:
            group[root(one.to)] = root(one.from_)
    half = [one for one in links if MEDIUM <= one.weight < STRONG]
    joined = True
    while joined:
        joined = False
        seen: dict[frozenset[str], str] = {}
        for one in half:
            pair = frozenset({root(one.from_), root(one.to)})
            if len(pair) > 1 and seen.setdefault(pair, one.edge) != one.edge:
                group[root(one.to)] = root(one.from_)
                joined = True
                break
    parts: dict[str, list[str]] = {}
    for alert in chain.alerts:
        parts.setdefault(root(alert), []).append(alert)
    return sorted(parts.values(), key=lambda part: chain.alerts.index(part[0]))


def exceptions(chain: Chain) -> list[tuple[ChainStage, ChainStage]]:
    """Return (stage, earlier-tactic stage that came after it) pairs: where time contradicts the order of tactics.

    Tactics that fit at any time are never out of order. Each stage is named once, with the nearest.
    """
    ordered = [one for one in chain.stages if one.tactic in RANK and one.tactic not in ANY_TIME]
    found = []
    for place, stage in enumerate(ordered):
        later = [
            one
            for one in ordered[:place]
            if RANK[one.tactic] < RANK[stage.tactic] and one.time > stage.time
        ]
        if later:
            found.append((stage, later[-1]))
    return found


def expected(chain: Chain) -> list[str]:
    """Return the tactics that usually follow what a chain has shown and that it has not shown, likeliest first."""
    shown = [one.tactic for one in chain.stages if one.tactic in RANK]
    votes: dict[str, int] = {}
    for tactic in dict.fromkeys(shown):
        for following in _NEXT[tactic]:
            if following not in shown:
                votes[following] = votes.get(following, 0) + RANK[tactic] + 1
    return sorted(votes, key=lambda tactic: (-votes[tactic], RANK[tactic]))


@dataclass(slots=True, frozen=True)
class LeftOut:
    """An alert that shares something with a chain and is not in it, why, and the id of the chain that holds it, if any."""

    alert: Alert
    reason: str
    holder: str = ""


def left_out(
    chain: Chain,
    alerts: Mapping[str, Alert],
    others: Iterable[Alert],
    settings: LinkSettings | None = None,
    holders_of: Callable[[Collection[str]], Mapping[str, str]] | None = None,
) -> list[LeftOut]:
    """Explain the alerts that share a thing with a chain and are not in it.

    Args:
        chain: the chain.
        alerts: its alerts by id; those that are absent are passed over.
        others: candidates, e.g. the alerts of its time that name one of its entities.
        settings: those that the chain was linked with.
        holders_of: tells by which chains alerts are held, by alert; None: that is not known.
    """
    chosen = settings or LinkSettings()
    postings = Postings(chosen.crowd)
    joining = Joining(postings, Hubs(chosen.hubs))
    inside = [_run(alerts[one], chosen) for one in chain.alerts if one in alerts]
    outside = [(one, _run(one, chosen)) for one in others if one.id not in set(chain.alerts)]
    for run in (*inside, *(run for _, run in outside)):
        postings.add(run)
    names = {(one.type, one.value) for run in inside for one in run.entities()}
    found = []
    for alert, run in outside:
        shared = sorted(
            {f"{e.type} {e.value}" for e in run.entities() if (e.type, e.value) in names}
        )
        if shared and not alert.retracted:
            found.append(LeftOut(alert, _reason(postings, joining, run, inside, shared, chosen)))
    middle = chain.first + (chain.last - chain.first) / 2
    found.sort(key=lambda one: (abs(one.alert.time - middle), one.alert.id))
    told = found[:MAX_LEFT_OUT]
    if holders_of is None or not told:
        return told
    held = holders_of([one.alert.id for one in told])
    return [replace(one, holder=held.get(one.alert.id, "")) for one in told]


def _run(alert: Alert, settings: LinkSettings) -> Run:
    signature, signing, floating = sign(alert)
    run = Run(0, signature, alert.rule, alert.tactics, alert.techniques, signing, facts_of(alert))
    member = member_of(alert)
    member.floating = floating
    run.put(member, settings.max_run_alerts)
    run.reach = reach_of(run, Relations(1), Whose(Hubs(settings.hubs), settings.host_networks))
    return run


def _reason(
    postings: Postings,
    joining: Joining,
    run: Run,
    inside: Sequence[Run],
    shared: list[str],
    settings: LinkSettings,
) -> str:
    if postings.in_crowd(run):
        return f"one of more than {settings.crowd} sources of {run.rule.name!r} against one target"
    ties = [tie for other, ties in joining.ties(run).items() if other in inside for tie in ties]
    best = max(ties, key=lambda tie: tie.weight, default=None)
    names = ", ".join(shared[:3])
    if best is None and run.is_blind:
        return f"names only {names}: could join as an unusual coincidence, and was not unusual or near enough"
    if best is None and _could_join(run, inside):
        return f"shares {names}, but too long before or after, or in the wrong order"
    if best is None:
        return f"shares only {names}, which supports a join and makes none"
    it = best.key.partition("|")[2]
    said = f"{best.edge.name} edge of weight {best.weight:.2f} ({best.edge.words.format(it=it)})"
    if best.weight >= STRONG:
        return f"{said}: joined at first, then parted by other evidence, or the chain was full"
    return f"{said}: below {STRONG}, and no second, independent edge"


def _could_join(run: Run, inside: Iterable[Run]) -> bool:
    """Tell whether an edge that can join leads through a thing that a run shares, whatever the time."""
    return any(
        edge.weight >= MEDIUM
        for here in run.reach
        for other in inside
        for there in other.reach
        if here.key == there.key
        for sides in ((here.side, there.side), (there.side, here.side))
        if (edge := EDGES.get((_kind(here.key), *sides))) is not None
    )


def _kind(key: str) -> EntityType:
    return key.partition("|")[0]  # type: ignore[return-value]
