"""Sigma's `timespan` as whole microseconds.

Source: Sigma correlation rules specification 2.1, "Time Selection": number and s, m, h or d. `w`, `M` and
`y` are what the SigmaHQ parser takes beside them: a week, a mean month and a mean year (Gregorian).
"""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
_FORM = re.compile(r"([0-9]{1,9})([smhdwMy])", re.ASCII)

MAX_US = 10 * _SECONDS["y"] * 1_000_000
"""Ten years: beyond it a time stamp's sum leaves what records can hold."""


def timespan_us(text: object) -> int:
    """Return the microseconds that e.g. `90m` says.

    Raises:
        ValueError: another form, zero, or more than ten years.
    """
    form = _FORM.fullmatch(text) if isinstance(text, str) else None
    if form is None:
        raise ValueError(f"is {text!r}; expected a whole number and s, m, h or d")
    span = int(form[1]) * _SECONDS[form[2]] * 1_000_000
    if not 0 < span <= MAX_US:
        raise ValueError(f"is {text!r}; expected more than zero and at most ten years")
    return span
