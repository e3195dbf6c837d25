"""The exact loop: what a role reads, what it sends, its state and its positions, in one Kafka transaction.

A batch is read (`read_committed`), goes through the partitions' tasks, and is committed: outputs, changelog and positions
stand together or not at all. Whatever goes wrong (a fence, a rebalance in the middle, a broker away) the transaction is
aborted, what is in memory is thrown away, and the loop begins anew from what is committed; nothing is mended in place.

Source: KIP-98 (transactions), KIP-447 (group metadata fences a worker whose partitions went elsewhere), as kafka-python 3.0.12
has them, read 2026-11.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata
from typing_extensions import override

from contract.errors import BrokerError, StoreError
from contract.ports import Meter
from ingest.streams.kafka_batches import hand_over
from runtime.kafka import client
from runtime.kafka.health import Health, lag_of, tell
from runtime.kafka.membership import (
    BATCH_RECORDS,
    POLL_MS,
    Membership,
    Moves,
    let_go,
    raise_when_mute,
)
from runtime.kafka.outlet import Sent, by_place
from runtime.kafka.roles import Role
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.state import records_of, restore
from runtime.kafka.task import Task
from runtime.kafka.topics import name_of, unlike

log = structlog.get_logger()

RETRY_FIRST_S: Final = 0.2
RETRY_LAST_S: Final = 5.0


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
        self._meter = meter
        self._clock = clock
        self._topics = [name_of(settings, topic) for topic in role.inputs]
        self._membership = Membership(role.name, self._topics, settings, instance)
        self._stopping = threading.Event()
        self._renewing = threading.Event()
        self._tasks: dict[int, Task] = {}
        self._moves = Moves()
        self.has_ended = False

    def stop(self) -> None:
        """End after the batch at hand; `join` waits for it."""
        self._stopping.set()

    def leave(self) -> bool:
        """Leave the group, after the end; see `Membership.leave`."""
        return self.is_alive() or self._membership.leave()

    def renew(self) -> None:
        """Make all tasks anew, from what is committed, before the next batch is taken: the rules are others now."""
        self._renewing.set()

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
        self._moves = Moves()
        with ExitStack() as stack:
            producer = self._membership.producer()
            stack.callback(let_go, lambda: producer.close(timeout=2))
            producer.init_transactions()
            consumer = self._membership.consumer(self._moves)
            stack.callback(let_go, lambda: consumer.close(autocommit=False, timeout_ms=2_000))
            log.info("loop.started", role=self.role.name, instance=self._membership.instance)
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
        raise_when_mute(consumer)
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
            is_drained = not self._lag(consumer, partition)
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
        for partition, task in self._tasks.items():
            lag = self._lag(consumer, partition)
            tell(self._meter, self.role.name, partition, task, lag, now)
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
            let_go(reader.close)
            let_go(ends.close)

    def _raise_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise BrokerError("stopped while state was read", passes=True)

    def _lag(self, consumer: KafkaConsumer, partition: int) -> int:
        return sum(lag_of(consumer, TopicPartition(one, partition)) for one in self._topics)
