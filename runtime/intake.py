"""Batches of one source to events and dead letters: its adapter, its streams' memory, its position."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from contract.event import Event
from contract.ports import Batch, Context, Meter
from contract.records import DeadLetter
from ingest.normalize import Normalizer, NormalizeSettings
from runtime.settings import Reading

MAX_SENDERS = 10_000
"""Streams whose adapter memory is kept, per source; beyond it the longest silent one is forgotten and counted."""


class Intake:
    """Normalizes what one source yields.

    Args:
        config: the source.
        settings: of normalization.
        meter: counts records, events and dead letters by source.
        saved: what `position` returned before a restart.
    """

    def __init__(
        self, config: Reading, settings: NormalizeSettings, meter: Meter, saved: Any = None
    ) -> None:
        self.config = config
        self._meter = meter
        self._normalizer = Normalizer(config.adapter, config.name, settings=settings, meter=meter)
        self._contexts: OrderedDict[str, Context] = OrderedDict()
        saved = saved or {}
        self.resume_at = saved.get("at")
        self.reached_us: int = saved.get("reached_us", 0)
        self._skip: int = saved.get("skip", 0)
        self._at = self.resume_at
        self._before: dict[str, Any] | None = None
        self._given = 0
        for sender, state in saved.get("streams", {}).items():
            self._context(sender, 0).state.update(state)

    def take(self, batch: Batch, *, may_stop: bool = False) -> Iterator[Event | DeadLetter]:
        """Yield what the batch holds, in order.

        An item counts as taken when the next one is asked for. With `may_stop`, the caller may ask for the position
        in the middle, at the cost of a copy of the streams' memory a batch.
        """
        if may_stop:
            self._before = deepcopy(self.position())
        self._given = 0
        context = self._context(batch.sender, batch.received_us)
        take = self._normalizer.take
        events = dead = 0
        for raw in batch.records:
            for item in take(raw, context):
                if self._skip:
                    self._skip -= 1
                    self._given += 1
                    continue
                yield item
                self._given += 1
                if type(item) is Event:
                    events += 1
                    self.reached_us = max(self.reached_us, item.time_us)
                else:
                    dead += 1
        self._before = None
        self._at = batch.position
        self._count(len(batch.records), events, dead)

    def flush(self, received_us: int) -> Iterator[Event | DeadLetter]:
        """Yield what the adapter still held when the source ended."""
        for context in self._contexts.values():
            context.received_us = received_us
            yield from self._normalizer.flush(context)

    def position(self) -> dict[str, Any]:
        """Return what a restart needs: the source's position, the streams' memory, the time reached.

        In the middle of a batch: those of its beginning, and how many of its items are to be passed over.
        """
        if self._before is not None:
            return {**self._before, "reached_us": self.reached_us, "skip": self._given}
        streams = {sender: one.state for sender, one in self._contexts.items() if one.state}
        position = {"at": self._at, "reached_us": self.reached_us, "streams": streams}
        return position | ({"skip": self._skip} if self._skip else {})

    def _context(self, sender: str, received_us: int) -> Context:
        context = self._contexts.get(sender)
        if context is None:
            config = self.config
            context = Context(received_us, config.zone, sender, options=config.options)
            self._contexts[sender] = context
            if len(self._contexts) > MAX_SENDERS:
                self._contexts.popitem(last=False)
                self._meter.add("streams_forgotten_total", source=config.name)
        else:
            self._contexts.move_to_end(sender)
            context.received_us = received_us
        return context

    def _count(self, records: int, events: int, dead: int) -> None:
        name = self.config.name
        self._meter.add("records_total", records, source=name)
        self._meter.add("events_total", events, source=name)
        if dead:
            self._meter.add("dead_letters_total", dead, source=name)
