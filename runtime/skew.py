"""How far the clocks of a source's senders are from ours: arrival less the time that the newest event of a batch states.

What is measured is a sender's clock error and the way here together. The way is never negative, so a value below zero is
a clock that runs ahead, and the least value of a minute is the best estimate of one that runs behind.
"""

from __future__ import annotations

from typing import Final

from contract.ports import Meter

WINDOW_US: Final = 60_000_000
MAX_SENDERS: Final = 10_000
"""Compared within a minute; those beyond are left out of that minute."""


class Skew:
    """The least skew of each sender within a minute; of those, the least and the most are told.

    Args:
        source: name of the source.
        meter: is told `clock_skew_seconds`.
    """

    def __init__(self, source: str, meter: Meter) -> None:
        self._source = source
        self._meter = meter
        self._least: dict[str, int] = {}
        self._began_us = 0

    def saw(self, sender: str, received_us: int, newest_us: int) -> None:
        """Note a batch: its arrival, and the time of its newest event. O(senders) once a minute."""
        if not 0 <= received_us - self._began_us < WINDOW_US:
            self._tell()
            self._least.clear()
            self._began_us = received_us
        skew_us = received_us - newest_us
        known = self._least.get(sender)
        if known is None and len(self._least) >= MAX_SENDERS:
            return
        if known is None or skew_us < known:
            self._least[sender] = skew_us
            if len(self._least) == 1:
                self._tell()

    def _tell(self) -> None:
        if self._least:
            for extreme, value in (("least", min(self._least.values())), ("most", max(self._least.values()))):  # fmt: skip
                self._meter.set("clock_skew_seconds", value / 1e6, source=self._source, extreme=extreme)  # fmt: skip
