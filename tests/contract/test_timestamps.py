"""Microseconds and their text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import timespan
from contract.timestamps import MAX_US, from_datetime, from_iso, iso, microseconds, to_datetime


@given(st.integers(min_value=0, max_value=MAX_US))
def test_text_and_datetime_lead_back_to_the_same_microsecond(time_us: int) -> None:
    assert from_iso(iso(time_us)) == time_us
    assert from_datetime(to_datetime(time_us)) == time_us


def test_zones_are_converted_and_their_absence_means_utc() -> None:
    assert from_iso("1970-01-01T01:00:00+01:00") == 0
    assert from_iso("1970-01-01T00:00:00.0000019Z") == 1
    assert from_iso("1970-01-01 00:00:01") == 1_000_000
    assert to_datetime(0) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("2w", timedelta(14)),
    ],
)
def test_a_timespan_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert timespan.parse(text) == span
    assert timespan.parse(timespan.write(span)) == span
    assert microseconds(span) == span // timedelta(microseconds=1)


@pytest.mark.parametrize("text", ["5x", "5", "-5m", "", "1e3s", "m5"])
def test_any_other_timespan_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"e\.g\. 5m"):
        timespan.parse(text)
