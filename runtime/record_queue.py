"""A queue between tasks of one loop, bounded by the records inside, not by the batches."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class RecordQueue(Generic[T]):
    """First in, first out; `put` waits while it holds as many records as the bound.

    One batch may pass the bound, so a batch larger than the bound still goes through.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._items: deque[tuple[T, int]] = deque()
        self._records = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: T, records: int) -> None:
        """Add, after waiting for room."""
        while self._records >= self._bound:
            self._room.clear()
            await self._room.wait()
        self.put_now(item, records)

    def put_now(self, item: T, records: int) -> None:
        """Add without waiting: for what must not wait and is few."""
        self._items.append((item, records))
        self._records += records
        self._ready.set()

    async def get(self, timeout_s: float) -> T | None:
        """Return the oldest item, or None after this long, or when woken."""
        if not self._items:
            self._ready.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
            except TimeoutError:
                return None
            if not self._items:
                return None
        item, records = self._items.popleft()
        self._records -= records
        self._room.set()
        return item

    def wake(self) -> None:
        """Let a waiting `get` return."""
        self._ready.set()
