"""Reads a journal back: the parts, in order of their numbers, give the groups as they stood."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

from correlate.window import decoding
from correlate.window.entry import Entry
from correlate.window.facts import Facts
from correlate.window.forms import Head, Part, Row
from correlate.window.known import Known, young
from correlate.window.plan import Plan
from correlate.window.trimming import gone
from correlate.window.window import Window
from correlate.window.young import Young

CLOCK = "clock"
"""Name of the part that says how far time is."""

Make: TypeAlias = Callable[[str, Head | None], Window]
_Rows: TypeAlias = dict[str, list[tuple[Entry, int | None]]]
_Heads: TypeAlias = dict[str, tuple[int, bytes]]
_Head: TypeAlias = tuple[int, Head]
"""The number of the part that it stands in, and what it says."""


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
        groups: by text.
        stored: the parts.
    """

    now: int | None
    groups: dict[str, Known]
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
        clock = decoding.decode_clock(parts[CLOCK], key)
        now = clock.now
        if clock.digest != plan.digest:
            return None
    rows: _Rows = {}
    heads: _Heads = {}
    stored: list[Stored] = []
    for number in sorted(int(one[1:]) for one in parts if one != CLOCK):
        part = decoding.decode(parts[name(number)], key)
        if part.digest != plan.digest:
            return None
        stored.append(Stored(number, part.last, [group for group, _ in part.heads]))
        _apply(part, rows, heads, facts)
        heads.update((group, (number, head)) for group, head in part.heads)
    groups: dict[str, Known] = {}
    for group in sorted({*rows, *heads}):
        head = None
        if group in heads:
            at, data = heads[group]
            head = at, decoding.decode_head(data, key)
        found = _held(plan, rows.get(group, []), now, head)
        if head is not None:
            groups[group] = _filled(make(group, head[1]), found, head)
        elif found:
            groups[group] = _plain(found, plan) or _filled(make(group, None), found, None)
    return Recovered(now, groups, stored)


def _held(
    plan: Plan, found: list[tuple[Entry, int | None]], now: int | None, head: _Head | None
) -> list[tuple[Entry, int | None]]:
    """Return what time has not let go of; nobody wrote that down."""
    if now is None or not found:
        return found
    alerts = head[1].episodes if head is not None else ()
    open_us = min((one.start_us for one in alerts), default=None)
    return found[gone(plan, [entry for entry, _ in found], now, open_us) :]


def _plain(found: list[tuple[Entry, int | None]], plan: Plan) -> Entry | Young | None:
    """Return a group that is no more than its entries; None: it is a window."""
    if len(found) == 1 and plan.alone is not None and not plan.alone(found[0][0][3]):
        return found[0][0]
    if plan.few and len(found) > 1 and all(since is None for _, since in found):
        return young(plan, [entry for entry, _ in found])
    return None


def _filled(window: Window, found: list[tuple[Entry, int | None]], head: _Head | None) -> Window:
    window.entries = [entry for entry, _ in found]
    if any(since is not None for _, since in found):
        window.fires = [since for _, since in found]
    window.saved = len(found)
    if head is not None:
        window.head_at = head[0]
        decoding.open_head(window, head[1])
    edge = window.undecided
    decided = len(found) if edge is None else bisect_left(window.entries, edge.edge)
    window.evaluator.reset(window.entries, decided)
    window.hasten()
    if head is None:
        window.plan_wake()
    else:
        _extend(window)
    # When it wakes is state too: the order of what is told must not show a restart.
    window.saved_wake = window.wake
    return window


def _extend(window: Window) -> None:
    """Let the last episode have the firings that came after its head was stored; see `Window.extend`."""
    if window.waits or not window.episodes:
        return
    episode = window.episodes[-1]
    for place, _, until in window.firings(episode.last):
        episode.last, episode.end_us, episode.changed = place, until, True


def _apply(part: Part, rows: _Rows, heads: _Heads, facts: Facts) -> None:
    """Bring the groups to where a part says they are."""

    def entry_of(row: Row) -> Entry:
        return decoding.entry_of(row, *facts.named(row[4], part.shapes[row[5]]))

    fired = part.fired.get
    for index, (group, row) in enumerate(zip(part.groups, part.rows, strict=True)):
        if row is None:
            rows.pop(group, None)
            heads.pop(group, None)
        else:
            rows.setdefault(group, []).append((entry_of(row), fired(index)))
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
