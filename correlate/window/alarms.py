"""When to wake whom: texts by time, the earliest first; a time that nobody waits for any more is not told."""

from __future__ import annotations

import heapq
from collections.abc import Iterator


class Alarms:
    """Times, and the groups that each is set for. Setting and unsetting is O(1) where many share a time.

    A group is set for a time once, and only what is set is unset. Most never are, so who is waits in a list, which takes
    less time and memory than a set, and who was unset is told apart.
    """

    __slots__ = ("_at", "_times", "_unset")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._at: dict[int, list[str]] = {}
        self._unset: dict[int, set[str]] = {}

    def set(self, time: int, group: str) -> bool:
        """Let a group be woken at a time; tell whether nobody was to be woken then."""
        groups = self._at.get(time)
        if groups is None:
            self._at[time] = [group]
            heapq.heappush(self._times, time)
            return True
        unset = self._unset.get(time) if self._unset else None
        if unset is not None and group in unset:
            unset.discard(group)
        else:
            groups.append(group)
        return False

    def unset(self, time: int, group: str) -> None:
        """Let a group sleep that is to be woken at a time."""
        unset = self._unset.setdefault(time, set())
        unset.add(group)
        if len(unset) == len(self._at[time]):
            del self._at[time], self._unset[time]

    def next(self) -> int | None:
        """Return the earliest time that is set; exact, since a restart would know no other."""
        times = self._times
        while times and times[0] not in self._at:
            heapq.heappop(times)
        return times[0] if times else None

    def due(self, now: int) -> Iterator[list[str]]:
        """Take and yield who is to be woken up to `now`, those of one time together, in order of time."""
        while (time := self.next()) is not None and time <= now:
            groups, unset = self._at.pop(time), self._unset.pop(time, None)
            yield [one for one in groups if one not in unset] if unset else groups

    def clear(self) -> None:
        """Wake nobody."""
        self._times.clear()
        self._at.clear()
        self._unset.clear()
