"""The embedded store: one SQLite file holds what came out, the state of all stages and the sources' positions.

An epoch is one transaction, so after a kill all three agree. Write-ahead log with `synchronous=NORMAL`: a killed
process loses nothing that was committed; a power cut may lose the newest epochs whole (sources with a position
are then read again from the older one), never half of one. Source: https://sqlite.org/wal.html, read 2026-11.
"""

from __future__ import annotations

import fcntl
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import msgspec

from contract.errors import StoreError
from contract.event import Event
from contract.records import Alert, Chain, DeadLetter, Decision, Outcome
from contract.timestamps import from_datetime
from runtime.stage_runner import Changes

FORMAT = 2
_READABLE = (1, FORMAT)
_PAGE_BYTES = 16_384
_BUSY_SECONDS = 10.0
_HOUR_US = 3_600_000_000
_ROWS_AT_ONCE = 250
_INSERT_ONE = "INSERT OR IGNORE INTO event VALUES (?, ?, ?)"
_INSERT_MANY = _INSERT_ONE + ", (?, ?, ?)" * (_ROWS_AT_ONCE - 1)

Stored: TypeAlias = Alert | Chain | Decision | Outcome
State: TypeAlias = dict[str, dict[str, dict[str, bytes]]]

_SCHEMA = """
CREATE TABLE event (time_us INTEGER NOT NULL, id TEXT NOT NULL, json BLOB NOT NULL);
CREATE UNIQUE INDEX event_key ON event (time_us, id);
CREATE TABLE record (
    kind TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, time_us INTEGER NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX record_time ON record (kind, time_us);
CREATE TABLE decision_history (
    id TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (id, revision)
) WITHOUT ROWID;
CREATE TABLE dead_letter (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time_us INTEGER NOT NULL, json TEXT NOT NULL);
CREATE TABLE state (
    stage TEXT NOT NULL, key TEXT NOT NULL, part TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (stage, key, part)
) WITHOUT ROWID;
CREATE TABLE position (source TEXT PRIMARY KEY, json BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE arrival (hour INTEGER PRIMARY KEY, last_row INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

# Which record changed last, each once: what the index follows. Never reused numbers, so that nobody reads past a change.
_CHANGE = """
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (kind, id));
"""
_FROM_1 = """
INSERT INTO change (kind, id) SELECT kind, id FROM record ORDER BY time_us, id;
INSERT INTO change (kind, id) SELECT 'dead_letter', id FROM dead_letter ORDER BY seq;
UPDATE meta SET value = 2 WHERE name = 'format';
"""


@dataclass(slots=True)
class Epoch:
    """What one transaction writes; grows while inputs are taken, then is handed over whole.

    Attributes:
        revived: ids of stored dead letters that are dead no more.
        positions: by source, JSON values.
        watermark_us: event time that the stages have been told.
        arrived_us: wall-clock time of writing, by which events are kept.
    """

    events: list[Event] = field(default_factory=list)
    records: list[Stored] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    state: Changes = field(default_factory=dict)
    positions: dict[str, Any] = field(default_factory=dict)
    watermark_us: int = 0
    arrived_us: int = 0


class Store:
    """Reads and writes one file. Used from one thread at a time; other processes may read meanwhile.

    Args:
        path: of the file; made with its folder, mode 0700, when absent.
        read_only: for commands beside a running engine.

    Raises:
        StoreError: not our file, of a newer format, locked by another engine, or not writable.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock_file: TextIO | None = None
        if read_only and not path.exists():
            raise StoreError(
                f"{path}: no store there yet; start `opsonin run` first or set engine.data_dir"
            )
        try:
            if not read_only:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock()
            self.db = self._connect("ro" if read_only else "rwc")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path}: {error}") from error
        try:
            if not read_only:
                self._prepare()
            self._check_format()
        except (sqlite3.Error, StoreError) as error:
            self.close()
            raise (
                error if isinstance(error, StoreError) else StoreError(f"{path}: {error}")
            ) from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )

    def _lock(self) -> None:
        self._lock_file = self.path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock_file.close()
            raise StoreError(
                f"{self.path}: another engine is using it; stop it, or set engine.data_dir"
            ) from error

    def _prepare(self) -> None:
        self.db.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("PRAGMA cache_size=-65536")
        self.db.execute("PRAGMA wal_autocheckpoint=4000")
        if not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self.db.executescript(f"BEGIN; {_SCHEMA} {_CHANGE} COMMIT")
            self.db.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT,))

    def _check_format(self) -> None:
        try:
            found = self.meta("format")
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self.path}: not a store of Opsonin ({error})") from error
        if found not in _READABLE:
            raise StoreError(f"{self.path}: format {found}; this version reads {FORMAT}")
        if found != FORMAT and self._lock_file is not None:
            self.db.executescript(f"BEGIN; {_CHANGE} {_FROM_1} COMMIT")

    def meta(self, name: str) -> int:
        """Return a number kept by name; 0 when absent."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def commit(self, epoch: Epoch) -> int:
        """Write an epoch, all or nothing; return how many events were already there (duplicates).

        Raises:
            StoreError: the disk is full or the file cannot be written; nothing of the epoch is.
        """
        db = self.db
        try:
            db.execute("BEGIN IMMEDIATE")
            before = db.total_changes
            self._write_events(epoch.events)
            duplicates = len(epoch.events) - (db.total_changes - before)
            if epoch.events:
                db.execute(
                    "INSERT OR REPLACE INTO arrival SELECT ?, max(rowid) FROM event",
                    (epoch.arrived_us // _HOUR_US,),
                )
            self._write_records(epoch)
            self._write_state(epoch)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise StoreError(f"{self.path}: {error}") from error
        return duplicates

    def _write_events(self, events: list[Event]) -> None:
        """Insert many rows a statement: each runs without the interpreter's lock, beside the engine's thread.

        One row a statement would ask for the lock back after every row, and wait for it each time.
        """
        whole = len(events) - len(events) % _ROWS_AT_ONCE
        for start in range(0, whole, _ROWS_AT_ONCE):
            rows = events[start : start + _ROWS_AT_ONCE]
            values = [value for one in rows for value in (one.time_us, one.id, one.json)]
            self.db.execute(_INSERT_MANY, values)
        self.db.executemany(
            _INSERT_ONE, [(one.time_us, one.id, one.json) for one in events[whole:]]
        )

    def _write_records(self, epoch: Epoch) -> None:
        newest: dict[tuple[str, str], Stored] = {}
        for record in epoch.records:
            known = newest.get((record.kind, record.id))
            if known is None or record.revision >= known.revision:
                newest[record.kind, record.id] = record
        self.db.executemany(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET"
            " revision = excluded.revision, time_us = excluded.time_us, json = excluded.json"
            " WHERE excluded.revision >= record.revision",
            [
                (one.kind, one.id, one.revision, moment_us(one), one.model_dump_json())
                for one in newest.values()
            ],
        )
        self.db.executemany(
            "INSERT OR IGNORE INTO decision_history VALUES (?, ?, ?)",
            [
                (one.id, one.revision, one.model_dump_json())
                for one in epoch.records
                if isinstance(one, Decision)
            ],
        )
        self.db.executemany(
            "INSERT OR IGNORE INTO dead_letter (id, time_us, json) VALUES (?, ?, ?)",
            [
                (one.id, from_datetime(one.time), one.model_dump_json())
                for one in epoch.dead_letters
            ],
        )
        self.db.executemany("DELETE FROM dead_letter WHERE id = ?", [(id,) for id in epoch.revived])
        self._note_changes([*newest, *(("dead_letter", one.id) for one in epoch.dead_letters)])

    def _note_changes(self, changed: list[tuple[str, str]]) -> None:
        self.db.executemany("INSERT OR REPLACE INTO change (kind, id) VALUES (?, ?)", changed)

    def _write_state(self, epoch: Epoch) -> None:
        gone = [place for place, data in epoch.state.items() if data is None]
        kept = [(*place, data) for place, data in epoch.state.items() if data is not None]
        self.db.executemany("DELETE FROM state WHERE stage = ? AND key = ? AND part = ?", gone)
        self.db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", kept)
        self.db.executemany(
            "INSERT OR REPLACE INTO position VALUES (?, ?)",
            [(source, msgspec.json.encode(at)) for source, at in epoch.positions.items()],
        )
        self.db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('watermark_us', ?)", (epoch.watermark_us,)
        )

    def state(self) -> State:
        """Return all stored state: stage to key to part to bytes."""
        state: State = {}
        for stage, key, part, data in self.db.execute(
            "SELECT * FROM state ORDER BY stage, key, part"
        ):
            state.setdefault(stage, {}).setdefault(key, {})[part] = data
        return state

    def positions(self) -> dict[str, Any]:
        """Return where each source goes on."""
        rows = self.db.execute("SELECT source, json FROM position")
        return {source: msgspec.json.decode(json) for source, json in rows}

    def prune(self, before_us: int, rows: int) -> int:
        """Delete at most `rows` events that arrived in hours before this; return how many. Records are kept.

        Arrival counts, not event time, so that old logs can be read in. The newest event stays, whatever its age: an empty
        table would give out its row numbers again, and arrivals and the index go by them. O(deleted).
        """
        row = self.db.execute(
            "SELECT max(last_row) FROM arrival WHERE hour < ?", (before_us // _HOUR_US,)
        ).fetchone()
        if row[0] is None:
            return 0
        done = self.db.execute(
            "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event WHERE rowid <= ?"
            " AND rowid < (SELECT max(rowid) FROM event) ORDER BY rowid LIMIT ?)",
            (row[0], rows),
        )
        return done.rowcount

    def close(self) -> None:
        """Close the file; what was committed is there."""
        self.db.close()
        if self._lock_file is not None:
            self._lock_file.close()


def moment_us(record: Stored) -> int:
    """Return the time that a record is listed by: its last activity."""
    match record:
        case Alert() | Chain():
            return from_datetime(record.last)
        case Decision():
            return from_datetime(record.made)
        case Outcome():
            return from_datetime(record.time)
