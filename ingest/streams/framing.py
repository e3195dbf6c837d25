"""Records out of a byte stream: newline and octet-counted frames, told apart frame by frame.

Source: RFC 6587, 3.4 (octet counting: `MSG-LEN SP MSG`, non-transparent: a trailer, in practice LF,
sometimes NUL). A frame that begins with a digit 1-9 and has a blank after at most ten digits is counted;
all else ends at a newline, so that both may come on one port, even on one connection.

A record beyond the bound is cut to the bound and one byte more: the normalizer, whose default bound is
the same, then refuses it as a dead letter. What was cut off is read over without being kept.
"""

from __future__ import annotations

import re

_COUNT = re.compile(rb"([1-9]\d{0,9}) ").match
_MAYBE_COUNT = re.compile(rb"[1-9]\d{0,9}$").match


class Framer:
    """Cuts one stream into records. Holds at most the bound and one chunk.

    Args:
        max_record_bytes: bound of one record.
        counted: whether octet-counted frames are recognized.

    Attributes:
        cut: how many records were cut so far.
    """

    def __init__(self, max_record_bytes: int, *, counted: bool = True) -> None:
        self.cut = 0
        self._bound = max_record_bytes
        self._counted = counted
        self._held = b""
        # Chunks that end no record are only kept: joining each to the rest would cost the square of the length.
        self._chunks: list[bytes] = []
        self._kept = 0
        self._lacks = 0
        self._is_line = True
        # Of an overlong frame: how many octets are to be passed over, -1 to the next newline.
        self._skip = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream; return the records that they complete. O(length)."""
        if self._skip:
            data = self._pass_over(data)
        if self._held:
            self._lacks -= len(data)
            if self._lacks > 0 and not (self._is_line and b"\n" in data):
                self._chunks.append(data)
                self._kept += len(data)
                return []
            data = b"".join([self._held, *self._chunks, data])
            self._chunks.clear()
            self._kept = 0
        if not data:
            return []
        records = self._cut(data)
        self._lacks = self._wanted() - len(self._held)
        return records

    @property
    def held(self) -> int:
        """Bytes of an unfinished record."""
        return len(self._held) + self._kept

    def _wanted(self) -> int:
        """Return how long what is held must become before it can end a record or pass the bound."""
        count = _COUNT(self._held) if self._counted else None
        self._is_line = count is None and not (self._counted and _MAYBE_COUNT(self._held))
        if count is not None:
            return count.end() + min(int(count[1]), self._bound + 1)
        return self._bound + 1 if self._is_line else 0

    def _cut(self, data: bytes) -> list[bytes]:
        """Read frames, each of its own kind, to the last that is whole. O(length)."""
        records: list[bytes] = []
        at, size = 0, len(data)
        self._held = b""
        while at < size:
            count = None
            if self._counted and 49 <= data[at] <= 57:  # noqa: PLR2004 - "1" to "9"
                count = _COUNT(data, at)
            if count is None:
                end = data.find(b"\n", at)
                if end < 0:
                    self._hold(records, data[at:])
                    return records
                self._add(records, data[at:end])
                at = end + 1
                continue
            at = self._counted_frame(records, data, at, count.end(), int(count[1]))
            # A sender that counts and still ends with a newline is common.
            while at < size and data[at] in b"\r\n":
                at += 1
        return records

    def _counted_frame(
        self, records: list[bytes], data: bytes, at: int, start: int, length: int
    ) -> int:
        """Read one frame, or keep its beginning; return where the next one begins."""
        size, end = len(data), start + length
        if length <= self._bound and end <= size:
            self._add(records, data[start:end])
        elif length <= self._bound or size - start <= self._bound:
            self._held = data[at:]
        else:
            self._add(records, data[start : start + self._bound + 1])
            self._skip = max(0, end - size)
        return min(end, size) if not self._held else size

    def end(self) -> list[bytes]:
        """Return what stands after the last complete record when the stream ends."""
        held = b"".join([self._held, *self._chunks])
        self._held, self._skip, self._kept = b"", 0, 0
        self._chunks.clear()
        return [held] if held.strip(b"\r\n\0") else []

    def _hold(self, records: list[bytes], rest: bytes) -> None:
        if len(rest) > self._bound:
            self._add(records, rest)
            self._skip = -1
        else:
            self._held = rest

    def _pass_over(self, data: bytes) -> bytes:
        if self._skip > 0:
            passed = min(self._skip, len(data))
            self._skip -= passed
            return data[passed:].lstrip(b"\r\n") if not self._skip else b""
        end = data.find(b"\n")
        if end < 0:
            return b""
        self._skip = 0
        return data[end + 1 :]

    def _add(self, records: list[bytes], record: bytes) -> None:
        if record and record[-1] in b"\r\n\0":
            record = record.rstrip(b"\r\n\0")
        if len(record) > self._bound:
            self.cut += 1
            record = record[: self._bound + 1]
        if record:
            records.append(record)
