"""Syslog over TCP and TLS: octet counting and newlines on one port.

Source: RFC 6587 (TCP), RFC 5425 (TLS; octet counting). Back-pressure is TCP's own: while the engine
has not taken what was read, nothing more is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from contract.ports import Meter, SourceType
from ingest.streams.framing import Framer
from ingest.streams.listener import Listener, ListenSettings


class SyslogTcpSettings(ListenSettings):
    """Where to listen and for whom."""


class SyslogTcp(Listener):
    """A listening socket and its connections. Nothing is answered: syslog over TCP has no receipts."""

    def __init__(
        self, name: str, settings: SyslogTcpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        super().__init__(name, settings, meter, now_us, partial(Framer, settings.max_record_bytes))


SOURCE = SourceType("syslog_tcp", SyslogTcpSettings, SyslogTcp)
