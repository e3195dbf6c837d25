"""Files whose records are not lines: captures, packet by packet, and files that are one record each."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import BinaryIO, Final, cast

from typing_extensions import override

from contract.errors import ParseError
from ingest.formats.pcap import HEADER_BYTES, PACKET_HEADER_BYTES, packet_bytes
from ingest.streams.pcap_cutter import PcapCutter
from ingest.streams.tail import Tail

_GZIP_MAGIC: Final = b"\x1f\x8b"


class PcapTail(Tail):
    """A capture that grows, such as pflogd's, read packet by packet; a damaged one ends as an unreadable file does."""

    def __init__(self, path: Path, max_record_bytes: int, offset: int = 0) -> None:
        super().__init__(path, max_record_bytes, 0)
        header = self._file.read(HEADER_BYTES) if offset else b""
        self._file.seek(offset)
        self._offset = offset
        self._start = offset
        self._cutter = PcapCutter(header)

    @override
    def rest(self) -> list[bytes]:
        found = self._cutter.end()
        self._offset = self._start + self._cutter.taken
        return found

    @override
    def restart(self) -> None:
        super().restart()
        self._start, self._cutter = 0, PcapCutter()

    @override
    def skip_to_end(self) -> None:
        header = self._raw.read(HEADER_BYTES)
        size, at = os.fstat(self._raw.fileno()).st_size, HEADER_BYTES
        try:
            while at + PACKET_HEADER_BYTES <= size:
                self._raw.seek(at)
                end = at + PACKET_HEADER_BYTES
                end += packet_bytes(header, self._raw.read(PACKET_HEADER_BYTES))
                if end > size:
                    break
                at = end
        except ParseError:
            at = 0  # told when it is read
        if len(header) < HEADER_BYTES:
            at = 0
        self._raw.seek(at)
        self._offset = self._start = at
        self._cutter = PcapCutter(header if at else b"")

    @override
    def read_to(self) -> int:
        return self._offset + self._cutter.held

    @override
    def _take(self, chunk: bytes, found: list[bytes]) -> None:
        try:
            found += self._cutter.feed(chunk)
        except ParseError as error:
            raise OSError(str(error)) from error
        finally:
            self._offset = self._start + self._cutter.taken


class WholeTail(Tail):
    """A file that is one record: given when it has not changed for a while, and again when it has become another.

    Args:
        path: to open; gzip is unpacked.
        max_record_bytes: a longer file is cut to one byte more.
        offset: its size when it was given before.
        settle_s: how long it must stay as it is.
    """

    def __init__(
        self, path: Path, max_record_bytes: int, offset: int = 0, settle_s: float = 0.0
    ) -> None:
        super().__init__(path, max_record_bytes, 0)
        self.is_packed = False
        self._settle_s = settle_s
        self._since = 0.0
        status = os.fstat(self._raw.fileno())
        self._seen: tuple[int, int] | None = None
        self._given = (offset, status.st_mtime_ns) if offset else None
        self._offset = offset

    @override
    def lines(self, limit: int) -> list[bytes]:
        status = os.fstat(self._raw.fileno())
        mark, now = (status.st_size, status.st_mtime_ns), time.monotonic()
        if mark == self._given:
            return []
        if mark != self._seen:
            self._seen, self._since = mark, now
        if now - self._since < self._settle_s:
            return []
        self._given, self._offset = mark, status.st_size
        data = self._content()
        self.bytes_read += len(data)
        self.cut += len(data) > self._bound
        return [data] if data else []

    @override
    def rest(self) -> list[bytes]:
        return []

    @override
    def was_truncated(self) -> bool:
        return False

    @override
    def skip_to_end(self) -> None:
        status = os.fstat(self._raw.fileno())
        self._given, self._offset = (status.st_size, status.st_mtime_ns), status.st_size

    def _content(self) -> bytes:
        """Read as much as the bound and one byte.

        Raises:
            OSError: reading failed, or the gzip file is damaged.
        """
        self._raw.seek(0)
        packed = self._raw.read(2) == _GZIP_MAGIC
        self._raw.seek(0)
        file = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw, mode="rb")) if packed else self._raw  # fmt: skip
        found = bytearray()
        try:
            while len(found) <= self._bound and (part := file.read(self._bound + 1 - len(found))):
                found += part
        except EOFError as error:
            raise OSError(f"damaged gzip file: {error}") from error
        return bytes(found)
