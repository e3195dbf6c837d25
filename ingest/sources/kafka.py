"""Records that Kafka already holds: topics that Beats, Logstash, Vector, Fluent Bit or others fill, raw lines or ECS.

One Kafka record is one raw record. Alone, the source reads all partitions and its positions are kept by the host, exactly;
with `group`, several processes share the partitions and positions are the group's, kept when what was read is
durable: over a kill the last batches come again, with the same ids.

Source: Apache Kafka 4.4 protocol, through kafka-python 3.0.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import AuthorizationError, KafkaError
from kafka.structs import OffsetAndMetadata
from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from contract.errors import BrokerError
from contract.ports import Batch, Meter, SourceType
from contract.timespan import Timespan
from ingest.streams.kafka_access import KafkaAccess
from ingest.streams.kafka_batches import read_compiled
from ingest.streams.kafka_client import arguments, connected, words
from ingest.streams.unwrap import unwrap

_POLL_MS = 200
_PAUSE_S = 1.0


class KafkaSourceSettings(KafkaAccess):
    """Which topics, and how.

    Attributes:
        topics: their names.
        pattern: instead of names: a regular expression that whole names match; topics made later are found.
        group: shares the partitions among all processes of this consumer group; empty: this process reads all.
        start: where to begin in a partition that has no position yet, at the first start; partitions that appear
            later are read from their beginning.
        adapter_header: name of the record header that names the adapter, if the source's `adapters` allow it.
        unwrap: member of a JSON record that holds the raw line, e.g. `message`; the rest is left out.
        look: how often new topics and partitions are looked for.
        batch_records: most records handed over at once.
        max_record_bytes: longer records are cut to one byte more, and refused by the normalizer.
    """

    topics: tuple[str, ...] = ()
    pattern: str = ""
    group: Annotated[str, Field(max_length=200)] = ""
    start: Literal["beginning", "end"] = "beginning"
    adapter_header: str = ""
    unwrap: str = ""
    look: Timespan = timedelta(seconds=30)
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _names_topics(self) -> Self:
        if bool(self.topics) == bool(self.pattern):
            raise ValueError("expected either topics or pattern")
        return self


class KafkaSource:
    """A consumer, in a thread of its own; a batch is what one poll found in one partition."""

    def __init__(
        self, name: str, settings: KafkaSourceSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self._matches = re.compile(settings.pattern).fullmatch
        self._thread = ThreadPoolExecutor(1, f"kafka {name}")
        self._consumer: KafkaConsumer | None = None
        self._at: dict[TopicPartition, int] = {}
        self._confirmed: dict[TopicPartition, int] = {}
        self._next_look = 0.0
        self._is_closed = False

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what stands behind `position`, or behind the group's, until closed.

        Raises:
            BrokerError: the brokers cannot be reached at the start, or a right is missing.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._begin, position)
            while not self._is_closed:
                try:
                    found = await loop.run_in_executor(self._thread, self._read)
                except AuthorizationError as error:
                    names = ", ".join(self._settings.topics) or self._settings.pattern
                    text = f"source {self._name}: missing right: Read on {names} and its group"
                    raise BrokerError(f"{text}: {words(error)}") from error
                except KafkaError:
                    self._meter.add("kafka_errors", source=self._name)
                    await asyncio.sleep(_PAUSE_S)
                    continue
                if found is None:
                    await asyncio.sleep(_PAUSE_S)
                for batch in found or ():
                    yield batch
        finally:
            # Not waited for: a poll under way ends by itself.
            self._thread.submit(self._end)
            self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """End after what is being handed over."""
        self._is_closed = True

    def confirm(self, position: Any) -> None:
        """Let the group go on from here; alone, the host keeps the position."""
        if self._settings.group and position:
            self._confirmed = {
                TopicPartition(topic, int(number)): offset
                for topic, offsets in position.items()
                for number, offset in offsets.items()
            }

    # -------------------------------------------------------------- in the thread

    def _begin(self, position: Any) -> None:
        settings = self._settings
        made = {
            **arguments(settings),
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "auto_offset_reset": "earliest" if settings.start == "beginning" else "latest",
            "group_id": settings.group or None,
            "metadata_max_age_ms": round(settings.look.total_seconds() * 1_000),
            "max_partition_fetch_bytes": max(1 << 20, settings.max_record_bytes),
        }
        self._consumer = read_compiled(connected(settings, lambda: KafkaConsumer(**made)))
        if settings.group:
            names = (
                {"topics": list(settings.topics)}
                if settings.topics
                else {"pattern": f"^(?:{settings.pattern})$"}
            )
            self._consumer.subscribe(**names, listener=_Forget(self._at))
            return
        saved = {
            TopicPartition(topic, int(number)): offset
            for topic, offsets in (position or {}).items()
            for number, offset in offsets.items()
        }
        self._assign(saved, is_first=position is None)

    def _assign(self, saved: dict[TopicPartition, int], *, is_first: bool) -> None:
        """Take on what is there and not yet read: from its position, or where the settings say."""
        consumer = self._reader
        wanted = self._settings.topics or sorted(filter(self._matches, consumer.topics()))
        there = consumer.topics()
        places = {
            TopicPartition(topic, number)
            for topic in wanted
            if topic in there
            for number in consumer.partitions_for_topic(topic) or ()
        }
        fresh = sorted(places - set(self._at))
        if fresh:
            consumer.assign(sorted(places))
            firsts = consumer.beginning_offsets(fresh)
            at_end = is_first and self._settings.start == "end"
            begins = consumer.end_offsets(fresh) if at_end else firsts
            for place in fresh:
                start = saved.get(place, begins[place])
                if start < firsts[place]:
                    self._meter.add("kafka_gone", firsts[place] - start, source=self._name)
                    start = firsts[place]
                self._at[place] = start
            for place in sorted(places):
                consumer.seek(place, self._at[place])
        self._next_look = self._now_us() + self._settings.look.total_seconds() * 1e6

    def _read(self) -> list[Batch] | None:
        """Return what one poll found; None when there is no topic to read."""
        consumer, settings = self._reader, self._settings
        if settings.group:
            self._commit()
        else:
            if not self._at or self._now_us() >= self._next_look:
                self._assign({}, is_first=False)
            if not self._at:
                return None
        found = consumer.poll(_POLL_MS, max_records=settings.batch_records)
        batches: list[Batch] = []
        for place, records in found.items():
            batches += self._batches(place, records)
        return batches

    def _batches(self, place: TopicPartition, records: Iterable[Any]) -> Iterable[Batch]:
        """Yield records of one partition, cut where the header names another adapter."""
        settings, bound = self._settings, self._settings.max_record_bytes
        sender = f"{place.topic}/{place.partition}"
        batch: Batch | None = None
        for record in records:
            if not record.value:
                self._meter.add("kafka_empty", source=self._name)
                continue
            adapter = _header(record.headers, settings.adapter_header)
            if batch is not None and batch.adapter != adapter:
                yield self._whole(batch)
                batch = None
            if batch is None:
                batch = Batch(self._name, [], 0, sender=sender, adapter=adapter)
            self._at[place] = record.offset + 1
            batch.records.append(record.value[: bound + 1])
            # Years and late clocks are judged by when a record came to Kafka, which may be long ago.
            batch.received_us = record.timestamp * 1_000 if record.timestamp > 0 else self._now_us()
        if batch is not None:
            yield self._whole(batch)

    def _whole(self, batch: Batch) -> Batch:
        self._meter.add("records_read", len(batch.records), source=self._name)
        self._meter.add("bytes_read", sum(map(len, batch.records)), source=self._name)
        batch.position = self._position()
        if self._settings.unwrap:
            batch.records = unwrap(batch.records, self._settings.unwrap)
        return batch

    def _position(self) -> dict[str, dict[str, int]]:
        position: dict[str, dict[str, int]] = {}
        for place, offset in self._at.items():
            position.setdefault(place.topic, {})[str(place.partition)] = offset
        return position

    def _commit(self) -> None:
        confirmed, self._confirmed = self._confirmed, {}
        mine = self._reader.assignment()
        offsets = {
            place: OffsetAndMetadata(offset, "", -1)
            for place, offset in confirmed.items()
            if place in mine
        }
        if offsets:
            self._reader.commit(offsets)

    def _end(self) -> None:
        if self._consumer is not None:
            try:
                if self._settings.group:
                    self._commit()
            finally:
                self._consumer.close(autocommit=False)

    @property
    def _reader(self) -> KafkaConsumer:
        assert self._consumer is not None  # noqa: S101 - begun
        return self._consumer


class _Forget(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Forgets the positions of partitions that another process reads now."""

    def __init__(self, at: dict[TopicPartition, int]) -> None:
        self._at = at

    @override
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for place in revoked:
            self._at.pop(place, None)

    @override
    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing: the group's positions count."""


def _header(headers: Iterable[tuple[str, bytes]], name: str) -> str:
    if not name:
        return ""
    for key, value in headers:
        if key == name:
            return value.decode("utf-8", "replace")
    return ""


SOURCE = SourceType("kafka", KafkaSourceSettings, KafkaSource)
