"""Does the correlation hold at this event? One evaluator per kind, each fed the entries of a group in order.

An evaluator looks back over the closed span that ends at an entry: `[t - timespan, t]`. It is a function of
the entries alone; where a late event goes in, it is wound back and fed again from there. It answers with
the time from which the entries are evidence, or None.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Protocol

from typing_extensions import override

from correlate.window.condition import Test
from correlate.window.entry import Entries
from correlate.window.measure import Distinct, Measure, Sum
from correlate.window.sketch import SlidingSketch


class Evaluator(Protocol):
    """What decides whether a group's entries satisfy.

    `sketch` holds what counts values that are too many to count exactly; None where they are not.
    """

    @property
    def sketch(self) -> SlidingSketch | None: ...

    def step(self, entries: Entries, at: int) -> int | None:
        """Take entry `at`, the one after the last taken; return since when there is evidence, or None."""

    def rewind(self, entries: Entries, at: int) -> None:
        """Go back so that `at` is the next to take; the entries have not changed yet."""

    def reset(self, entries: Entries, at: int) -> None:
        """Forget all, and read what comes before `at` anew."""

    def trim(self, entries: Entries, count: int) -> None:
        """The first `count` entries are going, next; no time frame to come reaches them."""


class Always:
    """Each entry satisfies by itself: what folding needs. No state."""

    __slots__ = ()
    sketch: SlidingSketch | None = None

    def step(self, entries: Entries, at: int) -> int | None:
        return entries[at][0]

    def rewind(self, entries: Entries, at: int) -> None:
        pass

    def reset(self, entries: Entries, at: int) -> None:
        pass

    def trim(self, entries: Entries, count: int) -> None:
        pass


class AtLeast:
    """N or more entries in the span: the N-th last is in it. O(1), no state."""

    __slots__ = ("back", "span_us")
    sketch: SlidingSketch | None = None

    def __init__(self, span_us: int, least: int) -> None:
        self.span_us = span_us
        self.back = least - 1

    def step(self, entries: Entries, at: int) -> int | None:
        back = at - self.back
        if back < 0:
            return None
        since = entries[at][0] - self.span_us
        return since if entries[back][0] >= since else None

    def rewind(self, entries: Entries, at: int) -> None:
        pass

    def reset(self, entries: Entries, at: int) -> None:
        pass

    def trim(self, entries: Entries, count: int) -> None:
        pass


class Measured:
    """A measure of the entries in the span satisfies a threshold; cost is the measure's."""

    __slots__ = ("end", "measure", "sketch", "span_us", "start", "test")

    def __init__(self, span_us: int, measure: Measure, test: Test) -> None:
        self.span_us = span_us
        self.measure = measure
        self.test = test
        self.sketch: SlidingSketch | None = None
        self.start = 0
        self.end = 0

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        since = entry[0] - self.span_us
        measure = self.measure
        start = self.start
        while entries[start][0] < since:
            measure.remove(entries[start][3])
            start += 1
        self.start = start
        measure.add(entry[3])
        self.end = at + 1
        return since if self.test(*measure.ratio(entry[3])) else None

    def rewind(self, entries: Entries, at: int) -> None:
        start = bisect_left(entries, (entries[at - 1][0] - self.span_us,)) if at else 0
        if at <= self.start:
            self.reset(entries, at)
            return
        for index in range(at, self.end):
            self.measure.remove(entries[index][3])
        for index in range(start, self.start):
            self.measure.add(entries[index][3])
        self.start, self.end = start, at

    def reset(self, entries: Entries, at: int) -> None:
        self.start = bisect_left(entries, (entries[at - 1][0] - self.span_us,)) if at else 0
        self.end = at
        self.measure.clear()
        for index in range(self.start, at):
            self.measure.add(entries[index][3])

    def trim(self, entries: Entries, count: int) -> None:
        # What left the span since the last entry came is still in the measure.
        for index in range(self.start, min(count, self.end)):
            self.measure.remove(entries[index][3])
        self.start = max(0, self.start - count)
        self.end = max(0, self.end - count)


class Summed(Measured):
    """The sum or mean satisfies: `Measured`, in one step without calls, since these are asked of every event."""

    __slots__ = ("is_mean", "total")

    def __init__(self, span_us: int, test: Test, *, is_mean: bool) -> None:
        self.total = Sum()
        super().__init__(span_us, self.total, test)
        self.is_mean = is_mean

    @override
    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        since = entry[0] - self.span_us
        total = self.total
        start = self.start
        # The reader lets nothing but numbers in.
        value: Any = total.total + entry[3]  # type: ignore[operator]
        while entries[start][0] < since:
            value -= entries[start][3]
            start += 1
        self.start = start
        total.total = value
        self.end = at + 1
        return since if self.test(value, at + 1 - start if self.is_mean else 1) else None


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
