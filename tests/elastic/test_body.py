"""Bulk bodies: two lines of JSON a document, cut into requests of bounded size."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runtime.elastic.body import Document, document, requests
from tests.elastic.making import alert, event, outcome


def lines(one: Document) -> list[object]:
    assert one.lines().endswith(b"\n")
    return [json.loads(line) for line in one.lines().splitlines()]


def test_what_never_changes_is_created_and_what_has_revisions_is_replaced_by_version() -> None:
    created, body = lines(document(event(1, user__name="a"), "lab"))
    assert created == {"create": {"_index": "logs-opsonin.event-lab", "_id": "e1"}}
    assert body == event(1, user__name="a").fields
    replaced, _ = lines(document(alert(7), "lab"))
    assert replaced == {
        "index": {
            "_index": "logs-opsonin.alert-lab",
            "_id": "a1",
            "version": 7,
            "version_type": "external",
        }
    }
    assert "create" in str(lines(document(outcome(), "lab"))[0])


def test_an_alert_says_when_it_arrived_and_nothing_else_does() -> None:
    _, told = lines(document(alert(1), "lab", arrives_us=1_767_268_800_000_000))
    assert isinstance(told, dict)
    assert told["event.ingested"] == "2026-01-01T12:00:00.000000Z"
    for one in (event(1), outcome()):
        _, plain = lines(document(one, "lab", arrives_us=1))
        assert isinstance(plain, dict)
        assert "event.ingested" not in plain


@given(st.text(), st.integers(1, 9) | st.none())
def test_any_id_is_one_line(id: str, version: int | None) -> None:
    (action, body) = lines(Document("i", id, b'{\n"a":\n1}', version))
    assert isinstance(action, dict)
    assert next(iter(action.values()))["_id"] == id
    assert body == {"a": 1}


def test_requests_are_bounded_in_count_and_bytes_and_keep_the_order() -> None:
    documents = [Document("i", str(number), b"x" * 100) for number in range(10)]
    by_count = list(requests(documents, 4, 10**6))
    assert [len(part) for part in by_count] == [4, 4, 2]
    assert [one for part in by_count for one in part] == documents
    assert [len(part) for part in requests(documents, 100, 950)] == [3, 3, 3, 1]
    assert [len(part) for part in requests(documents, 100, 10)] == [1] * 10
    assert list(requests([], 4, 10)) == []
