"""Spans of a zone's local time in which one offset holds, so that local times can be read without the zone's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from contract.timestamps import from_datetime, microseconds

Span: TypeAlias = tuple[int, int, int]
"""From, until, ahead of UTC, all in microseconds."""

_ALWAYS: Final = 2**62
_FIRST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2060, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(days=2)
"""No zone changed twice within it in these years."""


@lru_cache(64)
def spans_of(zone: tzinfo) -> tuple[Span, ...]:
    """Return the spans of the years 1990 to 2059, in order; of a zone with one offset, one span without end.

    The hours that a change of clocks repeats or leaves out are in none. Costs some milliseconds, once for a zone.
    """
    if isinstance(zone, timezone):
        return ((-_ALWAYS, _ALWAYS, microseconds(_offset(_FIRST, zone))),)
    spans: list[Span] = []
    at, from_us = _FIRST, from_datetime(_FIRST)
    while at < _LAST:
        after = at + _STEP
        before_offset, after_offset = _offset(at, zone), _offset(after, zone)
        if before_offset != after_offset:
            change = from_datetime(_change(at, after, zone))
            first, second = microseconds(before_offset), microseconds(after_offset)
            spans.append((from_us, change + min(first, second), first))
            from_us = change + max(first, second)
        at = after
    spans.append((from_us, from_datetime(_LAST), microseconds(_offset(_LAST, zone))))
    return tuple(spans)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the second at which the offset changes."""
    offset = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after
