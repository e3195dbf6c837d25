"""Lumberjack, versions 1 and 2, the server's side: what Beats and Elastic Agent send to `output.logstash`.

Sources: logstash-forwarder's PROTOCOL.md (version 1), go-lumber 0.1 `protocol/v2` and `server/v2` (version 2), read
2026-11. A frame is a version, a type and integers of four bytes, big-endian: `W` the size of a window, `J` a JSON
event, `D` an event as pairs of text (version 1), `C` frames packed with zlib, `A` the answer: all up to this number
are taken. No kept library for Python serves it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import msgspec

from contract.errors import ParseError

MAX_WINDOW: Final = 1_000_000
"""Events that a client may announce; Beats announce 2048."""
MAX_PAIRS: Final = 1_000
_VERSIONS: Final = (b"1", b"2")
_NUMBER = struct.Struct(">I")
_HEAD: Final = 2
_encode = msgspec.json.Encoder().encode


class Lumberjack:
    """Reads one client's frames.

    Args:
        max_record_bytes: longer events are cut to one byte more.
        max_frame_bytes: of packed frames, and of what they unpack to.
    """

    farewell = b""

    def __init__(self, max_record_bytes: int, max_frame_bytes: int) -> None:
        self.cut = 0
        self.is_over = False
        self.alive = b""
        self._bound = max_record_bytes
        self._frame_bound = max_frame_bytes
        self._held = bytearray()
        self._last = 0
        self._version = b"2"
        self._is_due = False
        self._due = b""
        self._needed = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the events of the frames that they complete.

        Raises:
            ParseError: no Lumberjack, or past a bound.
        """
        self._held += data
        records: list[bytes] = []
        # A frame in many pieces is looked at again only when it can be whole: else it would cost the square of its length.
        if len(self._held) >= self._needed:
            self._needed = 0
            end = self._frames(bytes(self._held), records, may_pack=True)
            del self._held[:end]
            self._needed = max(0, self._needed - end)
        return records

    @property
    def held(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._held)

    def end(self) -> list[bytes]:
        """Return nothing: a window that was not answered comes again."""
        return []

    def replies(self) -> bytes:
        """Return nothing: all that is said is a receipt."""
        return b""

    def receipt(self) -> bytes:
        """Return the answer to the events read since last asked."""
        self._settle()
        due, self._due = self._due, b""
        # An answer that takes nothing more tells a client that waits that we are still at it.
        self.alive = self._version + b"A" + _NUMBER.pack(0)
        return due

    def _settle(self) -> None:
        """Put down the answer to what was read of the window."""
        if self._is_due:
            self._is_due = False
            self._due += self._version + b"A" + _NUMBER.pack(self._last)

    def _frames(self, held: bytes, records: list[bytes], *, may_pack: bool) -> int:
        """Read the whole frames; return where the first that is not whole begins."""
        at = 0
        while len(held) - at >= _HEAD + _NUMBER.size:
            if held[at : at + 1] not in _VERSIONS:
                raise ParseError("no Lumberjack frame: expected version 1 or 2")
            self._version = held[at : at + 1]
            end = self._frame(held, at, records, may_pack=may_pack)
            if end is None:
                break
            at = end
        return at

    def _frame(self, held: bytes, at: int, records: list[bytes], *, may_pack: bool) -> int | None:
        kind, at = held[at + 1 : at + 2], at + _HEAD
        match kind:
            case b"W":
                self._settle()
                size = _number(held, at)
                if size > MAX_WINDOW:
                    raise ParseError(f"window of {size}; the bound is {MAX_WINDOW}")
                self._last = 0
                self._is_due = not size
                return at + _NUMBER.size
            case b"J":
                return self._json(held, at, records)
            case b"D":
                return self._pairs(held, at, records)
            case b"C" if may_pack:
                return self._packed(held, at, records)
        raise ParseError(f"Lumberjack frame of unknown type {kind!r}")

    def _json(self, held: bytes, at: int, records: list[bytes]) -> int | None:
        if len(held) < at + 8:
            return None
        size, start = _number(held, at + 4), at + 8
        if size > self._frame_bound:
            raise ParseError(f"event of {size} bytes; the bound is {self._frame_bound}")
        if len(held) < start + size:
            self._needed = start + size
            return None
        self._take(_number(held, at), held[start : start + size], records)
        return start + size

    def _pairs(self, held: bytes, at: int, records: list[bytes]) -> int | None:
        if len(held) < at + 8:
            return None
        count, end = _number(held, at + 4), at + 8
        if count > MAX_PAIRS:
            raise ParseError(f"event of {count} pairs; the bound is {MAX_PAIRS}")
        texts: list[str] = []
        for _ in range(2 * count):
            if len(held) < end + 4:
                return None
            size, start = _number(held, end), end + 4
            end = start + size
            if end - at > self._frame_bound:
                raise ParseError(f"event of more than {self._frame_bound} bytes")
            if len(held) < end:
                self._needed = end
                return None
            texts.append(held[start:end].decode("utf-8", "replace"))
        event = dict(zip(texts[::2], texts[1::2], strict=True))
        self._take(_number(held, at), _encode(event), records)
        return end

    def _packed(self, held: bytes, at: int, records: list[bytes]) -> int | None:
        size, start = _number(held, at), at + 4
        if size > self._frame_bound:
            raise ParseError(f"packed frame of {size} bytes; the bound is {self._frame_bound}")
        if len(held) < start + size:
            self._needed = start + size
            return None
        opened = zlib.decompressobj()
        try:
            inner = opened.decompress(held[start : start + size], self._frame_bound + 1)
        except zlib.error as error:
            raise ParseError(f"damaged Lumberjack frame: {error}") from error
        if len(inner) > self._frame_bound or not opened.eof:
            raise ParseError(f"a frame that is cut, or unpacks to more than {self._frame_bound}")
        if self._frames(inner, records, may_pack=False) != len(inner):
            raise ParseError("a packed frame that ends within an event")
        return start + size

    def _take(self, number: int, event: bytes, records: list[bytes]) -> None:
        self._last = number
        self._is_due = True
        if len(event) > self._bound:
            self.cut += 1
            event = event[: self._bound + 1]
        if event:
            records.append(event)


def _number(held: bytes, at: int) -> int:
    return int(_NUMBER.unpack_from(held, at)[0])
