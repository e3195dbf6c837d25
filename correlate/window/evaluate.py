"""Does the correlation hold at this event? One evaluator per kind, each fed the entries of a group in order.

An evaluator looks back over the closed span that ends at an entry: `[t - timespan, t]`. It is a function of
the entries alone; where a late event goes in, it is wound back and fed again from there. It answers with
the time from which the entries are evidence, or None.
"""

from __future__ import annotations

from typing import Protocol

from correlate.window.entry import Entries
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
