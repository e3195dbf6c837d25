"""PROXY headers of both versions, cut anywhere."""

import pytest

from contract.errors import ParseError
from ingest.streams.proxy_protocol import read_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 192, 0, 2, 1, 0, 1, 0, 2])
V6 = SIGNATURE + b"\x21\x21\x00\x24" + bytes.fromhex("20010db8000000000000000000000009") + bytes(20)
GOOD = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 4000 5514\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:DB8::9 2001:db8::1 4000 5514\r\n", "2001:db8::9"),
    (b"PROXY UNKNOWN\r\n", ""),
    (V4, "203.0.113.9"),
    (V6, "2001:db8::9"),
    (SIGNATURE + b"\x20\x00\x00\x00", ""),
]


@pytest.mark.parametrize(("header", "sender"), GOOD)
def test_the_real_peer_is_told_and_the_stream_begins_behind(header: bytes, sender: str) -> None:
    assert read_header(header + b"<1>a\n") == (sender, len(header))
    assert all(read_header(header[:at]) is None for at in range(len(header)))


@pytest.mark.parametrize(
    "data",
    [b"<1>a\n", b"PROXY TCP4 gw 192.0.2.1 1 2\r\n", b"PROXY " + b"x" * 200, b"PROXY TCP4\n", SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
     SIGNATURE + b"\x21\x11\xff\xff"],
)  # fmt: skip
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="PROXY"):
        read_header(data)
