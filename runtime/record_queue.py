"""A queue between tasks of one loop, bounded by the records inside, not by the batches; fair between lanes.

Each source has a lane of its own and the lanes are served in turn, so that a burst of one source delays the
others by one batch and not by the whole burst. Within a lane, first in, first out. A lane can be held: it is not
served, takes nothing more, and what it has leaves its room to the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Lane(Generic[T]):
    items: deque[tuple[T, int]] = field(default_factory=deque)
    records: int = 0
    is_held: bool = False


class RecordQueue(Generic[T]):
    """First in, first out in each lane; `put` waits while the lanes not held have as many records as the bound.

    One batch may pass the bound, so a batch larger than the bound still goes through.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lanes: dict[str, _Lane[T]] = {}
        self._turn: deque[str] = deque()
        self._records = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ready = asyncio.Event()

    def __bool__(self) -> bool:
        """Whether `get` would return at once."""
        return bool(self._turn)

    async def put(self, item: T, records: int, lane: str = "") -> None:
        """Add, after waiting for room and until the lane is not held."""
        while self._records >= self._bound or self._lane(lane).is_held:
            self._room.clear()
            await self._room.wait()
        self.put_now(item, records, lane)

    def put_now(self, item: T, records: int, lane: str = "") -> None:
        """Add without waiting: for what must not wait and is few."""
        held = self._lane(lane)
        held.items.append((item, records))
        held.records += records
        if held.is_held:
            return
        self._records += records
        if len(held.items) == 1:
            self._turn.append(lane)
        self._ready.set()

    async def get(self, timeout_s: float) -> T | None:
        """Return the oldest item of the next lane, or None after this long, or when woken."""
        if not self._turn:
            self._ready.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
            except TimeoutError:
                return None
            if not self._turn:
                return None
        name = self._turn.popleft()
        lane = self._lanes[name]
        item, records = lane.items.popleft()
        lane.records -= records
        self._records -= records
        if lane.items:
            self._turn.append(name)
        self._room.set()
        return item

    def hold(self, lane: str) -> None:
        """Serve the lane no more, and let nothing in, until it is released."""
        held = self._lane(lane)
        if held.is_held:
            return
        held.is_held = True
        self._records -= held.records
        if held.items:
            self._turn.remove(lane)
        self._room.set()

    def release(self, lane: str) -> None:
        """Serve a held lane again."""
        held = self._lane(lane)
        if not held.is_held:
            return
        held.is_held = False
        self._records += held.records
        if held.items:
            self._turn.append(lane)
            self._ready.set()
        self._room.set()

    def wake(self) -> None:
        """Let a waiting `get` return."""
        self._ready.set()

    def _lane(self, name: str) -> _Lane[T]:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane()
        return lane
