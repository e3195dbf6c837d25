"""When entries are let go of: rounded, so that many go together, and told by their times alone.

Live and after a restart the same entries are gone at a time: those before its edge. So no one needs to store which are.

In a sequence, a later step is nothing without a first one before it. While one may still come, within the lateness, it is
kept; then its group lets it go, however long the time frame is, unless a first step stands before it, or an alert that began
before it is still open and may come to hold it. A busy firewall gives later steps by the thousand for each first one.
"""

from __future__ import annotations

from bisect import bisect_left

from correlate.window.entry import Entries, Entry
from correlate.window.plan import Plan


def trim_time(plan: Plan, oldest: int) -> int:
    """Return when an entry of a time is let go of at the latest: up to half a time frame after it can go."""
    slot = plan.slot_us
    return ((oldest + plan.keep_us + plan.lateness_us) // slot + 2) * slot


def wake_time(plan: Plan, first: Entry, open_us: int | None = None) -> int:
    """Return when the first entry of a group is let go of; with an open alert that holds it, as if that stayed open."""
    if plan.later and first[1] in plan.later and (open_us is None or first[0] < open_us):
        slot = _later_slot(plan)
        return ((first[0] + plan.lateness_us) // slot + 2) * slot
    slot = plan.slot_us
    return ((first[0] + plan.keep_us + plan.lateness_us) // slot + 2) * slot


def gone(plan: Plan, entries: Entries, now: int, open_us: int | None = None) -> int:
    """Return how many of a group's first entries are gone at a watermark: those whose time has come.

    Args:
        plan: of the rule.
        entries: in order.
        now: the watermark.
        open_us: when the first of the open alerts began; None: there is none.
    """
    slot = plan.slot_us
    count = bisect_left(entries, ((now // slot - 1) * slot - plan.keep_us - plan.lateness_us,))
    if plan.later:
        slot = _later_slot(plan)
        edge = (now // slot - 1) * slot - plan.lateness_us
        if open_us is not None:
            edge = min(edge, open_us)
        while count < len(entries) and entries[count][0] < edge and entries[count][1] in plan.later:
            count += 1
    return count


def _later_slot(plan: Plan) -> int:
    """Return how coarsely such times are rounded: a busy group wakes so often, and holds two of these."""
    return max(plan.keep_us // 16, 1_000_000)
