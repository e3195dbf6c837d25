"""A role's place in its group: the clients that it reads and writes by, what the group gives and takes, and leaving it.

Source: KIP-345 (static members), KIP-429 (cooperative rebalance), as kafka-python 3.0.12 has them, read 2026-11.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaConnectionError, KafkaError

from contract.errors import BrokerError
from ingest.streams.kafka_batches import is_mute
from runtime.kafka import client
from runtime.kafka.settings import KafkaSettings

log = structlog.get_logger()

BATCH_RECORDS: Final = 5_000
POLL_MS: Final = 100
SESSION_MS: Final = 6_000
"""The least that brokers allow by default: after so long, the partitions of a killed worker go to others."""
HEARTBEAT_MS: Final = 500
MUTE_S: Final = 2 * SESSION_MS / 1_000
"""After so long without an answer to a heartbeat, by brokers that are there, the member begins anew."""
TRANSACTION_MS: Final = 15_000
"""A transaction that a killed worker left open, and that it never comes back to abort, holds readers back so long."""
FETCH_BYTES: Final = 8 << 20


class Moves(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
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


class Membership:
    """What one worker is in the group of one role.

    Args:
        role: its name.
        topics: names of those that it reads.
        settings: of Kafka.
        instance: name of this worker, the same after a restart and of no other one.

    Attributes:
        instance: as given.
    """

    def __init__(
        self, role: str, topics: Iterable[str], settings: KafkaSettings, instance: str
    ) -> None:
        self._role = role
        self._topics = list(topics)
        self._settings = settings
        self.instance = instance
        self._group = f"{settings.prefix}{role}"
        self._member = f"{role}.{instance}"

    def producer(self) -> KafkaProducer:
        """Make the producer that fences off all earlier ones of this worker."""
        return client.producer(
            self._settings,
            transactional_id=f"{self._group}.{self.instance}",
            transaction_timeout_ms=TRANSACTION_MS,
            linger_ms=5,
            max_block_ms=TRANSACTION_MS,
        )

    def consumer(self, moves: Moves) -> KafkaConsumer:
        """Make a consumer that is on its way into the group; partitions are noted in `moves`."""
        # Tasks of several topics read the same partition of each, which only ranges promise.
        assignor: Any = (
            CooperativeStickyAssignor if len(self._topics) == 1 else RangePartitionAssignor
        )
        consumer = client.consumer(
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
        consumer.subscribe(self._topics, listener=moves)
        return consumer

    def leave(self) -> bool:
        """Leave the group, after the end: a static member's partitions would wait for its session to end.

        Returns whether the brokers were there to hear it.
        """
        member = MemberToRemove(group_instance_id=self._member)
        try:
            admin = client.admin(self._settings)
            try:
                admin.remove_group_members(self._group, [member])
            finally:
                let_go(admin.close)
        except (BrokerError, KafkaError) as error:
            log.warning("loop.left_unheard", role=self._role, error=str(error))
            return False
        return True


def let_go(close: Callable[[], object]) -> None:
    """Let go of a client; what it says at the end changes nothing."""
    with suppress(KafkaError, OSError):
        close()


def raise_when_mute(consumer: KafkaConsumer) -> None:
    """Look whether the group has let go of us unheard.

    Raises:
        KafkaConnectionError: it has, most likely; begin anew.
    """
    if is_mute(consumer, MUTE_S):
        raise KafkaConnectionError("the group was not heard of; its brokers have let go of us")
