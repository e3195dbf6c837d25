"""Records from a datagram socket, one each, the socket drained in bulk.

asyncio's datagram protocols lose two thirds at 50,000 datagrams/s, since each costs a trip through the event loop; a socket
drained in a tight loop loses none (measured). What the kernel drops, because its buffer is full, it counts per socket:
SO_MEMINFO, Linux 4.12.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from contract.ports import Batch, Meter
from ingest.streams.senders import Senders

_SO_RCVBUFFORCE: Final = 33  # <asm-generic/socket.h>; needs CAP_NET_ADMIN
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_DROPS: Final = 8  # SK_MEMINFO_DROPS of <linux/sock_diag.h>
_COUNTER_SIZE: Final = 1 << 32
MAX_BATCH_BYTES: Final = 16_777_216
"""Of the datagrams read before they are handed over: however large they are and however many are asked for, no more is held."""


class Datagrams:
    """A bound socket. Reads only when pulled; holds one batch at most.

    Args:
        name: of the source.
        opened: the socket, bound and not blocking; owned.
        meter: counts.
        now_us: the wall clock.
        batch_records: most datagrams handed over at once; the rest waits in the kernel.
        max_record_bytes: longer datagrams are cut to one byte more.
        senders: who is heard, and how much of each; what goes beyond is left out and counted.
    """

    def __init__(
        self,
        name: str,
        opened: socket.socket,
        meter: Meter,
        now_us: Callable[[], int],
        batch_records: int,
        max_record_bytes: int,
        senders: Senders,
    ) -> None:
        self._name = name
        self._socket = opened
        self._meter = meter
        self._now_us = now_us
        self._batch_records = batch_records
        self._bound = max_record_bytes
        self._senders = senders
        self._dropped = 0
        self._is_empty = True
        self._is_closed = False
        self._wake = asyncio.Event()

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what comes, by sender, until closed."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                by_sender = self._drain()
                for sender, records in by_sender.items():
                    yield Batch(self._name, records, self._now_us(), sender=sender)
                if not self._is_empty:
                    await asyncio.sleep(0)  # others' turn, while datagrams keep coming
                    continue
                if self._is_closed:
                    return
                self._wake.clear()
                # Watched only while waiting: a level-triggered reader would spin while the engine works.
                loop.add_reader(self._socket, self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    loop.remove_reader(self._socket)
        finally:
            self._socket.close()

    async def close(self) -> None:
        """Stop after what the kernel already holds."""
        self._is_closed = True
        self._wake.set()

    def _drain(self) -> dict[str, list[bytes]]:
        """Read up to a batch, by number or bytes, without waiting; records by sender, in order of arrival."""
        receive, bound = self._socket.recvfrom, self._bound
        by_sender: dict[str, list[bytes]] = {}
        count = size = cut = 0
        with contextlib.suppress(BlockingIOError):
            while count < self._batch_records and size < MAX_BATCH_BYTES:
                data, address = receive(bound + 1)
                size += len(data)
                count += 1
                if len(data) > bound:
                    cut += 1
                elif data and data[-1] in b"\n\0\r":
                    data = data.rstrip(b"\r\n\0")
                if data:
                    sender = address[0] if type(address) is tuple else ""
                    if sender in by_sender:
                        by_sender[sender].append(data)
                    else:
                        by_sender[sender] = [data]
        self._is_empty = count == 0
        if count:
            self._count(by_sender, count, size, cut)
        self._count_drops()
        return by_sender if self._senders.is_open else self._bounded(by_sender)

    def _count(self, by_sender: dict[str, list[bytes]], count: int, size: int, cut: int) -> None:
        read = sum(map(len, by_sender.values()))
        self._meter.add("records_read", read, source=self._name)
        self._meter.add("bytes_read", size, source=self._name)
        if count > read:
            self._meter.add("empty_datagrams", count - read, source=self._name)
        if cut:
            self._meter.add("dropped_bound", cut, source=self._name)

    def _bounded(self, by_sender: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
        """Leave out what unknown senders sent, and what others sent too fast."""
        now_us, kept = self._now_us(), {}
        for sender, records in by_sender.items():
            taken = self._senders.taken(sender, len(records), now_us)
            if taken:
                kept[sender] = records[:taken]
            lost = len(records) - taken
            if lost and self._senders.is_known(sender):
                self._meter.add("dropped_rate", lost, source=self._name)
            elif lost:
                self._meter.add("dropped_sender", lost, source=self._name)
        return kept

    def _count_drops(self) -> None:
        try:
            info = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return  # another system: drops cannot be told
        if len(info) == _MEMINFO.size:
            dropped = int(_MEMINFO.unpack(info)[_DROPS])
            if dropped != self._dropped:
                lost = (dropped - self._dropped) % _COUNTER_SIZE
                self._meter.add("dropped_kernel", lost, source=self._name)
                self._dropped = dropped


def set_receive_buffer(opened: socket.socket, size: int) -> None:
    """Ask for a receive buffer, beyond `net.core.rmem_max` where we may.

    Raises:
        OSError: not even the ordinary way is open.
    """
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except OSError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
