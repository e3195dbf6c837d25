"""What is said of one chain, with what the graph knows beside its runs: trust, persons' words, names of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from contract.records import Chain
from correlate.chain.graph import Graph
from correlate.chain.patterns import Pattern
from correlate.chain.runs import Knot, Run
from correlate.chain.story import tell
from correlate.chain.trust import UNKNOWN


class Telling:
    """Makes the records of chains.

    Attributes:
        patterns: shapes that have names.
    """

    def __init__(self, graph: Graph, patterns: Sequence[Pattern]) -> None:
        self.patterns = patterns
        self._graph = graph

    def chain(self, knot: Knot, revision: int) -> Chain:
        """Return a knot as a chain."""
        return tell(
            knot.runs,
            revision,
            _rarity,
            self._trust,
            patterns=self._shapes(knot),
            corrections=self.said(knot),
            trusted=self._graph.regain.trusted(knot.runs),
        )

    def of(self, knot: Knot) -> tuple[Any, ...] | None:
        """Return all on which a chain of a single run hangs; None for others.

        While it is the same, so is what would be told, so that it need not be made to see that.
        """
        if len(knot.runs) > 1:
            return None
        (run,) = knot.runs
        trusted = self._graph.regain.trusted(knot.runs)
        return run, run.version, run.rarity, self._trust(run), self.said(knot), trusted

    def said(self, knot: Knot) -> tuple[str, ...]:
        """Return the ids of the corrections about a knot."""
        words = self._graph.words
        return words.of(one for run in knot.runs for one in run.members) if words else ()

    def _shapes(self, knot: Knot) -> tuple[str, ...]:
        """Return the names of the patterns that a knot satisfies."""
        if not self.patterns or len(knot.runs) == 1:
            return ()
        runs = sorted(knot.runs)
        return tuple(one.pattern for one in self.patterns if one.find(runs) is not None)

    def _trust(self, run: Run) -> float:
        if not self._graph.trust:
            return UNKNOWN
        keys = tuple(
            f"{one.type}|{one.value}"
            for one in run.signing
            if one.role in ("subject", "target") and one.type in ("host", "ip", "key")
        )
        return self._graph.trust.at(keys, run.last_us)


def _rarity(run: Run) -> float:
    return run.rarity.factor


def digest(chain: Chain) -> str:
    """Return a digest of what a chain says, its revision left out."""
    data = chain.model_dump_json(exclude={"revision"}).encode()
    return blake2b(data, digest_size=8).hexdigest()
