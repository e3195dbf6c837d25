"""Sources on one side, their events in a fair order on the other: what every host that reads sources does first.

Each source is read by a task of its own into a lane of one bounded queue; lanes are served in turn; a source of recorded
input that runs ahead of another one in event time is held. Not reading is the back-pressure: what stands here stands in
files, sockets and senders too. After a commit, sources whose senders wait for it are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from contract.event import Event
from contract.ports import Batch, Confirmed, Meter, Source
from contract.records import DeadLetter
from contract.timestamps import microseconds
from runtime.intake import Intake
from runtime.pace import Pace
from runtime.record_queue import RecordQueue
from runtime.settings import Settings, SourceConfig

SLICE = 200
"""Records taken before other tasks get a turn: about 5 ms."""

RECORD_BYTES: Final = 4_096
"""What is read ahead is bounded by `engine.queue_records`, of which a long record counts one more for each of these."""

Take: TypeAlias = Callable[[Event | DeadLetter, Batch, int], None]
Open: TypeAlias = Callable[[SourceConfig], Source]


@dataclass(slots=True)
class Read:
    """A batch that a source gave."""

    source: str
    batch: Batch


@dataclass(slots=True)
class Ended:
    """A source has nothing more."""

    source: str


@dataclass(slots=True)
class _Held:
    read: Read
    items: Iterator[Event | DeadLetter]
    item: Event
    turn_us: int


class Reception:
    """Reads all sources of the settings.

    Args:
        settings: checked.
        meter: counts what sources and adapters say.
        clock: wall clock, microseconds.
        queue: where batches wait; the host may put its own inputs beside them.
        take: is given each event and dead letter in order, with the batch that it came in and the event time that its
            source has come to with it.
        open_source: opens a source; a host may put something between.
    """

    def __init__(
        self,
        settings: Settings,
        meter: Meter,
        clock: Callable[[], int],
        queue: RecordQueue[Any],
        take: Take,
        open_source: Open | None = None,
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._clock = clock
        self._queue = queue
        self._give = take
        self._open = open_source or self._open_plainly
        engine = settings.engine
        self._pace = Pace(microseconds(engine.lateness), microseconds(engine.idle_after))
        self._held: dict[str, _Held] = {}
        self._reads_back = {one.name for one in settings.sources if one.type.reads_back}
        self._sources: dict[str, Source] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.intakes: dict[str, Intake] = {}
        self.positions: dict[str, Any] = {}
        self.open_count = 0
        self._is_stopping = False
        self._is_restored = asyncio.Event()
        self._unconfirmed: dict[str, Any] = {}

    # -------------------------------------------------------------- life

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Make the intakes, each from its saved position; before anything is taken from the queue."""
        now, engine = self._clock(), self._settings.engine
        jump_us, lateness_us = microseconds(engine.max_jump), microseconds(engine.lateness)
        for config in self._settings.sources:
            intake = Intake(
                config, self._settings.normalize, self._meter, saved.get(config.name),
                max_jump_us=jump_us, lateness_us=lateness_us,
            )  # fmt: skip
            self.intakes[config.name] = intake
            is_behind = config.name in self._reads_back
            self._pace.open(config.name, now, intake.reached_us, has_more=is_behind)
        self._is_restored.set()

    def start(self) -> None:
        """Begin to read.

        Before `restore`: only what others send is received, and waits; what is read at a position waits for it.
        """
        self._tasks = [
            asyncio.create_task(self._read(config), name=f"read {config.name}")
            for config in self._settings.sources
        ]
        self.open_count = len(self._tasks)

    async def stop(self) -> None:
        """Let the sources give what they have received, and end."""
        self._is_stopping = True
        for source in self._sources.values():
            await source.close()
        self._queue.wake()

    async def close(self) -> None:
        """End all tasks, whatever they hold."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def raise_failures(self) -> None:
        """Raise what a source raised.

        Raises:
            OpsoninError: as the source says; also OSError.
        """
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    # -------------------------------------------------------------- from the queue

    async def dispatch(self, item: Read | Ended) -> None:
        """Take what the queue gave."""
        if isinstance(item, Ended):
            self._end(self.intakes[item.source])
            return
        name, now = item.source, self._clock()
        self._pace.gave(name, now, has_more=item.batch.has_more)
        waits = name in self._reads_back and self._pace.limit(name, now) is not None
        items = self.intakes[name].take(item.batch, may_stop=waits)
        await (self._take_paced if waits else self._take_all)(item, items)

    async def go_on(self) -> None:
        """Let go of sources that the others have come up with, the least advanced first."""
        while self._held:
            name, held = min(self._held.items(), key=lambda one: one[1].turn_us)
            limit = self._pace.limit(name, self._clock())
            if limit is not None and held.turn_us > limit:
                return
            del self._held[name]
            self._queue.release(name)
            await self._take_paced(held.read, chain((held.item,), held.items))

    def reached(self, name: str) -> int:
        """Return the event time that a source has come to; of one that is held, where it goes on."""
        return max(self.intakes[name].reached_us, self._pace.reached(name))

    def pace(self) -> int | None:
        """Return the event time that all sources with recorded input to read have come to; None: there is none."""
        return self._pace.least(self._clock())

    def taken(self) -> dict[str, Any]:
        """Return the source positions taken since the last call, for `confirm`."""
        taken, self._unconfirmed = self._unconfirmed, {}
        return taken

    def has_taken(self) -> bool:
        """Tell whether `taken` would return anything."""
        return bool(self._unconfirmed)

    def confirm(self, taken: Mapping[str, Any]) -> None:
        """Tell the sources that what they gave up to there is durable."""
        for name, position in taken.items():
            source: object = self._sources.get(name)
            if isinstance(source, Confirmed):
                source.confirm(position)

    # -------------------------------------------------------------- its own

    def _open_plainly(self, config: SourceConfig) -> Source:
        return config.type.open(config.name, config.settings, self._meter, self._clock)

    async def _read(self, config: SourceConfig) -> None:
        name, kind = config.name, config.type
        if kind.reads_back:
            await self._is_restored.wait()
        source = self._sources[name] = self._open(config)
        if (
            not kind.waits
        ):  # a host may keep on disk what cannot wait, and where it goes on there is known then
            await self._is_restored.wait()
        position = self.intakes[name].resume_at if self._is_restored.is_set() else None
        async for batch in source.batches(position):
            size = len(batch.records) + sum(map(len, batch.records)) // RECORD_BYTES
            await self._queue.put(Read(name, batch), size, name)
        await self._queue.put(Ended(name), 1, name)

    async def _take_all(self, read: Read, items: Iterator[Event | DeadLetter]) -> None:
        batch, intake = read.batch, self.intakes[read.source]
        for count, one in enumerate(items, 1):
            self._give(one, batch, intake.turn_us)
            if count % SLICE == 0:
                await asyncio.sleep(0)
        self._note(read)

    async def _take_paced(self, read: Read, items: Iterator[Event | DeadLetter]) -> None:
        """Take what the source's pace allows; what is left is held with its source."""
        name, intake = read.source, self.intakes[read.source]
        limit = self._pace.limit(name, self._clock())
        for count, one in enumerate(items):
            turn_us = intake.turn_us
            if type(one) is Event and limit is not None and turn_us > limit:
                self._pace.saw(name, turn_us)
                self._held[name] = _Held(read, items, one, turn_us)
                self._queue.hold(name)
                self.positions[name] = intake.position()
                self._meter.add("sources_held_total", source=name)
                return
            self._give(one, read.batch, turn_us)
            if count % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        self._note(read)

    def _note(self, read: Read) -> None:
        name, intake = read.source, self.intakes[read.source]
        self._pace.saw(name, intake.reached_us)
        self.positions[name] = intake.position()
        if read.batch.position is not None:
            self._unconfirmed[name] = read.batch.position

    def _end(self, intake: Intake) -> None:
        self.open_count -= 1
        last = Batch(intake.config.name, [], self._clock())
        for one in intake.flush(last.received_us, is_over=not self._is_stopping):
            self._give(one, last, intake.turn_us)
        self._pace.close(intake.config.name)
