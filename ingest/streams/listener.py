"""A listening TCP socket: whom it lets in, the PROXY header of those behind a load balancer, TLS, then the records.

The PROXY header stands before everything else, TLS included (haproxy's specification, section 2), so connections
are accepted by hand: the header is read to its last byte and not beyond, and the socket then given to asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import ParseError, SettingsError
from contract.ports import Batch, Meter
from ingest.streams.connection import Connection, Hall
from ingest.streams.inbox import Inbox
from ingest.streams.proxy_protocol import read_header, wanted
from ingest.streams.reader import Reader
from ingest.streams.senders import Senders
from ingest.streams.tls import TlsSettings, is_named, reason_of, server_context

GREETING_S: Final = 10.0
"""How long a peer may take for the PROXY header, and again for the TLS handshake."""
BACKLOG: Final = 1024
_RETRY_S: Final = 0.2


class ListenSettings(BaseModel):
    """Where to listen and for whom.

    Attributes:
        host: address to bind; `::` takes IPv4 too.
        port: 0 lets the system choose (tests).
        max_record_bytes: longer records are cut to one byte more, and refused by the normalizer.
        max_connections: further ones are closed at once.
        max_connections_per_sender: of one address; further ones are closed at once, so that one peer cannot take all.
        buffer_bytes: read ahead of the engine, over all connections; then they are paused.
        max_held_bytes: of unfinished records, over all connections; the one that passes it is closed.
        tls: speak TLS; plain TCP without.
        senders: networks that are heard; none: all. Connections of others are closed at once.
        max_per_sender_per_s: records a second taken of one sender, who is made to wait; none: any number.
        proxies: networks of load balancers, whose connections must begin with a PROXY header (versions 1 and 2), before
            TLS if there is any; its address then is the sender.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 5514
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    max_connections_per_sender: Annotated[int, Field(ge=1, le=100_000)] = 256
    buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 16 * 1024 * 1024
    max_held_bytes: Annotated[int, Field(ge=4096, le=1 << 36)] = 256 * 1024 * 1024
    tls: TlsSettings | None = None
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    max_per_sender_per_s: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()


class Listener:
    """A listening socket and its connections.

    Args:
        name: of the source.
        settings: checked.
        meter: counts.
        now_us: the wall clock.
        reader: makes the reader of a connection.
        answers: whether such readers answer.

    Raises:
        SettingsError: the address is taken, or a certificate cannot be read.
    """

    def __init__(
        self,
        name: str,
        settings: ListenSettings,
        meter: Meter,
        now_us: Callable[[], int],
        reader: Callable[[], Reader],
        *,
        answers: bool = False,
    ) -> None:
        self._settings = settings
        self._meter = meter
        self._name = name
        self._tls = None if settings.tls is None else server_context(settings.tls, f"source {name}")
        self._proxies = Senders(settings.proxies, None)
        self._socket = listen(name, settings.host, settings.port)
        self._inbox = Inbox(settings.buffer_bytes)
        self._hall = Hall(
            name, self._inbox, meter, now_us, settings.max_connections, reader,
            Senders(settings.senders, settings.max_per_sender_per_s), answers,
            lambda transport: settings.tls is None or is_named(transport, settings.tls),
            settings.max_connections_per_sender, settings.max_held_bytes,
        )  # fmt: skip
        self._greeting: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what comes until closed."""
        self._accepting = asyncio.create_task(self._accept(), name=f"accept {self._name}")
        try:
            async for batch in self._inbox.batches():
                yield batch
        finally:
            await self.close()

    def confirm(self, position: int) -> None:
        """Send the receipts of the batches up to this one."""
        self._hall.confirm(position)

    async def close(self) -> None:
        """Stop listening, hang up, and let `batches` end after what was received."""
        tasks = [one for one in (self._accepting, *self._greeting) if one is not None]
        self._accepting = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()
        await self._hall.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        while True:
            try:
                opened, address = await loop.sock_accept(self._socket)
            except OSError:  # no file descriptor left: the peer waits in the kernel's queue
                self._meter.add("accept_errors", source=self._name)
                await asyncio.sleep(_RETRY_S)
                continue
            peer = str(address[0])
            is_proxy = bool(self._settings.proxies) and self._proxies.is_known(peer)
            if len(self._greeting) + len(self._hall.open) >= self._hall.max_connections:
                self._refuse(opened, "connections")
                continue
            greeting = asyncio.create_task(self._greet(opened, peer, is_proxy=is_proxy))
            self._greeting.add(greeting)
            greeting.add_done_callback(self._greeting.discard)

    async def _greet(self, opened: socket.socket, peer: str, *, is_proxy: bool) -> None:
        """Read the proxy's header, agree on TLS, and give the socket to a connection."""
        try:
            _watch(opened)
            if is_proxy:
                async with asyncio.timeout(GREETING_S):
                    peer = await _real_peer(opened) or peer
        except (ParseError, OSError, TimeoutError):
            self._refuse(opened, "proxy_header")
            return
        except asyncio.CancelledError:
            opened.close()
            raise
        is_known = self._hall.senders.is_known(peer)
        if not is_known or not self._hall.has_room(peer):
            self._refuse(opened, "connections" if is_known else "sender")
            return
        limit = None if self._tls is None else GREETING_S
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._hall, peer), opened, ssl=self._tls, ssl_handshake_timeout=limit
            )  # fmt: skip
        except (
            OSError,
            TimeoutError,
        ) as error:  # ssl.SSLError is an OSError; the socket is closed by now
            self._hall.refuse(reason_of(error))

    def _refuse(self, opened: socket.socket, reason: str) -> None:
        self._hall.refuse(reason)
        with contextlib.suppress(OSError):
            opened.close()


def _watch(opened: socket.socket) -> None:
    """Let the kernel ask silent peers whether they are there: syslog may be silent for hours, a dead peer must not stay."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _real_peer(opened: socket.socket) -> str:
    """Return the address that the PROXY header states, or empty.

    Raises:
        ParseError: no such header.
    """
    loop = asyncio.get_running_loop()
    data = b""
    while (found := read_header(data)) is None:
        part = await loop.sock_recv(opened, wanted(data))
        if not part:
            raise ParseError("the connection ended within the PROXY header")
        data += part
    return found[0]


def listen(name: str, host: str, port: int) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        SettingsError: the address is taken, or not ours.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::"
        )
    except OSError as error:
        place = f"{host} port {port}"
        raise SettingsError(f"source {name}: cannot listen on {place}: {error.strerror}") from error
