"""Where a person reads what an engine on Kafka found, and speaks to it: from the topics, and to `commands`.

`decide` takes a word on a decision and `link` a word on chains, as other input: exactly once, kept over kills. What they
make of it stands on the topics, and is waited for there. What is read is what the topics keep: `policy` is compacted, the
others forget after `kafka.keep_records`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any, Final, TypeAlias

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from contract.errors import BrokerError, OpsoninError, ParseError
from contract.records import Alert, Chain, Command, Correction, Decision, Outcome
from contract.timestamps import from_datetime
from contract.topics import ALERTS, CHAINS, COMMANDS, OUTCOMES, POLICY, Topic
from correlate.chain.why import holders, worst
from ingest.streams.kafka_batches import Record
from runtime import words
from runtime.kafka import client
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import name_of
from runtime.kafka.wire import decode, encode

ANSWER_S: Final = 20.0
"""After so long without an answer the word stays said; the engine takes it when it runs."""
_READ_LIMIT_S: Final = 120.0
_POLL_MS: Final = 500

Told: TypeAlias = Decision | Chain


class TopicDesk:
    """Reads and writes as the role `console`; see `console.desks` for what each call gives.

    Reading costs the whole topic each time; what is sure not to be wanted is not decoded.

    Args:
        settings: of Kafka.
        clock: wall clock, microseconds.
        near: around a chain, where `alerts` looks for others.
        most_near: so many of them at most, the latest written.

    Raises:
        BrokerError: by every call, when a topic cannot be read or written.
    """

    def __init__(
        self, settings: KafkaSettings, clock: Callable[[], int], near: timedelta, most_near: int
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._near = near
        self._most_near = most_near

    def decisions(self, *, state: str = "", chain: str = "", limit: int) -> list[Decision]:
        """Return the newest revision of decisions, newest first, in a state and of a chain where they are not empty."""
        newest = {one.id: one for one in self._policy()}.values()
        found = [one for one in newest if state in ("", one.state) and chain in ("", one.chain)]
        return sorted(found, key=lambda one: (one.made, one.id), reverse=True)[:limit]

    def revisions(self, id: str) -> list[Decision]:
        """Return those revisions of a decision that compaction has left."""
        prefix = id.encode()
        found = self._policy(lambda read: (read.key or b"").startswith(prefix))
        return found if len({one.id for one in found}) == 1 else []

    def outcomes(self, decision: str) -> list[Outcome]:
        """Return what enforcement points answered, newest first."""
        key = decision.encode()
        read = map(_item, self._read(OUTCOMES, lambda read: read.key == key))
        found = {one.id: one for one in read if isinstance(one, Outcome)}
        return sorted(found.values(), key=lambda one: (one.time, one.id), reverse=True)

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        """Return chains that are still kept, the highest score first, and how many there are."""
        return worst(self._chains(), limit)

    def chain(self, id: str) -> Chain | None:
        """Return the only chain whose id begins so."""
        found = [one for one in self._chains() if one.id.startswith(id)]
        return found[0] if len(found) == 1 else None

    def alerts(self, chain: Chain) -> list[Alert]:
        """Return the chain's alerts, and others of its time."""
        first = from_datetime(chain.first - self._near)
        last = from_datetime(chain.last + self._near)
        mine, inside = dict[str, Alert](), set(chain.alerts)
        others = dict[str, Alert]()
        for one in map(_item, self._read(ALERTS, lambda read: first <= _time(read) <= last)):
            if isinstance(one, Alert):
                to = mine if one.id in inside else others
                to.pop(one.id, None)
                to[one.id] = one
                if len(others) > self._most_near:
                    del others[next(iter(others))]
        return [*mine.values(), *others.values()]

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        """Return the ids of the chains that hold alerts, by alert."""
        return holders(self._chains(), alerts)

    def command(self, verb: str, decision: str, said: Mapping[str, str]) -> list[Decision]:
        """Say a word on a decision; return what became of it.

        Raises:
            OpsoninError: nothing did in time.
        """
        word = words.command(verb, decision, said, self._clock())

        def answers(one: Told) -> bool:
            return isinstance(one, Decision) and one.id == decision

        told = self._say(word, decision, POLICY, answers)
        return [one for one in told if isinstance(one, Decision)]

    def correct(self, verb: str, said: Mapping[str, Any]) -> tuple[str, list[Chain]]:
        """Say a word on chains; return its id and the chains that it changed.

        Raises:
            OpsoninError: nothing did in time.
        """
        word = words.correction(verb, said, self._clock())
        about = word.other if verb == "undo" else word.id
        before = {one.id for one in self._chains() if about in one.corrections}

        def answers(one: Told) -> bool:
            if not isinstance(one, Chain):
                return False
            if verb == "undo":
                return one.id in before and about not in one.corrections
            return about in one.corrections

        told = self._say(word, word.chain or word.other, CHAINS, answers)
        return word.id, [one for one in told if isinstance(one, Chain)]

    # -------------------------------------------------------------- inside

    def _chains(self) -> list[Chain]:
        found = {one.id: one for one in map(_item, self._read(CHAINS)) if isinstance(one, Chain)}
        return list(found.values())

    def _say(
        self,
        word: Command | Correction,
        key: str,
        answer: Topic,
        answers: Callable[[Told], bool],
    ) -> list[Told]:
        names = name_of(self._settings, COMMANDS), name_of(self._settings, answer)
        with (
            client.translated(f"speak through {names[0]}", f"Write on topic {names[0]}"),
            closing(client.consumer(self._settings)) as reader,
        ):
            places = self._places(reader, names[1])
            reader.assign(places)
            reader.seek_to_end(*places)
            for place in places:
                reader.position(place)  # the end as it is now, before the word
            writer = client.producer(self._settings)
            try:
                value, headers = encode(word)
                sent = writer.send(names[0], value, key.encode(), headers, 0)
                sent.get(ANSWER_S)
            finally:
                writer.close(timeout=2)
            return self._await(reader, answers)

    def _await(self, reader: Any, answers: Callable[[Told], bool]) -> list[Told]:
        limit = time.monotonic() + ANSWER_S
        while time.monotonic() < limit:
            if found := _answers(reader, answers):
                # What one word brings about is one transaction, so it is read at once or very soon.
                return found + _answers(reader, answers)
        raise OpsoninError(
            f"said, and no answer in {ANSWER_S:.0f} s: the word does not fit, or the role that takes it does not run; "
            "its log says why, and the metric decide_commands_refused_total or link's notices count it"
        )

    def _policy(self, wanted: Callable[[Record], bool] = lambda _: True) -> list[Decision]:
        """Return the revisions that stand on the topic, oldest first; none of what `decide` has forgotten."""
        found: dict[bytes | None, dict[int, Decision]] = {}
        for read in self._read(POLICY, wanted):
            item = _item(read)
            if read.value is None:
                found.pop(read.key, None)
            elif isinstance(item, Decision):
                found.setdefault(read.key, {})[item.revision] = item
        return [one for revisions in found.values() for one in revisions.values()]

    def _read(
        self, topic: Topic, wanted: Callable[[Record], bool] = lambda _: True
    ) -> Iterator[Record]:
        """Yield what stands on a topic, up to its end as it is now."""
        name = name_of(self._settings, topic)
        with (
            client.translated(f"read {name}", f"Read on topic {name}"),
            closing(client.consumer(self._settings)) as reader,
        ):
            places = self._places(reader, name)
            reader.assign(places)
            reader.seek_to_beginning(*places)
            ends = reader.end_offsets(places)
            limit = time.monotonic() + _READ_LIMIT_S
            while any(reader.position(one) < ends[one] for one in places):
                if time.monotonic() > limit:
                    raise KafkaTimeoutError(f"the end of {name} was not reached")
                yield from filter(wanted, _poll(reader))

    def _places(self, reader: Any, name: str) -> list[TopicPartition]:
        found = reader.partitions_for_topic(name)
        if not found:
            raise BrokerError(f"no topic {name}; `opsonin topics apply` makes it")
        return [TopicPartition(name, one) for one in sorted(found)]


def _poll(reader: Any) -> Iterator[Record]:
    for reads in reader.poll(_POLL_MS).values():
        yield from reads


def _answers(reader: Any, answers: Callable[[Told], bool]) -> list[Told]:
    found = map(_item, _poll(reader))
    return [one for one in found if isinstance(one, Told) and answers(one)]


def _item(read: Record) -> object:
    """Return the record that was read; None for a tombstone, or what others wrote: the engine's roles make dead letters of it."""
    try:
        return decode(read.value, read.headers)
    except ParseError:
        return None


def _time(read: Record) -> int:
    """Return the event time that a record's header says; 0 when it says none."""
    said = dict(read.headers).get("time", b"0")
    return int(said) if said.isdigit() else 0
