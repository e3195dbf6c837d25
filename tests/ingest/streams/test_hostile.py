"""Mutated streams of every reader: each ends as records within the bound, or as a refusal; never otherwise."""

import contextlib
import random
import struct
import zlib
from collections.abc import Callable

import pytest

from contract.errors import ParseError
from ingest.streams.framing import Framer
from ingest.streams.lumberjack import Lumberjack
from ingest.streams.otlp import PROTOBUF, records_of
from ingest.streams.packing import unpack
from ingest.streams.pcap_cutter import PcapCutter
from ingest.streams.proxy_protocol import read_header, wanted
from ingest.streams.reader import Answers, Reader
from ingest.streams.relp import Relp

BOUND = 200
FRAME = 10_000
EVENTS = b"".join(b"2J" + struct.pack(">II", number, 7) + b'{"a":1}' for number in range(1, 9))
PACKED = zlib.compress(EVENTS)
STREAMS: dict[str, tuple[Callable[[], Reader], bytes]] = {
    "relp": (
        lambda: Relp(BOUND),
        b"1 open 30 relp_version=0\ncommands=syslog\n" + b"2 syslog 9 <13>hello\n3 syslog 0\n" * 8 + b"4 close 0\n",
    ),
    "lumberjack": (
        lambda: Lumberjack(BOUND, FRAME),
        b"2W" + struct.pack(">I", 16) + EVENTS + b"2C" + struct.pack(">I", len(PACKED)) + PACKED,
    ),
    "syslog": (lambda: Framer(BOUND), b"<13>line\n9 <13>hello<13>more\r\n" * 8),
    "capture": (
        PcapCutter,
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 117)
        + b"".join(struct.pack("<IIII", 1, 2, 30, 30) + bytes(30) for _ in range(8)),
    ),
}  # fmt: skip
PROXY = (
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + bytes(36),
)


def mutated(stream: bytes, chance: random.Random) -> bytes:
    data = bytearray(stream)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if at < len(data):
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randrange(1, 9)]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                data[at:at] = chance.choice((b"\xff\xff\xff\xff", b"999999999", b"\n", b"\0", b" "))
            case _:
                data[at:at] = data[:at]
    return bytes(data[:FRAME])


@pytest.mark.parametrize("kind", STREAMS)
def test_a_mutated_stream_gives_records_within_the_bound_or_ends(kind: str) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    make, stream = STREAMS[kind]
    refused, bound = 0, FRAME if kind == "capture" else BOUND + 1
    for _ in range(3_000):
        reader, data, at = make(), mutated(stream, chance), 0
        try:
            while at < len(data):
                size = chance.randrange(1, 80)
                records = reader.feed(data[at : at + size])
                assert all(0 < len(record) <= bound for record in records)
                at += size
            reader.end()
        except ParseError:
            refused += 1
        if isinstance(reader, Answers):
            assert isinstance(reader.replies() + reader.receipt(), bytes)
    assert refused < 3_000


def test_mutated_posts_are_read_or_refused() -> None:
    chance = random.Random(8)  # noqa: S311 - repeatable, no secret
    key = b"\x0a\x01a\x12\x03\x0a\x01b"
    record = b"\x09" + bytes(8) + b"\x2a\x03\x0a\x01x\x32" + bytes([len(key)]) + key
    body = b"\x12" + bytes([len(record)]) + record
    request = b"\x0a" + bytes([len(body) + 2]) + b"\x12" + bytes([len(body)]) + body
    assert records_of(request, PROTOBUF, envelope=False) == [b"x"]
    packed = zlib.compress(b"body")
    for _ in range(5_000):
        with contextlib.suppress(ParseError):
            records_of(mutated(request, chance), PROTOBUF, envelope=True)
        with contextlib.suppress(ParseError):
            assert len(unpack(mutated(packed, chance), "deflate", 100)) <= 100


def test_mutated_proxy_headers_are_read_to_their_end_or_refused() -> None:
    chance = random.Random(9)  # noqa: S311 - repeatable, no secret
    for _ in range(5_000):
        data = mutated(chance.choice(PROXY), chance)
        held = b""
        with contextlib.suppress(ParseError):
            while (found := read_header(held)) is None and len(held) < len(data):
                want = wanted(held)
                assert want > 0
                held += data[len(held) : len(held) + want]
            if found is not None:
                assert found[1] == len(held)
