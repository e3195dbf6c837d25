"""Hosts one stage: opens the logic of each key, wakes it in time, collects what changed. Used by every host."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Generic, TypeAlias

from contract.errors import ClockError
from contract.ports import UNCHANGED, In, Logic, Momentary, Out, Stage

Changes: TypeAlias = dict[tuple[str, str, str], bytes | None]
"""(stage, key, part) to its new state; None: gone."""

NEVER = 2**63 - 1
"""A time that no watermark reaches."""


class StageRunner(Generic[In, Out]):
    """The keys of one stage and their timers.

    Keys whose logic says that it is empty are forgotten when their changes are collected, so memory follows
    what is open, not what was ever seen.

    Attributes:
        woken: the key whose time has come, while `advance` tells what it says.
    """

    def __init__(self, stage: Stage[In, Out]) -> None:
        self.stage = stage
        self.woken = ""
        self._open: dict[str, Logic[In, Out]] = {}
        self._dirty: set[str] = set()
        self._timers: list[tuple[int, str]] = []
        self._wake: dict[str, int] = {}
        self._now_us = 0
        self._momentary: dict[str, Momentary[Out]] = {}
        self._left: Changes = {}

    def __len__(self) -> int:
        """Return how many keys are open; a logic that stands for several (it has a length) counts as so many."""
        return sum(len(one) if isinstance(one, Sized) else 1 for one in self._open.values())

    def restore(self, saved: Iterable[tuple[str, Mapping[str, bytes]]], now_us: int) -> None:
        """Open every key that has state; timers start from the stored watermark."""
        self._now_us = max(self._now_us, now_us)
        for key, parts in saved:
            self._rearm(key, self._opened(key, parts))

    def replace(self, stage: Stage[In, Out]) -> int:
        """Go on with the stage of other rules, at rest (right after `changes`); return how many keys lost their state.

        Raises:
            AssertionError: the stage cannot be replaced, or changes are still to be collected.
        """
        if stage.renew is None or self._dirty:
            raise AssertionError(f"stage {stage.name} cannot be replaced now")
        lost = 0
        for key, logic in list(self._open.items()):
            renewed = stage.renew(key, logic)
            if renewed is not logic:
                # At once, so that the next item of this key finds a new logic.
                self._put(key, renewed)
                self._collect(key, renewed, self._left)
                lost += 1
        self.stage = stage
        return lost

    def take(self, item: In) -> Iterable[Out]:
        """Give an item to the logic of each of its keys; return what they say, in order of keys."""
        outputs: Iterable[Out] = ()
        for key in self.stage.keys(item):
            logic = self._open.get(key)
            if logic is None:
                logic = self._opened(key, {})
            self._dirty.add(key)
            said = logic.on_item(item)
            if said is UNCHANGED:
                continue
            if said:  # an iterator always counts as something: it is run here, before the next key has its turn
                outputs = [*outputs, *said]
            wake = logic.wake_at()
            if wake != self._wake.get(key):
                self._set_timer(key, wake)
        return outputs

    def begin(self, cause_us: int) -> Iterator[Out]:
        """Say that what follows was caused at this time; yield what logics that waited for that say."""
        for key, logic in self._momentary.items():
            said = logic.on_moment(cause_us)
            if said:
                self._dirty.add(key)
                self._set_timer(key, self._open[key].wake_at())
                yield from said

    def advance(self, now_us: int) -> Iterator[Out]:
        """Take the watermark; wake, in order of their times, the logics that asked for it. O(woken log timers).

        Raises:
            ClockError: time went backwards.
        """
        if now_us < self._now_us:
            raise ClockError(
                f"watermark of stage {self.stage.name} went from {self._now_us} to {now_us}"
            )
        self._now_us = now_us
        timers = self._timers
        while timers and timers[0][0] <= now_us:
            at, key = heapq.heappop(timers)
            if self._wake.get(key) != at:
                continue
            del self._wake[key]
            logic = self._open[key]
            self._dirty.add(key)
            self.woken = key
            yield from logic.on_time(now_us)
            wake = logic.wake_at()
            # A logic that asks again for no later time would spin: its next turn is the next watermark.
            if wake is not None and wake <= at:
                wake = now_us + 1
            self._set_timer(key, wake)

    def next_wake(self) -> int:
        """Return the earliest time that `advance` has work for, or later; `NEVER` when none. May be early."""
        return self._timers[0][0] if self._timers else NEVER

    def is_dirty(self) -> bool:
        """Tell whether a logic was touched since the last `changes`."""
        return bool(self._dirty or self._left)

    def changes(self) -> Changes:
        """Return what changed since the last call, and forget empty keys. O(changed keys)."""
        changed, self._left = self._left, {}
        for key in sorted(self._dirty):
            self._collect(key, self._open[key], changed)
        self._dirty.clear()
        return changed

    def _opened(self, key: str, parts: Mapping[str, bytes]) -> Logic[In, Out]:
        logic = self.stage.open(key, parts)
        self._put(key, logic)
        return logic

    def _put(self, key: str, logic: Logic[In, Out]) -> None:
        self._open[key] = logic
        self._momentary.pop(key, None)
        if self.stage.has_moments and isinstance(logic, Momentary):
            self._momentary[key] = logic

    def _collect(self, key: str, logic: Logic[In, Out], changed: Changes) -> None:
        for part, data in logic.snapshot().items():
            changed[self.stage.name, key, part] = data
        if logic.is_empty():
            del self._open[key]
            self._momentary.pop(key, None)
            self._wake.pop(key, None)

    def _rearm(self, key: str, logic: Logic[In, Out]) -> None:
        self._set_timer(key, logic.wake_at())

    def _set_timer(self, key: str, wake: int | None) -> None:
        if wake is None:
            self._wake.pop(key, None)
            return
        self._wake[key] = wake
        heapq.heappush(self._timers, (wake, key))
        if len(self._timers) > 64 + 4 * len(self._wake):
            self._timers = [(at, one) for one, at in self._wake.items()]
            heapq.heapify(self._timers)
