"""Who entered which processes, among the relations that are kept; and what hubs started, which an entering makes its doing.

Both are read off relations as these come and go, so nothing of it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from correlate.chain.causes import Up
from correlate.chain.edges import HOUR_US

MANY_ENTERED: Final = 4
"""Who enters more processes than this is no intruder but a scanner, an agent or a console."""

SLOT_US: Final = HOUR_US
"""A relation that is told again within the same hour is kept once, as the earliest."""


class Entrants:
    """An index of relations."""

    def __init__(self) -> None:
        self._of: dict[str, list[Up]] = {}
        """By target."""
        self._by: dict[str, list[Up]] = {}
        """By entrant."""
        self._under: dict[str, dict[str, int]] = {}
        """By hub, whichever name its host has: what it started, and how many relations say so."""

    def add(self, up: Up, *, is_hub: bool) -> None:
        """Take a relation; `is_hub` of its cause."""
        if up.kind == "entered":
            self._of.setdefault(up.key, []).append(up)
            self._by.setdefault(up.cause, []).append(up)
        elif is_hub:
            under = self._under.setdefault(_bare(up.cause), {})
            under[up.key] = under.get(up.key, 0) + 1

    def drop(self, up: Up, *, is_hub: bool) -> None:
        """Forget a relation."""
        if up.kind == "entered":
            _take(self._of, up.key, up)
            _take(self._by, up.cause, up)
        elif is_hub:
            under = self._under[_bare(up.cause)]
            under[up.key] -= 1
            if not under[up.key]:
                del under[up.key]
                if not under:
                    del self._under[_bare(up.cause)]

    def concerned(self, up: Up) -> Iterator[str]:
        """Yield the keys from which a new entering changes what can be reached, its target among them.

        Of an entrant, whom it entered before: one more may be one too many. O(entered, and started by them).
        """
        for key in dict.fromkeys(one.key for one in self._by[up.cause]):
            yield key
            yield from self._under.get(_bare(key), ())

    def counts(self, up: Up, at_us: int, span: range) -> bool:
        """Tell whether an entering says whose doing a process's is, at a time and among what slots hold."""
        if up.time_us > at_us:
            return False
        by = self._by[up.cause]
        if len(by) <= MANY_ENTERED:
            return True
        targets = {one.key for one in by if one.time_us // SLOT_US in span}
        numbers = sum("|pid:" in one for one in targets)  # each target may be told by both
        return max(numbers, len(targets) - numbers) <= MANY_ENTERED

    def entered(self, key: str, at_us: int, span: range) -> bool:
        """Tell whether a process was entered before a time, by one that does not do so by office."""
        return any(
            one.time_us // SLOT_US in span and self.counts(one, at_us, span)
            for one in self._of.get(key, ())
        )


def _bare(key: str) -> str:
    """Return a thing's key with the short name of its host: both names may mean one."""
    kind, _, value = key.partition("|")
    host, _, rest = value.partition("|")
    return f"{kind}|{host.partition('.')[0]}|{rest}"


def _take(rows: dict[str, list[Up]], key: str, up: Up) -> None:
    found = rows[key]
    found.remove(up)
    if not found:
        del rows[key]
