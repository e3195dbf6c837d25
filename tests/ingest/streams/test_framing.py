"""Records out of byte streams, however the bytes are cut."""

import json
import random
from pathlib import Path

import pytest

from ingest.streams.framing import Framer

FRAMING = Path(__file__).parents[4] / "shared/data/ingest/dev/framing"


def frames(*chunks: bytes, bound: int = 1000, counted: bool = True) -> list[bytes]:
    framer = Framer(bound, counted=counted)
    records = [record for chunk in chunks for record in framer.feed(chunk)]
    return records + framer.end()


def test_lines_end_at_newlines_and_lose_their_trailers() -> None:
    assert frames(b"<1>a\n<2>b\r\n\n<3>c\0\n<4>d") == [b"<1>a", b"<2>b", b"<3>c", b"<4>d"]


def test_counted_frames_may_hold_newlines() -> None:
    assert frames(b"5 <1>a\n6 <2>b\nc5 <3>d\n") == [b"<1>a", b"<2>b\nc", b"<3>d"]


def test_both_framings_mix_on_one_connection() -> None:
    assert frames(b"<1>a\n4 <2>b<3>c\n4 <4>d\n<5>e\n") == [
        b"<1>a",
        b"<2>b",
        b"<3>c",
        b"<4>d",
        b"<5>e",
    ]


def test_framings_that_change_thousands_of_times_in_one_chunk_are_read() -> None:
    expected = [b"<%d>%d" % (number % 9, number) for number in range(5_000)]
    stream = b"".join(
        b"%d %b" % (len(one), one) if number % 2 else one + b"\n"
        for number, one in enumerate(expected)
    )
    assert frames(stream) == expected


def test_a_line_of_digits_alone_is_a_line() -> None:
    assert frames(b"12\n") == frames(b"1", b"2\n") == [b"12"]


def test_a_line_that_begins_with_a_digit_is_no_count() -> None:
    assert frames(b"2026-06-15 x\n10.0.0.1 y\n") == [b"2026-06-15 x", b"10.0.0.1 y"]


def test_without_counting_a_count_is_text() -> None:
    assert frames(b"5 abc\n12 x\n", counted=False) == [b"5 abc", b"12 x"]


@pytest.mark.parametrize("seed", range(20))
def test_cuts_between_chunks_do_not_matter(seed: int) -> None:
    stream = b"<1>a\n11 <2>b\nc <3>d<4>long line here\n4 <5>e\n<6>f\r\n1234567890123 x\n" * 3
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    chunks, at = [], 0
    while at < len(stream):
        size = chance.choice((1, 1, 2, 3, 7, 30))
        chunks.append(stream[at : at + size])
        at += size
    assert frames(*chunks) == frames(stream)


@pytest.mark.parametrize("chunk", [1, 7, 100, 10_000])
def test_an_overlong_line_is_cut_and_what_follows_survives(chunk: int) -> None:
    stream = b"<1>a\n" + b"x" * 3000 + b"\n<2>b\n"
    framer = Framer(100)
    records = []
    for at in range(0, len(stream), chunk):
        records += framer.feed(stream[at : at + chunk])
        assert len(framer._held) + sum(map(len, framer._chunks)) <= 100 + chunk
    assert records == [b"<1>a", b"x" * 101, b"<2>b"]
    assert framer.cut == 1


@pytest.mark.parametrize("chunk", [1, 7, 100, 10_000])
def test_an_overlong_counted_frame_is_cut_and_what_follows_survives(chunk: int) -> None:
    stream = b"4 <1>a" + b"3000 " + b"x" * 3000 + b"4 <2>b\n<3>c\n"
    framer = Framer(100)
    records = []
    for at in range(0, len(stream), chunk):
        records += framer.feed(stream[at : at + chunk])
        assert len(framer._held) + sum(map(len, framer._chunks)) <= 112 + chunk
    assert records == [b"<1>a", b"x" * 101, b"<2>b", b"<3>c"]
    assert framer.cut == 1


@pytest.mark.shared
def test_the_shared_octet_counting_cases_give_their_frames() -> None:
    path = FRAMING / "rfc6587_octetcounting/cases.jsonl"
    if not path.exists():
        pytest.skip("the shared framing set is absent")
    for line in path.read_text().splitlines():
        case = json.loads(line)
        good = [one for one in case["expected"]["strict_results"] if one["error"] is None]
        found = frames(bytes.fromhex(case["input_hex"]), bound=10_000)
        assert len(found) >= len(good), case["id"]
        assert all(record.startswith(b"<") for record in found[: len(good)]), case["id"]


@pytest.mark.parametrize(
    "stream",
    [b"x" * 1_000_000 + b"\n", b"1000000 " + b"x" * 1_000_000, b"2026-" + b"x" * 1_000_000 + b"\n"],
)
def test_a_long_record_in_single_bytes_costs_no_square(stream: bytes) -> None:
    framer = Framer(2_000_000)
    joined = 0
    for byte in stream:
        framer.feed(bytes([byte]))
        joined += not framer._chunks
    assert joined < 100
    assert framer.end() == []


def test_end_gives_what_was_kept_in_chunks() -> None:
    assert frames(*(bytes([byte]) for byte in b"half a line")) == [b"half a line"]


@pytest.mark.shared
def test_the_shared_syslog_streams_come_out_line_by_line() -> None:
    path = FRAMING / "rsyslog_testdata/cases.jsonl"
    if not path.exists():
        pytest.skip("the shared framing set is absent")
    for line in path.read_text().splitlines():
        stream = json.loads(line)["input"].encode()
        expected = [one.rstrip(b"\r\0") for one in stream.split(b"\n") if one.strip(b"\r\0")]
        assert frames(stream, bound=100_000, counted=False) == expected
        chunks = [stream[at : at + 13] for at in range(0, len(stream), 13)]
        assert frames(*chunks, bound=100_000, counted=False) == expected
