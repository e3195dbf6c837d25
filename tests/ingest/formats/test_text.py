"""Bytes to text that never fails."""

from ingest.formats.text import decode


def test_wrong_bytes_stay_visible() -> None:
    assert decode(b"user \xff\xfe from") == r"user \xff\xfe from"


def test_framing_and_byte_order_mark_are_cut() -> None:
    assert decode(b"\xef\xbb\xbfline\r\n\0") == "line"
    assert decode("grüße ⌘".encode()) == "grüße ⌘"
    assert decode(b"") == ""
