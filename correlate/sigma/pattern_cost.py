"""What a pattern costs, measured on texts that are hard for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from correlate.sigma.pattern import searcher

Clock: TypeAlias = Callable[[], float]


def seconds_per_kb(pattern: str, flags: str, clock: Clock) -> float:
    """Return what one search costs on a kilobyte, the worst of a few texts made of the pattern's letters."""
    search = searcher(pattern, flags, allow_slow=True)
    letters = "".join(re.findall(r"[A-Za-z0-9 /:._-]", pattern)) or "a"
    texts = [
        (text * 1024)[:1024] for text in (letters, "a", letters[:1], "C:\\Windows\\System32\\x ")
    ]
    worst = 0.0
    for text in texts:
        best = 1.0
        for _ in range(3):
            began = clock()
            search(text)
            best = min(best, clock() - began)
        worst = max(worst, best)
    return worst
