"""What the embedded store holds and the index has not acknowledged: read from its own kept position, on a connection of its own.

Two positions: the row number of events, and the number of the last change of a record. Both rise with each commit, so that
reading from them misses nothing; they are kept per cluster and namespace, so that another one is filled from the beginning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import StoreError
from contract.ids import derive_id
from contract.records import Alert, Chain, DeadLetter, Decision, Outcome
from contract.timestamps import from_datetime
from runtime.elastic.body import Document, document
from runtime.elastic.settings import ElasticSettings
from runtime.elastic.templates import index_name

REQUESTS: Final = 4
"""Requests of each connection in one portion: its end waits for the slowest."""
_BUSY_SECONDS: Final = 10.0
_EVENTS: Final = "events"
_CHANGES: Final = "changes"
_TYPES: Final[dict[str, type[Alert | Chain | Decision | Outcome]]] = {
    "alert": Alert,
    "chain": Chain,
    "decision": Decision,
    "outcome": Outcome,
}


@dataclass(slots=True, frozen=True)
class Portion:
    """Some documents, and where to go on when all are acknowledged.

    Attributes:
        row: of the last event read.
        change: of the last record read.
        missed: events that the store's retention removed before they were read.
    """

    documents: Sequence[Document]
    row: int
    change: int
    missed: int


class Pending:
    """The reading end of the index; used by one thread.

    Args:
        path: of the store's file; an engine holds it open for writing.
        settings: of Elasticsearch; its namespace and URLs name the positions.
        clock: wall clock, microseconds.

    Raises:
        StoreError: the file cannot be opened.
    """

    def __init__(self, path: Path, settings: ElasticSettings, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._most = settings.batch_documents * settings.in_flight * REQUESTS
        self._most_bytes = settings.batch_bytes * settings.in_flight * REQUESTS
        target = derive_id("index", settings.namespace, *sorted(settings.urls))
        self._names = {kind: f"index {target} {kind}" for kind in (_EVENTS, _CHANGES)}
        try:
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS
            )
            # The engine's own connection writes the log back.
            self._db.execute("PRAGMA wal_autocheckpoint=0")
            self._row, self._change = self._kept(_EVENTS), self._kept(_CHANGES)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    def read(self) -> Portion:
        """Return what is next, bounded by the settings' batches; the same again until `acknowledge`.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            records = list(self._records())
            events, row, missed = self._events()
        except sqlite3.Error as error:
            raise StoreError(f"index: {error}") from error
        change = records[-1][0] if records else self._change
        return Portion([*(one for _, one in records if one), *events], row, change, missed)

    def acknowledge(self, portion: Portion, dead: Sequence[DeadLetter]) -> None:
        """Go on after a portion; what the index refused is stored as dead letters in the same transaction.

        Raises:
            StoreError: the store cannot be written; the portion is read again.
        """
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            for one in dead:
                db.execute(
                    "INSERT OR IGNORE INTO dead_letter (id, time_us, json) VALUES (?, ?, ?)",
                    (one.id, from_datetime(one.time), one.model_dump_json()),
                )
                db.execute("INSERT OR REPLACE INTO change (kind, id) VALUES ('dead_letter', ?)", (one.id,))  # fmt: skip
            db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(self._names[_EVENTS], portion.row), (self._names[_CHANGES], portion.change)],
            )
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise StoreError(f"index: {error}") from error
        self._row, self._change = portion.row, portion.change

    def is_at(self, portion: Portion) -> bool:
        """Tell whether a portion holds nothing to go on to."""
        return (portion.row, portion.change) == (self._row, self._change)

    def lag(self) -> int:
        """Return how many events and records wait; records that changed again meanwhile count once more.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            row = self._db.execute("SELECT coalesce(max(rowid), 0) FROM event").fetchone()[0]
            change = self._db.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0]
        except sqlite3.Error as error:
            raise StoreError(f"index: {error}") from error
        return max(0, int(row) - self._row) + max(0, int(change) - self._change)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _kept(self, kind: str) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (self._names[kind],))
        row = found.fetchone()
        return int(row[0]) if row else 0

    def _events(self) -> tuple[list[Document], int, int]:
        name = index_name("event", self._settings.namespace)
        rows = self._db.execute(
            "SELECT rowid, id, json FROM event WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (self._row, self._most),
        )
        documents: list[Document] = []
        row, size, missed = self._row, 0, 0
        for number, id, json in rows:
            if not documents:
                missed = number - self._row - 1  # rows are numbered without gaps
            documents.append(Document(name, id, json))
            row = number
            size += len(json)
            if size >= self._most_bytes:
                break
        rows.close()
        return documents, row, missed

    def _records(self) -> Iterator[tuple[int, Document | None]]:
        """Yield changes with their documents; None for one that is gone (a dead letter that was revived)."""
        changes = self._db.execute(
            "SELECT c.seq, c.kind, c.id, coalesce(r.json, d.json) FROM change c"
            " LEFT JOIN record r ON r.kind = c.kind AND r.id = c.id"
            " LEFT JOIN dead_letter d ON c.kind = 'dead_letter' AND d.id = c.id"
            " WHERE c.seq > ? ORDER BY c.seq LIMIT ?",
            (self._change, self._settings.batch_documents),
        ).fetchall()
        for seq, kind, _, json in changes:
            yield seq, None if json is None else self._document(kind, json)

    def _document(self, kind: str, json: str) -> Document:
        namespace = self._settings.namespace
        if kind == "dead_letter":
            return document(DeadLetter.model_validate_json(json), namespace)
        record = _TYPES[kind].model_validate_json(json)
        decision = self._decision(record.decision) if isinstance(record, Outcome) else None
        return document(record, namespace, decision, arrives_us=self._clock())

    def _decision(self, id: str) -> Decision | None:
        found = self._db.execute(
            "SELECT json FROM record WHERE kind = 'decision' AND id = ?", (id,)
        )
        row = found.fetchone()
        return Decision.model_validate_json(row[0]) if row else None
