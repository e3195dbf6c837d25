"""Batches built and read by compiled code are those that kafka-python builds and reads, record by record."""

from __future__ import annotations

import gzip
import inspect
import time
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.codec import has_zstd
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.coordinator.base import BaseCoordinator, MemberState
from kafka.coordinator.heartbeat import Heartbeat
from kafka.errors import CorruptRecordError, UnknownTopicOrPartitionError
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender
from kafka.producer.transaction_manager import TransactionManager
from kafka.record.default_records import DefaultRecordBatchBuilder as PlainBuilder
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from typing_extensions import override

from ingest.streams import kafka_batches
from ingest.streams.kafka_batches import Record, hand_over, is_mute, read_compiled

PLACE = TopicPartition("t", 3)
LZ4 = 3
ZSTD = 4
CODECS = [0, 1, LZ4, *([ZSTD] if has_zstd() else [])]
BATCH_BYTES = 2_000
COMMIT, ABORT = b"\x00\x00\x00\x01", b"\x00\x00\x00\x00"


class Sent(SimpleNamespace):
    """A record to send."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp_ms: int | None


def sent(number: int, value: bytes | None = b"{}", stamp: int | None = 1_000) -> Sent:
    headers = [("kind", b"event/1"), ("n", b"%d" % number)]
    return Sent(key=b"k%d" % number, value=value, headers=headers, timestamp_ms=stamp)


def producer(compression: int = LZ4, size: int = BATCH_BYTES) -> Any:
    """What of a producer is used, with a real accumulator and no broker behind it."""
    accumulator = RecordAccumulator(batch_size=size, compression_attrs=compression)
    return SimpleNamespace(
        _accumulator=accumulator, _transaction_manager=None, partitions_for=lambda _: {0, 3}
    )


def batches_of(client: Any) -> list[ProducerBatch]:
    return list(client._accumulator._batches[PLACE])


def wire(batches: list[ProducerBatch], *, producer_id: int = -1, start: int = 0) -> bytes:
    """Return batches as a broker gives them: numbered, one behind the other."""
    data = b""
    for batch in batches:
        if producer_id >= 0:
            batch.records.set_producer_state(producer_id, 0, 0, True)
        batch.records.close()
        part = bytearray(batch.records.buffer())
        part[:8] = start.to_bytes(8, "big")
        start += batch.record_count
        data += part
    return data


class Marker(PlainBuilder):  # type: ignore[misc]  # the client has no types
    """A control batch of a transaction."""

    @override
    def _get_attributes(self, include_compression_type: bool = True) -> int:
        return 0x30


def marker(producer_id: int, key: bytes, start: int) -> bytes:
    """Return what a broker writes at the end of a transaction."""
    builder = Marker(2, 0, True, producer_id, 0, 0, 1_000)
    builder.append(0, 1, key, b"\x00" * 6, [])
    data = bytearray(builder.build())
    data[:8] = start.to_bytes(8, "big")
    return bytes(data)


def read(kind: Any, data: bytes, offset: int = 0, **more: Any) -> tuple[list[Any], Any]:
    part = kind(offset, PLACE, MemoryRecords(data), **more)
    found = []
    while part:
        found += part.take(7)
    return found, part


def plainly(records: list[Any]) -> list[Record]:
    return [
        Record(
            one.topic, one.partition, one.offset, one.timestamp,
            None if one.key is None else bytes(one.key),
            None if one.value is None else bytes(one.value),
            [(name, bytes(data)) for name, data in one.headers],
        )
        for one in records
    ]  # fmt: skip


RECORDS = st.lists(
    st.builds(
        Sent,
        key=st.binary(max_size=40),
        value=st.none() | st.binary(max_size=3_000),
        headers=st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=20)), max_size=4),
        timestamp_ms=st.integers(0, 4_000_000_000_000),
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("compression", [1, 2, LZ4, ZSTD])
def test_every_codec_is_read_whatever_the_client_has_installed(compression: int) -> None:
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 4 << 20)
    value = b"a line of a log " * 100
    for number in range(1_000):  # more than a megabyte, at which kafka-python's own zstd ends
        builder.append(number, 1_000, b"k", value, [])
    ours, _ = read(kafka_batches._Fetched, bytes(builder.build()))
    assert [one.value for one in ours] == [value] * len(ours)
    assert len(ours) == 1_000


@given(RECORDS, st.sampled_from(CODECS))
@settings(deadline=None)
def test_both_clients_read_what_was_handed_over(records: list[Sent], compression: int) -> None:
    client = producer(compression)
    futures = hand_over(client, {PLACE: records})
    data = wire(batches_of(client))
    plain, its = read(Fetcher.PartitionRecords, data)
    ours, own = read(kafka_batches._Fetched, data)
    assert ours == plainly(plain)
    assert own.next_fetch_offset == its.next_fetch_offset == len(records)
    assert len(futures) == len(batches_of(client))
    assert [(one.key, one.value, one.headers, one.timestamp) for one in ours] == [
        (one.key, one.value, one.headers, one.timestamp_ms) for one in records
    ]


@given(RECORDS, st.sampled_from(CODECS))
@settings(deadline=None)
def test_a_batch_is_the_one_that_kafka_python_makes_byte_for_byte(
    records: list[Sent], compression: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # gzip writes down the second in which it compressed; the two may fall on either side of one.
        patch.setattr(gzip, "time", SimpleNamespace(time=lambda: 0))
        client = producer(compression, size=1 << 20)
        hand_over(client, {PLACE: records})
        plain = MemoryRecordsBuilder(2, compression, 1 << 20)
        for one in records:
            plain.append(one.timestamp_ms, one.key, one.value, one.headers)
        plain.set_producer_state(7, 1, 40, True)
        plain.close()
        (batch,) = batches_of(client)
        batch.records.set_producer_state(7, 1, 40, True)
        batch.records.close()
    assert bytes(batch.records.buffer()) == bytes(plain.buffer())


def test_batches_are_filled_up_to_their_size_and_a_larger_record_has_its_own() -> None:
    client = producer()
    hand_over(client, {PLACE: [sent(0), sent(1, b"x" * 5_000), *map(sent, range(2, 100))]})
    counts = [one.record_count for one in batches_of(client)]
    assert counts[:2] == [1, 1]
    assert sum(counts) == 100
    assert all(one.records.size_in_bytes() <= BATCH_BYTES for one in batches_of(client)[2:])


def test_a_batch_that_fails_fails_its_future() -> None:
    client = producer()
    (future,) = hand_over(client, {PLACE: [sent(1), sent(2)]})
    (batch,) = batches_of(client)
    error = CorruptRecordError("no")
    batch.complete_exceptionally(error, lambda _: error)
    assert future.failed()
    assert future.exception is error


def test_a_batch_that_was_written_fulfils_its_future() -> None:
    client = producer()
    (future,) = hand_over(client, {PLACE: [sent(1)]})
    batches_of(client)[0].complete(40, -1)
    assert future.succeeded()


def test_without_a_time_stamp_the_time_of_writing_is_taken() -> None:
    client = producer()
    hand_over(client, {PLACE: [sent(1, stamp=None), sent(2, stamp=None)]})
    found, _ = read(kafka_batches._Fetched, wire(batches_of(client)))
    assert all(one.timestamp > 1_700_000_000_000 for one in found)


def test_a_record_of_the_year_1970_moves_no_other_of_its_batch() -> None:
    client = producer()
    hand_over(client, {PLACE: [sent(0, stamp=0), sent(1, stamp=2_000_000)]})
    found, _ = read(kafka_batches._Fetched, wire(batches_of(client)))
    assert [one.timestamp for one in found] == [0, 2_000_000]


def test_an_unknown_partition_is_refused() -> None:
    client = producer()
    with pytest.raises(UnknownTopicOrPartitionError):
        hand_over(client, {TopicPartition("t", 9): [sent(1)]})
    assert client._accumulator._appends_in_progress.get() == 0


def test_a_closed_producer_takes_nothing() -> None:
    client = producer()
    client._accumulator.close()
    with pytest.raises(Exception, match="closed"):
        hand_over(client, {PLACE: [sent(1)]})


def transactions() -> bytes:
    """Records 0-2 committed by producer 1, 4-6 aborted by producer 2, 8-10 committed by it."""
    parts = []
    for producer_id, key, start in ((1, COMMIT, 0), (2, ABORT, 4), (2, COMMIT, 8)):
        client = producer()
        hand_over(client, {PLACE: [sent(start + one) for one in range(3)]})
        parts.append(wire(batches_of(client), producer_id=producer_id, start=start))
        parts.append(marker(producer_id, key, start + 3))
    return b"".join(parts)


@pytest.mark.parametrize("level", list(IsolationLevel))
def test_what_was_aborted_is_passed_over_as_the_client_does(level: IsolationLevel) -> None:
    aborted = [SimpleNamespace(producer_id=2, first_offset=4)]
    more = {"isolation_level": level, "aborted_transactions": aborted}
    ours, own = read(kafka_batches._Fetched, transactions(), **more)
    plain, its = read(Fetcher.PartitionRecords, transactions(), **more)
    assert ours == plainly(plain)
    assert own.next_fetch_offset == its.next_fetch_offset == 12
    is_committed = level == IsolationLevel.READ_COMMITTED
    assert [one.offset for one in ours] == [0, 1, 2, *([] if is_committed else [4, 5, 6]), 8, 9, 10]


def test_reading_begins_in_the_middle_of_a_batch() -> None:
    client = producer()
    hand_over(client, {PLACE: [sent(one) for one in range(5)]})
    found, _ = read(kafka_batches._Fetched, wire(batches_of(client)), offset=3)
    assert [one.offset for one in found] == [3, 4]


def test_the_next_offset_follows_what_was_taken() -> None:
    client = producer()
    hand_over(client, {PLACE: [sent(one) for one in range(5)]})
    part = kafka_batches._Fetched(0, PLACE, MemoryRecords(wire(batches_of(client))))
    assert len(part.take(2)) == 2
    assert part.next_fetch_offset == 2


@pytest.mark.parametrize("at", [20, 70, -3])
def test_a_damaged_batch_is_an_error_of_the_client(at: int) -> None:
    client = producer(0)
    hand_over(client, {PLACE: [sent(one) for one in range(5)]})
    data = bytearray(wire(batches_of(client)))
    data[at] ^= 0xFF
    with pytest.raises(CorruptRecordError):
        read(kafka_batches._Fetched, bytes(data))


def test_content_that_is_none_is_an_error_of_the_client() -> None:
    builder = PlainBuilder(2, 0, False, -1, -1, -1, 1_000)
    builder.append(0, 1, b"k", b"v", [])
    builder._buffer[61:] = b"\x40" * (len(builder._buffer) - 61)
    data = bytes(builder.build())  # with the right CRC
    with pytest.raises(CorruptRecordError):
        read(kafka_batches._Fetched, data)


def test_records_of_an_older_format_are_read() -> None:
    builder = MemoryRecordsBuilder(1, 0, 1_000)
    builder.append(5, b"k", b"v", [])
    builder.close()
    found, _ = read(kafka_batches._Fetched, bytes(builder.buffer()))
    assert [(one.key, one.value, one.timestamp) for one in found] == [(b"k", b"v", 5)]


def member(state: MemberState = MemberState.STABLE, heard_s: float = 0.0, **more: Any) -> Any:
    """A consumer whose group was last heard of so long ago."""
    beat = Heartbeat(group_id="g", session_timeout_ms=6_000, heartbeat_interval_ms=500)
    beat.last_receive = beat.last_reset = time.monotonic() - heard_s
    made = {"coordinator_id": 1, "heartbeat": beat, "state": state, "need_rejoin": lambda: False}
    return SimpleNamespace(_coordinator=SimpleNamespace(**made | more))


def test_a_member_that_nobody_answers_is_mute() -> None:
    assert is_mute(member(heard_s=13), 12)
    assert not is_mute(member(heard_s=11), 12)


@pytest.mark.parametrize(
    "more",
    [
        {"coordinator_id": None},  # the brokers are away, and the client knows
        {"need_rejoin": lambda: True},  # it is joining; the brokers may take minutes to answer
        {"state": MemberState.UNJOINED},
    ],
)
def test_a_member_that_knows_that_it_is_none_is_not_mute(more: dict[str, Any]) -> None:
    assert not is_mute(member(heard_s=100, **more), 12)


# What is relied upon, beside what the tests above run: if one of these fails after an update, read the client's new code.


def test_the_releases_are_those_that_were_read() -> None:
    assert version("kafka-python").startswith("3.0.")
    assert version("aiokafka").startswith("0.14.")


def test_aiokafka_is_compiled_here() -> None:
    assert DefaultRecordBatch.__module__ == "aiokafka.record._crecords.default_records"
    assert DefaultRecordBatchBuilder.__module__ == DefaultRecordBatch.__module__


@pytest.mark.parametrize(
    ("place", "text"),
    [
        # the seam for reading, and that nothing else makes records of a fetch
        (Fetcher._parse_fetched_data, "self.PartitionRecords(fetch_offset, tp, records,"),
        (Fetcher.PartitionRecords.__init__, "self._unpack_records(tp, records,"),
        (KafkaConsumer.__init__, "self._fetcher = Fetcher("),
        (Fetcher._append, "part.take(max_records)"),
        (Fetcher._append, "part.next_fetch_offset"),
        # the seam for writing: what `append` does with a batch, we do too
        (RecordAccumulator.append, "self._appends_in_progress.increment()"),
        (RecordAccumulator.append, "with self._tp_lock(tp):"),
        (RecordAccumulator.append, "dq = self._batches[tp]"),
        (RecordAccumulator.append, "self._incomplete.add(batch)"),
        (ProducerBatch.try_append, "self._record_futures.append(future)"),
        (KafkaProducer.send, "maybe_add_partition_to_transaction(tp)"),
        (KafkaProducer.send, "self._accumulator.append(tp, timestamp_ms, key_bytes"),
        # sequence numbers count a batch's records by this
        (RecordAccumulator.drain_batches_for_one_node, "batch.records.next_offset()"),
        # the group's memory of when it was heard of
        (BaseCoordinator._do_heartbeat, "self.heartbeat.received_heartbeat()"),
        (BaseCoordinator._enable_heartbeat, "self.heartbeat.reset_timeouts()"),
        (BaseCoordinator.coordinator_dead, "self.coordinator_id = None"),
        (KafkaConsumer.__init__, "self._coordinator = ConsumerCoordinator("),
        (RecordAccumulator.await_flush_completion, "self._incomplete.all()"),
    ],
)
def test_the_client_still_does(place: Any, text: str) -> None:
    assert text in inspect.getsource(place)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Fetcher.PartitionRecords, "_consume_aborted_transactions_up_to"),
        (Fetcher.PartitionRecords, "_contains_abort_marker"),
        (Fetcher.PartitionRecords, "_is_batch_aborted"),
        (Fetcher.PartitionRecords, "drain"),
        (TransactionManager, "maybe_add_partition_to_transaction"),
        (TransactionManager, "is_transactional"),
        (Sender, "force_close"),
        (BaseCoordinator, "need_rejoin"),
        (FutureRecordMetadata, "succeeded"),
    ],
)
def test_the_client_still_has(owner: Any, name: str) -> None:
    assert callable(getattr(owner, name))


def test_read_compiled_puts_its_reader_where_the_client_looks() -> None:
    consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace())
    assert read_compiled(consumer) is consumer
    assert consumer._fetcher.PartitionRecords is kafka_batches._Fetched
