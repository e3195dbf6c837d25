"""Captures of pf's log, made here by the headers' definitions, say what tcpdump prints of them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from datetime import UTC
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from contract.errors import ParseError
from contract.ports import Context
from ingest.adapters.openbsd_pf import ADAPTER
from ingest.formats import pflog
from ingest.formats.pcap import packets
from tests.conftest import require

NOW = 1_781_524_800_000_000
AT = (1_781_521_200, 123_456)


def ip4(source: str, destination: str, protocol: int, rest: bytes) -> bytes:
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(rest), 7, 0x4000, 64, protocol, 0,
        ip_address(source).packed, ip_address(destination).packed,
    )  # fmt: skip
    total = sum(struct.unpack(">10H", head))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return head[:10] + struct.pack(">H", checksum) + head[12:] + rest


def ip6(source: str, destination: str, protocol: int, rest: bytes) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(rest), protocol, 64)
    return head + ip_address(source).packed + ip_address(destination).packed + rest


def tcp(source: int, destination: int, flags: int = 2) -> bytes:
    return struct.pack(">HHIIBBHHH", source, destination, 1, 0, 0x50, flags, 65_535, 0, 0)


def udp(source: int, destination: int) -> bytes:
    return struct.pack(">HHHH", source, destination, 12, 0) + b"data"


def header(system: str, order: str = "<", **said: Any) -> bytes:
    """pf's header as one system writes it."""
    length = {"freebsd13": 61, "freebsd14": 69, "openbsd": 100}[system]
    numbers = (said.get("rule", 4), said.get("subrule", 0xFFFFFFFF))
    begin = struct.pack(
        "BBBB16s16s", length, said.get("family", 2), said.get("action", 1), said.get("reason", 0), b"em0", said.get("ruleset", b"")
    )  # fmt: skip
    who = struct.pack(order + "IiIi", said.get("user", 0xFFFFFFFF), said.get("process", 100_000), 0, 0)  # fmt: skip
    whole = begin + struct.pack(">II", *numbers) + who + bytes([said.get("way", 1)])
    if system == "openbsd":
        source, destination, ports = said.get("other", (b"", b"", (0, 0)))
        return whole + bytes([bool(source), said.get("became", 2), 0]) + source.ljust(16, b"\0") + destination.ljust(16, b"\0") + struct.pack(">HH", *ports)  # fmt: skip
    if system == "freebsd14":
        return whole + bytes(3) + struct.pack(">I", said.get("tracker", 0)) + bytes(4)
    return whole + bytes(3)


def capture(*logged: bytes, order: str = "<", magic: int = 0xA1B2C3D4, link: int = 117) -> bytes:
    file = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link)
    for packet in logged:
        file += struct.pack(order + "IIII", *AT, len(packet), len(packet)) + packet
    return file


def fields_of(raw: bytes) -> list[dict[str, Any]]:
    return ADAPTER.parse(raw, Context(NOW, UTC))


WEB = ip4("203.0.113.9", "192.0.2.1", 6, tcp(4000, 443))
NAME = ip6("2001:db8::9", "2001:db8::53", 17, udp(5353, 53))
PING = ip4("203.0.113.9", "192.0.2.1", 1, b"\x08\0\0\0\0\1\0\1")
CASES = [
    header("openbsd") + WEB,
    header("openbsd", action=0, way=2, rule=0, family=24) + NAME,
    header("freebsd13", reason=10, ruleset=b"spam", subrule=3) + WEB,
    header("freebsd14", tracker=1_000_000_103, action=0) + PING,
]


@pytest.mark.parametrize("packet", CASES)
def test_a_capture_says_what_tcpdump_prints_of_it(packet: bytes, tmp_path: Path) -> None:
    require(shutil.which("tcpdump") is not None, "needs tcpdump (Debian: tcpdump)")
    path = tmp_path / "pflog"
    path.write_bytes(capture(packet))
    command = ["tcpdump", "-n", "-e", "-tttt", "-r", str(path)]
    printed = subprocess.run(command, capture_output=True, check=True, env={"TZ": "UTC"}).stdout
    (text,) = fields_of(printed.strip())
    (binary,) = fields_of(path.read_bytes())
    names = set(text) - {"openbsd.pf.packet", "network.bytes", "related.ip", "message"}
    assert {name: binary.get(name) for name in names} == {name: text[name] for name in names}


