"""Back-pressure by event time: no source with recorded input to read runs far ahead of another one.

Files of the same day, read at full speed, are soon hours apart in event time; then what belongs together is not in
memory together, and joins that are exact for input within the lateness are not. So the next event of a source
that can wait waits while another source is still reading what was written before and has not come as far. Live
input waits for nobody, and nobody waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Runner:
    reached_us: int
    seen_at_us: int
    has_more: bool


class Pace:
    """Says which source may go on.

    Args:
        ahead_us: how far one source may be ahead of another, event time.
        idle_us: a source that said it had more at hand and gave nothing for so long, on the wall clock, is not
            waited for.
    """

    def __init__(self, ahead_us: int, idle_us: int) -> None:
        self._ahead_us = ahead_us
        self._idle_us = idle_us
        self._runners: dict[str, _Runner] = {}

    def open(self, source: str, now_us: int, reached_us: int = 0, *, has_more: bool) -> None:
        """Expect `source`, which after a restart had come to `reached_us`."""
        self._runners[source] = _Runner(reached_us, now_us, has_more)

    def gave(self, source: str, now_us: int, *, has_more: bool) -> None:
        """Note a batch of `source`, and whether more is at hand behind it."""
        runner = self._runners[source]
        runner.seen_at_us = now_us
        runner.has_more = has_more

    def saw(self, source: str, time_us: int) -> None:
        """Note the time of the next event of `source`, whether or not it may go on."""
        runner = self._runners[source]
        runner.reached_us = max(runner.reached_us, time_us)

    def close(self, source: str) -> None:
        """Expect nothing more of `source`."""
        self._runners.pop(source, None)

    def limit(self, source: str, now_us: int) -> int | None:
        """Return the latest event time that `source` may go to now; None: any. O(sources).

        The least advanced of all waiting sources always may go on: they cannot wait for each other in a circle.
        """
        least = self.least(now_us, but=source)
        return None if least is None else least + self._ahead_us

    def least(self, now_us: int, *, but: str = "") -> int | None:
        """Return how far all sources that read what was written before have come; None: there is none. O(sources)."""
        return min(
            (
                one.reached_us
                for name, one in self._runners.items()
                if one.has_more and name != but and now_us - one.seen_at_us < self._idle_us
            ),
            default=None,
        )

    def reached(self, source: str) -> int:
        """Return the event time before which `source` has nothing more to give, but what is late."""
        runner = self._runners.get(source)
        return 0 if runner is None else runner.reached_us
