"""When entries are let go of: rounded, so that many go together, and told by their times alone.

Live and after a restart the same entries are gone at a time: those before its edge. So no one needs to store which are.
"""

from __future__ import annotations

from correlate.window.plan import Plan


def trim_time(plan: Plan, oldest: int) -> int:
    """Return when an entry of a time is let go of: up to half a time frame after it can go."""
    slot = plan.slot_us
    return ((oldest + plan.keep_us + plan.lateness_us) // slot + 2) * slot


def trim_edge(plan: Plan, now: int) -> int:
    """Return the time before which entries are gone at a watermark: those whose `trim_time` has come."""
    slot = plan.slot_us
    return (now // slot - 1) * slot - plan.keep_us - plan.lateness_us
