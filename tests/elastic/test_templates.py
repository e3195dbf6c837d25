"""The templates as they go to a whole Elasticsearch: every ECS field, with the type that ECS publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.elastic.documents import document_of
from runtime.elastic.fields import DEFAULT, KEPT, PRODUCTS, find, known
from runtime.elastic.settings import ElasticSettings
from runtime.elastic.templates import KINDS, templates
from tests.elastic.making import alert, chain, decision, letter, outcome

ECS = Path("data/ingest/dev/schemas/ecs_9.4.0/ecs_flat.yml")
OURS = {
    "labels": "flattened",
    "container.labels": "flattened",
    "data_stream.type": "keyword",
    "data_stream.dataset": "keyword",
    "data_stream.namespace": "keyword",
}
"""Where we differ from ECS, for the reasons given in `runtime.elastic.fields`."""
DATA = Path(__file__).parents[1] / "data" / "adapter"


def flat(properties: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found = {}
    for name, body in properties.items():
        if "type" in body:
            found[prefix + name] = body
        found |= flat(body.get("properties", {}), f"{prefix}{name}.")
    return found


def mapped(*, plain: bool = False) -> dict[str, dict[str, Any]]:
    settings = ElasticSettings(urls=("http://localhost",), plain_types=plain)
    found: dict[str, dict[str, Any]] = {}
    for body in templates(settings).components.values():
        found |= flat(body["template"]["mappings"]["properties"])
    return found


@pytest.mark.shared
def test_every_field_that_ecs_publishes_is_mapped_as_ecs_says(shared: Path) -> None:
    published = yaml.load((shared / ECS).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ours = mapped()
    for name, field in published.items():
        body = ours[name]
        assert body["type"] == OURS.get(name, field["type"]), name
        assert body.get("index", True) == field.get("index", True), name
        if "ignore_above" in field:
            assert body["ignore_above"] == field["ignore_above"], name
        texts = [one["type"] for one in field.get("multi_fields", [])]
        assert [one["type"] for one in body.get("fields", {}).values()] == texts, name
        if "scaling_factor" in field:
            assert body["scaling_factor"] == field["scaling_factor"]
    beside = {name for name in ours if name not in published and not name.startswith("opsonin.")}
    assert beside == set(PRODUCTS)


def test_plain_types_are_those_of_the_core() -> None:
    types = {body["type"] for body in mapped(plain=True).values()}
    types |= {
        one["type"] for body in mapped(plain=True).values() for one in body.get("fields", {}).values()
    }  # fmt: skip
    assert not types & {"wildcard", "constant_keyword", "match_only_text", "scaled_float"}


def test_the_limit_of_fields_leaves_room_and_unknown_fields_are_not_indexed() -> None:
    bodies = templates(ElasticSettings()).components.values()
    limit = next(
        body["template"]["settings"]["index"]["mapping"]["total_fields"]["limit"]
        for body in bodies
        if "settings" in body["template"]
    )
    assert len(mapped()) + 300 < limit < 6_000
    assert all(body["template"]["mappings"]["dynamic"] is False for body in bodies)


def test_default_fields_are_known() -> None:
    assert all(find(name) for name in DEFAULT)


@pytest.mark.parametrize("record", [alert(), chain(), decision(), letter()])
def test_every_field_of_our_own_documents_is_in_the_templates(record: Any) -> None:
    for name in document_of(record):
        assert name == KEPT or find(name), name


def test_an_outcomes_document_bears_its_decision() -> None:
    document = document_of(outcome(), decision())
    assert document["opsonin.delay"] == 2.0
    assert all(find(name) for name in document)


def test_an_alert_carries_what_elastic_security_reads() -> None:
    document = document_of(alert())
    expected = {
        "event.kind": "alert",
        "event.category": ["intrusion_detection"],
        "event.type": ["info"],
        "event.severity": 73,
        "rule.name": "Web shell",
        "threat.framework": "MITRE ATT&CK",
        "threat.tactic.id": ["TA0001"],
        "threat.technique.id": ["T1505"],
        "threat.technique.subtechnique.id": ["T1505.003"],
        "source.ip": "203.0.113.7",
        "related.hosts": ["web"],
        "opsonin.delay": 0.0,
    }
    assert {name: document[name] for name in expected} == expected
    assert "@timestamp" in document
    assert "ecs.version" in document


def test_every_top_level_name_of_the_adapters_is_indexed() -> None:
    roots = {name.partition(".")[0] for name in known()} | {"type"}  # what old Beats send along
    for path in DATA.glob("*/*.json"):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            event = found.get("event") if isinstance(found, dict) else None
            if isinstance(event, dict) and "record" in found and path.parent.name != "generic_ecs":
                assert {name.partition(".")[0] for name in event} <= roots, path


def test_names_follow_elastics_scheme_and_stand_above_its_own_templates() -> None:
    bodies = templates(ElasticSettings(namespace="lab")).indices
    assert sorted(bodies) == [f"logs-opsonin.{kind}-lab" for kind in sorted(KINDS)]
    assert all(body["priority"] > 200 for body in bodies.values())
    assert [kind for kind in KINDS if "data_stream" in bodies[f"logs-opsonin.{kind}-lab"]] == [
        "event",
        "outcome",
        "dead_letter",
    ]
    assert bodies["logs-opsonin.event-lab"]["template"]["lifecycle"] == {"data_retention": "30d"}
