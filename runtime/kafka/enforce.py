"""The role `enforce`: the compacted policy topic to enforcement points, their answers to outcomes and, as events, back in.

At start the whole policy is read, and what each point has already answered; points converge, and what a killed worker
did not get to say is said then. Answers have derived ids, so saying one twice changes nothing; known ones are not said again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError

from contract.errors import BrokerError, ParseError
from contract.ports import Meter
from contract.records import Decision, Outcome
from contract.topics import EVENTS, OUTCOMES, POLICY
from runtime.enforcement import SOURCE, Enforcement
from runtime.kafka import client
from runtime.kafka.loop import RETRY_FIRST_S, RETRY_LAST_S
from runtime.kafka.membership import BATCH_RECORDS, TRANSACTION_MS
from runtime.kafka.outlet import Outlet, Sent, partition_of
from runtime.kafka.topics import name_of
from runtime.kafka.wire import decode
from runtime.settings import Settings

log = structlog.get_logger()

ROLE: Final = "enforce"
_POLL_MS: Final = 250
_READ_LIMIT_S: Final = 120

T = TypeVar("T")


class Enforce:
    """Drives the points of the settings; one process for a set of points.

    Args:
        settings: checked, guard rails included.
        meter: for counts.
        clock: wall clock, microseconds.
    """

    def __init__(self, settings: Settings, meter: Meter, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._meter = meter
        self._clock = clock
        self._points = {one.name for one in settings.points}
        self._enforcement = Enforcement(settings, meter, clock, self._answered)
        self._outlet = Outlet(
            ROLE, self._kafka.max_record_bytes, settings.normalize.dead_letter_bytes
        )
        self._decisions: dict[str, Decision] = {}
        self._said: set[str] = set()
        self._ended: set[tuple[str, int]] = set()
        self._answers: asyncio.Queue[Outcome] = asyncio.Queue()
        self._stopping = False
        self._producer: KafkaProducer | None = None
        self.ready = asyncio.Event()
        self.failing_since_us: int | None = None
        self.last_error = ""

    async def run(self) -> None:
        """Run until stopped; brokers away are waited for.

        Raises:
            BrokerError: a right is missing.
        """
        writer: asyncio.Task[None] | None = None
        try:
            consumer = await self._until_there(self._read_all)
            if consumer is None:
                return
            await self._begin()
            writer = asyncio.create_task(self._write_answers(), name="write outcomes")
            self.ready.set()
            log.info("enforce.started", points=len(self._points), decisions=len(self._decisions))
            await self._follow(consumer, writer)
        finally:
            self.ready.clear()
            await self._enforcement.close()
            if writer is not None:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
            if self._producer is not None:
                with suppress(KafkaError):
                    await asyncio.to_thread(self._producer.close, 2)
            log.info("enforce.stopped")

    def stop(self) -> None:
        """Say what was answered, and end; the points keep their state."""
        self._stopping = True

    # -------------------------------------------------------------- policy

    async def _begin(self) -> None:
        """Let all points converge, then ask again for what was ended and never answered."""
        live = [one for one in self._decisions.values() if one.state == "approved"]
        await self._enforcement.start(live)
        await asyncio.sleep(0)  # the points' workers take what is desired before more comes
        ended = ("reverted", "expired")
        self._enforcement.submit(
            [
                one
                for one in self._decisions.values()
                if one.state in ended and (one.id, one.revision) not in self._ended
            ]
        )

    async def _follow(self, consumer: KafkaConsumer, writer: asyncio.Task[None]) -> None:
        try:
            while not self._stopping:
                if writer.done():
                    writer.result()
                batch = await asyncio.to_thread(self._poll, consumer)
                fresh = [one for one in batch if isinstance(one, Decision) and self._is_news(one)]
                self._enforcement.submit(fresh)
            said = asyncio.create_task(self._answers.join(), name="last outcomes")
            await asyncio.wait({said, writer}, return_when=asyncio.FIRST_COMPLETED)
            said.cancel()
        finally:
            with suppress(KafkaError):
                consumer.close(autocommit=False, timeout_ms=2_000)

    def _is_news(self, decision: Decision) -> bool:
        known = self._decisions.get(decision.id)
        if known is not None and known.revision >= decision.revision:
            return False
        self._decisions[decision.id] = decision
        return True

    def _read_all(self) -> KafkaConsumer:
        """Read policy and outcomes to their ends; return the consumer, for policy alone from there on."""
        topics = [name_of(self._kafka, one) for one in (POLICY, OUTCOMES)]
        right = f"Read on topics {', '.join(topics)}"
        with client.translated(f"read {', '.join(topics)}", right):
            consumer = client.consumer(self._kafka, max_poll_records=BATCH_RECORDS)
            places = [
                TopicPartition(topic, one)
                for topic in topics
                for one in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            missing = sorted(set(topics) - {one.topic for one in places})
            if missing:
                raise BrokerError(
                    f"no topic {', '.join(missing)}; `opsonin topics apply` makes it", passes=True
                )
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            limit = time.monotonic() + _READ_LIMIT_S
            while any(consumer.position(one) < ends[one] for one in places):
                if time.monotonic() > limit:
                    raise BrokerError(
                        f"the ends of {', '.join(topics)} were not reached", passes=True
                    )
                for item in self._poll(consumer):
                    if isinstance(item, Decision):
                        self._is_news(item)
                    elif isinstance(item, Outcome) and item.point in self._points:
                        self._said.add(item.id)
                        if item.result in ("removed", "expired"):
                            self._ended.add((item.decision, item.revision))
            policy = [one for one in places if one.topic == topics[0]]
            at = {one: consumer.position(one) for one in policy}
            consumer.assign(policy)
            for place, offset in at.items():
                consumer.seek(place, offset)
            return consumer

    def _poll(self, consumer: KafkaConsumer) -> list[Any]:
        try:
            batch = consumer.poll(timeout_ms=_POLL_MS)
        except KafkaConnectionError as error:
            log.warning("enforce.waits", error=str(error))
            time.sleep(RETRY_FIRST_S)
            return []
        found: list[Any] = []
        for reads in batch.values():
            for read in reads:
                if read.value is None:
                    continue  # decide has forgotten a decision; it ended long before
                try:
                    item = decode(read.value, read.headers)
                except ParseError as error:
                    self._meter.add("records_refused_total", role=ROLE)
                    log.warning("enforce.refused", offset=read.offset, reason=str(error))
                    continue
                found.append(item)
        return found

    # -------------------------------------------------------------- answers

    def _answered(self, outcome: Outcome) -> None:
        if outcome.id in self._said:
            return
        self._said.add(outcome.id)
        self._answers.put_nowait(outcome)

    async def _write_answers(self) -> None:
        while True:
            outcomes = [await self._answers.get()]
            while not self._answers.empty():
                outcomes.append(self._answers.get_nowait())
            sends = [one for outcome in outcomes for one in self._sends(outcome)]
            await self._until_there(lambda sends=sends: self._write(sends))  # type: ignore[misc]
            for _ in outcomes:
                self._answers.task_done()

    def _sends(self, outcome: Outcome) -> list[Sent]:
        sends = self._outlet.send(outcome, ((OUTCOMES, 0),), outcome.decision, None)
        event = self._enforcement.event_of(outcome)
        if event is not None:
            to = ((EVENTS, partition_of(SOURCE, self._kafka.partitions)),)
            sends += self._outlet.send(event, to, SOURCE, None)
        return sends

    def _write(self, sends: list[Sent]) -> None:
        """Write answers and their events in one transaction."""
        if self._producer is None:
            self._producer = client.producer(
                self._kafka,
                transactional_id=f"{self._kafka.prefix}{ROLE}.{self._kafka.member_name}",
                transaction_timeout_ms=TRANSACTION_MS,
                linger_ms=0,
                max_block_ms=TRANSACTION_MS,
            )
            self._producer.init_transactions()
        producer = self._producer
        try:
            producer.begin_transaction()
            futures = [
                producer.send(
                    name_of(self._kafka, one.topic), one.value, one.key, one.headers, one.partition
                )
                for one in sends
            ]
            producer.flush()
            for future in futures:
                if not future.succeeded():
                    raise future.exception or KafkaError("a record was not acknowledged")
            producer.commit_transaction()
        except KafkaError:
            self._producer = None  # the next one fences it off; answers said twice change nothing
            with suppress(KafkaError):
                producer.close(timeout=0)
            raise

    async def _until_there(self, call: Callable[[], T]) -> T | None:
        """Call in a thread, again and again while brokers are away; None when stopped meanwhile."""
        retry_s = RETRY_FIRST_S
        while True:
            try:
                done = await asyncio.to_thread(call)
            except (KafkaError, BrokerError) as error:
                known = (
                    error if isinstance(error, BrokerError) else client.explain(error, "enforce")
                )
                if not known.passes and isinstance(error, BrokerError):
                    raise
                self.failing_since_us = self.failing_since_us or self._clock()
                self.last_error = str(known)
                log.warning("enforce.retries", error=str(known), retry_s=retry_s)
                if self._stopping:
                    return None
                await asyncio.sleep(retry_s)
                retry_s = min(RETRY_LAST_S, 2 * retry_s)
            else:
                self.failing_since_us = None
                return done
