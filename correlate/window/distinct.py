"""The evaluator of distinct values: exact up to a bound, then estimated."""

from __future__ import annotations

from bisect import bisect_left

from typing_extensions import override

from correlate.window.condition import Test
from correlate.window.entry import Entries
from correlate.window.measure import Distinct
from correlate.window.measured import Measured
from correlate.window.sketch import SlidingSketch


class DistinctValues(Measured):
    """How many different values: exact up to a bound, then estimated for as long as they are too many.

    In a sketch adding again changes nothing, so winding back needs no undoing; what is estimated is no
    longer a function of the set of events alone, within the error that the alert states.
    """

    __slots__ = ("counts", "most")

    def __init__(self, span_us: int, test: Test, most: int) -> None:
        distinct = Distinct()
        super().__init__(span_us, distinct, test)
        self.counts = distinct.counts
        self.most = most

    @override
    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        value = entry[3]
        since = entry[0] - self.span_us
        if self.sketch is None:
            counts = self.counts
            start = self.start
            while entries[start][0] < since:
                gone = entries[start][3]
                left = counts[gone] - 1
                if left:
                    counts[gone] = left
                else:
                    del counts[gone]
                start += 1
            self.start = start
            counts[value] = counts.get(value, 0) + 1
            self.end = at + 1
            count = len(counts)
            if count > self.most:
                self._estimate(entries, at)
            return since if self.test(count, 1) else None
        self.start = bisect_left(entries, (since,), 0, at + 1)
        self.end = at + 1
        self.sketch.add(entry[0], value)
        expired = at == len(entries) - 1 and self.sketch.expire(since)
        count = self.sketch.count()
        if expired and 2 * count < self.most:
            self.sketch = None
            self.reset(entries, at + 1)
        return since if self.test(count, 1) else None

    def _estimate(self, entries: Entries, at: int) -> None:
        self.sketch = SlidingSketch(self.span_us)
        for index in range(self.start, at + 1):
            self.sketch.add(entries[index][0], entries[index][3])
        self.measure.clear()

    @override
    def rewind(self, entries: Entries, at: int) -> None:
        if self.sketch is None:
            super().rewind(entries, at)

    @override
    def reset(self, entries: Entries, at: int) -> None:
        if self.sketch is None:
            super().reset(entries, at)

    def lose(self, entries: Entries, count: int) -> None:
        """Estimate from here on: a bound, not time, drops the first `count` entries, some still in the span."""
        if self.sketch is None and entries[count - 1][0] >= entries[-1][0] - self.span_us:
            self._estimate(entries, self.end - 1)

    @override
    def trim(self, entries: Entries, count: int) -> None:
        if self.sketch is None:
            super().trim(entries, count)
        self.start = max(0, self.start - count) if self.sketch is not None else self.start
        self.end = max(0, self.end - count) if self.sketch is not None else self.end
