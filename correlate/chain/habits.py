"""Counts and times behind the baseline: of one kind, and of one host with its episodes of unusual things."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from math import floor, log2
from typing import Final, NamedTuple, TypeAlias

from correlate.chain.edges import MINUTE_US

EPISODE_US: Final = 15 * MINUTE_US
"""Unusual runs of a host closer than this are one episode."""
EVERYDAY: Final = 5.0
"""A kind that comes so many times a day or more is common: its coincidences never count."""
SLOT_US: Final = MINUTE_US
"""What begins in one minute on one host is one doing: a flood from ever new sources counts once a minute."""
COMMON_LEVEL: Final = floor(log2(EVERYDAY))
MAX_RECENT: Final = 512
"""Slots kept one by one of one kind; in a flood the older half becomes part of the count early."""


Noted: TypeAlias = tuple[int, int, int]


class Rarity(NamedTuple):
    """How unusual a run was when it came; stored as a list in this order.

    Attributes:
        seen: how often this kind (rule on host) came before: in how many slots a run of it began.
        per_day: expected runs of this kind a day.
        host_per_day: how often this host shows something at least as unusual.
        hosts: known then.
        days: learnt then.
        factor: 0 (everyday) to 1, for the score: shrunk to a half while little is learnt.
        novelty: what it adds to how strong an episode is: nothing where any host showed its kind before.
        site_per_day: how often the site shows an episode on some host as strong as the one that it is part of; None
            where that one shows nothing new.
    """

    seen: int
    per_day: float
    host_per_day: float
    hosts: int
    days: float
    factor: float
    novelty: int = 0
    site_per_day: float | None = None

    @property
    def level(self) -> int:
        """How often the kind comes a day, as a power of two."""
        return floor(log2(self.per_day))

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
        strengths: closed episodes by how strong they were: by all that was new in them.
        open: start of the last run, level and strength of the episode that is not closed; None when none is.
        recent: (slot, level, novelty) of unusual runs not yet part of an episode, sorted.
        more: how many more runs stand for one of these than the first.
    """

    first_us: int
    kinds: dict[str, Times] = field(default_factory=dict)
    levels: Counter[int] = field(default_factory=Counter)
    strengths: Counter[int] = field(default_factory=Counter)
    open: tuple[int, int, int] | None = None
    recent: list[Noted] = field(default_factory=list)
    more: dict[Noted, int] = field(default_factory=dict)

    def due_us(self) -> int | None:
        """Return behind which time something becomes part of a count; None: all is. O(kinds)."""
        times = [one.recent[0] for one in self.kinds.values() if one.recent]
        if self.recent:
            times.append(self.recent[0][0])
        if self.open is not None:
            times.append(self.open[0] + EPISODE_US)
        return min(times, default=None)

    def note(self, slot_us: int, rarity: Rarity) -> bool:
        """Note that something unusual began; tell whether it could be kept."""
        row = (slot_us, rarity.level, rarity.novelty)
        place = bisect_left(self.recent, row)
        if place < len(self.recent) and self.recent[place] == row:
            self.more[row] = self.more.get(row, 0) + 1
            return True
        if len(self.recent) >= MAX_RECENT:
            return False
        self.recent.insert(place, row)
        return True

    def take_back(self, slot_us: int, rarity: Rarity) -> None:
        """Take back what was noted, as far as it is not yet part of an episode."""
        row = (slot_us, rarity.level, rarity.novelty)
        if row in self.more:
            self.more[row] -= 1
            if not self.more[row]:
                del self.more[row]
        elif row in self.recent:
            self.recent.remove(row)

    def strength(self, slot_us: int, noted: int) -> int:
        """Return how strong the episode is that holds a slot, until the end of the slot.

        Args:
            slot_us: when.
            noted: the novelty of what is asked for, less what it adds to what was noted.
        """
        found, time_us = noted, slot_us
        for place in range(bisect_left(self.recent, (slot_us + 1, 0, 0)) - 1, -1, -1):
            row = self.recent[place]
            if time_us - row[0] > EPISODE_US:
                return found
            time_us = row[0]
            found += self._novelty(row)
        if self.open is not None and time_us - self.open[0] <= EPISODE_US:
            found += self.open[2]
        return found

    def _novelty(self, row: Noted) -> int:
        return row[2] * (1 + self.more.get(row, 0))

    def episodes(self, level: int, until_us: int) -> int:
        """Return how many episodes at least as unusual as `level` ended before a time."""
        found = sum(count for known, count in self.levels.items() if known <= level)
        current = None if self.open is None else self.open[:2]
        for time_us, known, _ in self.recent:
            if time_us >= until_us:
                break
            if current is not None and time_us - current[0] <= EPISODE_US:
                current = (time_us, min(known, current[1]))
                continue
            found += current is not None and current[1] <= level
            current = (time_us, known)
        return found + (current is not None and current[1] <= level)

    def absorb(self, until_us: int) -> list[int] | None:
        """Close episodes that ended before a time; return how strong they were, None where nothing changed."""
        changed = False
        closed: list[int] = []
        while self.recent and self.recent[0][0] < until_us:
            changed = True
            row = time_us, known, _ = self.recent.pop(0)
            novelty = self._novelty(row)
            self.more.pop(row, None)
            if self.open is not None and time_us - self.open[0] <= EPISODE_US:
                self.open = (time_us, min(known, self.open[1]), self.open[2] + novelty)
                continue
            closed += self._close()
            self.open = (time_us, known, novelty)
        if self.open is not None and until_us - self.open[0] > EPISODE_US:
            closed += self._close()
            changed = True
        for times in self.kinds.values():
            if times.recent and times.absorb(until_us):
                changed = True
        return closed if changed else None

    def _close(self) -> list[int]:
        if self.open is None:
            return []
        _, level, strength = self.open
        self.open = None
        self.levels[level] += 1
        self.strengths[strength] += 1
        return [strength]
