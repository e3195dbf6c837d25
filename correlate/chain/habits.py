"""Counts and times behind the baseline: of one kind, and of one host with its episodes of unusual things."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from correlate.chain.edges import MINUTE_US

EPISODE_US: Final = 15 * MINUTE_US
"""Unusual runs of a host closer than this are one episode."""
EVERYDAY: Final = 5.0
"""A kind that comes so many times a day or more is common: its coincidences never count."""
SLOT_US: Final = MINUTE_US
"""What begins in one minute on one host is one doing: a flood from ever new sources counts once a minute."""
MAX_RECENT: Final = 512
"""Slots kept one by one of one kind; in a flood the older half becomes part of the count early."""


class Rarity(NamedTuple):
    """How unusual a run was when it came; stored as a list in this order.

    Attributes:
        seen: how often this kind (rule on host) came before: in how many slots a run of it began.
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


def slot_of(time_us: int) -> int:
    """Return the beginning of a time's slot."""
    return time_us - time_us % SLOT_US


@dataclass(slots=True)
class Times:
    """A count of slots, and those not yet part of it.

    Attributes:
        recent: slots, sorted.
        more: how many more fell in one than the first.
    """

    count: int = 0
    recent: list[int] = field(default_factory=list)
    more: dict[int, int] = field(default_factory=dict)

    def before(self, time_us: int) -> int:
        """Return how many were before a time."""
        return self.count + bisect_left(self.recent, time_us)

    def add(self, slot_us: int) -> bool:
        """Count one more; tell whether it is the first in its slot."""
        recent = self.recent
        if not recent or slot_us > recent[-1]:
            recent.append(slot_us)
        elif recent[place := bisect_left(recent, slot_us)] == slot_us:
            self.more[slot_us] = self.more.get(slot_us, 0) + 1
            return False
        else:
            recent.insert(place, slot_us)
        if len(recent) > MAX_RECENT:
            self.absorb(recent[MAX_RECENT // 2])
        return True

    def take_back(self, slot_us: int) -> bool:
        """Take one back, as far as it is not yet part of the count; tell whether its slot is empty now."""
        if slot_us in self.more:
            self.more[slot_us] -= 1
            if not self.more[slot_us]:
                del self.more[slot_us]
            return False
        place = bisect_left(self.recent, slot_us)
        if place == len(self.recent) or self.recent[place] != slot_us:
            return False
        del self.recent[place]
        return True

    def absorb(self, until_us: int) -> bool:
        """Make slots before `until_us` part of the count; tell whether there were any."""
        recent = self.recent
        if not recent or recent[0] >= until_us:
            return False
        old = bisect_left(recent, until_us)
        self.count += old
        if self.more:
            for slot_us in recent[:old]:
                self.more.pop(slot_us, None)
        del recent[:old]
        return True


@dataclass(slots=True)
class Habits:
    """One host.

    Attributes:
        first_us: slot in which it was first seen.
        kinds: by rule.
        levels: closed episodes by how unusual their most unusual run was (log2 of its rate a day).
        open: start of the last run and level of the episode that is not closed; None when none is.
        recent: (slot, level) of unusual runs not yet part of an episode, sorted.
        more: how many more runs stand for one of these than the first.
    """

    first_us: int
    kinds: dict[str, Times] = field(default_factory=dict)
    levels: Counter[int] = field(default_factory=Counter)
    open: tuple[int, int] | None = None
    recent: list[tuple[int, int]] = field(default_factory=list)
    more: dict[tuple[int, int], int] = field(default_factory=dict)

    def note(self, slot_us: int, level: int) -> bool:
        """Note that something unusual began; tell whether it could be kept."""
        row = (slot_us, level)
        place = bisect_left(self.recent, row)
        if place < len(self.recent) and self.recent[place] == row:
            self.more[row] = self.more.get(row, 0) + 1
            return True
        if len(self.recent) >= MAX_RECENT:
            return False
        self.recent.insert(place, row)
        return True

    def take_back(self, slot_us: int, level: int) -> None:
        """Take back what was noted, as far as it is not yet part of an episode."""
        row = (slot_us, level)
        if row in self.more:
            self.more[row] -= 1
            if not self.more[row]:
                del self.more[row]
        elif row in self.recent:
            self.recent.remove(row)

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

    def absorb(self, until_us: int) -> bool:
        """Close episodes that ended before a time; tell whether anything changed."""
        changed = False
        while self.recent and self.recent[0][0] < until_us:
            changed = True
            time_us, known = self.recent.pop(0)
            self.more.pop((time_us, known), None)
            if self.open is not None and time_us - self.open[0] <= EPISODE_US:
                self.open = (time_us, min(known, self.open[1]))
                continue
            if self.open is not None:
                self.levels[self.open[1]] += 1
            self.open = (time_us, known)
        if self.open is not None and until_us - self.open[0] > EPISODE_US:
            self.levels[self.open[1]] += 1
            self.open = None
            changed = True
        for times in self.kinds.values():
            if times.recent and times.absorb(until_us):
                changed = True
        return changed
