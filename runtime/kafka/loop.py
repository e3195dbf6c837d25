"""The exact loop: what a role reads, what it sends, its state and its positions, in one Kafka transaction.

A batch is read (`read_committed`), goes through the partitions' tasks, and is committed: outputs, changelog and positions
stand together or not at all. Whatever goes wrong (a fence, a rebalance in the middle, a broker away) the transaction is
aborted, what is in memory is thrown away, and the loop begins anew from what is committed; nothing is mended in place.

Source: KIP-98 (transactions), KIP-447 (group metadata fences a worker whose partitions went elsewhere), KIP-345 (static
members), KIP-429 (cooperative rebalance), as kafka-python 3.0.12 has them, read 2026-11.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata
from typing_extensions import override

from contract.errors import BrokerError, StoreError
from contract.ports import Meter
from ingest.streams.kafka_batches import hand_over, is_mute
from runtime.kafka import client
from runtime.kafka.outlet import Sent, by_place
from runtime.kafka.roles import Role
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.state import records_of, restore
from runtime.kafka.task import Task
from runtime.kafka.topics import name_of, unlike

log = structlog.get_logger()

BATCH_RECORDS: Final = 5_000
POLL_MS: Final = 100
SESSION_MS: Final = 6_000
"""The least that brokers allow by default: after so long, the partitions of a killed worker go to others."""
HEARTBEAT_MS: Final = 500
MUTE_S: Final = 2 * SESSION_MS / 1_000
"""After so long without an answer to a heartbeat, by brokers that are there, the loop begins anew."""
TRANSACTION_MS: Final = 15_000
"""A transaction that a killed worker left open, and that it never comes back to abort, holds readers back so long."""
FETCH_BYTES: Final = 8 << 20
RETRY_FIRST_S: Final = 0.2
RETRY_LAST_S: Final = 5.0


@dataclass(slots=True)
class Health:
    """How a loop is, for the health check and the metrics.

    Attributes:
        partitions: that it has, with the wall-clock time (µs) at which each last had nothing more to read or went on.
        failing_since_us: of the first of a row of failures; None while it runs.
        failure: what ended it for good.
    """

    partitions: dict[int, int] = field(default_factory=dict)
    failing_since_us: int | None = None
    last_error: str = ""
    failure: BaseException | None = None

    def stuck(self, now_us: int, limit_us: int) -> str | None:
        """Return why this loop is not healthy, or None."""
        if self.failure is not None:
            return f"ended: {self.failure}"
        if self.failing_since_us is not None and now_us - self.failing_since_us > limit_us:
            return (
                f"failing for {(now_us - self.failing_since_us) // 1_000_000} s: {self.last_error}"
            )
        for partition, at_us in sorted(self.partitions.items()):
            if now_us - at_us > limit_us:
                return f"partition {partition} stands still for {(now_us - at_us) // 1_000_000} s"
        return None


class _Moves(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    """Notes what the group gave and took; called on the client's own thread, so it only notes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.assigned: set[TopicPartition] = set()
        self.revoked: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        with self.lock:
            self.assigned |= set(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        with self.lock:
            self.revoked |= set(revoked)
            self.assigned -= set(revoked)

    def take(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        with self.lock:
            moves = self.assigned, self.revoked
            self.assigned, self.revoked = set(), set()
        return moves


class Loop(threading.Thread):
    """Runs one role in a thread of its own.

    Args:
        role: what it does.
        settings: of Kafka.
        instance: name of this worker, the same after a restart and of no other one.
        meter: is told lag, delays and counts.
        clock: wall clock, microseconds.

    Attributes:
        has_ended: all input of its partitions has gone through, where `engine.stop_at_end` says that input ends.
    """

    def __init__(
        self,
        role: Role,
        settings: KafkaSettings,
        instance: str,
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(name=f"{role.name} loop", daemon=True)
        self.role = role
        self.health = Health()
        self._settings = settings
        self._instance = instance
        self._meter = meter
        self._clock = clock
        self._group = f"{settings.prefix}{role.name}"
        self._member = f"{role.name}.{instance}"
        self._topics = {name_of(settings, topic): topic for topic in role.inputs}
        self._stopping = threading.Event()
        self._renewing = threading.Event()
        self._tasks: dict[int, Task] = {}
        self._moves = _Moves()
        self.has_ended = False

    def stop(self) -> None:
        """End after the batch at hand; `join` waits for it."""
        self._stopping.set()

    def renew(self) -> None:
        """Make all tasks anew, from what is committed, before the next batch is taken: the rules are others now."""
        self._renewing.set()

    def leave(self) -> bool:
        """Leave the group, after the end: a static member's partitions would wait for its session to end.

        Returns whether the brokers were there to hear it.
        """
        if self.is_alive():
            return True
        member = MemberToRemove(group_instance_id=self._member)
        try:
            admin = client.admin(self._settings)
            try:
                admin.remove_group_members(self._group, [member])
            finally:
                _close(admin.close)
        except (BrokerError, KafkaError) as error:
            log.warning("loop.left_unheard", role=self.role.name, error=str(error))
            return False
        return True

    @override
    def run(self) -> None:
        """See `threading.Thread`."""
        retry_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except (KafkaError, BrokerError, OSError) as error:
                now = self._clock()
                self.health.failing_since_us = self.health.failing_since_us or now
                self.health.last_error = str(error) or type(error).__name__
                self._meter.add("loop_restarts_total", role=self.role.name)
                log.warning(
                    "loop.restarted", role=self.role.name, error=repr(error), retry_s=retry_s
                )
                if time.monotonic() - began > RETRY_LAST_S:
                    retry_s = RETRY_FIRST_S
                self._stopping.wait(retry_s)
                retry_s = min(RETRY_LAST_S, 2 * retry_s)
            except BaseException as error:  # a bug, or state that cannot be read: the worker ends
                self.health.failure = error
                log.exception("loop.failed", role=self.role.name)
                return
        log.info("loop.stopped", role=self.role.name)

    # -------------------------------------------------------------- one life of the clients

    def _serve(self) -> None:
        self._tasks.clear()
        self.health.partitions.clear()
        self._moves = _Moves()
        with ExitStack() as stack:
            producer = self._producer()
            stack.callback(_close, lambda: producer.close(timeout=2))
            producer.init_transactions()
            consumer = self._consumer()
            stack.callback(_close, lambda: consumer.close(autocommit=False, timeout_ms=2_000))
            consumer.subscribe(list(self._topics), listener=self._moves)
            log.info("loop.started", role=self.role.name, instance=self._instance)
            while not self._stopping.is_set():
                self._turn(consumer, producer)

    def _turn(self, consumer: KafkaConsumer, producer: KafkaProducer) -> None:
        """Read, process, commit; once."""
        try:
            batch = consumer.poll(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
        except KafkaConnectionError as error:  # it goes on by itself when the broker is back
            log.warning("loop.waits", role=self.role.name, error=str(error))
            self._stopping.wait(RETRY_FIRST_S)
            return
        if is_mute(consumer, MUTE_S):
            raise KafkaConnectionError("the group was not heard of; its brokers have let go of us")
        self._move()
        positions: dict[TopicPartition, OffsetAndMetadata] = {}
        for place, reads in batch.items():
            task = self._tasks.get(place.partition)
            if task is None or not reads:
                continue  # it went to another worker, who reads it again
            now = self._clock()
            for read in reads:
                task.take(read, now)
            positions[place] = OffsetAndMetadata(reads[-1].offset + 1, "", -1)
        sends: list[Sent] = []
        now = self._clock()
        for partition, task in self._tasks.items():
            is_drained = self._is_drained(consumer, partition)
            sends += task.step(now, is_drained=is_drained)
            changes = task.changes()
            sends += self.role.buried(changes)
            sends += records_of(
                changes, self.role.state, partition, self._settings.max_record_bytes // 2
            )
            if is_drained or any(one.partition == partition for one in positions):
                self.health.partitions[partition] = now
        if sends or positions:
            self._commit(consumer, producer, sends, positions)
        self.has_ended = bool(self._tasks) and all(one.has_ended for one in self._tasks.values())
        self._tell(consumer, now)
        self.health.failing_since_us = None

    def _commit(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        sends: list[Sent],
        positions: dict[TopicPartition, OffsetAndMetadata],
    ) -> None:
        """Write all in one transaction, or nothing.

        Raises:
            KafkaError: nothing was written; what is in memory is ahead of what is committed and must go.
        """
        producer.begin_transaction()
        try:
            futures = hand_over(producer, by_place(self._settings, sends))
            producer.flush()
            for future in futures:
                if not future.succeeded():
                    raise future.exception or KafkaTimeoutError("a batch was not acknowledged")
            if positions:
                # Taken last: of the generation in which the partitions are still ours.
                group = consumer.group_metadata()
                with self._moves.lock:
                    lost = self._moves.revoked & positions.keys()
                if lost:
                    raise KafkaConnectionError(f"{len(lost)} partitions went to another worker")
                producer.send_offsets_to_transaction(positions, group)
            producer.commit_transaction()
        except KafkaError:
            with suppress(KafkaError):
                producer.abort_transaction()
            raise
        self._meter.add("transactions_total", role=self.role.name)
        self._meter.add("records_sent_total", len(sends), role=self.role.name)

    # -------------------------------------------------------------- partitions come and go

    def _move(self) -> None:
        assigned, revoked = self._moves.take()
        for partition in {one.partition for one in revoked}:
            self._tasks.pop(partition, None)
            self.health.partitions.pop(partition, None)
            log.info("partition.revoked", role=self.role.name, partition=partition)
        new = {one.partition for one in assigned} - self._tasks.keys()
        if self._renewing.is_set():
            self._renewing.clear()
            new |= self._tasks.keys()
        if not new:
            return
        if self.role.state.scales and max(new) >= self._settings.partitions:
            name = name_of(self._settings, self.role.inputs[0])
            raise StoreError(unlike(name, max(new) + 1, self._settings.partitions))
        reader = client.consumer(self._settings, max_poll_records=BATCH_RECORDS)
        ends = client.consumer(self._settings, isolation_level="read_uncommitted")
        try:
            for partition in sorted(new):
                began = time.monotonic()
                task = self.role.make(partition)
                state = restore(
                    reader,
                    ends,
                    name_of(self._settings, self.role.state),
                    partition,
                    self._raise_when_stopping,
                )
                task.restore(state, self._clock())
                self._tasks[partition] = task
                self.health.partitions[partition] = self._clock()
                seconds = time.monotonic() - began
                self._meter.set("restore_seconds", seconds, role=self.role.name)
                log.info(
                    "partition.assigned",
                    role=self.role.name,
                    partition=partition,
                    seconds=round(seconds, 2),
                )
        finally:
            _close(reader.close)
            _close(ends.close)

    def _raise_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise BrokerError("stopped while state was read", passes=True)

    # -------------------------------------------------------------- clients

    def _producer(self) -> KafkaProducer:
        return client.producer(
            self._settings,
            transactional_id=f"{self._settings.prefix}{self.role.name}.{self._instance}",
            transaction_timeout_ms=TRANSACTION_MS,
            linger_ms=5,
            max_block_ms=TRANSACTION_MS,
        )

    def _consumer(self) -> KafkaConsumer:
        # Tasks of several topics read the same partition of each, which only ranges promise.
        assignor: Any = (
            CooperativeStickyAssignor if len(self._topics) == 1 else RangePartitionAssignor
        )
        return client.consumer(
            self._settings,
            group_id=self._group,
            group_instance_id=self._member,
            partition_assignment_strategy=(assignor,),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_records=BATCH_RECORDS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=max(1 << 20, client.topic_bytes(self._settings)),
            fetch_max_wait_ms=POLL_MS,
        )

    # -------------------------------------------------------------- what is told

    def _is_drained(self, consumer: KafkaConsumer, partition: int) -> bool:
        return all(
            self._lag(consumer, TopicPartition(name, partition)) == 0 for name in self._topics
        )

    def _lag(self, consumer: KafkaConsumer, place: TopicPartition) -> int:
        """Return how many records are left; unknown counts as one."""
        try:
            end, at = consumer.highwater(place), consumer.position(place, timeout_ms=0)
        except (KafkaError, AssertionError):
            return 1
        return max(0, end - at) if end is not None and at is not None else 1

    def _tell(self, consumer: KafkaConsumer, now_us: int) -> None:
        for partition, task in self._tasks.items():
            labels = {"role": self.role.name, "partition": str(partition)}
            lag = sum(self._lag(consumer, TopicPartition(one, partition)) for one in self._topics)
            self._meter.set("lag_records", lag, **labels)
            if task.low_us:
                self._meter.set("watermark_delay_seconds", (now_us - task.low_us) / 1e6, **labels)
            if task.origin_ms:
                self._meter.set("path_seconds", now_us / 1e6 - task.origin_ms / 1e3, **labels)


def _close(close: Callable[[], object]) -> None:
    """Let go of a client; what it says at the end changes nothing."""
    with suppress(KafkaError, OSError):
        close()
