"""Does the correlation hold at this event? One evaluator per kind, each fed the entries of a group in order.

An evaluator looks back over the closed span that ends at an entry: `[t - timespan, t]`. It is a function of
the entries alone; where a late event goes in, it is wound back and fed again from there. It answers with
the time from which the entries are evidence, or None.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol, TypeAlias

from typing_extensions import override

from correlate.window.condition import Presence, Test
from correlate.window.entry import Entries
from correlate.window.measure import Distinct, Measure
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


class DistinctValues(Measured):
    """How many different values: exact up to a bound, then estimated for as long as they are too many.

    In a sketch adding again changes nothing, so winding back needs no undoing; what is estimated is no
    longer a function of the set of events alone, within the error that the alert states.
    """

    __slots__ = ("most",)

    def __init__(self, span_us: int, test: Test, most: int) -> None:
        super().__init__(span_us, Distinct(), test)
        self.most = most

    @override
    def step(self, entries: Entries, at: int) -> int | None:
        if self.sketch is None:
            since = super().step(entries, at)
            if self.measure.ratio(None)[0] > self.most:
                self._estimate(entries, at)
            return since
        time, _, _, value, *_ = entries[at]
        since = time - self.span_us
        self.start = bisect_left(entries, (since,), 0, at + 1)
        self.end = at + 1
        self.sketch.add(time, value)
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


class AllPresent:
    """The rules asked for were all seen in the span, in any order; O(rules)."""

    __slots__ = ("last", "presence", "simple", "span_us")
    sketch: SlidingSketch | None = None

    def __init__(self, span_us: int, parts: int, presence: Presence) -> None:
        self.span_us = span_us
        self.presence = presence
        self.last: list[int] = [_NEVER] * parts
        wanted, refused = presence.clauses[0]
        self.simple = len(presence.clauses) == 1 and not refused and len(wanted) == parts

    def step(self, entries: Entries, at: int) -> int | None:
        time, part, *_ = entries[at]
        last = self.last
        last[part] = time
        since = time - self.span_us
        if self.simple:
            oldest = min(last)
            return oldest if oldest >= since else None
        present = {index for index, seen in enumerate(last) if seen >= since}
        starts = [
            min(last[index] for index in wanted)
            for wanted, refused in self.presence.clauses
            if wanted <= present and refused.isdisjoint(present) and part in wanted
        ]
        return max(starts) if starts else None

    def rewind(self, entries: Entries, at: int) -> None:
        self.last = [_NEVER] * len(self.last)
        if at:
            since = bisect_left(entries, (entries[at - 1][0] - self.span_us,))
            for index in range(since, at):
                self.last[entries[index][1]] = entries[index][0]

    reset = rewind

    def trim(self, entries: Entries, count: int) -> None:
        pass


_NEVER = -(2**62)
_Step: TypeAlias = tuple[int, str]
"""Start of a sequence so far, and the id of the event that took its last step."""

_NO_STEP: _Step = (_NEVER, "")


class InOrder:
    """The rules asked for were seen in the order listed, each by another event; O(alternatives).

    Keeps, for each step, the sequence so far that started last: no other can outlive it. The second
    best, by another event, is kept because one event never takes two steps. Events of one time stand
    in any order, since logs by the second cannot say more: entries are sorted by time, then by part.
    """

    __slots__ = ("best", "chains", "span_us", "unwanted")
    sketch: SlidingSketch | None = None

    def __init__(self, span_us: int, presence: Presence) -> None:
        self.span_us = span_us
        self.chains = [
            (tuple(sorted(wanted)), tuple(sorted(refused))) for wanted, refused in presence.clauses
        ]
        self._clear()

    def _clear(self) -> None:
        self.best: list[list[list[_Step]]] = [
            [[_NO_STEP, _NO_STEP] for _ in wanted] for wanted, _ in self.chains
        ]
        self.unwanted: dict[int, int] = {}

    def step(self, entries: Entries, at: int) -> int | None:
        time, part, event, *_ = entries[at]
        since = time - self.span_us
        found = None
        for (wanted, refused), best in zip(self.chains, self.best, strict=True):
            if part not in wanted:
                continue
            place = wanted.index(part)
            start = time if place == 0 else _by_another(best[place - 1], event)
            if start >= since:
                _keep(best[place], (start, event))
                if (
                    place == len(wanted) - 1
                    and (found is None or start > found)
                    and all(self.unwanted.get(other, _NEVER) < since for other in refused)
                ):
                    found = start
        self.unwanted[part] = time
        return found

    def rewind(self, entries: Entries, at: int) -> None:
        self._clear()
        if at:
            # A sequence that still matters at `at` started at most one span before it.
            since = bisect_left(entries, (entries[at - 1][0] - self.span_us,))
            for index in range(since, at):
                self.step(entries, index)

    reset = rewind

    def trim(self, entries: Entries, count: int) -> None:
        pass


def _by_another(steps: list[_Step], event: str) -> int:
    return steps[1][0] if steps[0][1] == event else steps[0][0]


def _keep(steps: list[_Step], step: _Step) -> None:
    """Keep the two latest starts that end in different events."""
    if step[1] == steps[0][1]:
        steps[0] = max(steps[0], step)
    elif step >= steps[0]:
        steps[1] = steps[0]
        steps[0] = step
    elif step[1] == steps[1][1] or step[0] > steps[1][0]:
        steps[1] = max(steps[1], step)
