"""Event time of the whole engine: the least of what the live sources have reached.

Source: "The Dataflow Model" (Akidau et al., VLDB 2015), low watermarks; idle sources as in Flink 2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Progress:
    reached_us: int
    seen_at_us: int


class Watermarks:
    """Per source, the latest event time; over all, the time before which nothing is expected any more.

    Args:
        lateness_us: how much earlier than the latest an event of the same source may still come.
        idle_us: a source silent for this long, on the wall clock, holds nobody back; None: never idle
            (replay, where the only clock is the logs').
    """

    def __init__(self, lateness_us: int, idle_us: int | None) -> None:
        self._lateness_us = lateness_us
        self._idle_us = idle_us
        self._sources: dict[str, _Progress] = {}
        self._low_us = 0
        self._latest_us = 0

    def open(self, source: str, arrived_us: int, reached_us: int = 0) -> None:
        """Expect events of `source`, after a restart from the time it had reached.

        Until its first event, or until it is idle, time stands.
        """
        self._sources.setdefault(source, _Progress(reached_us, arrived_us))

    def close(self, source: str) -> None:
        """Expect nothing more of `source`."""
        self._sources.pop(source, None)

    def saw(self, source: str, time_us: int, arrived_us: int) -> None:
        """Note one event, or the latest of a batch."""
        self._latest_us = max(self._latest_us, time_us)
        progress = self._sources.get(source)
        if progress is None:
            self._sources[source] = _Progress(time_us, arrived_us)
            return
        progress.reached_us = max(progress.reached_us, time_us)
        progress.seen_at_us = arrived_us

    def low(self, now_us: int) -> int:
        """Return the watermark at this wall-clock moment; it never decreases. O(sources).

        With every source idle, or none, it follows the wall clock, so that deadlines fire without events.
        """
        least: int | None = None
        idle_us = self._idle_us
        for one in self._sources.values():
            if idle_us is not None and now_us - one.seen_at_us >= idle_us:
                continue
            if least is None or one.reached_us < least:
                least = one.reached_us
        if least is None:
            if idle_us is None:
                return self._low_us
            least = now_us - idle_us
        elif idle_us is not None and now_us < least:
            least = now_us  # on live input no clock ahead of ours may close windows of the others
        low = least - self._lateness_us
        self._low_us = max(self._low_us, low)
        return self._low_us

    def restore(self, low_us: int) -> None:
        """Go on from a stored watermark."""
        self._low_us = max(self._low_us, low_us)

    def is_live(self, now_us: int) -> bool:
        """Tell whether the latest event is of just now, by the wall clock."""
        return self._latest_us > now_us - self._lateness_us

    def latest(self) -> int:
        """Return the latest event time of all sources, closed ones too, or the watermark if that is later."""
        return max(self._latest_us, self._low_us)
