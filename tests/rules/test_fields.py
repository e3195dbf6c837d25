"""What our rules read is what our adapters give: each detection matches an event that an adapter makes of a record.

The events are those beside the adapters (`tests/data/adapter`), which a test compares with what the adapters make. Cases beside a rule are
written by who wrote the rule, in the rule's own words; a record is in the sensor's.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contract.document import read
from contract.event import Event
from correlate.detect import Detector
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet
from correlate.window.grouping import lookup
from correlate.window.library import library
from correlate.window.settings import WindowSettings

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for kind in ("detection", "correlation")
    for path in (ROOT / "rules" / kind).rglob("*.yml")
    if not path.name.endswith(".test.yml")
)


@cache
def rules() -> RuleSet:
    return load(one for path in FILES for one in read(path.read_text("utf-8"), path.name))


DETECTIONS = {one.name or one.id: one for one in rules().detections.values()}
CORRELATIONS = {
    plan.correlation.title: plan.correlation
    for plan in library(rules(), WindowSettings()).correlations.values()
    if plan.correlation is not None
}


@cache
def events() -> list[dict[str, Any]]:
    lines = (
        json.loads(line)
        for path in (ROOT / "tests/data/adapter").glob("*/*.json")
        if not path.name.endswith(".context.json")
        for line in path.read_text("utf-8").splitlines()
    )
    return [line["event"] for line in lines if "event" in line]


@cache
def matched() -> dict[str, list[dict[str, Any]]]:
    """Return the events that each detection matches."""
    detector = Detector(rules())
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events():
        made = Event.of(event, id=event["event.id"], time_us=0, source="test")
        for match in detector.match(made):
            found.setdefault(match.rule, []).append(event)
    return found


@pytest.mark.parametrize("name", DETECTIONS)
def test_a_detection_matches_what_an_adapter_makes_of_a_record(name: str) -> None:
    assert DETECTIONS[name].id in matched()


@pytest.mark.parametrize("title", CORRELATIONS)
def test_what_a_correlation_refers_to_has_all_that_it_needs(title: str) -> None:
    correlation = CORRELATIONS[title]
    for reference in correlation.rules:
        if reference not in DETECTIONS:
            continue  # a correlation, which carries what its own events have
        needed = [
            correlation.field_of(name, reference)
            for name in (*correlation.group_by, *correlation.fields)
        ]
        assert any(
            all(lookup(event, name) is not None for name in needed)
            for event in matched()[DETECTIONS[reference].id]
        ), f"no event of {reference} has {', '.join(needed)}"
