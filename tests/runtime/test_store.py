"""The embedded store: epochs are all or nothing, newer revisions win."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.errors import StoreError
from contract.event import Event
from contract.records import Alert, DeadLetter, Rule
from runtime.store import Epoch, Store
from runtime.stored import counts, dead_letters, events, find, records

FIRST_FORMAT = Path(__file__).parents[1] / "data" / "store" / "format-1" / "store.sql"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(number: int) -> Event:
    return Event.of({"n": number}, id=f"e{number}", time_us=number, source="s")


def alert(revision: int, id: str = "a1") -> Alert:
    rule = Rule(id="r", name="R", level="low")
    return Alert(
        id=id,
        revision=revision,
        rule=rule,
        time=NOON,
        last=NOON,
        events=("e1",),
        event_count=revision,
    )


def letter() -> DeadLetter:
    return DeadLetter(
        id="d1", time=NOON, stage="ingest", source="s", adapter="a", reason="r", raw=b"\xff", size_bytes=1
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "data" / "opsonin.db")
    yield store
    store.close()


def test_an_epoch_holds_outputs_state_and_positions_together(store: Store) -> None:
    epoch = Epoch(
        [event(1)], [alert(1)], [letter()], [], {("s", "k", "p"): b"{}"}, {"in": {"at": 7}}, 42
    )
    assert store.commit(epoch) == 0
    store.close()
    again = Store(store.path)
    assert again.state() == {"s": {"k": {"p": b"{}"}}}
    assert again.positions() == {"in": {"at": 7}}
    assert again.meta("watermark_us") == 42
    assert list(records(again, "alert")) == [alert(1)]
    assert list(dead_letters(again)) == [letter()]
    assert counts(again) == {"alert": 1, "event": 1, "dead_letter": 1}
    again.close()


def test_a_duplicate_event_collapses_and_is_counted(store: Store) -> None:
    store.commit(Epoch([event(1), event(2)]))
    assert store.commit(Epoch([event(2), event(3), event(3)])) == 2
    assert store.db.execute("SELECT count(*) FROM event").fetchone() == (3,)


def test_a_newer_revision_replaces_the_older_and_never_the_reverse(store: Store) -> None:
    store.commit(Epoch(records=[alert(1), alert(3), alert(2)]))
    store.commit(Epoch(records=[alert(1)]))
    found = find(store, "alert", "a1")
    assert found is not None
    assert found.revision == 3


def test_a_record_is_found_by_the_beginning_of_its_id_when_only_one_has_it(store: Store) -> None:
    store.commit(Epoch(records=[alert(1, "ab1"), alert(1, "ab2"), alert(1, "c")]))
    assert find(store, "alert", "ab") is None
    assert find(store, "alert", "c") == alert(1, "c")


def test_state_that_is_gone_is_deleted_and_a_revived_dead_letter_too(store: Store) -> None:
    store.commit(
        Epoch(dead_letters=[letter()], state={("s", "k", "p"): b"1", ("s", "k", "q"): b"2"})
    )
    store.commit(Epoch(revived=["d1"], state={("s", "k", "p"): None}))
    assert store.state() == {"s": {"k": {"q": b"2"}}}
    assert list(dead_letters(store)) == []


def test_a_failed_epoch_leaves_nothing(store: Store) -> None:
    broken = Epoch([event(1)], state={("s", "k", "p"): object()})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        store.commit(broken)
    assert counts(store) == {"event": 0, "dead_letter": 0}
    store.commit(Epoch([event(1)]))


def test_only_one_engine_writes_a_store_while_others_may_read(store: Store) -> None:
    with pytest.raises(StoreError, match="another engine"):
        Store(store.path)
    Store(store.path, read_only=True).close()


def test_a_foreign_or_newer_file_is_refused_untouched(tmp_path: Path) -> None:
    foreign = tmp_path / "other.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(StoreError, match="not a store of Opsonin"):
        Store(foreign)
    with pytest.raises(StoreError, match="no store there yet"):
        Store(tmp_path / "none.db", read_only=True)


def test_events_that_arrived_long_ago_are_pruned_in_steps(store: Store) -> None:
    hour = 3_600_000_000
    store.commit(Epoch([event(number) for number in range(8)], arrived_us=hour))
    store.commit(Epoch([event(number) for number in range(8, 10)], arrived_us=5 * hour))
    assert store.prune(hour, 5) == 0, "the same hour"
    assert store.prune(3 * hour, 5) == 5
    assert store.prune(3 * hour, 5) == 3
    assert store.prune(3 * hour, 5) == 0
    assert store.db.execute("SELECT count(*) FROM event").fetchone() == (2,)


def test_the_newest_event_stays_so_that_row_numbers_are_never_given_out_again(store: Store) -> None:
    store.commit(Epoch([event(1), event(2)], arrived_us=1))
    assert store.prune(10**15, 100) == 1
    store.commit(Epoch([event(3)], arrived_us=1))
    assert store.db.execute("SELECT rowid, id FROM event").fetchall() == [(2, "e2"), (3, "e3")]


def test_each_record_that_changed_is_noted_once_at_its_latest_change(store: Store) -> None:
    store.commit(Epoch(records=[alert(1, "a"), alert(1, "b")], dead_letters=[letter()]))
    store.commit(Epoch(records=[alert(2, "a")], revived=["d1"]))
    store.commit(Epoch(dead_letters=[letter()]))
    assert store.db.execute("SELECT * FROM change ORDER BY seq").fetchall() == [
        (2, "alert", "b"),
        (4, "alert", "a"),
        (5, "dead_letter", "d1"),
    ]


def test_a_store_of_the_first_format_is_read_as_it_is_and_upgraded_when_written(
    tmp_path: Path,
) -> None:
    old = tmp_path / "opsonin.db"
    with sqlite3.connect(old) as db:
        db.executescript(FIRST_FORMAT.read_text(encoding="utf-8"))
    db.close()
    reader = Store(old, read_only=True)
    assert counts(reader) == {"alert": 1, "event": 1, "dead_letter": 1}
    reader.close()
    Store(old).close()
    upgraded = Store(old)
    assert upgraded.meta("format") == 2
    assert upgraded.db.execute("SELECT kind, id FROM change ORDER BY seq").fetchall() == [
        ("alert", "a1"),
        ("dead_letter", "d1"),
    ]
    upgraded.close()


def test_stored_events_come_by_time_whatever_the_portions(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.commit(Epoch(events=[event(number) for number in (3, 1, 2, 5, 4)]))
    for portion in (1, 2, 5, 100):
        found = list(events(store, at_once=portion))
        assert found == [event(number).json for number in range(1, 6)]
    store.close()
