"""The host's own part of a task's state, in its changelog: marks, and records that wait for their turn as they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from contract.errors import ParseError, StoreError
from runtime.kafka.order import Rank, Taken
from runtime.kafka.wire import Mark, decode, encode

HOST: Final = "host"
"""Name of the state that is the host's own: marks and what waits."""
_VERSION: Final = 1

_pack = msgspec.msgpack.Encoder().encode
_unpack: Callable[[bytes], Any] = msgspec.msgpack.Decoder().decode


def mark_of(part: bytes) -> Mark:
    """Return the mark that a part of the state holds.

    Raises:
        StoreError: it holds none.
    """
    try:
        found = decode(part, encode(Mark("", 0))[1])
    except ParseError as error:
        raise StoreError(f"a mark in the changelog: {error}") from error
    if not isinstance(found, Mark):
        raise StoreError(f"expected a mark in the changelog, came {type(found).__name__}")
    return found


def part_of(taken: Taken) -> bytes:
    """Return what stands in the state of a record that waits."""
    row: Mapping[str, Any] = {
        "version": _VERSION,
        "cause": taken.cause_us,
        "rank": taken.rank,
        "tie": taken.tie,
        "offset": taken.offset,
        "origin": taken.origin_ms,
        "value": taken.value,
        "headers": taken.headers,
    }
    return _pack(row)


def waiting_of(part: bytes) -> Taken:
    """Return the record that waits in a part of the state.

    Raises:
        StoreError: of another version, or none.
    """
    row = _unpack(part)
    if row["version"] != _VERSION:
        raise StoreError(f"a waiting record of version {row['version']}; expected {_VERSION}")
    headers = [(name, data) for name, data in row["headers"]]
    try:
        item = decode(row["value"], headers)
    except ParseError as error:
        raise StoreError(f"a waiting record in the changelog: {error}") from error
    return Taken(
        row["cause"], Rank(row["rank"]), row["tie"], row["offset"], item, row["origin"], row["value"], headers,
    )  # fmt: skip
