"""What a shard keeps of a group: an entry, a young group of several, or a window."""

from __future__ import annotations

from typing import TypeAlias

from correlate.window.entry import Entries, Entry
from correlate.window.plan import FEW_JUDGED, Plan
from correlate.window.window import Window
from correlate.window.young import Young

Known: TypeAlias = Entry | Young | Window
"""One entry that satisfies nothing alone; several that satisfy nothing; all else."""


def held(known: Known) -> int:
    """Return how many entries a group holds."""
    if isinstance(known, tuple):
        return 1
    return len(known) if isinstance(known, Young) else len(known.entries)


def young(plan: Plan, entries: Entries) -> Young | None:
    """Return entries at none of which the rule held as a young group; None: it may hold at the next one."""
    outlook = plan.outlook
    if outlook is None:
        return Young(entries, None) if len(entries) < plan.few else None
    reach = outlook.of(entries)
    if outlook.suffices(reach) and not (plan.judged and len(entries) < FEW_JUDGED):
        return None
    return Young(entries, reach)


def front(known: Entry | Young) -> Entry:
    """Return the first entry of a group that is no window."""
    return known if isinstance(known, tuple) else known[0]
