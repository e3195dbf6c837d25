"""From events to decisions: in whatever order events come within the lateness, what stands in the end is the same."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import Alert, Chain, Decision
from contract.timestamps import iso
from runtime.compose import Composition, compose
from runtime.engine import Engine
from runtime.flow import Flow
from runtime.settings import resolve
from runtime.watermark import Watermarks

SECOND = 1_000_000
START = 1_780_000_000 * SECOND
LATENESS = 30
TACTICS = {"guess": "credential-access", "logon": "initial-access", "beat": "defense-evasion", "again": "defense-evasion"}  # fmt: skip
DETECTIONS = "".join(
    f"title: {name}\nid: {name}\nlevel: {'high' if name == 'logon' else 'low'}\ntags: [attack.{tactic}]\n"
    f"logsource: {{product: any}}\ndetection: {{s: {{event.action: {name}}}, condition: s}}\n---\n"
    for name, tactic in TACTICS.items()
)
RULES = (
    DETECTIONS
    + """
title: guessing
id: guessing
level: medium
opsonin: {alert: true}
correlation: {type: event_count, rules: [guess], group-by: [host.name], timespan: 20s, condition: {gte: 3}}
---
title: guessed
id: guessed
level: high
tags: [attack.lateral-movement]
correlation: {type: temporal_ordered, rules: [guessing, logon], group-by: [host.name], timespan: 40s, generate: true}
---
title: silent
id: silent
level: high
correlation: {type: temporal_ordered, rules: [beat, again], group-by: [host.name], timespan: 15s}
opsonin: {absence: [again]}
---
title: few
id: few
level: low
correlation: {type: event_count, rules: [beat], group-by: [source.ip], timespan: 25s, condition: {lt: 3}}
"""
)
PLAYBOOK = """
name: deny
description: d
when: {score: 1, stages: 2, entities: [{type: ip, role: source}]}
action: deny
target: {type: ip, role: source, stages: 2}
duration: 1d
impact: low
"""

Row: TypeAlias = tuple[int, str, int, int]
"""(second, action, host, seconds late)."""

ROWS = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.sampled_from(["guess", "guess", *TACTICS]),
        st.integers(0, 1),
        st.sampled_from([0, 0, 5, LATENESS]),
    ),
    min_size=1,
    max_size=18,
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yml").write_text(RULES)
    (folder / "deny.yml").write_text(PLAYBOOK)
    point = {"name": "gate", "type": "memory"}
    made = compose(
        resolve({"engine": {"rules": [str(folder)]}, "policy": {"mode": "enforce"}, "point": [point]})
    )  # fmt: skip
    assert made.errors == ()
    return made


def event(number: int, row: Row) -> Event:
    second, action, host, _ = row
    time_us = START + second * SECOND
    fields = {
        "@timestamp": iso(time_us), "event.id": f"e{number:02}", "event.action": action, "host.name": f"web{host}",
        "source.ip": f"203.0.113.{host}",
    }  # fmt: skip
    return Event.of(fields, id=f"e{number:02}", time_us=time_us, source="s")


def standing(rules: Composition, events: list[Event]) -> dict[str, Any]:
    """Return what stands when all events came in this order."""
    last: dict[tuple[str, str], Alert | Chain | Decision] = {}

    def watch(item: object) -> None:
        if isinstance(item, Alert | Chain | Decision):
            known = last.get((item.kind, item.id))
            assert known is None or item.revision > known.revision
            last[item.kind, item.id] = item

    marks = Watermarks(LATENESS * SECOND, None)
    flow = Flow(Engine(rules.fresh()), marks, MemoryMeter(), watch)
    for one in events:
        flow.take(one, one.time_us, one.time_us)
    flow.take(event(99, (600, "guess", 9, 0)), START, START)
    flow.finish()
    found = last.values()
    return {
        "alerts": {
            one.id: one.model_dump(exclude={"revision"})
            for one in found
            if isinstance(one, Alert) and not one.retracted
        },
        "chains": {
            one.id: one.model_dump(exclude={"revision"})
            for one in found
            if isinstance(one, Chain) and one.alerts
        },
        "denied": sorted(
            one.target.value
            for one in found
            if isinstance(one, Decision) and one.state == "approved"
        ),
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(rows=ROWS)
@example(rows=[(69, "guess", 0, 0), (95, "logon", 0, 0), (67, "logon", 0, 30), (65, "guess", 0, 0), (54, "guess", 0, 0)])  # fmt: skip
@example(rows=[(74, "guess", 1, 0), (37, "guess", 1, 0), (105, "logon", 1, 0), (77, "guess", 1, 30), (106, "guess", 1, 0), (30, "guess", 1, 0), (75, "guess", 1, 0), (86, "guess", 1, 0), (35, "guess", 1, 0), (88, "guess", 1, 0)])  # fmt: skip
@example(rows=[(16, "guess", 0, 0), (8, "guess", 0, 0), (60, "guess", 0, 0), (33, "logon", 0, 0), (32, "guess", 0, 30), (36, "logon", 0, 0), (3, "guess", 0, 0)])  # fmt: skip
@example(rows=[(73, "logon", 1, 0), (74, "beat", 1, 0), (44, "guess", 0, 30), (56, "guess", 0, 0), (64, "logon", 0, 0), (54, "guess", 0, 0), (46, "logon", 0, 0)])  # fmt: skip
def test_what_stands_does_not_depend_on_the_order_of_arrival(
    rules: Composition, rows: list[Row]
) -> None:
    events = [event(number, row) for number, row in enumerate(rows)]
    in_order = sorted(events, key=lambda one: (one.time_us, one.id))
    late = sorted(
        zip(events, rows, strict=True), key=lambda one: one[0].time_us + one[1][3] * SECOND
    )
    assert standing(rules, [one for one, _ in late]) == standing(rules, in_order)
