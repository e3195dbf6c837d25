"""The role `index`: what is on the topics, to Elasticsearch; positions are committed only after the acknowledgement.

Nothing here is transactional, nor need it be: ids and revisions collapse what a kill or a rebalance sends again. While
Elasticsearch is away the partitions are paused and the same batch is tried again; the group keeps its member. What the
index refuses becomes a dead letter in the index itself, with the reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.structs import OffsetAndMetadata

from contract.errors import BrokerError, IndexingError, ParseError
from contract.event import Event
from contract.ports import Meter
from contract.records import Alert, Chain, DeadLetter, Decision, Outcome
from contract.timestamps import to_datetime
from contract.topics import ALERTS, CHAINS, DEAD_LETTERS, EVENTS, OUTCOMES, POLICY
from runtime.elastic import setup
from runtime.elastic.body import Document, document
from runtime.elastic.bulk import BulkWriter
from runtime.elastic.client import connect
from runtime.elastic.documents import Indexed
from runtime.elastic.pending import REQUESTS
from runtime.kafka import client
from runtime.kafka.topics import name_of
from runtime.kafka.wire import Canary, decode
from runtime.settings import Settings

log = structlog.get_logger()

ROLE: Final = "index"
TOPICS: Final = (EVENTS, ALERTS, CHAINS, POLICY, OUTCOMES, DEAD_LETTERS)
MOST_DECISIONS: Final = 100_000
"""Decisions remembered, so that an outcome's document says what was decided; the oldest are forgotten."""
_POLL_MS: Final = 250
_FIRST_PAUSE_S: Final = 0.5


