"""What a chain weighs: each (technique, host) once, severity x rarity x (1 - trust), times the longest ordered path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from correlate.chain.runs import Run
from correlate.chain.stages import path_length, steps_of

SEVERITY: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""By level, informational to critical: each level outweighs two of the one below."""


def weight_of(run: Run, rarity: float, trust: float) -> float:
    """Return what one run adds at most."""
    return SEVERITY[run.level] * rarity * (1.0 - trust)


def score(
    runs: Iterable[Run], rarity: Callable[[Run], float], trust: Callable[[Run], float]
) -> float:
    """Return the score of a chain; higher is worse.

    A sensor's alert without ATT&CK technique counts under its own rule. O(runs log runs).

    Args:
        runs: sorted by time.
        rarity: of a run, 0 (everyday) to 1 (never seen).
        trust: in the host that a run is about, 0 to 1.
    """
    ordered = list(runs)
    best: dict[tuple[str, str], float] = {}
    for run in ordered:
        weight = weight_of(run, rarity(run), trust(run))
        names = {technique or tactic for tactic, technique in steps_of(run)} or {run.rule.id}
        for name in names:
            place = (name, run.host)
            best[place] = max(best.get(place, 0.0), weight / len(names))
    return round(sum(sorted(best.values())) * path_length(ordered), 3)
