"""The lasting records and the event on the wire."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contract.errors import ParseError
from contract.event import Event
from contract.records import DeadLetter, Link


def test_a_dead_letter_keeps_any_bytes_through_json() -> None:
    letter = DeadLetter(
        id="x", time="2026-01-01T00:00:00Z", stage="ingest", source="s", adapter="a", reason="r", raw=b"\xff\x00\n", size_bytes=3
    )  # fmt: skip
    assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter


def test_a_link_says_from_on_the_wire() -> None:
    link = Link.model_validate(
        {"from": "a", "to": "b", "edge": "flow", "weight": 0.9, "evidence": "e"}
    )
    assert link.from_ == "a"
    assert '"from":"a"' in link.model_dump_json()


def test_records_are_frozen_and_refuse_unknown_fields() -> None:
    with pytest.raises(ValidationError):
        Link.model_validate({"from": "a", "to": "b", "edge": "x", "weight": 2, "evidence": "e"})
    with pytest.raises(ValidationError):
        Link.model_validate(
            {"from": "a", "to": "b", "edge": "x", "weight": 1, "evidence": "e", "more": 1}
        )


def test_an_event_survives_the_wire_with_its_big_integers() -> None:
    fields = {"event.id": "i", "@timestamp": "2026-01-01T00:00:00.000001Z", "x": 2**70}
    event = Event.of(fields, id="i", time_us=1_767_225_600_000_001, source="s")
    assert Event.decode(event.json, "s") == event


@pytest.mark.parametrize(
    ("json", "says"),
    [
        (b"[", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "'event.id' is absent"),
        (b'{"event.id":"x","@timestamp":"then"}', "@timestamp"),
        (b'{"event.id":"x","@timestamp":5}', "@timestamp"),
        (b'{"a":' * 5000, "not a JSON object"),
    ],
)
def test_what_is_no_event_says_why(json: bytes, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        Event.decode(json, "s")
