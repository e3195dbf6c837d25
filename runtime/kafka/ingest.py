"""The role `ingest`: sources in, events and dead letters out to Kafka, exactly once over a kill where a source can go back.

An epoch (what came within `engine.epoch`, at most `engine.epoch_records`) is one transaction that also holds the positions
of its sources. One epoch is written while the next fills; further ones wait, and with them the sources: files are
read no further, TCP and HTTP senders are not answered, datagrams go to a bounded queue on disk.

Each partition of `events` also gets what detection needs to know of time: a mark of each source that went on or ended, and
once a minute a canary.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog

from contract.event import Event
from contract.ports import Batch, Meter, Source
from contract.records import DeadLetter
from contract.topics import DEAD_LETTERS, EVENTS, INGEST_STATE
from runtime.garbage import settle
from runtime.kafka.order import Turns
from runtime.kafka.outlet import Sent, partition_of, turn
from runtime.kafka.sink import STAGE, Sink
from runtime.kafka.spool import Segments, Spooled
from runtime.kafka.wire import PACE, Canary, Item, Mark, dead, encode
from runtime.reception import Ended, Read, Reception
from runtime.record_queue import RecordQueue
from runtime.settings import Settings, SourceConfig
from runtime.writing import Writing

log = structlog.get_logger()

CANARY_S: Final = 60
HEADERS_BYTES: Final = 512
"""Left of a record's size for its key and headers."""
_TURN: Final = "turn"
"""Beside a source's position: the turn of its last event."""
_MAX_PLACES: Final = 100_000
_RUN: Final = 500
"""With `spread = "event"`, records that go to one partition before the next one's turn: fewer, fuller batches."""


