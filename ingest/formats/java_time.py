"""Times by a pattern of Java's SimpleDateFormat, as LEEF's `devTimeFormat` states it.

Source: Java SE 21 `java.text.SimpleDateFormat`; the letters that name a point in time.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache

from ingest.formats.time import MONTHS, local_us, yearless_us, zone_named

_MAX_PATTERN = 64
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)
_LETTERS = {
    "y": "(?P<year>\\d{2,4})", "d": "(?P<day>\\d{1,2})", "H": "(?P<hour>\\d{1,2})", "k": "(?P<hour>\\d{1,2})",
    "h": "(?P<hour>\\d{1,2})", "K": "(?P<hour>\\d{1,2})", "m": "(?P<minute>\\d{1,2})", "s": "(?P<second>\\d{1,2})",
    "S": "(?P<fraction>\\d{1,9})", "a": "(?P<half>[AaPp][Mm])", "E": "[A-Za-z]{2,9}",
    "z": "(?P<zone>[A-Za-z]{1,5}|(?:GMT)?[+-]\\d{2}:?\\d{2})", "Z": "(?P<zone>[+-]\\d{4})", "X": "(?P<zone>Z|[+-]\\d{2}(?::?\\d{2})?)",
}  # fmt: skip
_SHORT_MONTH = 2
_CENTURY = 100


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    parts: list[str] = []
    for token in _TOKEN.finditer(pattern):
        letter, text = token[2], token[0]
        if letter == "M":
            parts.append(
                "(?P<month>\\d{1,2})"
                if len(text) <= _SHORT_MONTH
                else "(?P<month>[A-Za-z]{3,9})\\.?"
            )
        elif letter is not None and letter in _LETTERS:
            parts.append(_LETTERS[letter])
        elif letter is not None:
            return None
        else:
            parts.append(
                r"\s+" if text == " " else re.escape(token[1] if token[1] is not None else text)
            )
    try:
        return re.compile("".join(parts))
    except re.error:  # a letter stands twice
        return None


def java_us(text: str, pattern: str, zone: tzinfo, received_us: int) -> int | None:
    """Return the microseconds of a time, or None where the pattern is unknown or does not fit."""
    compiled = _compiled(pattern.strip()) if len(pattern) <= _MAX_PATTERN else None
    match = compiled.match(text.strip()) if compiled else None
    if match is None:
        return None
    part = match.groupdict()
    month_text, day = part.get("month") or "", int(part.get("day") or 1)
    month = int(month_text) if month_text.isdecimal() else MONTHS.get(month_text[:3].lower(), 0)
    hour = int(part.get("hour") or 0)
    if part.get("half"):
        hour = hour % 12 + (12 if str(part["half"]).lower() == "pm" else 0)
    clock = (hour, int(part.get("minute") or 0), int(part.get("second") or 0))
    micros = int((part.get("fraction") or "0")[:6].ljust(6, "0"))
    at = (
        zone_named((part.get("zone") or "").removeprefix("GMT") or "UTC")
        if part.get("zone")
        else None
    )
    year_text = part.get("year")
    try:
        if year_text is None:
            return yearless_us((month, day), clock, micros, at or zone, received_us)
        year = int(year_text) + (2000 if int(year_text) < _CENTURY else 0)
        return local_us((year, month, day), clock, micros, at or zone, received_us)
    except ValueError:
        return None
