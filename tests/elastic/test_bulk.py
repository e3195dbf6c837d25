"""The bulk writer against a real server: everything acknowledged once, nothing older over anything newer."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from elastic_server import ElasticServer

from contract.errors import IndexingError
from contract.event import Event
from runtime.elastic import setup
from runtime.elastic.body import Document, document
from runtime.elastic.bulk import BulkWriter
from runtime.elastic.client import connect
from runtime.elastic.fields import known
from tests.conftest import PATIENCE_S
from tests.elastic.conftest import Index, settings_for
from tests.elastic.making import alert, chain, decision, event, letter, outcome


def sent(index: Index, *records: object) -> list[Document]:
    return [document(one, index.settings.namespace) for one in records]  # type: ignore[arg-type]


def test_every_kind_is_taken_and_a_repeat_changes_nothing(index: Index) -> None:
    records = (event(1), alert(), chain(), decision(), outcome(), letter())
    first = index.writer.write(sent(index, *records))
    again = index.writer.write(sent(index, *records))
    assert (first.taken, first.repeated, first.refused) == (6, 0, [])
    assert (again.taken, again.repeated, again.refused) == (0, 6, [])
    assert set(index.all()) == {"e1", "a1", "c1", "d1", "o1", "l1"}
    assert index.meter.total("index_documents_total") == 12


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_a_newer_revision_replaces_the_older_and_never_the_reverse(
    module_index: Index, order: tuple[int, ...]
) -> None:
    id = "".join(map(str, order))
    for revision in order:
        records = (
            alert(revision, f"a{id}"),
            chain(revision, f"c{id}"),
            decision(revision, id=f"d{id}"),
        )
        module_index.writer.write(sent(module_index, *records))
    found = module_index.all()
    assert [
        found[f"{kind[0]}{id}"][f"opsonin.{kind}.revision"]
        for kind in ("alert", "chain", "decision")
    ] == [3, 3, 3]


def test_revisions_in_one_batch_end_at_the_newest_however_they_are_cut(elastic_url: str) -> None:
    index = Index(settings_for(elastic_url, batch_documents=1, in_flight=8))
    index.writer.write(sent(index, *(alert(revision) for revision in (5, 1, 4, 2, 3))))
    assert index.all()["a1"]["opsonin.alert.revision"] == 5
    index.close()


def test_a_document_at_fault_is_refused_with_the_reason_and_the_others_are_taken(
    index: Index,
) -> None:
    hostile = event(2, host="a text where ECS has an object")
    done = index.writer.write(sent(index, event(1), hostile, event(3)))
    assert (done.taken, len(done.refused)) == (2, 1)
    refusal = done.refused[0]
    assert refusal.document.id == "e2"
    assert "host" in refusal.reason
    dead = refusal.dead_letter(datetime(2026, 1, 2, tzinfo=UTC), 20)
    assert (dead.stage, dead.raw, dead.truncated) == ("index", hostile.json[:20], True)
    assert dead.id == refusal.dead_letter(datetime(2027, 1, 2, tzinfo=UTC), 20).id
    assert set(index.all()) == {"e1", "e3"}


def test_a_value_of_the_wrong_type_costs_its_field_and_not_the_event(index: Index) -> None:
    done = index.writer.write(
        sent(index, event(1, source__ip="not an address", event__severity="high", host__name="web"))
    )
    assert done.refused == []
    index.client.indices.refresh(index=index.names)
    found = index.client.search(index=index.names, query={"term": {"host.name": "web"}})
    assert found["hits"]["hits"][0]["_ignored"] == ["event.severity", "source.ip"]


HOSTILE: dict[str, dict[str, Any]] = {
    "many keys": {f"key{number}": number for number in range(4_000)},
    "many keys below a product": {f"winlog.event_data.k{number}": "v" for number in range(4_000)},
    "a deep key": {".".join("a" * 300): 1},
    "a deep key below a product": {"winlog." + ".".join("a" * 60): "1"},
    "a long key": {"k" * 500: 1},
    "a long text in a keyword": {"user.name": "x" * 40_000},
    "a long text below a product": {"winlog.event_data.Script": "x" * 40_000},
    "a long label": {"labels.note": "x" * 40_000},
    "a huge number": {"source.bytes": 10**30},
    "an empty part": {"a..b": 1},
    "an empty key": {"": 1},
    "a dot": {".": 1},
    "a name and one below it": {"network": "tcp", "network.bytes": 5},
    "an object where a text belongs": {"user.name": {"first": "a"}},
    "a deep value": {"x": [[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    "control characters": {"user.name": "\x00\x1f\u2028"},
    "half a pair": {"user.name": "\\ud800"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_keys_and_values_are_taken_or_refused_and_never_grow_the_mapping(
    module_index: Index, name: str
) -> None:
    index = module_index
    id = f"h{list(HOSTILE).index(name)}"
    hostile = Event.of(
        event(1).fields | HOSTILE[name] | {"event.id": id}, id=id, time_us=1, source="s"
    )
    beside = Event.of(event(2).fields | {"event.id": f"{id}b"}, id=f"{id}b", time_us=1, source="s")
    done = index.writer.write(sent(index, hostile, beside))
    assert done.taken + len(done.refused) == 2
    assert all(one.document.id == id and one.reason for one in done.refused)
    assert f"{id}b" in index.all("event")
    found = index.client.indices.get_mapping(index=f"logs-opsonin.event-{index.settings.namespace}")
    (mapping,) = (one["mappings"] for one in found.body.values())
    assert set(mapping["properties"]) == ROOTS, "no field but those of the templates"


ROOTS = {name.partition(".")[0] for name in known()}


def test_bytes_that_are_no_json_cost_one_document_and_not_the_request(index: Index) -> None:
    name = sent(index, event(1))[0].index
    broken = [Document(name, f"b{number}", b'{"@timestamp":') for number in range(3)]
    done = index.writer.write([*sent(index, event(1)), *broken, *sent(index, event(2))])
    assert {one.document.id for one in done.refused} == {"b0", "b1", "b2"}
    assert set(index.all()) == {"e1", "e2"}


def test_json_with_line_ends_between_its_tokens_is_one_document(index: Index) -> None:
    one = sent(index, event(1))[0]
    spread = Document(one.index, one.id, one.json.replace(b",", b",\n"))
    assert index.writer.write([spread]).taken == 1


def test_an_event_without_a_time_is_refused_with_the_reason(index: Index) -> None:
    name = sent(index, event(1))[0].index
    done = index.writer.write([Document(name, "x", b'{"message":"when?"}')])
    assert "@timestamp" in done.refused[0].reason


def test_a_server_that_is_away_fails_the_batch_and_takes_it_whole_when_it_is_back(
    own_server: ElasticServer,
) -> None:
    index = Index(settings_for(own_server.url, patience="1s", in_flight=2, batch_documents=100))
    batch = sent(index, *(event(number) for number in range(500)))
    own_server.stop(signal.SIGKILL)
    with pytest.raises(IndexingError, match="cannot be reached"):
        index.writer.write(batch)
    back = threading.Thread(target=own_server.start)
    back.start()
    patient = BulkWriter(
        connect(index.settings),
        index.settings.model_copy(update={"patience": settings_for("http://x").patience * 10}),
        index.meter,
    )
    done = patient.write(batch)
    back.join()
    assert done.taken + done.repeated == 500, "a request that timed out may have been taken"
    assert done.retries > 0
    assert len(index.all()) == 500
    patient.close()
    index.close()


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_the_middle(
    own_server: ElasticServer,
) -> None:
    index = Index(settings_for(own_server.url, patience="600s", batch_documents=50))

    def kill() -> None:
        own_server.stop(signal.SIGKILL)
        own_server.start()

    killer = threading.Timer(0.5, kill)
    killer.start()
    number = 0
    retries = 0
    limit = time.monotonic() + PATIENCE_S
    while not retries or number % 1_000:
        assert time.monotonic() < limit
        batch = sent(index, *(event(n) for n in range(number, number + 100)))
        retries += index.writer.write(batch).retries
        number += 100
    killer.join()
    index.client.indices.refresh(index=index.names)
    assert index.client.count(index=index.names)["count"] == number
    index.close()


def test_a_writer_that_is_stopped_gives_up_at_once(elastic_url: str) -> None:
    settings = settings_for("http://127.0.0.1:9", patience="60s")
    writer = BulkWriter(connect(settings), settings, Index(settings_for(elastic_url)).meter)
    threading.Timer(0.3, writer.stop).start()
    with pytest.raises(IndexingError, match="not acknowledged"):
        writer.write([document(event(1), "x")])
    writer.close()


def test_setup_is_idempotent_and_check_names_what_differs(index: Index) -> None:
    assert setup.check(index.client, index.settings) == []
    assert setup.prepare(index.client, index.settings) == []
    assert setup.apply(index.client, index.settings) == []
    other = index.settings.model_copy(update={"replicas": 1})
    assert any("number_of_replicas differs" in one for one in setup.check(index.client, other))
    absent = index.settings.model_copy(update={"namespace": "nobody", "setup": False})
    assert any("absent" in one for one in setup.check(index.client, absent))
    with pytest.raises(IndexingError, match="opsonin index setup"):
        setup.prepare(index.client, absent)
