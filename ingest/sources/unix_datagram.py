"""Records over a unix datagram socket that we bind: syslog(3) as `/dev/log` takes it, rsyslog's `omuxsock`, Suricata's `unix_dgram`.

Source: unix(7). A sender waits, or is told to try again, while the socket's queue is full; how many datagrams that takes is
the kernel's `net.unix.max_dgram_qlen`. Nothing is dropped by the kernel.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from contract.ports import Meter, SourceType
from ingest.streams.datagrams import Datagrams
from ingest.streams.senders import Senders
from ingest.streams.unix_socket import bind_unix, remove


class UnixDatagramSettings(BaseModel):
    """Where to listen.

    Attributes:
        path: of the socket; one left behind by a dead process is replaced.
        mode: its permissions, octal text such as `666`.
        max_record_bytes: longer datagrams are cut to one byte more.
        batch_records: most datagrams handed over at once; the rest waits in the kernel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "660"
    max_record_bytes: Annotated[int, Field(ge=64, le=16_777_216)] = 262_144
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000


class UnixDatagram(Datagrams):
    """A bound unix datagram socket."""

    def __init__(
        self, name: str, settings: UnixDatagramSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        opened = bind_unix(name, settings.path, settings.mode, socket.SOCK_DGRAM)
        opened.setblocking(False)
        super().__init__(
            name, opened, meter, now_us, settings.batch_records, settings.max_record_bytes,
            Senders((), None),
        )  # fmt: skip
        self._path = settings.path
        self._is_bound = True

    @override
    async def close(self) -> None:
        if self._is_bound:
            self._is_bound = False
            remove(self._path)
        await super().close()


SOURCE = SourceType("unix_datagram", UnixDatagramSettings, UnixDatagram)
