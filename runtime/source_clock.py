"""How far one source's event time has come, whatever a clock gone wrong says.

One record of a clock that runs ahead must not make the true ones behind it late. So a record that is further ahead of its
source than `engine.max_jump` moves its source's time only when the next one is ahead as well, or when it is of just
now; and no record moves it further than its arrival and the lateness. The record itself keeps its time. It is taken in
turn with the latest before it, like one that is late.

The record after decides, so the one before waits for it: for nothing else, and not when nothing more is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from contract.event import Event
from contract.ports import Meter
from contract.records import DeadLetter

_EVER: Final = 1 << 62
"""Later than any time that a record states."""


class SourceClock:
    """The event time of one source.

    Args:
        source: its name.
        meter: counts `clock_jumps_total`, records that did not move time as far as they say.
        max_jump_us: how far one record alone may move time; None: any.
        lateness_us: how far time may be ahead of a record's arrival, which is by the wall clock; None: the arrival says
            nothing (replay).
        reached_us: what it had come to before a restart.
        saved: what `memory` returned then.

    Attributes:
        turn_us: event time that the source has come to with what was yielded last: that one's own, but for one that
            is late or not believed. Never decreases.
    """

    def __init__(
        self,
        source: str,
        meter: Meter,
        max_jump_us: int | None = None,
        lateness_us: int | None = None,
        reached_us: int = 0,
        saved: dict[str, Any] | None = None,
    ) -> None:
        self._source = source
        self._meter = meter
        self._max_jump_us = _EVER if max_jump_us is None else max_jump_us
        self._lateness_us = lateness_us
        self.turn_us = reached_us
        saved = saved or {}
        self._ahead_us: int = saved.get("ahead_us", 0)
        held = saved.get("held")
        self._held = None if held is None else Event.decode(held.encode(), source)

    def order(
        self, items: Iterable[Event | DeadLetter], arrived_us: int, *, has_more: bool
    ) -> Iterator[Event | DeadLetter]:
        """Yield items as they came, each when `turn_us` is known of it.

        Args:
            items: of one batch.
            arrived_us: when it came.
            has_more: another batch is at hand, so that the last item can wait for it.
        """
        jump_us, lateness_us = self._max_jump_us, self._lateness_us
        # A record of just now needs no second one: our own clock says the same.
        latest_us, now_us = _EVER, _EVER
        if lateness_us is not None:
            latest_us, now_us = arrived_us + lateness_us, arrived_us - jump_us
        for item in items:
            if type(item) is not Event:
                yield from self._let_go()
                yield item
                continue
            time_us = item.time_us
            if time_us > latest_us:
                time_us = latest_us
                self._count()
            if time_us > self.turn_us + jump_us and time_us < now_us:
                yield from self._ahead(item)
                continue
            if self._ahead_us:  # it was not so
                yield from self._let_go()
                self._ahead_us = 0
            if time_us > self.turn_us:  # noqa: PLR1730 - max() costs as much as the rest
                self.turn_us = time_us
            yield item
        if not has_more:
            yield from self._let_go()

    def end(self) -> Iterator[Event]:
        """Yield what waits when nothing more will come: nothing can be late by it, so it is believed."""
        if self._held is not None:
            self.turn_us = max(self.turn_us, self._held.time_us)
            yield from self._let_go()

    def memory(self) -> dict[str, Any]:
        """Return what a restart needs beside the time reached; empty: nothing."""
        if not self._ahead_us:
            return {}
        held = self._held
        return {"ahead_us": self._ahead_us} | ({"held": held.json.decode()} if held else {})

    def _ahead(self, event: Event) -> Iterator[Event]:
        """Take one that is ahead of all before: two in a row are believed, as far as both say."""
        if self._ahead_us:
            self.turn_us = min(self._ahead_us, event.time_us)
            self._ahead_us = 0
            yield from self._let_go()
            if event.time_us <= self.turn_us + self._max_jump_us:
                self.turn_us = event.time_us
                yield event
                return
        self._ahead_us, self._held = event.time_us, event

    def _let_go(self) -> Iterator[Event]:
        held, self._held = self._held, None
        if held is not None:
            if held.time_us > self.turn_us:
                self._count()
            yield held

    def _count(self) -> None:
        self._meter.add("clock_jumps_total", source=self._source)
