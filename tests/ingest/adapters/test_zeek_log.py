"""Zeek: what streams, rotation and writers do to one record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from ingest.adapters.zeek_log import ADAPTER
from ingest.tables.zeek import COLUMNS, LOGS

SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev"
HEADER = ("#separator \\x09", "#set_separator\t,", "#path\t{}", "#fields\tts\tuid\tx", "#types\ttime\tstring\t{}")  # fmt: skip


def context() -> Context:
    return Context(received_us=1_780_000_000_000_000)


def feed(where: Context, *lines: str) -> list[Fields]:
    return [event for line in lines for event in ADAPTER.parse(line.encode(), where)]


def header(path: str, kind: str) -> list[str]:
    return [line.format(path if "path" in line else kind) for line in HEADER]


def test_a_header_that_came_line_by_line_serves_later_lines() -> None:
    where = context()
    assert feed(where, *header("thing", "count")) == []
    (event,) = feed(where, "1777888800.123456\tC1\t42")
    assert event["@timestamp"] == "2026-05-04T10:00:00.123456Z"
    assert event["zeek.thing.x"] == 42
    assert event["zeek.session_id"] == "C1"


def test_what_is_remembered_survives_as_json() -> None:
    where = context()
    feed(where, *header("thing", "set[count]"))
    later = Context(received_us=where.received_us, state=json.loads(json.dumps(where.state)))
    (event,) = feed(later, "1.0\tC1\t1,2,3")
    assert event["zeek.thing.x"] == [1, 2, 3]


def test_a_rotated_file_brings_its_own_header() -> None:
    where = context()
    feed(where, *header("one", "count"), "1.0\tC\t1", "#close\t2026")
    (event,) = feed(where, *header("two", "bool"), "1.0\tC\tT")
    assert event["event.dataset"] == "zeek.two"
    assert event["zeek.two.x"] is True


@pytest.mark.parametrize("line", ["1.0\tC", "1.0\tC\t1\t2", "only text"])
def test_a_line_of_another_width_is_refused(line: str) -> None:
    where = context()
    feed(where, *header("one", "count"))
    with pytest.raises(ParseError, match="values where #fields names 3"):
        feed(where, line)


def test_a_bad_line_within_a_whole_file_does_not_lose_the_others() -> None:
    text = "\n".join([*header("one", "count"), "1.0\tC\t1", "broken", "2.0\tD\t2"])
    found = ADAPTER.parse(text.encode(), context())
    assert [event["event.kind"] for event in found] == ["event", "pipeline_error", "event"]
    assert found[1]["event.original"] == "broken"


def test_icmp_type_and_code_are_no_ports_but_make_the_community_id() -> None:
    record = {"_path": "conn", "ts": 1.5, "id.orig_h": "192.168.0.89", "id.orig_p": 8,
              "id.resp_h": "192.168.0.1", "id.resp_p": 0, "proto": "icmp", "conn_state": "OTH"}  # fmt: skip
    (event,) = feed(context(), json.dumps(record))
    assert "source.port" not in event
    assert event["network.community_id"] == "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
    assert event["network.iana_number"] == "1"


@pytest.mark.parametrize(
    ("state", "types", "outcome"),
    [
        ("SF", ["connection", "start", "end"], "success"),
        ("S0", ["connection", "start"], "failure"),
        ("REJ", ["connection", "start", "end"], "failure"),
        ("OTH", ["connection", "info"], None),
    ],
)
def test_the_state_of_a_connection_gives_types_and_outcome(
    state: str, types: list[str], outcome: str | None
) -> None:
    (event,) = feed(context(), json.dumps({"_path": "conn", "ts": 1.5, "conn_state": state}))
    assert event["event.type"] == types
    assert event.get("event.outcome") == outcome


def test_the_three_spellings_of_a_nested_column_are_one() -> None:
    spellings = ({"id.orig_h": "192.0.2.1"}, {"id_orig_h": "192.0.2.1"}, {"id": {"orig_h": "192.0.2.1"}})  # fmt: skip
    found = [feed(context(), json.dumps({"_path": "conn", "ts": 1.5, **s}))[0] for s in spellings]
    assert found[0] == found[1] == found[2]
    assert found[0]["source.ip"] == "192.0.2.1"


def test_every_column_table_is_of_a_known_log() -> None:
    assert set(COLUMNS) <= set(LOGS)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["zed_sample_data/zeek-json", "zed_sample_data/zeek-default", "zeek_btest/tsv"])  # fmt: skip
def test_public_logs_of_all_kinds_are_read_whole(name: str) -> None:
    path = SHARED / name / "cases.jsonl"
    if not path.exists():
        pytest.skip("the shared data are absent")
    text = path.read_text(encoding="utf-8", errors="surrogatepass")
    cases = [json.loads(line)["input"] for line in text.splitlines()]
    for case in cases:
        events = ADAPTER.parse(case.encode("utf-8", "surrogateescape"), context())
        rows = [line for line in case.split("\n") if line.strip() and not line.startswith("#")]
        assert len(events) == len(rows)
        assert all(event["event.kind"] != "pipeline_error" for event in events)
