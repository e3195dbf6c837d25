"""Groups that outlive their rules' files: a new rule set takes over what still means the same, and lets go of the rest.

Both calls want a group at rest: its snapshot was taken, and nothing came since.
"""

from __future__ import annotations

from correlate.window.deadline import window_class
from correlate.window.plan import Facts, Plan
from correlate.window.state import HEAD
from correlate.window.window import Window


def fits(window: Window, plan: Plan) -> bool:
    """Tell whether what a group holds means the same under another plan of its rule."""
    return window.plan.digest == plan.digest and type(window) is window_class(plan)


def move(window: Window, plan: Plan, facts: Facts) -> None:
    """Let a group go on under another plan, counted among other groups."""
    _uncount(window)
    facts.held += len(window.entries)
    facts.groups += window.counted
    window.plan, window.facts = plan, facts


def leave(window: Window) -> tuple[str, ...]:
    """Let go of a group; return the parts that may be stored of it."""
    _uncount(window)
    return (HEAD, *(f"e{number}" for number, _, _ in window.stored))


def _uncount(window: Window) -> None:
    window.facts.held -= len(window.entries)
    window.facts.groups -= window.counted
