"""What passed a bound, counted under the bound's name and said in words."""

from __future__ import annotations

from collections import Counter
from typing import Final

from contract.event import Notice
from correlate.chain.graph import Graph

_WORDS: Final = {
    "runs": "graph is full: alerts that joined nothing, then the oldest chains, were closed early",
    "run_alerts": "more alerts of one kind than a run keeps; the latest are counted, not listed",
    "chain_runs": "chain is full: an edge was found and the chains were not joined",
    "names": "more chain ids than are remembered; the oldest cannot come back to life",
    "relations": "more processes, connections and files than are remembered; the oldest went",
    "addresses": "more addresses than are remembered; the one longest unbound went",
    "aliases": "more short, translated and attesters' names than are remembered; the one first told of went",
    "habits": "more hosts, or rules on one host, than habits are learnt of; they count as never seen",
    "resting": "more members of crowds than are kept in mind; the oldest went",
    "retracted": "more alerts taken back than are remembered; an older revision of the oldest would come back",
    "ended": "more things that ended runs were aimed at than are remembered; crowds of their time count as smaller",
    "crowd": "one rule against one target from many sources; these alerts make no chain of their own",
}


def notices(graph: Graph) -> list[Notice]:
    """Return what passed a bound since the last call."""
    parts = (
        ("relations", graph.around.relations),
        ("addresses", graph.around.whose.identity),
        ("aliases", graph.around.whose.aliases),
        ("habits", graph.weighing.baseline),
        ("resting", graph.resting),
        ("ended", graph.postings),
        ("retracted", graph.gone),
    )
    if not graph.lost and not any(part.lost for _, part in parts):
        return []
    lost, graph.lost = graph.lost, Counter()
    for name, part in parts:
        if part.lost:
            lost[name] += part.lost
            part.lost = 0
    return [
        Notice("link_left_out", amount, label, _WORDS[label])
        for label, amount in sorted(lost.items())
    ]
