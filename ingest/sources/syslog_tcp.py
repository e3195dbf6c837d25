"""Syslog over TCP and TLS: octet counting and newlines on one port.

Source: RFC 6587 (TCP), RFC 5425 (TLS; octet counting). Back-pressure is TCP's own: while the engine
has not taken what was read, nothing more is read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.errors import SettingsError
from contract.ports import Batch, Meter, SourceType
from ingest.streams.connection import Connection, Hall
from ingest.streams.inbox import Inbox
from ingest.streams.senders import Senders
from ingest.streams.tls import TlsSettings, server_context


class SyslogTcpSettings(BaseModel):
    """Where to listen and for whom.

    Attributes:
        host: address to bind; `::` takes IPv4 too.
        port: 0 lets the system choose (tests).
        max_record_bytes: longer records are cut to one byte more, and refused by the normalizer.
        max_connections: further ones are closed at once.
        buffer_bytes: read ahead of the engine, over all connections; then they are paused.
        tls: speak TLS; plain TCP without.
        senders: networks that are heard; none: all. Connections of others are closed at once.
        proxies: networks of load balancers, whose connections must begin with a PROXY header (versions 1 and 2);
            its address then is the sender.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 5514
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 16 * 1024 * 1024
    tls: TlsSettings | None = None
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @model_validator(mode="after")
    def _plain_behind_proxies(self) -> Self:
        if self.tls is not None and self.proxies:
            raise ValueError(
                "tls and proxies exclude each other: the PROXY header comes before TLS begins"
            )
        return self


class SyslogTcp:
    """A listening socket and its connections."""

    def __init__(
        self, name: str, settings: SyslogTcpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._tls = None if settings.tls is None else server_context(settings.tls, name)
        self._socket = _listen(name, settings)
        self._inbox = Inbox(settings.buffer_bytes)
        self._hall = Hall(
            name, self._inbox, meter, now_us, settings.max_record_bytes, settings.max_connections, counted=True,
            proxies=settings.proxies,
            senders=Senders(settings.senders, None),
        )  # fmt: skip
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what comes until closed."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._hall), sock=self._socket, ssl=self._tls
        )
        try:
            async for batch in self._inbox.batches():
                yield batch
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening, hang up, and let `batches` end after what was received."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        await self._hall.close()


def _listen(name: str, settings: SyslogTcpSettings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        dual = settings.host == "::"
        return socket.create_server(
            (settings.host, settings.port), family=family, backlog=1024, dualstack_ipv6=dual
        )
    except OSError as error:
        place = f"{settings.host} port {settings.port}"
        raise SettingsError(f"source {name}: cannot listen on {place}: {error.strerror}") from error


SOURCE = SourceType("syslog_tcp", SyslogTcpSettings, SyslogTcp)
