"""One incoming stream connection: bytes to framed records to the inbox, paused while that is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from typing_extensions import override

from contract.errors import ParseError
from contract.ports import Batch, Meter
from ingest.streams.framing import Framer
from ingest.streams.inbox import Inbox
from ingest.streams.proxy_protocol import read_header
from ingest.streams.senders import Senders


@dataclass(slots=True)
class Hall:
    """What the connections of one source share.

    Attributes:
        source: the configured name.
        inbox: where records go.
        meter: counts.
        now_us: the wall clock.
        max_record_bytes: bound of one record.
        max_connections: further ones are closed at once and counted in `dropped_connections`.
        counted: whether octet counting is recognized.
        proxies: peers in these networks begin with a PROXY header.
        senders: whose connections are kept; of a proxy, its own address counts.
        open: the connections that are open.
    """

    source: str
    inbox: Inbox
    meter: Meter
    now_us: Callable[[], int]
    max_record_bytes: int
    max_connections: int
    counted: bool
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    senders: Senders | None = None
    open: set[Connection] = field(default_factory=set)
    _emptied: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.open.discard(connection)
        self.meter.set("connections", len(self.open), source=self.source)
        if not self.open:
            self._emptied.set()

    async def close(self) -> None:
        """Hang up on all; what was received goes to the inbox, which then ends."""
        self._emptied.clear()
        for connection in list(self.open):
            connection.hang_up()
        if self.open:
            await self._emptied.wait()
        self.inbox.close()


class Connection(asyncio.Protocol):
    """Reads one peer until it closes."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._framer = Framer(hall.max_record_bytes, counted=hall.counted)
        self._transport: asyncio.Transport | None = None
        self._sender = ""
        self._before: bytes | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._sender = peer[0] if isinstance(peer, tuple) and peer else ""
        senders = self._hall.senders
        is_known = senders is None or senders.is_known(self._sender)
        if not is_known or len(self._hall.open) >= self._hall.max_connections:
            self._hall.meter.add("dropped_connections", source=self._hall.source)
            transport.abort()
            return
        self._hall.open.add(self)
        if self._sender and any(ip_address(self._sender) in one for one in self._hall.proxies):
            self._before = b""
        self._hall.meter.set("connections", len(self._hall.open), source=self._hall.source)

    @override
    def data_received(self, data: bytes) -> None:
        if self._before is not None:
            data = self._after_header(self._before + data)
        self._hall.meter.add("bytes_read", len(data), source=self._hall.source)
        self._pass_on(self._framer.feed(data))
        inbox = self._hall.inbox
        if inbox.is_full and self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()
            inbox.when_free(self._resume)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._hall.open:
            self._pass_on(self._framer.end())
            self._hall.leave(self)

    def _after_header(self, data: bytes) -> bytes:
        """Read the proxy's header; return what follows it. Without one the connection ends."""
        try:
            found = read_header(data)
        except ParseError:
            self._hall.meter.add("dropped_connections", source=self._hall.source)
            self._before = b""
            self.hang_up()
            return b""
        if found is None:
            self._before = data
            return b""
        self._before = None
        sender, start = found
        self._sender = sender or self._sender
        return data[start:]

    def hang_up(self) -> None:
        """Close at once: TLS's own farewell may take half a minute with a peer that is gone."""
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _pass_on(self, records: list[bytes]) -> None:
        hall = self._hall
        if self._framer.cut:
            hall.meter.add("dropped_bound", self._framer.cut, source=hall.source)
            self._framer.cut = 0
        if records:
            hall.meter.add("records_read", len(records), source=hall.source)
            hall.inbox.put(Batch(hall.source, records, hall.now_us(), sender=self._sender))
