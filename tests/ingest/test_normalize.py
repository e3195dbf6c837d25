"""Raw records to events: completion, types, time bounds, dead letters."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract.errors import ParseError
from contract.event import ECS_VERSION, Event, Fields
from contract.ids import event_id
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from contract.timestamps import from_iso
from ingest.adapters import generic_ecs
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings

RECEIVED = from_iso("2026-06-15T12:00:00Z")
TIME = "2026-06-15T11:00:00.000000Z"


def saying(*fields: Fields, flush: Callable[[Context], list[Fields]] | None = None) -> Adapter:
    return Adapter("test.adapter", lambda raw, context: [dict(one) for one in fields], flush)


def raising(error: Exception) -> Adapter:
    def parse(raw: bytes, context: Context) -> list[Fields]:
        raise error

    return Adapter("test.adapter", parse)


def take(adapter: Adapter, raw: bytes = b"raw", **settings: Any) -> list[Event | DeadLetter]:
    normalizer = Normalizer(adapter, "gw", settings=NormalizeSettings(**settings))
    return normalizer.take(raw, Context(received_us=RECEIVED))


def event(adapter: Adapter, **settings: Any) -> Event:
    (result,) = take(adapter, **settings)
    assert isinstance(result, Event), result
    return result


def reason(adapter: Adapter, raw: bytes = b"raw", **settings: Any) -> str:
    (result,) = take(adapter, raw, **settings)
    assert isinstance(result, DeadLetter), result
    return result.reason


def test_an_event_is_completed() -> None:
    found = event(saying({"@timestamp": "2026-06-15T13:00:00+02:00", "a": 1}))
    assert found.fields == {
        "@timestamp": TIME,
        "a": 1,
        "event.id": event_id("test.adapter", b"raw"),
        "ecs.version": ECS_VERSION,
    }
    assert found.time_us == from_iso(TIME)
    assert (found.id, found.source) == (found.fields["event.id"], "gw")
    assert Event.decode(found.json, "gw").fields == found.fields


def test_the_id_of_the_input_is_kept_and_parts_differ() -> None:
    assert event(saying({"event.id": "mine"})).id == "mine"
    assert event(saying({"event.id": 7})).id == event_id("test.adapter", b"raw")
    first, second = take(saying({"a": 1}, {"a": 1}))
    assert first.id != second.id


def test_a_missing_time_is_the_arrival() -> None:
    found = event(saying({"a": 1}))
    assert found.time_us == RECEIVED
    assert (
        found.fields["@timestamp"] == found.fields["event.created"] == "2026-06-15T12:00:00.000000Z"
    )


def test_empty_values_are_dropped_but_zero_and_false_stay() -> None:
    fields = event(
        saying({"a": "", "b": None, "c": [], "d": {}, "e": 0, "f": False, "g": 0.0})
    ).fields
    assert set(fields) & set("abcdefg") == {"e", "f", "g"}


def test_values_of_the_wrong_type_move_to_labels_and_are_counted() -> None:
    meter = MemoryMeter()
    adapter = saying(
        {"source.ip": "gw", "source.port": "443", "destination.ip": "2001:DB8::1", "source.bytes": "many",
         "related.ip": ["192.0.2.1", "gw"], "destination.port": 70_000}
    )  # fmt: skip
    normalizer = Normalizer(adapter, "gw", meter=meter)
    (found,) = normalizer.take(b"raw", Context(received_us=RECEIVED))
    assert isinstance(found, Event)
    kept = {
        name: value
        for name, value in found.fields.items()
        if name.split(".")[0] not in {"event", "ecs", "@timestamp"}
    }
    assert kept == {
        "source.port": 443,
        "destination.ip": "2001:db8::1",
        "related.ip": ["192.0.2.1"],
        "labels.destination_port": "70000",
        "labels.related_ip": "gw",
        "labels.source_bytes": "many",
        "labels.source_ip": "gw",
    }
    assert meter.total("field_misfits") == 4


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("1970-01-01T00:00:00Z", "a clock not set"),
        ("1970-12-31T23:59:59Z", "a clock not set"),
        ("2100-01-01T00:00:00Z", "max_future"),
        ("2026-06-16T12:00:01Z", "max_future"),
        ("noon", "@timestamp"),
        (5, "@timestamp"),
    ],
)
def test_an_impossible_time_is_a_dead_letter(time: object, words: str) -> None:
    assert words in reason(saying({"@timestamp": time}))


def test_old_logs_are_read_unless_a_setting_bounds_their_age() -> None:
    old = saying({"@timestamp": "1999-01-01T00:00:00Z"})
    assert event(old).fields["@timestamp"] == "1999-01-01T00:00:00.000000Z"
    assert "max_age" in reason(old, max_age=timedelta(days=1))


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyError("x"), TypeError("x"), IndexError("x"), RecursionError("x"), AttributeError("x"), OverflowError("x"), ZeroDivisionError("x")],
)  # fmt: skip
def test_faults_of_an_adapter_are_dead_letters_that_name_them(error: Exception) -> None:
    assert reason(raising(error)).startswith(type(error).__name__)


def test_a_fault_within_an_adapter_names_the_line_of_its_file() -> None:
    def parse(raw: bytes, context: Context) -> list[Fields]:
        return generic_ecs.parse(None, context)  # type: ignore[arg-type]

    assert re.search(
        r"^\w+Error: .+ \(generic_ecs\.py:\d+\)$", reason(Adapter("test.adapter", parse))
    )


def test_a_refused_record_is_kept_whole_up_to_the_bound() -> None:
    (found,) = take(raising(ParseError("why")), b"x" * 100, dead_letter_bytes=10)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.raw, found.size_bytes, found.truncated) == (
        "why",
        b"x" * 10,
        100,
        True,
    )
    assert (found.stage, found.source, found.adapter) == ("ingest", "gw", "test.adapter")
    assert take(raising(ParseError("why")), b"x" * 100)[0].id == found.id


def test_bounds_of_size_number_and_name_hold() -> None:
    assert "bound is 64" in reason(saying({"a": 1}), b"x" * 65, max_record_bytes=64)
    many = saying({str(number): 1 for number in range(17)})
    assert "the bound is 16" in reason(many, max_fields=16)
    assert "name of 20 characters" in reason(saying({"n" * 20: 1}), max_name_length=16)


def test_the_bound_of_names_holds_for_adapters_that_check_types_themselves() -> None:
    typed = replace(saying({"@timestamp": TIME, "n" * 600: 1}), typed=True)
    assert "name of 600 characters" in reason(typed, b"x" * 700)
    assert isinstance(take(typed, b"short")[0], Event)  # no such record can hold the name
    remembering = replace(typed, flush=lambda context: [])
    assert "name of 600 characters" in reason(remembering, b"short")


def test_one_bad_part_does_not_take_the_others_along() -> None:
    good, bad, again = take(saying({"a": 1}, {"@timestamp": "x"}, {"a": 2}))
    assert isinstance(good, Event)
    assert isinstance(bad, DeadLetter)
    assert isinstance(again, Event)


def test_what_json_cannot_hold_is_a_dead_letter() -> None:
    assert "cannot be encoded" in reason(saying({"a": "\ud800"}))


def test_original_and_arrival_are_kept_by_setting() -> None:
    fields = event(saying({"a": 1}), keep_original=True, stamp_ingested=True).fields
    assert fields["event.original"] == "raw"
    assert fields["event.ingested"] == "2026-06-15T12:00:00.000000Z"
    assert fields["event.created"] == "2026-06-15T12:00:00.000000Z"
    said = event(saying({"event.created": "2026-06-15T10:00:00.000000Z"}), stamp_ingested=True)
    assert said.fields["event.created"] == "2026-06-15T10:00:00.000000Z"


def test_enrichers_see_the_fields_before_they_are_checked() -> None:
    def enrich(fields: Fields) -> None:
        fields["source.port"] = "22"

    normalizer = Normalizer(saying({"a": 1}), "gw", enrichers=(enrich,))
    (found,) = normalizer.take(b"raw", Context(received_us=RECEIVED))
    assert isinstance(found, Event)
    assert found.fields["source.port"] == 22


def test_what_an_adapter_holds_comes_at_the_end_of_the_stream() -> None:
    normalizer = Normalizer(saying(flush=lambda context: [{"a": 1}]), "gw")
    context = Context(received_us=RECEIVED)
    assert normalizer.take(b"raw", context) == []
    (found,) = normalizer.flush(context)
    assert isinstance(found, Event)
    assert Normalizer(saying(), "gw").flush(context) == []


def test_ever_new_names_do_not_grow_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.conform.MAX_PLANS", 50)
    monkeypatch.setattr("ingest.formats.json.MAX_REMEMBERED", 0)
    normalizer = Normalizer(load_named("ingest.adapters", "generic.ecs", "ADAPTER", Adapter), "gw")
    for number in range(500):
        raw = b'{"@timestamp":"%s","name%d":{"inner%d":1}}' % (TIME.encode(), number, number)
        (found,) = normalizer.take(raw, Context(received_us=RECEIVED))
        assert isinstance(found, Event)
        assert found.fields[f"name{number}.inner{number}"] == 1
    assert len(normalizer._conform._plans) <= 50
