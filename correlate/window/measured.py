"""Evaluators that keep a measure of the values in the span: sums, ranks, distinct values.

What is asked of every event is written out in one step without calls; see `correlate.window.evaluate` for what a step is.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from typing import Any

from typing_extensions import override

from correlate.window.condition import OPERATORS, Number, Test, Threshold
from correlate.window.entry import Entries
from correlate.window.measure import Distinct, Measure, Percentile
from correlate.window.sketch import SlidingSketch

UNKNOWN_US = -(2**62)
"""Before all times."""


class Sliding:
    """What is counted of the entries in the span: wound back and fed again where a late one goes in.

    Attributes:
        start, end: the entries counted.
        leaves: no counted entry leaves the span of an entry up to this time; `UNKNOWN_US`: to be looked up. It spares a
            look at the oldest entry, which is long out of the processor's cache.
    """

    __slots__ = ("end", "leaves", "sketch", "span_us", "start", "test")

    def __init__(self, span_us: int, test: Test) -> None:
        self.span_us = span_us
        self.test = test
        self.sketch: SlidingSketch | None = None
        self.start = 0
        self.end = 0
        self.leaves = UNKNOWN_US

    def slide(self, entries: Entries, time: int) -> None:
        """Count out what leaves the span that ends at a time; entry `end` is the next to be counted in."""
        since = time - self.span_us
        start = self.start
        while entries[start][0] < since:
            self.give(entries[start][3])
            start += 1
        self.start = start
        self.leaves = entries[start][0] + self.span_us

    def rewind(self, entries: Entries, at: int) -> None:
        self.leaves = UNKNOWN_US
        start = bisect_left(entries, (entries[at - 1][0] - self.span_us,)) if at else 0
        if at <= self.start:
            self.reset(entries, at)
            return
        for index in range(at, self.end):
            self.give(entries[index][3])
        for index in range(start, self.start):
            self.take(entries[index][3])
        self.start, self.end = start, at

    def reset(self, entries: Entries, at: int) -> None:
        self.leaves = UNKNOWN_US
        self.start = bisect_left(entries, (entries[at - 1][0] - self.span_us,)) if at else 0
        self.end = at
        self.clear()
        for index in range(self.start, at):
            self.take(entries[index][3])

    def trim(self, entries: Entries, count: int) -> None:
        self.leaves = UNKNOWN_US
        # What left the span since the last entry came is still in the measure.
        for index in range(self.start, min(count, self.end)):
            self.give(entries[index][3])
        self.start = max(0, self.start - count)
        self.end = max(0, self.end - count)

    def take(self, value: Any) -> None:
        """Count a value in."""
        raise NotImplementedError

    def give(self, value: Any) -> None:
        """Count a value out."""
        raise NotImplementedError

    def clear(self) -> None:
        """Count none."""
        raise NotImplementedError


class Measured(Sliding):
    """A measure of the entries in the span satisfies a threshold; cost is the measure's."""

    __slots__ = ("measure",)

    def __init__(self, span_us: int, measure: Measure, test: Test) -> None:
        super().__init__(span_us, test)
        self.measure = measure

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        time, value = entry[0], entry[3]
        if time > self.leaves:
            self.slide(entries, time)
        measure = self.measure
        measure.add(value)
        self.end = at + 1
        return time - self.span_us if self.test(*measure.ratio(value)) else None

    @override
    def take(self, value: Any) -> None:
        self.measure.add(value)

    @override
    def give(self, value: Any) -> None:
        self.measure.remove(value)

    @override
    def clear(self) -> None:
        self.measure.clear()


class Summed(Sliding):
    """The sum or mean satisfies: `Measured`, in one step without calls, since these are asked of every event."""

    __slots__ = ("is_mean", "total")

    def __init__(self, span_us: int, test: Test, *, is_mean: bool) -> None:
        super().__init__(span_us, test)
        self.total: Any = 0
        self.is_mean = is_mean

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        time = entry[0]
        since = time - self.span_us
        total = self.total + entry[3]
        if time > self.leaves:
            start = self.start
            while entries[start][0] < since:
                total -= entries[start][3]
                start += 1
            self.start = start
            self.leaves = entries[start][0] + self.span_us
        self.total = total
        self.end = at + 1
        return since if self.test(total, at + 1 - self.start if self.is_mean else 1) else None

    @override
    def take(self, value: Any) -> None:
        self.total += value

    @override
    def give(self, value: Any) -> None:
        self.total -= value

    @override
    def clear(self) -> None:
        self.total = 0


class Ranked(Sliding):
    """A percentile reaches a bound, which mostly shows in how many values are short of it.

    Only where the rank falls between the last value that is short and the first that is not, so that the answer hangs on
    what lies between the two, are the values sorted; and then kept so.
    """

    __slots__ = ("bound", "is_sorted", "rank", "reaches", "short", "sorted")

    def __init__(self, span_us: int, percentile: Fraction, name: str, bound: Number) -> None:
        super().__init__(span_us, Threshold(((name, bound),)).test())
        self.sorted = Percentile(percentile)
        self.rank = (percentile / 100).as_integer_ratio()
        self.reaches = OPERATORS[name]
        self.bound = bound
        self.short = 0
        self.is_sorted = False

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        time = entry[0]
        if time > self.leaves:
            self.slide(entries, time)
        if self.is_sorted:
            self.take(entry[3])
        elif not self.reaches(entry[3], self.bound):
            self.short += 1
        self.end = at + 1
        start, since = self.start, time - self.span_us
        over, under = self.rank
        place, part = divmod(over * (at - start), under)
        if place >= self.short:
            return since
        if place + (part > 0) < self.short:
            return None
        if not self.is_sorted:
            self.is_sorted = True
            for index in range(start, at + 1):
                self.sorted.add(entries[index][3])
        return since if self.test(*self.sorted.ratio(None)) else None

    @override
    def take(self, value: Any) -> None:
        self.short += not self.reaches(value, self.bound)
        if self.is_sorted:
            self.sorted.add(value)

    @override
    def give(self, value: Any) -> None:
        self.short -= not self.reaches(value, self.bound)
        if self.is_sorted:
            self.sorted.remove(value)

    @override
    def clear(self) -> None:
        self.short = 0
        self.is_sorted = False
        self.sorted.clear()


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
