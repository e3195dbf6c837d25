"""JSON lines on standard output: one record a line, flushed at once when a person or program waits for it."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from pydantic import BaseModel

from contract.event import Event, Match, Notice
from contract.records import DeadLetter
from contract.timestamps import iso
from runtime.engine import match_id
from runtime.flow import Seen

_encode = msgspec.json.Encoder().encode


def write(line: bytes) -> None:
    """Write one line."""
    out = sys.stdout.buffer
    out.write(line + b"\n")


def write_record(value: Any) -> None:
    """Write one value as a JSON line and flush."""
    write(_encode(value))
    sys.stdout.buffer.flush()


def kind_of(item: Seen) -> str:
    """Return the `kind` that `replay --emit` knows a record by; empty for what is not emitted."""
    if isinstance(item, Event):
        return "event"
    if isinstance(item, Match):
        return "match"
    if isinstance(item, Notice):
        return ""
    return item.kind


def line_of(item: Seen) -> bytes:
    """Return the JSON line of a record, `kind` and `id` first."""
    if isinstance(item, Event):
        return b'{"kind":"event","id":' + _encode(item.id) + b',"event":' + item.json + b"}"
    if isinstance(item, Match):
        fields = {
            "kind": "match",
            "id": match_id(item),
            "rule": item.rule,
            "event": item.event.id,
            "time": iso(item.event.time_us),
        }
        return _encode(fields)
    if isinstance(item, DeadLetter | BaseModel):
        return item.model_dump_json().encode()
    raise TypeError(type(item).__name__)
