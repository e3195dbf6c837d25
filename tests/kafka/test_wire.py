"""What is written on a topic is read back, and what was not is told apart with a reason."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ParseError
from contract.event import Event, Match, Observation
from contract.records import (
    Alert,
    Chain,
    Command,
    Correction,
    DeadLetter,
    Decision,
    Outcome,
    Rule,
    Target,
)
from runtime.kafka.wire import (
    KINDS,
    VERSION,
    Canary,
    Item,
    Mark,
    dead,
    decode,
    encode,
    stated_event,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
NOW_US = 1_772_366_400_250_000


def event() -> Event:
    fields = {"@timestamp": "2026-03-01T12:00:00.250000Z", "event.id": "e1", "user.name": "Åsa"}
    return Event.of(fields, id="e1", time_us=NOW_US, source="auth")


ITEMS: dict[str, Item] = {
    "event": event(),
    "match": Match('rule "7"', event()),
    "observation": Observation("e1", NOW_US, {"host.name": "a", "host.ip": ["10.0.0.1"]}),
    "mark": Mark("detect/3", NOW_US, NOW_US - 30_000_000, ended=True),
    "canary": Canary(NOW_US),
    "alert": Alert(
        id="a", revision=2, rule=Rule(id="r", name="R", level="high"), time=NOW, last=NOW,
        events=("e1",), event_count=1, fields={"source.ip": "10.0.0.1"},
    ),
    "chain": Chain(id="c", revision=1, score=1.5, first=NOW, last=NOW, alerts=("a",)),
    "decision": Decision(
        id="d", revision=1, chain="c", playbook="p", action="deny", made=NOW, expires=NOW,
        target=Target(type="ipv4_net", value="10.0.0.1/32"), points=("fw",), state="approved", reason="why",
    ),
    "outcome": Outcome(
        id="o", decision="d", revision=1, point="fw", result="applied", time=NOW
    ),
    "command": Command(id="k", verb="revert", decision="d", by="me", time=NOW),
    "correction": Correction(id="w", verb="merge", chain="c", other="d", by="me", time=NOW),
    "dead_letter": dead("detect", "t/0@1", b"\x00\xff", "why", now_us=NOW_US, kept_bytes=100),
}  # fmt: skip


def test_every_kind_has_its_example() -> None:
    assert set(ITEMS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_record_comes_back_as_it_was(kind: str) -> None:
    value, headers = encode(ITEMS[kind])
    assert decode(value, headers) == ITEMS[kind]
    assert dict(headers)["kind"] == f"{kind}/{VERSION}".encode()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"dead_letter"}))
def test_time_header_is_the_event_time(kind: str) -> None:
    assert dict(encode(ITEMS[kind])[1])["time"] == b"%d" % NOW_US


def test_event_travels_as_the_document_that_others_can_read() -> None:
    assert encode(event())[0] == event().json


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff\xfe", b"[" * 100_000, b"7", b'{"a":1}'])
def test_garbage_of_a_known_kind_is_refused_with_its_kind(kind: str, value: bytes | None) -> None:
    _, headers = encode(ITEMS[kind])
    with pytest.raises(ParseError, match=kind):
        decode(value, headers)


def test_other_version_is_named() -> None:
    value, headers = encode(event())
    headers[0] = ("kind", b"event/2")
    with pytest.raises(ParseError, match="event of version 2; this release reads version 1"):
        decode(value, headers)


@pytest.mark.parametrize("headers", [[], [("kind", b"\xff")], [("kind", b"event")], [("x", b"y")]])
def test_record_of_nobody_known_is_refused(headers: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ParseError, match=r"kind|version"):
        decode(b"{}", headers)


def test_event_without_its_source_is_refused() -> None:
    value, headers = encode(event())
    with pytest.raises(ParseError, match="without the header 'source'"):
        decode(value, headers[:2])


def test_a_header_without_a_value_is_none() -> None:
    value, headers = encode(event())
    for name, _ in list(headers):
        without: list[Any] = [one if one[0] != name else (name, None) for one in headers]
        if name == "time":
            assert decode(value, without) == event()
        else:
            with pytest.raises(ParseError, match=r"without the header 'source'|no header `kind`"):
                decode(value, without)


def test_headers_state_an_event_where_they_are_as_written() -> None:
    _, headers = encode(event())
    assert stated_event(headers) == (NOW_US, "auth")
    assert stated_event([*headers, ("at", b"7 1 000001")]) == (NOW_US, "auth")
    kind, time, source = headers
    odd: list[Any]
    for odd in (
        [],
        [kind, time],
        [kind, source, time],
        [("kind", b"match/1"), time, source],
        [kind, ("time", b"soon"), source],
        [kind, ("time", None), source],
        [kind, time, ("source", None)],
        [kind, time, ("source", b"\xff")],
        [kind, ("time", b"9" * 5000), source],
        [kind, ("time", b"-" + b"9" * 25), source],
    ):
        assert stated_event(odd) is None


@given(st.binary(max_size=200), st.sampled_from(KINDS), st.binary(max_size=20))
def test_no_bytes_raise_anything_else(value: bytes, kind: str, source: bytes) -> None:
    headers = [("kind", f"{kind}/{VERSION}".encode()), ("source", source)]
    with contextlib.suppress(ParseError):
        assert decode(value, headers) is not None


def test_dead_letter_keeps_the_bytes_up_to_its_bound() -> None:
    letter = dead("detect", "t/0@1", b"x" * 50, "why", now_us=NOW_US, kept_bytes=10)
    assert isinstance(letter, DeadLetter)
    assert (letter.raw, letter.size_bytes, letter.truncated) == (b"x" * 10, 50, True)
    again = dead("detect", "t/0@1", b"x" * 50, "why", now_us=NOW_US + 5, kept_bytes=10)
    assert again.id == letter.id
