"""A lane: one adapter with its normalizer and what it remembers of each stream. A source has one or several.

Which lane a record takes is decided by the source's routes (`ingest.routes`), by what its transport says, or by
what reads it best (`ingest.detection`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final

from contract.event import Event
from contract.ports import Adapter, Context, Meter
from contract.records import DeadLetter
from ingest.enrich import Enrichment
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings

MAX_SENDERS: Final = 10_000
"""Streams whose adapter memory is kept, per lane; beyond it the longest silent one is forgotten and counted."""


@dataclass(slots=True, frozen=True)
class LaneSettings:
    """How records are read.

    Attributes:
        adapter: what reads them.
        zone: of time stamps that name none.
        options: for the adapter; see its file.
    """

    adapter: Adapter
    zone: tzinfo = UTC
    options: Mapping[str, Any] = field(default_factory=dict)


class Lane:
    """Reads records of many streams by one adapter.

    Args:
        source: name of the configured source.
        settings: how its records are read.
        normalize: bounds.
        meter: counts.
        known: what is known of the site, shared by the lanes of a source; none: read as `normalize` says.
    """

    def __init__(
        self,
        source: str,
        settings: LaneSettings,
        normalize: NormalizeSettings,
        meter: Meter,
        known: Enrichment | None = None,
    ) -> None:
        self.source = source
        self.normalizer = Normalizer(
            settings.adapter, source, settings=normalize, meter=meter, known=known
        )
        self._settings = settings
        self._meter = meter
        self._contexts: OrderedDict[str, Context] = OrderedDict()

    def context(self, sender: str, received_us: int) -> Context:
        """Return what is known of a stream, for a record that arrived at this time."""
        context = self._contexts.get(sender)
        if context is not None:
            self._contexts.move_to_end(sender)
            context.received_us = received_us
            return context
        settings = self._settings
        context = Context(received_us, settings.zone, sender, options=settings.options)
        self._contexts[sender] = context
        if len(self._contexts) > MAX_SENDERS:
            self._contexts.popitem(last=False)
            self._meter.add("streams_forgotten_total", source=self.source)
        return context

    def take(self, raw: bytes, sender: str, received_us: int) -> list[Event | DeadLetter]:
        """Read one record of a stream."""
        return self.normalizer.take(raw, self.context(sender, received_us))

    def flush(self, received_us: int) -> Iterator[Event | DeadLetter]:
        """Yield what the adapter still held when the source ended."""
        for context in self._contexts.values():
            context.received_us = received_us
            yield from self.normalizer.flush(context)

    def forget(self, sender: str) -> None:
        """Give up what is remembered of a stream."""
        self._contexts.pop(sender, None)

    def memory(self) -> dict[str, dict[str, Any]]:
        """Return what the adapter remembers, by stream; JSON values, not copied."""
        return {sender: one.state for sender, one in self._contexts.items() if one.state}

    def restore(self, memory: Mapping[str, dict[str, Any]]) -> None:
        """Go on from what `memory` returned."""
        for sender, state in memory.items():
            self.context(sender, 0).state.update(state)
