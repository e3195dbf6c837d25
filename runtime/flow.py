"""What every one-process host does with an input: engine, time, and the epoch that grows. No I/O, no waiting.

The live host and the replay drive this same code, so a recorded day gives what the live day gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from contract.event import Event, Notice
from contract.ports import Meter
from contract.records import Alert, Chain, Command, Correction, DeadLetter, Decision, Outcome
from runtime.engine import Engine, Output
from runtime.store import Epoch, State
from runtime.tally import Tally
from runtime.watermark import Watermarks

Seen: TypeAlias = Event | DeadLetter | Outcome | Output
Watch: TypeAlias = Callable[[Seen], None]


class Flow:
    """Runs inputs through the engine and gathers the epoch.

    Args:
        engine: with its stages.
        watermarks: of the sources.
        meter: is told counts once an epoch.
        watch: sees every record as it comes to be (the console, `replay`'s output); must be quick.
    """

    def __init__(
        self, engine: Engine, watermarks: Watermarks, meter: Meter, watch: Watch | None = None
    ) -> None:
        self.engine = engine
        self.watermarks = watermarks
        self._meter = meter
        self._watch = watch
        self._epoch = Epoch()
        self._tally = Tally(meter)
        self._moment_us = 0
        self._low_us = 0
        self.decisions: list[Decision] = []

    def restore(self, state: State, watermark_us: int) -> None:
        """Go on from what a store holds."""
        self.watermarks.restore(watermark_us)
        self.engine.restore(state, watermark_us)

    def take(self, item: Event | DeadLetter, arrived_us: int, turn_us: int) -> None:
        """Take one event, or note one dead letter.

        Args:
            item: what came.
            arrived_us: when, by the wall clock.
            turn_us: event time that its source has come to with it; 0: it moves no time, as our own answers, which
                bear the wall clock that recorded logs do not follow.
        """
        if self._watch:
            self._watch(item)
        if isinstance(item, DeadLetter):
            self._epoch.dead_letters.append(item)
            return
        self._epoch.events.append(item)
        if turn_us:
            self.watermarks.saw(item.source, turn_us, arrived_us)
            if turn_us > self._moment_us:
                self._moment_us = turn_us
                self._gather(self.engine.begin(turn_us))
        self.advance(arrived_us)
        self._gather(self.engine.take(item))

    def respond(self, item: Outcome | Command) -> None:
        """Take an enforcement point's answer or a person's word."""
        if isinstance(item, Outcome):
            self._epoch.records.append(item)
            self._tally.count(item)
            if self._watch:
                self._watch(item)
        self._gather(self.engine.respond(item))

    def correct(self, correction: Correction) -> list[Chain | Notice]:
        """Take a person's word on chains; return the chains that it changed, or why it does not fit."""
        outputs = list(self.engine.corrected(correction))
        self._gather(outputs)
        return [one for one in outputs if isinstance(one, Chain | Notice)]

    def revived(self, dead_letter: str) -> None:
        """Note that a stored dead letter has been taken after all."""
        self._epoch.revived.append(dead_letter)

    def settle(self, now_us: int, *, is_idle: bool = False) -> None:
        """No more input is at hand: let what was caused just now be told; with `is_idle` also what is recorded.

        Else what is recorded waits until something later comes, so that it does not show how it was batched.
        """
        if is_idle or self.watermarks.is_live(now_us):
            self._moment_us += 1
            self._gather(self.engine.begin(self._moment_us))

    def advance(self, now_us: int) -> None:
        """Tell the stages how far time is, at this wall-clock moment, if it went on and one of them waits for it."""
        low = self.watermarks.low(now_us)
        if low <= self._low_us:
            return
        self._low_us = low
        if low >= self.engine.next_wake():
            self._gather(self.engine.advance(low))
        else:
            self.engine.now_us = low

    def finish(self) -> None:
        """No input will follow: the logs' time is their latest event, and what is open comes to its last revision."""
        self._gather(self.engine.finish(self.watermarks.latest()))

    def seal(self, positions: dict[str, object]) -> Epoch:
        """Return the epoch with all state changes, and begin the next."""
        epoch = self._epoch
        epoch.state = self.engine.changes()
        epoch.positions = positions
        epoch.watermark_us = self.watermarks.low(0)
        self._epoch = Epoch()
        self._tally.flush()
        for stage in self.engine.stages:
            self._meter.set("stage_keys", len(stage), stage=stage.stage.name)
        self._meter.set("watermark_seconds", epoch.watermark_us / 1e6)
        return epoch

    def pending(self) -> int:
        """Return how many records the growing epoch holds."""
        return len(self._epoch.events) + len(self._epoch.records) + len(self._epoch.dead_letters)

    def has_changed(self) -> bool:
        """Tell whether an epoch now would write anything."""
        return bool(self.pending() or any(one.is_dirty() for one in self.engine.stages))

    def _gather(self, outputs: Iterable[Output]) -> None:
        watch = self._watch
        for output in outputs:
            self._tally.count(output)
            match output:
                case Alert() | Chain():
                    self._epoch.records.append(output)
                case Decision():
                    self._epoch.records.append(output)
                    self.decisions.append(output)
            if watch:
                watch(output)
