"""OTLP logs as protobuf: bytes written here by the encoding guide's rules, read as its JSON form is."""

import json
import struct
from typing import Any

import pytest

from contract.errors import ParseError
from ingest.streams.http_forms import cut_otlp
from ingest.streams.otlp import PROTOBUF, records_of


def field(number: int, value: bytes | str) -> bytes:
    body = value.encode() if isinstance(value, str) else value
    assert len(body) < 128 * 128
    size = (
        bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    )
    return bytes([number << 3 | 2]) + size + body


def fixed64(number: int, value: int) -> bytes:
    return bytes([number << 3 | 1]) + struct.pack("<Q", value)


def pair(key: str, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


def request(*records: bytes) -> bytes:
    resource = field(1, field(1, pair("host.name", field(1, "web"))))
    scope = field(2, field(1, field(1, "lib")) + b"".join(field(2, one) for one in records))
    return field(1, resource + scope)


RECORD = (
    fixed64(1, 1_781_521_200_000_000_001)
    + b"\x10\x09"  # severity 9
    + field(3, "INFO")
    + field(5, field(1, "<13>hello"))
    + field(6, pair("code", b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))  # -1
    + field(6, pair("ratio", b"\x21" + struct.pack("<d", 0.5)))
    + field(6, pair("on", b"\x10\x01"))
    + field(6, pair("list", field(5, field(1, field(1, "a")) + field(1, b"\x18\x02"))))
    + field(6, pair("map", field(6, field(1, pair("k", field(7, b"\0\xff"))))))
    + field(9, bytes(range(16)))
    + b"\xfd\x03" + struct.pack("<I", 7)  # a field of a later version, 63, passed over
)  # fmt: skip


def test_a_text_body_is_a_record_as_it_stands() -> None:
    assert records_of(request(RECORD, RECORD), PROTOBUF, envelope=False) == [b"<13>hello"] * 2


def test_with_its_envelope_a_record_is_an_object_of_all_that_was_said() -> None:
    found = json.loads(records_of(request(RECORD), PROTOBUF, envelope=True)[0])
    assert found == {
        "host.name": "web", "message": "<13>hello", "@timestamp": 1_781_521_200_000_000_001, "log.level": "INFO",
        "code": -1, "ratio": 0.5, "on": True, "list": ["a", 2], "map": {"k": "AP8="},
        "trace.id": "000102030405060708090a0b0c0d0e0f",
    }  # fmt: skip


def test_json_and_protobuf_say_the_same() -> None:
    record: dict[str, Any] = {
        "timeUnixNano": "1781521200000000001", "severityText": "INFO", "body": {"stringValue": "<13>hello"},
        "attributes": [{"key": "code", "value": {"intValue": "-1"}}],
    }  # fmt: skip
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "web"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    binary = request(
        fixed64(1, 1_781_521_200_000_000_001)
        + field(3, "INFO")
        + field(5, field(1, "<13>hello"))
        + field(6, pair("code", b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
    )
    for envelope in (False, True):
        text = json.dumps(body).encode()
        assert records_of(text, "application/json", envelope=envelope) == records_of(
            binary, PROTOBUF, envelope=envelope
        )


def nested(depth: int) -> bytes:
    value = field(1, "x")
    for _ in range(depth):
        value = field(5, field(1, value))
    return value


@pytest.mark.parametrize(
    "body",
    [
        b"rubbish",
        request(RECORD)[:-1],
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x08\x01",  # a number where a message belongs
        b"\x0b",  # a group, which no version has
        request(field(5, nested(100))),
        request(field(1, "1234567")),  # text where a time belongs
    ],
)
def test_what_is_no_request_is_refused_and_stays_for_a_dead_letter(body: bytes) -> None:
    with pytest.raises(ParseError):
        records_of(body, PROTOBUF, envelope=False)
    assert cut_otlp(body, "/v1/logs", PROTOBUF)[0] == [body]


@pytest.mark.parametrize("end", range(len(request(RECORD))))
def test_every_cut_is_refused(end: int) -> None:
    if end:
        with pytest.raises(ParseError):
            records_of(request(RECORD)[:end], PROTOBUF, envelope=True)
