"""What ingest writes: events and the positions of their sources, in one transaction; over a kill, each exactly once.

A transaction that may or may not have come through is looked up by its number, which it writes beside the positions,
before it is tried again. The broker away is waited for; a missing right is not.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError

from contract.errors import BrokerError
from contract.ports import Meter
from contract.topics import INGEST_STATE, Topic
from ingest.streams.kafka_batches import abandon, hand_over
from runtime.kafka import state
from runtime.kafka.client import admin, consumer, explain, producer, translated
from runtime.kafka.outlet import Sent, by_place
from runtime.kafka.rights import require
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import name_of, partition_counts
from runtime.stage_runner import Changes

log = structlog.get_logger()

T = TypeVar("T")

STAGE: Final = "ingest"
_EPOCH: Final = "epoch"
_POSITION: Final = "position "
_DELIVERY_MS: Final = 60_000
"""After so long a transaction is given up and tried anew; what it held is kept until it is written."""
_BLOCK_MS: Final = 5_000
"""So long a call may wait for a broker before it is tried anew, which loses nothing; a process told to end waits no longer either."""
_RESTORE_LIMIT_S: Final = 90  # longer than other ingests' open transactions can last
_PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Sink:
    """The writing end of one ingest process; its calls block and belong to one thread.

    Args:
        settings: of Kafka.
        member: name of this process among all that ingest; positions are kept by it.
        meter: counts `kafka_transactions_total` and `kafka_repeats_total`.
        gives_up: asked while the broker is away; true ends the waiting.
    """

    def __init__(
        self, settings: KafkaSettings, member: str, meter: Meter, gives_up: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._member = member
        self._meter = meter
        self._gives_up = gives_up
        self._id = f"{settings.prefix}{STAGE}.{member}"
        self._names: set[str] = set()
        self._state_topic = name_of(settings, INGEST_STATE)
        self._producer: KafkaProducer | None = None
        self._owner = secrets.token_hex(8).encode()
        self._epoch = 0

    def open(self) -> dict[str, Any]:
        """Take over from an earlier process of this name; return the positions that it came to, by source.

        Raises:
            BrokerError: a right is missing, or the broker is away and `gives_up` says so.
            StoreError: what stands in the topic of positions is none.
        """
        found = self._renew()
        self.write((), {})  # whoever had this name learns that it is ours now
        return {
            part.removeprefix(_POSITION): _decode(data)
            for part, data in found.items()
            if part.startswith(_POSITION)
        }

    def partitions(self, topics: Sequence[Topic]) -> list[int]:
        """Return how many partitions each topic has; asked before `open`, which would wait for absent ones for ever.

        Raises:
            BrokerError: one is not there, or the right to see it; or the broker is away and `gives_up` says so.
        """
        names = [name_of(self._settings, topic) for topic in topics]

        def asked() -> list[int]:
            with contextlib.closing(admin(self._settings)) as client:
                require(client, self._settings.prefix, STAGE, self._member)
                return partition_counts(client, names)

        return self._waiting_for(asked)

    def write(self, records: Sequence[Sent], positions: Mapping[str, Any]) -> None:
        """Write records and positions, all or none; returns when they are durable.

        Raises:
            BrokerError: a right is missing, another process has this member's name, or `gives_up` says so.
        """
        self._epoch += 1
        parts = {f"{_POSITION}{name}": _encode(one) for name, one in positions.items()}
        parts[_EPOCH] = self._mark()
        changes: Changes = {(STAGE, self._member, part): data for part, data in parts.items()}
        half = self._settings.max_record_bytes // 2
        sent = [*records, *state.records_of(changes, INGEST_STATE, 0, half)]
        while True:
            try:
                self._transact(sent)
            except KafkaError as error:
                if self._came_through(error):
                    break
                self._meter.add("kafka_repeats_total", role=STAGE)
            else:
                break
        self._meter.add("kafka_transactions_total", role=STAGE)

    def close(self) -> None:
        """Let go, from any thread; what is being written is left to the next process."""
        client, self._producer = self._producer, None
        if client is not None:
            abandon(client)

    # -------------------------------------------------------------- its own

    def _transact(self, sent: Sequence[Sent]) -> None:
        client = self._producer
        if client is None:
            raise BrokerError("gave up waiting for Kafka", passes=True)
        places = by_place(self._settings, sent)
        self._names.update(one.topic for one in places)
        client.begin_transaction()
        futures = hand_over(client, places)
        client.flush(_DELIVERY_MS / 1_000)
        for future in futures:
            # The commit would not tell of a batch that expired before it was sent.
            if not future.succeeded():
                raise future.exception or KafkaTimeoutError("a batch was not acknowledged")
        client.commit_transaction()

    def _came_through(self, error: KafkaError) -> bool:
        """Start anew after a failed transaction; tell whether it was written after all.

        Raises:
            BrokerError: trying again does not help.
        """
        if isinstance(error, AuthorizationError):
            topics = ", ".join(sorted(self._names))
            raise explain(error, f"write to {topics}", f"Write on topics {topics}") from error
        log.warning("kafka.transaction_failed", member=self._member, error=str(error))
        found = self._renew().get(_EPOCH, b"")
        if self._epoch > 1 and not found.startswith(self._owner):
            raise BrokerError(
                f"another process ingests as {self._member!r}; give each its own kafka.member"
            ) from error
        return found == self._mark()

    def _mark(self) -> bytes:
        """Return what the current transaction is known by."""
        return b"%b %d" % (self._owner, self._epoch)

    def _renew(self) -> dict[str, bytes]:
        """Make a producer that fences off all earlier ones; return what stands of this member."""

        def renewed() -> dict[str, bytes]:
            self.close()
            self._producer = producer(
                self._settings,
                transactional_id=self._id,
                delivery_timeout_ms=_DELIVERY_MS,
                transaction_timeout_ms=_DELIVERY_MS,
                max_block_ms=_BLOCK_MS,
            )
            doing = f"begin as transactional id {self._id}"
            with translated(doing, f"Describe and Write on transactional id {self._id}"):
                self._producer.init_transactions()
            return self._restored()

        return self._waiting_for(renewed)

    def _waiting_for(self, call: Callable[[], T]) -> T:
        """Call until the brokers answer, one way or the other."""
        pauses = iter(_PAUSES_S)
        while True:
            if self._gives_up():
                raise BrokerError("gave up waiting for Kafka", passes=True)
            try:
                return call()
            except BrokerError as error:
                if not error.passes:
                    raise
                log.warning("kafka.away", member=self._member, error=str(error))
                time.sleep(next(pauses, _PAUSES_S[-1]))

    def _restored(self) -> dict[str, bytes]:
        end = time.monotonic() + _RESTORE_LIMIT_S
        topic = self._state_topic

        def limit() -> None:
            if time.monotonic() > end or self._gives_up():
                raise BrokerError(f"cannot read {topic}: its end was not reached", passes=True)

        with translated(f"read {topic}", f"Read on topic {topic}"), contextlib.ExitStack() as stack:
            reader = stack.enter_context(contextlib.closing(consumer(self._settings)))
            everything = consumer(self._settings, isolation_level="read_uncommitted")
            ends = stack.enter_context(contextlib.closing(everything))
            found = state.restore(reader, ends, topic, 0, limit)
        return found.get(STAGE, {}).get(self._member, {})
