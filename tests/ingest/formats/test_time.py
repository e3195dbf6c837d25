"""Time stamps of devices: years, zones, leap seconds, counts."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from contract.timestamps import from_datetime, iso
from ingest.formats.time import (
    any_us,
    bsd_us,
    canonical_us,
    epoch_us,
    iso_us,
    utc_text,
    yearless_us,
    zone_named,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(*parts: int) -> int:
    return from_datetime(datetime(*parts, tzinfo=UTC))  # type: ignore[misc,arg-type] # parts are date and time


NOON = at(2026, 6, 15, 12)


@pytest.mark.parametrize(
    ("text", "received", "expected"),
    [
        ("Jun 15 11:59:59", NOON, "2026-06-15T11:59:59.000000Z"),
        ("Jun  5 01:02:03", NOON, "2026-06-05T01:02:03.000000Z"),
        ("Jun 05 01:02:03", NOON, "2026-06-05T01:02:03.000000Z"),
        ("Dec 31 23:59:59", at(2027, 1, 1, 0, 0, 5), "2026-12-31T23:59:59.000000Z"),
        ("Jan  1 00:00:01", at(2026, 12, 31, 23, 59), "2027-01-01T00:00:01.000000Z"),
        ("Feb 29 10:00:00", NOON, "2024-02-29T10:00:00.000000Z"),
        ("Jun 16 11:00:00", NOON, "2026-06-16T11:00:00.000000Z"),
        ("Jun 17 00:00:00", NOON, "2025-06-17T00:00:00.000000Z"),
        ("Oct  1 00:00:00", NOON, "2025-10-01T00:00:00.000000Z"),
        ("Feb 29 10:00:00", at(2103, 1, 1), "2096-02-29T10:00:00.000000Z"),
        ("Feb 29 10:00:00", at(2025, 3, 1), "2024-02-29T10:00:00.000000Z"),
        ("Jun 14 23:59:60", NOON, "2026-06-15T00:00:00.000000Z"),
    ],
)
def test_a_stamp_without_year_takes_the_latest_that_is_not_in_the_future(
    text: str, received: int, expected: str
) -> None:
    assert iso(bsd_us(text, UTC, received)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Feb 30 10:00:00", "Foo 10 10:00:00", "Jun 15 25:00:00", "Jun 15 10:60:00", "Jun 15 10:00:61",
        "Jun 1x 10:00:00", "Jun 15 10-00-00", "", "Jun 15", "Jun 15 10:00:000",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no such|must be"):
        bsd_us(text, UTC, NOON)


def test_a_local_time_takes_the_zone_of_the_settings() -> None:
    assert iso(bsd_us("Jun 15 14:00:00", BERLIN, NOON)) == "2026-06-15T12:00:00.000000Z"
    assert iso(bsd_us("Jan 15 14:00:00", BERLIN, at(2026, 1, 15, 13))) == (
        "2026-01-15T13:00:00.000000Z"
    )


def test_of_the_repeated_hour_the_reading_nearest_to_arrival_holds() -> None:
    """02:30 on 25 October 2026 happens in Berlin at 00:30 and at 01:30 UTC."""
    early, late = at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30)
    assert bsd_us("Oct 25 02:30:00", BERLIN, early + 1_000_000) == early
    assert bsd_us("Oct 25 02:30:00", BERLIN, late + 1_000_000) == late
    assert iso_us("2026-10-25 02:30:00", BERLIN, late + 1_000_000) == late
    assert iso_us("2026-10-25 02:30:00", BERLIN) == early


def test_a_time_that_spring_skipped_still_reads() -> None:
    received = at(2026, 3, 29, 1, 30)
    assert abs(bsd_us("Mar 29 02:30:00", BERLIN, received) - received) <= 3_600_000_000


def test_micros_survive_a_year_less_stamp() -> None:
    assert yearless_us((6, 15), (12, 0, 0), 123_456, UTC, NOON) == NOON + 123_456


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-15T12:00:00Z", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15T12:00:00z", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15 12:00:00,5", "2026-06-15T12:00:00.500000Z"),
        ("2026/06/15 12:00:00", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15T12:00", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15T14:00:00.123456789+0200", "2026-06-15T12:00:00.123456Z"),
        ("2026-06-15T06:30:00-05:30", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15 14:00:00 CEST", "2026-06-15T12:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("20260615T120000Z", "2026-06-15T12:00:00.000000Z"),
        ("20260615T140000.123456+0200", "2026-06-15T12:00:00.123456Z"),
        ("20260615T1200", "2026-06-15T12:00:00.000000Z"),
        ("2026-06-15T24:00:00Z", "2026-06-16T00:00:00.000000Z"),
        ("2026-12-31T24:00:00.000000Z", "2027-01-01T00:00:00.000000Z"),
        ("20261231T240000+0100", "2026-12-31T23:00:00.000000Z"),
    ],
)
def test_iso_8601_reads_in_its_variety(text: str, expected: str) -> None:
    assert iso(iso_us(text)) == expected
    assert iso(any_us(text, UTC, NOON)) == expected
    assert iso(canonical_us(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01T00:00:00Z",
        "2026-06-15",
        "x",
        "2026-06-15T99:00:00Z",
        "",
        "2026-06-15T24:00:01Z",
        "2026-06-15T24:01:00Z",
        "2026-06-15T24:00:00.000001Z",
        "20260615T24",
        "20260615",
        "20261315T120000Z",
        "9999-12-31T24:00:00Z",
    ],
)
def test_what_is_not_iso_8601_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|must be|no such"):
        iso_us(text)


def test_the_end_of_a_day_is_written_as_the_begin_of_the_next() -> None:
    assert utc_text("2026-06-15T24:00:00.000000+0000") == "2026-06-16T00:00:00.000000Z"


def test_canonical_reading_is_exact_and_refuses_signs_in_the_decimals() -> None:
    assert canonical_us("2026-06-15T12:00:00.000001Z") == NOON + 1
    with pytest.raises(ValueError, match="expected"):
        canonical_us("2026-06-15T12:00:00.+12345Z")
    with pytest.raises(ValueError, match="expected"):
        canonical_us("2026-06-15T12:00:00.\uff11\uff12\uff13\uff14\uff15\uff16Z")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1_781_524_800, NOON),
        ("1781524800", NOON),
        ("1781524800.123456", NOON + 123_456),
        ("1781524800.1234567", NOON + 123_456),
        (1_781_524_800_123, NOON + 123_000),
        ("1781524800123456", NOON + 123_456),
        (1_781_524_800_123_456_789, NOON + 123_456),
        ("1781524800123.5", NOON + 123_500),
        (1781524800.5, NOON + 500_000),
        (0, 0),
        ("1", 1_000_000),
    ],
)
def test_a_count_tells_its_unit_by_its_size(number: float | str, expected: int) -> None:
    assert epoch_us(number) == expected


@pytest.mark.parametrize(
    "number",
    [-1, float("nan"), float("inf"), "x", "", "1e5", 10**20, "\uff11\uff12"],
)
def test_what_is_no_count_is_refused(number: float | str) -> None:
    with pytest.raises(ValueError, match="count since 1970"):
        epoch_us(number)


@pytest.mark.parametrize(
    "text",
    [
        "Jun 15 2026 12:00:00", "Jun 15 12:00:00 2026", "Mon Jun 15 12:00:00 2026", "15/Jun/2026:14:00:00 +0200",
        "Jun 15 12:00:00.000 UTC", "Jun 15 2026 14:00:00 CEST", "Mon, Jun 15 12:00:00 UTC 2026", "15 June 2026 12:00:00",
        "June 15, 2026 12:00:00", "1781524800", "1781524800000",
    ],
)  # fmt: skip
def test_any_reads_what_devices_write(text: str) -> None:
    assert iso(any_us(text, UTC, NOON)) == "2026-06-15T12:00:00.000000Z"


def test_zone_names_that_mean_several_zones_are_left_to_the_setting() -> None:
    assert zone_named("IST") is None
    assert zone_named("CST") is None
    assert zone_named("+25") is None
    assert zone_named("CEST") == timezone(timedelta(hours=2))
    assert zone_named("-0330") == timezone(-timedelta(hours=3, minutes=30))
    assert iso(any_us("Jun 15 2026 14:00:00 IST", BERLIN, NOON)) == "2026-06-15T12:00:00.000000Z"
