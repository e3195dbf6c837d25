"""The groups of a shard at rest: a journal in numbered parts, each with what changed in one epoch.

Read in order of their numbers, parts give the groups as they stand. Entries are written once, those of many groups in one
part. The oldest part goes when time has passed all its entries; a head that stands only there is written anew.
Should one far entry hold up the others' going, the journal is written anew as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import TypeAlias

from correlate.window import forms
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Change, Head, Part, Row
from correlate.window.plan import Plan
from correlate.window.window import Window, trim_time

CLOCK = "clock"
"""Name of the part that says how far time is."""

MIN_PARTS = 64
"""So many parts are never too many."""

MAX_ROWS = 4096
"""Entries of one part, so that no part grows beyond what a store takes at once."""

_TIME, _SHAPE = itemgetter(0), itemgetter(5)

Make: TypeAlias = Callable[[str, Head | None], Window]
Opened: TypeAlias = tuple[int | None, dict[str, Window], dict[str, Entry]]


@dataclass(slots=True)
class _Stored:
    """A part: its number, the time of its last entry, and whose heads are in it."""

    number: int
    last: int
    heads: list[str]


class Journal:
    """What changed since the last snapshot, and what is stored.

    Most entries just follow those before: they are noted as they come, and written without a look at their groups.

    Attributes:
        touched: windows that changed otherwise.
        groups, rows: entries that follow those before, in order, each with its group; no entry: the group is gone.
        clock_dirty: time went on.
    """

    __slots__ = (
        "_clock_stored", "_key", "_number", "_review_at", "_stored", "_void", "clock_dirty", "groups", "rows", "touched",
    )  # fmt: skip

    def __init__(self, key: str) -> None:
        self._key = key
        self.touched: dict[str, Window] = {}
        self.groups: list[str] = []
        self.rows: list[Entry | None] = []
        self.clock_dirty = False
        self._stored: list[_Stored] = []
        self._number = 0
        self._review_at = MIN_PARTS
        self._clock_stored = False
        self._void: tuple[str, ...] = ()

    def discard(self, names: Iterable[str]) -> None:
        """Let stored parts go, at the next snapshot, that mean nothing any more."""
        self._void = tuple(names)
        self._stored.clear()
        self._number = max((int(n[1:]) for n in self._void if n[1:].isdecimal()), default=0)
        self._clock_stored = False

    def forget(self, group: str) -> None:
        """Note that a group holds nothing any more."""
        self.touched.pop(group, None)
        self.groups.append(group)
        self.rows.append(None)

    def names(self) -> tuple[str, ...]:
        """Return the names of the parts that may be stored."""
        return (CLOCK, *(_name(one.number) for one in self._stored))

    # -------------------------------------------------------------- write

    def save(
        self, plan: Plan, groups: Mapping[str, Entry | Window], facts: Facts, now: int | None
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
        parts.update(dict.fromkeys(_name(one.number) for one in self._stored))
        if self._clock_stored:
            parts[CLOCK] = None
        self.touched.clear()
        self.groups.clear()
        self.rows.clear()
        self._stored.clear()
        self._clock_stored = self.clock_dirty = False

    def _let_go(
        self,
        part: _Stored,
        groups: Mapping[str, Entry | Window],
        parts: dict[str, bytes | None],
    ) -> None:
        parts[_name(part.number)] = None
        for group in part.heads:
            window = groups.get(group)
            if isinstance(window, Window) and window.head_at == part.number:
                window.head_dirty = True
                self.touched[group] = window

    def _review(self, groups: Mapping[str, Entry | Window], parts: dict[str, bytes | None]) -> None:
        """Write all anew if there are more parts than entries: something holds up their going."""
        held = sum(len(one.entries) if isinstance(one, Window) else 1 for one in groups.values())
        self._review_at = max(MIN_PARTS, 2 * len(self._stored))
        if len(self._stored) <= MIN_PARTS // 2 + held:
            return
        for part in self._stored:
            self._let_go(part, groups, parts)
        self._stored.clear()
        self.groups.clear()
        self.rows.clear()
        self._review_at = MIN_PARTS
        for group, known in groups.items():
            if isinstance(known, Window):
                known.saved, known.since = 0, None
                self.touched[group] = known
            else:
                self.groups.append(group)
                self.rows.append(known)

    def _write(self, plan: Plan, facts: Facts, now: int, parts: dict[str, bytes | None]) -> None:
        groups, rows = self.groups, self.rows
        self.groups, self.rows = [], []
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
        for some_groups, some_rows, some_blocks, is_last in _portions(groups, rows, blocks):
            self._number += 1
            entries = [*filter(None, some_rows)]
            for block in some_blocks:
                entries += block[3]
            last = max(map(_TIME, entries), default=now)
            parts[_name(self._number)] = forms.encode(
                plan.digest,
                max(last, now),
                {shape: facts.shapes[shape] for shape in set(map(_SHAPE, entries))},
                some_groups,
                some_rows,
                some_blocks,
                [(one.text, self._head(one)) for one in heads] if is_last else [],
            )
            named = [one.text for one in heads] if is_last else []
            self._stored.append(_Stored(self._number, max(last, now), named))

    def _head(self, window: Window) -> bytes:
        window.head_dirty = False
        window.saved_wake = window.wake
        window.head_at = self._number
        return forms.head_of(window)

    # -------------------------------------------------------------- read

    def load(
        self, parts: Mapping[str, bytes], plan: Plan, make: Make, facts: Facts
    ) -> Opened | None:
        """Return (time, windows, groups of one entry) as the parts say; None when they are another rule's.

        Raises:
            StoreError: a part is no state of ours, or of a later version.
        """
        if any(data[:1] == b"{" for data in parts.values()):
            return None  # version 1, a part per group in JSON, was before the first release
        now = None
        if CLOCK in parts:
            clock = forms.decode_clock(parts[CLOCK], self._key)
            now, self._clock_stored = clock.now, True
            if clock.digest != plan.digest:
                return None
        rows: dict[str, list[tuple[Entry, int | None]]] = {}
        heads: dict[str, tuple[int, bytes]] = {}
        for number in sorted(int(name[1:]) for name in parts if name != CLOCK):
            part = forms.decode(parts[_name(number)], self._key)
            if part.digest != plan.digest:
                return None
            self._number = number
            self._stored.append(_Stored(number, part.last, [group for group, _ in part.heads]))
            _apply(part, rows, heads, facts)
            heads.update((group, (number, head)) for group, head in part.heads)
        return now, *self._made(rows, heads, plan, make)

    def _made(
        self,
        rows: dict[str, list[tuple[Entry, int | None]]],
        heads: dict[str, tuple[int, bytes]],
        plan: Plan,
        make: Make,
    ) -> tuple[dict[str, Window], dict[str, Entry]]:
        windows: dict[str, Window] = {}
        singles: dict[str, Entry] = {}
        for group in sorted({*rows, *heads}):
            found = rows.get(group, [])
            number, data = heads.get(group, (None, b""))
            if number is None and len(found) == 1 and plan.alone and not plan.alone(found[0][0][3]):
                singles[group] = found[0][0]
                continue
            head = forms.decode_head(data, self._key) if number is not None else None
            window = make(group, head)
            window.entries = [entry for entry, _ in found]
            if any(since is not None for _, since in found):
                window.fires = [since for _, since in found]
            window.saved = len(found)
            if head is not None:
                forms.open_head(window, head)
            window.evaluator.reset(window.entries, len(found))
            window.head_at = number
            if head is None:
                window.plan_wake()
            # When it wakes is state too: the order of what is told must not show a restart.
            window.saved_wake = window.wake
            windows[group] = window
        return windows, singles


def _name(number: int) -> str:
    return f"e{number}"


_Portion: TypeAlias = tuple[list[str], list[Entry | None], list[Change], bool]


def _portions(
    groups: list[str], rows: list[Entry | None], blocks: list[Change]
) -> Iterable[_Portion]:
    """Cut what is to be written into parts of a bounded number of entries; say which is the last."""
    if len(rows) + sum(len(block[3]) for block in blocks) <= MAX_ROWS:
        yield groups, rows, blocks, True
        return
    for at in range(0, len(rows), MAX_ROWS):
        yield groups[at : at + MAX_ROWS], rows[at : at + MAX_ROWS], [], False
    some: list[Change] = []
    room = MAX_ROWS
    for group, since, cut, entries, fires in blocks:
        for at in range(0, max(1, len(entries)), MAX_ROWS):
            new = entries[at : at + MAX_ROWS]
            if len(new) > room:
                yield [], [], some, False
                some, room = [], MAX_ROWS
            void = (None, None) if at else (since, cut)
            some.append((group, *void, new, fires[at : at + MAX_ROWS]))
            room -= len(new)
    yield [], [], some, True


def _apply(
    part: Part,
    rows: dict[str, list[tuple[Entry, int | None]]],
    heads: dict[str, tuple[int, bytes]],
    facts: Facts,
) -> None:
    """Bring the groups to where a part says they are."""

    def entry_of(row: Row) -> Entry:
        return forms.entry_of(row, *facts.named(row[4], part.shapes[row[5]]))

    for group, row in zip(part.groups, part.rows, strict=True):
        if row is None:
            rows.pop(group, None)
            heads.pop(group, None)
        else:
            rows.setdefault(group, []).append((entry_of(row), None))
    for group, since, cut, new, fires in part.blocks:
        known = rows.get(group, [])
        if since is not None or cut is not None:
            known = [
                one
                for one in known
                if (since is None or one[0][:3] < since) and (cut is None or one[0][:3] > cut)
            ]
        known.extend(zip(map(entry_of, new), fires or repeat(None, len(new)), strict=True))
        rows[group] = known
