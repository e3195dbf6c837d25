"""Time stamps as products write them, to integer microseconds.

Year-less stamps take the latest year that does not put them after the arrival (a day's clock skew
allowed), so a log read on 1 January that speaks of 31 December is yesterday's, and one of ten months ago is not
taken for the future. Local times take the zone of the source's settings; of the
hour that a zone's autumn change repeats, the one nearest to the arrival. A leap second (`:60`) is the
second after `:59`.

Every function is pure: arrival is an argument. Results are remembered by text, since a log says the
same second many times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from contract.timestamps import EPOCH, MAX_US, from_datetime, iso

Date: TypeAlias = tuple[int, int, int]
"""Year, month, day."""
YearDay: TypeAlias = tuple[int, int]
"""Month, day."""
Clock: TypeAlias = tuple[int, int, int]
"""Hour, minute, second."""

SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * SECOND_US
_NAIVE: Final = EPOCH.replace(tzinfo=None)
_REMEMBERED: Final = 8192
_END_OF_DAY: Final = "24"

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}

# Only names that mean one offset wherever they are used; IST, CST in China, BST in Bangladesh are not.
_ZONES: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "MET": 60, "MEST": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "EST": -300, "EDT": -240, "CDT": -300, "MST": -420,
    "MDT": -360, "PST": -480, "PDT": -420, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660,
    "NZST": 720, "NZDT": 780,
}  # fmt: skip

_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[Tt _](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    r"\s?(Z|z|[+-]\d\d(?::?\d\d)?|[A-Z]{3,4})?$",
    re.ASCII,
)
# ISO 8601-1, 5.2.2 and 5.3.1.2: the basic format, without separators; all of date, hour and minute.
_BASIC = re.compile(
    r"(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,12}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?$",
    re.ASCII,
)
_BSD = re.compile(
    r"(?:[A-Z][a-z]{2},? )?([A-Za-z]{3})[a-z]*\.? +(\d{1,2}),?(?: +(\d{4}))? "
    r"(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ([A-Z]{1,5}|[+-]\d\d:?\d\d))?(?: (\d{4}))?$",
    re.ASCII,
)
_DAY_FIRST = re.compile(
    r"(\d{1,2})[-/ ]([A-Za-z]{3})[a-z]*[-/ ](\d{4})[: ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?"
    r"(?: ?(Z|[A-Z]{3,4}|[+-]\d\d:?\d\d))?$",
    re.ASCII,
)
_UNITS: Final = {10: 1_000_000, 13: 1_000, 16: 1}
"""Microseconds by the digits of a count since 1970: what seconds, ms and µs have from 2001 to 2286."""
_COUNT = re.compile(r"0*(\d{1,20})(?:\.(\d*))?$", re.ASCII)
_NUMBER = re.compile(r"\d{9,19}(?:\.\d{1,9})?$", re.ASCII)


def zone_named(name: str) -> tzinfo | None:
    """Return the zone of an abbreviation or an offset (`CEST`, `+0200`, `-05:30`, `+01`), or None.

    Abbreviations that name several zones (`IST`, `CST`) give None: the source's setting decides.
    """
    if name[:1] in "+-" and name:
        digits = name[1:].replace(":", "")
        if not digits.isdecimal() or len(digits) not in (2, 4):
            return None
        minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
        if minutes >= 24 * 60:
            return None
        return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))
    offset = _ZONES.get(name.upper())
    return None if offset is None else timezone(timedelta(minutes=offset))


def _micros(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def local_us(
    date: Date, clock: Clock, micros: int, zone: tzinfo, received_us: int | None = None
) -> int:
    """Return the microseconds of a local time.

    Where the zone repeats the hour, the reading nearest to `received_us` holds (without it: the first).

    Raises:
        ValueError: there is no such date or time.
    """
    hour, minute, second = clock
    leap = second == 60  # noqa: PLR2004 - a leap second is written so (RFC 3339, 5.6)
    moment = datetime(*date, hour, minute, 59 if leap else second, micros, tzinfo=zone)
    first = from_datetime(moment) + (SECOND_US if leap else 0)
    if zone is UTC or received_us is None or isinstance(zone, timezone):
        return first
    again = from_datetime(moment.replace(fold=1)) + (SECOND_US if leap else 0)
    # A spring gap also reads differently with fold=1, then earlier: only a later second reading repeats.
    return again if again > first and abs(again - received_us) < abs(first - received_us) else first


@lru_cache(_REMEMBERED)
def _latest(day: YearDay, clock: Clock, zone: tzinfo, received_day: int) -> tuple[int, int]:
    """Return (first, second) reading of a year-less local time, the latest up to the end of the day after."""
    bound_us = (received_day + 2) * _DAY_US
    year = (EPOCH + timedelta(days=received_day)).year
    # 29 February may be eight years back (around 2100).
    for offset in (1, 0, -1) if day != (2, 29) else range(1, -9, -1):
        try:
            first = local_us((year + offset, *day), clock, 0, zone)
        except ValueError:
            continue
        if first < bound_us:
            return first, local_us((year + offset, *day), clock, 0, zone, received_us=MAX_US)
    raise ValueError(f"no such date and time: month and day {day}, clock {clock}")


def yearless_us(day: YearDay, clock: Clock, micros: int, zone: tzinfo, received_us: int) -> int:
    """Return the microseconds of a local time without year: the latest that is not after the arrival.

    A clock that runs ahead, up to the end of the day after, is allowed for.

    Raises:
        ValueError: there is no such date or time in any year near.
    """
    first, again = _latest(day, clock, zone, received_us // _DAY_US)
    if first != again and abs(again + micros - received_us) < abs(first + micros - received_us):
        return again + micros
    return first + micros


@lru_cache(_REMEMBERED)
def _bsd_parts(text: str) -> tuple[YearDay, Clock]:
    month = MONTHS.get(text[:3].lower())
    clock = text[7:15]
    if (
        month is None
        or text[3] != " "
        or text[6] != " "
        or clock[2] != ":"
        or clock[5] != ":"
        or not (clock[:2] + clock[3:5] + clock[6:]).isdecimal()
        or not text[4:6].strip().isdecimal()
    ):
        raise ValueError(f"expected a time such as 'Jan  2 03:04:05', came {text!r}")
    return (month, int(text[4:6])), (int(clock[:2]), int(clock[3:5]), int(clock[6:]))


def bsd_us(text: str, zone: tzinfo, received_us: int) -> int:
    """Return the microseconds of exactly `Mmm dd hh:mm:ss` (RFC 3164, 4.1.2; day padded by blank or 0).

    Raises:
        ValueError: `text` is of another form.
    """
    if len(text) != 15:  # noqa: PLR2004 - the form's fixed width
        raise ValueError(f"expected a time such as 'Jan  2 03:04:05', came {text!r}")
    day, clock = _bsd_parts(text)
    return yearless_us(day, clock, 0, zone, received_us)


@lru_cache(_REMEMBERED)
def second_us(text: str) -> int:
    """Return the microseconds of `YYYY-MM-DDThh:mm:ss` in UTC."""
    since = datetime.fromisoformat(text) - _NAIVE
    return (since.days * 86_400 + since.seconds) * SECOND_US


is_canonical: Final = re.compile(
    r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII
).fullmatch
"""Truthy where a text has the form that `contract.timestamps.iso` writes."""


def canonical_us(text: str) -> int:
    """Return the microseconds of an ISO text, fast when it is as `contract.timestamps.iso` writes it.

    Raises:
        ValueError: no ISO 8601 date and time.
    """
    if is_canonical(text):
        return second_us(text[:19]) + int(text[20:26])
    return iso_us(text)


def utc_text(text: str, zone: tzinfo = UTC) -> str:
    """Return an ISO 8601 text in UTC in the one form of all times here, fast for `…ffffff+0000`.

    Of that form the digits are left to `canonical_us` to check.

    Raises:
        ValueError: another form, or no such date.
    """
    if len(text) == 31 and text[26:] == "+0000" and text[10] == "T" and text[11:13] != _END_OF_DAY:  # noqa: PLR2004 - the form's fixed places
        return text[:26] + "Z"
    return iso(iso_us(text, zone))


def iso_us(text: str, zone: tzinfo = UTC, received_us: int | None = None) -> int:
    """Return the microseconds of an ISO 8601 text in its variety.

    `T`, a blank or `_` between date and time, `/` for `-`, comma for point, up to twelve decimals (cut
    to six), `Z`, `+hh`, `+hhmm`, `+hh:mm` or a zone's abbreviation; without zone, `zone` holds. Also the
    basic format, `20260615T120000Z`; and `24:00:00`, the end of its day.

    Raises:
        ValueError: another form, or no such date.
    """
    match = _ISO.match(text) or _BASIC.match(text)
    if match is None:
        raise ValueError(f"expected an ISO 8601 date and time, came {text[:40]!r}")
    year, month, day, hour, minute, second, decimals, name = match.groups()
    at = (zone_named(name) or zone) if name else zone
    date, clock = (int(year), int(month), int(day)), (int(hour), int(minute), int(second or 0))
    micros = _micros(decimals)
    if hour == _END_OF_DAY and clock[1:] == (0, 0) and not micros:
        begin_us = local_us(date, (0, 0, 0), 0, UTC)
        if begin_us + _DAY_US > MAX_US:
            raise ValueError(f"expected a time before the year 10000, came {text!r}")
        after = EPOCH + timedelta(microseconds=begin_us + _DAY_US)
        date, clock = (after.year, after.month, after.day), (0, 0, 0)
    return local_us(date, clock, micros, at, received_us)


def epoch_us(number: float | str) -> int:
    """Return the microseconds of a count since 1970 in s, ms, µs or ns, told apart by size.

    Seconds up to the year 5138, so milliseconds from March 1973 on, and so forth. Decimals are kept to
    the microsecond, exactly when `number` is text.

    Raises:
        ValueError: no number, negative, or beyond the year 5138.
    """
    text = number.strip() if isinstance(number, str) else repr(number)
    unit = _UNITS.get(len(text))
    if unit is not None and text.isdecimal() and text.isascii() and text[0] != "0":
        return int(text) * unit
    match = _COUNT.match(text)
    if match is None:
        if isinstance(number, str) or not 0 <= number < 1e20:  # noqa: PLR2004 - NaN and infinity too
            raise ValueError(f"expected a count since 1970, came {text[:40]!r}")
        return epoch_us(int(number))
    whole, decimals = match.groups(default="")
    for digits, decimal_places in ((11, 6), (14, 3), (17, 0)):
        if len(whole) <= digits:
            time_us = int(whole + decimals[:decimal_places].ljust(decimal_places, "0"))
            break
    else:
        time_us = int(whole) // 1000
    return time_us


def any_us(text: str, zone: tzinfo, received_us: int) -> int:
    """Return the microseconds of a stamp in any of the forms known here.

    ISO 8601, `Mmm dd hh:mm:ss` with or without year, zone and weekday, `dd/Mmm/yyyy:hh:mm:ss`, or a
    count since 1970. Several times dearer than the reader of one form.

    Raises:
        ValueError: none of these.
    """
    text = text.strip()
    if _NUMBER.match(text):
        return epoch_us(text)
    if match := _BSD.match(text):
        name, day, early, hour, minute, second, decimals, at, late = match.groups()
        year = early or late
    elif match := _DAY_FIRST.match(text):
        day, name, year, hour, minute, second, decimals, at = match.groups()
    else:
        return iso_us(text, zone, received_us)
    month = MONTHS.get(name.lower())
    if month is None:
        raise ValueError(f"expected a month's name, came {name!r}")
    place = (zone_named(at) or zone) if at else zone
    clock, micros = (int(hour), int(minute), int(second)), _micros(decimals)
    if year is None:
        return yearless_us((month, int(day)), clock, micros, place, received_us)
    return local_us((int(year), month, int(day)), clock, micros, place, received_us)