class Ingest:
    """Reads the settings' sources and writes to Kafka.

    Args:
        settings: checked.
        meter: for counts.
        clock: wall clock, microseconds.

    Attributes:
        ready: set while it runs and sources are read.
    """

    def __init__(self, settings: Settings, meter: Meter, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._meter = meter
        self._clock = clock
        self._giving_up = threading.Event()
        kafka = settings.kafka
        self._sink = Sink(kafka, kafka.member_name, meter, self._giving_up.is_set)
        self._queue: RecordQueue[Any] = RecordQueue(settings.engine.queue_records)
        self._reception = Reception(
            settings, meter, clock, self._queue, self._take, self._open_source
        )
        self._max_bytes = kafka.max_record_bytes - HEADERS_BYTES
        self._thread = ThreadPoolExecutor(1, "kafka-ingest")
        self._writing = Writing()
        self._records: list[Sent] = []
        self._partitions = 1
        self._next_spread = 0
        self._places: dict[tuple[str, str], tuple[bytes, int]] = {}
        self._recorded = {one.name for one in settings.sources if one.type.reads_back}
        self._turns = Turns({})
        self._stored: dict[str, Any] = {}
        self._marked: dict[str, Mark] = {}
        self._ended: set[str] = set()
        self._next_canary_us = 0
        self._stopping = False
        self.ready = asyncio.Event()

    # -------------------------------------------------------------- life

    async def run(self) -> None:
        """Run until stopped, or until every source has ended where `engine.stop_at_end` says so.

        Raises:
            BrokerError: a right is missing, or another process has this member's name.
            OSError: a source could not be opened.
        """
        try:
            self._reception.start()  # what others send is received, and waits, also while Kafka is away
            saved = await self._connect()
            self._turns = Turns({name: one[_TURN] for name, one in saved.items() if _TURN in one})
            self._reception.restore(saved)
            settle()
            self.ready.set()
            log.info("ingest.started", sources=len(self._settings.sources))
            await self._pump()
            await self._commit()
            await self._writing.done()
        finally:
            self.ready.clear()
            await self._reception.close()
            self._giving_up.set()
            await self._in_thread(self._sink.close)
            self._thread.shutdown(wait=False)
            log.info("ingest.stopped")

    async def stop(self) -> None:
        """Take what was received, write it, end."""
        self._stopping = True
        await self._reception.stop()

    def give_up(self) -> None:
        """Wait for the broker no longer: `run` ends with an error; what is unwritten comes again where a source can go back."""
        self._giving_up.set()
        self._sink.close()

    async def _connect(self) -> dict[str, Any]:
        """Wait for Kafka; return the positions that stand there.

        Raises:
            BrokerError, OSError: see `run`.
        """
        connecting = asyncio.ensure_future(self._in_thread(self._open_sink))
        while not connecting.done():
            await asyncio.wait((connecting,), timeout=1.0)
            self._reception.raise_failures()
        saved: dict[str, Any] = connecting.result()
        return saved

    def _open_sink(self) -> dict[str, Any]:
        self._partitions, *_ = self._sink.partitions((EVENTS, DEAD_LETTERS, INGEST_STATE))
        return self._sink.open()

    # -------------------------------------------------------------- the loop

    async def _pump(self) -> None:
        engine = self._settings.engine
        epoch_us = round(engine.epoch.total_seconds() * 1e6)
        sealed_us = self._clock()
        is_finished = False
        while not is_finished:
            item = await self._queue.get(engine.epoch.total_seconds())
            if item is None:
                is_finished = self._stopping and not self._queue
            else:
                await self._dispatch(item)
                is_finished = engine.stop_at_end and not self._reception.open_count
            await self._reception.go_on()
            self._reception.raise_failures()
            self._writing.raise_failure()
            now = self._clock()
            is_full = len(self._records) >= engine.epoch_records
            if is_full or now - sealed_us >= epoch_us:
                await self._commit()
                sealed_us = now

    async def _dispatch(self, item: Read | Ended) -> None:
        await self._reception.dispatch(item)
        # Sources also end when they are told to stop; that is no end of what they speak of.
        if isinstance(item, Ended) and not self._stopping:
            self._ended.add(item.source)

    def _take(self, item: Event | DeadLetter, batch: Batch, turn_us: int) -> None:
        arrived_ms = batch.received_us // 1_000
        value, headers = encode(item)
        if isinstance(item, DeadLetter):
            key = item.source.encode()
            self._records.append(Sent(DEAD_LETTERS, 0, key, value, headers, arrived_ms))
        elif len(value) > self._max_bytes:
            self._refuse(item, batch)
        else:
            key, partition = self._place(item.source, batch.sender)
            if item.source in self._recorded:
                turn_us, number = self._turns.next(item.source, turn_us)
                if number or turn_us != item.time_us:
                    headers.append(turn(turn_us, number))
            elif turn_us < item.time_us:  # else who reads it would believe its time
                headers.append(turn(turn_us, 0))
            self._records.append(Sent(EVENTS, partition, key, value, headers, arrived_ms))

    def _refuse(self, event: Event, batch: Batch) -> None:
        reason = (
            f"event of {len(event.json)} bytes; kafka.max_record_bytes leaves {self._max_bytes}"
        )
        kept = min(self._settings.normalize.dead_letter_bytes, self._max_bytes // 2)
        letter = dead(
            STAGE, event.id, event.json, reason, now_us=batch.received_us, kept_bytes=kept
        )
        self._meter.add("dead_letters_total", source=event.source)
        self._take(letter.model_copy(update={"source": event.source}), batch, 0)

    def _place(self, source: str, sender: str) -> tuple[bytes, int]:
        """Return key and partition: of one sender's events the same, or of one run of events."""
        if self._settings.kafka.spread == "event":
            self._next_spread += 1
            return source.encode(), self._next_spread // _RUN % self._partitions
        place = self._places.get((source, sender))
        if place is None:
            if len(self._places) >= _MAX_PLACES:
                self._places.clear()
            key = f"{source}|{sender}"
            partition = partition_of(key, self._partitions)
            place = self._places[source, sender] = (key.encode(), partition)
        return place

    def _tell_time(self) -> None:
        """Add to the epoch, behind its events and for each partition, how far sources are, and the canary."""
        now = self._clock()
        told: list[Item] = []
        pace = self._reception.pace()
        member = f"{PACE}{self._settings.kafka.member_name}"
        mark = Mark(member, pace or 0, ended=pace is None)
        if mark != self._marked.get(PACE):
            self._marked[PACE] = mark
            told.append(mark)
        for name in self._reception.intakes:
            mark = Mark(name, self._reception.reached(name), ended=name in self._ended)
            if mark != self._marked.get(name) and (mark.time_us or mark.ended):
                self._marked[name] = mark
                told.append(mark)
        if now >= self._next_canary_us:
            self._next_canary_us = now + CANARY_S * 1_000_000
            told.append(Canary(now))
        for item in told:
            value, headers = encode(item)
            for partition in range(self._partitions):
                self._records.append(Sent(EVENTS, partition, b"", value, headers, now // 1_000))

    def _open_source(self, config: SourceConfig) -> Source:
        kind = config.type
        source = kind.open(config.name, config.settings, self._meter, self._clock)
        if kind.waits:
            return source
        folder = self._settings.engine.data_dir / "spool" / config.name
        segments = Segments(folder, self._settings.kafka.udp_queue_bytes)
        spooled = Spooled(config.name, source, segments, self._meter)
        spooled.listen()
        return spooled

    # -------------------------------------------------------------- epochs

    async def _commit(self) -> None:
        """Hand over what has come; waits while the epoch before is being written."""
        await self._writing.done()
        self._tell_time()
        reception = self._reception
        if not self._records and not reception.has_taken():
            return
        records, self._records = self._records, []
        taken = reception.taken()
        stored = self._stored
        positions = {
            name: one | ({_TURN: self._turns.row(name)} if name in self._recorded else {})
            for name, one in reception.positions.items()
            if one is not stored.get(name)
        }
        self._stored = dict(reception.positions)
        self._writing.begin(self._write(records, positions, taken))

    async def _write(
        self, records: list[Sent], positions: dict[str, Any], taken: dict[str, Any]
    ) -> None:
        await self._in_thread(self._sink.write, records, positions)
        self._reception.confirm(taken)
        self._meter.add("kafka_written_total", len(records), role=STAGE)

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
