"""Order of event time across partitions: what an upstream partition sent early waits for the others to come as far.

Each upstream partition tells by marks how far it is. A recorded item is released when every upstream has come beyond the
time at which it was caused, and what is released goes in order of that time, then of what caused it. So a stage sees the
same order however its upstreams' workers were delayed, moved or killed: that of a replay, since ingest says of each event
that does not follow from its time which place it had in its source. What was caused just now, by the wall clock, waits for
nobody: live input is taken as it comes, like in one process, and what is late is taken when it is there.

Source: watermarks as in "The Dataflow Model" (VLDB 2015); alignment as in Kafka Streams' task idling, but by marks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from ingest.streams.kafka_batches import Headers
from runtime.kafka.wire import Item, Mark
from runtime.stage_runner import NEVER


class Rank(IntEnum):
    """The place among what was caused at the same time; what follows the end of all input is of no clock's time."""

    TIMED = 0
    CAUSED = 1
    TIMED_LAST = 2
    CAUSED_LAST = 3

    @property
    def is_timed(self) -> bool:
        """Tell whether time alone brought it about."""
        return self in (Rank.TIMED, Rank.TIMED_LAST)

    @property
    def is_last(self) -> bool:
        """Tell whether it follows the end of all input."""
        return self >= Rank.TIMED_LAST


@dataclass(slots=True, order=True)
class Taken:
    """One record of an upstream partition, as it waits for its turn; ordered by it.

    Attributes:
        cause_us: event time of what caused it, here and in every stage before; of a late event, the time that its
            source had come to before.
        rank: what time brought about goes before what an event caused.
        tie: the place among those of one cause and rank, as one process would have it; see `detect` and `roles`.
        offset: in the partition that it was read from.
        origin_ms: wall-clock time at which the record that caused it was written by ingest.
        value: as read, and `headers`: what waits is kept as it came.
    """

    cause_us: int
    rank: Rank
    tie: str
    offset: int
    item: Item = field(compare=False)
    origin_ms: int = field(compare=False)
    value: bytes = field(compare=False)
    headers: Headers = field(compare=False)


class Turns:
    """The place of each event among those of its source, where its time alone does not say it.

    An event that is not later than one before it has the turn of the latest before it, and a number. A replay takes
    recorded sources in this order; see `runtime.replay`.

    Args:
        saved: what `row` returned, by source.
    """

    def __init__(self, saved: Mapping[str, tuple[int, int]]) -> None:
        self._latest_us = {name: time_us for name, (time_us, _) in saved.items()}
        self._numbers = {name: number for name, (_, number) in saved.items()}

    def next(self, source: str, time_us: int) -> tuple[int, int]:
        """Return the time of an event's turn, and its number there; 0: the first.

        Args:
            source: its own.
            time_us: that the source has come to with it.
        """
        latest_us = self._latest_us.get(source, -1)
        if time_us > latest_us:
            self._latest_us[source] = time_us
            self._numbers[source] = 0
            return time_us, 0
        self._numbers[source] += 1
        return latest_us, self._numbers[source]

    def row(self, source: str) -> tuple[int, int]:
        """Return what stands in the state of a source."""
        return self._latest_us.get(source, -1), self._numbers.get(source, 0)


class Upstreams:
    """How far each upstream partition is.

    Args:
        names: of all that will send marks; none is passed over, so a stage stands until each was heard once.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.marks = {name: Mark(name, 0) for name in names}

    def heard(self, mark: Mark) -> bool:
        """Take a mark; return whether it is of an upstream, and news."""
        known = self.marks.get(mark.of)
        if known is None or known == mark:
            return False
        self.marks[mark.of] = Mark(
            mark.of,
            max(mark.time_us, known.time_us),
            max(mark.low_us, known.low_us),
            ended=mark.ended or known.ended,
        )
        return True

    def front_us(self) -> int:
        """Return the time before which every upstream has sent all; `NEVER` when all have ended."""
        return min((one.time_us for one in self.marks.values() if not one.ended), default=NEVER)

    def low_us(self) -> int:
        """Return the least watermark; when all have ended, the latest of any."""
        live = [one.low_us for one in self.marks.values() if not one.ended]
        return min(live) if live else max(one.low_us for one in self.marks.values())

    def latest_us(self) -> int:
        """Return the latest event time of any upstream."""
        return max(one.time_us for one in self.marks.values())

    def have_ended(self) -> bool:
        """Tell whether nothing will follow."""
        return all(one.ended for one in self.marks.values())


class Waiting:
    """What was read and not yet released.

    Args:
        bound: most records that wait; beyond it the earliest go on, out of order, and are counted.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._heap: list[tuple[int, int, str, int, Taken]] = []  # compared without calling Python
        self._kept: set[int] = set()
        self._new: dict[int, Taken] = {}
        self._gone: list[int] = []
        self.forced = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, taken: Taken) -> None:
        """Let a record wait."""
        heapq.heappush(self._heap, _place(taken))
        self._new[taken.offset] = taken

    def restore(self, taken: Taken) -> None:
        """Let a record wait that is in the changelog already."""
        heapq.heappush(self._heap, _place(taken))
        self._kept.add(taken.offset)

    def ready(self, front_us: int) -> Iterator[Taken]:
        """Yield, in order, what need not wait any longer: all upstreams have come to this event time.

        What was caused at that very time waits: more of it may be on its way.
        """
        heap = self._heap
        while heap and (heap[0][0] < front_us or len(heap) > self._bound):
            *_, taken = heapq.heappop(heap)
            self.forced += taken.cause_us >= front_us
            if self._new.pop(taken.offset, None) is None:
                self._kept.discard(taken.offset)
                self._gone.append(taken.offset)
            yield taken

    def changes(self) -> tuple[list[Taken], list[int]]:
        """Return what waits and is not in the changelog yet, and the offsets of what is there and waits no more."""
        new, gone = list(self._new.values()), self._gone
        self._kept.update(self._new)
        self._new, self._gone = {}, []
        return new, gone


def _place(taken: Taken) -> tuple[int, int, str, int, Taken]:
    return taken.cause_us, taken.rank, taken.tie, taken.offset, taken
