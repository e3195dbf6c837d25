"""RELP over TCP or TLS: syslog that is answered record by record, so that nothing is lost on the way.

rsyslog sends it with `omrelp`. A record is answered when the epoch that holds it is written: what was not
answered, the sender sends again, and a record that comes twice is one event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import Field

from contract.ports import Meter, SourceType
from ingest.streams.listener import Listener, ListenSettings
from ingest.streams.relp import Relp


class RelpSettings(ListenSettings):
    """Where to listen and for whom."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 2514


class RelpSource(Listener):
    """A listening socket and its sessions."""

    def __init__(
        self, name: str, settings: RelpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        reader = partial(Relp, settings.max_record_bytes)
        super().__init__(name, settings, meter, now_us, reader, answers=True)


SOURCE = SourceType("relp", RelpSettings, RelpSource)
