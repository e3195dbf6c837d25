"""The groups of a shard at rest: a journal in numbered parts, each with what changed in one epoch.

Read in order of their numbers, parts give the groups as they stand. Entries are written once, those of many groups in one
part. The oldest part goes when time has passed all its entries; a head that stands only there is written anew.
Should one far entry hold up the others' going, the journal is written anew as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import itemgetter
from typing import TypeAlias

from correlate.window import forms
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Change
from correlate.window.known import Known, held
from correlate.window.plan import Plan
from correlate.window.recovery import CLOCK, Make, Recovered, Stored, name, recover
from correlate.window.trimming import trim_time
from correlate.window.window import Window

MIN_PARTS = 64
"""So many parts are never too many."""

MAX_ROWS = 4096
"""Entries of one part, so that no part grows beyond what a store takes at once."""

_TIME, _SHAPE = itemgetter(0), itemgetter(5)


class Journal:
    """What changed since the last snapshot, and what is stored.

    Most entries just follow those before: they are noted as they come, and written without a look at their groups.

    Attributes:
        touched: windows that changed otherwise.
        groups, rows: entries that follow those before, in order, each with its group; no entry: the group is gone.
        fired: by index among the rows, since when there is evidence, where the rule held and extended its last episode.
        clock_dirty: time went on.
    """

    __slots__ = (
        "_clock_stored", "_key", "_number", "_review_at", "_stored", "_void", "clock_dirty", "fired", "groups", "rows", "touched",
    )  # fmt: skip

    def __init__(self, key: str) -> None:
        self._key = key
        self.touched: dict[str, Window] = {}
        self.groups: list[str] = []
        self.rows: list[Entry | None] = []
        self.fired: dict[int, int] = {}
        self.clock_dirty = False
        self._stored: list[Stored] = []
        self._number = 0
        self._review_at = MIN_PARTS
        self._clock_stored = False
        self._void: tuple[str, ...] = ()

    def discard(self, names: Iterable[str]) -> None:
        """Let stored parts go, at the next snapshot, that mean nothing any more."""
        self._void = tuple(names)
        self._stored.clear()
        self._number = max((int(one[1:]) for one in self._void if one[1:].isdecimal()), default=0)
        self._clock_stored = False

    def forget(self, group: str) -> None:
        """Note that a group holds nothing any more."""
        self.touched.pop(group, None)
        self.groups.append(group)
        self.rows.append(None)

    def names(self) -> tuple[str, ...]:
        """Return the names of the parts that may be stored."""
        return (CLOCK, *(name(one.number) for one in self._stored))

    def load(
        self, parts: Mapping[str, bytes], plan: Plan, make: Make, facts: Facts
    ) -> Recovered | None:
        """Go on after the parts of an earlier run; see `recovery.recover`.

        Raises:
            StoreError: a part is no state of ours, or of a later version.
        """
        found = recover(self._key, parts, plan, make, facts)
        if found is not None:
            self._stored = found.stored
            self._number = max((one.number for one in found.stored), default=0)
            self._clock_stored = CLOCK in parts
        return found

    # -------------------------------------------------------------- write

    def save(
        self, plan: Plan, groups: Mapping[str, Known], facts: Facts, now: int | None
    ) -> dict[str, bytes | None]:
        """Return the parts that changed since the last call."""
        parts: dict[str, bytes | None] = dict.fromkeys(self._void)
        self._void = ()
        if not groups:
            self._clear(parts)
            return parts
        while self._stored and now is not None and trim_time(plan, self._stored[0].last) <= now:
            self._let_go(self._stored.pop(0), groups, parts)
        if len(self._stored) >= self._review_at:
            self._review(groups, parts)
        self._write(plan, facts, now or 0, parts)
        if self.clock_dirty and now is not None:
            parts[CLOCK] = forms.encode_clock(plan.digest, now)
            self.clock_dirty, self._clock_stored = False, True
        return parts

    def _clear(self, parts: dict[str, bytes | None]) -> None:
        parts.update(dict.fromkeys(name(one.number) for one in self._stored))
        if self._clock_stored:
            parts[CLOCK] = None
        self.touched.clear()
        self._forget_rows()
        self._stored.clear()
        self._clock_stored = self.clock_dirty = False

    def _let_go(
        self,
        part: Stored,
        groups: Mapping[str, Known],
        parts: dict[str, bytes | None],
    ) -> None:
        parts[name(part.number)] = None
        for group in part.heads:
            window = groups.get(group)
            if isinstance(window, Window) and window.head_at == part.number:
                window.head_dirty = True
                self.touched[group] = window

    def _review(self, groups: Mapping[str, Known], parts: dict[str, bytes | None]) -> None:
        """Write all anew if there are more parts than entries: something holds up their going."""
        kept = sum(map(held, groups.values()))
        self._review_at = max(MIN_PARTS, 2 * len(self._stored))
        if len(self._stored) <= MIN_PARTS // 2 + kept:
            return
        for part in self._stored:
            self._let_go(part, groups, parts)
        self._stored.clear()
        self._forget_rows()
        self._review_at = MIN_PARTS
        for group, known in groups.items():
            if isinstance(known, Window):
                known.saved, known.since = 0, None
                self.touched[group] = known
            else:
                entries = [known] if isinstance(known, tuple) else known
                self.groups += repeat(group, len(entries))
                self.rows += entries

    def _write(self, plan: Plan, facts: Facts, now: int, parts: dict[str, bytes | None]) -> None:
        groups, rows, fired = self.groups, self.rows, self.fired
        self._forget_rows()
        blocks: list[Change] = []
        heads: list[Window] = []
        for group, window in self.touched.items():
            saved = window.saved
            if window.since is not None or window.cut is not None or saved < len(window.entries):
                blocks.append(
                    (group, window.since, window.cut, window.entries[saved:], window.fires[saved:])
                )
                window.saved = len(window.entries)
                window.since = window.cut = None
            if window.head_dirty or (
                window.wake != window.saved_wake and (window.head_at is not None or window.waits)
            ):
                heads.append(window)
        self.touched.clear()
        if not (groups or blocks or heads):
            return
        for at, some_groups, some_rows, some_blocks, is_last in _portions(groups, rows, blocks):
            self._number += 1
            entries = [*filter(None, some_rows)]
            for block in some_blocks:
                entries += block[3]
            last = max(map(_TIME, entries), default=now)
            parts[name(self._number)] = forms.encode(
                plan.digest,
                max(last, now),
                {shape: facts.shapes[shape] for shape in set(map(_SHAPE, entries))},
                some_groups,
                some_rows,
                some_blocks,
                [(one.text, self._head(one)) for one in heads] if is_last else [],
                _part_of(fired, at, len(some_rows)),
            )
            named = [one.text for one in heads] if is_last else []
            self._stored.append(Stored(self._number, max(last, now), named))

    def _forget_rows(self) -> None:
        self.groups, self.rows, self.fired = [], [], {}

    def _head(self, window: Window) -> bytes:
        window.head_dirty = False
        window.saved_wake = window.wake
        window.head_at = self._number
        return forms.head_of(window)


def _part_of(fired: dict[int, int], at: int, count: int) -> dict[int, int]:
    """Return what fired among `count` rows from `at` on, by index among these."""
    if not fired or (at == 0 and count > max(fired)):
        return fired
    return {index - at: since for index, since in fired.items() if at <= index < at + count}


_Portion: TypeAlias = tuple[int, list[str], list[Entry | None], list[Change], bool]


def _portions(
    groups: list[str], rows: list[Entry | None], blocks: list[Change]
) -> Iterable[_Portion]:
    """Cut what is to be written into parts of a bounded number of entries.

    Yields:
        (index of the first row, groups, rows, blocks, whether it is the last)
    """
    if len(rows) + sum(len(block[3]) for block in blocks) <= MAX_ROWS:
        yield 0, groups, rows, blocks, True
        return
    for at in range(0, len(rows), MAX_ROWS):
        yield at, groups[at : at + MAX_ROWS], rows[at : at + MAX_ROWS], [], False
    some: list[Change] = []
    room = MAX_ROWS
    for group, since, cut, entries, fires in blocks:
        for at in range(0, max(1, len(entries)), MAX_ROWS):
            new = entries[at : at + MAX_ROWS]
            if len(new) > room:
                yield 0, [], [], some, False
                some, room = [], MAX_ROWS
            void = (None, None) if at else (since, cut)
            some.append((group, *void, new, fires[at : at + MAX_ROWS]))
            room -= len(new)
    yield 0, [], [], some, True
