"""Whole numbers of logs, bounded: Python refuses beyond 4,300 digits, and counts have at most 19."""

from __future__ import annotations

_MAX_DIGITS = 19  # of 2**63


def whole(text: str) -> int | None:
    """Return the number that a text of decimal digits states, or None when it is none or has no end."""
    return int(text) if len(text) <= _MAX_DIGITS and text.isdecimal() else None
