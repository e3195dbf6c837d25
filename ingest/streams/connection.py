"""One incoming stream connection: bytes to records to the inbox, paused while that is full or the peer is too fast.

How bytes are cut into records is a reader's work (`ingest.streams.reader`), one a connection. A receipt is sent when
the host has said that the records before it are durable.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from contract.errors import ParseError
from contract.ports import Batch, Meter
from ingest.streams.inbox import Inbox
from ingest.streams.reader import Answers, Reader
from ingest.streams.senders import Senders

KEEP_ALIVE_S: Final = 5.0
"""How often a peer that waits for a receipt is told that we are still at it; half of what impatient clients wait."""
FAREWELL_S: Final = 2.0
"""How long peers that wait for receipts are kept when the source closes."""


@dataclass(slots=True)
class Hall:
    """What the connections of one source share.

    Attributes:
        source: the configured name.
        inbox: where records go.
        meter: counts.
        now_us: the wall clock.
        max_connections: further ones are closed at once and counted in `dropped_connections`.
        reader: makes the reader of one connection.
        senders: whose connections are kept, and how fast they may send; of a proxy, its own address counts.
        answers: whether readers answer, so that batches are numbered for `confirm`.
        is_welcome: whether a connection may stay, once its certificate is known.
        max_per_sender: connections of one address; None: any number.
        max_held_bytes: of unfinished records over all connections; the connection that passes it ends.
        open: the connections that are open.
    """

    source: str
    inbox: Inbox
    meter: Meter
    now_us: Callable[[], int]
    max_connections: int
    reader: Callable[[], Reader]
    senders: Senders = field(default_factory=lambda: Senders((), None))
    answers: bool = False
    is_welcome: Callable[[asyncio.BaseTransport], bool] = lambda transport: True
    max_per_sender: int | None = None
    max_held_bytes: int = 1 << 30
    held: int = 0
    open: set[Connection] = field(default_factory=set)
    _by_sender: Counter[str] = field(default_factory=Counter)
    _emptied: asyncio.Event = field(default_factory=asyncio.Event)
    _receipts: deque[tuple[int, Connection, bytes]] = field(default_factory=deque)
    _count: int = 0
    _confirmed: int = 0

    def put(self, records: list[bytes], sender: str) -> None:
        """Hand records over; their receipt follows `confirm`."""
        self.meter.add("records_read", len(records), source=self.source)
        self._count += 1
        position = self._count if self.answers else None
        self.inbox.put(Batch(self.source, records, self.now_us(), position, sender))

    def owe(self, connection: Connection, receipt: bytes) -> None:
        """Note what a connection is to be told once all that was handed over is durable."""
        connection.owed += 1
        if self._confirmed == self._count:
            connection.tell(receipt)
        else:
            self._receipts.append((self._count, connection, receipt))

    def confirm(self, position: int) -> None:
        """Send the receipts of the batches up to this one."""
        self._confirmed = position
        while self._receipts and self._receipts[0][0] <= position:
            _, connection, receipt = self._receipts.popleft()
            connection.tell(receipt)
            if not self._receipts:
                self._emptied.set()

    def refuse(self, reason: str) -> None:
        """Count a connection that is refused or cut."""
        self.meter.add("dropped_connections", reason=reason, source=self.source)

    def has_room(self, sender: str) -> bool:
        """Whether one more connection of a sender is within the bounds."""
        few = self.max_per_sender is None or self._by_sender[sender] < self.max_per_sender
        return few and len(self.open) < self.max_connections

    def enter(self, connection: Connection, sender: str) -> None:
        """Note a connection that stays."""
        self.open.add(connection)
        self._by_sender[sender] += 1
        self.meter.set("connections", len(self.open), source=self.source)

    def leave(self, connection: Connection, sender: str) -> None:
        """Forget a connection that has ended."""
        self.open.discard(connection)
        self._by_sender[sender] -= 1
        if self._by_sender[sender] <= 0:
            del self._by_sender[sender]
        self.meter.set("connections", len(self.open), source=self.source)
        if not self.open:
            self._emptied.set()

    async def close(self) -> None:
        """Hang up on all, who waits for a receipt a little later; what was received goes to the inbox, which then ends."""
        for connection in list(self.open):
            connection.pause("closing")
        if self._receipts and self.open:
            await self._until_empty(FAREWELL_S)
        for connection in list(self.open):
            connection.hang_up()
        while self.open:
            await self._until_empty(None)
        self._receipts.clear()
        self.inbox.close()

    async def _until_empty(self, timeout_s: float | None) -> None:
        """Wait until no receipt is owed or no connection is left."""
        self._emptied.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._emptied.wait()
        except TimeoutError:
            return


class Connection(asyncio.Protocol):
    """Reads one peer until it closes.

    Args:
        hall: what it shares with the others.
        sender: address of the peer where a proxy has said it; empty: the transport's own word.

    Attributes:
        owed: how many receipts are outstanding.
    """

    def __init__(self, hall: Hall, sender: str = "") -> None:
        self.owed = 0
        self._held = 0
        self._hall = hall
        self._reader = hall.reader()
        self._answers = self._reader if isinstance(self._reader, Answers) else None
        self._transport: asyncio.Transport | None = None
        self._sender = sender
        self._pauses: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        if not self._sender:
            peer = transport.get_extra_info("peername")
            self._sender = peer[0] if isinstance(peer, tuple) and peer else ""
        has_room = self._hall.has_room(self._sender)
        if not has_room or not self._hall.is_welcome(transport):
            self._hall.refuse("certificate_name" if has_room else "connections")
            transport.abort()
            return
        self._hall.enter(self, self._sender)

    @override
    def data_received(self, data: bytes) -> None:
        if self not in self._hall.open:
            return
        self._hall.meter.add("bytes_read", len(data), source=self._hall.source)
        try:
            records = self._reader.feed(data)
        except ParseError:
            self._hall.meter.add("protocol_errors", source=self._hall.source)
            self.hang_up()
            return
        self._pass_on(records)
        if self._answers is not None:
            self._answer(self._answers)
        if self._holds(self._reader.held) > self._hall.max_held_bytes:
            self._hall.refuse("held_bytes")
            self.hang_up()
            return
        if self._hall.inbox.is_full and "full" not in self._pauses:
            self.pause("full")
            self._hall.inbox.when_free(lambda: self.resume("full"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self in self._hall.open:
            self._holds(0)
            self._pass_on(self._reader.end())
            self._hall.leave(self, self._sender)

    def _holds(self, size: int) -> int:
        """Note how much this connection holds; return how much all do."""
        self._hall.held += size - self._held
        self._held = size
        return self._hall.held

    def tell(self, receipt: bytes) -> None:
        """Send a receipt."""
        self.owed -= 1
        if self in self._hall.open and self._transport is not None:
            self._transport.write(receipt)
            if not self.owed and self._answers is not None and self._answers.is_over:
                self._transport.close()

    def hang_up(self) -> None:
        """Close at once: TLS's own farewell may take half a minute with a peer that is gone."""
        if self._transport is None:
            return
        if self._answers is not None and self._answers.farewell:
            self._transport.write(self._answers.farewell)
        self._transport.abort()

    def pause(self, reason: str) -> None:
        """Read no more until each reason to pause is gone."""
        self._pauses.add(reason)
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self, reason: str) -> None:
        """Let a reason to pause go."""
        self._pauses.discard(reason)
        if not self._pauses and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _pass_on(self, records: list[bytes]) -> None:
        hall = self._hall
        if self._reader.cut:
            hall.meter.add("dropped_bound", self._reader.cut, source=hall.source)
            self._reader.cut = 0
        if not records:
            return
        hall.put(records, self._sender)
        wait_s = hall.senders.delay_s(self._sender, len(records), hall.now_us())
        if wait_s > 0:
            hall.meter.add("paused_rate", source=hall.source)
            self.pause("rate")
            asyncio.get_running_loop().call_later(wait_s, self.resume, "rate")

    def _answer(self, answers: Answers) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if said := answers.replies():
            transport.write(said)
        if receipt := answers.receipt():
            self._hall.owe(self, receipt)
            if self._timer is None and answers.alive:
                self._say_alive(answers)
        elif answers.is_over and not self.owed:
            transport.close()

    def _say_alive(self, answers: Answers) -> None:
        """Tell the peer now and then that we are at it, as long as it waits."""
        if self._timer is not None and self.owed and self._transport is not None:
            self._transport.write(answers.alive)
        self._timer = None
        if self.owed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(KEEP_ALIVE_S, self._say_alive, answers)
