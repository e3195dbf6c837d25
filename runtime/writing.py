"""One write at a time, beside the loop that fills the next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Writing:
    """The epoch that is being written while the next one fills.

    Its owner awaits `done` before it begins another, so epochs are written in their order and at most two are in memory.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def begin(self, write: Coroutine[None, None, None]) -> None:
        """Start a write; the one before must be done."""
        self._task = asyncio.create_task(write, name="write an epoch")

    async def done(self) -> None:
        """Wait for what is being written; raises what it raised."""
        if self._task is not None:
            await self._task

    def raise_failure(self) -> None:
        """Raise what the last write raised, without waiting for one that is under way."""
        if self._task is not None and self._task.done():
            self._task.result()
