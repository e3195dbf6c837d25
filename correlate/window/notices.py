"""What correlation counts beside alerts: events that a bound or their lateness keeps out."""

from __future__ import annotations

from contract.event import Notice
from correlate.window.plan import Plan


def overflow(plan: Plan, count: int, bound: str) -> Notice:
    """Count entries that a bound let go of."""
    return Notice(
        "correlation_events_dropped", count, plan.rule.id,
        f"rule {plan.rule.id}: {bound}; the oldest are only counted",
    )  # fmt: skip


def late_notice(plan: Plan) -> Notice:
    """Count an event that came later than allowed."""
    return Notice(
        "correlation_late_events", label=plan.rule.id,
        text=f"rule {plan.rule.id}: an event came later than the allowed lateness",
    )  # fmt: skip


def refused(plan: Plan, most: int) -> Notice:
    """Count an event of a group for which there is no room."""
    return Notice(
        "correlation_groups_refused", 1, plan.rule.id,
        f"more than {most} groups (max_keys): events of new ones take no part",
    )  # fmt: skip
