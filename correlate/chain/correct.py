"""From a person's correction, which speaks of chains as they are called now, to the word about alerts that is kept."""

from __future__ import annotations

from collections.abc import Callable

from contract.event import Notice
from contract.records import Correction
from correlate.chain.graph import Graph
from correlate.chain.knots import Change
from correlate.chain.runs import Run
from correlate.chain.words import MAX_WORDS, Word


class RefusedError(ValueError):
    """A correction does not fit what is there; the text says why."""


def correct(
    graph: Graph, correction: Correction, find: Callable[[str], Run | None], change: Change
) -> Notice | None:
    """Let a correction hold; return why not, if it does not fit.

    Args:
        graph: is changed.
        correction: said now.
        find: the run with the first alert of the chain of an id, an earlier id of it included; None: no open chain.
        change: takes what is touched.
    """
    try:
        if correction.verb == "undo":
            if correction.other not in graph.words.by_id:
                raise RefusedError(f"no correction {correction.other} is in force")  # noqa: TRY301
            concerned = graph.words.undo(correction.other, graph.held.by_alert)
        else:
            if len(graph.words) >= MAX_WORDS:
                raise RefusedError(f"{MAX_WORDS} corrections are kept; undo some")  # noqa: TRY301
            word = _word(graph, correction, find)
            concerned = [word, *graph.words.say(word, graph.held.by_alert)]
    except RefusedError as error:
        text = f"{correction.verb} by {correction.by}: {error}"
        return Notice("link_corrections_refused", 1, correction.verb, text)
    graph.weave.retie({run for word in concerned for run in _about(graph, word)}, change)
    return None


def _about(graph: Graph, word: Word) -> set[Run]:
    by_alert = graph.held.by_alert
    return {by_alert[one] for one in word.alerts if one in by_alert}


def _word(graph: Graph, correction: Correction, find: Callable[[str], Run | None]) -> Word:
    first = _found(find, correction.chain)
    if correction.verb == "merge":
        second = _found(find, correction.other)
        if first.knot is second.knot:
            raise RefusedError(f"{correction.chain} and {correction.other} are one chain already")
        one, two = _heads(first.knot.runs), _heads(second.knot.runs)
        last_us = max(first.knot.last_us, second.knot.last_us)
    else:
        leaving = _leaving(graph, correction, first)
        one, two = _heads(first.knot.runs - leaving), _heads(leaving)
        last_us = first.knot.last_us
    return Word(
        correction.id, graph.words.next_number, correction.verb == "split", one, two,
        correction.by, correction.note, last_us,
    )  # fmt: skip


def _heads(runs: set[Run]) -> tuple[str, ...]:
    return tuple(run.head for run in sorted(runs))


def _found(find: Callable[[str], Run | None], chain: str) -> Run:
    run = find(chain)
    if run is None:
        raise RefusedError(f"no chain {chain} is open")
    return run


def _leaving(graph: Graph, correction: Correction, first: Run) -> set[Run]:
    """Return the steps of the alerts that leave; repetitions of one step go together."""
    leaving: set[Run] = set()
    for alert in correction.alerts:
        run = graph.held.by_alert.get(alert)
        if run is None or run.knot is not first.knot:
            raise RefusedError(f"alert {alert} is not in chain {correction.chain}")
        leaving.add(run)
    if not leaving or leaving == first.knot.runs:
        raise RefusedError("expected some of the chain's steps, not none and not all")
    return leaving
