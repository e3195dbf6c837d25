"""Counts and times behind the baseline: of one kind, and of one host with its episodes of unusual things."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from correlate.chain.edges import MINUTE_US

EPISODE_US: Final = 15 * MINUTE_US
"""Unusual runs of a host closer than this are one episode."""
EVERYDAY: Final = 5.0
"""A kind that comes so many times a day or more is common: its coincidences never count."""
MAX_RECENT: Final = 512
"""Times kept one by one of one kind; in a flood the older half becomes part of the count early."""


@dataclass(slots=True, frozen=True)
class Rarity:
    """How unusual a run was when it came.

    Attributes:
        seen: runs of this kind (rule on host) before.
        per_day: expected runs of this kind a day.
        host_per_day: how often this host shows something at least as unusual.
        hosts: known then.
        days: learnt then.
        factor: 0 (everyday) to 1, for the score: shrunk to a half while little is learnt.
    """

    seen: int
    per_day: float
    host_per_day: float
    hosts: int
    days: float
    factor: float

    @property
    def is_common(self) -> bool:
        """Tell whether the kind is everyday."""
        return self.per_day > EVERYDAY


@dataclass(slots=True)
class Times:
    """A count, and the times not yet part of it."""

    count: int = 0
    recent: list[int] = field(default_factory=list)

    def before(self, time_us: int) -> int:
        """Return how many were before a time."""
        return self.count + bisect_left(self.recent, time_us)

    def add(self, time_us: int) -> None:
        """Count one more."""
        insort(self.recent, time_us)
        if len(self.recent) > MAX_RECENT:
            self.absorb(self.recent[MAX_RECENT // 2])

    def absorb(self, until_us: int) -> None:
        """Make times before `until_us` part of the count."""
        old = bisect_left(self.recent, until_us)
        if old:
            self.count += old
            del self.recent[:old]


@dataclass(slots=True)
class Habits:
    """One host.

    Attributes:
        first_us: when it was first seen.
        kinds: by rule.
        levels: closed episodes by how unusual their most unusual run was (log2 of its rate a day).
        open: start of the last run and level of the episode that is not closed; None when none is.
        recent: (time, level) of unusual runs not yet part of an episode.
    """

    first_us: int
    kinds: dict[str, Times] = field(default_factory=dict)
    levels: Counter[int] = field(default_factory=Counter)
    open: tuple[int, int] | None = None
    recent: list[tuple[int, int]] = field(default_factory=list)

    def episodes(self, level: int, until_us: int) -> int:
        """Return how many episodes at least as unusual as `level` ended before a time."""
        found = sum(count for known, count in self.levels.items() if known <= level)
        current = self.open
        for time_us, known in self.recent:
            if time_us >= until_us:
                break
            if current is not None and time_us - current[0] <= EPISODE_US:
                current = (time_us, min(known, current[1]))
                continue
            found += current is not None and current[1] <= level
            current = (time_us, known)
        return found + (current is not None and current[1] <= level)

    def absorb(self, until_us: int) -> None:
        """Close episodes that ended before a time."""
        while self.recent and self.recent[0][0] < until_us:
            time_us, known = self.recent.pop(0)
            if self.open is not None and time_us - self.open[0] <= EPISODE_US:
                self.open = (time_us, min(known, self.open[1]))
                continue
            if self.open is not None:
                self.levels[self.open[1]] += 1
            self.open = (time_us, known)
        if self.open is not None and until_us - self.open[0] > EPISODE_US:
            self.levels[self.open[1]] += 1
            self.open = None
        for times in self.kinds.values():
            times.absorb(until_us)
