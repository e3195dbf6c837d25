"""Evaluators that keep a measure of the values in the span: sums, means, ranks.

What is asked of every event is written out in one step without calls; see `correlate.window.evaluate` for what a step is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from typing_extensions import override

from correlate.window.condition import OPERATORS, Number, Test, Threshold
from correlate.window.entry import Entries
from correlate.window.measure import Measure, Percentile
from correlate.window.sliding import Sliding


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
