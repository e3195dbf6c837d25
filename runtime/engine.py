"""The engine without a host: event in, records out, in one order that a replay repeats.

    event ─▶ detect ─▶ aggregate ─▶ link ─▶ decide
                └▶ observe ──────────▲        ▲ outcomes, commands

Source: design, section 3 "Stages are state machines"; both hosts run these same stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contract.event import Event, Match, Notice, Observation
from contract.ids import derive_id
from contract.ports import Stage
from contract.records import Alert, Chain, Command, Correction, Decision, Outcome
from correlate.aggregate import SILENT
from correlate.detect import Detector
from runtime.stage_runner import NEVER, Changes, StageRunner

_RESTLESS_US: Final = 100_000
"""A logic that asks to be woken at once, again and again, is woken ten times a second of event time."""
_LAST_STEPS: Final = 10_000_000
"""Deadlines that the end of a recording waits for one by one; what asks to be woken for ever is woken no more."""

Output: TypeAlias = Match | Alert | Chain | Decision | Notice


@dataclass(slots=True, frozen=True)
class Pipeline:
    """The engine's parts, compiled from rules and settings.

    Attributes:
        detector: tells what one event tells; stateless.
    """

    detector: Detector
    aggregate: Stage[Match | Alert, Alert | Notice]
    link: Stage[Alert | Observation | Correction, Chain | Notice]
    decide: Stage[Chain | Outcome | Command, Decision | Notice]


class Engine:
    """Runs a pipeline over events in order; holds all its state.

    Args:
        pipeline: compiled.
        tells_inner: also yield the alerts that are for outer correlations alone, since those run elsewhere.

    Attributes:
        now_us: the watermark; while `advance` is under way, the deadline at hand. A host may set it to a later one for
            which no stage waits, instead of calling `advance`.
    """

    def __init__(self, pipeline: Pipeline, *, tells_inner: bool = False) -> None:
        self._tells_inner = tells_inner
        self._detect = pipeline.detector.detect
        self.aggregate = StageRunner(pipeline.aggregate)
        self.link = StageRunner(pipeline.link)
        self.decide = StageRunner(pipeline.decide)
        self.now_us = 0
        self._begun_late: set[str] = set()

    def replace(self, pipeline: Pipeline) -> dict[str, int]:
        """Go on with a pipeline of other rules, at rest (right after `changes`); return by stage how many keys lost state."""
        self._detect = pipeline.detector.detect
        stages: tuple[Stage[Any, Any], ...] = (pipeline.aggregate, pipeline.link, pipeline.decide)
        return {
            stage.name: runner.replace(stage)
            for runner, stage in zip(self.stages, stages, strict=True)
        }

    @property
    def stages(self) -> tuple[StageRunner[Any, Any], ...]:
        """All stages with state, in order of flow."""
        return self.aggregate, self.link, self.decide

    def take(self, event: Event) -> Iterator[Output]:
        """Run one event through all stages; yield each record as it comes to be."""
        seen, matches = self._detect(event)
        if seen is not None:
            yield from self.observed(seen)
        for match in matches:
            yield match
            yield from self.matched(match)

    def begin(self, cause_us: int) -> Iterator[Output]:
        """Say when what follows was caused; yield what waited for all that one time brings about."""
        yield from self._linked(self.link.begin(cause_us))

    def observed(self, seen: Observation) -> Iterator[Output]:
        """Take what an event told of entities."""
        yield from self._linked(self.link.take(seen))

    def matched(self, match: Match) -> Iterator[Output]:
        """Take a match that was found here or elsewhere."""
        yield from self._aggregated(self.aggregate.take(match))

    def alerted(self, alert: Alert) -> Iterator[Output]:
        """Take an alert that was made elsewhere; what it causes is told, itself it is not."""
        outputs = self._aggregated((alert,))
        if SILENT not in alert.fields:
            next(outputs)
        yield from outputs

    def chained(self, chain: Chain) -> Iterator[Output]:
        """Take a chain that was linked elsewhere."""
        yield from self.decide.take(chain)

    def respond(self, item: Outcome | Command) -> Iterator[Output]:
        """Take what an enforcement point answered, or what a person said."""
        yield from self.decide.take(item)

    def corrected(self, correction: Correction) -> Iterator[Output]:
        """Take what a person said of chains."""
        yield from self._linked(self.link.take(correction))

    def advance(self, now_us: int) -> Iterator[Output]:
        """Take the watermark: deadlines fire, windows close, decisions expire, each when its time comes.

        Deadline by deadline over all stages, so that it does not matter how far the watermark goes at once.
        """
        again = 0
        while (wake_us := self.next_wake()) <= now_us:
            again = again + 1 if wake_us <= self.now_us + 1 else 0
            step_us = max(wake_us, self.now_us + (_RESTLESS_US if again > 1 else 0))
            if step_us >= now_us:
                break
            yield from self._advance(step_us)
        yield from self._advance(now_us)

    def _advance(self, now_us: int) -> Iterator[Output]:
        self.now_us = now_us
        yield from self._aggregated(self.aggregate.advance(now_us))
        yield from self._linked(self.link.advance(now_us))
        yield from self.decide.advance(now_us)

    def next_wake(self) -> int:
        """Return the event time before which `advance` has nothing to do."""
        return min(self.aggregate.next_wake(), self.link.next_wake(), self.decide.next_wake())

    def finish(self, now_us: int) -> Iterator[Output]:
        """No input will follow: take `now_us` as the time, then let what is open come to its last revision.

        What only the passing of more time would bring about (an absence, an expiry) is not told: the
        recording does not say that it happened.
        """
        yield from self.advance(now_us)
        yield from self.ripen(NEVER - 1)
        yield from self.settle()

    def ripen(self, until_us: int) -> Iterator[Output]:
        """After the end: let what is aggregated come to its last revision, as far as its deadlines are before a time.

        Deadline by deadline, since what one correlation tells at its end is for others to take first.
        """
        for _ in range(_LAST_STEPS):
            wake_us = self.aggregate.next_wake()
            if wake_us > until_us:
                return
            self.now_us = max(wake_us, self.now_us + 1)
            yield from self._aggregated(self._without_new(self.aggregate.advance(self.now_us)))
        yield from self._aggregated(self._without_new(self.aggregate.advance(NEVER - 1)))

    def settle(self) -> Iterator[Output]:
        """After the end, and after `ripen`: let chains come to their last revision."""
        self.now_us = NEVER - 1
        yield from self._linked(self.link.advance(NEVER - 1))

    def changes(self) -> Changes:
        """Return the state parts that changed since the last call."""
        return {part: data for stage in self.stages for part, data in stage.changes().items()}

    def restore(self, saved: Mapping[str, Mapping[str, Mapping[str, bytes]]], now_us: int) -> None:
        """Go on from stored state: stage to key to part to bytes."""
        self.now_us = now_us
        for stage in self.stages:
            stage.restore(saved.get(stage.stage.name, {}).items(), now_us)

    def _aggregated(self, outputs: Iterable[Alert | Notice]) -> Iterator[Output]:
        for output in outputs:
            if not isinstance(output, Alert):
                yield output
                continue
            # Alerts of inner correlations may be for the outer ones alone.
            is_told = SILENT not in output.fields
            if is_told or self._tells_inner:
                yield output
            yield from self._aggregated(self.aggregate.take(output))
            if is_told:
                yield from self._linked(self.link.take(output))

    def _linked(self, outputs: Iterable[Chain | Notice]) -> Iterator[Output]:
        for output in outputs:
            yield output
            if isinstance(output, Chain):
                yield from self.decide.take(output)

    def _without_new(self, outputs: Iterable[Alert | Notice]) -> Iterator[Alert | Notice]:
        """Leave out alerts that begin after the end, with all their revisions."""
        for output in outputs:
            if isinstance(output, Alert):
                if output.revision == 1:
                    self._begun_late.add(output.id)
                if output.id in self._begun_late:
                    continue
            yield output


def match_id(match: Match) -> str:
    """Return the derived id of a match."""
    return derive_id("match", match.rule, match.event.id)
