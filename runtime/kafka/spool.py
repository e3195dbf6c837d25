"""A bounded queue on disk for a source whose senders do not wait (UDP): while Kafka is away, datagrams wait there.

In ordinary times nothing touches the disk. Once the host does not pull, what comes goes to segment files until they
are read to the end again, so order is kept. Segments are deleted when what they hold is durable elsewhere, so a kill
loses only what was in memory; written without fsync, they survive the process, not a loss of power.
What does not fit is dropped, newest first, and counted in `dropped_spool`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from contract.ports import Batch, Confirmed, Meter, Source

log = structlog.get_logger()

SEGMENT_BYTES: Final = 4 << 20
MEMORY_RECORDS: Final = 5_000
"""Records of one source held in memory before the disk is used."""
_FRAME_BYTES: Final = 8  # length and CRC-32 of what follows


class _Held(msgspec.Struct, array_like=True):
    received_us: int
    sender: str
    adapter: str
    records: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Held).decode


class Segments:
    """Frames in numbered files: appended at the end, read from a position, deleted from the front.

    Args:
        folder: of this queue alone; made when missing.
        bound: most bytes of all files together.
    """

    def __init__(self, folder: Path, bound: int) -> None:
        self._folder = folder
        self._bound = bound
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {int(one.stem): one.stat().st_size for one in folder.glob("*.frames")}
        # What a killed process wrote last may be cut: a new file is begun rather than that one continued.
        self._first = self._last = max(self._sizes, default=0) + 1
        self._out: BinaryIO | None = None
        self.at: tuple[int, int] = (min(self._sizes, default=self._last), 0)

    def append(self, data: bytes) -> bool:
        """Add a frame; False when it does not fit."""
        size = _FRAME_BYTES + len(data)
        if self.size_bytes + size > self._bound:
            return False
        if self._out is None or self._sizes[self._last] >= SEGMENT_BYTES:
            self._begin()
        assert self._out is not None  # noqa: S101 - begun above
        self._out.write(len(data).to_bytes(4) + zlib.crc32(data).to_bytes(4) + data)
        self._out.flush()
        self._sizes[self._last] += size
        return True

    def read(self) -> Iterator[bytes]:
        """Yield frames from `at`, moving it, up to what is written now; a cut or spoilt rest of a file is left out."""
        while (number := self.at[0]) in self._sizes:
            yield from self._read_one(number)
            if number == self._last:
                return
            self.at = (min((one for one in self._sizes if one > number), default=self._last), 0)

    def resume(self, position: tuple[int, int]) -> None:
        """Go on behind the position, which an earlier process came to; forget what lies before.

        What was written since has its place behind it, whatever it was called: an empty folder had not told of the position.
        """
        number, offset = position
        # A file that was deleted once must not come again under the same number.
        self._move(number + bool(offset) - self._first)
        later = min((one for one in self._sizes if one >= number), default=self._last)
        self.at = position if later == number and number in self._sizes else (later, 0)
        self.forget(self.at)

    def is_read(self) -> bool:
        """Tell whether nothing is left behind `at`."""
        number, offset = self.at
        return not any(
            size > (offset if one == number else 0)
            for one, size in self._sizes.items()
            if one >= number
        )

    def forget(self, position: tuple[int, int]) -> None:
        """Delete files that lie wholly before the position, and one that is read to its end and grows no more."""
        number, offset = position
        for one in sorted(self._sizes):
            is_over = one < number or (one == number and offset >= self._sizes[one])
            if not is_over or one > self.at[0] or (one == self.at[0] and not self.is_read()):
                return
            if one == self._last and self._out is not None:
                self._out.close()
                self._out = None
            self._path(one).unlink(missing_ok=True)
            del self._sizes[one]
            if one == self._last:
                self._last += 1
            if self.at[0] == one:
                self.at = (min(self._sizes, default=self._last), 0)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    def close(self) -> None:
        """Close the file that is written."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _move(self, by: int) -> None:
        """Give the files of this process higher numbers."""
        if by <= 0:
            return
        for one in sorted((one for one in self._sizes if one >= self._first), reverse=True):
            self._path(one).rename(self._path(one + by))
            self._sizes[one + by] = self._sizes.pop(one)
        self._first += by
        self._last += by

    def _begin(self) -> None:
        if self._out is not None:
            self._out.close()
            self._last += 1
        self._out = self._path(self._last).open("ab")
        self._sizes[self._last] = 0

    def _read_one(self, number: int) -> Iterator[bytes]:
        with self._path(number).open("rb") as file:
            file.seek(self.at[1])
            while head := file.read(_FRAME_BYTES):
                data = file.read(int.from_bytes(head[:4]))
                if len(head) < _FRAME_BYTES or zlib.crc32(data) != int.from_bytes(head[4:]):
                    log.warning("spool.spoilt", file=str(self._path(number)), offset=self.at[1])
                    self._sizes[number] = self.at[1]
                    return
                self.at = (number, file.tell())
                yield data

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.frames"


