"""The CEF header and the escapes of its extension."""

import pytest

from ingest.formats import cef


def test_header_with_escaped_bar_behind_a_syslog_header() -> None:
    text = (
        r"<13>Jun 15 10:00:00 host CEF:0|Ve\|ndor|Pro\\duct|1.0|42|A name|Very-High|src=192.0.2.1"
    )
    header = cef.read(text)
    assert header is not None
    assert (header.vendor, header.product, header.event_class) == ("Ve|ndor", "Pro\\duct", "42")
    assert text[header.extension :] == "src=192.0.2.1"
    assert text[: header.start] == "<13>Jun 15 10:00:00 host "


@pytest.mark.parametrize(
    "text", ["", "CEF:0|a|b", "CEF:x|a|b|c|d|e|f|", "a|b|c|d|e|f|g|h", "CEF:0"]
)
def test_no_header(text: str) -> None:
    assert cef.read(text) is None


def test_a_forwarder_may_cut_the_word_before_the_header() -> None:
    header = cef.read("0|Vendor|Product|1|5|Name|3|act=x")
    assert header is not None
    assert header.severity == "3"


def test_a_record_may_lack_its_extension() -> None:
    header = cef.read("CEF:0|Vendor|Product|1|5|Name|3")
    assert header is not None
    assert header.extension == len("CEF:0|Vendor|Product|1|5|Name|3")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (r"a\=b", "a=b"),
        (r"a\\b", r"a\b"),
        (r"one\ntwo", "one\ntwo"),
        (r"C:\\Users", r"C:\Users"),
        ("plain", "plain"),
    ],
)
def test_escapes(value: str, meant: str) -> None:
    assert cef.unescape(value) == meant


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), ("Low", 3), ("Very-High", 10), ("x", None), ("", None)],
)
def test_severity(text: str, number: int | None) -> None:
    assert cef.severity_number(text) == number