class Index:
    """Copies topics to Elasticsearch until stopped.

    Args:
        settings: checked; `elastic.urls` is not empty.
        meter: `index_up`, and the bulk writer's counts.
        clock: wall clock, microseconds.

    Raises:
        SettingsError: no URL is set, or a file that the settings name cannot be read.
    """

    def __init__(self, settings: Settings, meter: Meter, clock: Callable[[], int]) -> None:
        self._kafka = settings.kafka
        self._elastic = settings.elastic
        self._dead_letter_bytes = settings.normalize.dead_letter_bytes
        self._meter = meter
        self._clock = clock
        self._client = connect(settings.elastic)
        # A short patience: between two tries the group must hear of us.
        self._writer = BulkWriter(self._client, settings.elastic, meter)
        self._decisions: dict[str, Decision] = {}
        self._canary: Canary | None = None
        self._is_prepared = False
        self._stopping = False
        self.ready = asyncio.Event()
        self.last_error = ""
        self._failing_since_us: int | None = None

    def stuck(self, now_us: int, limit_us: int) -> str:
        """Return why nothing is going on, when that has been so for longer than the limit; empty when all is well."""
        if not self.ready.is_set():
            return self.last_error or "not ready"
        since = self._failing_since_us
        return self.last_error if since is not None and now_us - since > limit_us else ""

    async def run(self) -> None:
        """Run until stopped; brokers and Elasticsearch away are waited for.

        Raises:
            BrokerError: a right is missing.
        """
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._work, loop)
        finally:
            self.ready.clear()
            self._writer.close()
            log.info("index.stopped")

    def stop(self) -> None:
        """Write what was read as far as it can be, and end; the rest is read again by who comes next."""
        self._stopping = True
        self._writer.stop()

    # -------------------------------------------------------------- in its thread

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping:
            try:
                consumer = self._consumer()
            except BrokerError as error:
                if not error.passes:
                    raise
                self.last_error = str(error)
                log.warning("index.retries", error=str(error))
                time.sleep(pause)
                pause = min(2 * pause, self._elastic.retry_most.total_seconds())
                continue
            try:
                loop.call_soon_threadsafe(self.ready.set)
                self._follow(consumer)
            except KafkaError as error:
                known = client.explain(error, "read the topics", "Read on the topics")
                if not known.passes:
                    raise known from error
                log.warning("index.retries", error=str(known))
            finally:
                with suppress(KafkaError):
                    consumer.close(autocommit=False, timeout_ms=2_000)

    def _consumer(self) -> KafkaConsumer:
        consumer = client.consumer(
            self._kafka,
            group_id=f"{self._kafka.prefix}{ROLE}",
            group_instance_id=f"{ROLE}.{self._kafka.member_name}",
            max_poll_records=self._elastic.batch_documents * self._elastic.in_flight * REQUESTS,
        )
        consumer.subscribe([name_of(self._kafka, one) for one in TOPICS])
        return consumer

    def _follow(self, consumer: KafkaConsumer) -> None:
        while not self._stopping:
            try:
                batch = consumer.poll(timeout_ms=_POLL_MS)
            except KafkaConnectionError as error:
                log.warning("index.waits", error=str(error))
                time.sleep(_FIRST_PAUSE_S)
                continue
            if batch and self._deliver(consumer, self._documents(batch)):
                self._tell_canary()
                ends = {
                    place: OffsetAndMetadata(reads[-1].offset + 1, "", -1)
                    for place, reads in batch.items()
                }
                self._commit(consumer, ends)

    def _tell_canary(self) -> None:
        """Tell the age of a canary once what came with it stands in the index."""
        canary, self._canary = self._canary, None
        if canary is not None:
            now_us = self._clock()
            self._meter.set("canary_age_seconds", (now_us - canary.sent_us) / 1e6, role=ROLE)
            self._meter.set("canary_seen_timestamp_seconds", now_us / 1e6, role=ROLE)

    def _deliver(self, consumer: KafkaConsumer, documents: Sequence[Document]) -> bool:
        """Write until all is acknowledged; false when stopped before."""
        pause = _FIRST_PAUSE_S
        is_paused = False
        try:
            while True:
                try:
                    self._write(documents)
                except IndexingError as error:
                    self._say(str(error))
                else:
                    self._say("")
                    return True
                if self._stopping:
                    return False
                is_paused = True
                consumer.pause(*consumer.assignment())  # also what a rebalance brought meanwhile
                self._stay(consumer, pause)
                pause = min(2 * pause, self._elastic.retry_most.total_seconds())
        finally:
            if is_paused:
                consumer.resume(*consumer.paused())

    def _stay(self, consumer: KafkaConsumer, seconds: float) -> None:
        """Wait as a member of the group; nothing is read, since all is paused."""
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            with suppress(KafkaConnectionError):
                for place, reads in consumer.poll(timeout_ms=_POLL_MS).items():
                    # A partition that came within the poll was not paused yet: it is read again.
                    consumer.seek(place, reads[0].offset)
                    consumer.pause(place)

    def _write(self, documents: Sequence[Document]) -> None:
        if not self._is_prepared:
            for done in setup.prepare(self._client, self._elastic):
                log.info("index.prepared", what=done)
            self._is_prepared = True
        written = self._writer.write(documents)
        letters = []
        for refusal in written.refused:
            one = refusal.document
            log.error("index.refused", id=one.id, index=one.index, reason=refusal.reason)
            letter = refusal.dead_letter(to_datetime(self._clock()), self._dead_letter_bytes)
            letters.append(document(letter, self._elastic.namespace))
        if letters:
            for refusal in self._writer.write(letters).refused:
                log.error("index.lost", id=refusal.document.id, reason=refusal.reason)

    def _commit(
        self, consumer: KafkaConsumer, ends: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        held = consumer.assignment()
        try:
            consumer.commit({place: end for place, end in ends.items() if place in held})
        except KafkaError as error:
            # Another member has them now and writes them again, which changes nothing.
            log.warning("index.not_committed", error=str(error))

    def _documents(self, batch: Mapping[TopicPartition, Sequence[Any]]) -> list[Document]:
        records: list[Indexed] = []
        for reads in batch.values():
            for read in reads:
                if read.value is None:
                    continue  # a decision that is forgotten stays in the index
                try:
                    item = decode(read.value, read.headers)
                except ParseError as error:
                    self._meter.add("records_refused_total", role=ROLE)
                    log.warning("index.unreadable", topic=read.topic, offset=read.offset, reason=str(error))  # fmt: skip
                    continue
                if isinstance(item, Decision):
                    self._remember(item)
                elif isinstance(item, Canary):
                    self._canary = item
                if isinstance(item, Event | Alert | Chain | Decision | Outcome | DeadLetter):
                    records.append(item)
        now_us = self._clock()
        return [self._document(one, now_us) for one in records]

    def _document(self, record: Indexed, now_us: int) -> Document:
        decision = self._decisions.get(record.decision) if isinstance(record, Outcome) else None
        return document(record, self._elastic.namespace, decision, arrives_us=now_us)

    def _remember(self, decision: Decision) -> None:
        self._decisions.pop(decision.id, None)
        self._decisions[decision.id] = decision
        if len(self._decisions) > MOST_DECISIONS:
            del self._decisions[next(iter(self._decisions))]

    def _say(self, error: str) -> None:
        self._meter.set("index_up", int(not error))
        if not error:
            self._failing_since_us = None
        elif self._failing_since_us is None:
            self._failing_since_us = self._clock()
        if error != self.last_error:
            log.warning("index.away", reason=error) if error else log.info("index.reached")
        self.last_error = error
