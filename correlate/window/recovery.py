"""Reads a journal back: the parts, in order of their numbers, give the groups as they stood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

from correlate.window import forms
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Head, Part, Row
from correlate.window.plan import Plan
from correlate.window.window import Window

CLOCK = "clock"
"""Name of the part that says how far time is."""

Make: TypeAlias = Callable[[str, Head | None], Window]
_Rows: TypeAlias = dict[str, list[tuple[Entry, int | None]]]
_Heads: TypeAlias = dict[str, tuple[int, bytes]]


def name(number: int) -> str:
    """Return the name of a part."""
    return f"e{number}"


@dataclass(slots=True)
class Stored:
    """A part: its number, the time of its last entry, and whose heads are in it."""

    number: int
    last: int
    heads: list[str]


@dataclass(slots=True)
class Recovered:
    """What parts say.

    Attributes:
        now: how far time was; None: it was not told.
        windows: groups.
        singles: groups of one entry that satisfies nothing alone.
        stored: the parts.
    """

    now: int | None
    windows: dict[str, Window]
    singles: dict[str, Entry]
    stored: list[Stored]


def recover(
    key: str, parts: Mapping[str, bytes], plan: Plan, make: Make, facts: Facts
) -> Recovered | None:
    """Return what parts say; None when they are another rule's, or of version 1.

    Args:
        key: of the shard, for messages.
        parts: by name.
        plan: the rule.
        make: makes the window of a group, of its head if it has one.
        facts: told the shapes.

    Raises:
        StoreError: a part is no state of ours, or of a later version.
    """
    if any(data[:1] == b"{" for data in parts.values()):
        return None  # version 1, a part per group in JSON, was before the first release
    now = None
    if CLOCK in parts:
        clock = forms.decode_clock(parts[CLOCK], key)
        now = clock.now
        if clock.digest != plan.digest:
            return None
    rows: _Rows = {}
    heads: _Heads = {}
    stored: list[Stored] = []
    for number in sorted(int(one[1:]) for one in parts if one != CLOCK):
        part = forms.decode(parts[name(number)], key)
        if part.digest != plan.digest:
            return None
        stored.append(Stored(number, part.last, [group for group, _ in part.heads]))
        _apply(part, rows, heads, facts)
        heads.update((group, (number, head)) for group, head in part.heads)
    windows: dict[str, Window] = {}
    singles: dict[str, Entry] = {}
    for group in sorted({*rows, *heads}):
        found = rows.get(group, [])
        if group not in heads and len(found) == 1 and plan.alone and not plan.alone(found[0][0][3]):
            singles[group] = found[0][0]
            continue
        at, data = heads.get(group, (None, b""))
        head = forms.decode_head(data, key) if at is not None else None
        windows[group] = _filled(make(group, head), found, head, at)
    return Recovered(now, windows, singles, stored)


def _filled(
    window: Window, found: list[tuple[Entry, int | None]], head: Head | None, at: int | None
) -> Window:
    window.entries = [entry for entry, _ in found]
    if any(since is not None for _, since in found):
        window.fires = [since for _, since in found]
    window.saved = len(found)
    if head is not None:
        forms.open_head(window, head)
    window.evaluator.reset(window.entries, len(found))
    window.head_at = at
    if head is None:
        window.plan_wake()
    # When it wakes is state too: the order of what is told must not show a restart.
    window.saved_wake = window.wake
    return window


def _apply(part: Part, rows: _Rows, heads: _Heads, facts: Facts) -> None:
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
