"""One file read line by line, through growth, rotation and truncation."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path
from typing import BinaryIO, Final, cast

from ingest.streams.place import HEAD_BYTES, Place, head_of, last_of

_CHUNK_BYTES: Final = 262_144
MAX_BATCH_BYTES: Final = 16_777_216
"""Of the lines handed over at once, however many are asked for."""


class Tail:
    """An open file.

    Args:
        path: to open.
        max_record_bytes: longer lines are cut to one byte more.
        offset: where to begin; the start of a line.

    Attributes:
        cut: how many lines were cut since last asked.
        is_packed: a gzip file; read once, never followed.
        stood: how much stood in the file when reading began, where that is to be read before another file has its turn.
        is_behind: its turn ended before its lines did.
        has_more: what was asked for came before the end was reached.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, max_record_bytes: int, offset: int = 0) -> None:
        self.path = path
        self.cut = 0
        self.is_packed = path.suffix == ".gz"
        self.stood = 0
        self.is_behind = False
        self.has_more = False
        self._bound = max_record_bytes
        self._raw: BinaryIO = path.open("rb", buffering=0)
        status = os.fstat(self._raw.fileno())
        self.dev, self.inode = status.st_dev, status.st_ino
        self._head = head_of(self._raw)
        self._file: BinaryIO = self._raw
        if self.is_packed:
            self._raw.seek(0)
            self._file = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw, mode="rb"))
        self._file.seek(offset)
        self._offset = offset
        self._held = bytearray()
        self._passed = 0
        self._place: Place | None = None
        self.bytes_read = 0

    @property
    def place(self) -> Place:
        """Where the first line not yet returned begins; as it was when that was reached."""
        if self._place is not None and self._place.offset == self._offset:
            return self._place
        last = ""
        if not self.is_packed:
            if self._head[1] < HEAD_BYTES:
                at = self._raw.tell()
                self._head = head_of(self._raw)
                self._raw.seek(at)
            last = last_of(self._raw.fileno(), self._offset)
        head, size = self._head
        self._place = Place(str(self.path), self.dev, self.inode, self._offset, head, size, last)
        return self._place

    def lines(self, limit: int) -> list[bytes]:
        """Return the next complete lines, at least one chunk's and about `limit`, within `MAX_BATCH_BYTES`; empty: nothing new.

        Raises:
            OSError: reading failed; of a packed file also that it is damaged.
        """
        found: list[bytes] = []
        size, chunk = 0, b""
        while len(found) < limit and (size < MAX_BATCH_BYTES or not found):
            try:
                chunk = self._file.read(_CHUNK_BYTES)
            except (EOFError, zlib.error) as error:
                raise OSError(f"damaged gzip file: {error}") from error
            if not chunk:
                break
            size += len(chunk)
            self.bytes_read += len(chunk)
            self._take(chunk, found)
        self.has_more = bool(chunk)
        return found

    def rest(self) -> list[bytes]:
        """Return the last line, which has no newline, once nothing more will come."""
        found: list[bytes] = []
        if self._held:
            self._offset += len(self._held) + self._passed
            self._add(found, bytes(self._held))
            self._held.clear()
            self._passed = 0
        return found

    def was_truncated(self) -> bool:
        """Whether the file is shorter than what was read, or begins anew (copytruncate)."""
        read_to = self.read_to()
        if not read_to:
            return False
        if 0 < self.size() < read_to:
            return True
        # The kernel's own files (securityfs, proc) have no size; an emptied file has no head either.
        at = self._raw.tell()
        changed = head_of(self._raw, self._head[1]) != self._head
        self._raw.seek(at)
        return changed

    def read_to(self) -> int:
        """Return how much of the file was read, what is held included."""
        return self._offset + len(self._held) + self._passed

    def size(self) -> int:
        """Return how long the file is now."""
        return os.fstat(self._raw.fileno()).st_size

    def restart(self) -> None:
        """Begin again at the start of the file, after a truncation."""
        self._raw.seek(0)
        self._head = head_of(self._raw)
        self._raw.seek(0)
        self._offset = self._passed = 0
        self._held.clear()
        self._place = None

    def skip_to_end(self) -> None:
        """Go on behind the last newline: a line half written is read whole when it is done."""
        size = self._raw.seek(0, io.SEEK_END)
        at = size
        while at:
            start = max(0, at - _CHUNK_BYTES)
            self._raw.seek(start)
            end = self._raw.read(at - start).rfind(b"\n")
            if end >= 0:
                at = start + end + 1
                break
            at = start
        self._raw.seek(at)
        self._offset = at

    def is_moved(self) -> bool:
        """Whether the path names another file by now, or none."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != (self.dev, self.inode)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _take(self, chunk: bytes, found: list[bytes]) -> None:
        if b"\n" not in chunk:
            self._hold(chunk)
            return
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if self._held:
            first = bytes(self._held) + lines[0]
            self._offset += len(first) + self._passed + 1
            self._held.clear()
            self._passed = 0
            self._add(found, first)
            del lines[0]
        self._offset += sum(map(len, lines)) + len(lines)
        for line in lines:
            self._add(found, line)
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        """Keep the beginning of a line; of an overlong one no more than the bound and one byte."""
        room = self._bound + 1 - len(self._held)
        self._held += part[:room]
        self._passed += max(0, len(part) - max(room, 0))

    def _add(self, found: list[bytes], line: bytes) -> None:
        line = line.rstrip(b"\r\0")
        if len(line) > self._bound:
            self.cut += 1
            line = line[: self._bound + 1]
        if line:
            found.append(line)
