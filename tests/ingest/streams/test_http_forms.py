"""Bodies of all forms are cut into records, and their senders get the answer that they expect."""

import json
from typing import Any

import pytest

from ingest.streams.http_forms import cut_bulk, cut_hec, cut_otlp

PATH = "/services/collector/event"


def test_hec_envelopes_follow_each_other_with_or_without_newlines() -> None:
    body = (
        b'{"time":1,"event":"<13>line one"}{"event":{"a":1},"fields":{"b":2}}\n {"event":"three"}'
    )
    records, answer = cut_hec(body, PATH, "")
    assert records == [b"<13>line one", b'{"a":1}', b"three"]
    assert answer == {"text": "Success", "code": 0}


@pytest.mark.parametrize("body", [b'{"event":"a"}{"event":', b'{"event":"a"} rubbish'])
def test_what_hec_cannot_cut_stays_for_a_dead_letter(body: bytes) -> None:
    records, _ = cut_hec(body, PATH, "")
    assert records[0] == b"a"
    assert len(records) == 2


def test_hec_raw_takes_lines() -> None:
    assert cut_hec(b"one\n\ntwo\r\n", "/services/collector/raw", "")[0] == [b"one", b"two"]


def test_bulk_takes_index_and_create_and_refuses_the_rest_one_by_one() -> None:
    body = b"\n".join(
        [b'{"create":{"_index":"logs"}}', b'{"a":1}', b'{"delete":{"_index":"logs","_id":"1"}}', b'{"index":{}}', b'{"a":2}',
         b'{"update":{"_id":"1"}}', b'{"doc":{}}', b"rubbish", b'{"index":{}}']
    )  # fmt: skip
    records, answer = cut_bulk(body, "/_bulk", "")
    assert records == [b'{"a":1}', b'{"a":2}']
    assert [next(iter(item.values()))["status"] for item in answer["items"]] == [
        201,
        400,
        201,
        400,
        400,
        400,
    ]
    assert answer["errors"]
    assert not cut_bulk(body[: body.index(b'{"delete')], "/_bulk", "")[1]["errors"]


def otlp(*records: dict[str, Any]) -> bytes:
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "web"}}]}
    return json.dumps(
        {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    ).encode()


def test_otlp_text_bodies_are_records_and_others_become_objects() -> None:
    records, answer = cut_otlp(
        otlp(
            {"body": {"stringValue": "<13>line"}},
            {"timeUnixNano": "1781521200000000000", "body": {"kvlistValue": {"values": [{"key": "n", "value": {"intValue": "5"}}]}},
             "attributes": [{"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}]}}}]},
        ), "/v1/logs", "application/json",
    )  # fmt: skip
    assert records[0] == b"<13>line"
    assert json.loads(records[1]) == {
        "host.name": "web",
        "list": [True],
        "n": 5,
        "@timestamp": 1781521200000000000,
    }
    assert answer == {"partialSuccess": {}}


@pytest.mark.parametrize(
    "body",
    [b"\x0a\x00protobuf", b"[]", b'{"resourceLogs":5}', b'{"resourceLogs":[{"scopeLogs":[5]}]}'],
)
def test_what_is_no_otlp_stays_for_a_dead_letter(body: bytes) -> None:
    assert cut_otlp(body, "/v1/logs", "")[0] == [body]


def test_hec_with_its_envelope_keeps_host_time_and_fields() -> None:
    body = b'{"time":"1781521200.5","host":"web","source":"/var/log/a","sourcetype":"syslog","event":"<13>a","fields":{"x":1}}{"host":"b","event":{"host.name":"c"}}'
    first, second = cut_hec(body, PATH, "", envelope=True)[0]
    assert json.loads(first) == {
        "labels.x": 1, "host.name": "web", "labels.sourcetype": "syslog", "log.file.path": "/var/log/a",
        "@timestamp": 1781521200.5, "message": "<13>a",
    }  # fmt: skip
    assert json.loads(second) == {"host.name": "c"}
