"""Searches the embedded store: by time from its index, the rest by looking at each document in the span."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from contract.errors import StoreError
from contract.event import Fields as Document
from contract.records import Alert, Chain, DeadLetter, Decision, Outcome
from runtime.elastic.documents import document_of
from runtime.query.literals import required
from runtime.query.request import Hit, Request
from runtime.store import Store

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_TYPES: Final[dict[str, type[Alert | Chain | Decision | Outcome]]] = {
    "alert": Alert,
    "chain": Chain,
    "decision": Decision,
    "outcome": Outcome,
}


def search(store: Store, request: Request) -> Iterator[Hit]:
    """Yield what is found, the newest first, at most as many as the request says.

    O(documents in the span of time) at worst; ends with the last that is asked for.

    Raises:
        StoreError: the store cannot be read.
    """
    if request.limit <= 0:
        return
    count = 0
    try:
        for found in _by_millisecond(_found(store, request)):
            yield found
            count += 1
            if count == request.limit:
                return
    except sqlite3.Error as error:
        raise StoreError(f"{store.path}: {error}") from error


def _found(store: Store, request: Request) -> Iterator[tuple[int, Hit]]:
    holds = request.holds
    if request.kind == "event":
        for time_us, id, json in _events(store, request):
            document = _decode(json)
            if holds(document):
                yield time_us // 1_000, Hit(id, document)
        return
    for time_us, id, document in _records(store, request):
        if holds(document):
            yield time_us // 1_000, Hit(id, document)


def _by_millisecond(found: Iterable[tuple[int, Hit]]) -> Iterator[Hit]:
    """Order what falls into one millisecond by id: the index keeps no finer time."""
    same: list[Hit] = []
    at = None
    for millisecond, hit in found:
        if millisecond != at:
            yield from sorted(same, key=_id)
            same, at = [], millisecond
        same.append(hit)
    yield from sorted(same, key=_id)


def _id(hit: Hit) -> str:
    return hit.id


def _span(request: Request) -> tuple[int, int]:
    """Return the request's span in microseconds, widened to whole milliseconds."""
    return request.first_us // 1_000 * 1_000, request.last_us // 1_000 * 1_000 + 999


def _events(store: Store, request: Request) -> Iterator[tuple[int, str, bytes]]:
    clauses = required(request.query, request.fields)
    asked = "".join(f" AND ({' OR '.join(['instr(json, ?)'] * len(clause))})" for clause in clauses)
    texts = [text for clause in clauses for text in clause]
    return store.db.execute(
        f"SELECT time_us, id, json FROM event WHERE time_us BETWEEN ? AND ?{asked}"  # noqa: S608 - made of constants
        " ORDER BY time_us DESC, id",
        (*_span(request), *texts),
    )


def _records(store: Store, request: Request) -> Iterator[tuple[int, str, Document]]:
    if request.kind == "dead_letter":
        rows = store.db.execute(
            "SELECT time_us, id, json FROM dead_letter WHERE time_us BETWEEN ? AND ?"
            " ORDER BY time_us DESC, id",
            _span(request),
        )
        for time_us, id, json in rows:
            yield time_us, id, document_of(DeadLetter.model_validate_json(json))
        return
    rows = store.db.execute(
        "SELECT time_us, id, json FROM record WHERE kind = ? AND time_us BETWEEN ? AND ?"
        " ORDER BY time_us DESC, id",
        (request.kind, *_span(request)),
    )
    for time_us, id, json in rows:
        record = _TYPES[request.kind].model_validate_json(json)
        decision = _decision(store, record.decision) if isinstance(record, Outcome) else None
        yield time_us, id, document_of(record, decision)


def _decision(store: Store, id: str) -> Decision | None:
    row = store.db.execute(
        "SELECT json FROM record WHERE kind = 'decision' AND id = ?", (id,)
    ).fetchone()
    return Decision.model_validate_json(row[0]) if row else None