class Spooled:
    """A source with its queue on disk; itself a source.

    Args:
        name: of the source, for counts.
        inner: the source.
        segments: its queue on disk.
        meter: counts `dropped_spool` and `spooled_records`, shows `spool_bytes`.
        memory_records: held in memory before the disk is used.
    """

    def __init__(
        self,
        name: str,
        inner: Source,
        segments: Segments,
        meter: Meter,
        memory_records: int = MEMORY_RECORDS,
    ) -> None:
        self._name = name
        self._inner = inner
        self._segments = segments
        self._meter = meter
        self._bound = memory_records
        self._memory: deque[Batch] = deque()
        self._records = 0
        self._is_draining = False
        self._news = asyncio.Event()
        self._pumping: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Receive from now on; what comes waits until `batches` is asked, which then knows where to go on."""
        if self._pumping is None:
            self._pumping = asyncio.create_task(self._pump(), name=f"spool {self._name}")

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what is on disk behind `position`, then what comes, in order of arrival."""
        if position is not None:
            self._segments.resume((position[0], position[1]))
        self.listen()
        pump = self._pumping
        assert pump is not None  # noqa: S101 - listening
        try:
            while True:
                self._news.clear()
                while self._memory:
                    batch = self._memory.popleft()
                    self._records -= len(batch.records)
                    yield replace(batch, position=list(self._segments.at))
                self._is_draining = True
                for data in self._segments.read():
                    held = _decode(data)
                    yield Batch(
                        self._name, held.records, held.received_us, list(self._segments.at),
                        held.sender, adapter=held.adapter,
                    )  # fmt: skip
                self._is_draining = False
                if self._memory or not self._segments.is_read():
                    continue
                if pump.done():
                    pump.result()
                    return
                await self._news.wait()
        finally:
            pump.cancel()
            self._segments.close()

    async def close(self) -> None:
        """End after what was received."""
        await self._inner.close()

    def confirm(self, position: Any) -> None:
        """Delete what is durable."""
        self._segments.forget((position[0], position[1]))
        self._meter.set("spool_bytes", self._segments.size_bytes, source=self._name)
        if isinstance(self._inner, Confirmed):
            self._inner.confirm(None)

    async def _pump(self) -> None:
        try:
            async for batch in self._inner.batches(None):
                self._take(batch)
                self._news.set()
        finally:
            self._news.set()

    def _take(self, batch: Batch) -> None:
        # What comes while the disk is being read must not overtake it.
        is_free = not self._is_draining and self._segments.is_read()
        if is_free and self._records < self._bound:
            self._memory.append(batch)
            self._records += len(batch.records)
            return
        held = _Held(batch.received_us, batch.sender, batch.adapter, batch.records)
        if self._segments.append(_encode(held)):
            self._meter.add("spooled_records", len(batch.records), source=self._name)
        else:
            self._meter.add("dropped_spool", len(batch.records), source=self._name)
        self._meter.set("spool_bytes", self._segments.size_bytes, source=self._name)
