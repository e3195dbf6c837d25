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
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import SettingsError
from contract.ports import Batch, Meter, SourceType
from contract.timespan import Timespan
from ingest.streams.folder_watch import FolderWatch
from ingest.streams.path_matches import by_age, is_rotated, matches, rotated_of
from ingest.streams.place import (
    Place,
    copies,
    from_position,
    key_of,
    looked_at,
    place_of,
    to_position,
)
from ingest.streams.tail import Tail
from ingest.streams.tail_forms import PcapTail, WholeTail

_TURN_BATCHES = 4
"""A followed file's turn, while others wait."""
_SLACK_NS = 20_000_000
"""How far the kernel's clock for times of change may lie behind the wall clock: a tick, generously."""


class FileSettings(BaseModel):
    """Which files, and how.

    Attributes:
        path: a file, a folder (all files in it), or a pattern such as `/var/log/*.log`.
        follow: wait for more; without, read to the end and stop.
        start: where to begin in a file seen for the first time at the first start; files that appear
            later are always read from their beginning.
        check: how often folders are looked through where the kernel's word does not come.
        records: what a record is: a line; a packet of a capture (`pcap`: pf's log); or the `whole` file, once it stays as it is
            for `settle` (boot event logs, measurement lists, quotes dropped into a folder).
        settle: how long a file that was rotated away is still read, and how long a packed one must rest before it is.
        max_record_bytes: longer lines are cut to one byte more, and refused by the normalizer.
        batch_records: about how many lines are handed over at once.
        max_files: open at once; more matching files wait and are counted in `files_waiting`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    follow: bool = True
    start: Literal["beginning", "end"] = "beginning"
    records: Literal["lines", "pcap", "whole"] = "lines"
    check: Timespan = timedelta(seconds=1)
    settle: Timespan = timedelta(seconds=5)
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    max_files: Annotated[int, Field(ge=1, le=10_000)] = 512


class FileSource:
    """The files of one setting."""

    def __init__(
        self, name: str, settings: FileSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self._tails: dict[tuple[int, int], Tail] = {}
        self._done: dict[tuple[int, int], Place] = {}
        self._leaving: dict[tuple[int, int], float] = {}
        self._turned: set[Path] = set()
        self._looked_ns = time.time_ns()
        self._is_closed = False
        self._has_more = True
        self._has_caught_up = False
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
        self._looked_ns, self._turned = looked_at(position, self._looked_ns)
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
                        self._open(*self._waiting.pop(0))
                    continue
                for batch in self._caught_up() if quiet else ():
                    yield batch
                if await self._watch.wait() if quiet else self._watch.is_due():
                    for batch in self._look_around():
                        yield batch
        finally:
            self._release()

    async def _round(self) -> AsyncIterator[Batch]:
        """Yield what is new, a turn of each file."""
        behind: set[Path] = set()
        for tail in list(self._tails.values()):
            if tail.path in behind:  # the file that it follows is not read to its end yet
                continue
            for batch in self._read(tail):
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
        """Open what the places speak of, under whatever name it has now, what was rotated since, and what else matches."""
        beside = [
            path
            for place in places
            for path in Path(place.path).parent.glob(f"{escape(Path(place.path).name)}*")
        ]
        matching = matches(self._settings.path)
        at_end = is_first and self._settings.follow and self._settings.start == "end"
        rotated_ns: int | None = None
        copied = copies(places, beside)
        self._turned |= {
            Path(one.path)
            for one in places
            if not one.offset or not place_of(Path(one.path), [one])
        }
        parts = set(rotated_of(self._turned))
        for changed_ns, path in by_age([*beside, *matching]):
            place = place_of(path, places) or copied.get(path)
            if place is not None and str(path) != place.path and rotated_ns is None:
                rotated_ns = changed_ns
            # Behind a file that was rotated away while nobody looked may stand others, rotated after it.
            follows = rotated_ns is not None and changed_ns >= rotated_ns and is_rotated(path.name)
            unseen = path in parts and changed_ns >= self._looked_ns - _SLACK_NS
            if place is None and path not in matching and not (follows or unseen):
                continue
            offset = place.offset if place else 0
            if self._settings.follow:
                self._open(path, offset, at_end=at_end, is_first=True)
            else:
                self._waiting.append((path, offset))

    def _open(
        self, path: Path, offset: int = 0, *, at_end: bool = False, is_first: bool = False
    ) -> None:
        try:
            tail = self._tail(path, offset)
        except OSError as error:
            self._meter.add("file_errors", source=self._name)
            if not self._settings.follow:
                raise SettingsError(f"source {self._name}: {path}: {error.strerror}") from error
            return
        key = (tail.dev, tail.inode)
        if key in self._tails or len(self._tails) >= self._settings.max_files:
            self._meter.set("files_waiting", int(key not in self._tails), source=self._name)
            tail.close()
            return
        if at_end and not tail.is_packed:
            tail.skip_to_end()
        if is_first:
            tail.stood = tail.size()
        self._tails[key] = tail
        self._meter.set("files_open", len(self._tails), source=self._name)

    def _tail(self, path: Path, offset: int) -> Tail:
        bound = self._settings.max_record_bytes
        if self._settings.records == "pcap":
            return PcapTail(path, bound, offset)
        if self._settings.records == "whole":
            settle = self._settings.settle.total_seconds() if self._settings.follow else 0.0
            return WholeTail(path, bound, offset, settle)
        return Tail(path, bound, offset)

    def _read(self, tail: Tail) -> Iterable[Batch]:
        """Yield what is new in one file, batch by batch, while its turn lasts."""
        if self._settings.follow and not tail.is_packed and tail.was_truncated():
            yield from self._begin_anew(tail)
        turn = 0
        tail.is_behind = False
        while True:
            try:
                lines = tail.lines(self._settings.batch_records)
            except OSError:
                self._meter.add("file_errors", source=self._name)
                self._finish(tail)
                return
            if not lines:
                break
            yield self._batch(tail, lines)
            turn += 1
            if turn >= _TURN_BATCHES and self._must_yield(tail):
                tail.is_behind = True
                return
        if tail.is_packed or not self._settings.follow:
            rest = tail.rest()
            self._finish(tail)
            if rest:
                yield self._batch(tail, rest)

    def _begin_anew(self, tail: Tail) -> Iterable[Batch]:
        """Yield what was not read of a file before it was truncated: of its copy, if there is one."""
        self._meter.add("files_truncated", source=self._name)
        self._turned.add(tail.path)
        beside = list(tail.path.parent.glob(f"{escape(tail.path.name)}*"))
        copy, place = next(iter(copies([tail.place], beside).items()), (None, tail.place))
        rest = tail.rest() if copy is None else []
        tail.restart()
        if rest:
            yield self._batch(tail, rest)
        if copy is not None:
            self._open(copy, place.offset, is_first=True)
            for other in [one for one in self._tails.values() if one.path == copy]:
                yield from self._read(other)

    def _must_yield(self, tail: Tail) -> bool:
        """Tell whether another file has its turn: not in a replay, and not before what stood in this one is read."""
        return self._settings.follow and tail.read_to() >= tail.stood

    def _finish(self, tail: Tail) -> None:
        key = (tail.dev, tail.inode)
        self._done[key] = tail.place
        del self._tails[key]
        tail.close()

    def _look_around(self) -> Iterable[Batch]:
        """Let go of files that were rotated away and have been silent; open new ones."""
        now = asyncio.get_running_loop().time()
        matching = matches(self._settings.path)
        for key, tail in list(self._tails.items()):
            if tail.path in matching and not tail.is_moved():
                self._leaving.pop(key, None)
                if not tail.is_packed and tail.was_truncated():
                    self._turned.add(tail.path)
                continue
            self._turned.add(tail.path)
            until = self._leaving.setdefault(key, now + self._settings.settle.total_seconds())
            if now < until or tail.is_behind:
                continue
            while last := tail.lines(self._settings.batch_records):
                yield self._batch(tail, last)
            rest = tail.rest()
            self._leaving.pop(key)
            self._finish(tail)
            if rest:
                yield self._batch(tail, rest)
        yield from self._take_up(matching)

    def _take_up(self, matching: list[Path]) -> Iterable[Batch]:
        """Open what is new among what matches, and what came and was rotated away since the last look."""
        now_ns, settle_ns = time.time_ns(), int(self._settings.settle.total_seconds() * 1e9)
        new = {path for path in matching if not self._is_known(path)}
        self._turned |= new
        beside = set(rotated_of(self._turned)) - set(matching)
        present, is_waiting = set(), False
        for changed_ns, path in by_age([*matching, *beside]):
            if (key := key_of(path)) is None:
                continue
            present.add(key)
            if path not in beside:
                is_new = path in new
            else:
                is_new = changed_ns >= self._looked_ns - _SLACK_NS and not self._is_known(path)
            if not is_new:
                continue
            if (path in beside or path.suffix == ".gz") and 0 <= now_ns - changed_ns < settle_ns:
                is_waiting = True  # it may still be written
                continue
            self._done.pop(key, None)
            yield from self._open_new(path, is_beside=path in beside)
        if not is_waiting:  # else what it was made of, and since when, must not be forgotten
            self._looked_ns = now_ns
            self._turned.clear()
            self._done = {key: place for key, place in self._done.items() if key in present}

    def _is_known(self, path: Path) -> bool:
        """Tell whether a file is being read, or was read to its end."""
        key = key_of(path)
        if key is None or key in self._tails:
            return key in self._tails
        place = self._done.get(key)
        # Of an empty file there is nothing to know it by, and another may bear its inode's number by now.
        return place is not None and place.head_bytes > 0 and place_of(path, [place]) is not None

    def _open_new(self, path: Path, *, is_beside: bool) -> Iterable[Batch]:
        """Open a file; of a copy of one that is being read, what stands behind the place reached there."""
        for tail in [one for one in self._tails.values() if one.place.is_copied_to(path)]:
            if not tail.is_moved():
                if is_beside:
                    return  # taken up when the file is truncated
                continue
            while lines := tail.lines(self._settings.batch_records):
                yield self._batch(tail, lines)
        made_of = next((one for one in self._places() if one.is_copied_to(path)), None)
        self._open(path, made_of.offset if made_of else 0)

    def _batch(self, tail: Tail, lines: list[bytes]) -> Batch:
        self._meter.add("records_read", len(lines), source=self._name)
        self._meter.add("bytes_read", tail.bytes_read, source=self._name)
        tail.bytes_read = 0
        if tail.cut:
            self._meter.add("dropped_bound", tail.cut, source=self._name)
            tail.cut = 0
        self._has_more = not self._has_caught_up or tail.has_more
        position = self._position()
        sender = str(tail.path)
        return Batch(self._name, lines, self._now_us(), position, sender, self._has_more)

    def _caught_up(self) -> Iterable[Batch]:
        """Say that nothing is left of what was written before, if the last batch did not."""
        self._has_caught_up = True
        if self._has_more:
            self._has_more = False
            yield Batch(self._name, [], self._now_us(), self._position())

    def _position(self) -> Any:
        return to_position(self._places(), self._looked_ns, self._turned)

    def _places(self) -> list[Place]:
        return [*self._done.values(), *(one.place for one in self._tails.values())]

    def _stopping(self) -> bool:
        return self._is_closed

    def _release(self) -> None:
        self._watch.close()
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()


SOURCE = SourceType("file", FileSettings, FileSource, reads_back=True)
