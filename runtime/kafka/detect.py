"""One partition of the role `detect`: events in; matches and observations out, each to where its keys live.

Detection itself has no state. What is kept is how far each source is, since marks tell that to the stages behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from contract.errors import StoreError
from contract.event import Event, Notice
from contract.topics import MATCHES, OBSERVATIONS, Topic
from correlate.sigma.sieve import NOTHING, UNSERVED
from ingest.streams.kafka_batches import Headers, Record
from runtime.enforcement import SOURCE as ANSWERS
from runtime.engine import Pipeline
from runtime.kafka.kept import HOST
from runtime.kafka.outlet import RULE_END, At, Outlet, Sent, cause_of, partition_of, turn_of
from runtime.kafka.state import State
from runtime.kafka.task import MARK_EVERY_US
from runtime.kafka.wire import PACE, Canary, Mark, stated_event
from runtime.stage_runner import Changes
from runtime.tally import Tally
from runtime.watermark import Watermarks

_VERSION: Final = 1
_PLAIN: Final = 3
"""Headers of an event whose time alone says its turn."""
_FIRST: Final = "000000"
"""The tie of an event that is later than all before it in its source."""


class DetectTask:
    """A `runtime.kafka.task.Task`.

    Args:
        name: e.g. `detect/0`.
        pipeline: rules and what events tell; of `aggregate`, only the keys.
        outer: rule ids whose keys live where alerts are linked.
        partitions: of matches.
        watermarks: of this partition's sources.
        expected: sources whose events may come, in order of the settings; until one comes, or is idle, time stands.
        lateness_us: as in the settings.
        outlet: makes records.
        tally: counts matches.
        watch: is told each canary's age.
        ends: the input ends when all expected sources have ended.
    """

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        outer: frozenset[str],
        partitions: int,
        watermarks: Watermarks,
        expected: Iterable[str],
        lateness_us: int,
        outlet: Outlet,
        tally: Tally,
        watch: Callable[[int, int], None],
        *,
        ends: bool = False,
    ) -> None:
        self.name = name
        self.low_us = 0
        self.origin_ms = 0
        self._detector = pipeline.detector
        self._keys = pipeline.aggregate.keys
        self._outer = outer
        self._partitions = partitions
        self._marks = watermarks
        self._numbers = {source: number for number, source in enumerate(expected)}
        self._expected = frozenset(self._numbers)
        self._ends = ends
        self._lateness_us = lateness_us
        self._outlet = outlet
        self._tally = tally
        self._watch = watch
        self._marks_to: tuple[tuple[Topic, int], ...] = (
            *((MATCHES, one) for one in range(partitions)),
            (OBSERVATIONS, 0),
        )
        self._sent: list[Sent] = []
        self._newest: dict[str, int] = {}
        self._reached: dict[str, int] = {}
        self._ended: set[str] = set()
        self._paces: dict[str, int] = {}
        self._latest_us = 0
        self._front_us = 0
        self._told = Mark(name, 0)
        self._told_at_us = 0
        self._has_changed = False

    # -------------------------------------------------------------- the port

    @property
    def has_ended(self) -> bool:
        """See the port."""
        return self._told.ended

    def restore(self, state: State, now_us: int) -> None:
        """See the port."""
        part = state.get(HOST, {}).get("sources", {}).get("")
        if part is not None:
            row: dict[str, Any] = msgspec.json.decode(part)
            if row["version"] != _VERSION:
                raise StoreError(f"{self.name}: state of version {row['version']}")
            self._reached, self._ended = row["reached"], set(row["ended"])
            self._front_us, self._latest_us, self._paces = row["front"], row["latest"], row["paces"]
            self._told = Mark(self.name, 0, 0, ended=row["told_end"])
            self._marks.restore(row["low"])
            self.low_us = row["low"]
        for source in self._expected | self._reached.keys():
            if source not in self._ended:
                self._marks.open(source, now_us, self._reached.get(source, 0))

    def take(self, read: Record, now_us: int) -> None:
        """See the port."""
        answer = UNSERVED
        stated = stated_event(read.headers)
        if stated is not None and read.value is not None:
            time_us, source = stated
            answer = self._detector.ask(read.value, time_us)
            if answer == NOTHING:
                self.origin_ms = read.timestamp
                self._came(source, time_us, read.headers)
                return
        item = self._outlet.item(read, now_us)
        match item:
            case Event():
                self.origin_ms = read.timestamp
                self._event(item, answer, read, now_us)
            case Sent():
                self._sent.append(item)
            case Mark():
                self._source(item, now_us)
            case Canary():
                self._watch(item.sent_us, now_us)
                to = ((MATCHES, read.offset % self._partitions),)
                self._sent += self._outlet.send(item, to, "", None)
            case _:
                reason = f"a {type(item).__name__} is no input of detect"
                place = f"{read.topic}/{read.partition}@{read.offset}"
                self._sent.append(self._outlet.dead(place, read.value, reason, now_us))

    def step(self, now_us: int, *, is_drained: bool) -> list[Sent]:
        """See the port."""
        for source in list(self._newest):
            self._note(source, now_us)
        has_ended = self._ends and self._expected <= self._ended
        if not has_ended:
            paced = min(self._paces.values(), default=0) - self._lateness_us
            self.low_us = max(self.low_us, paced, self._marks.low(now_us))
            if is_drained:  # idle: it holds nobody back
                self._front_us = max(self._front_us, self.low_us + self._lateness_us)
        # While recorded input is read, its slowest source says what may not be passed.
        reached = min(self._paces.values(), default=self._latest_us)
        self._front_us = max(self._front_us, self._latest_us if has_ended else reached)
        mark = Mark(self.name, self._front_us, self.low_us, ended=has_ended)
        is_due = self._sent or has_ended or now_us - self._told_at_us >= MARK_EVERY_US
        if mark != self._told and is_due:
            self._sent += self._outlet.send(mark, self._marks_to, "", None)
            self._told, self._told_at_us, self._has_changed = mark, now_us, True
        if self._outlet.refused:
            self._tally.count(Notice("topic_dead_letters", self._outlet.refused, "detect"))
            self._outlet.refused = 0
        self._tally.flush()
        sent, self._sent = self._sent, []
        return sent

    def changes(self) -> Changes:
        """See the port."""
        if not self._has_changed:
            return {}
        self._has_changed = False
        row = {
            "version": _VERSION,
            "reached": self._reached,
            "ended": sorted(self._ended),
            "front": self._front_us,
            "latest": self._latest_us,
            "paces": self._paces,
            "low": self.low_us,
            "told_end": self._told.ended,
        }
        return {(HOST, "sources", ""): msgspec.json.encode(row)}

    # -------------------------------------------------------------- inside

    def _came(self, source: str, time_us: int, headers: Headers) -> None:
        if len(headers) > _PLAIN:
            time_us = turn_of(headers, time_us)
        # Answers bear the wall clock, which recorded logs do not follow.
        if time_us > self._newest.get(source, -1) and source != ANSWERS:
            self._newest[source] = time_us

    def _event(self, event: Event, answer: int, read: Record, now_us: int) -> None:
        self._came(event.source, event.time_us, read.headers)
        seen, matches = self._detector.look(event, answer)
        if seen is None and not matches:
            return
        try:
            cause_us, _, tie = cause_of(event, read.headers)
        except ValueError as error:
            self._sent.append(self._outlet.unreadable(read, error, now_us))
            return
        # One process takes what an event tells of entities first, then its matches, in their order; of events of one
        # time, those of the source that the settings name first.
        number = self._numbers.get(event.source, len(self._numbers))
        turn = f"{number:03d} {tie or _FIRST} {event.id}"
        if seen is not None:
            at = At(cause_us, read.timestamp, tie=f"{turn} 000")
            self._sent += self._outlet.send(seen, ((OBSERVATIONS, 0),), "", at)
        for place, match in enumerate(matches, 1):
            self._tally.count(match)
            at = At(cause_us, read.timestamp, tie=f"{turn} {place:03d}")
            keys = tuple(self._keys(match))
            if keys:
                self._sent += self._outlet.send(match, self._places(keys), match.rule, at)

    def _places(self, keys: tuple[str, ...]) -> list[tuple[Topic, int]]:
        """Return where the keys live, each place once."""
        places: dict[tuple[str, int], tuple[Topic, int]] = {}
        for key in keys:
            if key.partition(RULE_END)[0] in self._outer:
                places[OBSERVATIONS.name, 0] = (OBSERVATIONS, 0)
            else:
                partition = partition_of(key, self._partitions)
                places[MATCHES.name, partition] = (MATCHES, partition)
        return list(places.values())

    def _note(self, source: str, now_us: int) -> None:
        """Let the clock know of the events of a source since the last time; a batch's newest says it all."""
        newest_us = self._newest.pop(source, None)
        if newest_us is not None:
            self._saw(source, newest_us, now_us)

    def _saw(self, source: str, time_us: int, now_us: int) -> None:
        self._marks.saw(source, time_us, now_us)
        if time_us > self._reached.get(source, -1):
            self._reached[source] = time_us
            self._latest_us = max(self._latest_us, min(time_us, now_us))
            self._has_changed = True

    def _source(self, mark: Mark, now_us: int) -> None:
        """A source tells how far it is, also by events in other partitions, or that it has ended; ingest, its pace."""
        if mark.of.startswith(PACE):
            self._paces[mark.of] = max(mark.time_us, self._paces.get(mark.of, 0))
            # Where input ends, the end of each source is told too; until the last one's, nothing else is sure.
            if mark.ended and not self._ends:
                del self._paces[mark.of]
            self._has_changed = True
            return
        self._note(mark.of, now_us)  # before it ends: what comes behind the end opens it anew
        if mark.of not in self._ended:
            self._saw(mark.of, mark.time_us, now_us)
        if mark.ended and mark.of not in self._ended:
            self._marks.close(mark.of)
            self._ended.add(mark.of)
            self._has_changed = True
