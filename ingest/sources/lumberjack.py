"""Lumberjack over TCP or TLS: what Filebeat, Winlogbeat, Elastic Agent and others send to `output.logstash`.

A window of events is answered when the epoch that holds them is written: what was not answered, the sender sends
again, and an event that comes twice is one. While that takes long, the sender is told every few seconds that
its events are being worked on, so that it does not send them again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from contract.ports import Batch, Meter, SourceType
from ingest.streams.listener import Listener, ListenSettings
from ingest.streams.lumberjack import Lumberjack
from ingest.streams.unwrap import unwrap


class LumberjackSettings(ListenSettings):
    """Where to listen and for whom.

    Attributes:
        max_frame_bytes: of a packed frame, and of what it unpacks to; a connection that passes it ends.
        unwrap: hand over the text of this member of each event (Filebeat's `message`) instead of the event.
    """

    port: Annotated[int, Field(ge=0, le=65_535)] = 5044
    max_frame_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 64 * 1024 * 1024
    unwrap: str = ""


class LumberjackSource(Listener):
    """A listening socket and its clients."""

    def __init__(
        self, name: str, settings: LumberjackSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        reader = partial(Lumberjack, settings.max_record_bytes, settings.max_frame_bytes)
        super().__init__(name, settings, meter, now_us, reader, answers=True)
        self._member = settings.unwrap

    @override
    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        async for batch in super().batches(position):
            if self._member:
                batch.records = unwrap(batch.records, self._member)
            yield batch


SOURCE = SourceType("lumberjack", LumberjackSettings, LumberjackSource)
