"""How posts carry records: plain JSON and NDJSON, Splunk's HEC, Elasticsearch's `_bulk`, OTLP logs.

Sources: Splunk "Format events for HTTP Event Collector" (9.x); Elasticsearch 9 "Bulk API", of it what Beats and Elastic
Agent's output use; OTLP in `ingest.streams.otlp`. A form cuts a body into records and says what
its senders expect as an answer. What it cannot cut stays whole, for a dead letter, unless its protocol can refuse a part.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from contract.errors import ParseError
from ingest.streams.otlp import records_of

Cut: TypeAlias = tuple[list[bytes], dict[str, Any]]
"""Records, and the answer once they were taken."""

_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_LINES: Final = frozenset(
    ("application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain")
)


class Acks(msgspec.Struct):
    """What a sender of HEC asks: the numbers that its posts were answered with."""

    acks: list[int]


class Cutter(Protocol):
    """Cuts a body."""

    def __call__(self, body: bytes, path: str, content_type: str, *, envelope: bool = False) -> Cut:
        """Return records and answer."""


@dataclass(slots=True, frozen=True)
class Form:
    """One way of posting.

    Attributes:
        posts: paths that take posts, after the source's own `path`; `{index}` stands for any part.
        cut: body, path and content type to records and answer; with `envelope`, what stands around a text is kept.
        gets: what is answered to questions that senders ask first.
        open_gets: those of them that need no token (load balancers ask them).
        puts: what is answered to what they set up first, and which has no meaning here.
        acks: path at which senders ask whether their posts are durable; empty: there is none.
        refusals: what the form's senders expect in a refusal, by status.
        headers: of every answer.
    """

    posts: tuple[str, ...]
    cut: Cutter
    gets: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    puts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    open_gets: frozenset[str] = frozenset()
    acks: str = ""
    refusals: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def cut_json(body: bytes, path: str, content_type: str, *, envelope: bool = False) -> Cut:
    """JSON object, array of objects, or lines; elements keep their bytes."""
    records = _of_json(body, content_type)
    return records, {"taken": len(records)}


def _of_json(body: bytes, content_type: str) -> list[bytes]:
    text = body.strip()
    if content_type not in _LINES:
        if text[:1] == b"[":
            try:
                return [bytes(element) for element in _split_array(text)]
            except (msgspec.DecodeError, RecursionError):
                return [text]
        if text[:1] != b"{" or b"\n" not in text or _is_one(text):
            return [text] if text else []
    return _of_lines(text)


def _of_lines(text: bytes) -> list[bytes]:
    return [line for line in (one.strip() for one in text.split(b"\n")) if line]


def _is_one(text: bytes) -> bool:
    """Whether the text is one JSON value, over several lines perhaps."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def cut_hec(body: bytes, path: str, content_type: str, *, envelope: bool = False) -> Cut:
    """Splunk's envelopes, one after another with or without newlines; `/raw` takes lines."""
    answer = {"text": "Success", "code": 0}
    if path.endswith(("/raw", "/raw/1.0")):
        return _of_lines(body), answer
    text = body.decode("utf-8", "replace").strip()
    records: list[bytes] = []
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            wrapped, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            records.append(text[at:].encode())
            break
        while at < len(text) and text[at].isspace():
            at += 1
        event = wrapped.get("event") if isinstance(wrapped, dict) else None
        if event is not None and envelope:
            records.append(_encode(_of_hec(wrapped, event)))
        elif isinstance(event, str):
            records.append(event.encode("utf-8", "replace"))
        else:
            records.append(_encode(wrapped if event is None else event))
    return [record for record in records if record], answer


def _of_hec(wrapped: dict[str, Any], event: Any) -> dict[str, Any]:
    """Return an event with what its envelope says of it, under ECS names; the event's own word goes first."""
    fields = wrapped.get("fields")
    said: dict[str, Any] = {f"labels.{name}": value for name, value in fields.items()} if isinstance(fields, dict) else {}  # fmt: skip
    for name, member in (
        ("host.name", "host"),
        ("labels.sourcetype", "sourcetype"),
        ("labels.index", "index"),
    ):
        if wrapped.get(member):
            said[name] = wrapped[member]
    source = wrapped.get("source")
    if source:
        said["log.file.path" if str(source).startswith("/") else "labels.source"] = source
    with contextlib.suppress(KeyError, TypeError, ValueError):
        said["@timestamp"] = float(wrapped["time"])
    return said | (event if isinstance(event, dict) else {"message": event})


