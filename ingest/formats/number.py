"""Whole numbers of logs, bounded: Python refuses beyond 4,300 digits, and counts have at most 19."""

from __future__ import annotations

_MAX_PORT = 65_535
_MAX_DIGITS = 19  # of 2**63


def whole(text: str) -> int | None:
    """Return the number that a text of decimal digits states, or None when it is none or has no end."""
    return int(text) if len(text) <= _MAX_DIGITS and text.isdecimal() else None


def port_of(text: str) -> int | None:
    """Return the port that a text of decimal digits states, 1 to 65535; 0 says that there is none."""
    number = whole(text)
    return number if number is not None and 0 < number <= _MAX_PORT else None
