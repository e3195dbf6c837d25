"""Where a person speaks to an engine on Kafka: reads decisions and chains from their topics, writes words to `commands`.

`decide` takes a word on a decision and `link` a word on chains, as other input: exactly once, kept over kills. What they
make of it stands on the topics, and is waited for there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final, TypeAlias

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from contract.errors import BrokerError, OpsoninError, ParseError
from contract.records import Chain, Command, Correction, Decision
from contract.topics import CHAINS, COMMANDS, POLICY, Topic
from runtime.kafka import client
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import name_of
from runtime.kafka.wire import decode, encode

ANSWER_S: Final = 20.0
"""After so long without an answer the word stays said; the engine takes it when it runs."""
_READ_LIMIT_S: Final = 120.0
_POLL_MS: Final = 500

Told: TypeAlias = Decision | Chain


class Desk:
    """Reads and writes as the role `console`.

    Args:
        settings: of Kafka.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def decisions(self) -> list[Decision]:
        """Return the newest revision of every decision, newest first.

        Raises:
            BrokerError: the topic cannot be read.
        """
        found = {one.id: one for one in self._read(POLICY) if isinstance(one, Decision)}
        return sorted(found.values(), key=lambda one: (one.made, one.id), reverse=True)

    def chains(self) -> list[Chain]:
        """Return the newest revision of every chain that is still kept.

        Raises:
            BrokerError: the topic cannot be read.
        """
        found = {one.id: one for one in self._read(CHAINS) if isinstance(one, Chain)}
        return list(found.values())

    def command(self, word: Command) -> list[Decision]:
        """Say a word on a decision; return what became of it.

        Raises:
            OpsoninError: nothing did in time.
        """

        def answers(one: Told) -> bool:
            return isinstance(one, Decision) and one.id == word.decision

        told = self._say(word, word.decision, POLICY, answers)
        return [one for one in told if isinstance(one, Decision)]

    def correct(self, word: Correction) -> list[Chain]:
        """Say a word on chains; return those that it changed.

        Raises:
            OpsoninError: nothing did in time.
        """
        about = word.other if word.verb == "undo" else word.id
        before = {one.id for one in self.chains() if about in one.corrections}

        def answers(one: Told) -> bool:
            if not isinstance(one, Chain):
                return False
            if word.verb == "undo":
                return one.id in before and about not in one.corrections
            return about in one.corrections

        told = self._say(word, word.chain or word.other, CHAINS, answers)
        return [one for one in told if isinstance(one, Chain)]

    # -------------------------------------------------------------- inside

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
            found = [one for one in _items(reader) if isinstance(one, Told) and answers(one)]
            if found:
                # What one word brings about is one transaction, so it is read at once or very soon.
                found += [one for one in _items(reader) if isinstance(one, Told) and answers(one)]
                return found
        raise OpsoninError(
            f"said, and no answer in {ANSWER_S:.0f} s: the word does not fit, or the role that takes it does not run; "
            "its log says why, and the metric decide_commands_refused_total or link's notices count it"
        )

    def _read(self, topic: Topic) -> Iterator[object]:
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
                yield from _items(reader)

    def _places(self, reader: Any, name: str) -> list[TopicPartition]:
        found = reader.partitions_for_topic(name)
        if not found:
            raise BrokerError(f"no topic {name}; `opsonin topics apply` makes it")
        return [TopicPartition(name, one) for one in sorted(found)]


def _items(reader: Any) -> Iterator[object]:
    for reads in reader.poll(_POLL_MS).values():
        for read in reads:
            try:
                yield decode(read.value, read.headers)
            except ParseError:
                continue  # a tombstone, or what others wrote: the engine's roles make dead letters of it
