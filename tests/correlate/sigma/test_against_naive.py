"""The engine, with index and without native code, against the naive evaluator: no difference is allowed."""

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.document import Document, read
from correlate.sigma.compile import load
from correlate.sigma.engine import Engine
from correlate.sigma.route import Route, Router
from correlate.sigma.rules import RuleSet
from correlate.sigma.view import flat
from tests.correlate.sigma import naive

SHARED = Path(__file__).parents[3] / "../shared"
SIGMAHQ = SHARED / "data/sigmahq"
BENCH = SHARED / "data/bench/windows_events.jsonl.gz"


EVENTS = int(os.environ.get("OPSONIN_NAIVE_EVENTS", "40"))
"""Real events of the comparison; 20,000 take half an hour."""


class Everything(Router):
    """A router that knows nothing, so that every rule is tried on every event."""

    deciding = frozenset()

    def key(self, event: Any) -> Any:
        return 0

    def route(self, event: Any) -> Route:
        return Route()


@lru_cache(maxsize=1)
def public() -> tuple[RuleSet, dict[str, Document]]:
    documents = [
        document
        for path in sorted(SIGMAHQ.rglob("*.yml"))
        if path.parent.parent.name != "regression_data" and path.name != "info.yml"
        for document in read(path.read_text("utf-8"), str(path))
    ]
    return load(documents), {document.data["id"]: document for document in documents}


@pytest.mark.shared
@pytest.mark.skipif(not BENCH.exists(), reason="the shared data are not beside the checkout")
def test_public_rules_and_real_events_give_the_naive_hits() -> None:
    rules, documents = public()
    with gzip.open(BENCH, "rb") as lines:
        step = 39_687 // EVENTS
        events = [
            flat(msgspec.json.decode(line)) for at, line in enumerate(lines) if at % step == 0
        ]
    engine = Engine(rules.detections.values(), Everything())
    plain = Engine(rules.detections.values(), Everything(), plain=True)
    for at, event in enumerate(events):
        wanted = [id for id in rules.detections if naive.matches(documents[id].data, event)]
        assert [rule.id for rule in engine.match(event, msgspec.json.encode(event))] == wanted
        if at % 10 == 0:
            assert [rule.id for rule in plain.match(event)] == wanted


# ------------------------------------------------------------------ generated rules and events

LETTERS = "aAbBkK\u212asSß\u017f-/*?\\ \u2013.é1"
texts = st.text(LETTERS, max_size=6) | st.sampled_from(
    ["", "*", "a*", "*b", "a?b", "\\*", "aKb", "STRASSE"]
)
scalars = (
    texts
    | st.integers(-3, 300)
    | st.sampled_from([2**63, 2**70, -(2**64), 0.5, 1.0, 1e30])
    | st.booleans()
    | st.none()
    | st.sampled_from(
        [
            "10.1.2.3",
            "::1",
            "fe80::5",
            "2026-02-05T03:04:05Z",
            "2026-12-31 23:59",
            "1",
            "1.0",
            "true",
        ]
    )
)
values = scalars | st.lists(scalars, max_size=3) | st.just({"x": "ab"})
FIELDS = ("A", "B", "C.d")
events = st.dictionaries(st.sampled_from(FIELDS), values, max_size=3)
TEXT_MODIFIERS = [
    ["contains"], ["startswith"], ["endswith"], [], ["contains", "cased"], ["cased"],
    ["windash", "contains"], ["windash"], ["wide", "base64offset", "contains"], ["base64"],
    ["utf16", "base64", "contains"], ["utf16be", "base64offset", "contains"], ["neq"],
    ["contains", "neq"], ["startswith", "cased"],
]  # fmt: skip


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


