"""Syslog over UDP: one record a datagram, the socket drained in bulk.

Source: RFC 5426. asyncio's datagram protocols lose two thirds at 50,000 datagrams/s, since each costs
a trip through the event loop; a socket drained in a tight loop loses none (measured). What the kernel
drops, because its buffer is full, it counts per socket: SO_MEMINFO, Linux 4.12.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import SettingsError
from contract.ports import Batch, Meter, SourceType
from ingest.streams.senders import Senders

_SO_RCVBUFFORCE: Final = 33  # <asm-generic/socket.h>; needs CAP_NET_ADMIN
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_DROPS: Final = 8  # SK_MEMINFO_DROPS of <linux/sock_diag.h>
_LARGEST_DATAGRAM: Final = 65_535
_COUNTER_SIZE: Final = 1 << 32


class SyslogUdpSettings(BaseModel):
    """Where to listen.

    Attributes:
        host: address to bind; `::` takes IPv4 too.
        port: 0 lets the system choose (tests).
        receive_buffer_bytes: asked of the kernel; without CAP_NET_ADMIN it gives `net.core.rmem_max` at most.
        batch_records: most datagrams handed over at once; the rest waits in the kernel.
        senders: networks that are heard; none: all. What others send is counted in `dropped_sender`.
        max_per_sender_per_s: records a second taken of one sender; more are counted in `dropped_bound`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 5514
    receive_buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 64 * 1024 * 1024
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    max_per_sender_per_s: Annotated[int, Field(ge=1, le=10_000_000)] | None = None


class SyslogUdp:
    """A bound socket. Reads only when pulled; holds one batch at most."""

    def __init__(
        self, name: str, settings: SyslogUdpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self._socket = _bind(name, settings)
        self._senders = Senders(settings.senders, settings.max_per_sender_per_s)
        self._dropped = 0
        self._is_empty = True
        self._is_closed = False
        self._wake = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

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
        """Read up to a batch without waiting; records by sender, in order of arrival."""
        receive = self._socket.recvfrom
        by_sender: dict[str, list[bytes]] = {}
        count = size = 0
        with contextlib.suppress(BlockingIOError):
            while count < self._settings.batch_records:
                data, address = receive(_LARGEST_DATAGRAM)
                size += len(data)
                count += 1
                if data and data[-1] in b"\n\0\r":
                    data = data.rstrip(b"\r\n\0")
                if data:
                    sender = address[0]
                    if sender in by_sender:
                        by_sender[sender].append(data)
                    else:
                        by_sender[sender] = [data]
        self._is_empty = count == 0
        if count:
            read = sum(map(len, by_sender.values()))
            self._meter.add("records_read", read, source=self._name)
            self._meter.add("bytes_read", size, source=self._name)
            if count > read:
                self._meter.add("empty_datagrams", count - read, source=self._name)
        self._count_drops()
        return by_sender if self._senders.is_open else self._bounded(by_sender)

    def _bounded(self, by_sender: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
        """Leave out what unknown senders sent, and what others sent too fast."""
        now_us, kept = self._now_us(), {}
        for sender, records in by_sender.items():
            taken = self._senders.taken(sender, len(records), now_us)
            if taken:
                kept[sender] = records[:taken]
            if lost := len(records) - taken:
                known = self._senders.is_known(sender)
                name = "dropped_bound" if known else "dropped_sender"
                self._meter.add(name, lost, source=self._name)
        return kept

    def _count_drops(self) -> None:
        try:
            info = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        except OSError:
            return  # another system: drops cannot be told
        if len(info) == _MEMINFO.size:
            dropped = int(_MEMINFO.unpack(info)[_DROPS])
            if dropped != self._dropped:
                self._meter.add(
                    "dropped_kernel", (dropped - self._dropped) % _COUNTER_SIZE, source=self._name
                )
                self._dropped = dropped


def _bind(name: str, settings: SyslogUdpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6 and settings.host == "::":
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, settings.receive_buffer_bytes)
        except OSError:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer_bytes)
        opened.bind((settings.host, settings.port))
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        place = f"{settings.host} port {settings.port}"
        raise SettingsError(f"source {name}: cannot listen on {place}: {error.strerror}") from error
    return opened


SOURCE = SourceType("syslog_udp", SyslogUdpSettings, SyslogUdp, waits=False)
