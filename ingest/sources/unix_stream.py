"""Newline-delimited records over a unix stream socket that we listen on, such as Suricata's EVE output.

Source: Suricata 7 user guide, "Eve JSON Output", `filetype: unix_stream` (the sensor connects).
The fastest way from a local sensor: no file, no polling, and its back-pressure is the socket's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.ports import Batch, Meter, SourceType
from ingest.streams.connection import Connection, Hall
from ingest.streams.framing import Framer
from ingest.streams.inbox import Inbox
from ingest.streams.pcap_cutter import PcapCutter
from ingest.streams.reader import Reader
from ingest.streams.unix_socket import bind_unix, remove

_BACKLOG: Final = 64


class UnixStreamSettings(BaseModel):
    """Where to listen.

    Attributes:
        path: of the socket; one left behind by a dead process is replaced.
        mode: its permissions, octal text such as `660`.
        records: what comes: lines, or a capture (`pcap`), e.g. of `tcpdump -i pflog0 -U -w -` sent through `socat` or `nc -U`.
        max_record_bytes: longer records are cut to one byte more, and refused by the normalizer.
        max_connections: further ones are closed at once.
        buffer_bytes: read ahead of the engine; then the connections are paused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "660"
    records: Literal["lines", "pcap"] = "lines"
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 64
    buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 16 * 1024 * 1024


class UnixStream:
    """A listening unix socket and its connections."""

    def __init__(
        self, name: str, settings: UnixStreamSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._path = settings.path
        self._socket = bind_unix(name, settings.path, settings.mode, socket.SOCK_STREAM)
        self._socket.listen(_BACKLOG)
        self._inbox = Inbox(settings.buffer_bytes)
        lines = partial(Framer, settings.max_record_bytes, counted=False)
        reader: Callable[[], Reader] = PcapCutter if settings.records == "pcap" else lines
        self._hall = Hall(name, self._inbox, meter, now_us, settings.max_connections, reader)
        self._server: asyncio.Server | None = None
        self._is_bound = True

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield what comes until closed."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Connection(self._hall), sock=self._socket
        )
        try:
            async for batch in self._inbox.batches():
                yield batch
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening, remove the socket, hang up, and let `batches` end after what was received."""
        if self._is_bound:
            self._is_bound = False
            remove(self._path)
        if self._server is not None:
            self._server.close()
        self._socket.close()
        await self._hall.close()


SOURCE = SourceType("unix_stream", UnixStreamSettings, UnixStream)
