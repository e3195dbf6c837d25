"""One partition of a stage with state: what comes in waits for its turn, goes through the engine, and is sent on.

The engine is the embedded host's own, with the stages of the other roles taken out; see `roles`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeAlias

from contract.event import Event, Match, Notice, Observation
from contract.records import Alert, Chain, Command, Correction, DeadLetter, Decision, Outcome
from contract.topics import Topic
from ingest.streams.kafka_batches import Record
from runtime.engine import Engine, Output
from runtime.kafka.kept import HOST, mark_of, part_of, waiting_of
from runtime.kafka.order import Rank, Taken, Upstreams, Waiting
from runtime.kafka.outlet import At, Outlet, Sent
from runtime.kafka.state import State
from runtime.kafka.wire import Canary, Item, Mark, encode
from runtime.stage_runner import NEVER, Changes
from runtime.tally import Tally

CANARY: Final = "canary"
"""Key of the canary: on a compacted topic the newest stays."""
MARK_EVERY_US: Final = 200_000
"""Wall-clock time between two marks that nothing else goes with."""
_LATEST_US: Final = 2**62
"""Event time that stands for the end of all; far from the greatest number, so that sums stay within."""

Route: TypeAlias = Callable[[Output, At], Iterator[Sent]]
Tie: TypeAlias = Callable[[Taken | None, Output], str]
"""Tells the place of an output among those of one cause; of what time brought about there is no `Taken`."""


class Task(Protocol):
    """What the loop does with one partition.

    Attributes:
        name: e.g. `aggregate/3`.
        low_us: its watermark.
        origin_ms: wall-clock time at which ingest wrote what was processed last; 0: nothing yet.
    """

    name: str
    low_us: int
    origin_ms: int

    @property
    def has_ended(self) -> bool:
        """Tell whether all input has gone through and everyone behind was told so."""

    def restore(self, state: State, now_us: int) -> None:
        """Go on from the changelog."""

    def take(self, read: Record, now_us: int) -> None:
        """Take one record."""

    def step(self, now_us: int, *, is_drained: bool) -> list[Sent]:
        """Do what can be done; return what is to be sent. Wall clock; no record is left to read now."""

    def changes(self) -> Changes:
        """Return what changed in the state since the last call."""


class StageTask:
    """A `Task` over stages of the engine.

    Args:
        name: e.g. `aggregate/3`.
        engine: with the stages of this role.
        upstreams: whose marks it waits for.
        outlet: makes records.
        route: where each output goes.
        marks_to: who is told how far this task is.
        tally: counts outputs.
        lateness_us: of the settings: the watermark is so far behind what was taken.
        bound: of waiting records.
        watch: is told each canary's age, seconds.
        tie: orders outputs that other partitions' outputs are merged with; None: they keep the order of sending.
        canary_to: where the canary goes on; None: where marks go first.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        upstreams: Upstreams,
        outlet: Outlet,
        route: Route,
        marks_to: Iterable[tuple[Topic, int]],
        tally: Tally,
        lateness_us: int,
        bound: int,
        watch: Callable[[int, int], None],
        tie: Tie | None = None,
        canary_to: tuple[Topic, int] | None = None,
    ) -> None:
        self.name = name
        self.engine = engine
        self.upstreams = upstreams
        self.waiting = Waiting(bound)
        self.low_us = 0
        self.origin_ms = 0
        self._outlet = outlet
        self._route = route
        self._marks_to = tuple(marks_to)
        self._canary_to = self._marks_to[:1] if canary_to is None else (canary_to,)
        self._tally = tally
        self._lateness_us = lateness_us
        self._watch = watch
        self._tie = tie
        self._live: list[Taken] = []
        self._sent: list[Sent] = []
        self._moment_us = 0
        self._told = Mark(name, 0)
        self._told_at_us = 0
        self._heard: set[str] = set()
        self._saved_low_us = -1
        self._has_ended = False

    # -------------------------------------------------------------- the port

    @property
    def has_ended(self) -> bool:
        """See the port."""
        return self._told.ended

    def restore(self, state: State, now_us: int) -> None:
        """See the port."""
        host = state.pop(HOST, {})
        for part in host.get("marks", {}).values():
            mark = mark_of(part)
            if mark.of == self.name:
                self._told = Mark(self.name, 0, 0, ended=mark.ended)  # told again
                self.low_us = self._saved_low_us = mark.low_us
            else:
                self.upstreams.heard(mark)
        for part in host.get("waiting", {}).values():
            self.waiting.restore(waiting_of(part))
        self.engine.restore(state, self.low_us)

    def take(self, read: Record, now_us: int) -> None:
        """See the port."""
        taken = self._outlet.taken(read, now_us)
        if isinstance(taken, Sent):
            self._sent.append(taken)
            return
        match taken.item:
            case Mark():
                if self.upstreams.heard(taken.item):
                    self._heard.add(taken.item.of)
            case Canary():
                self._watch(taken.item.sent_us, now_us)
                self._sent += self._outlet.send(taken.item, self._canary_to, CANARY, None)
            case Outcome() | Command():
                self._say(self.engine.respond(taken.item), At(self.low_us, taken.origin_ms))
            case Correction():  # as a command, for the stage that this role has: the other says nothing
                self._say(self.engine.corrected(taken.item), At(self.low_us, taken.origin_ms))
            case Event() | DeadLetter() | Decision():
                reason = f"a {type(taken.item).__name__} is no input of {self._outlet.stage}"
                place = f"{read.topic}/{read.partition}@{read.offset}"
                self._sent.append(self._outlet.dead(place, read.value, reason, now_us))
            case _ if taken.cause_us > now_us - self._lateness_us and not taken.rank.is_last:
                self._live.append(taken)
            case _:
                self.waiting.add(taken)

    def step(self, now_us: int, *, is_drained: bool) -> list[Sent]:
        """See the port."""
        is_over = self._told.ended
        front, low = self.upstreams.front_us(), self.upstreams.low_us()
        for taken in self.waiting.ready(front):
            self._process(taken, low)
        live, self._live = sorted(self._live), []
        for taken in live:
            self._process(taken, low)
        ends = not is_over and self.upstreams.have_ended()
        if (live or front > self._moment_us) and not ends:
            # Nothing more of this time will come, or nobody waits for it.
            self._begin(self._moment_us + 1)
        if ends:
            self._finish()
        elif not is_over:
            self._advance(min(low, front - self._lateness_us - 1))
        if not is_over:
            self._mark(now_us)
        self._count_losses()
        self._tally.flush()
        sent, self._sent = self._sent, []
        return sent

    def changes(self) -> Changes:
        """See the port."""
        changed = self.engine.changes()
        for of in self._heard:
            changed[HOST, "marks", of] = encode(self.upstreams.marks[of])[0]
        if self._saved_low_us != self.low_us or self._has_ended:
            own = Mark(self.name, 0, self.low_us, ended=self._told.ended)
            changed[HOST, "marks", self.name] = encode(own)[0]
            self._saved_low_us, self._has_ended = self.low_us, False
        self._heard.clear()
        new, gone = self.waiting.changes()
        for one in new:
            changed[HOST, "waiting", str(one.offset)] = part_of(one)
        for offset in gone:
            changed[HOST, "waiting", str(offset)] = None
        return changed

    # -------------------------------------------------------------- inside

    def _count_losses(self) -> None:
        stage = self._outlet.stage
        if self.waiting.forced:
            text = "more records wait than kafka.max_waiting; the earliest went on, out of order"
            self._tally.count(Notice("order_forced", self.waiting.forced, stage, text))
            self.waiting.forced = 0
        if self._outlet.refused:
            self._tally.count(Notice("topic_dead_letters", self._outlet.refused, stage))
            self._outlet.refused = 0

    def _process(self, taken: Taken, low_us: int) -> None:
        """Let time come to what caused an item, then take it. What is late finds the time where it is."""
        if not taken.rank.is_last:  # what follows the end is told as one
            self._begin(taken.cause_us)
        self.origin_ms = taken.origin_ms
        reached_us = taken.cause_us - self._lateness_us - taken.rank.is_timed
        self._advance(min(reached_us, low_us))
        if taken.rank.is_last and not self._told.ended:
            self._ripen(reached_us)
        rank = Rank.CAUSED_LAST if taken.rank.is_last else Rank.CAUSED
        self._say(self._engine_takes(taken.item), At(taken.cause_us, taken.origin_ms, rank), taken)

    def _begin(self, cause_us: int) -> None:
        """Let what was caused before be told; it was caused at the end of the moment that this one follows."""
        if cause_us <= self._moment_us:
            return
        at = At(max(self._moment_us, self.low_us + self._lateness_us), self.origin_ms, Rank.TIMED)
        self._moment_us = cause_us
        self._say(self.engine.begin(cause_us), at)

    def _engine_takes(self, item: Item) -> Iterator[Output]:
        match item:
            case Match():
                return self.engine.matched(item)
            case Observation():
                return self.engine.observed(item)
            case Alert():
                return self.engine.alerted(item)
            case Chain():
                return self.engine.chained(item)
        raise TypeError(f"{type(item).__name__} passed `take`")

    def _advance(self, low_us: int) -> None:
        """Take the watermark, deadline by deadline: what each brings about was caused when it was reached."""
        if low_us <= self.low_us or self._told.ended:
            return
        self._say_timed(self.engine.advance(low_us))
        self.low_us = low_us

    def _ripen(self, reached_us: int) -> None:
        """What was told after the end of all input finds what is open here as far as it was there."""
        self._advance(max(self.upstreams.latest_us(), self.low_us))
        self._say_timed(self.engine.ripen(reached_us), Rank.TIMED_LAST)

    def _finish(self) -> None:
        self._advance(max(self.upstreams.latest_us(), self.low_us))
        self._say_timed(self.engine.ripen(NEVER - 1), Rank.TIMED_LAST)
        self._say_timed(self.engine.settle(), Rank.TIMED_LAST)

    def _say_timed(self, outputs: Iterable[Output], rank: Rank = Rank.TIMED) -> None:
        for output in outputs:
            cause_us = min(self.engine.now_us, _LATEST_US) + self._lateness_us
            tie = self._tie(None, output) if self._tie is not None else ""
            self._tally.count(output)
            self._sent += self._route(output, At(cause_us, self.origin_ms, rank, tie))

    def _say(self, outputs: Iterable[Output], at: At, taken: Taken | None = None) -> None:
        for output in outputs:
            self._tally.count(output)
            if self._tie is not None and taken is not None:
                at = at._replace(tie=self._tie(taken, output))
            self._sent += self._route(output, at)

    def _mark(self, now_us: int) -> None:
        if self.upstreams.have_ended():
            mark = Mark(self.name, self.upstreams.latest_us(), self.low_us, ended=True)
        else:
            mark = Mark(self.name, self.upstreams.front_us(), self.low_us)
        if mark == self._told:
            return
        if not (self._sent or mark.ended or now_us - self._told_at_us >= MARK_EVERY_US):
            return
        self._sent += self._outlet.send(mark, self._marks_to, "", None)
        self._told, self._told_at_us, self._has_ended = mark, now_us, mark.ended
