"""When to read files again: the kernel says that a folder changed, or a span of time has passed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from ingest.streams.inotify import Inotify
from ingest.streams.path_matches import folder_of


class FolderWatch:
    """Waits for changes below a path; used in one event loop.

    Args:
        path: a file, folder or pattern.
        check: how often the folder is looked through where the kernel's word does not come.
    """

    def __init__(self, path: Path, check: timedelta) -> None:
        self._path = path
        self._check_s = check.total_seconds()
        self._wake = asyncio.Event()
        self._next_look = 0.0
        self._inotify: Inotify | None = None

    def open(self) -> None:
        """Begin to listen to the kernel; where it has no more watches to give, time alone wakes."""
        try:
            self._inotify = Inotify()
        except OSError:
            return
        self._inotify.watch(folder_of(self._path))
        asyncio.get_running_loop().add_reader(self._inotify, self._wake.set)

    async def wait(self) -> bool:
        """Wait until something may have changed; tell whether the folder is to be looked through."""
        timer = asyncio.get_running_loop().call_at(self._next_look, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()
        if self._inotify is not None and self._inotify.drain():
            self._next_look = 0.0
        return self.is_due()

    def is_due(self) -> bool:
        """Tell whether the folder is to be looked through again, `check` after the last time."""
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return False
        self._next_look = now + self._check_s
        if self._inotify is not None:
            self._inotify.watch(folder_of(self._path))  # again: the folder may be a new one
        return True

    def wake(self) -> None:
        """End a wait."""
        self._wake.set()

    def close(self) -> None:
        """Listen no more."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify)
            self._inotify.close()
            self._inotify = None
