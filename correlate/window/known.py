"""What a shard keeps of a group: an entry, entries in order, or a window."""

from __future__ import annotations

from typing import TypeAlias

from correlate.window.entry import Entry
from correlate.window.window import Window

Known: TypeAlias = Entry | list[Entry] | Window
"""One entry that satisfies nothing alone; several that are too few to satisfy anything; all else."""


def held(known: Known) -> int:
    """Return how many entries a group holds."""
    if isinstance(known, tuple):
        return 1
    return len(known) if isinstance(known, list) else len(known.entries)


def front(known: Entry | list[Entry]) -> Entry:
    """Return the first entry of a group that is no window."""
    return known if isinstance(known, tuple) else known[0]
