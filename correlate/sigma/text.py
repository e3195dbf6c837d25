r"""What a value of an event is as text, and how texts compare. One place, so that all paths agree.

Source: Sigma 2.1, "General": "All values are treated as case-insensitive strings." Case-insensitive
is Unicode's full case folding (`STRASSE` equals `straße`); `?` stands for one folded character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

DASHES = dict.fromkeys(map(ord, "/\u2013\u2014\u2015"), "-")
"""The characters that `windash` takes for one another: `-`, `/`, en dash, em dash, horizontal bar."""

_NUMBER = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d{1,9})?)?)?"
    r"\s?(?:Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)

fold: Callable[[str], str] = str.casefold

LONG = 1024
"""Characters from which a folded text is kept for the next rules that ask for it."""
_LAST = 8


class LastFolded:
    """The last few long texts, folded: the rules of one event ask for the same ones again and again."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[str, str]] = {}

    def __call__(self, text: str) -> str:
        """Return the text folded."""
        kept = self._kept.get(id(text))
        if kept is not None and kept[0] is text:
            return kept[1]
        folded = text.casefold()
        if len(self._kept) >= _LAST:
            self._kept.clear()
        self._kept[id(text)] = (text, folded)
        return folded


fold_long = LastFolded()


def text_of(value: Any) -> str | None:
    """Return the text that string comparisons see; None where there is none (null, objects, lists).

    Numbers are written as JSON writes them, booleans `true` and `false`.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -(1 << 64) < value < 1 << 64 else format(value, "d")
    if kind is float:
        return repr(value)
    return None


def number_of(value: Any) -> int | float | None:
    """Return the number that numeric comparisons see: a number, or a text that is one in decimal."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str and _NUMBER.fullmatch(value):
        try:
            return int(value)
        except ValueError:
            return float(value)
    return None


def time_parts(value: Any) -> dict[str, int] | None:
    """Return minute, hour, day, week (ISO 8601), month and year as written; None: no ISO 8601 text.

    "It is not designed to handle timezone or format conversions" (modifiers appendix): the parts are
    those of the text, whatever its zone.
    """
    if type(value) is not str:
        return None
    found = _TIME.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups()
    try:
        week = date(int(year), int(month), int(day)).isocalendar().week
    except ValueError:
        return None
    parts = {"year": int(year), "month": int(month), "day": int(day), "week": week}
    if hour is not None:
        if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:  # noqa: PLR2004  # of a day
            return None
        parts |= {"hour": int(hour), "minute": int(minute)}
    return parts


def elements(value: Any) -> Iterator[Any]:
    """Yield the values of a possibly multi-valued field: its elements, or itself."""
    if type(value) is list:
        for element in value:
            yield from elements(element)
    else:
        yield value


def scalars(value: Any) -> Iterator[Any]:
    """Yield every value below an object or a list, without the names; what keywords look through."""
    stack = [value]
    while stack:
        top = stack.pop()
        kind = type(top)
        if kind is dict:
            stack.extend(top.values())
        elif kind is list:
            stack.extend(top)
        elif top is not None:
            yield top
