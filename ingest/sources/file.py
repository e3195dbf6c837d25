"""Log files: followed through rotation and truncation, or read once for a replay; gzip read once.

The position names every file by device, inode and the hash of its first bytes, at the start of a line
after the last record handed over, so that kill -9 neither skips nor repeats. A file renamed while
nobody looked (logrotate's default), packed or copied away, is found again beside its old name and read to its end first; one
that came and went unseen by its time of change, where its log has turned since the last look. Rotation
by copy and truncate can lose what is written between the copy and the truncation; that is a property of it.

What stood in the files when a source began is read file by file, oldest first. From then on each log has its turn, so
that one that is written faster than it is read keeps no other waiting; a new file of a log waits for the one it follows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from glob import escape
from pathlib import Path
from typing import Any, Final

from contract.errors import SettingsError
from contract.ports import Batch, Meter, SourceType
from ingest.streams.file_settings import FileSettings
from ingest.streams.folder_watch import FolderWatch
from ingest.streams.open_files import SLACK_NS, OpenFiles
from ingest.streams.path_matches import by_age, is_rotated, matches, rotated_of
from ingest.streams.place import (
    Place,
    copies,
    from_position,
    key_of,
    looked_at,
    place_of,
)

MAX_BEGINNINGS: Final = 8
"""How often files are opened anew at the beginning, while names come to mean other files under it."""


class FileSource:
    """The files of one setting."""

    def __init__(
        self, name: str, settings: FileSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._files = OpenFiles(name, settings, meter, now_us)
        self._leaving: dict[tuple[int, int], float] = {}
        self._is_closed = False
        self._waiting: list[tuple[Path, int]] = []
        self._watch = FolderWatch(settings.path, settings.check)
        if not settings.follow and not matches(self._settings.path):
            raise SettingsError(f"source {name}: no file matches {settings.path}")

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield lines from `position`; without `follow`, end at the end of the last file.

        Raises:
            StoreError: `position` cannot be read.
            SettingsError: without `follow`, a file cannot be opened.
        """
        places = from_position(position)
        self._files.looked_ns, self._files.turned = looked_at(position, self._files.looked_ns)
        self._begin(places, is_first=position is None)
        if self._settings.follow:
            self._watch.open()
        try:
            while not self._stopping():
                quiet = True
                async for batch in self._round():
                    quiet = False
                    yield batch
                if not self._settings.follow:
                    if quiet and not self._waiting:
                        return
                    if quiet:
                        self._files.open(*self._waiting.pop(0))
                    continue
                for batch in self._files.caught_up() if quiet else ():
                    yield batch
                if await self._watch.wait() if quiet else self._watch.is_due():
                    for batch in self._look_around():
                        yield batch
        finally:
            self._release()

    async def _round(self) -> AsyncIterator[Batch]:
        """Yield what is new, a turn of each file."""
        behind: set[Path] = set()
        for tail in list(self._files.tails.values()):
            if tail.path in behind:  # the file that it follows is not read to its end yet
                continue
            for batch in self._files.read(tail):
                yield batch
                await asyncio.sleep(0)
                if self._stopping():
                    return
            if tail.is_behind:
                behind.add(tail.path)

    async def close(self) -> None:
        """End after the batch that is being handed over."""
        self._is_closed = True
        self._watch.wake()

    def _begin(self, places: list[Place], *, is_first: bool) -> None:
        """Open what the places speak of, under whatever name it has now, what was rotated since, and what else matches.

        A file that is renamed between being listed and being opened would be missed, or taken for another: all is opened
        anew until no name came to mean another file meanwhile.
        """
        for _ in range(MAX_BEGINNINGS):
            named = self._named(places)
            self._open_all(places, list(named), is_first=is_first)
            if self._named(places) == named:
                return
            self._files.close()
            self._waiting.clear()
        self._open_all(places, list(self._named(places)), is_first=is_first)

    def _named(self, places: list[Place]) -> dict[Path, tuple[int, int] | None]:
        """Return which file each name means now: those beside the places, and all that match."""
        beside = (
            path
            for place in places
            for path in Path(place.path).parent.glob(f"{escape(Path(place.path).name)}*")
        )
        return {path: key_of(path) for path in (*beside, *matches(self._settings.path))}

    def _open_all(self, places: list[Place], named: list[Path], *, is_first: bool) -> None:
        matching = set(matches(self._settings.path))
        at_end = is_first and self._settings.follow and self._settings.start == "end"
        rotated_ns: int | None = None
        copied = copies(places, named)
        self._files.turned |= {
            Path(one.path)
            for one in places
            if not one.offset or not place_of(Path(one.path), [one])
        }
        parts = set(rotated_of(self._files.turned))
        for changed_ns, path in by_age(named):
            place = place_of(path, places) or copied.get(path)
            if place is not None and str(path) != place.path and rotated_ns is None:
                rotated_ns = changed_ns
            # Behind a file that was rotated away while nobody looked may stand others, rotated after it.
            follows = rotated_ns is not None and changed_ns >= rotated_ns and is_rotated(path.name)
            unseen = path in parts and changed_ns >= self._files.looked_ns - SLACK_NS
            if place is None and path not in matching and not (follows or unseen):
                continue
            offset = place.offset if place else 0
            if self._settings.follow:
                self._files.open(path, offset, at_end=at_end, is_first=True)
            else:
                self._waiting.append((path, offset))

    def _look_around(self) -> Iterable[Batch]:
        """Let go of files that were rotated away and have been silent; open new ones."""
        now = asyncio.get_running_loop().time()
        matching = matches(self._settings.path)
        for key, tail in list(self._files.tails.items()):
            if tail.path in matching and not tail.is_moved():
                self._leaving.pop(key, None)
                if not tail.is_packed and tail.was_truncated():
                    self._files.turned.add(tail.path)
                continue
            self._files.turned.add(tail.path)
            until = self._leaving.setdefault(key, now + self._settings.settle.total_seconds())
            if now < until or tail.is_behind:
                continue
            while last := tail.lines(self._settings.batch_records):
                yield self._files.batch(tail, last)
            rest = tail.rest()
            self._leaving.pop(key)
            self._files.finish(tail)
            if rest:
                yield self._files.batch(tail, rest)
        yield from self._take_up(matching)

    def _take_up(self, matching: list[Path]) -> Iterable[Batch]:
        """Open what is new among what matches, and what came and was rotated away since the last look."""
        now_ns, settle_ns = time.time_ns(), int(self._settings.settle.total_seconds() * 1e9)
        new = {path for path in matching if not self._files.is_known(path)}
        self._files.turned |= new
        beside = set(rotated_of(self._files.turned)) - set(matching)
        present, is_waiting = set(), False
        for changed_ns, path in by_age([*matching, *beside]):
            if (key := key_of(path)) is None:
                continue
            present.add(key)
            if path not in beside:
                is_new = path in new
            else:
                is_new = (
                    changed_ns >= self._files.looked_ns - SLACK_NS
                    and not self._files.is_known(path)
                )
            if not is_new:
                continue
            if (path in beside or path.suffix == ".gz") and 0 <= now_ns - changed_ns < settle_ns:
                is_waiting = True  # it may still be written
                continue
            self._files.done.pop(key, None)
            yield from self._files.open_new(path, is_beside=path in beside)
        if not is_waiting:  # else what it was made of, and since when, must not be forgotten
            self._files.looked_ns = now_ns
            self._files.turned.clear()
            self._files.done = {
                key: place for key, place in self._files.done.items() if key in present
            }

    def _stopping(self) -> bool:
        return self._is_closed

    def _release(self) -> None:
        self._watch.close()
        self._files.close()


SOURCE = SourceType("file", FileSettings, FileSource, reads_back=True)
