"""The same search, in the embedded store and in a real Elasticsearch, finds the same in the same order."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.errors import QueryError
from contract.event import Event
from contract.records import Alert, Chain, Decision, Outcome
from contract.timestamps import from_datetime, from_iso, iso
from runtime import clock
from runtime.elastic.fields import find
from runtime.elastic.pending import Pending
from runtime.query import indexed, stored
from runtime.query.request import KINDS, Kind, request
from runtime.query.values import words
from runtime.store import Epoch, Store
from tests.elastic.conftest import Index
from tests.elastic.making import NOON, alert, chain, decision, letter, outcome
from tests.query.test_match import DOCUMENT, FAIL, HOLD, NOW

DATA = Path(__file__).parents[1] / "data" / "adapter"


def recorded() -> Iterator[dict[str, Any]]:
    """Yield real events of all adapters, as their tests expect them."""
    for path in sorted(DATA.glob("*/*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            fields = found.get("event", found) if isinstance(found, dict) else None
            if isinstance(fields, dict) and "@timestamp" in fields:
                yield fields


def synthetic() -> Iterator[dict[str, Any]]:
    """Yield events that differ in what queries ask."""
    rng = random.Random(7)  # noqa: S311 - a workload
    for number in range(300):
        at = from_datetime(NOON) + number * 400  # several fall into one millisecond
        yield {
            "@timestamp": iso(at),
            "source.ip": f"10.{number % 3}.0.{number % 7}",
            "host.ip": rng.sample(["10.0.0.1", "2001:db8::1", "192.0.2.9"], 2),
            "user.name": rng.choice(["root", "Root", "web admin", "ünï", "a*b", 'q"t', "C:\\x"]),
            "event.severity": rng.randrange(9),
            "event.risk_score": rng.randrange(10) / 10,
            "process.command_line": rng.choice(["curl -s http://a.example/x.sh", "sh -c 'id'", "x" * 1_500]),
            "message": rng.choice(["Failed password for root", "accepted key, port=22", "it's user_name@host.example:443"]),
            "winlog.event_data.LogonType": rng.choice([2, 3, "10"]),
            "my.number": rng.choice([1, 2.5, "17", "none"]),
            "labels.env": rng.choice(["prod", "test"]),
        }  # fmt: skip


def events() -> list[Event]:
    """Return all, with ids of their own."""
    found = []
    for number, fields in enumerate(itertools.chain([DOCUMENT], synthetic(), recorded())):
        id = f"{number * 7919 % 10_007:05d}"
        body = {**fields, "event.id": id}
        found.append(Event.of(body, id=id, time_us=from_iso(body["@timestamp"]), source="s"))
    return found


class Both:
    """A store and an index that hold the same."""

    def __init__(self, store: Store, index: Index) -> None:
        self.store = store
        self.index = index

    def found(self, text: str, kind: Kind = "event", **more: Any) -> list[str]:
        """Return the ids that both give, or fail."""
        asked = request(text, kind, NOW, **{"limit": 10_000, **more})
        here = [(hit.id, hit.document) for hit in stored.search(self.store, asked)]
        namespace = self.index.settings.namespace
        hits = indexed.search(self.index.client, namespace, asked)
        # When an alert arrived there the index alone says.
        own = {"event.ingested"} if kind == "alert" else set()
        there = [
            (hit.id, {name: value for name, value in hit.document.items() if name not in own})
            for hit in hits
        ]
        assert [id for id, _ in there] == [id for id, _ in here], text
        assert there == here
        return [id for id, _ in here]


@pytest.fixture(scope="module")
def both(module_index: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    store = Store(tmp_path_factory.mktemp("search") / "opsonin.db")
    records: list[Alert | Chain | Decision | Outcome] = [
        alert(3, "a1"), alert(1, "a2"), chain(2), decision(), decision(id="d2", state="proposed"), outcome(),
    ]  # fmt: skip
    store.commit(Epoch(events(), records, [letter("l1"), letter("l2")]))
    pending = Pending(store.path, module_index.settings, clock.now_us)
    while not pending.is_at(portion := pending.read()):
        assert module_index.writer.write(portion.documents).refused == []
        pending.acknowledge(portion, [])
    pending.close()
    module_index.client.indices.refresh(index=module_index.names)
    yield Both(store, module_index)
    store.close()


def test_every_query_of_the_matcher_s_tests_finds_the_same_there(both: Both) -> None:
    first = events()[0].id
    for text in HOLD:
        assert first in both.found(text), text
    for text in FAIL:
        assert first not in both.found(text), text


@pytest.mark.parametrize(
    "text",
    [
        "source.ip: 10.1.0.0/16", "source.ip: 10.1.0.0/16 and not source.ip: 10.1.0.3", "source.ip > 10.1.0.3",
        'host.ip < "2001:db8::1"', "user.name: Root", "user.name: ünï", r"user.name: a\*b", "user.name: *", "user.name: *o*t",
        r'user.name: "q\"t"', r'user.name: "C:\\x"', "user.name > a", "event.severity >= 3 and event.severity < 6",
        "event.risk_score: 0.3", "event.risk_score > 0.3", "process.command_line: *", "process.command_line: x*",
        "process.command_line.text: SH", "message: user_name", "message: host.example", 'message: "failed password"',
        "message: it's", "message: acc*", "message: port 22", "winlog.event_data.LogonType: 10", "winlog.event_data.LogonType: 1*",
        "winlog.event_data.LogonType >= 2", "winlog: 3", "my.number > 2", "my.number: none", "my.number: 17", "labels.env: prod",
        "labels.env: p*", "root", '"failed password"', "*curl*", "10.1.0.3", "event.category: *", "event.kind: alert",
        "event.action: *", "zeek: *", "network.transport: (tcp or udp)", "rule.name: *", "dns.question.name: *",
        "tags: *", "event.outcome: success or event.outcome: failure", "not event.kind: event", "destination.port < 1024",
        "opsonin.attestation.result: fail", "file.path: *tmp*", "@timestamp < 2026", "event.created: *", "message: *",
        "related.ip: 10.0.0.0/8", "host.name: *", "process.pid > 100", "url.full: *", "user.id: 0",
    ],
)  # fmt: skip
def test_a_query_finds_the_same_in_both(both: Both, text: str) -> None:
    both.found(text)


def test_queries_made_of_the_events_own_values_find_them_in_both(both: Both) -> None:
    rng = random.Random(11)  # noqa: S311 - a workload
    seen = set()
    for event in rng.sample(events(), 120):
        name, value = rng.choice(sorted(event.fields.items(), key=lambda one: one[0]))
        values = value if isinstance(value, list) else [value]
        if name in seen or not values or not isinstance(values[0], str | int | float | bool):
            continue
        seen.add(name)
        text = str(values[0]).lower() if isinstance(values[0], bool) else str(values[0])
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        try:
            found = both.found(f'{name}: "{quoted}"')
        except QueryError:
            continue
        field = find(name)
        if not field or not field.ignore_above or len(text) <= field.ignore_above:
            assert event.id in found, name
    assert len(seen) > 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_record_is_found_alike(both: Both, kind: Kind) -> None:
    assert both.found("", kind)
    both.found("opsonin.chain.id: c1 or opsonin.alert.revision > 2 or error.message: json", kind)
    both.found("203.0.113.7", kind)
    both.found("threat.tactic.name: initial-access and related.ip: 203.0.113.0/24", kind)


def test_time_and_limit_cut_alike(both: Both) -> None:
    first, last = from_datetime(NOON) + 5_500, from_datetime(NOON) + 60_200
    part = both.found("source.ip: *", first_us=first, last_us=last)
    assert 0 < len(part) < 300
    assert both.found("source.ip: *", first_us=first, last_us=last, limit=7) == part[:7]


def test_more_than_a_page_is_found(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed, "_PAGE", 37)
    assert len(both.found("source.ip: 10.0.0.0/8")) >= 300


TEXTS = (
    "The 2 QUICK Brown-Foxes jumped over the lazy dog's bone.", "user_name@host.example:443 [10.0.0.1]", "a.b.c x..y 1,234.5 -7",
    "C:\\Windows\\System32\\cmd.exe /c whoami", "日本語 テキスト ünïcödé ß", "key=value; k2='v 2' <13>Oct 11 22:14:15 su[230]:",
    "GET /a/b?c=d&e=%20f HTTP/1.1", "w" * 600, "fe80::1%eth0 00:11:22:aa:bb:cc", "it\u2019s ... --- !!! ", "x_1.2_y 3G foo.bar.baz/",
)  # fmt: skip


def test_texts_are_cut_into_the_words_of_the_servers_own_analyzer(index: Index) -> None:
    for text in TEXTS:
        answer = index.client.indices.analyze(analyzer="standard", text=text)
        assert words(text) == [one["token"] for one in answer["tokens"]], text
