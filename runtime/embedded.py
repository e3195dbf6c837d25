"""The embedded host: one process, one SQLite file, exact over a kill.

Sources are read by tasks into one bounded queue; the flow takes batch after batch; an epoch (outputs, state, positions)
is written in one transaction by a writer thread, at the latest after `engine.epoch`, at once when a decision was
made. Decisions go to the enforcement points while their epoch is written; answers come back through the same queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from contract.event import Event, Notice
from contract.ports import Batch, Meter
from contract.records import Chain, Command, Correction, DeadLetter, Decision, Outcome
from contract.timestamps import microseconds
from runtime.enforcement import Enforcement
from runtime.engine import Engine, Pipeline
from runtime.flow import Flow, Watch
from runtime.garbage import settle
from runtime.intake import Intake
from runtime.reception import Ended, Read, Reception
from runtime.record_queue import RecordQueue
from runtime.settings import Settings
from runtime.store import Epoch, Store
from runtime.stored import dead_letters, records
from runtime.watermark import Watermarks
from runtime.writing import Writing

log = structlog.get_logger()

_PRUNE_ROWS = 2_000


@dataclass(slots=True)
class _Told:
    command: Command
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class _Corrected:
    correction: Correction
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class _Revive:
    answer: asyncio.Future[tuple[int, int]]


@dataclass(slots=True)
class _Renew:
    pipeline: Pipeline
    answer: asyncio.Future[dict[str, int]]


_Input: TypeAlias = _Renew | Read | Ended | _Told | _Corrected | _Revive | Outcome


class Embedded:
    """The engine in one process.

    Args:
        settings: checked.
        pipeline: compiled.
        store: opened for writing; owned by the host while it runs.
        meter: for counts.
        clock: wall clock, microseconds.
        watch: sees every record as it comes to be.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        store: Store,
        meter: Meter,
        clock: Callable[[], int],
        watch: Watch | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._meter = meter
        self._clock = clock
        engine = settings.engine
        marks = Watermarks(microseconds(engine.lateness), microseconds(engine.idle_after))
        self.flow = Flow(Engine(pipeline), marks, meter, watch)
        self._queue: RecordQueue[_Input] = RecordQueue(engine.queue_records)
        self._reception = Reception(settings, meter, clock, self._queue, self._take)
        self._writer = ThreadPoolExecutor(1, "writer")
        self._writing = Writing()
        self._sealed_us = 0
        self._stopping = False
        self.enforcement = Enforcement(settings, meter, clock, self._answered)
        self.ready = asyncio.Event()
        self._is_finished = False

    # -------------------------------------------------------------- life

    async def run(self) -> None:
        """Run until stopped, or until every source has ended where `engine.stop_at_end` says so.

        Raises:
            StoreError: the store failed; what was committed before stands.
            OSError: a source could not be opened (address in use, no such file).
        """
        self._restore()
        self._reception.start()
        try:
            await self.enforcement.start(self._approved())
            self._sealed_us = self._clock()
            settle()
            self.ready.set()
            sources, points = len(self._settings.sources), len(self._settings.points)
            log.info("engine.started", sources=sources, points=points)
            await self._pump()
            await self._commit()
            await self._writing.done()
        finally:
            self.ready.clear()
            await self._reception.close()
            await self.enforcement.close()
            self._writer.shutdown(wait=True)
            log.info("engine.stopped")

    async def stop(self) -> None:
        """Take what was received, write it, end."""
        self._stopping = True
        await self._reception.stop()

    async def command(self, command: Command) -> list[Decision]:
        """Carry out a person's word on a decision; return what it changed, durable."""
        answer: asyncio.Future[list[Decision]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Told(command, answer), 1)
        return await answer

    async def correct(self, correction: Correction) -> list[Chain | Notice]:
        """Carry out a person's word on chains; return the chains that it changed, durable, or why it does not fit."""
        answer: asyncio.Future[list[Chain | Notice]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Corrected(correction, answer), 1)
        return await answer

    async def revive(self) -> tuple[int, int]:
        """Take all dead letters again, as if they came now; return how many could be read and how many not."""
        answer: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Revive(answer), 1)
        return await answer

    async def replace(self, pipeline: Pipeline) -> dict[str, int]:
        """Go on with other rules, between two events; return by stage how many keys lost their state."""
        answer: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Renew(pipeline, answer), 1)
        return await answer

    # -------------------------------------------------------------- input

    def _restore(self) -> None:
        self.flow.restore(self._store.state(), self._store.meta("watermark_us"))
        self._reception.restore(self._store.positions())
        now = self._clock()
        for name, intake in self._reception.intakes.items():
            self.flow.watermarks.open(name, now, intake.reached_us)

    def _approved(self) -> list[Decision]:
        return [
            one
            for one in records(self._store, "decision")
            if isinstance(one, Decision) and one.state == "approved"
        ]

    def _answered(self, outcome: Outcome) -> None:
        self._queue.put_now(outcome, 1)

    # -------------------------------------------------------------- the loop

    async def _pump(self) -> None:
        epoch_us = microseconds(self._settings.engine.epoch)
        while not self._is_finished:
            item = await self._queue.get(self._settings.engine.epoch.total_seconds())
            await self._dispatch(item)
            await self._reception.go_on()
            self._reception.raise_failures()
            self._writing.raise_failure()
            now = self._clock()
            if self.flow.decisions or self._is_full() or now - self._sealed_us >= epoch_us:
                if self._reception.has_taken() or self.flow.has_changed():
                    await self._commit()
                self._sealed_us = now

    async def _dispatch(self, item: _Input | None) -> None:
        match item:
            case None:
                self._is_finished = self._stopping and not self._queue
                self.flow.advance(self._clock())
                self.flow.settle(self._clock(), is_idle=True)
            case Read():
                await self._reception.dispatch(item)
                self.flow.settle(self._clock())
            case _Told() | _Corrected():
                await self._obey(item)
            case _Revive():
                await self._revive(item)
            case _Renew():
                await self._commit()  # stages are replaced at rest: nothing of this epoch is open
                lost = self.flow.engine.replace(item.pipeline)
                if not item.answer.done():
                    item.answer.set_result(lost)
            case Outcome():
                self._close_loop(item)
            case Ended():
                await self._reception.dispatch(item)
                self._end(item.source)

    def _take(self, item: Event | DeadLetter, batch: Batch, turn_us: int) -> None:
        self.flow.take(item, batch.received_us, turn_us)

    def _end(self, name: str) -> None:
        self.flow.watermarks.close(name)
        if not self._reception.open_count and self._settings.engine.stop_at_end:
            self.flow.finish()
            self._is_finished = True

    async def _obey(self, item: _Told | _Corrected) -> None:
        before = len(self.flow.decisions)
        told: list[Any]
        if isinstance(item, _Corrected):
            told = self.flow.correct(item.correction)
        else:
            self.flow.respond(item.command)
            told = self.flow.decisions[before:]
        await self._commit()
        await self._writing.done()
        if not item.answer.done():
            item.answer.set_result(told)

    async def _revive(self, item: _Revive) -> None:
        configs = {one.name: one for one in self._settings.sources}
        await self._writing.done()
        read = dead = 0
        for letter in list(dead_letters(self._store)):
            config = configs.get(letter.source)
            items: list[Event | DeadLetter] = [letter]
            if config and not letter.truncated:
                # Not the source's own intake: that one may be in the middle of a batch.
                intake = Intake(config, self._settings.normalize, self._meter)
                items = intake.again(letter)
            if any(isinstance(one, DeadLetter) for one in items):
                dead += 1
                continue
            read += 1
            for one in items:
                self.flow.take(one, self._clock(), 0)
            self.flow.revived(letter.id)
        self.flow.settle(self._clock(), is_idle=True)
        await self._commit()
        await self._writing.done()
        item.answer.set_result((read, dead))

    def _close_loop(self, outcome: Outcome) -> None:
        now = self._clock()
        self.flow.respond(outcome)
        event = self.enforcement.event_of(outcome)
        if isinstance(event, Event):
            self.flow.take(event, now, 0)
            self.flow.settle(now)

    def _is_full(self) -> bool:
        return self.flow.pending() >= self._settings.engine.epoch_records

    # -------------------------------------------------------------- epochs

    async def _commit(self) -> None:
        await self._writing.done()
        decisions, self.flow.decisions = self.flow.decisions, []
        epoch = self.flow.seal(dict(self._reception.positions))
        epoch.arrived_us = self._clock()
        self._writing.begin(self._write(epoch, self._reception.taken()))
        # Not after it is durable: that costs milliseconds in which packets pass. Lost with the epoch, a decision is made
        # again with the same id, or its element, which has a timeout anyway, is removed by the next start's convergence.
        self.enforcement.submit(decisions)

    async def _write(self, epoch: Epoch, taken: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        duplicates = await loop.run_in_executor(self._writer, self._store.commit, epoch)
        self._reception.confirm(taken)
        if duplicates:
            self._meter.add("events_duplicate_total", duplicates)
        self._meter.add("epochs_total")
        before = self._clock() - microseconds(self._settings.engine.keep_events)
        rows = max(_PRUNE_ROWS, 2 * len(epoch.events))
        await loop.run_in_executor(self._writer, self._store.prune, before, rows)
