"""Does a presence of rules hold at this event? In any order, or in the order listed; see `correlate.window.evaluate`.

What each entry replaced is noted, so that winding back costs what is wound back, not the time frame before it.
"""

from __future__ import annotations

from typing import TypeAlias

from correlate.window.condition import Presence
from correlate.window.entry import Entries
from correlate.window.sketch import SlidingSketch


class AllPresent:
    """The rules asked for were all seen in the span, in any order; O(rules)."""

    __slots__ = ("last", "oldest", "presence", "replaced", "simple", "span_us")
    sketch: SlidingSketch | None = None

    def __init__(self, span_us: int, parts: int, presence: Presence) -> None:
        self.span_us = span_us
        self.presence = presence
        self.last: list[int] = [_NEVER] * parts
        self.oldest = _NEVER
        """The least of `last`; mostly another part's than the newest entry's."""
        self.replaced: list[int] = []
        """For each entry taken, the time of the one of its part before it."""
        wanted, refused = presence.clauses[0]
        self.simple = len(presence.clauses) == 1 and not refused and len(wanted) == parts

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        time, part = entry[0], entry[1]
        last = self.last
        before, last[part] = last[part], time
        self.replaced.append(before)
        since = time - self.span_us
        if self.simple:
            oldest = self.oldest
            if before == oldest:
                oldest = self.oldest = min(last)
            return oldest if oldest >= since else None
        present = {index for index, seen in enumerate(last) if seen >= since}
        starts = [
            min(last[index] for index in wanted)
            for wanted, refused in self.presence.clauses
            if wanted <= present
            and refused.isdisjoint(present)
            and any(last[index] == time for index in wanted)
        ]
        return max(starts) if starts else None

    def rewind(self, entries: Entries, at: int) -> None:
        for index in range(len(self.replaced) - 1, at - 1, -1):
            self.last[entries[index][1]] = self.replaced.pop()
        self.oldest = min(self.last)

    def reset(self, entries: Entries, at: int) -> None:
        self.last = [_NEVER] * len(self.last)
        self.oldest = _NEVER
        self.replaced.clear()
        for index in range(at):
            self.step(entries, index)

    def trim(self, entries: Entries, count: int) -> None:
        del self.replaced[:count]


_NEVER = -(2**62)
_Step: TypeAlias = tuple[int, str]
"""Start of a sequence so far, and the id of the event that took its last step."""

_Steps: TypeAlias = tuple[_Step, _Step]
"""The two that started last, by different events, the later first."""

_NO_STEP: _Step = (_NEVER, "")
_Before: TypeAlias = tuple[list[tuple[int, int, _Steps]], list[tuple[int, int]], int]
"""What an entry replaced: (alternative, place, steps) for each, what had ended, when its part was seen."""


class InOrder:
    """The rules asked for were seen in the order listed, each by another event; O(alternatives).

    Keeps, for each step, the sequence so far that started last: no other can outlive it. The second
    best, by another event, is kept because one event never takes two steps. Events of one time stand
    in any order, since logs by the second cannot say more: entries are sorted by time, then by part; and what
    must not be there is looked for up to that time, also behind the last step.
    """

    __slots__ = ("best", "chains", "ended", "replaced", "simple", "span_us", "unwanted")
    sketch: SlidingSketch | None = None

    def __init__(self, span_us: int, parts: int, presence: Presence) -> None:
        self.span_us = span_us
        wanted, _ = presence.clauses[0]
        is_one = len(presence.clauses) == 1 and len(wanted) == parts
        self.simple = len(wanted) - 1 if is_one else 0
        """The last step where all parts are steps of one sequence; 0: it is not as simple."""
        self.chains = [
            (tuple(sorted(wanted)), tuple(sorted(refused))) for wanted, refused in presence.clauses
        ]
        self._clear()

    def _clear(self) -> None:
        self.best: list[list[_Steps]] = [
            [(_NO_STEP, _NO_STEP)] * len(wanted) for wanted, _ in self.chains
        ]
        self.unwanted: dict[int, int] = {}
        self.ended: list[tuple[int, int]] = [(_NEVER, _NEVER)] * len(self.chains)
        """For each alternative, (time, start) of the last that was whole; of one time, the latest start."""
        self.replaced: list[tuple[_Steps, tuple[int, int]] | _Before] = []
        """For each entry taken, what it replaced."""

    def step(self, entries: Entries, at: int) -> int | None:
        entry = entries[at]
        time, part, event = entry[0], entry[1], entry[2]
        since = time - self.span_us
        if self.simple:
            return self._next(time, part, event, since)
        changed: list[tuple[int, int, _Steps]] = []
        self.replaced.append((changed, self.ended, self.unwanted.get(part, _NEVER)))
        self.ended = list(self.ended)
        self.unwanted[part] = time
        found = None
        for number, ((wanted, refused), best) in enumerate(
            zip(self.chains, self.best, strict=True)
        ):
            if part in wanted:
                place = wanted.index(part)
                start = time if place == 0 else _by_another(best[place - 1], event)
                if start >= since:
                    changed.append((number, place, best[place]))
                    best[place] = _with(best[place], (start, event))
                    if place == len(wanted) - 1:
                        self.ended[number] = max(self.ended[number], (time, start))
            ended, start = self.ended[number]
            if (
                ended == time
                and (found is None or start > found)
                and all(self.unwanted.get(other, _NEVER) < since for other in refused)
            ):
                found = start
        return found

    def _next(self, time: int, part: int, event: str, since: int) -> int | None:
        """Take a step of the one sequence that there is, of which every part is a step."""
        best = self.best[0]
        steps, whole = best[part], self.ended[0]
        self.replaced.append((steps, whole))
        if part == 0:
            # Later than all before it, but for those of its own time.
            if event != steps[0][1] and time > steps[0][0]:
                best[0] = (time, event), steps[0]
            else:
                best[0] = _with(steps, (time, event))
            return None
        start = _by_another(best[part - 1], event)
        if start >= since:
            best[part] = _with(steps, (start, event))
        if part < self.simple:
            return None
        if start >= since and (time, start) > whole:
            self.ended[0] = whole = (time, start)
        return whole[1] if whole[0] == time else None

    def rewind(self, entries: Entries, at: int) -> None:
        for index in range(len(self.replaced) - 1, at - 1, -1):
            part = entries[index][1]
            before = self.replaced.pop()
            if len(before) == 2:  # noqa: PLR2004  the one sequence
                self.best[0][part], self.ended[0] = before
                continue
            changed, self.ended, self.unwanted[part] = before
            for number, place, steps in changed:
                self.best[number][place] = steps

    def reset(self, entries: Entries, at: int) -> None:
        self._clear()
        for index in range(at):
            self.step(entries, index)

    def trim(self, entries: Entries, count: int) -> None:
        del self.replaced[:count]


def _by_another(steps: _Steps, event: str) -> int:
    return steps[1][0] if steps[0][1] == event else steps[0][0]


def _with(steps: _Steps, step: _Step) -> _Steps:
    """Return the two latest starts that end in different events."""
    first, second = steps
    if step[1] == first[1]:
        return max(first, step), second
    if step >= first:
        return step, first
    if step[1] == second[1] or step[0] > second[0]:
        return first, max(second, step)
    return steps
