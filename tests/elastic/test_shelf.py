"""What the console's pages read from a real Elasticsearch is what was written there."""

from __future__ import annotations

from datetime import timedelta

from console.pages import Pages
from contract.records import Alert, Chain, Decision
from correlate.chain.settings import LinkSettings
from runtime.elastic.body import document
from runtime.elastic.documents import Indexed
from runtime.elastic.shelf import IndexShelf
from tests.elastic.conftest import Index
from tests.elastic.making import NOON, alert, chain, decision, outcome


def write(index: Index, *records: Indexed) -> None:
    documents = [document(one, index.settings.namespace) for one in records]
    assert not index.writer.write(documents).refused


def shelf_of(index: Index) -> IndexShelf:
    index.client.indices.refresh(index=index.names, ignore_unavailable=True)
    return IndexShelf(index.client, index.settings.namespace, timedelta(hours=1), 100)


def test_records_are_found_by_id_and_by_what_they_belong_to(index: Index) -> None:
    far = alert(id="far", time=NOON - timedelta(days=2), last=NOON - timedelta(days=2))
    near = alert(id="near", time=NOON, last=NOON)
    mine = (alert(), alert(revision=2), alert(id="a2"))
    write(index, *mine, near, far, chain(2), decision(), outcome())
    shelf = shelf_of(index)
    assert shelf.worst(10) == ([chain(2)], 1)
    assert shelf.holders(["a2", "near"]) == {"a2": chain(2).id}
    assert shelf.chain("c") == chain(2)
    assert shelf.alert("a1") == alert(revision=2)
    assert shelf.alert("a") is None, "several begin so"
    assert {one.id for one in shelf.alerts(chain(2))} == {"a1", "a2", "near"}
    assert shelf.decisions(limit=10) == [decision()]
    assert shelf.decisions(state="approved", chain=decision().chain, limit=10) == [decision()]
    assert shelf.decisions(state="proposed", limit=10) == shelf.decisions(chain="x", limit=10) == []
    assert shelf.revisions(decision().id) == [decision()]
    assert shelf.revisions("none") == []
    assert shelf.outcomes(outcome().decision) == [outcome()]


def test_an_index_that_is_not_there_yet_holds_nothing(index: Index) -> None:
    shelf = shelf_of(index)
    found: list[Chain | Alert | Decision | None] = [shelf.chain("c"), shelf.alert("a")]
    assert found == [None, None]
    assert shelf.worst(10) == ([], 0)


def test_pages_are_made_of_it(index: Index) -> None:
    write(index, alert(), alert(id="a2"), chain(), decision(), outcome())
    pages = Pages(shelf_of(index), LinkSettings())
    assert "process 7 on web" in (pages.chain("c1") or "")
    assert outcome().point in (pages.decision(decision().id) or "")
