"""Snort's and Suricata's time stamps: `MM/DD-hh:mm:ss.uuuuuu`, with a year where `-y` asks for it.

Source: Snort 2.9 manual 1.2 (`-y`); Suricata writes `MM/DD/YYYY-`, Snort `YY/MM/DD-` or `MM/DD/YY-` by version.
"""

from __future__ import annotations

import re
from datetime import tzinfo

from ingest.formats.time import any_us, local_us, yearless_us

_STAMP = re.compile(r"(\d{1,4})/(\d\d)(?:/(\d{2,4}))?-(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?\s*$")
_LARGEST_MONTH = 12


def stamp_us(text: str, zone: tzinfo, received_us: int) -> int:
    """Return the microseconds of a stamp; a year of two digits is of this century.

    Of three numbers the first is the year when it has four digits or is no month, else the last.

    Raises:
        ValueError: no such form or date.
    """
    match = _STAMP.match(text)
    if match is None:
        return any_us(text, zone, received_us)
    first, second, third, hour, minute, sec, decimals = match.groups()
    clock = int(hour), int(minute), int(sec)
    micros = int((decimals or "")[:6].ljust(6, "0"))
    if third is None:
        return yearless_us((int(first), int(second)), clock, micros, zone, received_us)
    if len(first) == 4 or int(first) > _LARGEST_MONTH:  # noqa: PLR2004 - a year
        year, month, day = int(first), int(second), int(third)
    else:
        year, month, day = int(third), int(first), int(second)
    return local_us((year + 2000 if year < 100 else year, month, day), clock, micros, zone)  # noqa: PLR2004 - two digits