@st.composite
def items(draw: Any) -> tuple[str, Any]:
    kind = draw(st.sampled_from("tttttnbxelcfpr"))
    field = draw(st.sampled_from(FIELDS))
    if kind == "t":
        modifiers = draw(st.sampled_from(TEXT_MODIFIERS))
        found = draw(st.lists(texts, min_size=1, max_size=3))
        if any("base64" in name or name in ("wide", "utf16") for name in modifiers):
            found = [escaped("".join(c for c in one if c.isascii())) + "ab" for one in found]
        if len(found) > 1 and draw(st.booleans()):
            modifiers = [*modifiers, "all"]
        return "|".join([field, *modifiers]), found if len(found) > 1 else found[0]
    simple = {
        "n": (field, draw(st.integers(-3, 300) | st.sampled_from([2**63, 2**70, 0.5]))),
        "b": (field, draw(st.booleans())),
        "x": (field, None),
        "e": (f"{field}|exists", draw(st.booleans())),
        "l": (f"{field}|{draw(st.sampled_from(['lt', 'lte', 'gt', 'gte']))}", draw(st.integers(-3, 300))),
        "c": (f"{field}|cidr", draw(st.sampled_from(["10.0.0.0/8", "fe80::/10", "::/0"]))),
        "f": (f"{field}|{draw(st.sampled_from(['fieldref', 'fieldref|contains', 'fieldref|startswith']))}",
              draw(st.sampled_from(FIELDS))),
        "p": (f"{field}|{draw(st.sampled_from(['hour', 'minute', 'day', 'week', 'month|gte', 'year|lt']))}",
              draw(st.integers(0, 60))),
        "r": (f"{field}|re{draw(st.sampled_from(['', '|i', '|s']))}",
              draw(st.sampled_from(["a.b", "^a", "k$", "(a|k)b+", "[^a]", "s"]))),
    }  # fmt: skip
    return simple[kind]


maps = st.lists(items(), min_size=1, max_size=3).map(dict)
keywords = st.lists(texts.filter(bool) | st.integers(0, 300), min_size=1, max_size=3)
searches = maps | st.lists(maps, min_size=1, max_size=3) | keywords
conditions = st.sampled_from(
    ["s1", "not s1", "s1 and s2", "s1 or not s2", "not (s1 or s2) and s3", "1 of s*", "all of them",
     "s1 and not 1 of s2*", "(s1 and s2) or s3", "not not s1", "1 of them and not s3"]
)  # fmt: skip


@st.composite
def rules(draw: Any) -> dict[str, Any]:
    return {
        "title": "t",
        "id": "r",
        "logsource": {"product": "x"},
        "detection": {
            "s1": draw(searches),
            "s2": draw(searches),
            "s3": draw(searches),
            "condition": draw(conditions),
        },
    }


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(rules(), min_size=1, max_size=4), st.lists(events, min_size=1, max_size=4))
def test_generated_rules_and_events_give_the_naive_hits(
    given_rules: list[dict[str, Any]], given_events: list[dict[str, Any]]
) -> None:
    documents = [
        Document("r.yml", {**rule, "id": f"r{at}"}, {(): (1, 1)})
        for at, rule in enumerate(given_rules)
    ]
    loaded = load(documents)
    assert not loaded.errors
    engine = Engine(loaded.detections.values(), Everything())
    plain = Engine(loaded.detections.values(), Everything(), plain=True)
    for _ in range(2):  # the second round from memory
        for event in given_events:
            seen = flat(event)
            wanted = [one.data["id"] for one in documents if naive.matches(one.data, seen)]
            json = msgspec.json.encode(event) if encodable(event) else None
            assert [rule.id for rule in engine.match(seen, json)] == wanted
            assert [rule.id for rule in plain.match(seen)] == wanted


def encodable(event: dict[str, Any]) -> bool:
    try:
        return msgspec.json.decode(msgspec.json.encode(event)) == event
    except (ValueError, OverflowError, TypeError):
        return False


def test_yaml_of_a_generated_rule_means_the_same() -> None:
    text = yaml.safe_dump({"a": "x\\*y", "b": [None, True, 1.5]})
    assert yaml.safe_load(text) == {"a": "x\\*y", "b": [None, True, 1.5]}
