"""Lumberjack as a dialogue: frames in, events and answers out. Bytes as the protocol's pages write them."""

import struct
import zlib

import pytest

from contract.errors import ParseError
from ingest.streams.lumberjack import Lumberjack


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def window(size: int) -> bytes:
    return b"2W" + number(size)


def event(sequence: int, body: bytes) -> bytes:
    return b"2J" + number(sequence) + number(len(body)) + body


def packed(frames: bytes) -> bytes:
    body = zlib.compress(frames)
    return b"2C" + number(len(body)) + body


def reader(bound: int = 1000, frame: int = 100_000) -> Lumberjack:
    return Lumberjack(bound, frame)


def test_a_window_byte_for_byte() -> None:
    stream = bytes.fromhex("3257 00000002  324a 00000001 00000007 7b2261223a317d  324a 00000002 00000002 7b7d")  # fmt: skip
    beats = reader()
    assert beats.feed(stream) == [b'{"a":1}', b"{}"]
    assert beats.receipt() == bytes.fromhex("3241 00000002")
    assert beats.receipt() == b""
    assert beats.alive == bytes.fromhex("3241 00000000")


def test_packed_and_plain_frames_give_the_same() -> None:
    frames = b"".join(event(sequence, b'{"n":%d}' % sequence) for sequence in range(1, 50))
    assert reader().feed(window(49) + packed(frames)) == reader().feed(window(49) + frames)


def test_windows_that_come_together_are_answered_one_by_one() -> None:
    beats = reader()
    first = window(2) + event(1, b"{}") + event(2, b"{}")
    assert len(beats.feed(first + window(1) + event(1, b"{}"))) == 3
    assert beats.receipt() == b"2A" + number(2) + b"2A" + number(1)


def test_an_empty_window_is_answered() -> None:
    beats = reader()
    assert beats.feed(window(0)) == []
    assert beats.receipt() == b"2A" + number(0)


def test_pairs_of_version_1_become_an_object() -> None:
    texts = (b"line", b"<1>a \xff", b"host", b"web")
    frame = b"1D" + number(7) + number(2) + b"".join(number(len(one)) + one for one in texts)
    beats = reader()
    assert beats.feed(b"1W" + number(1) + frame) == ['{"line":"<1>a \ufffd","host":"web"}'.encode()]
    assert beats.receipt() == b"1A" + number(7)


@pytest.mark.parametrize("size", [1, 2, 3, 11, 64])
def test_cuts_between_chunks_do_not_matter(size: int) -> None:
    frames = b"".join(event(sequence, b'{"n":%d}' % sequence) for sequence in range(1, 20))
    stream = window(38) + packed(frames) + frames
    beats = reader()
    parts = [beats.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert [one for part in parts for one in part] == reader().feed(stream)


def test_an_overlong_event_is_cut_and_counted() -> None:
    beats = reader(bound=64)
    assert [len(one) for one in beats.feed(window(2) + event(1, b"x" * 500) + event(2, b"{}"))] == [
        65,
        2,
    ]
    assert beats.cut == 1


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"2Z" + number(1),
        window(2_000_000_000),
        b"2J" + number(1) + number(4_000_000_000),
        b"2C" + number(4_000_000_000),
        b"2C" + number(4) + b"none",
        b"1D" + number(1) + number(4_000_000_000),
        b"1D" + number(1) + number(1) + number(4_000_000_000),
        packed(b"x" * 1_000_000),
        packed(packed(event(1, b"{}"))),
        packed(event(1, b"{}")[:-1]),
        b"2C" + number(12) + bytes(12),
    ],
)
def test_hostile_frames_end_the_connection(stream: bytes) -> None:
    with pytest.raises(ParseError):
        reader().feed(stream)


def test_a_large_frame_in_small_pieces_costs_no_square() -> None:
    stream = event(1, b"x" * 20_000_000)
    beats = reader(frame=1 << 25)
    found = [beats.feed(stream[at : at + 1000]) for at in range(0, len(stream), 1000)]
    assert len(found[-1]) == 1
