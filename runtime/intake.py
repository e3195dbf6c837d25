"""Batches of one source to events and dead letters: its adapters, its streams' memory, its position, its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Final, TypeAlias

import structlog

from contract.event import Event
from contract.ports import Adapter, Batch, Meter
from contract.records import DeadLetter
from contract.timestamps import from_datetime
from ingest.detection import DETECT, Detection
from ingest.enrich import Enrichment
from ingest.lanes import Lane, LaneSettings
from ingest.normalize_settings import NormalizeSettings
from ingest.routes import Router
from runtime.settings import Reading
from runtime.skew import Skew
from runtime.source_clock import SourceClock

log = structlog.get_logger()

Take: TypeAlias = Callable[[bytes, str, int], list[Event | DeadLetter]]
"""Record, sender and arrival to what it holds."""

_MAIN: Final = ""


class Intake:
    """Normalizes what one source yields.

    Args:
        config: the source.
        settings: of normalization.
        meter: counts records, events and dead letters by source.
        saved: what `position` returned before a restart.
        max_jump_us: see `SourceClock`; also `lateness_us`.

    Attributes:
        resume_at: the position that the source goes on from.
        reached_us: event time that what was taken has come to.
    """

    def __init__(
        self,
        config: Reading,
        settings: NormalizeSettings,
        meter: Meter,
        saved: Any = None,
        *,
        max_jump_us: int | None = None,
        lateness_us: int | None = None,
    ) -> None:
        self.config = config
        self._settings = settings
        self._meter = meter
        self._skew = Skew(config.name, meter)
        self._known = Enrichment(settings.enrich, meter)
        self._main = self._lane(config.adapter)
        self._lanes: dict[str, Lane] = {_MAIN: self._main}
        self._router = Router(config.routes) if config.routes else None
        for number, route in enumerate(config.routes):
            self._lanes[f"route {number}"] = Lane(
                config.name, route.settings, settings, meter, self._known
            )
        for name, adapter in config.adapters.items():
            self._lanes[f"adapter {name}"] = self._lane(adapter)
        self._detection = self._detect() if config.adapter is DETECT else None
        saved = saved or {}
        self.resume_at = saved.get("at")
        self.reached_us: int = saved.get("reached_us", 0)
        self._skip: int = saved.get("skip", 0)
        self._at = self.resume_at
        self._before: dict[str, Any] | None = None
        self._given = 0
        self._clock = SourceClock(
            config.name, meter, max_jump_us, lateness_us, self.reached_us, saved.get("clock")
        )
        self._restore(saved)

    def take(self, batch: Batch, *, may_stop: bool = False) -> Iterator[Event | DeadLetter]:
        """Yield what the batch holds, in order.

        An item counts as taken when the next one is asked for. With `may_stop`, the caller may ask for the position
        in the middle, at the cost of a copy of the streams' memory a batch.
        """
        if may_stop:
            self._before = deepcopy(self.position())
        self._given = 0
        newest_us = events = dead = 0
        received_us, clock = batch.received_us, self._clock
        for item in clock.order(self._read(batch), received_us, has_more=batch.has_more):
            if self._skip:
                self._skip -= 1
                self._given += 1
                continue
            yield item
            self._given += 1
            if type(item) is Event:
                events += 1
                newest_us = max(newest_us, item.time_us)
                self.reached_us = clock.turn_us
            else:
                dead += 1
        self._before = None
        self._at = batch.position
        if newest_us:
            self._skew.saw(batch.sender, received_us, newest_us)
        self._count(len(batch.records), events, dead)

    @property
    def turn_us(self) -> int:
        """Return the event time that the source has come to with the item yielded last; less than the item's, if that is not believed."""
        return self._clock.turn_us

    def again(self, letter: DeadLetter) -> list[Event | DeadLetter]:
        """Read a dead letter's record once more.

        As if it came now; and if that fails, by the adapter that had refused it: its sender, by whom it was routed, is not known.
        """
        raw, received_us = [letter.raw], from_datetime(letter.time)
        items = list(self.take(Batch(letter.source, raw, received_us)))
        if any(isinstance(one, DeadLetter) for one in items):
            batch = Batch(letter.source, raw, received_us, adapter=letter.adapter)
            items = list(self.take(batch))
        return items

    def flush(self, received_us: int, *, is_over: bool = True) -> Iterator[Event | DeadLetter]:
        """Yield what the adapters still held when the source ended; with `is_over` nothing of it will ever come."""
        events = dead = 0
        for item in self._held_back(received_us, is_over=is_over):
            yield item
            if type(item) is Event:
                events += 1
            else:
                dead += 1
        self._count(0, events, dead)

    def _held_back(self, received_us: int, *, is_over: bool) -> Iterator[Event | DeadLetter]:
        for lane in self._lanes.values():
            yield from self._clock.order(lane.flush(received_us), received_us, has_more=True)
        if is_over:
            yield from self._clock.end()

    def position(self) -> dict[str, Any]:
        """Return what a restart needs: the source's position, the streams' memory, the time reached.

        In the middle of a batch: those of its beginning, and how many of its items are to be passed over.
        """
        if self._before is not None:
            return {**self._before, "reached_us": self.reached_us, "skip": self._given}
        streams = self._main.memory()
        position = {"at": self._at, "reached_us": self.reached_us, "streams": streams}
        lanes = {name: found for name, one in self._lanes.items() if name and (found := one.memory())}  # fmt: skip
        if lanes:
            position["lanes"] = lanes
        if clock := self._clock.memory():
            position["clock"] = clock
        if self._detection is not None:
            position["detection"] = self._detection.memory()
        return position | ({"skip": self._skip} if self._skip else {})

    # -------------------------------------------------------------- which adapter

    def _read(self, batch: Batch) -> Iterator[Event | DeadLetter]:
        """Yield what the records hold, each read by the adapter that is meant for it."""
        sender, received_us = batch.sender, batch.received_us
        if not batch.adapter and self._router is None and self._detection is None:
            context, take = self._main.context(sender, received_us), self._main.normalizer.take
            for raw in batch.records:
                yield from take(raw, context)
            return
        named = self._named(batch.adapter)
        for raw in batch.records:
            chosen = named or self._routed(raw, sender, received_us) or self._otherwise
            yield from chosen(raw, sender, received_us)

    def _named(self, adapter: str) -> Take | None:
        """Return what reads records whose transport names an adapter, if the settings allow it."""
        if not adapter or adapter == DETECT.name:
            return None
        if adapter == self.config.adapter.name:
            return self._main.take
        lane = self._lanes.get(f"adapter {adapter}")
        if lane is not None:
            return lane.take
        for number, route in enumerate(self.config.routes):
            if route.settings.adapter.name == adapter:
                return self._lanes[f"route {number}"].take
        self._meter.add("adapter_refused", source=self.config.name)
        return None

    def _routed(self, raw: bytes, sender: str, received_us: int) -> Take | None:
        if self._router is None:
            return None
        number = self._router.choose(raw, sender, received_us)
        return None if number is None else self._lanes[f"route {number}"].take

    @property
    def _otherwise(self) -> Take:
        return self._main.take if self._detection is None else self._detection.take

    def _lane(self, adapter: Adapter) -> Lane:
        config = self.config
        how = LaneSettings(adapter, config.zone, config.options)
        return Lane(config.name, how, self._settings, self._meter, self._known)

    def _detect(self) -> Detection:
        lanes = {name: self._lanes[f"adapter {name}"] for name in self.config.adapters}

        def say(sender: str, adapter: str, confidence: float) -> None:
            log.info(
                "source.detected",
                source=self.config.name,
                sender=sender,
                adapter=adapter,
                confidence=confidence,
            )

        return Detection(lanes, self._main, self.config.confidence, self._meter, say)

    def _restore(self, saved: dict[str, Any]) -> None:
        """Go on from a position; memory of routes and adapters that are gone is dropped."""
        self._main.restore(saved.get("streams", {}))
        for name, memory in saved.get("lanes", {}).items():
            if name in self._lanes:
                self._lanes[name].restore(memory)
        if self._detection is not None:
            self._detection.restore(saved.get("detection", {}))

    def _count(self, records: int, events: int, dead: int) -> None:
        name = self.config.name
        self._meter.add("records_total", records, source=name)
        self._meter.add("events_total", events, source=name)
        if dead:
            self._meter.add("dead_letters_total", dead, source=name)
