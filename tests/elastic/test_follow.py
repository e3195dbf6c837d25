"""The embedded engine's index writer: what the store committed arrives, whatever stops or comes back meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elastic_server import ElasticServer

from contract.errors import SettingsError
from contract.event import Event
from contract.meter import MemoryMeter
from runtime import clock
from runtime.elastic.follow import Follower
from runtime.elastic.pending import Pending
from runtime.elastic.settings import ElasticSettings
from runtime.store import Epoch, Store
from runtime.stored import dead_letters
from tests.conftest import PATIENCE_S
from tests.elastic.conftest import Index, settings_for
from tests.elastic.making import alert, chain, decision, event, letter, outcome

HOUR_US = 3_600_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "opsonin.db")
    yield made
    made.close()


def follower(settings: ElasticSettings, store: Store, meter: MemoryMeter) -> Follower:
    made = Follower(settings, store.path, 50, meter, lambda: HOUR_US)
    made.start()
    return made


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lag(meter: MemoryMeter) -> float:
    return meter.values.get(("index_lag", ()), -1.0)


def everything() -> Epoch:
    return Epoch(
        [event(number) for number in range(20)],
        [alert(), chain(), decision(), outcome()],
        [letter()],
    )


def test_what_the_store_commits_arrives_before_and_after_a_restart(
    index: Index, store: Store
) -> None:
    store.commit(everything())
    first = follower(index.settings, store, index.meter)
    until(lambda: len(index.all()) == 25)
    first.stop()
    store.commit(Epoch([event(100)], [alert(2), decision(2, "reverted")]))
    second = follower(index.settings, store, index.meter)
    until(lambda: lag(index.meter) == 0 and "e100" in index.all())
    second.stop()
    found = index.all()
    assert len(found) == 26
    assert found["a1"]["opsonin.alert.revision"] == 2
    assert found["d1"]["opsonin.decision.state"] == "reverted"
    assert found["o1"]["opsonin.chain.id"] == "c1", "an outcome bears what its decision says"
    assert index.meter.total("index_documents_total") == 28, "nothing was sent twice"


def test_the_end_sends_what_is_committed_within_its_time(index: Index, store: Store) -> None:
    store.commit(everything())
    follower(index.settings, store, index.meter).stop(drain_s=60)
    assert len(index.all()) == 25


def test_a_refused_document_becomes_a_dead_letter_here_and_there(
    index: Index, store: Store
) -> None:
    hostile = Event.of(event(7).fields | {"host": "text"}, id="e7", time_us=7, source="s")
    store.commit(Epoch([event(1), hostile]))
    one = follower(index.settings, store, index.meter)
    until(lambda: len(index.all("dead_letter")) == 1)
    one.stop()
    (dead,) = dead_letters(store)
    assert (dead.stage, dead.source, dead.truncated) == ("index", "opsonin.index", True)
    assert "host" in dead.reason
    assert set(index.all("event")) == {"e1"}
    assert set(index.all("dead_letter")) == {dead.id}


def test_what_retention_removed_unsent_is_counted_and_the_rest_arrives(
    index: Index, store: Store
) -> None:
    store.commit(Epoch([event(number) for number in range(10)], arrived_us=HOUR_US))
    store.commit(Epoch([event(number) for number in range(10, 15)], arrived_us=9 * HOUR_US))
    assert store.prune(5 * HOUR_US, 100) == 10
    follower(index.settings, store, index.meter).stop(drain_s=60)
    assert index.meter.total("index_missed_total") == 10
    assert set(index.all()) == {f"e{number}" for number in range(10, 15)}


def test_another_namespace_is_filled_from_the_beginning(
    index: Index, store: Store, elastic_url: str
) -> None:
    store.commit(everything())
    follower(index.settings, store, index.meter).stop(drain_s=60)
    other = Index(settings_for(elastic_url))
    follower(other.settings, store, other.meter).stop(drain_s=60)
    assert set(other.all()) == set(index.all())
    other.close()


def test_a_portion_is_bounded_and_read_again_until_it_is_acknowledged(store: Store) -> None:
    settings = ElasticSettings(urls=("http://127.0.0.1:9",), batch_documents=1, in_flight=2)
    store.commit(everything())
    pending = Pending(store.path, settings, lambda: 0)
    first = pending.read()
    assert [len(first.documents), first.row, first.change] == [9, 8, 1]
    assert pending.read() == first
    pending.acknowledge(first, [])
    assert pending.read().row == 16
    assert pending.lag() == 12 + 4
    pending.close()
    again = Pending(store.path, settings, lambda: 0)
    assert again.read().row == 16, "the position is kept"
    again.close()


def test_a_dead_letter_that_was_revived_before_it_was_sent_is_passed_over(store: Store) -> None:
    settings = ElasticSettings(urls=("http://127.0.0.1:9",))
    store.commit(Epoch(dead_letters=[letter()]))
    store.commit(Epoch(revived=["l1"]))
    pending = Pending(store.path, settings, clock.now_us)
    portion = pending.read()
    assert (portion.documents, portion.change, pending.is_at(portion)) == ([], 1, False)
    pending.close()


def test_a_server_that_is_away_blocks_nobody_and_has_all_when_it_is_back(
    own_server: ElasticServer, store: Store
) -> None:
    index = Index(settings_for(own_server.url, patience="1s"))
    one = follower(index.settings, store, index.meter)
    store.commit(Epoch([event(number) for number in range(100)]))
    until(lambda: lag(index.meter) == 0)
    own_server.stop(signal.SIGKILL)
    for first in range(100, 2_100, 100):
        store.commit(Epoch([event(number) for number in range(first, first + 100)], [alert(first)]))
    until(lambda: index.meter.values["index_up", ()] == 0)
    own_server.start()
    until(lambda: lag(index.meter) == 0)
    one.stop()
    found = index.all()
    assert len(found) == 2_101
    assert found["a1"]["opsonin.alert.revision"] == 2_000
    index.close()


def test_a_key_file_that_is_not_there_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    settings = ElasticSettings(urls=("https://x:1",), api_key_file=tmp_path / "none")
    with pytest.raises(SettingsError, match="api_key_file"):
        Follower(settings, tmp_path / "x.db", 1, MemoryMeter(), lambda: 0)
