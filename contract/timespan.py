"""Spans of time as a person writes them: a number and a unit, as in Sigma's `timespan`.

Source: Sigma correlation rules specification 2.1, "timespan" (s, m, h, d); `ms` and `w` are added for settings.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(ms|s|m|h|d|w)")


def parse(text: str) -> timedelta:
    """Return the span that e.g. `90s`, `5m` or `1.5h` says.

    Raises:
        ValueError: any other form.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError(f"expected a number and ms, s, m, h, d or w (e.g. 5m), came {text!r}")
    return float(form[1]) * _UNITS[form[2]]


def write(span: timedelta) -> str:
    """Return the shortest text that `parse` reads back to `span`, at millisecond grain."""
    total = round(span / _UNITS["ms"])
    for unit in ("w", "d", "h", "m", "s", "ms"):
        size = round(_UNITS[unit] / _UNITS["ms"])
        if total % size == 0 and (total or unit == "s"):
            return f"{total // size}{unit}"
    return f"{total}ms"


def _from_setting(value: Any) -> Any:
    return parse(value) if isinstance(value, str) else value


Timespan: TypeAlias = Annotated[timedelta, BeforeValidator(_from_setting), PlainSerializer(write)]
"""A pydantic field type: `timedelta` read from and written as such text."""
