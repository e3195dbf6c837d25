"""The adapter of streams of unknown make: found by reading their first records with all that come into question.

Each record of a stream on trial is read by the candidate that finds most in it, so nothing waits for a verdict. A stream is
settled when its best candidate has the confidence asked for and a clear lead; what a settled adapter cannot read is tried with
the others, since one host may speak in several tongues. Candidates that keep unfinished events (`flush`: audit records) would
hold a part of what another one reads, so they are tried only where the settings name them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Event, Fields
from contract.ports import Adapter, Context, Meter
from contract.records import DeadLetter
from ingest.lanes import MAX_SENDERS, Lane
from ingest.recognize import ANY_LINE, CLEAR_LEAD, confidence_of

TRIAL: Final = 20
"""Records of a stream before a verdict, and between two attempts at one."""
TOLD_OF: Final = 0.5
"""Of the records, those in which anybody must have found something of its own; what fits any line speaks for nobody."""
BEST_OF: Final = 0.9
ALONE_OF: Final = 0.3
"""A candidate that nobody beats in so many of the records, and that beats all in so many, is ahead however small the lead:
relatives read each other's records, all but what only one of them knows."""
SURE: Final = 0.8
"""A candidate that has won other streams and finds this much in a record ends the search for it."""


def _refuse(raw: bytes, context: Context) -> list[Fields]:
    raise ParseError("no adapter reads this record")


DETECT: Final = Adapter("detect", _refuse)
"""Stands for the adapter where it is to be found."""


@dataclass(slots=True)
class Trial:
    """What is known of one stream.

    Attributes:
        adapter: its adapter; empty: not settled.
        confidence: of it, when it was settled.
        seen: records read so far on trial.
        told: those of them in which a candidate found something of its own.
        scores: sums by candidate.
        best: by candidate, records in which none found more.
        alone: by candidate, records in which all others found less.
    """

    adapter: str = ""
    confidence: float = 0.0
    seen: int = 0
    told: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    best: dict[str, int] = field(default_factory=dict)
    alone: dict[str, int] = field(default_factory=dict)


class Detection:
    """Reads streams, each by the adapter found for it.

    Args:
        lanes: the candidates, by adapter.
        nothing: reads nothing: its dead letters are of records that no candidate reads.
        confidence: asked for, 0 to 1.
        meter: is told the confidence of settled streams, the least of each adapter.
        settled: is told each verdict: sender, adapter, confidence.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        nothing: Lane,
        confidence: float,
        meter: Meter,
        settled: Callable[[str, str, float], None],
    ) -> None:
        self._lanes = lanes
        self._nothing = nothing
        self._confidence = confidence
        self._meter = meter
        self._settled = settled
        self._trials: OrderedDict[str, Trial] = OrderedDict()
        self._wins: Counter[str] = Counter()

    def take(self, raw: bytes, sender: str, received_us: int) -> list[Event | DeadLetter]:
        """Read one record. O(candidates) while the stream is on trial, and for what its adapter cannot read."""
        trial = self._trial(sender)
        if not trial.adapter:
            return self._try(trial, raw, sender, received_us)
        items = self._lanes[trial.adapter].take(raw, sender, received_us)
        if any(isinstance(one, DeadLetter) for one in items):
            best, found = self._best(raw, sender, received_us, trial)
            if best:
                return found
        return items

    def memory(self) -> dict[str, Any]:
        """Return what was learnt, as JSON values."""
        trials = {sender: asdict(one) for sender, one in self._trials.items()}
        return {"trials": trials, "wins": dict(self._wins)}

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned; verdicts for candidates that are gone are dropped."""
        for sender, one in memory.get("trials", {}).items():
            trial = Trial(**one)
            if trial.adapter in self._lanes or not trial.adapter:
                self._trials[sender] = trial
        self._wins.update(memory.get("wins", {}))

    def _trial(self, sender: str) -> Trial:
        trial = self._trials.get(sender)
        if trial is None:
            trial = self._trials[sender] = Trial()
            if len(self._trials) > MAX_SENDERS:
                self._trials.popitem(last=False)
        else:
            self._trials.move_to_end(sender)
        return trial

    def _try(
        self, trial: Trial, raw: bytes, sender: str, received_us: int
    ) -> list[Event | DeadLetter]:
        best, found = self._best(raw, sender, received_us, trial)
        trial.seen += 1
        if trial.seen % TRIAL == 0:
            self._judge(trial, sender)
        return found if best else self._nothing.take(raw, sender, received_us)

    def _best(
        self, raw: bytes, sender: str, received_us: int, trial: Trial
    ) -> tuple[float, list[Event | DeadLetter]]:
        """Return what the candidate that finds most makes of a record, and how much that is; 0: nobody reads it.

        Who finds nothing of its own in a record would read any line: then only the stream's own favourite is believed.
        """
        favourite = trial.adapter or max(
            trial.scores, key=lambda name: trial.scores[name], default=""
        )
        best, found = 0.0, list[Event | DeadLetter]()
        most, firsts = ANY_LINE, list[str]()
        for name in sorted(self._lanes, key=lambda name: -self._wins[name]):
            if name == trial.adapter:
                continue
            items = self._lanes[name].take(raw, sender, received_us)
            value = confidence_of(name, items)
            if value > ANY_LINE and not trial.adapter:
                trial.scores[name] = round(trial.scores.get(name, 0.0) + value, 6)
                if value >= most:
                    firsts = [*firsts, name] if value == most else [name]
                    most = value
            if value > best and (value > ANY_LINE or name == favourite):
                best, found = value, items
            if value >= SURE and self._wins[name]:
                break
        trial.told += bool(firsts)
        for name in firsts:
            trial.best[name] = trial.best.get(name, 0) + 1
        if len(firsts) == 1:
            trial.alone[firsts[0]] = trial.alone.get(firsts[0], 0) + 1
        return best, found

    def _judge(self, trial: Trial, sender: str) -> None:
        """Settle the stream, if one candidate is good enough and clearly ahead."""
        ranked = sorted(trial.scores.items(), key=lambda one: (-one[1], one[0]))
        if trial.told < TOLD_OF * trial.seen:
            return
        (name, best), *others = ranked
        lead = best - (others[0][1] if others else 0.0)
        confidence = best / trial.told
        is_ahead = lead / trial.told >= CLEAR_LEAD or (
            trial.best.get(name, 0) >= BEST_OF * trial.told
            and trial.alone.get(name, 0) >= ALONE_OF * trial.told
        )
        if confidence < self._confidence or not is_ahead:
            return
        trial.adapter, trial.confidence = name, round(confidence, 3)
        for one in (trial.scores, trial.best, trial.alone):
            one.clear()
        self._wins[name] += 1
        for other, lane in self._lanes.items():
            if other != name:
                lane.forget(sender)
        least = min(one.confidence for one in self._trials.values() if one.adapter == name)
        self._meter.set("detected_confidence", least, source=self._nothing.source, adapter=name)
        self._settled(sender, name, trial.confidence)
