"""The record within a record: the text that a shipper wrapped into an object.

Filebeat and its like send each line of a file as an object whose `message` is the line. Where the line is what an adapter
reads, it is handed over alone; what stood around it is the shipper's, and is given up.
"""

from __future__ import annotations

from typing import Any

import msgspec

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def unwrap(records: list[bytes], member: str) -> list[bytes]:
    """Return of each object the text of a member (dots lead into objects); a record that has none stays as it is."""
    path = member.split(".")
    return [_text(record, member, path) for record in records]


def _text(record: bytes, member: str, path: list[str]) -> bytes:
    try:
        found: Any = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record
    if member in found:
        found = found[member]
    else:
        for part in path:
            found = found.get(part) if isinstance(found, dict) else None
    return found.encode("utf-8", "replace") if isinstance(found, str) and found else record
