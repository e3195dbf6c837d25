"""Trust as evidence: what attestation said of a thing, fading to "unknown" with time.

Trust scales risk: what happens on a host that has just proven its state weighs less than on one that failed, and
an old proof proves little. Source: RFC 9334 (attestation results age), AR4SI trust tiers.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from typing import Any, Final

UNKNOWN: Final = 0.3
"""Trust of a thing that nobody appraised."""
PASSED: Final = 0.6
"""Right after a pass. Never 1: attestation measures what was loaded, not what runs in memory."""
FAILED: Final = 0.0
HALF_LIFE_US: Final = 3_600_000_000
"""An hour: Keylime appraises every few seconds, so an hour without news is news."""

OLD_US: Final = 24 * HALF_LIFE_US
"""An older result says nothing, so that it does not show whether it was forgotten already."""

SLOT_US: Final = 300_000_000
"""Of the equal results within five minutes the first is kept, whatever the order of arrival."""
MAX_RESULTS: Final = 600
"""Results kept of one thing (more than a day's slots of both kinds); the oldest go first."""


class Trust:
    """Attestation results by thing (`type|value`), asked as of a time."""

    def __init__(self) -> None:
        self._results: dict[str, list[tuple[int, str]]] = {}
        self._changed: set[str] = set()

    def __bool__(self) -> bool:
        """Whether anything was appraised lately."""
        return bool(self._results)

    def learn(self, key: str, time_us: int, result: str) -> bool:
        """Note a result, `pass` or `fail`; others say nothing. Tell whether it was news. O(kept)."""
        if result not in ("pass", "fail"):
            return False
        results = self._results.setdefault(key, [])
        slot = time_us // SLOT_US
        place = bisect_right(results, (slot * SLOT_US, ""))
        while place < len(results) and results[place][0] // SLOT_US == slot:
            if results[place][1] == result:
                if results[place][0] <= time_us:
                    return False
                del results[place]
                break
            place += 1
        insort(results, (time_us, result))
        del results[:-MAX_RESULTS]
        self._changed.add(key)
        return True

    def at(self, keys: tuple[str, ...], time_us: int) -> float:
        """Return the least trust in any of these things at a time: 0 (failed) to 1; `UNKNOWN` without results."""
        found: float | None = None
        for key in keys:
            results = self._results.get(key)
            if not results:
                continue
            place = bisect_right(results, (time_us, "~")) - 1
            if place < 0:
                continue
            then, result = results[place]
            if time_us - then > OLD_US:
                continue
            value = FAILED if result == "fail" else PASSED
            faded: float = UNKNOWN + (value - UNKNOWN) * 0.5 ** ((time_us - then) / HALF_LIFE_US)
            found = faded if found is None else min(found, faded)
        return UNKNOWN if found is None else found

    def regained(self, keys: Iterable[str], lasting_us: int) -> bool:
        """Tell whether things failed and have passed since, from first to last pass for so long. O(kept).

        Passes are known by slots (`SLOT_US`), so it may be told one slot later than it was so. Without a result
        since the failure nothing is regained: silence proves nothing.
        """
        rows = [row for key in keys for row in self._results.get(key, ())]
        failed_us = max((time_us for time_us, result in rows if result == "fail"), default=None)
        if failed_us is None:
            return False
        # Of the failures of a slot only the first is known, so passes count from the next slot on.
        passes = [time_us for time_us, _ in rows if time_us // SLOT_US > failed_us // SLOT_US]
        return bool(passes) and max(passes) - min(passes) >= lasting_us

    def forget(self, before_us: int) -> None:
        """Drop things without a result since then."""
        for key in [key for key, rows in self._results.items() if rows[-1][0] < before_us]:
            del self._results[key]
            self._changed.add(key)

    def changed(self) -> dict[str, list[tuple[int, str]] | None]:
        """Return what changed since the last call, by key; None where it is gone."""
        found = {key: self._results.get(key) for key in sorted(self._changed)}
        self._changed.clear()
        return found

    def restore(self, key: str, rows: Any) -> None:
        """Put back what `changed` returned."""
        self._results[key] = [(int(time_us), str(result)) for time_us, result in rows]
