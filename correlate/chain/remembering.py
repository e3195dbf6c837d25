"""Functions that remember their last answers, about short texts only: who sends long ones does not fill the memory with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

MAX_ANSWERS: Final = 65_536
"""Answers that one function remembers: a site has fewer things that it speaks of all day."""

MAX_TEXT: Final = 256
"""Characters of a text about which an answer is remembered."""

P = ParamSpec("P")
R = TypeVar("R")


class _TooLongError(Exception):
    """Nothing is remembered of what it is asked about."""


def remembered(read: Callable[P, R]) -> Callable[P, R]:
    """Let a pure function remember its answers; it takes no arguments by name. 1, 1.0 and True are not the same to it.

    What it is asked about lists, or texts that are too long, it thinks out each time.
    """

    @lru_cache(MAX_ANSWERS, typed=True)
    def known(*asked: Any) -> R:
        if _is_long(asked):
            raise _TooLongError  # what raises is not remembered
        return cast("Callable[..., R]", read)(*asked)

    @wraps(read)
    def answer(*asked: Any) -> R:
        try:
            return known(*asked)
        except (_TooLongError, TypeError):
            return cast("Callable[..., R]", read)(*asked)

    return cast("Callable[P, R]", answer)


def _is_long(value: object) -> bool:
    """Tell whether a text is too long, or one of several."""
    if isinstance(value, tuple):
        return any(map(_is_long, value))
    return type(value) is str and len(value) > MAX_TEXT
