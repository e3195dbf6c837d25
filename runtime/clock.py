"""The wall clock: the one place that reads it. Everything else is told the time."""

from __future__ import annotations

from time import time_ns


def now_us() -> int:
    """Return microseconds since the epoch, UTC."""
    return time_ns() // 1_000