def test_both_orders_and_both_units_of_time_are_read() -> None:
    little, big = (
        capture(header("openbsd", order, user=1000, process=77) + WEB, order=order)
        for order in "<>"
    )
    assert fields_of(little) == fields_of(big)
    (fields,) = fields_of(little)
    assert (fields["user.id"], fields["process.pid"]) == ("1000", 77)
    assert fields["@timestamp"] == "2026-06-15T11:00:00.123456Z"
    nano = bytearray(capture(CASES[0], magic=0xA1B23C4D))
    nano[28:32] = struct.pack("<I", 123_456_789)
    assert fields_of(bytes(nano))[0]["@timestamp"] == "2026-06-15T11:00:00.123456Z"


def test_what_pf_made_of_an_address_is_its_translation() -> None:
    other = (ip_address("198.51.100.1").packed, ip_address("192.0.2.1").packed, (5555, 443))
    (fields,) = fields_of(capture(header("openbsd", way=2, action=0, other=other) + WEB))
    assert (fields["source.ip"], fields["source.port"]) == ("203.0.113.9", 4000)
    assert (fields["source.nat.ip"], fields["source.nat.port"]) == ("198.51.100.1", 5555)
    assert "destination.nat.ip" not in fields
    assert "destination.nat.port" not in fields


def test_a_translation_into_another_family_is_read_whichever_packet_was_kept() -> None:
    four = (ip_address("198.51.100.1").packed, ip_address("192.0.2.53").packed, (6000, 53))
    (new,) = fields_of(capture(header("openbsd", family=24, became=2, other=four) + NAME))
    assert (new["source.ip"], new["source.nat.ip"]) == ("2001:db8::9", "198.51.100.1")
    assert (new["destination.nat.ip"], new["source.nat.port"]) == ("192.0.2.53", 6000)
    six = (ip_address("64:ff9b::1").packed, ip_address("64:ff9b::2").packed, (6000, 443))
    (old,) = fields_of(capture(header("openbsd", family=24, became=2, other=six) + WEB))
    assert (old["source.ip"], old["source.port"]) == ("64:ff9b::1", 6000)
    assert (old["source.nat.ip"], old["source.nat.port"]) == ("203.0.113.9", 4000)


def test_the_tracker_the_flags_and_the_community_id_are_kept() -> None:
    web, ping = fields_of(capture(CASES[0], CASES[3]))
    assert web["openbsd.pf.tcp.flags"] == ["SYN"]
    assert web["network.community_id"].startswith("1:")
    assert ping["rule.uuid"] == "1000000103"
    assert ping["openbsd.pf.icmp.type"] == "8"


def test_headers_behind_headers_and_fragments_do_not_mislead() -> None:
    hop = bytes([44, 0]) + bytes(6)
    first = bytes([17, 0, 0, 1]) + bytes(4)
    later = bytes([17, 0, 0, 8]) + bytes(4)
    packet = ip6("2001:db8::9", "2001:db8::53", 0, hop + first + udp(5353, 53))
    assert fields_of(capture(header("openbsd") + packet))[0]["destination.port"] == 53
    packet = ip6("2001:db8::9", "2001:db8::53", 0, hop + later + udp(5353, 53))
    (fields,) = fields_of(capture(header("openbsd") + packet))
    assert fields["network.transport"] == "udp"
    assert "destination.port" not in fields


@pytest.mark.parametrize("packet", CASES)
def test_every_cut_of_a_packet_ends_as_fields_or_a_refusal(packet: bytes) -> None:
    for end in range(len(packet)):
        raw = capture(packet[:end])
        try:
            assert fields_of(raw)
        except ParseError:
            assert end < 100 + 40
    whole = capture(packet)
    for end in range(4, len(whole)):
        with pytest.raises(ParseError):
            fields_of(whole[:end])


@pytest.mark.parametrize(
    "raw",
    [
        capture(WEB, link=1),
        capture(header("openbsd")[:50]),
        capture(b""),
        capture(header("openbsd") + b"\x15" + bytes(60)),
        capture()[:20],
        capture(),
        capture() + struct.pack("<IIII", *AT, 0xFFFFFFFF, 0),
    ],
)
def test_what_is_no_capture_of_pf_is_refused(raw: bytes) -> None:
    with pytest.raises(ParseError):
        fields_of(raw)


def test_what_pf_does_not_name_is_kept_as_a_number() -> None:
    ((fields, _),) = (pflog.read(one) for one in packets(capture(header("openbsd", action=77, reason=88) + WEB)))  # fmt: skip
    assert (fields["event.action"], fields["event.reason"]) == ("77", "88")
