"""The bounded space between connections that push and the engine that pulls.

Connections are paused while it is full, so that back-pressure reaches the sender through the protocol.
Everything runs on one event loop; nothing here is for threads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from contract.ports import Batch


class Inbox:
    """Batches in order of arrival.

    Args:
        bound_bytes: raw bytes held before `is_full`.
    """

    def __init__(self, bound_bytes: int) -> None:
        self._bound = bound_bytes
        self._held: deque[tuple[Batch, int]] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self._waiting: list[Callable[[], None]] = []
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether who pushes should pause."""
        return self._bytes >= self._bound

    def put(self, batch: Batch) -> None:
        """Add a batch; never refuses, so that what was read is not lost: check `is_full` before reading."""
        size = sum(map(len, batch.records))
        self._held.append((batch, size))
        self._bytes += size
        self._ready.set()

    def when_free(self, resume: Callable[[], None]) -> None:
        """Call `resume` once there is room again."""
        self._waiting.append(resume)

    def close(self) -> None:
        """Let `batches` end after what is held."""
        self._is_closed = True
        self._ready.set()

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield what comes until closed and empty."""
        while True:
            while self._held:
                batch, size = self._held.popleft()
                self._bytes -= size
                if self._waiting and self._bytes <= self._bound // 2:
                    waiting, self._waiting = self._waiting, []
                    for resume in waiting:
                        resume()
                yield batch
            if self._is_closed:
                return
            self._ready.clear()
            await self._ready.wait()
