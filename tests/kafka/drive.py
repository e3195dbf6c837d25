"""The roles' tasks without a broker: topics in memory, turns at random, workers that forget all but what they committed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import Command, Correction
from contract.timestamps import microseconds
from contract.topics import COMMANDS, EVENTS, Topic
from ingest.streams.kafka_batches import Headers, Record
from runtime.compose import Composition
from runtime.kafka.order import Turns
from runtime.kafka.outlet import Sent, turn
from runtime.kafka.roles import ROLES, Role, Roles
from runtime.kafka.state import Assembly, records_of
from runtime.kafka.task import Task
from runtime.kafka.wire import PACE, Item, Mark, decode, encode
from runtime.settings import Settings
from runtime.source_clock import SourceClock

CHUNK = 50
MOST_TURNS = 200_000


@dataclass(slots=True)
class Place:
    """One partition of a role: its task, and what is committed of it."""

    role: Role
    partition: int
    task: Task
    at: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    state: Assembly = field(default_factory=Assembly)


class Drive:
    """Runs every partition of every role by turns.

    Args:
        settings: with `[kafka]`; nothing connects.
        rules: compiled.
        rng: decides whose turn it is, how many records it takes, and who is killed.
        kills: how often, of a hundred turns, a task is thrown away and begins again from what it committed.
    """

    def __init__(
        self, settings: Settings, rules: Composition, rng: random.Random, kills: float = 0.0
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._kills = kills / 100
        self._logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._now_us = 1_800_000_000_000_000
        roles = Roles(settings, rules, MemoryMeter())
        self._places = [
            self._open(role, number)
            for role in map(roles.role, ROLES)
            for number in range(settings.kafka.partitions if role.state.scales else 1)
        ]

    def feed(self, events: list[Event], *, ends: bool = True) -> None:
        """Write events as ingest does: spread over the partitions, marks behind each chunk of any size."""
        partitions = self._settings.kafka.partitions
        turns, come_to = Turns({}), self._clocks(events)
        start = 0
        while start < len(events):
            size = self._rng.randint(1, 2 * CHUNK)
            for event in events[start : start + size]:
                time_us, number = turns.next(event.source, come_to[event.id])
                more = [turn(time_us, number)] if number or time_us != event.time_us else []
                self._write(EVENTS, self._rng.randrange(partitions), event, more)
            start += size
            reached = max((come_to[one.id] for one in events[: start + 1]), default=0)
            is_over = ends and start >= len(events)
            self._mark(Mark(f"{PACE}t", 0 if is_over else reached, ended=is_over))
        for source in self._settings.sources if ends else ():
            last = max((come_to[one.id] for one in events if one.source == source.name), default=0)
            self._mark(Mark(source.name, last, ended=True))

    def run(self, topics: Iterable[Topic]) -> list[Item]:
        """Run to the end; return what stands on topics."""
        for _ in range(MOST_TURNS):
            if all(one.task.has_ended and not self._lag(one) for one in self._places):
                break
            self._turn(self._rng.choice(self._places))
        else:
            stand = {one.task.name: one.task.low_us for one in self._places}
            raise AssertionError(f"no end after {MOST_TURNS} turns: {stand}")
        return self.read(topics)

    def turn(self, times: int) -> None:
        """Let tasks have so many turns."""
        for _ in range(times):
            self._turn(self._rng.choice(self._places))

    def say(self, word: Command | Correction) -> None:
        """Write a person's word."""
        self._write(COMMANDS, 0, word)

    def read(self, topics: Iterable[Topic]) -> list[Item]:
        """Return what stands on topics."""
        return [
            decode(one.value, one.headers)
            for topic in topics
            for (name, _), log in sorted(self._logs.items())
            if name == topic.name
            for one in log
        ]

    def _clocks(self, events: list[Event]) -> dict[str, int]:
        """Return by event what its source has come to with it."""
        jump_us = microseconds(self._settings.engine.max_jump)
        come_to: dict[str, int] = {}
        for source in {one.source for one in events}:
            clock = SourceClock(source, MemoryMeter(), jump_us)
            said = [one for one in events if one.source == source]
            for one in chain(clock.order(said, 0, has_more=True), clock.end()):
                come_to[one.id] = clock.turn_us
        return come_to

    def _turn(self, place: Place) -> None:
        self._now_us += self._rng.choice((1_000, 50_000, 250_000))
        most = self._rng.choice((1, 3, 20, 500))
        at = dict(place.at)
        for topic in place.role.inputs:
            log = self._logs[topic.name, place.partition]
            begin = place.at[topic.name]
            for one in log[begin : begin + self._rng.randint(0, most)]:
                place.task.take(one, self._now_us)
                at[topic.name] = one.offset + 1
        is_drained = all(
            at.get(topic.name, 0) == len(self._logs[topic.name, place.partition])
            for topic in place.role.inputs
        )
        sends = place.task.step(self._now_us, is_drained=is_drained)
        if self._rng.random() < self._kills:
            self._begin(place)  # before its transaction
            return
        place.at.update(at)
        for sent in sends:
            self._put(sent)
        for part in records_of(place.task.changes(), place.role.state, place.partition, 100_000):
            place.state.take(part.key, part.value, part.headers)
        if self._rng.random() < self._kills:
            self._begin(place)

    def _open(self, role: Role, partition: int) -> Place:
        place = Place(role, partition, role.make(partition))
        place.task.restore({}, self._now_us)
        return place

    def _begin(self, place: Place) -> None:
        place.task = place.role.make(place.partition)
        place.task.restore(place.state.state(), self._now_us)

    def _lag(self, place: Place) -> int:
        return sum(
            len(self._logs[topic.name, place.partition]) - place.at[topic.name]
            for topic in place.role.inputs
        )

    def _mark(self, mark: Mark) -> None:
        for partition in range(self._settings.kafka.partitions):
            self._write(EVENTS, partition, mark)

    def _write(self, topic: Topic, partition: int, item: Item, more: Headers | None = None) -> None:
        value, headers = encode(item)
        self._put(Sent(topic, partition, b"", value, headers + (more or [])))

    def _put(self, sent: Sent) -> None:
        log = self._logs[sent.topic.name, sent.partition]
        at_ms = sent.timestamp_ms or self._now_us // 1_000
        log.append(
            Record(
                sent.topic.name, sent.partition, len(log), at_ms, sent.key, sent.value, sent.headers
            )
        )
