"""The groups of a shard at rest: a journal in numbered parts, each with what changed in one epoch.

Read in order of their numbers, parts give the groups as they stand. Entries are written once, those of many groups in one
part. The oldest part goes when time has passed all its entries; a head that stands only there is written anew.
Should one far entry hold up the others' going, the journal is written anew as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
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

    Attributes:
        touched: windows that may have changed.
        firsts: groups that got their first entry, and nothing since.
        clock_dirty: time went on.
    """

    __slots__ = ("_clock_stored", "_gone", "_key", "_number", "_review_at", "_stored", "_void", "clock_dirty", "firsts", "touched")  # fmt: skip

    def __init__(self, key: str) -> None:
        self._key = key
        self.touched: dict[str, Window] = {}
        self.firsts: dict[str, Entry] = {}
        self.clock_dirty = False
        self._gone: list[str] = []
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
        if self.firsts.pop(group, None) is None:
            self._gone.append(group)

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
        self.firsts.clear()
        self._gone.clear()
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
        self._gone.clear()
        self._review_at = MIN_PARTS
        for group, known in groups.items():
            if isinstance(known, Window):
                known.saved, known.since = 0, None
                self.touched[group] = known
            else:
                self.firsts[group] = known

    def _write(self, plan: Plan, facts: Facts, now: int, parts: dict[str, bytes | None]) -> None:
        gone, self._gone = self._gone, []
        firsts = list(self.firsts.items())
        self.firsts.clear()
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
                window.wake != window.saved_wake
                and (window.head_at is not None or plan.mode != "sliding")
            ):
                heads.append(window)
        self.touched.clear()
        if not (gone or firsts or blocks or heads):
            return
        for some_firsts, some_blocks, is_last in _portions(firsts, blocks):
            self._number += 1
            used = {entry[5] for _, entry in some_firsts}
            used.update(entry[5] for block in some_blocks for entry in block[3])
            times = [entry[0] for _, entry in some_firsts]
            times += [block[3][-1][0] for block in some_blocks if block[3]]
            last = max(times, default=now)
            parts[_name(self._number)] = forms.encode(
                plan.digest,
                max(last, now),
                {shape: facts.shapes[shape] for shape in used},
                gone,
                some_firsts,
                some_blocks,
                [(one.text, self._head(one)) for one in heads] if is_last else [],
            )
            self._stored.append(
                _Stored(
                    self._number, max(last, now), [one.text for one in heads] if is_last else []
                )
            )
            gone = []

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
            for group in part.gone:
                rows.pop(group, None)
                heads.pop(group, None)
            _apply(part, rows, facts)
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


def _portions(
    firsts: list[tuple[str, Entry]], blocks: list[Change]
) -> Iterable[tuple[list[tuple[str, Entry]], list[Change], bool]]:
    """Cut what is to be written into parts of a bounded number of entries."""
    if len(firsts) + sum(len(block[3]) for block in blocks) <= MAX_ROWS:
        yield firsts, blocks, True
        return
    for at in range(0, len(firsts), MAX_ROWS):
        yield firsts[at : at + MAX_ROWS], [], False
    some: list[Change] = []
    room = MAX_ROWS
    for group, since, cut, entries, fires in blocks:
        for at in range(0, max(1, len(entries)), MAX_ROWS):
            rows = entries[at : at + MAX_ROWS]
            if len(rows) > room:
                yield [], some, False
                some, room = [], MAX_ROWS
            first = not at
            some.append(
                (group, since if first else None, cut if first else None, rows, fires[at : at + MAX_ROWS])
            )  # fmt: skip
            room -= len(rows)
    yield [], some, True


def _apply(part: Part, rows: dict[str, list[tuple[Entry, int | None]]], facts: Facts) -> None:
    """Bring the entries of groups to where a part says they are."""

    def entry_of(row: Row) -> Entry:
        return forms.entry_of(row, *facts.named(row[4], part.shapes[row[5]]))

    for group, row in part.firsts:
        rows[group] = [(entry_of(row), None)]
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
