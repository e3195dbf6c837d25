"""Time as the hot path holds it: integer microseconds since 1970-01-01T00:00:00Z, and its ISO text.

Names end in `_us`. A record that leaves the engine carries ISO 8601 text in UTC (`@timestamp`) or
an aware `datetime`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAIVE = EPOCH.replace(tzinfo=None)  # its sums are written at half the cost
MIN_US = 0
MAX_US = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z, the last that `datetime` holds


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return (_NAIVE + timedelta(seconds=second)).isoformat()


def iso(time_us: int) -> str:
    """Return e.g. `2026-11-22T06:14:04.325038Z`; always six decimals, always UTC.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    second, micros = divmod(time_us, 1_000_000)
    return f"{_second_text(second)}.{micros:06d}Z"


def from_iso(text: str) -> int:
    """Return the microseconds of an ISO 8601 text; without zone it is taken as UTC.

    Digits after the sixth decimal are cut.

    Raises:
        ValueError: `text` is no ISO 8601 date and time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return from_datetime(moment)


def from_datetime(moment: datetime) -> int:
    """Return the microseconds of an aware `datetime`, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def to_datetime(time_us: int) -> datetime:
    """Return an aware `datetime` in UTC.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return EPOCH + timedelta(microseconds=time_us)


def microseconds(span: timedelta) -> int:
    """Return a span as whole microseconds."""
    return span // _MICROSECOND
