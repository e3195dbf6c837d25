"""Syslog over UDP: one record a datagram.

Source: RFC 5426. UDP cannot wait: the kernel's buffer takes the burst, and what it drops is counted.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import SettingsError
from contract.ports import Meter, SourceType
from ingest.streams.datagrams import Datagrams, set_receive_buffer
from ingest.streams.senders import Senders

_LARGEST_DATAGRAM: Final = 65_535


class SyslogUdpSettings(BaseModel):
    """Where to listen.

    Attributes:
        host: address to bind; `::` takes IPv4 too.
        port: 0 lets the system choose (tests).
        receive_buffer_bytes: asked of the kernel; without CAP_NET_ADMIN it gives `net.core.rmem_max` at most.
        batch_records: most datagrams handed over at once; the rest waits in the kernel.
        senders: networks that are heard; none: all. What others send is counted in `dropped_sender`.
        max_per_sender_per_s: records a second taken of one sender; more are counted in `dropped_rate`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 5514
    receive_buffer_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 64 * 1024 * 1024
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    max_per_sender_per_s: Annotated[int, Field(ge=1, le=10_000_000)] | None = None


class SyslogUdp(Datagrams):
    """A bound UDP socket."""

    def __init__(
        self, name: str, settings: SyslogUdpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        super().__init__(
            name, _bind(name, settings), meter, now_us, settings.batch_records, _LARGEST_DATAGRAM,
            Senders(settings.senders, settings.max_per_sender_per_s),
        )  # fmt: skip

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])


def _bind(name: str, settings: SyslogUdpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6 and settings.host == "::":
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        set_receive_buffer(opened, settings.receive_buffer_bytes)
        opened.bind((settings.host, settings.port))
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        place = f"{settings.host} port {settings.port}"
        raise SettingsError(f"source {name}: cannot listen on {place}: {error.strerror}") from error
    return opened


SOURCE = SourceType("syslog_udp", SyslogUdpSettings, SyslogUdp, waits=False)
