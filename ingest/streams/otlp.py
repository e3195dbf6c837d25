"""OpenTelemetry logs over HTTP, encoded as protobuf or JSON, as records.

Sources: OTLP 1.10 specification, "OTLP/HTTP"; `opentelemetry/proto/{collector/logs,logs,common,resource}/v1/*.proto` 1.10;
protobuf's encoding guide; read 2026-11. The few messages that logs consist of are read by a table of their fields, since the
generated classes would bring protobuf's runtime with them for that alone.

A text body is a record as it stands, for the adapter of whoever wrote that text; or, with the envelope kept, an object of it
and its attributes, whose names are ECS's own where the semantic conventions have adopted them.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from contract.errors import ParseError

PROTOBUF: Final = "application/x-protobuf"
MAX_DEPTH: Final = 64
"""Of values within values; protobuf's own readers stop at 100."""

_decode_json = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_FIXED64 = struct.Struct("<Q")
_DOUBLE = struct.Struct("<d")
_LONGEST_VARINT: Final = 10

Schema: TypeAlias = "dict[int, tuple[str, str, bool]]"
"""By field number: name in JSON, kind (a message's name or a scalar's), whether it repeats."""

_SCHEMAS: Final[dict[str, Schema]] = {
    "request": {1: ("resourceLogs", "resource_logs", True)},
    "resource_logs": {1: ("resource", "resource", False), 2: ("scopeLogs", "scope_logs", True)},
    "resource": {1: ("attributes", "key_value", True)},
    "scope_logs": {1: ("scope", "scope", False), 2: ("logRecords", "log_record", True)},
    "scope": {1: ("name", "text", False), 2: ("version", "text", False)},
    "log_record": {
        1: ("timeUnixNano", "fixed64", False), 2: ("severityNumber", "int", False),
        3: ("severityText", "text", False), 5: ("body", "value", False), 6: ("attributes", "key_value", True),
        9: ("traceId", "hex", False), 10: ("spanId", "hex", False), 11: ("observedTimeUnixNano", "fixed64", False),
        12: ("eventName", "text", False),
    },
    "key_value": {1: ("key", "text", False), 2: ("value", "value", False)},
    "value": {
        1: ("stringValue", "text", False), 2: ("boolValue", "bool", False), 3: ("intValue", "int", False),
        4: ("doubleValue", "double", False), 5: ("arrayValue", "values", False), 6: ("kvlistValue", "pairs", False),
        7: ("bytesValue", "base64", False),
    },
    "values": {1: ("values", "value", True)},
    "pairs": {1: ("values", "key_value", True)},
}  # fmt: skip


def records_of(body: bytes, content_type: str, *, envelope: bool) -> list[bytes]:
    """Return the log records of a post.

    Args:
        body: unpacked.
        content_type: `application/x-protobuf`, or JSON.
        envelope: keep time, severity, attributes and resource beside a text body too.

    Raises:
        ParseError: not the request that it should be.
    """
    try:
        request = _message(body, "request", 0) if content_type == PROTOBUF else _decode_json(body)
        return [
            raw
            for resource in request.get("resourceLogs") or []
            for scope in resource.get("scopeLogs") or []
            for record in scope.get("logRecords") or []
            if (raw := _record(record, resource.get("resource") or {}, envelope=envelope))
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"no OTLP request: {error}") from error
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ParseError(f"no OTLP request: a member is not of its kind: {error}") from error


def _record(record: dict[str, Any], resource: dict[str, Any], *, envelope: bool) -> bytes:
    said = _plain(record.get("body") or {}, 0)
    if isinstance(said, str) and not envelope:
        return said.encode("utf-8", "replace")
    event = _attributes(resource) | _attributes(record)
    if isinstance(said, dict):
        event |= said
    elif said not in (None, ""):
        event["message"] = said
    named = {
        "log.level": "severityText",
        "trace.id": "traceId",
        "span.id": "spanId",
        "event.action": "eventName",
    }
    for name, member in named.items():
        if record.get(member):
            event.setdefault(name, record[member])
    stamp = record.get("timeUnixNano") or record.get("observedTimeUnixNano")
    if isinstance(stamp, str | int) and "@timestamp" not in event and str(stamp).isdecimal():
        event["@timestamp"] = int(stamp)
    return _encode(event) if event else b""


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: _plain(one.get("value") or {}, 0) for one in holder.get("attributes") or []}


def _plain(value: dict[str, Any], depth: int) -> Any:
    """Return what an AnyValue holds."""
    if depth > MAX_DEPTH:
        raise ParseError(f"values within values deeper than {MAX_DEPTH}")
    if "kvlistValue" in value:
        pairs = value["kvlistValue"].get("values") or []
        return {one["key"]: _plain(one.get("value") or {}, depth + 1) for one in pairs}
    if "arrayValue" in value:
        return [_plain(one, depth + 1) for one in value["arrayValue"].get("values") or []]
    if "intValue" in value:
        return int(value["intValue"])
    for name in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        if name in value:
            return value[name]
    return None


# ------------------------------------------------------------------ protobuf


def _message(data: bytes, kind: str, depth: int) -> dict[str, Any]:
    """Read one message into the form that its JSON has; unknown fields are passed over."""
    if depth > 2 * MAX_DEPTH:
        raise ParseError(f"messages within messages deeper than {2 * MAX_DEPTH}")
    found: dict[str, Any] = {}
    schema, at = _SCHEMAS[kind], 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _raw(data, at, tag & 7)
        known = schema.get(tag >> 3)
        if known is None:
            continue
        name, of, repeats = known
        read = _value(value, of, depth)
        if repeats:
            found.setdefault(name, []).append(read)
        else:
            found[name] = read
    return found


def _raw(data: bytes, at: int, wire: int) -> tuple[int | bytes, int]:
    """Return a field's value by its wire type, and where it ends."""
    if wire == 0:
        return _varint(data, at)
    if wire == 2:  # noqa: PLR2004 - LEN
        size, at = _varint(data, at)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise ParseError(f"no OTLP request: wire type {wire}")
    end = at + size
    if end > len(data):
        raise ParseError("no OTLP request: it is cut")
    return data[at:end], end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for number in data[at : at + _LONGEST_VARINT]:
        at += 1
        value |= (number & 0x7F) << shift
        if number < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, at
        shift += 7
    raise ParseError("no OTLP request: a number without an end")


def _value(value: int | bytes, kind: str, depth: int) -> Any:
    """Return one value as JSON has it."""
    if isinstance(value, int):
        if kind == "bool":
            return bool(value)
        if kind != "int":
            raise ParseError(f"no OTLP request: a number where {kind} belongs")
        return value - (1 << 64) if value >= 1 << 63 else value
    if kind in _SCHEMAS:
        return _message(value, kind, depth + 1)
    if kind in ("fixed64", "double") and len(value) == 8:  # noqa: PLR2004 - both
        return (_FIXED64 if kind == "fixed64" else _DOUBLE).unpack(value)[0]
    read = _BYTES.get(kind)
    if read is None:
        raise ParseError(f"no OTLP request: bytes where {kind} belongs")
    return read(value)


_BYTES: Final[dict[str, Callable[[bytes], str]]] = {
    "text": lambda value: value.decode("utf-8", "replace"),
    "hex": bytes.hex,
    "base64": lambda value: b64encode(value).decode(),
}
