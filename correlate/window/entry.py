"""Entries: what a group keeps of each event, in order of event time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from correlate.window.condition import Number

Value: TypeAlias = str | Number | None

Entry: TypeAlias = tuple[int, int, str, Value, bytes, int]
"""(time in µs, part, event id, value, facts, shape of the facts); `part` is the index of the rule that matched."""

Entries: TypeAlias = Sequence[Entry]

Place: TypeAlias = tuple[int, int, str]
"""(time in µs, part, event id): where an entry stands among the entries of its group."""

Firing: TypeAlias = tuple[Place, int, int]
"""(place at which the rule held, first evidence time, last evidence time)."""

LAST_PART = 2**31
"""Stands after every part."""


def behind(place: Place) -> Place:
    """Return a place that lies after `place` and before every other one after it."""
    return place[0], place[1], place[2] + "\x00"
