"""A queue between tasks of one loop, bounded by the records inside, not by the batches; fair between lanes.

Each source has a lane of its own and the lanes are served in turn, so that a burst of one source delays the
others by one batch and not by the whole burst. Within a lane, first in, first out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class RecordQueue(Generic[T]):
    """First in, first out in each lane; `put` waits while it holds as many records as the bound.

    One batch may pass the bound, so a batch larger than the bound still goes through.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lanes: dict[str, deque[tuple[T, int]]] = {}
        self._turn: deque[str] = deque()
        self._count = 0
        self._records = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    async def put(self, item: T, records: int, lane: str = "") -> None:
        """Add, after waiting for room."""
        while self._records >= self._bound:
            self._room.clear()
            await self._room.wait()
        self.put_now(item, records, lane)

    def put_now(self, item: T, records: int, lane: str = "") -> None:
        """Add without waiting: for what must not wait and is few."""
        held = self._lanes.setdefault(lane, deque())
        if not held:
            self._turn.append(lane)
        held.append((item, records))
        self._count += 1
        self._records += records
        self._ready.set()

    async def get(self, timeout_s: float) -> T | None:
        """Return the oldest item, or None after this long, or when woken."""
        if not self._count:
            self._ready.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
            except TimeoutError:
                return None
            if not self._count:
                return None
        lane = self._turn.popleft()
        held = self._lanes[lane]
        item, records = held.popleft()
        self._count -= 1
        if held:
            self._turn.append(lane)
        self._records -= records
        self._room.set()
        return item

    def wake(self) -> None:
        """Let a waiting `get` return."""
        self._ready.set()
