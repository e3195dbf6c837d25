"""Bounds of records and events; the `[normalize]` table of the settings file."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.timespan import Timespan
from ingest.enrich import EnrichSettings


class NormalizeSettings(BaseModel):
    """Bounds of what one record may be.

    Attributes:
        max_record_bytes: longer records become dead letters unread.
        max_fields: of one event.
        max_name_length: of one field's name.
        max_future: how far an event may lie after its arrival; a clock that runs ahead further is wrong.
        max_age: how long before its arrival an event may lie; None: any, so that old logs can be replayed.
        earliest_year: events before are of a clock that was never set.
        keep_original: keep the raw record, as text, in `event.original`.
        stamp_ingested: set `event.ingested` to the arrival, and `event.created` where the event does not say when it was
            first read; off, since a replay then differs from live.
        dead_letter_bytes: of a dead letter's raw record, kept.
        enrich: what is known of the site and added to events: `own_networks` (a list), `zones` (a list of networks
            by name), `inventory` (a CSV or JSON file of assets), `geoip` (a list of files in MaxMind's format).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    max_fields: Annotated[int, Field(ge=16, le=65_536)] = 4_096
    max_name_length: Annotated[int, Field(ge=16, le=32_766)] = 512
    max_future: Timespan = timedelta(days=1)
    max_age: Timespan | None = None
    earliest_year: Annotated[int, Field(ge=1970, le=9999)] = 1971
    keep_original: bool = False
    stamp_ingested: bool = False
    dead_letter_bytes: Annotated[int, Field(ge=0, le=16_777_216)] = 65_536
    enrich: EnrichSettings = EnrichSettings()
