"""What is counted of the entries in a sliding span, and how it is wound back where a late one goes in.

What is asked of every event is written out in one step without calls; see `correlate.window.evaluate` for what a step is.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from correlate.window.condition import Test
from correlate.window.entry import Entries
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
