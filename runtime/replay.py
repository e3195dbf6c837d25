"""Recorded logs through the same flow as live ones, on their own clock: several files are merged by event time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from contract.event import Event
from contract.ports import Batch, Meter
from contract.records import DeadLetter
from contract.timestamps import microseconds
from runtime.engine import Engine, Pipeline
from runtime.flow import Flow, Watch
from runtime.input_files import open_input, read_records
from runtime.intake import Intake
from runtime.settings import Reading, Settings
from runtime.watermark import Watermarks

_BATCH_RECORDS = 500
_EPOCH_EVENTS = 5_000


@dataclass(slots=True)
class Recording:
    """One recorded log.

    Attributes:
        config: how to read it.
        path: None is standard input.
        received_us: when its records count as received: the year of stamps without one is the nearest to it.
    """

    config: Reading
    path: Path | None
    received_us: int


def replay(
    settings: Settings, pipeline: Pipeline, recordings: list[Recording], meter: Meter, watch: Watch
) -> Flow:
    """Run all recordings to their end; `watch` sees every record as it comes to be. Returns the flow at rest.

    Events of one file keep their order; between files the earlier event goes first.

    Raises:
        SettingsError: a file cannot be opened; nothing was run.
    """
    marks = Watermarks(microseconds(settings.engine.lateness), None)
    flow = Flow(Engine(pipeline), marks, meter, watch)
    jump_us = microseconds(settings.engine.max_jump)
    streams = [
        _Stream(one, Intake(one.config, settings.normalize, meter, max_jump_us=jump_us))
        for one in recordings
    ]
    for one in recordings:
        marks.open(one.config.name, one.received_us)
    for count, (item, received_us, turn_us) in enumerate(_merge(streams, marks), 1):
        flow.take(item, received_us, turn_us)
        if count % _EPOCH_EVENTS == 0:
            flow.seal({})
    flow.finish()
    flow.seal({})
    return flow


class _Stream:
    """The items of one recording; `key` is the time of the next."""

    def __init__(self, recording: Recording, intake: Intake) -> None:
        self.intake = intake
        self.received_us = recording.received_us
        self._file = open_input(recording.path)
        self._items = self._read()

    def _read(self) -> Iterator[Event | DeadLetter]:
        name = self.intake.config.name
        with self._file as file:
            records = (one for one in read_records(file) if one)
            while batch := list(islice(records, _BATCH_RECORDS)):
                # Whether more is at hand is known at the end alone: `flush` lets go of what waits.
                yield from self.intake.take(Batch(name, batch, self.received_us, has_more=True))
        yield from self.intake.flush(self.received_us)

    def __next__(self) -> Event | DeadLetter:
        return next(self._items)


def _merge(
    streams: list[_Stream], marks: Watermarks
) -> Iterator[tuple[Event | DeadLetter, int, int]]:
    """Yield items of all streams with arrival and turn, the earliest turn first. O(log streams) an item.

    The time of a stream's next event is told before its turn: a log with one line an hour holds nobody back.
    """
    heap: list[tuple[int, int, Event | DeadLetter]] = []

    def push(number: int, after_us: int) -> None:
        try:
            item = next(streams[number])
        except StopIteration:
            marks.close(streams[number].intake.config.name)
            return
        # A dead letter has no time of its own: it goes with its predecessor.
        time_us = after_us
        if isinstance(item, Event):
            time_us = streams[number].intake.turn_us
            marks.saw(item.source, time_us, streams[number].received_us)
        heapq.heappush(heap, (time_us, number, item))

    for number in range(len(streams)):
        push(number, 0)
    while heap:
        time_us, number, item = heapq.heappop(heap)
        yield item, streams[number].received_us, time_us
        push(number, time_us)
