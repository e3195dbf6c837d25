"""The LEEF header, its delimiter in all spellings, and times by Java patterns."""

from datetime import UTC

import pytest

from contract.timestamps import iso
from ingest.formats import leef
from ingest.formats.java_time import java_us

RECEIVED_US = 1_781_524_800_000_000  # 2026-06-15T12:00:00Z


@pytest.mark.parametrize(
    ("field", "delimiter"),
    [
        ("^", "^"),
        ("x5E", "^"),
        ("0x5E", "^"),
        (r"\x5E", "^"),
        ("", "\t"),
        (r"\t", "\t"),
        ("x09", "\t"),
        ("a=b", None),
    ],
)
def test_delimiter(field: str, delimiter: str | None) -> None:
    assert leef.delimiter_of(field) == delimiter


def test_version_2_may_lack_the_delimiter_field() -> None:
    text = "LEEF:2.0|V|P|1|id|src=192.0.2.1\tdst=192.0.2.2"
    header = leef.read(text)
    assert header is not None
    assert leef.pairs(text, header.extension, header.delimiter) == (
        ["src", "dst"],
        ["192.0.2.1", "192.0.2.2"],
    )


def test_a_delimiter_within_a_value_belongs_to_it() -> None:
    assert leef.pairs("a=1^b=x^y^c=3", 0, "^") == (["a", "b", "c"], ["1", "x^y", "3"])


def test_blanks_part_pairs_where_no_delimiter_stands() -> None:
    assert leef.pairs("a=1 msg=two words b=2", 0, "\t") == (
        ["a", "msg", "b"],
        ["1", "two words", "2"],
    )


@pytest.mark.parametrize("text", ["", "LEEF:3.0|a|b|c|d|", "LEEF:1.0|a", "LEEF"])
def test_no_header(text: str) -> None:
    assert leef.read(text) is None


@pytest.mark.parametrize(
    ("text", "pattern", "time"),
    [
        ("Jun 15 2026 10:00:01", "MMM dd yyyy HH:mm:ss", "2026-06-15T10:00:01.000000Z"),
        (
            "15/06/2026 12:00:02.250 +0200",
            "dd/MM/yyyy HH:mm:ss.SSS Z",
            "2026-06-15T10:00:02.250000Z",
        ),
        ("2026-06-15T10:00:03CEST", "yyyy-MM-dd'T'HH:mm:ssz", "2026-06-15T08:00:03.000000Z"),
        ("06/15/26 1:00:04 PM", "MM/dd/yy h:mm:ss a", "2026-06-15T13:00:04.000000Z"),
        ("Jun 15 10:00:05", "MMM dd HH:mm:ss", "2026-06-15T10:00:05.000000Z"),
    ],
)
def test_times_by_java_patterns(text: str, pattern: str, time: str) -> None:
    moment = java_us(text, pattern, UTC, RECEIVED_US)
    assert moment is not None
    assert iso(moment) == time


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("x", "yyyy"),
        ("2026", "QQQQ"),
        ("2026 2026", "yyyy yyyy"),
        ("99/99/2026", "MM/dd/yyyy"),
        ("x", "y" * 1000),
    ],
)
def test_patterns_that_do_not_fit_give_none(text: str, pattern: str) -> None:
    assert java_us(text, pattern, UTC, RECEIVED_US) is None
