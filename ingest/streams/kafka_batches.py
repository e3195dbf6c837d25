"""Record batches written and read by aiokafka's compiled code, between kafka-python's machinery and the wire.

kafka-python (3.0.12) speaks the protocol, keeps groups, transactions and sequence numbers; what it spends on a record in Python
(about 40 µs to send, 9 to read) goes to the code that encodes and decodes batches and to the bookkeeping of each record. aiokafka
(0.14.0) has compiled the former, and a batch of thousands needs the latter once. On the wire nothing differs: one event is one record.

Everything of the two clients that is not public and that we lean on stands here; `tests/ingest/streams/test_kafka_batches.py`
names it one by one. Source: both clients' code, read 2026-11; the format: KIP-98, message format 2.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from aiokafka.errors import KafkaError as CompiledError
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.coordinator.base import MemberState
from kafka.errors import (
    CorruptRecordError,
    IllegalStateError,
    KafkaError,
    UnknownTopicOrPartitionError,
)
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecordsBuilder
from typing_extensions import override

Headers: TypeAlias = list[tuple[str, bytes]]

_FORMAT: Final = 2


class Sendable(Protocol):
    """What can be sent; without a time stamp it gets the time of writing."""

    key: bytes
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None


class Record(NamedTuple):
    """One record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


# -------------------------------------------------------------- writing


def hand_over(
    client: KafkaProducer, places: Mapping[TopicPartition, Sequence[Sendable]]
) -> list[FutureRecordMetadata]:
    """Give a producer whole batches, to be sent with the next flush; in order within a place.

    Returns a future for each batch: its records are written or fail together. Like `KafkaProducer.send`, but that a record's size is
    not looked at: the broker refuses what is too large.

    Raises:
        KafkaError: a topic or partition is not there or may not be seen, or no transaction is open; what was handed over
            before is part of the transaction, which is to be aborted.
    """
    accumulator, transactions = client._accumulator, client._transaction_manager  # noqa: SLF001 - no public way
    futures: list[FutureRecordMetadata] = []
    accumulator._appends_in_progress.increment()  # noqa: SLF001 - who abandons the producer waits for us
    try:
        for place, records in places.items():
            if place.partition not in client.partitions_for(place.topic):
                text = f"{place.topic} has no partition {place.partition}"
                raise UnknownTopicOrPartitionError(text)
            if transactions is not None and transactions.is_transactional():
                transactions.maybe_add_partition_to_transaction(place)
            futures.extend(
                _enqueue(accumulator, ProducerBatch(place, built))
                for built in _built(records, accumulator.config)
            )
    finally:
        accumulator._appends_in_progress.decrement()  # noqa: SLF001
    return futures


def _enqueue(accumulator: RecordAccumulator, batch: ProducerBatch) -> FutureRecordMetadata:
    """Let a batch wait for the client's thread."""
    future = FutureRecordMetadata(batch.produce_future, 0, None, None, -1, -1, -1)
    batch._record_futures.append(future)  # noqa: SLF001
    place = batch.topic_partition
    with accumulator._tp_lock(place):  # noqa: SLF001
        if accumulator._closed:  # noqa: SLF001
            raise IllegalStateError("the producer is closed")
        accumulator._batches[place].append(batch)  # noqa: SLF001
        accumulator._incomplete.add(batch)  # noqa: SLF001
    return future


def _built(
    records: Sequence[Sendable], config: Mapping[str, Any]
) -> Iterator[MemoryRecordsBuilder]:
    """Yield batches as kafka-python holds them before it compresses, numbers and sends them."""
    size: int = config["batch_size"]
    done = 0
    while done < len(records):
        compiled = DefaultRecordBatchBuilder(_FORMAT, 0, 0, -1, -1, -1, size)
        append, count = compiled.append, 0
        first = latest = 0
        for one in records[done:] if done else records:
            written = append(count, one.timestamp_ms, one.key, one.value, one.headers)
            if written is None:  # it is full; the first record always finds room
                break
            latest = max(latest, written.timestamp)
            if not count:
                first = written.timestamp
            count += 1
        done += count
        built = MemoryRecordsBuilder(_FORMAT, config["compression_attrs"], size)
        inner = built._builder  # noqa: SLF001
        inner._buffer = compiled.build()  # noqa: SLF001
        inner._first_timestamp, inner._max_timestamp = first, latest  # noqa: SLF001
        inner._last_offset, inner._num_records = count - 1, count  # noqa: SLF001
        built._next_offset = count  # noqa: SLF001
        yield built


def abandon(client: KafkaProducer) -> None:
    """Close a producer at once, whatever it has not sent; who waits for it gets an error. From any thread."""
    with suppress(KafkaError):
        # With something unsent this raises before it has ended the client's thread.
        client.close(timeout=0)
    client._sender.force_close()  # noqa: SLF001
    client._closed = True  # noqa: SLF001 - or its destructor would wait for it again


# -------------------------------------------------------------- reading


def read_compiled(consumer: KafkaConsumer) -> KafkaConsumer:
    """Let a consumer that has no deserializers of its own give `Record`s, decoded by compiled code; return it."""
    consumer._fetcher.PartitionRecords = _Fetched  # noqa: SLF001 - no public way
    return consumer


def is_mute(consumer: KafkaConsumer, limit_s: float) -> bool:
    """Tell whether a member of a group believes that it is one, and has not heard from the group for so long.

    Seen with 3.0.12: after a join that a short `poll` did not see the end of, no heartbeat goes out, ever; the brokers let the
    member go, and nobody tells it. While the brokers are away, or a join is under way, this is not so.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - no public way
    if coordinator.coordinator_id is None or coordinator.need_rejoin():
        return False
    beat = coordinator.heartbeat
    heard = max(beat.last_receive, beat.last_reset)
    return coordinator.state is not MemberState.UNJOINED and time.monotonic() - heard > limit_s


class _Fetched(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client has no types
    """What one answer holds of a partition. Which batches count is the client's to say, here as there."""

    @override
    def _unpack_records(self, tp: TopicPartition, records: Any, *_: Any) -> Iterator[Record]:
        last: Any = None
        topic, partition = tp
        for batch in records:
            last = batch
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"{topic}/{partition}@{batch.base_offset}: wrong CRC")
            data = bytes(batch._buffer)  # noqa: SLF001 - before the client unpacks it
            if batch.magic == _FORMAT:
                self.leader_epoch = batch.leader_epoch
                if self._is_void(batch):
                    self.next_fetch_offset = batch.next_offset
                    continue
            self.bytes_read += len(data)
            try:
                for one in DefaultRecordBatch(data) if batch.magic == _FORMAT else batch:
                    offset = one.offset
                    self.next_fetch_offset = offset + 1
                    yield Record(
                        topic, partition, offset, one.timestamp, one.key, one.value, one.headers
                    )
            except CompiledError as error:
                place = f"{topic}/{partition}@{batch.base_offset}"
                raise CorruptRecordError(f"{place}: {error}") from error
        if last is not None and last.magic == _FORMAT:
            self.next_fetch_offset = last.next_offset  # behind what compaction took from its end
        self.drain()

    def _is_void(self, batch: Any) -> bool:
        """Tell whether a batch holds no record for us: it says how a transaction ended, or is of one that was aborted."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)
