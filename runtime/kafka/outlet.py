"""What a partition's task sends: to which topic, which partition, with what it says about time and cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from zlib import crc32

from kafka import TopicPartition

from contract.errors import ParseError
from contract.topics import DEAD_LETTERS, Topic
from ingest.streams.kafka_batches import Headers, Record
from runtime.kafka.order import Rank, Taken
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import name_of
from runtime.kafka.wire import Item, Read, dead, decode, encode

AT: Final = "at"
"""Header of what flows between stages: event time of the cause, rank and tie, e.g. `1772366400250000 1 002 000000 5f0c… 001`.

An event has it where its time alone does not say its place in its source; its tie is a number. See `order.Turns`."""
RULE_END: Final = "\x1f"
"""Ends the rule's id in a key of the stage `aggregate`."""
_HEADERS_BYTES: Final = 512


class At(NamedTuple):  # made for each record: half the cost of a frozen dataclass
    """When and by what something was caused.

    Attributes:
        cause_us: event time.
        origin_ms: wall-clock time at which ingest wrote what caused it.
        rank: whether time alone brought it about.
        tie: see `runtime.kafka.order.Taken`.
    """

    cause_us: int
    origin_ms: int
    rank: Rank = Rank.CAUSED
    tie: str = ""


@dataclass(slots=True)
class Sent:
    """One record to be sent in the next transaction."""

    topic: Topic
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers = field(default_factory=list)
    timestamp_ms: int | None = None


def by_place(settings: KafkaSettings, sent: Iterable[Sent]) -> dict[TopicPartition, list[Sent]]:
    """Return records by where they go on the cluster, in order for each place."""
    found: dict[tuple[str, int], list[Sent]] = {}
    places: dict[TopicPartition, list[Sent]] = {}
    for one in sent:
        at = one.topic.name, one.partition
        records = found.get(at)
        if records is None:
            records = found[at] = []
            places[TopicPartition(name_of(settings, one.topic), one.partition)] = records
        records.append(one)
    return places


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a stage's key; the same everywhere and for ever (CRC-32)."""
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions


class Outlet:
    """Makes records to send, none over the size limit.

    Args:
        name: of the task, e.g. `detect/0`.
        stage: of the task, for dead letters.
        max_bytes: of one record; a larger one becomes a dead letter.
        kept_bytes: most that a dead letter keeps.
    """

    def __init__(self, name: str, max_bytes: int, kept_bytes: int) -> None:
        self.name = name
        self.stage = name.partition("/")[0]
        self._max_bytes = max_bytes - _HEADERS_BYTES
        self._kept_bytes = min(kept_bytes, self._max_bytes // 2)
        self.refused = 0

    def send(
        self, item: Item, to: Iterable[tuple[Topic, int]], key: str, at: At | None
    ) -> list[Sent]:
        """Return a record for each place; of a record too large one dead letter."""
        value, headers = encode(item)
        if len(value) + len(key) > self._max_bytes:
            reason = f"{headers[0][1].decode()} of {len(value)} bytes; kafka.max_record_bytes allows {self._max_bytes}"
            name = key or getattr(item, "id", "")
            return [self.dead(f"{self.name} {name}", value, reason, at.cause_us if at else 0)]
        origin_ms = None
        if at is not None:
            tie = at.tie.encode("utf-8", "surrogatepass")
            headers.append((AT, b"%d %d %b" % (at.cause_us, at.rank, tie)))
            origin_ms = at.origin_ms or None  # a deadline may be the first that a member comes to
        data = key.encode("utf-8", "surrogatepass")
        return [Sent(topic, partition, data, value, headers, origin_ms) for topic, partition in to]

    def dead(self, place: str, value: bytes | None, reason: str, now_us: int) -> Sent:
        """Return the dead letter of what cannot be used or sent."""
        self.refused += 1
        letter = dead(self.stage, place, value, reason, now_us=now_us, kept_bytes=self._kept_bytes)
        body, headers = encode(letter)
        return Sent(DEAD_LETTERS, 0, letter.id.encode(), body, headers)

    def item(self, read: Record, now_us: int) -> Item | Sent:
        """Return what was read; or its dead letter, when it cannot be."""
        try:
            return decode(read.value, read.headers)
        except ParseError as error:
            return self.unreadable(read, error, now_us)

    def taken(self, read: Record, now_us: int) -> Taken | Sent:
        """Return what was read, with its cause; or its dead letter, when it cannot be."""
        try:
            item = decode(read.value, read.headers)
            cause_us, rank, tie = cause_of(item, read.headers)
        except (ParseError, ValueError) as error:
            return self.unreadable(read, error, now_us)
        return Taken(
            cause_us, rank, tie, read.offset, item, read.timestamp,
            read.value or b"", read.headers,
        )  # fmt: skip

    def unreadable(self, read: Record, error: ValueError | ParseError, now_us: int) -> Sent:
        """Return the dead letter of a record that could not be read."""
        place = f"{read.topic}/{read.partition}@{read.offset}"
        return self.dead(place, read.value, str(error), now_us)


def turn(time_us: int, number: int) -> tuple[str, bytes]:
    """Return the header of an event that has not its time's own turn: not later than one before it, or not believed."""
    return AT, b"%d %d %06d" % (time_us, Rank.CAUSED, number)


def turn_of(headers: Read, time_us: int) -> int:
    """Return the event time that a source has come to with an event of this time."""
    for name, data in headers:
        if name == AT and data is not None:
            said = data.partition(b" ")[0]
            return int(said) if said.isdigit() else time_us
    return time_us


def cause_of(item: Item, headers: Read) -> tuple[int, Rank, str]:
    """Return when a record was caused, its rank and its tie.

    Raises:
        ValueError: the header says nothing of the kind.
    """
    for name, data in headers:
        if name == AT and data is not None:
            cause, rank, tie = data.split(b" ", 2)
            return int(cause), Rank(int(rank)), tie.decode("utf-8", "surrogatepass")
    return getattr(item, "time_us", 0), Rank.CAUSED, ""  # others wrote it, or it is taken at once