def cut_bulk(body: bytes, path: str, content_type: str, *, envelope: bool = False) -> Cut:
    """Pairs of action and document; `index` and `create` are taken, other actions refused one by one."""
    records: list[bytes] = []
    items: list[dict[str, Any]] = []
    lines = iter(_of_lines(body))
    for line in lines:
        action, target = _action(line)
        if action in {"index", "create"}:
            document = next(lines, b"")
            if document:
                records.append(document)
            items.append({action: {**target, "status": 201 if document else 400}})
            continue
        if action == "update":
            next(lines, b"")
        error = {"type": "illegal_argument_exception", "reason": "expected index or create"}
        items.append({action or "index": {**target, "status": 400, "error": error}})
    refused = any(one["status"] != 201 for item in items for one in item.values())  # noqa: PLR2004 - created
    return records, {"took": 0, "errors": refused, "items": items}


def _action(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", {}
    if not isinstance(found, dict) or len(found) != 1:
        return "", {}
    ((action, target),) = found.items()
    index = target.get("_index", "") if isinstance(target, dict) else ""
    return action, {"_index": index} if isinstance(index, str) else {}


def cut_otlp(body: bytes, path: str, content_type: str, *, envelope: bool = False) -> Cut:
    """Log records; text bodies are records as they are, others become objects with their attributes."""
    try:
        return records_of(body, content_type, envelope=envelope), {"partialSuccess": {}}
    except ParseError:
        return [body] if body else [], {"partialSuccess": {}}


_CLUSTER: Final = {
    "name": "opsonin", "cluster_name": "opsonin", "cluster_uuid": "opsonin",
    "version": {"number": "9.0.0", "build_flavor": "default", "lucene_version": "10.1.0"},
    "tagline": "You Know, for Search",
}  # fmt: skip

_SET_UP: Final = (
    "/_index_template/{name}", "/_component_template/{name}", "/_template/{name}", "/_ilm/policy/{name}",
    "/_data_stream/{name}", "/_ingest/pipeline/{name}",
)  # fmt: skip
"""What Beats, Logstash and Elastic Agent look for and load before they post. It is there, they hear: nothing is to be loaded."""

_HEC_HEALTH: Final = ("/services/collector/health", "/services/collector/health/1.0")
FORMS: Final[dict[str, Form]] = {
    "json": Form(("",), cut_json),
    "hec": Form(
        (
            "/services/collector", "/services/collector/event", "/services/collector/event/1.0",
            "/services/collector/raw", "/services/collector/raw/1.0",
        ),
        cut_hec,
        {path: {"text": "HEC is healthy", "code": 17} for path in _HEC_HEALTH},
        open_gets=frozenset(_HEC_HEALTH),
        acks="/services/collector/ack",
        refusals={
            400: {"text": "Invalid data format", "code": 6},
            401: {"text": "Token is required", "code": 2},
            403: {"text": "Token disabled", "code": 1},
            429: {"text": "Server is busy", "code": 9},
        },
    ),
    "elastic_bulk": Form(
        ("/_bulk", "/{index}/_bulk"),
        cut_bulk,
        {
            "/": _CLUSTER,
            "/_license": {"license": {"status": "active", "type": "basic", "uid": "opsonin"}},
            "/_xpack": {"license": {"status": "active", "type": "basic", "uid": "opsonin"}, "features": {}},
            "/_cluster/health": {"cluster_name": "opsonin", "status": "green", "timed_out": False},
            **{path: {} for path in _SET_UP},
        },
        {path: {"acknowledged": True} for path in _SET_UP},
        headers={"X-Elastic-Product": "Elasticsearch"},
    ),
    "otlp_logs": Form(("/v1/logs",), cut_otlp),
}  # fmt: skip
