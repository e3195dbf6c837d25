"""When to wake whom: texts by time, the earliest first; a time that nobody waits for any more is not told."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TypeAlias

_Groups: TypeAlias = set[str]


class Alarms:
    """Times, and the groups that each is set for. Setting and unsetting is O(1) where many share a time."""

    __slots__ = ("_at", "_times")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._at: dict[int, _Groups] = {}

    def set(self, time: int, group: str) -> bool:
        """Let a group be woken at a time; tell whether nobody was to be woken then."""
        groups = self._at.get(time)
        if groups is None:
            self._at[time] = {group}
            heapq.heappush(self._times, time)
            return True
        groups.add(group)
        return False

    def unset(self, time: int, group: str) -> None:
        """Let a group sleep that is, perhaps, to be woken at a time."""
        groups = self._at.get(time)
        if groups is not None:
            groups.discard(group)
            if not groups:
                del self._at[time]

    def next(self) -> int | None:
        """Return the earliest time that is set; exact, since a restart would know no other."""
        times = self._times
        while times and times[0] not in self._at:
            heapq.heappop(times)
        return times[0] if times else None

    def at(self, time: int) -> list[str]:
        """Return who is to be woken at a time, in order of their texts."""
        return sorted(self._at.get(time, ()))

    def due(self, now: int) -> Iterator[_Groups]:
        """Take and yield who is to be woken up to `now`, those of one time together, in order of time."""
        while (time := self.next()) is not None and time <= now:
            yield self._at.pop(time)

    def clear(self) -> None:
        """Wake nobody."""
        self._times.clear()
        self._at.clear()
