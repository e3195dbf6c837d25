"""The files that a source of files is reading: how far each is read, and which were read to their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from glob import escape
from pathlib import Path
from typing import Any

from contract.errors import SettingsError
from contract.ports import Batch, Meter
from ingest.streams.file_settings import FileSettings
from ingest.streams.place import Place, copies, key_of, place_of, to_position
from ingest.streams.tail import Tail
from ingest.streams.tail_forms import PcapTail, WholeTail

TURN_BATCHES = 4
"""A followed file's turn, while others wait."""
SLACK_NS = 20_000_000
"""How far the kernel's clock for times of change may lie behind the wall clock: a tick, generously."""


class OpenFiles:
    """Opens files, reads them in turns, and says in each batch how far all are read.

    Args:
        name: of the source.
        settings: of the source.
        meter: counts what is read and what cannot be.
        now_us: arrival of what is read now.

    Attributes:
        tails: what is being read, by device and inode, in order of turns.
        done: what was read to its end and is still there.
        turned: logs of which a part was rotated away, or came, since the last look.
        looked_ns: when the last look around was.
    """

    def __init__(
        self, name: str, settings: FileSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self.tails: dict[tuple[int, int], Tail] = {}
        self.done: dict[tuple[int, int], Place] = {}
        self.turned: set[Path] = set()
        self.looked_ns = time.time_ns()
        self._has_more = True
        self._has_caught_up = False

    def open(
        self, path: Path, offset: int = 0, *, at_end: bool = False, is_first: bool = False
    ) -> None:
        """Read a file from now on; what cannot be opened is counted, and so is one for which there is no room.

        Args:
            path: its name now.
            offset: where to begin.
            at_end: begin at its end.
            is_first: what stands in it is read before others have their turns.

        Raises:
            SettingsError: without `follow`, it cannot be opened.
        """
        try:
            tail = self._tail(path, offset)
        except OSError as error:
            self._meter.add("file_errors", source=self._name)
            if not self._settings.follow:
                raise SettingsError(f"source {self._name}: {path}: {error.strerror}") from error
            return
        key = (tail.dev, tail.inode)
        if key in self.tails or len(self.tails) >= self._settings.max_files:
            self._meter.set("files_waiting", int(key not in self.tails), source=self._name)
            tail.close()
            return
        if at_end and not tail.is_packed:
            tail.skip_to_end()
        if is_first:
            tail.stood = tail.size()
        self.tails[key] = tail
        self._meter.set("files_open", len(self.tails), source=self._name)

    def _tail(self, path: Path, offset: int) -> Tail:
        bound = self._settings.max_record_bytes
        if self._settings.records == "pcap":
            return PcapTail(path, bound, offset)
        if self._settings.records == "whole":
            settle = self._settings.settle.total_seconds() if self._settings.follow else 0.0
            return WholeTail(path, bound, offset, settle)
        return Tail(path, bound, offset)

    def read(self, tail: Tail) -> Iterable[Batch]:
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
                self.finish(tail)
                return
            if not lines:
                break
            yield self.batch(tail, lines)
            turn += 1
            if turn >= TURN_BATCHES and self._must_yield(tail):
                tail.is_behind = True
                return
        if tail.is_packed or not self._settings.follow:
            rest = tail.rest()
            self.finish(tail)
            if rest:
                yield self.batch(tail, rest)

    def _begin_anew(self, tail: Tail) -> Iterable[Batch]:
        """Yield what was not read of a file before it was truncated: of its copy, if there is one."""
        self._meter.add("files_truncated", source=self._name)
        self.turned.add(tail.path)
        beside = list(tail.path.parent.glob(f"{escape(tail.path.name)}*"))
        copy, place = next(iter(copies([tail.place], beside).items()), (None, tail.place))
        rest = tail.rest() if copy is None else []
        tail.restart()
        if rest:
            yield self.batch(tail, rest)
        if copy is not None:
            self.open(copy, place.offset, is_first=True)
            for other in [one for one in self.tails.values() if one.path == copy]:
                yield from self.read(other)

    def _must_yield(self, tail: Tail) -> bool:
        """Tell whether another file has its turn: not in a replay, and not before what stood in this one is read."""
        return self._settings.follow and tail.read_to() >= tail.stood

    def finish(self, tail: Tail) -> None:
        """Close a file, and remember how far it was read."""
        key = (tail.dev, tail.inode)
        self.done[key] = tail.place
        del self.tails[key]
        tail.close()

    def is_known(self, path: Path) -> bool:
        """Tell whether a file is being read, or was read to its end."""
        key = key_of(path)
        if key is None or key in self.tails:
            return key in self.tails
        place = self.done.get(key)
        # Of an empty file there is nothing to know it by, and another may bear its inode's number by now.
        return place is not None and place.head_bytes > 0 and place_of(path, [place]) is not None

    def open_new(self, path: Path, *, is_beside: bool) -> Iterable[Batch]:
        """Open a file; of a copy of one that is being read, what stands behind the place reached there."""
        for tail in [one for one in self.tails.values() if one.place.is_copied_to(path)]:
            if not tail.is_moved():
                if is_beside:
                    return  # taken up when the file is truncated
                continue
            while lines := tail.lines(self._settings.batch_records):
                yield self.batch(tail, lines)
        made_of = next((one for one in self._places() if one.is_copied_to(path)), None)
        self.open(path, made_of.offset if made_of else 0)

    def batch(self, tail: Tail, lines: list[bytes]) -> Batch:
        """Return lines of a file with the position of all files behind them."""
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

    def caught_up(self) -> Iterable[Batch]:
        """Say that nothing is left of what was written before, if the last batch did not."""
        self._has_caught_up = True
        if self._has_more:
            self._has_more = False
            yield Batch(self._name, [], self._now_us(), self._position())

    def _position(self) -> Any:
        return to_position(self._places(), self.looked_ns, self.turned)

    def _places(self) -> list[Place]:
        return [*self.done.values(), *(one.place for one in self.tails.values())]

    def close(self) -> None:
        """Close all."""
        for tail in self.tails.values():
            tail.close()
        self.tails.clear()
